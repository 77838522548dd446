//! Events live, cut again and again, over a kill too: nothing missed, nothing doubled.

use crate::harness::{PATIENCE, Place, Product};
use crate::market::{config, eager, fund, listed, sandbox};
use domain::Timestamp;
use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Uri;

/// Cuts of each stream before the kill, and as many after it.
const CUTS: usize = 8;
/// A beat every ten seconds, late by no more than this.
const BEAT_S: std::ops::RangeInclusive<f64> = 9.0..=12.0;

/// What a client knows: the cursors it has seen, in order.
#[derive(Default)]
struct Seen {
    last: String,
    cursors: Vec<String>,
}

impl Seen {
    fn event(&mut self, event: &Value) {
        let cursor = event["cursor"].as_str().unwrap().to_owned();
        if event["type"] != "heartbeat" {
            self.cursors.push(cursor.clone());
        }
        self.last = cursor;
    }
}

/// Reads SSE until so many bytes have come, then hangs up in the middle of whatever it is.
async fn sse(product: &Product, seen: &mut Seen, bytes: usize) {
    let request = product.request(reqwest::Method::GET, "/api/realtime/events");
    let request = request.header("last-event-id", &seen.last).timeout(PATIENCE);
    let mut response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let (mut text, mut read) = (Vec::new(), 0);
    while read < bytes {
        let Ok(Some(chunk)) = response.chunk().await else { return };
        read += chunk.len();
        text.extend_from_slice(&chunk);
        while let Some(end) = text.windows(2).position(|w| w == b"\n\n") {
            let block: Vec<u8> = text.drain(..end + 2).collect();
            let block = String::from_utf8(block).unwrap();
            let data: String = block.lines().filter_map(|l| l.strip_prefix("data: ")).collect();
            if !data.is_empty() && !block.contains("event: closed") {
                seen.event(&serde_json::from_str(&data).unwrap());
            }
        }
    }
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open_ws(product: &Product, after: &str) -> Socket {
    let base = product.base.replacen("http", "ws", 1);
    let after = if after.is_empty() { String::new() } else { format!("?after={after}") };
    let uri: Uri = format!("{base}/api/realtime/ws{after}").parse().unwrap();
    let mut request = uri.into_client_request().unwrap();
    let bearer = format!("Bearer {}", product.token).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

async fn ws(product: &Product, seen: &mut Seen, frames: usize) {
    let mut socket = open_ws(product, &seen.last).await;
    for _ in 0..frames {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame");
        let Some(Ok(frame)) = frame else { return };
        if let Ok(text) = frame.to_text()
            && frame.is_text()
        {
            seen.event(&serde_json::from_str(text).unwrap());
        }
    }
}

/// All cursors after one, up to another, from the pages of the log.
async fn pages(product: &Product, after: &str, last: &str) -> Vec<String> {
    let (mut cursors, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = product.get(&format!("/api/events?limit=100&after={after}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty(), "{last} is not in the log");
        for item in items {
            let cursor = item["cursor"].as_str().unwrap();
            cursors.push(cursor.to_owned());
            if cursor == last {
                return cursors;
            }
        }
        after = page["next"].as_str().unwrap().to_owned();
    }
}

async fn fleet(product: &Product) {
    fund(product).await;
    listed(product, "binance", "BTC-USDT").await;
    for symbol in ["BTC", "ETH", "SOL", "BNB"] {
        let bot = eager(symbol, "binance", &format!("{symbol}/USDT"));
        product.post("/api/bots", bot).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_cut_again_and_again_misses_nothing_and_sees_nothing_twice() {
    let sandbox = sandbox(6).await;
    let place = Place::new(config(&sandbox));
    let mut product = place.start("run").await;
    fleet(&product).await;
    let page = product.get("/api/events?limit=1").await;
    let start = page["items"][0]["cursor"].as_str().unwrap().to_owned();
    let mut by_sse = Seen { last: start.clone(), ..Seen::default() };
    let mut by_ws = Seen { last: start.clone(), ..Seen::default() };
    let mut random = StdRng::seed_from_u64(6);
    for round in 0..2 {
        for _ in 0..CUTS {
            let (bytes, frames) = (random.random_range(200..20_000), random.random_range(1..40));
            tokio::join!(sse(&product, &mut by_sse, bytes), ws(&product, &mut by_ws, frames));
        }
        if round == 0 {
            product.kill();
            product = place.start("run").await;
        }
    }
    for (name, seen) in [("SSE", by_sse), ("WebSocket", by_ws)] {
        assert!(seen.cursors.len() > 50, "{name}: {}", seen.cursors.len());
        let last = seen.cursors.last().unwrap().clone();
        let all = pages(&product, &start, &last).await;
        assert_eq!(seen.cursors, all, "{name}");
    }
    product.end();
}

fn seconds(beat: &Value) -> f64 {
    let at: Timestamp = serde_json::from_value(beat["at"].clone()).unwrap();
    at.0 as f64 / 1e9
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_streams_beat_every_ten_seconds_with_the_figures() {
    let sandbox = sandbox(7).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    product.post("/api/accounts", json!({"name": "e2e", "reporting_currency": "ZAR"})).await;
    let (by_ws, by_sse) = tokio::join!(ws_beats(&product), sse_beats(&product));
    for (name, beats) in [("WebSocket", by_ws), ("SSE", by_sse)] {
        let apart = seconds(&beats[1]) - seconds(&beats[0]);
        assert!(BEAT_S.contains(&apart), "{name}: {apart} s apart");
        for field in ["time", "active_bots", "feeds_fresh", "feeds_stale", "trades_today"] {
            assert!(!beats[1]["data"][field].is_null(), "{name}: {field} in {}", beats[1]);
        }
    }
    product.end();
}

async fn ws_beats(product: &Product) -> Vec<Value> {
    let mut socket = open_ws(product, "").await;
    let mut beats = Vec::new();
    while beats.len() < 2 {
        let frame = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
        let frame = frame.expect("a beat").unwrap().unwrap();
        if frame.is_text() {
            let event: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
            beats.extend((event["type"] == "heartbeat").then_some(event));
        }
    }
    beats
}

async fn sse_beats(product: &Product) -> Vec<Value> {
    let request = product.request(reqwest::Method::GET, "/api/realtime/events");
    let mut response = request.timeout(PATIENCE).send().await.unwrap();
    let (mut text, mut beats) = (String::new(), Vec::new());
    while beats.len() < 2 {
        let chunk = response.chunk().await.unwrap().expect("a beat");
        text.push_str(&String::from_utf8_lossy(&chunk));
        while let Some(end) = text.find("\n\n") {
            let block: String = text.drain(..end + 2).collect();
            let data = block.lines().find_map(|l| l.strip_prefix("data: "));
            let is_beat = block.lines().any(|l| l == "event: heartbeat");
            let data = data.filter(|_| is_beat);
            beats.extend(data.map(|data| serde_json::from_str::<Value>(data).unwrap()));
        }
    }
    beats
}
