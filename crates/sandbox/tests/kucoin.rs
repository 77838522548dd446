//! The KuCoin server against the rules of its protocol, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod common;

use common::{Client, get_json, number, sandbox};
use domain::Exchange;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Side = BTreeMap<u64, String>;

fn apply(side: &mut Side, rows: &Value) {
    for row in rows.as_array().unwrap() {
        let price = (number(&row[0]) * 1e6).round() as u64;
        if number(&row[1]) > 0.0 {
            side.insert(price, row[1].as_str().unwrap().to_owned());
        } else {
            side.remove(&price);
        }
    }
}

fn subscribe(id: &str, channel: &str, symbol: &str, depth: &str) -> String {
    json!({"id": id, "action": "SUBSCRIBE", "channel": channel, "tradeType": "SPOT",
           "symbol": symbol, "depth": depth})
    .to_string()
}

/// The depth-50 frames of the same connection say what the book must be at the same sequence.
#[tokio::test]
async fn increments_continue_the_snapshot_and_give_the_full_frames() {
    let sandbox = sandbox().await;
    let mut client = Client::open(&sandbox.urls(Exchange::Kucoin).stream_url).await;
    let welcome = client.message().await.unwrap();
    assert!(welcome.is_binary() && welcome.into_text().unwrap().contains("welcome"));
    client.say(&subscribe("p1", "obu", "BTC-USDT", "increment@10ms")).await;
    assert_eq!(client.json().await, json!({"id": "p1", "result": true}));
    let snapshot = client.json().await;
    assert_eq!((&snapshot["t"], &snapshot["T"]), (&json!("snapshot"), &json!("obu.SPOT")));
    client.say(&subscribe("p2", "obu", "BTC-USDT", "50")).await;
    let (mut bids, mut asks) = (Side::new(), Side::new());
    apply(&mut bids, &snapshot["d"]["b"]);
    apply(&mut asks, &snapshot["d"]["a"]);
    assert_eq!(bids.len().max(asks.len()), 500, "the top 500, of more");
    let mut last = snapshot["d"]["C"].as_u64().unwrap();
    let mut compared = 0;
    while compared < 10 {
        let frame = client.json().await;
        let data = &frame["d"];
        if frame["t"] == "delta" {
            assert_eq!(data["O"].as_u64().unwrap(), last + 1, "contiguous");
            last = data["C"].as_u64().unwrap();
            apply(&mut bids, &data["b"]);
            apply(&mut asks, &data["a"]);
            assert!(bids.len() <= 500 && asks.len() <= 500, "what leaves the top is removed");
        } else if frame["dp"] == "50" && data["C"].as_u64() == Some(last) {
            let (mut b, mut a) = (Side::new(), Side::new());
            apply(&mut b, &data["b"]);
            apply(&mut a, &data["a"]);
            assert!(bids.iter().rev().take(50).eq(b.iter().rev()));
            assert!(asks.iter().take(50).eq(a.iter()));
            compared += 1;
        }
    }
}

#[tokio::test]
async fn unknown_symbols_are_acknowledged_and_bad_requests_refused() {
    let sandbox = sandbox().await;
    let mut client = Client::open(&sandbox.urls(Exchange::Kucoin).stream_url).await;
    client.json().await;
    client.say(&subscribe("p1", "obu", "NOPE-USDT", "increment@10ms")).await;
    assert_eq!(client.json().await, json!({"id": "p1", "result": true}));
    client.say(&subscribe("p2", "obu", "BTC-USDT", "7")).await;
    assert_eq!(
        client.json().await,
        json!({"id": "p2", "result": false, "message": "invalid request data"})
    );
    client.say(r#"{"id":"p3","type":"ping"}"#).await;
    let pong = client.json().await;
    assert_eq!((&pong["type"], &pong["id"]), (&json!("pong"), &json!("p3")));
    assert!(pong["ts"].as_i64().unwrap() > 1_600_000_000_000_000_000);
}

#[tokio::test]
async fn the_classic_socket_wants_its_token_and_sends_level2_in_sequence() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Kucoin).rest_url;
    let bullet: Value = common::client()
        .post(format!("{rest}/api/v1/bullet-public"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let endpoint = bullet["data"]["instanceServers"][0]["endpoint"].as_str().unwrap();
    let token = bullet["data"]["token"].as_str().unwrap();
    let mut client = Client::open(&format!("{endpoint}?token={token}&connectId=c1")).await;
    assert_eq!(client.json().await, json!({"id": "c1", "type": "welcome"}));
    client
        .say(r#"{"id":"1","type":"subscribe","topic":"/market/level2:BTC-USDT","response":true}"#)
        .await;
    assert_eq!(client.json().await, json!({"id": "1", "type": "ack"}));
    let mut last: Option<u64> = None;
    for _ in 0..20 {
        let frame = client.json().await;
        let data = &frame["data"];
        let start = data["sequenceStart"].as_u64().unwrap();
        assert!(last.is_none_or(|l| start == l + 1));
        last = data["sequenceEnd"].as_u64();
    }
    let mut stranger = Client::open(&format!("{endpoint}?token=old&connectId=c2")).await;
    assert_eq!(stranger.json().await["type"], "error");
}

#[tokio::test]
async fn rest_answers_have_kucoins_envelope_and_orders() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Kucoin).rest_url;
    let symbols = get_json(&format!("{rest}/api/v2/symbols")).await;
    assert_eq!(symbols["code"], "200000");
    assert_eq!(symbols["data"].as_array().unwrap().len(), 5);
    let unknown = get_json(&format!("{rest}/api/v1/market/orderbook/level1?symbol=NOPE")).await;
    assert_eq!(unknown["code"], "900001");
    let candles =
        get_json(&format!("{rest}/api/v1/market/candles?symbol=BTC-USDT&type=1min")).await;
    let rows = candles["data"].as_array().unwrap();
    assert!(rows.len() > 50);
    for pair in rows.windows(2) {
        assert!(number(&pair[0][0]) > number(&pair[1][0]), "newest first");
        let [close, high, low] = [2, 3, 4].map(|n| number(&pair[0][n]));
        assert!(high >= close && close >= low, "time, open, close, high, low");
    }
    let book = get_json(&format!("{rest}/api/v1/market/orderbook/level2_20?symbol=BTC-USDT")).await;
    assert_eq!(book["data"]["bids"].as_array().unwrap().len(), 20);
}
