//! The Luno connector against a small server that speaks its protocol, polled and streamed.
#![allow(clippy::unwrap_used)] // a test may panic, in its own functions too

mod server;

use axum::extract::ws::{Message, WebSocket};
use domain::{DataGrade, Exchange, FeedState, InstrumentId, MarketEvent, Side, Timeframe};
use exchanges::{LunoKey, Resume};
use serde_json::{Value, json};
use server::{Fake, config, next_instruments, until};
use std::time::Duration;

fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

fn markets() -> String {
    let market = |id: &str, base: &str, counter: &str| {
        json!({"market_id": id, "trading_status": "ACTIVE", "base_currency": base,
        "counter_currency": counter, "min_volume": "0.0001", "max_volume": "100.00", "volume_scale": 4,
        "min_price": "1.00", "max_price": "10000000.00", "price_scale": 0, "fee_scale": 8})
    };
    let mut halted = market("USDTZAR", "USDT", "ZAR");
    halted["trading_status"] = "SUSPENDED".into();
    json!({"markets": [halted, market("XBTZAR", "XBT", "ZAR")]}).to_string()
}

fn trades(from: i64, until: i64) -> String {
    let row = |id: i64| json!({"sequence": id, "timestamp": now_ms(), "price": "1000.00", "volume": "0.0100", "is_buy": true});
    json!({"trades": (from..=until).rev().map(row).collect::<Vec<_>>()}).to_string()
}

fn polled(fake: &Fake) {
    fake.answer("/api/exchange/1/markets", markets());
    fake.answer("/api/1/tickers", json!({"tickers": [{"pair": "XBTZAR", "timestamp": now_ms(), "bid": "999.00", "ask": "1001.00", "last_trade": "1", "rolling_24_hour_volume": "1", "status": "ACTIVE"}]}).to_string());
    let book = json!({"timestamp": now_ms(), "asks": [{"price": "1001.000000000000000000", "volume": "0.500000000000000000"}], "bids": [{"price": "999", "volume": "0.25"}]});
    fake.answer("/api/1/orderbook_top", book.to_string());
}

fn is_gap(event: &MarketEvent) -> Option<()> {
    matches!(event, MarketEvent::Gap { .. }).then_some(())
}

#[tokio::test]
async fn polled_pair_has_books_prints_once_and_a_gap_when_a_page_overflows() {
    let fake = Fake::start().await;
    polled(&fake);
    fake.answer("/api/1/trades", trades(1, 3));
    let (connector, mut out) = server::start(config(Exchange::Luno, &fake));
    let list = next_instruments(&mut out).await;
    assert_eq!(list[0].symbol.to_string(), "USDT/ZAR");
    assert_eq!(list[0].status, domain::InstrumentStatus::Halted);
    assert_eq!(list[0].fees.maker.to_percent().to_string(), "-0.01");
    assert_eq!(
        (list[1].symbol.to_string(), list[1].fees.taker.to_percent().to_string()),
        ("BTC/ZAR".into(), "0.6".into())
    );
    connector.subscribe(InstrumentId(4), list[1].clone(), None);
    let book = until(&mut out, server::book).await;
    assert!(book.is_snapshot && book.requested_at.is_some());
    let grade = until(&mut out, |e| match e {
        MarketEvent::Feed { state: FeedState::Fresh, grade } => Some(*grade),
        _ => None,
    })
    .await;
    assert_eq!(grade, DataGrade::Polled);
    // Prints from before the subscription are not told; new ones are, once.
    let first = fake.times("/api/1/trades").len();
    fake.calls("/api/1/trades", first + 2).await;
    fake.answer("/api/1/trades", trades(1, 5));
    let print = until(&mut out, server::print).await;
    assert_eq!((print.id, print.taker_side, print.backfilled), (4, Side::Buy, false));
    assert_eq!(until(&mut out, server::print).await.id, 5);
    fake.answer("/api/1/trades", trades(200, 299));
    until(&mut out, is_gap).await;
    assert_eq!(until(&mut out, server::print).await.id, 200);
}

#[tokio::test]
async fn polls_that_fail_make_the_pair_stale_and_429_is_obeyed() {
    let fake = Fake::start().await;
    polled(&fake);
    fake.answer("/api/1/trades", trades(1, 3));
    let (connector, mut out) = server::start(config(Exchange::Luno, &fake));
    let list = next_instruments(&mut out).await;
    let resume =
        Resume { last_print_id: 2, last_print_at: domain::Timestamp(now_ms() * 1_000_000) };
    connector.subscribe(InstrumentId(4), list[1].clone(), Some(resume));
    let missed = until(&mut out, server::print).await;
    assert_eq!((missed.id, missed.backfilled), (3, true));
    fake.refuse("/api/1/orderbook_top", 429, Some("3"));
    until(&mut out, |e| server::feed(e).filter(|s| s.name() == "stale")).await;
    let last = *fake.times("/api/1/orderbook_top").last().unwrap();
    fake.answer(
        "/api/1/orderbook_top",
        json!({"timestamp": now_ms(), "asks": [], "bids": []}).to_string(),
    );
    until(&mut out, |e| server::feed(e).filter(FeedState::is_fresh)).await;
    let next = fake.times("/api/1/orderbook_top").into_iter().find(|at| *at > last).unwrap();
    assert!(next - last >= Duration::from_secs(3));
}

async fn open(fake: &Fake) -> WebSocket {
    let (path, mut socket) = fake.socket_at().await;
    assert_eq!(path, "/api/1/stream/XBTZAR");
    let Some(Ok(Message::Text(text))) = socket.recv().await else { panic!("no credentials") };
    let hello: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(hello, json!({"api_key_id": "id", "api_key_secret": "secret"}));
    let snapshot = json!({"sequence": "10", "asks": [{"id": "A", "price": "1001", "volume": "0.5"}],
        "bids": [{"id": "B", "price": "999", "volume": "0.2"}, {"id": "C", "price": "999", "volume": "0.1"}],
        "status": "ACTIVE", "timestamp": now_ms()});
    socket.send(Message::text(snapshot.to_string())).await.unwrap();
    socket
}

#[tokio::test]
async fn keyed_stream_aggregates_orders_and_opens_anew_after_a_gap() {
    let fake = Fake::start().await;
    polled(&fake);
    fake.answer("/api/1/trades", trades(7, 7));
    let mut config = config(Exchange::Luno, &fake);
    config.luno_key = Some(LunoKey { id: "id".into(), secret: "secret".into() });
    let (connector, mut out) = server::start(config);
    let list = next_instruments(&mut out).await;
    connector.subscribe(InstrumentId(4), list[1].clone(), None);
    let mut socket = open(&fake).await;
    let book = until(&mut out, server::book).await;
    assert_eq!((book.bids.len(), book.bids[0].quantity.0), (1, 30_000_000));
    let grade = until(&mut out, |e| match e {
        MarketEvent::Feed { state: FeedState::Fresh, grade } => Some(*grade),
        _ => None,
    })
    .await;
    assert_eq!(grade, DataGrade::L3);
    socket.send(Message::text("\"\"")).await.unwrap();
    let update = json!({"sequence": "11", "trade_updates": [{"sequence": 8, "base": "0.2", "counter": "199.8",
        "maker_order_id": "B", "taker_order_id": "T", "order_id": "B"}], "create_update": null,
        "delete_update": null, "status_update": null, "timestamp": now_ms()});
    socket.send(Message::text(update.to_string())).await.unwrap();
    let print = until(&mut out, server::print).await;
    assert_eq!((print.id, print.taker_side), (8, Side::Sell));
    assert_eq!(list[1].price_amount(print.price).to_string(), "999");
    assert_eq!(until(&mut out, server::book).await.bids[0].quantity.0, 10_000_000);
    // A hole: there is no snapshot on request, so the stream is opened anew, and trades fetched.
    fake.answer("/api/1/trades", trades(8, 9));
    let hole = json!({"sequence": "13", "timestamp": now_ms()});
    socket.send(Message::text(hole.to_string())).await.unwrap();
    assert_eq!(until(&mut out, server::feed).await.name(), "stale");
    let _socket = open(&fake).await;
    until(&mut out, |e| server::feed(e).filter(FeedState::is_fresh)).await;
    let missed = until(&mut out, server::print).await;
    assert_eq!((missed.id, missed.backfilled), (9, true));
}

#[tokio::test]
async fn history_without_a_key_is_built_from_a_day_of_trades_or_says_what_would_help() {
    let fake = Fake::start().await;
    polled(&fake);
    let at = now_ms() / 60_000 * 60_000 - 60_000;
    let row = |id: i64, ms: i64, price: &str| json!({"sequence": id, "timestamp": ms, "price": price, "volume": "1", "is_buy": true});
    let rows = json!({"trades": [row(3, at + 1_000, "12"), row(2, at - 119_000, "11"), row(1, at - 120_000, "10")]});
    fake.answer("/api/1/trades", rows.to_string());
    let (connector, mut out) = server::start(config(Exchange::Luno, &fake));
    let pair = next_instruments(&mut out).await.remove(1);
    let bars = connector.history(&pair, Timeframe::M1, 10).await.unwrap();
    let seen: Vec<_> =
        bars.iter().map(|b| (pair.price_amount(b.close).to_string(), b.prints)).collect();
    let expect = [("11", 2), ("11", 0), ("12", 1)].map(|(p, n)| (p.to_owned(), n));
    assert_eq!(seen[..3], expect);
    fake.answer("/api/1/trades", json!({"trades": null}).to_string());
    let error = connector.history(&pair, Timeframe::H1, 10).await.unwrap_err();
    assert!(error.to_string().contains("key"), "{error}");
}

#[tokio::test]
async fn history_with_a_key_reads_candles_and_leaves_the_open_one_out() {
    let fake = Fake::start().await;
    polled(&fake);
    let minute = now_ms() / 60_000 * 60_000;
    let row = |at: i64, close: &str| json!({"timestamp": at, "open": "10", "close": close, "high": "20", "low": "5", "volume": "1.5"});
    let rows = json!({"candles": [row(minute - 180_000, "11"), row(minute - 60_000, "12"), row(minute, "13")], "duration": 60, "pair": "XBTZAR"});
    fake.answer("/api/exchange/1/candles", rows.to_string());
    let mut config = config(Exchange::Luno, &fake);
    config.luno_key = Some(LunoKey { id: "id".into(), secret: "secret".into() });
    let (connector, mut out) = server::start(config);
    let pair = next_instruments(&mut out).await.remove(1);
    let bars = connector.history(&pair, Timeframe::M1, 10).await.unwrap();
    let closes: Vec<_> = bars.iter().map(|b| pair.price_amount(b.close).to_string()).collect();
    assert_eq!(closes[..3], ["11", "11", "12"]);
    let none = connector.history(&pair, Timeframe::Trade, 10).await;
    assert!(matches!(none, Err(exchanges::ExchangeError::Unsupported(_))));
}
