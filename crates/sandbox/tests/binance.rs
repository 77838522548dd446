//! The Binance server against the rules of its protocol, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod common;

use common::{Client, get, get_json, number, sandbox, sandbox_with};
use domain::Exchange;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Book = BTreeMap<String, BTreeMap<u64, String>>;

fn apply(book: &mut Book, bids: &Value, asks: &Value) {
    for (name, rows) in [("bids", bids), ("asks", asks)] {
        let side = book.entry(name.into()).or_default();
        for row in rows.as_array().unwrap() {
            let price = (number(&row[0]) * 1e8).round() as u64;
            let size = row[1].as_str().unwrap();
            if number(&row[1]) > 0.0 {
                side.insert(price, size.to_owned());
            } else {
                side.remove(&price);
            }
        }
    }
}

/// The partial stream is sent with the diffs, so both speak of the same update id.
#[tokio::test]
async fn snapshot_and_diffs_give_the_book_of_the_partial_stream() {
    let sandbox = sandbox().await;
    let urls = sandbox.urls(Exchange::Binance);
    let streams = "btcusdt@depth@100ms/btcusdt@depth20@100ms";
    let mut client = Client::open(&format!("{}/stream?streams={streams}", urls.stream_url)).await;
    let is_diff = |m: &Value| (m["stream"] == "btcusdt@depth@100ms").then(|| m["data"].clone());
    let first = client.find(is_diff).await;
    let url = format!("{}/api/v3/depth?symbol=BTCUSDT&limit=5000", urls.rest_url);
    let snapshot = get_json(&url).await;
    let mut book = Book::new();
    apply(&mut book, &snapshot["bids"], &snapshot["asks"]);
    let mut id = snapshot["lastUpdateId"].as_u64().unwrap();
    let mut last = first["u"].as_u64().unwrap();
    let mut compared = 0;
    while compared < 10 {
        let message = client.json().await;
        let data = &message["data"];
        if let Some(diff) = is_diff(&message) {
            let (from, to) = (diff["U"].as_u64().unwrap(), diff["u"].as_u64().unwrap());
            assert_eq!(from, last + 1, "contiguous");
            last = to;
            if to > id {
                assert!(from <= id + 1, "no gap after the snapshot");
                apply(&mut book, &diff["b"], &diff["a"]);
                id = to;
            }
        } else if data["lastUpdateId"].as_u64() == Some(id) {
            let mut shown = Book::new();
            apply(&mut shown, &data["bids"], &data["asks"]);
            assert!(book["bids"].iter().rev().take(20).eq(shown["bids"].iter().rev()));
            assert!(book["asks"].iter().take(20).eq(shown["asks"].iter()));
            compared += 1;
        }
    }
}

#[tokio::test]
async fn trade_ids_are_dense_and_have_no_order_ids() {
    let sandbox = sandbox().await;
    let url = format!("{}/ws", sandbox.urls(Exchange::Binance).stream_url);
    let mut client = Client::open(&url).await;
    client.say(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#).await;
    assert_eq!(client.json().await, json!({"result": null, "id": 1}));
    let mut last = None;
    for _ in 0..60 {
        let trade = client.json().await;
        assert_eq!(trade["e"], "trade");
        assert!(trade.get("b").is_none() && trade.get("a").is_none());
        let id = trade["t"].as_i64().unwrap();
        assert!(last.is_none_or(|last| id == last + 1));
        last = Some(id);
    }
}

#[tokio::test]
async fn errors_have_binances_codes() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Binance).rest_url;
    for (path, code) in [
        ("/api/v3/depth?symbol=NOPE", -1121),
        ("/api/v3/depth", -1102),
        ("/api/v3/depth?symbol=BTCUSDT&limit=x", -1100),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1x", -1120),
        ("/api/v3/exchangeInfo?symbol=NOPE", -1121),
    ] {
        let (status, headers, body) = get(&format!("{rest}{path}")).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, body["code"].as_i64()), (400, Some(code)), "{path}");
        assert!(headers.contains_key("x-mbx-used-weight-1m"));
    }
}

#[tokio::test]
async fn klines_are_there_from_the_start_without_a_hole() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Binance).rest_url;
    for (interval, step, least) in [("1m", 60_000, 120), ("1s", 1_000, 1_000), ("1h", 3_600_000, 2)]
    {
        let url = format!("{rest}/api/v3/klines?symbol=ETHUSDT&interval={interval}&limit=1000");
        let rows = get_json(&url).await;
        let rows = rows.as_array().unwrap();
        assert!(rows.len() >= least.min(1_000), "{interval}: {}", rows.len());
        for pair in rows.windows(2) {
            assert_eq!(pair[1][0].as_i64().unwrap() - pair[0][0].as_i64().unwrap(), step);
        }
        for row in rows {
            let [open, high, low, close] = [1, 2, 3, 4].map(|n| number(&row[n]));
            assert!(low <= open.min(close) && high >= open.max(close) && low > 2_000.0);
        }
    }
}

#[tokio::test]
async fn too_much_weight_is_refused_with_the_time_to_wait() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Binance).rest_url;
    let url = format!("{rest}/api/v3/depth?symbol=BNBUSDT&limit=5000");
    // 24 calls fill a minute; a new one may begin on the way.
    for n in 0..60 {
        let (status, headers, body) = get(&url).await;
        if status == 429 {
            assert!(n >= 24 && body.contains("-1003"));
            let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!(wait <= 60);
            return;
        }
    }
    panic!("15,000 of weight were not too much")
}

#[tokio::test]
async fn the_server_pings_and_more_than_five_messages_a_second_end_the_socket() {
    let sandbox = sandbox_with(|c| c.heartbeat = std::time::Duration::from_millis(100)).await;
    let url = format!("{}/ws", sandbox.urls(Exchange::Binance).stream_url);
    let mut client = Client::open(&url).await;
    while !client.message().await.unwrap().is_ping() {}
    let mut talker = Client::open(&url).await;
    for id in 0..20 {
        let list = format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#);
        if talker.try_say(&list).await.is_err() {
            break;
        }
    }
    while talker.text().await.is_some() {}
}
