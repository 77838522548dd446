//! A tiny exchange: answers by path, hands its sockets to the test, notes when it was called.
#![allow(dead_code, clippy::unwrap_used)] // each test binary uses a part of it; tests may panic

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use domain::{BookUpdate, Exchange, FeedState, Instrument, MarketEvent, Print};
use exchanges::{Connector, ConnectorConfig, Delivery, DeliveryKind, Timings};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};

type Answer = Box<dyn FnMut(&str) -> (u16, Option<String>, String) + Send>;

#[derive(Default)]
struct Book {
    answers: HashMap<String, Answer>,
    calls: Vec<(String, Instant)>,
}

struct Inner {
    book: Mutex<Book>,
    called: Notify,
    sockets: mpsc::Sender<(String, WebSocket)>,
}

/// See the module.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    incoming: AsyncMutex<mpsc::Receiver<(String, WebSocket)>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let (sockets, incoming) = mpsc::channel(16);
        let inner = Arc::new(Inner { book: Mutex::default(), called: Notify::new(), sockets });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/stream", any(upgrade))
            .route("/ws-api/v3", any(upgrade))
            .route("/api/1/stream/{pair}", any(upgrade))
            .route("/", any(upgrade))
            .fallback(rest)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner, incoming: AsyncMutex::new(incoming) }
    }

    pub(crate) fn answer(&self, path: &str, body: String) {
        self.answer_with(path, move |_| (200, None, body.clone()));
    }

    pub(crate) fn refuse(&self, path: &str, status: u16, retry_after: Option<&str>) {
        let retry = retry_after.map(str::to_owned);
        self.answer_with(path, move |_| (status, retry.clone(), "{}".into()));
    }

    /// Answers by a function of the query: status, Retry-After, body.
    pub(crate) fn answer_with<F>(&self, path: &str, answer: F)
    where
        F: FnMut(&str) -> (u16, Option<String>, String) + Send + 'static,
    {
        self.inner.book.lock().unwrap().answers.insert(path.into(), Box::new(answer));
    }

    /// The next socket that the connector opens.
    pub(crate) async fn socket(&self) -> WebSocket {
        self.socket_at().await.1
    }

    pub(crate) async fn socket_at(&self) -> (String, WebSocket) {
        let mut incoming = self.incoming.lock().await;
        tokio::time::timeout(Duration::from_secs(20), incoming.recv()).await.unwrap().unwrap()
    }

    pub(crate) fn times(&self, path: &str) -> Vec<Instant> {
        let book = self.inner.book.lock().unwrap();
        book.calls.iter().filter(|(p, _)| p == path).map(|(_, at)| *at).collect()
    }

    /// Waits until this path was called.
    pub(crate) async fn called(&self, path: &str) {
        self.calls(path, 1).await;
    }

    /// Waits until this path was called so many times.
    pub(crate) async fn calls(&self, path: &str, count: usize) {
        loop {
            let notified = self.inner.called.notified();
            if self.times(path).len() >= count {
                return;
            }
            tokio::time::timeout(Duration::from_secs(20), notified).await.unwrap();
        }
    }
}

async fn upgrade(
    State(inner): State<Arc<Inner>>,
    upgrade: WebSocketUpgrade,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    upgrade.on_upgrade(move |socket| async move {
        let _ = inner.sockets.send((path, socket)).await;
    })
}

async fn rest(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (status, retry, body) = {
        let mut book = inner.book.lock().unwrap();
        book.calls.push((path.clone(), Instant::now()));
        match book.answers.get_mut(&path) {
            Some(answer) => answer(&query),
            None => (404, None, "{}".into()),
        }
    };
    inner.called.notify_waiters();
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if let Some(retry) = retry {
        response.headers_mut().insert("retry-after", retry.parse().unwrap());
    }
    response
}

pub(crate) fn config(exchange: Exchange, fake: &Fake) -> ConnectorConfig {
    ConnectorConfig {
        rest_url: format!("http://{}", fake.address),
        stream_url: format!("ws://{}", fake.address),
        poll_interval: Duration::from_millis(50),
        timings: Timings {
            tick: Duration::from_millis(20),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(100),
            control_interval: Duration::from_millis(5),
            ..Timings::default()
        },
        ..ConnectorConfig::new(exchange)
    }
}

pub(crate) fn start(config: ConnectorConfig) -> (Connector, mpsc::Receiver<Delivery>) {
    let (sink, out) = mpsc::channel(1_000);
    (Connector::start(config, sink).unwrap(), out)
}

pub(crate) async fn next(out: &mut mpsc::Receiver<Delivery>) -> DeliveryKind {
    tokio::time::timeout(Duration::from_secs(20), out.recv()).await.unwrap().unwrap().kind
}

pub(crate) async fn next_event(out: &mut mpsc::Receiver<Delivery>) -> MarketEvent {
    loop {
        if let DeliveryKind::Market { event, .. } = next(out).await {
            return event;
        }
    }
}

pub(crate) async fn next_instruments(out: &mut mpsc::Receiver<Delivery>) -> Vec<Instrument> {
    loop {
        if let DeliveryKind::Instruments(list) = next(out).await {
            return list;
        }
    }
}

/// The next event that the test asks for.
pub(crate) async fn until<T>(
    out: &mut mpsc::Receiver<Delivery>,
    pick: impl Fn(&MarketEvent) -> Option<T>,
) -> T {
    loop {
        if let Some(found) = pick(&next_event(out).await) {
            return found;
        }
    }
}

pub(crate) fn book(event: &MarketEvent) -> Option<BookUpdate> {
    match event {
        MarketEvent::Book(update) => Some(update.clone()),
        _ => None,
    }
}

pub(crate) fn print(event: &MarketEvent) -> Option<Print> {
    match event {
        MarketEvent::Print(print) => Some(*print),
        _ => None,
    }
}

pub(crate) fn feed(event: &MarketEvent) -> Option<FeedState> {
    match event {
        MarketEvent::Feed { state, .. } => Some(state.clone()),
        _ => None,
    }
}
