//! What the dashboard needs: its files, chosen bots, and what a bot would cost.

use crate::common::{Server, problem};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn the_first_page_is_asked_for_anew_and_its_parts_are_kept() {
    let server = Server::start().await;
    let page = server.client.get(format!("http://{}/", server.address)).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["cache-control"], "no-cache");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let etag = page.headers()["etag"].to_str().unwrap().to_owned();
    let text = page.text().await.unwrap();
    assert!(text.contains("Amarktai"), "{text}");
    let again = server.client.get(format!("http://{}/", server.address));
    let again = again.header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    for part in text.split('"').filter(|part| part.starts_with("/assets/")) {
        let part = server.client.get(format!("http://{}{part}", server.address));
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), StatusCode::OK);
        assert!(part.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    }
    let nothing = server.client.get(format!("http://{}/nothing.js", server.address));
    assert_eq!(nothing.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn chosen_bots_are_numbers_with_commas_between() {
    let server = Server::start().await;
    let token = Some(server.viewer.as_str());
    let found: Value = server.get("/api/bots?ids=3,1,3", token).await.json().await.unwrap();
    assert_eq!(found, json!({ "items": [], "next": null }), "unknown ones are left out");
    let many = (0..501).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    for wrong in ["", "a", "1,,2", "-1", many.as_str()] {
        let answer = server.get(&format!("/api/bots?ids={wrong}"), token).await;
        problem(answer, StatusCode::BAD_REQUEST, "INVALID_QUERY").await;
    }
}

#[tokio::test]
async fn a_preview_tells_what_is_known_and_creates_nothing() {
    let server = Server::start().await;
    let token = Some(server.trader.as_str());
    let mut bot = json!({
        "name": "one", "exchange": "luno", "symbol": "BTC/ZAR", "capital": "1000",
        "strategy": { "kind": "dca" }, "risk_mode": "safe",
    });
    let answer = server.post("/api/bots/preview", token, &bot).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let preview: Value = answer.json().await.unwrap();
    assert_eq!(preview["position_max"], "250", "a quarter, by the risk mode");
    assert_eq!(preview["round_trip_percent"], "1.2", "two taker fees; no spread is known");
    assert!(preview["sentence"].as_str().unwrap().contains("at least 1.2 %"));
    let levels = preview["levels"].as_array().unwrap();
    assert_eq!(levels.len(), 6, "the base order and five safety orders");
    assert!(levels.iter().all(|level| level["percent"].as_f64().unwrap() <= 0.0));
    assert_eq!(server.commands(), 0);
    bot["symbol"] = "ETH/ZAR".into();
    let unknown = server.post("/api/bots/preview", token, &bot).await;
    let unknown: Value = unknown.json().await.unwrap();
    assert_eq!(unknown["round_trip_percent"], Value::Null);
    assert!(unknown["sentence"].as_str().unwrap().contains("not known"));
    bot["strategy"] = json!({ "kind": "ema_cross", "params": { "fast": 1 } });
    let refused = server.post("/api/bots/preview", token, &bot).await;
    problem(refused, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_STRATEGY").await;
}
