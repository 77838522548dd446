//! Each fault shows on the wire, and nothing else changes.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod common;

use common::{Client, get, get_json, number, sandbox, sandbox_with};
use domain::Exchange;
use sandbox::{Fault, FaultSpec, Sandbox};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

async fn depth(sandbox: &Sandbox) -> Client {
    let base = sandbox.urls(Exchange::Binance).stream_url;
    let mut client = Client::open(&format!("{base}/ws/btcusdt@depth@100ms")).await;
    client.json().await;
    client
}

fn once(sandbox: &Sandbox, fault: Fault) {
    sandbox.faults().add(FaultSpec::new(Exchange::Binance, fault).times(1)).unwrap();
}

/// First and last update id.
fn ids(event: &Value) -> (u64, u64) {
    (event["U"].as_u64().unwrap(), event["u"].as_u64().unwrap())
}

/// Switches a fault on and reads pairs of neighbouring events until one is as wanted. The event
/// before the fault counts: the very next one may be hit.
async fn shows(
    sandbox: &Sandbox,
    client: &mut Client,
    spec: FaultSpec,
    wanted: impl Fn(&Value, &Value) -> bool,
) {
    let mut last = client.json().await;
    sandbox.faults().add(spec).unwrap();
    for _ in 0..200 {
        let next = client.json().await;
        if wanted(&last, &next) {
            return;
        }
        last = next;
    }
    panic!("the fault did not show in 200 events")
}

#[tokio::test]
async fn gap_and_drop_lose_an_event() {
    for fault in [Fault::Gap, Fault::Drop] {
        let sandbox = sandbox().await;
        let mut client = depth(&sandbox).await;
        let spec = FaultSpec::new(Exchange::Binance, fault).times(1);
        shows(&sandbox, &mut client, spec, |a, b| ids(b).0 > ids(a).1 + 1).await;
    }
}

#[tokio::test]
async fn duplicate_repeats_and_reorder_swaps() {
    let sandbox = sandbox().await;
    let mut client = depth(&sandbox).await;
    let spec = FaultSpec::new(Exchange::Binance, Fault::Duplicate).times(1);
    shows(&sandbox, &mut client, spec, |a, b| ids(a) == ids(b)).await;
    let spec = FaultSpec::new(Exchange::Binance, Fault::Reorder).times(1);
    shows(&sandbox, &mut client, spec, |a, b| ids(b).1 < ids(a).0).await;
}

#[tokio::test]
async fn crossed_quotes_are_crossed_on_every_exchange() {
    let sandbox = sandbox().await;
    let binance = sandbox.urls(Exchange::Binance).stream_url;
    let mut client = Client::open(&format!("{binance}/ws/btcusdt@bookTicker")).await;
    client.json().await;
    once(&sandbox, Fault::Crossed);
    client.find(|m| (number(&m["b"]) > number(&m["a"])).then_some(())).await;
    let mut kucoin = Client::open(&sandbox.urls(Exchange::Kucoin).stream_url).await;
    kucoin.json().await;
    let subscribe = r#"{"id":"1","action":"SUBSCRIBE","channel":"obu","tradeType":"SPOT",
                        "symbol":"BTC-USDT","depth":"5"}"#;
    kucoin.say(subscribe).await;
    sandbox.faults().add(FaultSpec::new(Exchange::Kucoin, Fault::Crossed).times(1)).unwrap();
    let crossed = |m: &Value| {
        let (bid, ask) = (&m["d"]["b"][0][0], &m["d"]["a"][0][0]);
        (bid.is_string() && number(bid) > number(ask)).then_some(())
    };
    kucoin.find(crossed).await;
}

#[tokio::test]
async fn garbage_is_no_json() {
    let sandbox = sandbox().await;
    let mut client = depth(&sandbox).await;
    once(&sandbox, Fault::Garbage);
    loop {
        if serde_json::from_str::<Value>(&client.text().await.unwrap()).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn close_closes_the_socket() {
    let sandbox = sandbox().await;
    let mut client = depth(&sandbox).await;
    once(&sandbox, Fault::Close);
    while client.text().await.is_some() {}
}

#[tokio::test]
async fn silence_swallows_frames_until_it_is_over() {
    let sandbox = sandbox().await;
    let mut client = depth(&sandbox).await;
    let spec = FaultSpec::new(Exchange::Binance, Fault::Silence);
    let spec = FaultSpec { duration_ms: Some(1_000), ..spec };
    // Ten frames fall into a second.
    let pause = |a: &Value, b: &Value| b["E"].as_i64().unwrap() - a["E"].as_i64().unwrap();
    shows(&sandbox, &mut client, spec, |a, b| pause(a, b) > 500).await;
}

#[tokio::test]
async fn delay_sends_the_same_frames_later() {
    let sandbox = sandbox().await;
    let mut client = depth(&sandbox).await;
    let mut last = ids(&client.json().await).1;
    sandbox.faults().add(FaultSpec::new(Exchange::Binance, Fault::Delay { ms: 2_000 })).unwrap();
    for _ in 0..200 {
        let event = client.json().await;
        let (from, to) = ids(&event);
        assert_eq!(from, last + 1, "none is lost");
        last = to;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        if now - event["E"].as_i64().unwrap() >= 2_000 {
            return;
        }
    }
    panic!("no event came two seconds late")
}

#[tokio::test]
async fn http_faults_answer_429_and_503() {
    let sandbox = sandbox().await;
    let url = format!("{}/api/v3/time", sandbox.urls(Exchange::Binance).rest_url);
    once(&sandbox, Fault::Http429 { retry_after: 7 });
    let (status, headers, body) = get(&url).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (429, "7"));
    assert!(body.contains("-1003"));
    once(&sandbox, Fault::Http5xx);
    assert_eq!(get(&url).await.0, 503);
    assert_eq!(get(&url).await.0, 200);
}

#[tokio::test]
async fn clock_offset_moves_every_time_of_one_exchange() {
    let sandbox = sandbox().await;
    let rest = sandbox.urls(Exchange::Binance).rest_url;
    let time =
        async || get_json(&format!("{rest}/api/v3/time")).await["serverTime"].as_i64().unwrap();
    let before = time().await;
    once(&sandbox, Fault::ClockOffset { ms: 3_600_000 });
    assert!(time().await >= before + 3_600_000);
    let mut client = depth(&sandbox).await;
    assert!(client.json().await["E"].as_i64().unwrap() >= before + 3_600_000);
    let luno = get(&sandbox.urls(Exchange::Luno).rest_url).await.1;
    assert!(luno.contains_key("date"));
}

#[tokio::test]
async fn faults_are_switched_over_http() {
    let sandbox = sandbox().await;
    let control = sandbox.control_url();
    let http = common::client();
    let post = async |body: &'static str| {
        let sent = http.post(format!("{control}/faults")).body(body).send().await.unwrap();
        sent.status().as_u16()
    };
    assert_eq!(post(r#"{"exchange":"binance","fault":"gap","count":1}"#).await, 201);
    assert_eq!(post(r#"{"exchange":"luno","fault":"delay","ms":5,"probability":0.5}"#).await, 201);
    assert_eq!(post(r#"{"exchange":"binance","fault":"earthquake"}"#).await, 400);
    assert_eq!(post(r#"{"exchange":"binance","fault":"gap","probability":2}"#).await, 400);
    let list = get_json(&format!("{control}/faults")).await;
    assert_eq!(list["faults"].as_array().unwrap().len(), 2);
    assert_eq!(list["faults"][0]["fault"], "gap");
    http.delete(format!("{control}/faults")).send().await.unwrap();
    assert!(sandbox.faults().list().is_empty());
    let status = get_json(&format!("{control}/status")).await;
    assert_eq!(status["exchanges"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_sandbox_listens_on_loopback_only() {
    let config = sandbox::SandboxConfig {
        listen: std::net::IpAddr::from([0, 0, 0, 0]),
        ..sandbox::SandboxConfig::default()
    };
    assert!(sandbox::start(config).await.is_err());
    let fast = sandbox_with(|c| c.speed = 50.0).await;
    fast.close().await;
}
