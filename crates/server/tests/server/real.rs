//! The whole way: HTTP, the real engine, the real store, and back.

use crate::common::{Server, problem};
use crate::shapes::every_get_fits;
use domain::AccountId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::Role;

async fn funded() -> Server {
    let server = Server::start().await;
    let admin = Some(server.admin.as_str());
    for (id, name) in [(1, "main"), (2, "other")] {
        let made = server.post("/api/accounts", admin, &json!({ "name": name })).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        assert_eq!(made.json::<Value>().await.unwrap()["id"], id);
    }
    let money = json!({ "exchange": "luno", "currency": "ZAR", "amount": "50000" });
    let wallets = server.post("/api/wallets/deposits", Some(&server.trader), &money).await;
    assert_eq!(wallets.status(), StatusCode::CREATED);
    let wallets: Value = wallets.json().await.unwrap();
    assert_eq!(wallets[0]["available"], "50000");
    server
}

fn bot(name: &str) -> Value {
    json!({
        "name": name, "exchange": "luno", "symbol": "BTC/ZAR", "capital": "10000",
        "strategy": { "kind": "ema_cross", "params": { "fast": 5, "slow": 20 } },
        "timeframe": "1m", "risk_mode": "safe",
    })
}

#[tokio::test]
async fn a_bot_lives_its_life_over_http() {
    let server = funded().await;
    let token = Some(server.trader.as_str());
    let made = server.post("/api/bots", token, &bot("one")).await;
    let status = made.status();
    let made: Value = made.json().await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["lifecycle"], &made["mode"]), (&json!("active"), &json!("paper")));
    assert!(!made["doing"].as_str().unwrap().is_empty());
    let id = made["id"].as_u64().unwrap();
    let order = async |verb: &str, body: Value| {
        let response = server.post(&format!("/api/bots/{id}/{verb}"), token, &body).await;
        let status = response.status();
        (status, response.json::<Value>().await.unwrap())
    };
    let (_, paused) = order("pause", Value::Null).await;
    assert_eq!(paused["state"], "paused", "{paused}");
    assert!(paused["holds"].as_array().unwrap().contains(&json!("USER_PAUSED")));
    let holds = server.get(&format!("/api/bots/{id}/holds"), token).await;
    assert_eq!(holds.json::<Value>().await.unwrap()[0]["hold"], "USER_PAUSED");
    let (status, _) = order("resume", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let (status, copy) = order("clone", json!({ "name": "two" })).await;
    assert_eq!((status, &copy["name"]), (StatusCode::CREATED, &json!("two")));
    let (_, stopped) = order("stop", json!({ "positions": "sell" })).await;
    assert_eq!(stopped["lifecycle"], "stopped");
    let path = format!("/api/bots/{id}");
    let patch = server.ask(Method::PATCH, &path, token).json(&json!({ "name": "uno" }));
    let patched: Value = patch.send().await.unwrap().json().await.unwrap();
    assert_eq!(patched["name"], "uno");
    let page: Value = server.get("/api/bots?limit=1", token).await.json().await.unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let next = format!("/api/bots?limit=1&after={}", page["next"].as_str().unwrap());
    let page: Value = server.get(&next, token).await.json().await.unwrap();
    assert_eq!((&page["items"][0]["name"], &page["next"]), (&json!("two"), &Value::Null));

    let events: Value = server.get("/api/events", token).await.json().await.unwrap();
    let kinds: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    for kind in ["balance_updated", "bot_created", "bot_paused", "bot_resumed", "bot_stopped"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    every_get_fits(&server, id as u32).await;

    let stranger = server.token("stranger", Role::Trader, AccountId(2)).await;
    problem(server.get(&path, Some(&stranger)).await, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    for verb in ["start", "pause", "resume", "stop", "retire", "rearm", "flatten"] {
        let path = format!("{path}/{verb}");
        let response = server.ask(Method::POST, &path, Some(&stranger)).send().await.unwrap();
        problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    let page: Value = server.get("/api/bots", Some(&stranger)).await.json().await.unwrap();
    assert_eq!(page["items"], json!([]));
    let admin = Some(server.admin.as_str());
    let other: Value = server.get("/api/portfolio?account_id=2", admin).await.json().await.unwrap();
    assert_eq!(other["account_id"], 2);
}

#[tokio::test]
async fn refusals_of_the_core_come_as_problems_with_figures() {
    let server = funded().await;
    let token = Some(server.trader.as_str());
    let mut dear = bot("dear");
    dear["capital"] = "60000".into();
    let response = server.post("/api/bots", token, &dear).await;
    let json = problem(response, StatusCode::CONFLICT, "INSUFFICIENT_FUNDS").await;
    assert_eq!((&json["available"], &json["needed"]), (&json!("50000"), &json!("60000")));
    let mut odd = bot("odd");
    odd["symbol"] = "XYZ/ZAR".into();
    let response = server.post("/api/bots", token, &odd).await;
    problem(response, StatusCode::UNPROCESSABLE_ENTITY, "UNKNOWN_INSTRUMENT").await;
    let response = server.post("/api/bots", token, &bot("")).await;
    problem(response, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_FIELD").await;
    let policy: Value = server.get("/api/policy", token).await.json().await.unwrap();
    let mut changed = policy["policy"].clone();
    changed["daily_loss_max_percent"] = "101".into();
    let put = server.ask(Method::PUT, "/api/policy", token).json(&changed).send().await.unwrap();
    let json = problem(put, StatusCode::UNPROCESSABLE_ENTITY, "POLICY_INVALID").await;
    assert_eq!(json["key"], "daily_loss_max_percent");
    changed["daily_loss_max_percent"] = "3".into();
    let put = server.ask(Method::PUT, "/api/policy", token).json(&changed).send().await.unwrap();
    assert_eq!(put.status(), StatusCode::OK);
    let put: Value = put.json().await.unwrap();
    assert_eq!(put["policy"]["daily_loss_max_percent"], "3");
}

#[tokio::test]
async fn the_emergency_stop_latches_first_and_clearing_leaves_bots_paused() {
    let server = funded().await;
    let token = Some(server.trader.as_str());
    let made: Value = server.post("/api/bots", token, &bot("one")).await.json().await.unwrap();
    let body = json!({ "reason": "drill" });
    let pulled = server.post("/api/emergency-stop", token, &body).await;
    assert_eq!(pulled.status(), StatusCode::OK);
    let pulled: Value = pulled.json().await.unwrap();
    assert_eq!((&pulled["active"], &pulled["reason"]), (&json!(true), &json!("drill")));
    let bot: Value =
        server.get(&format!("/api/bots/{}", made["id"]), token).await.json().await.unwrap();
    assert!(bot["holds"].as_array().unwrap().contains(&json!("EMERGENCY_STOP")), "{bot}");
    let clear = server.ask(Method::DELETE, "/api/emergency-stop", token).send().await.unwrap();
    assert_eq!(clear.json::<Value>().await.unwrap()["active"], false);
    let path = format!("/api/bots/{}", made["id"]);
    let after: Value = server.get(&path, token).await.json().await.unwrap();
    assert_eq!(after["state"], "paused", "{after}");
}
