//! What a connector knows about itself, for `/health` and people.

use crate::codec::DecodeError;
use domain::{Exchange, FeedState, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// State of one subscription.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionStatus {
    /// The exchange's name of it.
    pub native: String,
    /// As last judged.
    pub feed: FeedState,
    /// Since the last proof of life, in milliseconds.
    pub alive_age_ms: Option<u64>,
    /// Since prices last changed, in milliseconds: a quiet book is not a dead one.
    pub change_age_ms: Option<u64>,
}

/// Counters since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counters {
    /// Frames and polls read.
    pub frames: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Frames refused, by the name of the field.
    pub refused: BTreeMap<&'static str, u64>,
    /// Breaks of a book's sequence.
    pub book_gaps: u64,
    /// Prints that could not be had any more.
    pub print_gaps: u64,
    /// Prints fetched after the fact.
    pub backfilled: u64,
    /// Answers 429 and 418.
    pub http_429: u64,
    /// Tasks that ended badly and were started again.
    pub restarts: u64,
}

/// The whole.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectorStatus {
    /// Which exchange.
    pub exchange: Exchange,
    /// Sockets open now; polled exchanges have none.
    pub sockets: u32,
    /// Since when a connection stands without interruption.
    pub connected_since: Option<Timestamp>,
    /// Set when the exchange blocks us: nothing is sent any more.
    pub fatal: Option<String>,
    /// Why the last connection ended; `None`: none did.
    pub last_end: Option<String>,
    /// Why the list of instruments could not be fetched the last time; `None` once it could.
    pub unreachable: Option<String>,
    /// Why the last look at the wanted instruments, seconds ago, had no answer; `None`: it had.
    pub unanswered: Option<String>,
    /// Request weight used in the current window.
    pub weight_used: u32,
    /// What we allow ourselves of it.
    pub weight_limit: u32,
    /// How long that window is.
    pub window_s: u32,
    /// Instruments in the last list.
    pub instruments: usize,
    /// By the exchange's name.
    pub subscriptions: Vec<SubscriptionStatus>,
    /// Counters.
    pub counters: Counters,
}

struct Line {
    native: String,
    feed: FeedState,
    alive_at: Option<Instant>,
    changed_at: Option<Instant>,
}

#[derive(Default)]
struct Inner {
    unreachable: Option<String>,
    unanswered: Option<String>,
    last_end: Option<String>,
    counters: Counters,
    sockets: u32,
    connections: u64,
    connected_since: Option<Timestamp>,
    fatal: Option<String>,
    instruments: usize,
    lines: BTreeMap<u32, Line>,
    link_alive: BTreeMap<usize, Instant>,
    warned: BTreeMap<&'static str, Instant>,
}

/// Shared by the tasks of one connector.
pub(crate) struct Stats {
    exchange: Exchange,
    inner: Mutex<Inner>,
}

/// One line per kind of refused number and minute: a bad feed must not fill the disk.
const WARN_EVERY: Duration = Duration::from_secs(60);

impl Stats {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self { exchange, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counters stay usable even if a task died while it held them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.lock().counters);
    }

    pub(crate) fn frame(&self, shard: usize) {
        let mut inner = self.lock();
        inner.counters.frames += 1;
        inner.link_alive.insert(shard, Instant::now());
    }

    pub(crate) fn refused(&self, error: &DecodeError, symbol: &str) {
        let mut inner = self.lock();
        *inner.counters.refused.entry(error.name()).or_default() += 1;
        let now = Instant::now();
        let last = inner.warned.get(error.name()).copied();
        if last.is_some_and(|at| now - at < WARN_EVERY) {
            return;
        }
        inner.warned.insert(error.name(), now);
        drop(inner);
        let exchange = self.exchange.name();
        match error {
            DecodeError::Number { symbol, field, value, reason } => {
                tracing::warn!(exchange, symbol, field, value, reason, "number refused");
            }
            other => tracing::warn!(exchange, symbol, error = %other, "payload refused"),
        }
    }

    pub(crate) fn socket_opened(&self) {
        let mut inner = self.lock();
        inner.sockets += 1;
        inner.connections += 1;
        inner.counters.reconnects = inner.connections.saturating_sub(1);
        inner.connected_since.get_or_insert_with(crate::delivery::now);
    }

    pub(crate) fn socket_closed(&self) {
        let mut inner = self.lock();
        inner.sockets = inner.sockets.saturating_sub(1);
        if inner.sockets == 0 {
            inner.connected_since = None;
        }
    }

    pub(crate) fn fatal(&self, why: &str) {
        let mut inner = self.lock();
        if inner.fatal.is_none() {
            tracing::error!(exchange = self.exchange.name(), why, "exchange blocks us");
            inner.fatal = Some(why.to_owned());
        }
    }

    pub(crate) fn fatal_reason(&self) -> Option<String> {
        self.lock().fatal.clone()
    }

    pub(crate) fn instruments(&self, count: usize) {
        let mut inner = self.lock();
        inner.instruments = count;
        inner.unreachable = None;
    }

    pub(crate) fn unreachable(&self, why: String) {
        self.lock().unreachable = Some(why);
    }

    /// What came of the look at the wanted instruments.
    pub(crate) fn asked(&self, error: Option<String>) {
        self.lock().unanswered = error;
    }

    /// A connection ended.
    pub(crate) fn ended(&self, why: &str) {
        self.lock().last_end = Some(why.to_owned());
    }

    pub(crate) fn judged(&self, id: u32, native: &str, feed: FeedState) {
        let mut inner = self.lock();
        let line = inner.lines.entry(id).or_insert_with(|| Line {
            native: native.to_owned(),
            feed: feed.clone(),
            alive_at: None,
            changed_at: None,
        });
        line.feed = feed;
    }

    pub(crate) fn touched(&self, id: u32, alive: bool, changed: bool) {
        let now = Instant::now();
        if let Some(line) = self.lock().lines.get_mut(&id) {
            line.alive_at = if alive { Some(now) } else { line.alive_at };
            line.changed_at = if changed { Some(now) } else { line.changed_at };
        }
    }

    pub(crate) fn forget(&self, id: u32) {
        self.lock().lines.remove(&id);
    }

    pub(crate) fn snapshot(&self, weight: (u32, u32)) -> ConnectorStatus {
        let inner = self.lock();
        let age = |at: Option<Instant>| {
            at.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
        };
        let link = inner.link_alive.values().max().copied();
        ConnectorStatus {
            exchange: self.exchange,
            sockets: inner.sockets,
            connected_since: inner.connected_since,
            fatal: inner.fatal.clone(),
            last_end: inner.last_end.clone(),
            unreachable: inner.unreachable.clone(),
            unanswered: inner.unanswered.clone(),
            weight_used: weight.0,
            weight_limit: weight.1,
            window_s: crate::pace::window_s(self.exchange),
            instruments: inner.instruments,
            subscriptions: inner
                .lines
                .values()
                .map(|l| SubscriptionStatus {
                    native: l.native.clone(),
                    feed: l.feed.clone(),
                    // A fresh subscription lives as long as its socket does.
                    alive_age_ms: age(if l.feed.is_fresh() {
                        l.alive_at.max(link)
                    } else {
                        l.alive_at
                    }),
                    change_age_ms: age(l.changed_at),
                })
                .collect(),
            counters: inner.counters.clone(),
        }
    }
}
