//! The user stream: connected, kept, reconnected; what came is told in order and once.

use super::client::Inner;
use super::types::{LiveEvent, LiveFill};
use super::{binance_stream, kucoin_stream, luno_stream};
use crate::pace::{Backoff, ConnectBudget};
use crate::socket::{ConnectError, Frame, Socket};
use domain::Exchange;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A running user stream. Dropping it ends it.
#[derive(Debug)]
pub struct LiveStream {
    task: JoinHandle<()>,
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a frame means for the connection.
pub(super) enum Heard {
    /// These, in order.
    Events(Vec<LiveEvent>),
    /// The server is ready to be talked to.
    Welcome,
    /// The subscription stands.
    Ready,
    /// Something that needs no answer.
    Nothing,
    /// Start anew: why.
    End(String),
}

/// Where to connect, what to say first, and whether the pings are messages of our own.
pub(super) struct Opening {
    pub(super) url: String,
    pub(super) hello: Vec<String>,
    /// Said when the server has welcomed us (KuCoin).
    pub(super) welcome: Vec<String>,
    /// KuCoin's pings are texts; elsewhere the protocol's own are sent.
    pub(super) ping: Option<String>,
    /// The exchange says nothing when the subscription stands (Luno): it is believed after a while
    /// without an objection.
    pub(super) is_silent: bool,
}

/// Trade ids remembered: far more than can be on their way twice.
const SEEN_MAX: usize = 20_000;

/// Fills that were told.
#[derive(Default)]
struct Seen {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn is_new(&mut self, fill: &LiveFill) -> bool {
        let key = format!("{} {}", fill.native, fill.trade_id);
        if !self.known.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

pub(super) fn start(inner: Arc<Inner>, sink: mpsc::Sender<LiveEvent>) -> LiveStream {
    LiveStream { task: tokio::spawn(run(inner, sink)) }
}

/// A stream that stood this long begins its backoff anew.
const STABLE_AFTER: Duration = Duration::from_secs(30);

async fn run(inner: Arc<Inner>, sink: mpsc::Sender<LiveEvent>) {
    let timings = &inner.config.timings;
    let mut backoff = Backoff::new(timings.backoff_min, timings.backoff_max);
    let (mut connects, mut seen) = (ConnectBudget::default(), Seen::default());
    let mut was_up = false;
    loop {
        let started = Instant::now();
        let end = match connects.take(started) {
            Ok(()) => session(&inner, &sink, &mut seen, &mut was_up).await,
            Err(wait) => {
                tokio::time::sleep(wait).await;
                continue;
            }
        };
        let Err(why) = end else { return };
        let why = inner.config.credentials.scrub(&why);
        tracing::info!(exchange = inner.exchange().name(), %why, "user stream ended");
        // Told once, not for each attempt.
        if std::mem::take(&mut was_up) && sink.send(LiveEvent::Down { why }).await.is_err() {
            return;
        }
        if started.elapsed() >= STABLE_AFTER {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

/// Deadlines are looked at this often.
const WATCH_EVERY: Duration = Duration::from_millis(250);

/// A key that is not accepted is objected to within a round trip; this is several.
const OBJECTION_WITHIN: Duration = Duration::from_secs(1);

/// One connection. `Ok` when nobody listens any more.
async fn session(
    inner: &Inner,
    sink: &mpsc::Sender<LiveEvent>,
    seen: &mut Seen,
    was_up: &mut bool,
) -> Result<(), String> {
    let timings = &inner.config.timings;
    inner.ensure_clock().await;
    let opening = match inner.exchange() {
        Exchange::Binance => binance_stream::open(inner),
        Exchange::Kucoin => kucoin_stream::open(inner).await?,
        Exchange::Luno => luno_stream::open(inner).await?,
    };
    let socket = Socket::open(&opening.url, timings.connect_timeout).await;
    let mut socket = socket.map_err(|e| match e {
        ConnectError::Retry(why) | ConnectError::Fatal(why) => why,
    })?;
    for text in &opening.hello {
        socket.send(text.clone()).await?;
    }
    let opened_at = Instant::now();
    let (mut alive_at, mut is_ready) = (opened_at, false);
    let mut ping = tokio::time::interval(timings.ping_every);
    ping.tick().await;
    let mut watch = tokio::time::interval(WATCH_EVERY);
    loop {
        tokio::select! {
            frame = socket.next() => {
                let frame = frame?;
                // An answer to our ping is no word of the exchange's own, which pings each 20 s.
                if !matches!(frame, Frame::Pong) {
                    alive_at = Instant::now();
                }
                let Frame::Data(bytes) = frame else { continue };
                match heard(inner, &bytes).await {
                    Heard::Nothing => {}
                    Heard::End(why) => return Err(why),
                    Heard::Welcome => {
                        for text in &opening.welcome {
                            socket.send(text.clone()).await?;
                        }
                    }
                    Heard::Ready if is_ready => {}
                    Heard::Ready => {
                        is_ready = true;
                        if !up(sink, was_up).await {
                            return Ok(());
                        }
                    }
                    Heard::Events(events) => {
                        for event in events {
                            if matches!(&event, LiveEvent::Fill(fill) if !seen.is_new(fill)) {
                                continue;
                            }
                            if sink.send(event).await.is_err() {
                                return Ok(());
                            }
                        }
                    }
                }
            }
            () = sink.closed() => return Ok(()),
            _ = ping.tick() => match &opening.ping {
                Some(text) => socket.send(text.clone()).await?,
                None => socket.ping().await?,
            },
            _ = watch.tick() => {
                if alive_at.elapsed() > timings.silence {
                    return Err("silent".into());
                }
                if opening.is_silent && !is_ready && opened_at.elapsed() > OBJECTION_WITHIN {
                    is_ready = true;
                    if !up(sink, was_up).await {
                        return Ok(());
                    }
                }
                if !is_ready && opened_at.elapsed() > timings.subscribe_timeout {
                    return Err("subscription not acknowledged".into());
                }
            }
        }
    }
}

/// The stream stands: nothing of before is replayed.
async fn up(sink: &mpsc::Sender<LiveEvent>, was_up: &mut bool) -> bool {
    *was_up = true;
    sink.send(LiveEvent::Resync { why: "the user stream stands".into() }).await.is_ok()
}

async fn heard(inner: &Inner, frame: &[u8]) -> Heard {
    let decoded = match inner.exchange() {
        Exchange::Binance => inner.with(|c| binance_stream::heard(frame, c)),
        Exchange::Kucoin => kucoin_stream::heard(inner, frame).await,
        Exchange::Luno => luno_stream::heard(inner, frame).await,
    };
    decoded.unwrap_or_else(|error| {
        let exchange = inner.exchange().name();
        let why = inner.config.credentials.scrub(&error.to_string());
        tracing::warn!(exchange, %why, "private frame refused");
        // Whatever it was about is asked for instead.
        Heard::Events(vec![LiveEvent::Resync { why: format!("a frame was refused: {why}") }])
    })
}
