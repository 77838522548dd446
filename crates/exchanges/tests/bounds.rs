//! Exchanges that answer byte by byte, or forbid to ask and do not say for how long: both sides of
//! the client end in their own time, ask no more often than they may, and say what is the matter.
#![allow(clippy::unwrap_used)] // a test says what went wrong by failing

mod server;

use axum::extract::ws::Message;
use domain::{Exchange, Instrument, InstrumentId, Timeframe};
use exchanges::live::{
    Cancellation, ClientIds, Credentials, LiveClient, LiveConfig, LiveEvent, OrderKey,
};
use exchanges::{Connector, ConnectorConfig, Delivery, ExchangeError, codec};
use risk::{EmergencyLatch, WireGate};
use serde_json::json;
use server::{Fake, config};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A byte of each answer comes as often; a whole answer takes 13 s.
const BYTE_EVERY: Duration = Duration::from_millis(20);
const BYTES: usize = 650;
/// What a client has patience for here; far less than a whole answer takes.
const SHORT: Duration = Duration::from_millis(300);

/// A server that begins each answer and then lets it trickle; counts what it was asked.
async fn trickling(body: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    // Good JSON to the end: whoever waits for it gets an answer.
    let (body, counted) = (format!("{body:<BYTES$}"), Arc::clone(&asked));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(trickle(socket, body.clone(), Arc::clone(&counted)));
        }
    });
    (address, asked)
}

/// Ends with an error where the other side has enough.
async fn trickle(
    mut socket: TcpStream,
    body: String,
    asked: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(socket.read_u8().await?);
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await?;
    for byte in body.bytes() {
        socket.write_all(&[byte]).await?;
        tokio::time::sleep(BYTE_EVERY).await;
    }
    Ok(())
}

fn instrument() -> Instrument {
    let body = json!({"code": "200000", "data": {
        "symbol": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT",
        "baseMinSize": "0.1", "quoteMinSize": "0.1", "baseMaxSize": "100", "quoteMaxSize": "100",
        "baseIncrement": "0.1", "quoteIncrement": "0.1", "priceIncrement": "0.1",
        "enableTrading": true, "feeCurrency": "USDT"
    }});
    codec::kucoin::decode_symbol(body.to_string().as_bytes()).unwrap().instruments.remove(0)
}

fn public(
    address: SocketAddr,
    change: impl FnOnce(&mut ConnectorConfig),
) -> (Connector, mpsc::Receiver<Delivery>) {
    let mut config = ConnectorConfig::new(Exchange::Kucoin);
    config.rest_url = format!("http://{address}");
    config.stream_url = format!("ws://{address}");
    (config.timings.rest_timeout, config.timings.quick_timeout) = (SHORT, SHORT);
    change(&mut config);
    server::start(config)
}

fn private(exchange: Exchange, address: SocketAddr) -> LiveClient {
    private_with(exchange, address, |_| {})
}

fn private_with(
    exchange: Exchange,
    address: SocketAddr,
    change: impl FnOnce(&mut LiveConfig),
) -> LiveClient {
    let secret = |text: &str| text.to_owned().into();
    let key = Credentials::new(exchange, secret("key"), secret("secret"), Some(secret("pass")));
    let mut config = LiveConfig::new(exchange, key.unwrap(), ClientIds::new("t1").unwrap());
    config.rest_url = format!("http://{address}");
    config.stream_url = format!("ws://{address}");
    config.timings.read_timeout = SHORT;
    change(&mut config);
    let gate = WireGate::new(EmergencyLatch::default(), EmergencyLatch::default());
    let client = LiveClient::new(config, gate).unwrap();
    client.list(InstrumentId(1), Arc::new(instrument()));
    client
}

fn order() -> OrderKey {
    let exchange_id = Some("x1".to_owned());
    OrderKey { instrument: InstrumentId(1), client_id: "amk-t1-1-1".to_owned(), exchange_id }
}

/// Waits until the connector says this of its last look.
async fn says(connector: &Connector, what: &str) {
    let said = async {
        while !connector.status().unanswered.is_some_and(|why| why.contains(what)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let status = connector.status();
    tokio::time::timeout(Duration::from_secs(20), said)
        .await
        .unwrap_or_else(|_| panic!("{what:?} never said: {status:?}"));
}

#[tokio::test]
async fn public_answer_that_trickles_is_given_up_and_asked_for_three_times() {
    let (address, asked) = trickling(r#"{"code":"200000","data":[]}"#).await;
    let (connector, _out) = public(address, |_| {});
    let before = asked.load(Ordering::SeqCst);
    let bars = connector.history(&instrument(), Timeframe::M1, 60).await;
    assert!(matches!(bars, Err(ExchangeError::Unavailable(_))), "{bars:?}");
    assert!(asked.load(Ordering::SeqCst) >= before + 3);
}

#[tokio::test]
async fn look_that_trickles_shows_while_it_is_waited_for() {
    let (address, _) = trickling(r#"{"code":"200000","data":null}"#).await;
    let (connector, _out) = public(address, |config| {
        config.timings.status_every = Duration::from_millis(20);
        config.timings.look_late = Duration::from_millis(100);
        // Nobody gives up during this test: it is told all the same.
        config.timings.quick_timeout = Duration::from_secs(600);
    });
    connector.subscribe(InstrumentId(1), instrument(), None);
    says(&connector, "none within 100 ms").await;
}

#[tokio::test]
async fn too_many_calls_without_a_time_are_asked_again_after_the_pause_and_three_times_in_all() {
    let pause = Duration::from_millis(150);
    for exchange in Exchange::ALL {
        let fake = Fake::start().await;
        let path = match exchange {
            Exchange::Binance => "/api/v3/klines",
            Exchange::Kucoin => "/api/v1/market/candles",
            Exchange::Luno => "/api/1/trades",
        };
        fake.refuse(path, 429, None);
        let mut config = config(exchange, &fake);
        config.timings.rate_limit_pause = pause;
        let (connector, _out) = server::start(config);
        let instrument = Instrument { exchange, ..instrument() };
        let bars = connector.history(&instrument, Timeframe::M1, 60).await;
        assert_eq!(bars, Err(ExchangeError::RateLimited(pause)), "{exchange}");
        let calls = fake.times(path);
        assert_eq!(calls.len(), 3, "{exchange}");
        assert!(calls.windows(2).all(|two| two[1] - two[0] >= pause), "{exchange}: {calls:?}");
    }
}

#[tokio::test]
async fn look_that_may_not_be_made_shows_at_once_and_not_after_the_pause() {
    let fake = Fake::start().await;
    fake.refuse("/api/v3/exchangeInfo", 429, None);
    let mut config = config(Exchange::Binance, &fake);
    config.timings.status_every = Duration::from_millis(20);
    config.timings.look_late = Duration::from_millis(50);
    config.timings.rate_limit_pause = Duration::from_secs(600);
    let (connector, _out) = server::start(config);
    connector.subscribe(
        InstrumentId(1),
        Instrument { exchange: Exchange::Binance, ..instrument() },
        None,
    );
    says(&connector, "rate limited").await;
}

#[tokio::test]
async fn private_answer_that_trickles_is_no_answer_and_is_asked_for_once() {
    for exchange in Exchange::ALL {
        let (address, asked) = trickling(r#"{"code":"200000","data":[]}"#).await;
        let client = private(exchange, address);
        let clock = client.clock().await;
        assert!(matches!(clock, Err(ExchangeError::Unavailable(_))), "{exchange}: {clock:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{exchange}");
        let cancelled = client.cancel(&order()).await;
        let is_unknown = matches!(cancelled, Cancellation::Unknown { .. });
        assert!(is_unknown, "{exchange}: {cancelled:?}");
        // The clock, which no signature knows yet, and the cancel itself.
        assert_eq!(asked.load(Ordering::SeqCst), 3, "{exchange}");
    }
}

#[tokio::test]
async fn private_refusal_without_a_time_waits_as_long_as_that_exchange_means() {
    for (exchange, path, wait_ms) in [
        (Exchange::Binance, "/api/v3/time", 10_000),
        (Exchange::Kucoin, "/api/v1/timestamp", 500),
        (Exchange::Luno, "/api/1/ticker", 10_000),
    ] {
        let fake = Fake::start().await;
        fake.refuse(path, 429, None);
        let client = private(exchange, fake.address);
        let wait = Duration::from_millis(wait_ms);
        assert_eq!(client.clock().await, Err(ExchangeError::RateLimited(wait)), "{exchange}");
        assert_eq!(fake.times(path).len(), 1, "{exchange}");
    }
}

#[tokio::test]
async fn absurd_time_to_wait_is_a_ban_and_ends_no_task() {
    let fake = Fake::start().await;
    fake.refuse("/api/v3/time", 429, Some("18446744073709551615"));
    let ban = Duration::from_secs(3 * 86_400);
    let client = private(Exchange::Binance, fake.address);
    assert_eq!(client.clock().await, Err(ExchangeError::RateLimited(ban)));
    let cancelled = client.cancel(&order()).await;
    let is_bound = matches!(cancelled, Cancellation::RateLimited { retry_after } if
        retry_after <= ban);
    assert!(is_bound, "{cancelled:?}");
    assert_eq!(fake.times("/api/v3/order").len(), 0, "nothing is sent before");
}

#[tokio::test]
async fn user_stream_that_only_answers_pings_is_down() {
    let fake = Fake::start().await;
    let client = private_with(Exchange::Binance, fake.address, |config| {
        config.timings.silence = Duration::from_millis(500);
        config.timings.ping_every = Duration::from_millis(50);
    });
    let (sink, mut events) = mpsc::channel(16);
    let _stream = client.stream(sink);
    let mut socket = fake.socket().await;
    socket.send(Message::text(r#"{"id":"user","status":200,"result":{}}"#)).await.unwrap();
    // Reading is enough: the library answers each ping.
    let reads = tokio::spawn(async move { while let Some(Ok(_)) = socket.recv().await {} });
    let mut next = async || {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
        event.unwrap().unwrap()
    };
    assert!(matches!(next().await, LiveEvent::Resync { .. }));
    assert_eq!(next().await, LiveEvent::Down { why: "silent".to_owned() });
    reads.await.unwrap();
}
