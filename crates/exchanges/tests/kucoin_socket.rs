//! The KuCoin connector against a small server that speaks its protocol.
#![allow(clippy::unwrap_used)] // a test may panic, in its own functions too

mod server;

use axum::extract::ws::{Message, WebSocket};
use domain::{Exchange, FeedState, InstrumentId, InstrumentStatus, MarketEvent, Timeframe};
use exchanges::Resume;
use serde_json::{Value, json};
use server::{Fake, config, next_instruments, until};
use std::time::Duration;

const NS: i64 = 1_790_000_000_000_000_000;

fn symbols() -> String {
    json!({"code": "200000", "data": [
        {"symbol": "BTC-USDT", "name": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT",
         "feeCurrency": "USDT", "baseMinSize": "0.00001", "quoteMinSize": "0.1", "baseMaxSize": "10000000000",
         "quoteMaxSize": "99999999", "baseIncrement": "0.00000001", "quoteIncrement": "0.000001",
         "priceIncrement": "0.1", "priceLimitRate": "0.1", "minFunds": "0.5", "enableTrading": true,
         "feeCategory": 2, "makerFeeCoefficient": "0.5", "takerFeeCoefficient": "1.00"},
        {"symbol": "BROKEN", "baseCurrency": "A B"}
    ]})
    .to_string()
}

fn binary(frame: Value) -> Message {
    Message::binary(frame.to_string().into_bytes())
}

fn obu(kind: &str, first: i64, last: i64, bid: &str, quantity: &str) -> Message {
    // The docs print the channel in either case.
    binary(json!({"T": "obu.spot", "dp": "increment@10ms", "t": kind, "P": NS, "d": {
        "C": last, "M": NS, "O": first, "a": [["101", "1"]], "b": [[bid, quantity]], "s": "BTC-USDT"}}))
}

fn trade(id: i64) -> Message {
    priced(id, "100.5")
}

fn priced(id: i64, price: &str) -> Message {
    binary(json!({"T": "trade.SPOT", "P": NS, "d": {"E": id, "M": NS, "S": "SELL", "p": price,
        "q": "0.1", "s": "BTC-USDT", "ti": id.to_string()}}))
}

async fn greet(socket: &mut WebSocket) {
    let welcome = json!({"sessionId": "x", "message": "welcome", "pingInterval": 18000});
    socket.send(binary(welcome)).await.unwrap();
}

/// The next thing asked for; pings are answered meanwhile. Nothing once the socket is closed.
async fn asked(socket: &mut WebSocket) -> Option<Value> {
    loop {
        let Some(Ok(Message::Text(text))) = socket.recv().await else { return None };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] != "ping" {
            return Some(frame);
        }
        let pong = json!({"type": "pong", "id": frame["id"], "ts": NS});
        socket.send(binary(pong)).await.unwrap();
    }
}

async fn acknowledge(socket: &mut WebSocket, frame: &Value) {
    socket.send(binary(json!({"id": frame["id"], "result": true}))).await.unwrap();
}

/// Greets, then acknowledges as many subscriptions as asked for.
async fn accept(socket: &mut WebSocket, is_new: bool, count: usize) -> Vec<Value> {
    if is_new {
        greet(socket).await;
    }
    let mut seen = Vec::new();
    while seen.len() < count {
        let Some(frame) = asked(socket).await else { break };
        acknowledge(socket, &frame).await;
        seen.push(frame);
    }
    seen
}

fn past() -> String {
    let row = |id: i64| json!({"sequence": id.to_string(), "price": "100", "size": "1", "side": "buy", "time": NS});
    json!({"code": "200000", "data": [row(503), row(509)]}).to_string()
}

#[tokio::test]
async fn snapshot_deltas_gap_resubscription_and_reconnect() {
    let fake = Fake::start().await;
    fake.answer("/api/v2/symbols", symbols());
    fake.answer("/api/v1/timestamp", json!({"code": "200000", "data": NS / 1_000_000}).to_string());
    let past = |ids: &[i64]| {
        let row = |id: &i64| json!({"sequence": id.to_string(), "price": "100", "size": "1", "side": "buy", "time": NS});
        json!({"code": "200000", "data": ids.iter().map(row).collect::<Vec<_>>()}).to_string()
    };
    fake.answer("/api/v1/market/histories", past(&[500, 503, 509]));
    let (connector, mut out) = server::start(config(Exchange::Kucoin, &fake));
    let list = next_instruments(&mut out).await;
    assert_eq!((list.len(), list[0].status), (1, InstrumentStatus::Trading));
    let fees = &list[0].fees;
    assert_eq!(
        (fees.maker.to_percent().to_string(), fees.taker.to_percent().to_string()),
        ("0.1".into(), "0.2".into())
    );
    assert_eq!(list[0].min_notional.to_string(), "0.5");
    let resume = Resume { last_print_id: 503, last_print_at: domain::Timestamp(NS) };
    connector.subscribe(InstrumentId(1), list[0].clone(), Some(resume));

    let mut socket = fake.socket().await;
    let seen = accept(&mut socket, true, 2).await;
    assert_eq!(seen[1]["depth"], "increment@10ms");
    let missed = until(&mut out, server::print).await;
    assert_eq!((missed.id, missed.backfilled), (509, true));
    socket.send(obu("snapshot", 100, 100, "100", "1")).await.unwrap();
    socket.send(obu("delta", 101, 103, "100", "2")).await.unwrap();
    socket.send(trade(512)).await.unwrap();
    assert!(until(&mut out, server::book).await.is_snapshot);
    assert_eq!(until(&mut out, server::feed).await, FeedState::Fresh);
    assert_eq!(until(&mut out, server::book).await.update_id, 103);
    let live = until(&mut out, server::print).await;
    assert_eq!((live.id, live.backfilled, live.taker_side), (512, false, domain::Side::Sell));

    // A price that no market has beside this book is counted by name, and nobody sees it.
    socket.send(priced(513, "99999")).await.unwrap();
    socket.send(trade(514)).await.unwrap();
    assert_eq!(until(&mut out, server::print).await.id, 514);
    assert_eq!(connector.status().counters.refused.get("print.price"), Some(&1));

    // A hole: the only way to a snapshot is to subscribe again.
    socket.send(obu("delta", 105, 106, "100", "3")).await.unwrap();
    assert_eq!(until(&mut out, server::feed).await.name(), "resyncing");
    let again = accept(&mut socket, false, 4).await;
    let actions: Vec<_> = again.iter().map(|f| f["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["UNSUBSCRIBE", "UNSUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"]);
    socket.send(obu("snapshot", 110, 110, "100", "1")).await.unwrap();
    assert_eq!(until(&mut out, server::feed).await, FeedState::Fresh);

    drop(socket);
    assert_eq!(until(&mut out, server::feed).await.name(), "stale");
    // None of the last trades is known: what lies between is lost, and said to be.
    fake.answer("/api/v1/market/histories", past(&[900, 901]));
    let mut socket = fake.socket().await;
    accept(&mut socket, true, 2).await;
    until(&mut out, |e| matches!(e, MarketEvent::Gap { .. }).then_some(())).await;
    assert_eq!(until(&mut out, server::print).await.id, 900);
    let status = connector.status();
    assert_eq!((status.counters.book_gaps, status.counters.print_gaps), (1, 1));
    assert_eq!(status.counters.refused.get("malformed"), Some(&1));
}

#[tokio::test]
async fn a_book_alone_is_not_fresh_while_missed_trades_are_owed() {
    let fake = Fake::start().await;
    fake.answer("/api/v2/symbols", symbols());
    fake.answer("/api/v1/market/histories", past());
    let (connector, mut out) = server::start(config(Exchange::Kucoin, &fake));
    let list = next_instruments(&mut out).await;
    let resume = Resume { last_print_id: 503, last_print_at: domain::Timestamp(NS) };
    connector.subscribe(InstrumentId(1), list[0].clone(), Some(resume));
    let mut socket = fake.socket().await;
    greet(&mut socket).await;
    let both = [asked(&mut socket).await.unwrap(), asked(&mut socket).await.unwrap()];
    let of = |channel: &str| both.iter().find(|f| f["channel"] == channel).unwrap();
    acknowledge(&mut socket, of("obu")).await;
    socket.send(obu("snapshot", 100, 100, "100", "1")).await.unwrap();
    assert!(until(&mut out, server::book).await.is_snapshot);
    acknowledge(&mut socket, of("trade")).await;
    let first = until(&mut out, |event| match event {
        MarketEvent::Feed { state: FeedState::Fresh, .. } => Some(None),
        event => server::print(event).map(Some),
    });
    assert_eq!(first.await.map(|print| print.id), Some(509), "fresh before it was whole");
    assert_eq!(until(&mut out, server::feed).await, FeedState::Fresh);
}

#[tokio::test]
async fn trades_that_are_never_acknowledged_are_asked_for_again() {
    let fake = Fake::start().await;
    fake.answer("/api/v2/symbols", symbols());
    fake.answer("/api/v1/market/histories", past());
    let mut config = config(Exchange::Kucoin, &fake);
    config.timings.snapshot_alarm = Duration::from_millis(100);
    let (connector, mut out) = server::start(config);
    let list = next_instruments(&mut out).await;
    let resume = Resume { last_print_id: 503, last_print_at: domain::Timestamp(NS) };
    connector.subscribe(InstrumentId(1), list[0].clone(), Some(resume));
    let mut socket = fake.socket().await;
    greet(&mut socket).await;
    for _ in 0..2 {
        let frame = asked(&mut socket).await.unwrap();
        if frame["channel"] == "obu" {
            acknowledge(&mut socket, &frame).await;
        }
    }
    socket.send(obu("snapshot", 100, 100, "100", "1")).await.unwrap();
    until(&mut out, |event| match event {
        MarketEvent::Feed { state: FeedState::Stale(why), .. } => {
            why.contains("no acknowledgement of trades").then_some(())
        }
        _ => None,
    })
    .await;
    let again = accept(&mut socket, false, 4).await;
    assert_eq!(again[2]["channel"], "trade");
    assert_eq!(until(&mut out, server::print).await.id, 509);
}

#[tokio::test]
async fn silent_after_acknowledgement_is_stale_and_asked_again() {
    let fake = Fake::start().await;
    fake.answer("/api/v2/symbols", symbols());
    let mut config = config(Exchange::Kucoin, &fake);
    config.timings.snapshot_alarm = Duration::from_millis(100);
    let (connector, mut out) = server::start(config);
    let list = next_instruments(&mut out).await;
    connector.subscribe(InstrumentId(1), list[0].clone(), None);
    let mut socket = fake.socket().await;
    accept(&mut socket, true, 2).await;
    until(&mut out, |e| match e {
        MarketEvent::Feed { state: FeedState::Stale(why), .. } if why.contains("no book") => {
            Some(())
        }
        _ => None,
    })
    .await;
    let again = accept(&mut socket, false, 4).await;
    assert_eq!(again[3]["channel"], "obu");
}

#[tokio::test]
async fn missing_pong_reconnects() {
    let fake = Fake::start().await;
    fake.answer("/api/v2/symbols", symbols());
    let mut config = config(Exchange::Kucoin, &fake);
    config.timings.pong_timeout = Duration::from_millis(100);
    let (connector, mut out) = server::start(config);
    let list = next_instruments(&mut out).await;
    connector.subscribe(InstrumentId(1), list[0].clone(), None);
    let mut socket = fake.socket().await;
    let welcome = json!({"sessionId": "x", "message": "welcome", "pingInterval": 18000});
    socket.send(binary(welcome)).await.unwrap();
    let _second = fake.socket().await;
}

#[tokio::test]
async fn error_in_http_200_is_an_error_and_429000_waits_for_the_reset() {
    let fake = Fake::start().await;
    let mut calls = 0;
    fake.answer_with("/api/v2/symbols", move |_| {
        calls += 1;
        match calls {
            1 => (200, None, r#"{"code":"429000","msg":"Too many requests"}"#.into()),
            2 => (200, None, r#"{"code":"400100","msg":"no"}"#.into()),
            _ => (200, None, symbols()),
        }
    });
    let (connector, mut out) = server::start(config(Exchange::Kucoin, &fake));
    assert_eq!(next_instruments(&mut out).await.len(), 1);
    let times = fake.times("/api/v2/symbols");
    assert!(times[1] - times[0] >= Duration::from_millis(500));
    assert_eq!(connector.status().counters.http_429, 1);
}

#[tokio::test]
async fn candles_are_read_in_kucoins_order_and_holes_are_filled() {
    let fake = Fake::start().await;
    fake.answer("/api/v2/symbols", symbols());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let minute = now.as_secs() as i64 / 60 * 60;
    let row = |at: i64| json!([at.to_string(), "10", "12", "15", "9", "1.123456789012", "1"]);
    let rows =
        json!({"code": "200000", "data": [row(minute), row(minute - 60), row(minute - 180)]});
    fake.answer("/api/v1/market/candles", rows.to_string());
    let (connector, mut out) = server::start(config(Exchange::Kucoin, &fake));
    let instrument = next_instruments(&mut out).await.remove(0);
    let bars = connector.history(&instrument, Timeframe::M1, 50).await.unwrap();
    let amount = |p| instrument.price_amount(p).to_string();
    assert_eq!(
        (amount(bars[0].close), amount(bars[0].high), amount(bars[0].low)),
        ("12".into(), "15".into(), "9".into())
    );
    assert_eq!((bars[1].volume.0, amount(bars[1].open)), (0, "12".into()));
    assert!(bars.len() >= 3);
}
