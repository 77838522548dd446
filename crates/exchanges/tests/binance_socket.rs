//! The Binance connector against a small server that speaks its protocol.
#![allow(clippy::unwrap_used)] // a test may panic, in its own functions too

mod server;

use axum::extract::ws::{Message, WebSocket};
use domain::{
    DataGrade, Exchange, FeedState, InstrumentId, InstrumentStatus, MarketEvent, Timeframe,
};
use exchanges::Resume;
use serde_json::{Value, json};
use server::{Fake, config, next_instruments, until};

const T0: i64 = 1_790_000_000_000;

fn info(status: &str) -> String {
    json!({"symbols": [{
        "symbol": "BTCUSDT", "status": status, "baseAsset": "BTC", "quoteAsset": "USDT",
        "isSpotTradingAllowed": true, "someNewField": {"x": 1},
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00", "stepSize": "0.00001000"},
            {"filterType": "BRAND_NEW", "limit": 3}
        ]
    }]})
    .to_string()
}

fn depth(id: u64) -> String {
    json!({"lastUpdateId": id, "bids": [["100.00", "1.0"], ["99.00", "2.0"]], "asks": [["101.00", "1.0"]]})
        .to_string()
}

fn rest_trade(id: u64) -> Value {
    json!({"id": id, "price": "100.50", "qty": "0.5", "quoteQty": "50", "time": T0, "isBuyerMaker": false, "isBestMatch": true})
}

fn diff(first: u64, last: u64, bid: &str, quantity: &str) -> String {
    json!({"stream": "btcusdt@depth@100ms", "data": {"e": "depthUpdate", "E": T0, "s": "BTCUSDT",
        "U": first, "u": last, "b": [[bid, quantity]], "a": []}})
    .to_string()
}

fn trade(id: u64) -> String {
    json!({"stream": "btcusdt@trade", "data": {"e": "trade", "E": T0, "s": "BTCUSDT", "t": id,
        "p": "100.00", "q": "0.25", "T": T0, "m": true, "M": true}})
    .to_string()
}

/// Reads the SUBSCRIBE and acknowledges it.
async fn accept(socket: &mut WebSocket) -> Vec<String> {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        let ack = json!({"result": null, "id": frame["id"]}).to_string();
        socket.send(Message::text(ack)).await.unwrap();
        let streams = frame["params"].as_array().unwrap();
        return streams.iter().map(|s| s.as_str().unwrap().to_owned()).collect();
    }
    Vec::new()
}

#[tokio::test]
async fn snapshot_deltas_gap_resync_and_reconnect_with_missed_prints() {
    let fake = Fake::start().await;
    fake.answer("/api/v3/exchangeInfo", info("TRADING"));
    fake.answer("/api/v3/time", json!({"serverTime": T0}).to_string());
    fake.answer("/api/v3/depth", depth(10));
    fake.answer(
        "/api/v3/trades",
        json!([rest_trade(4), rest_trade(5), rest_trade(6), rest_trade(7)]).to_string(),
    );
    let (connector, mut out) = server::start(config(Exchange::Binance, &fake));
    let instrument = next_instruments(&mut out).await.remove(0);
    assert_eq!(instrument.symbol.to_string(), "BTC/USDT");
    assert_eq!(instrument.status, InstrumentStatus::Trading);
    let resume = Resume { last_print_id: 5, last_print_at: domain::Timestamp(T0 * 1_000_000) };
    connector.subscribe(InstrumentId(1), instrument.clone(), Some(resume));
    connector.subscribe(InstrumentId(1), instrument.clone(), None);

    let mut socket = fake.socket().await;
    let streams = accept(&mut socket).await;
    assert_eq!(streams, ["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@100ms"]);
    // Missed prints come first and say so; then the live one.
    socket.send(Message::text(trade(8))).await.unwrap();
    let ids: Vec<_> = [
        until(&mut out, server::print).await,
        until(&mut out, server::print).await,
        until(&mut out, server::print).await,
    ]
    .iter()
    .map(|p| (p.id, p.backfilled))
    .collect();
    assert_eq!(ids, [(6, true), (7, true), (8, false)]);

    socket.send(Message::text(diff(9, 11, "100.00", "3.0"))).await.unwrap();
    let book = until(&mut out, server::book).await;
    assert!(!book.is_snapshot);
    assert_eq!((book.update_id, book.bids[0].price.0), (11, 100_000_000));

    // A hole: resync, a newer snapshot, fresh again.
    fake.answer("/api/v3/depth", depth(20));
    socket.send(Message::text(diff(15, 16, "98.00", "1.0"))).await.unwrap();
    let state = until(&mut out, server::feed).await;
    assert_eq!(state.name(), "resyncing");
    let book = until(&mut out, server::book).await;
    assert_eq!((book.is_snapshot, book.update_id), (true, 20));
    assert_eq!(until(&mut out, server::feed).await, FeedState::Fresh);

    // The server hangs up: stale at once; the next socket backfills what was missed.
    fake.answer("/api/v3/trades", json!([rest_trade(8), rest_trade(9)]).to_string());
    drop(socket);
    assert_eq!(until(&mut out, server::feed).await.name(), "stale");
    let mut socket = fake.socket().await;
    accept(&mut socket).await;
    let print = until(&mut out, server::print).await;
    assert_eq!((print.id, print.backfilled), (9, true));
    let status = connector.status();
    assert_eq!(status.counters.book_gaps, 1);
    assert!(status.counters.reconnects >= 1);
    assert_eq!(status.subscriptions.len(), 1);
    assert!(serde_json::to_string(&status).unwrap().contains("BTCUSDT"));
    connector.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_before_retry_after_has_passed() {
    let fake = Fake::start().await;
    fake.answer("/api/v3/time", json!({"serverTime": T0}).to_string());
    fake.refuse("/api/v3/exchangeInfo", 429, Some("2"));
    let (connector, mut out) = server::start(config(Exchange::Binance, &fake));
    fake.called("/api/v3/exchangeInfo").await;
    fake.answer("/api/v3/exchangeInfo", info("CANCEL_ONLY"));
    let list = next_instruments(&mut out).await;
    assert_eq!(list[0].status, InstrumentStatus::CancelOnly);
    let calls = fake.times("/api/v3/exchangeInfo");
    assert!(calls[1] - calls[0] >= std::time::Duration::from_secs(2), "{calls:?}");
    assert_eq!(connector.status().counters.http_429, 1);
}

#[tokio::test]
async fn refused_numbers_are_counted_and_a_refused_book_is_fetched_again() {
    let fake = Fake::start().await;
    fake.answer("/api/v3/exchangeInfo", info("TRADING"));
    fake.answer("/api/v3/depth", depth(10));
    let (connector, mut out) = server::start(config(Exchange::Binance, &fake));
    let instrument = next_instruments(&mut out).await.remove(0);
    connector.subscribe(InstrumentId(3), instrument, None);
    let mut socket = fake.socket().await;
    accept(&mut socket).await;
    until(&mut out, server::book).await;
    fake.answer("/api/v3/depth", depth(30));
    for frame in ["{", "{\"stream\":\"x@kline_1m\",\"data\":{\"e\":\"kline\"}}", "\u{1}"] {
        socket.send(Message::text(frame)).await.unwrap();
    }
    socket.send(Message::text(diff(11, 12, "NaN", "1"))).await.unwrap();
    let book = until(&mut out, server::book).await;
    assert_eq!((book.is_snapshot, book.update_id), (true, 30));
    let refused = connector.status().counters.refused;
    assert_eq!(refused.get("depth.bid"), Some(&1));
    assert_eq!(refused.get("malformed"), Some(&2));
}

#[tokio::test]
async fn history_leaves_the_open_bar_out() {
    let fake = Fake::start().await;
    fake.answer("/api/v3/exchangeInfo", info("TRADING"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let minute = now.as_millis() as i64 / 60_000 * 60_000;
    let row = |at: i64, close: &str| {
        json!([at, "1.0", "3.0", "0.5", close, "7", at + 59_999, "9", 4, "1", "1", "0"])
    };
    let rows =
        json!([row(minute - 120_000, "2.0"), row(minute - 60_000, "2.5"), row(minute, "9.0")]);
    fake.answer("/api/v3/klines", rows.to_string());
    let (connector, mut out) = server::start(config(Exchange::Binance, &fake));
    let instrument = next_instruments(&mut out).await.remove(0);
    let bars = connector.history(&instrument, Timeframe::M1, 100).await.unwrap();
    let last = bars.last().unwrap();
    assert!(bars.len() >= 2 && last.prints <= 4);
    assert_eq!(bars[1].close.0, 2_500_000);
}

#[tokio::test]
async fn light_feed_has_no_depth_and_says_its_grade() {
    let fake = Fake::start().await;
    fake.answer("/api/v3/exchangeInfo", info("TRADING"));
    fake.answer("/api/v3/depth", depth(10));
    let mut config = config(Exchange::Binance, &fake);
    config.feed = exchanges::FeedMode::Light;
    let (connector, mut out) = server::start(config);
    let instrument = next_instruments(&mut out).await.remove(0);
    connector.subscribe(InstrumentId(3), instrument, None);
    let mut socket = fake.socket().await;
    assert_eq!(accept(&mut socket).await.len(), 2);
    let touch = until(&mut out, |e| match e {
        MarketEvent::Touch(t) => Some(*t),
        _ => None,
    })
    .await;
    assert_eq!((touch.update_id, touch.bid.price.0), (10, 100_000_000));
    let grade = until(&mut out, |e| match e {
        MarketEvent::Feed { state: FeedState::Fresh, grade } => Some(*grade),
        _ => None,
    })
    .await;
    assert_eq!(grade, DataGrade::L1Trades);
}

#[tokio::test]
async fn blocked_country_is_fatal_and_not_retried() {
    let fake = Fake::start().await;
    fake.refuse("/api/v3/exchangeInfo", 451, None);
    let (connector, _out) = server::start(config(Exchange::Binance, &fake));
    fake.called("/api/v3/exchangeInfo").await;
    while connector.status().fatal.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.times("/api/v3/exchangeInfo").len(), 1);
}

/// Starts with one subscription whose book has arrived.
async fn streaming(
    fake: &Fake,
    change: impl FnOnce(&mut exchanges::ConnectorConfig),
) -> (exchanges::Connector, tokio::sync::mpsc::Receiver<exchanges::Delivery>, WebSocket) {
    fake.answer("/api/v3/exchangeInfo", info("TRADING"));
    fake.answer("/api/v3/depth", depth(10));
    let mut config = config(Exchange::Binance, fake);
    change(&mut config);
    let (connector, mut out) = server::start(config);
    let instrument = next_instruments(&mut out).await.remove(0);
    connector.subscribe(InstrumentId(3), instrument, None);
    let mut socket = fake.socket().await;
    accept(&mut socket).await;
    until(&mut out, server::book).await;
    (connector, out, socket)
}

#[tokio::test]
async fn hole_in_trade_ids_is_fetched_before_the_trade_behind_it() {
    let fake = Fake::start().await;
    let (_connector, mut out, mut socket) = streaming(&fake, |_| {}).await;
    fake.answer(
        "/api/v3/trades",
        json!([rest_trade(5), rest_trade(6), rest_trade(7), rest_trade(8)]).to_string(),
    );
    for id in [5, 7, 8] {
        socket.send(Message::text(trade(id))).await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let print = until(&mut out, server::print).await;
        seen.push((print.id, print.backfilled));
    }
    assert_eq!(seen, [(5, false), (6, true), (7, false), (8, false)]);
}

#[tokio::test]
async fn long_absence_is_caught_up_from_aggregate_trades() {
    let fake = Fake::start().await;
    fake.answer("/api/v3/exchangeInfo", info("TRADING"));
    fake.answer("/api/v3/depth", depth(10));
    fake.answer("/api/v3/trades", json!([rest_trade(9), rest_trade(10)]).to_string());
    let agg = |id: u64, first: u64, last: u64| json!({"a": id, "p": "100.00", "q": "1", "f": first, "l": last, "T": T0, "m": true, "M": true});
    fake.answer("/api/v3/aggTrades", json!([agg(1, 3, 3), agg(2, 4, 6), agg(3, 7, 8)]).to_string());
    let (connector, mut out) = server::start(config(Exchange::Binance, &fake));
    let instrument = next_instruments(&mut out).await.remove(0);
    let resume = Resume { last_print_id: 3, last_print_at: domain::Timestamp(T0 * 1_000_000) };
    connector.subscribe(InstrumentId(3), instrument, Some(resume));
    let mut socket = fake.socket().await;
    accept(&mut socket).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(until(&mut out, server::print).await.id);
    }
    assert_eq!(ids, [6, 8, 9, 10]);
    assert_eq!(connector.status().counters.print_gaps, 0);
}

#[tokio::test]
async fn old_socket_works_until_its_replacement_stands() {
    let fake = Fake::start().await;
    let (connector, mut out, mut old) = streaming(&fake, |_| {}).await;
    fake.answer("/api/v3/trades", json!([rest_trade(5)]).to_string());
    old.send(Message::text(trade(5))).await.unwrap();
    let shutdown = json!({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": T0}});
    old.send(Message::text(shutdown.to_string())).await.unwrap();
    let mut fresh = fake.socket().await;
    accept(&mut fresh).await;
    // The same book goes on: no resync, for its sequence has no hole.
    fresh.send(Message::text(diff(11, 12, "99.50", "1"))).await.unwrap();
    assert_eq!(until(&mut out, server::book).await.update_id, 12);
    assert_eq!(fake.times("/api/v3/depth").len(), 1);
    let status = connector.status();
    assert_eq!((status.sockets, status.counters.reconnects), (1, 1));
    assert!(status.subscriptions[0].feed.is_fresh());
}

#[tokio::test]
async fn crossed_book_is_stale_and_fetched_again() {
    let fake = Fake::start().await;
    let (_connector, mut out, mut socket) = streaming(&fake, |_| {}).await;
    fake.answer("/api/v3/depth", depth(40));
    socket.send(Message::text(diff(11, 12, "101.00", "1"))).await.unwrap();
    let stale = until(&mut out, |e| server::feed(e).filter(|s| s.name() == "stale")).await;
    assert_eq!(stale, FeedState::Stale("book crossed".into()));
    let book = until(&mut out, server::book).await;
    assert_eq!((book.is_snapshot, book.update_id), (true, 40));
}

#[tokio::test]
async fn silent_socket_is_left_and_made_anew() {
    let fake = Fake::start().await;
    let quiet = |c: &mut exchanges::ConnectorConfig| {
        c.timings.silence = std::time::Duration::from_millis(200);
    };
    let (_connector, mut out, _socket) = streaming(&fake, quiet).await;
    until(&mut out, |e| server::feed(e).filter(|s| s.name() == "stale")).await;
    let _second = fake.socket().await;
}

#[tokio::test]
async fn socket_that_only_answers_pings_is_silent_too() {
    let fake = Fake::start().await;
    let quiet = |c: &mut exchanges::ConnectorConfig| {
        c.timings.silence = std::time::Duration::from_millis(500);
        c.timings.probe_after = std::time::Duration::from_millis(50);
    };
    let (_connector, mut out, mut socket) = streaming(&fake, quiet).await;
    // Reading is enough: the library answers each ping.
    let reads = tokio::spawn(async move {
        let mut pings = 0;
        while let Some(Ok(message)) = socket.recv().await {
            pings += u32::from(matches!(message, Message::Ping(_)));
        }
        pings
    });
    let why = until(&mut out, |e| match server::feed(e) {
        Some(FeedState::Stale(why)) => Some(why),
        _ => None,
    })
    .await;
    assert!(why.contains("silent"), "{why}");
    let _second = fake.socket().await;
    assert!(reads.await.unwrap() >= 2, "it was asked, and asked again");
}

#[tokio::test]
async fn unsubscribed_instrument_is_unsubscribed_on_the_wire_and_says_nothing_more() {
    let fake = Fake::start().await;
    let (connector, mut out, mut socket) = streaming(&fake, |_| {}).await;
    let instrument = {
        let mut other: Value = serde_json::from_str(&info("TRADING")).unwrap();
        other["symbols"][0]["symbol"] = "ETHUSDT".into();
        other["symbols"][0]["baseAsset"] = "ETH".into();
        let body = other.to_string();
        exchanges::codec::binance::decode_exchange_info(body.as_bytes())
            .unwrap()
            .instruments
            .remove(0)
    };
    connector.subscribe(InstrumentId(9), instrument, None);
    assert_eq!(accept(&mut socket).await[0], "ethusdt@trade");
    until(&mut out, server::book).await;
    connector.unsubscribe(InstrumentId(3));
    assert_eq!(accept(&mut socket).await[0], "btcusdt@trade");
    socket.send(Message::text(trade(5))).await.unwrap();
    let other = trade(7).replace("BTCUSDT", "ETHUSDT").replace("btcusdt", "ethusdt");
    socket.send(Message::text(other)).await.unwrap();
    assert_eq!(until(&mut out, server::print).await.id, 7);
    assert_eq!(connector.status().subscriptions.len(), 1);
}
