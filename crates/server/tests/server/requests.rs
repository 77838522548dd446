//! Bodies, queries, idempotency, problems.

use crate::common::{Server, problem};
use domain::BotId;
use engine::{CommandError, Reply};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

fn bot() -> Value {
    json!({
        "name": "one", "exchange": "luno", "symbol": "BTC/ZAR", "capital": "1000",
        "strategy": { "kind": "ema_cross" },
    })
}

#[tokio::test]
async fn whatever_cannot_be_understood_is_a_problem() {
    let server = Server::start().await;
    let token = Some(server.trader.as_str());
    let post = || server.ask(Method::POST, "/api/bots", token);
    let json_type = "application/json";

    let malformed = post().header("content-type", json_type).body("{\"name\": ");
    problem(malformed.send().await.unwrap(), StatusCode::BAD_REQUEST, "MALFORMED_JSON").await;
    let typed = post().header("content-type", "text/plain").body("{}");
    let unsupported = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    problem(typed.send().await.unwrap(), unsupported, "UNSUPPORTED_MEDIA_TYPE").await;
    let large = post().header("content-type", json_type).body(vec![b' '; 256 * 1024 + 1]);
    let large =
        problem(large.send().await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE");
    assert_eq!(large.await["bytes_max"], 262_144);

    let mut unknown = bot();
    unknown["capitol"] = 1.into();
    let unknown = server.post("/api/bots", token, &unknown).await;
    let unknown = problem(unknown, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY").await;
    assert_eq!(unknown["field"], "capitol");
    let mut nested = bot();
    nested["exits"] = json!({ "stop_percent": "often" });
    let nested = server.post("/api/bots", token, &nested).await;
    let nested = problem(nested, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY").await;
    assert_eq!(nested["field"], "exits.stop_percent");

    for query in ["limit=0", "limit=501", "limit=many", "after=%20", "account_id=x"] {
        let response = server.get(&format!("/api/bots?{query}"), token).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    let many = server.get("/api/trades?limit=many", token).await;
    let many = problem(many, StatusCode::BAD_REQUEST, "INVALID_QUERY").await;
    assert_eq!(many["field"], "limit");
    assert!(many["detail"].as_str().unwrap().starts_with("limit: "), "{many}");
    let response = server.get("/api/bots/seven", token).await;
    problem(response, StatusCode::BAD_REQUEST, "INVALID_PATH").await;
    problem(server.get("/api/nothing", token).await, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    let response = server.ask(Method::PUT, "/api/bots", token).send().await.unwrap();
    problem(response, StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED").await;
    let response = server.get("/api/groups", token).await;
    problem(response, StatusCode::NOT_IMPLEMENTED, "NOT_BUILT").await;
    assert_eq!(server.commands(), 0);
}

#[tokio::test]
async fn a_body_says_each_thing_once_and_by_its_name() {
    let server = Server::start().await;
    let refused = async |path: &str, body: &str| {
        let request = server.ask(Method::POST, path, Some(&server.trader));
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let response = request.send().await.unwrap();
        problem(response, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY").await
    };
    // Read as a struct, a list would be its fields in our order of declaration: money would move.
    refused("/api/wallets/deposits", r#"["luno","ZAR","1"]"#).await;
    refused("/api/bots/1/stop", r#"["sell"]"#).await;
    let twice = r#"{"name":"one","exchange":"luno","symbol":"BTC/ZAR","capital":"1000",
        "strategy":{"kind":"ema_cross","params":{"fast":3,"fast":4}}}"#;
    assert_eq!(refused("/api/bots", twice).await["field"], "strategy.params");
    let rounded = r#"{"exchange":"luno","currency":"ZAR","amount":123456789012.123456}"#;
    assert_eq!(refused("/api/wallets/deposits", rounded).await["field"], "amount");
    assert_eq!(server.commands(), 0);
    assert_eq!(server.get("/api/bots?after=", Some(&server.trader)).await.status(), 200);
}

#[tokio::test]
async fn a_bot_of_a_name_that_is_no_exchange_is_refused_and_of_a_foreign_one_kept() {
    let server = Server::start().await;
    let account = json!({ "name": "main" });
    server.post("/api/accounts", Some(&server.admin), &account).await;
    for (exchange, status) in
        [("", 422), ("two words", 422), (&*"x".repeat(33), 422), ("kraken", 201), (" Luno ", 409)]
    {
        let mut body = bot();
        body["exchange"] = exchange.into();
        let response = server.post("/api/bots", Some(&server.trader), &body).await;
        assert_eq!(response.status(), status, "{exchange:?}");
    }
}

#[tokio::test]
async fn an_emergency_stop_claims_no_key_in_the_store() {
    let server = Server::start().await;
    server.post("/api/accounts", Some(&server.admin), &json!({ "name": "main" })).await;
    let before = server.commands();
    for _ in 0..2 {
        let stop = server.ask(Method::POST, "/api/emergency-stop", Some(&server.trader));
        let stop = stop.header("idempotency-key", "again").json(&json!({}));
        assert_eq!(stop.send().await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(server.commands(), before + 2, "each pull reached the core");
}

#[tokio::test]
async fn a_refused_command_tells_its_figures() {
    let server = Server::start().await;
    server.answer(|_| {
        Err(CommandError::BotCapReached {
            exchange: "luno".into(),
            mode: "paper".into(),
            in_use: 100,
            cap: 100,
        })
    });
    let response = server.post("/api/bots", Some(&server.trader), &bot()).await;
    let json = problem(response, StatusCode::CONFLICT, "BOT_CAP_REACHED").await;
    assert_eq!((json["in_use"].as_u64(), json["cap"].as_u64()), (Some(100), Some(100)));
}

#[tokio::test]
async fn the_same_key_and_body_is_carried_out_once() {
    let server = Server::start().await;
    // Slow enough that the duplicates overlap.
    server.answer(|_| {
        std::thread::sleep(Duration::from_millis(50));
        Ok(Reply::Done)
    });
    let deposit = |amount: &str, key: &str| {
        let body = json!({ "exchange": "luno", "currency": "ZAR", "amount": amount });
        let request = server.ask(Method::POST, "/api/wallets/deposits", Some(&server.trader));
        request.header("idempotency-key", key).json(&body).send()
    };
    let (a, b, c) = tokio::join!(deposit("100", "k1"), deposit("100", "k1"), deposit("100", "k1"));
    let mut bodies = Vec::new();
    for response in [a, b, c] {
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["content-type"], "application/json");
        bodies.push(response.text().await.unwrap());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(server.commands(), 1);
    let other = deposit("200", "k1").await.unwrap();
    problem(other, StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED").await;
    assert_eq!(deposit("100", "k2").await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(server.commands(), 2);
}

#[tokio::test]
async fn a_key_is_remembered_over_a_restart() {
    let server = Server::start().await;
    server.answer(|_| Ok(Reply::Done));
    let body = json!({ "exchange": "luno", "currency": "ZAR", "amount": "1" });
    let token = server.admin.clone();
    let post = async |server: &Server, body: &Value| {
        let request = server.ask(Method::POST, "/api/wallets/deposits", Some(&token));
        request.header("idempotency-key", "k").json(body).send().await.unwrap()
    };
    let first = post(&server, &body).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let first = first.text().await.unwrap();
    let server = server.restart().await;
    let again = post(&server, &body).await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["content-type"], "application/json");
    assert_eq!(again.text().await.unwrap(), first);
    let other = json!({ "exchange": "luno", "currency": "ZAR", "amount": "2" });
    problem(post(&server, &other).await, StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED").await;
    assert_eq!(server.commands(), 0, "nothing was carried out again");
}

#[tokio::test]
async fn secrets_are_not_kept_with_idempotency_keys() {
    let server = Server::start().await;
    let admin = Some(server.admin.as_str());
    let body = json!({ "name": "script", "role": "viewer" });
    let request = || server.ask(Method::POST, "/api/tokens", admin).header("idempotency-key", "t");
    let first = request().json(&body).send().await.unwrap().text().await.unwrap();
    let again = request().json(&body).send().await.unwrap().text().await.unwrap();
    assert_eq!(first, again);
    let token: Value = serde_json::from_str(&first).unwrap();
    let token = token["token"].as_str().unwrap().as_bytes().to_vec();
    for file in std::fs::read_dir(server.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token));
    }
}

#[tokio::test]
async fn a_key_is_not_shared_between_people() {
    let server = Server::start().await;
    server.answer(|_| Ok(Reply::Done));
    let body = json!({ "exchange": "luno", "currency": "ZAR", "amount": "1" });
    for token in [&server.trader, &server.admin] {
        let request = server.ask(Method::POST, "/api/wallets/deposits", Some(token));
        let request = request.header("idempotency-key", "same").json(&body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    }
    assert_eq!(server.commands(), 2);
}

#[tokio::test]
async fn another_accounts_bot_is_404_on_every_verb() {
    let server = Server::start().await;
    server.answer(|_| Err(CommandError::NotFound { what: "bot".into() }));
    let token = Some(server.trader.as_str());
    for verb in ["start", "pause", "resume", "stop", "retire", "rearm", "flatten"] {
        let path = format!("/api/bots/{}/{verb}", BotId(9));
        let response = server.ask(Method::POST, &path, token).send().await.unwrap();
        problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    for path in ["/api/bots/9", "/api/bots/9/holds"] {
        problem(server.get(path, token).await, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
}

#[tokio::test]
async fn a_core_that_is_gone_is_503_and_the_process_lives() {
    let server = Server::start().await;
    server.answer(|_| panic!("the run loop dies"));
    let response = server.post("/api/bots", Some(&server.trader), &bot()).await;
    problem(response, StatusCode::GATEWAY_TIMEOUT, "OUTCOME_UNKNOWN").await;
    let response = server.get("/api/bots", Some(&server.trader)).await;
    problem(response, StatusCode::SERVICE_UNAVAILABLE, "ENGINE_STOPPED").await;
    assert_eq!(server.get("/health", None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_document_lists_every_route_and_answers_carry_security_headers() {
    let server = Server::start().await;
    let response = server.get("/api/openapi.json", None).await;
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers().contains_key("x-request-id"));
    let document: Value = response.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
        }
    }
    assert_eq!(server.get("/api/docs/", None).await.status(), StatusCode::OK);
    let page = server.get("/", None).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
