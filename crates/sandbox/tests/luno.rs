//! The Luno server against the rules of its protocol, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod common;

use common::{Client, get, get_json, number, sandbox, sandbox_with};
use domain::Exchange;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const KEY: &str = r#"{"api_key_id":"abc","api_key_secret":"def"}"#;

/// Orders of a side by id: price and volume, in millionths.
type Orders = BTreeMap<String, (i64, i64)>;

fn millionths(value: &Value) -> i64 {
    (number(value) * 1e6).round() as i64
}

fn orders(rows: &Value) -> Orders {
    let row = |r: &Value| {
        (r["id"].as_str().unwrap().to_owned(), (millionths(&r["price"]), millionths(&r["volume"])))
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

struct Book {
    sequence: u64,
    sides: [Orders; 2],
    trades: usize,
    empty: usize,
}

impl Book {
    fn new(snapshot: &Value) -> Self {
        let sides = [orders(&snapshot["bids"]), orders(&snapshot["asks"])];
        Self { sequence: sequence(snapshot), sides, trades: 0, empty: 0 }
    }

    fn apply(&mut self, update: &Value) {
        assert_eq!(sequence(update), self.sequence + 1, "consecutive");
        self.sequence += 1;
        for trade in update["trade_updates"].as_array().into_iter().flatten() {
            self.trades += 1;
            let maker = trade["maker_order_id"].as_str().unwrap();
            let base = millionths(&trade["base"]);
            let side = self.sides.iter_mut().find(|s| s.contains_key(maker)).expect("known maker");
            let order = side.get_mut(maker).unwrap();
            let price = order.0 as f64 / 1e6;
            assert!(
                (number(&trade["counter"]) / number(&trade["base"]) - price).abs() < 1e-3 * price
            );
            order.1 -= base;
            assert!(base > 0 && order.1 >= 0);
            if order.1 == 0 {
                side.remove(maker);
            }
        }
        if let Some(create) = update["create_update"].as_object() {
            let side = usize::from(create["type"] == "ASK");
            let entry = (millionths(&create["price"]), millionths(&create["volume"]));
            self.sides[side].insert(create["order_id"].as_str().unwrap().to_owned(), entry);
        }
        if let Some(id) = update["delete_update"]["order_id"].as_str() {
            let gone = self.sides.iter_mut().any(|s| s.remove(id).is_some());
            assert!(gone, "a filled order is not deleted again");
        }
        let nothing = update["trade_updates"].is_null()
            && update["create_update"].is_null()
            && update["delete_update"].is_null();
        self.empty += usize::from(nothing);
    }
}

fn sequence(message: &Value) -> u64 {
    message["sequence"].as_str().expect("a string").parse().unwrap()
}

/// A second socket's snapshot says what the first one's rebuilt book must be.
#[tokio::test]
async fn the_rebuilt_order_by_order_book_is_the_book() {
    let sandbox = sandbox_with(|c| c.speed = 20.0).await;
    let url = format!("{}/api/1/stream/XBTZAR", sandbox.urls(Exchange::Luno).stream_url);
    let mut client = Client::open(&url).await;
    client.say(KEY).await;
    let mut book = Book::new(&client.json().await);
    while book.trades < 20 || book.empty == 0 {
        book.apply(&client.json().await);
    }
    let mut second = Client::open(&url).await;
    second.say(KEY).await;
    let expected = Book::new(&second.json().await);
    while book.sequence < expected.sequence {
        book.apply(&client.json().await);
    }
    assert_eq!(book.sequence, expected.sequence);
    assert_eq!(book.sides, expected.sides);
}

#[tokio::test]
async fn credentials_are_wanted_and_wrong_markets_named() {
    let sandbox = sandbox_with(|c| c.heartbeat = Duration::from_millis(400)).await;
    let base = sandbox.urls(Exchange::Luno).stream_url;
    let open = async |pair: &str| Client::open(&format!("{base}/api/1/stream/{pair}")).await;
    for wrong in ["{}", "nonsense"] {
        let mut client = open("XBTZAR").await;
        client.say(wrong).await;
        assert_eq!(client.json().await["error_code"], "invalid_credentials");
        assert_eq!(client.text().await, None, "then it closes");
    }
    let mut client = open("NOPEUSDT").await;
    client.say(KEY).await;
    let refusal = client.json().await;
    assert_eq!(refusal, json!({"error_code": "invalid_market", "error": "NOPEUSDT"}));
    let mut silent = open("XBTZAR").await;
    assert_eq!(silent.json().await["error_code"], "auth_timeout");
}

#[tokio::test]
async fn a_quiet_market_says_the_empty_string() {
    let sandbox = sandbox_with(|c| {
        c.heartbeat = Duration::from_millis(150);
        c.speed = 0.01;
    })
    .await;
    let url = format!("{}/api/1/stream/XBTUSDT", sandbox.urls(Exchange::Luno).stream_url);
    let mut client = Client::open(&url).await;
    client.say(KEY).await;
    client.find(|m| (m == "").then_some(())).await;
}

#[tokio::test]
async fn rest_pads_books_and_keeps_candles_behind_a_key() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Luno).rest_url;
    let top = get_json(&format!("{rest}/api/1/orderbook_top?pair=XBTZAR")).await;
    let price = top["bids"][0]["price"].as_str().unwrap();
    assert_eq!(price.split_once('.').unwrap().1.len(), 18);
    assert!(top["asks"].as_array().unwrap().len() <= 100);
    let tickers = get_json(&format!("{rest}/api/1/tickers")).await;
    assert_eq!(tickers["tickers"].as_array().unwrap().len(), 5);
    let none = get_json(&format!("{rest}/api/1/tickers?pair=NOPE")).await;
    assert_eq!(none, json!({"tickers": []}));
    let (status, headers, body) = get(&format!("{rest}/api/1/ticker?pair=NOPEUSDT")).await;
    assert_eq!(status, 400);
    assert!(body.contains("ErrMarketUnavailable") && headers.contains_key("date"));
    assert_eq!(get(&format!("{rest}/api/1/nope")).await.0, 404);
    let candles = format!("{rest}/api/exchange/1/candles?pair=XBTZAR&since=0&duration=60");
    assert_eq!(get(&candles).await.0, 401);
    let allowed =
        reqwest::Client::new().get(&candles).basic_auth("id", Some("secret")).send().await.unwrap();
    let body: Value = allowed.json().await.unwrap();
    assert!(body["candles"].as_array().unwrap().len() >= 120);
    let (old, ..) = get(&format!("{rest}/api/1/trades?pair=XBTZAR&since=1000")).await;
    assert_eq!(old, 400, "a day at most");
}

#[tokio::test]
async fn more_than_300_calls_a_minute_are_refused() {
    let sandbox = sandbox().await;
    let url = format!("{}/api/1/ticker?pair=XBTZAR", sandbox.urls(Exchange::Luno).rest_url);
    let mut answers = Vec::new();
    for _ in 0..301 {
        answers.push(get(&url).await.0);
    }
    assert!(answers[..300].iter().all(|s| *s == 200));
    assert_eq!(answers[300], 429);
}
