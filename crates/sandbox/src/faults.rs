//! Faults on demand: what the wire does wrong, to whom, how often. Switchable while it runs.

use crate::model::noise::Noise;
use domain::Exchange;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Active faults at a time; more is a mistake of the caller.
const FAULTS_MAX: usize = 256;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// A frame is lost, whatever it is.
    Drop,
    /// Frames (or, with stream `rest`, HTTP answers) come this much later, in order.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// A frame of a sequenced book stream is lost.
    Gap,
    /// A frame comes twice.
    Duplicate,
    /// A frame comes after its successor.
    Reorder,
    /// A book frame shows a best bid above the best ask.
    Crossed,
    /// A frame (or, with stream `rest`, an HTTP body) is no JSON.
    Garbage,
    /// Frames and keepalives stop; the socket stays open.
    Silence,
    /// HTTP 429.
    Http429 {
        /// Seconds in `Retry-After`, where the exchange sends one.
        retry_after: u64,
    },
    /// HTTP 418: banned for a while.
    Http418 {
        /// Seconds in `Retry-After`.
        retry_after: u64,
    },
    /// HTTP 503 with a body that is no JSON.
    Http5xx,
    /// A call of the private side has no answer that means anything.
    Lie {
        /// What the client sees instead.
        how: Lie,
        /// Whether the deed is done all the same.
        taken: bool,
    },
    /// An order is answered as taken, and refused right afterwards.
    RejectAfterAccept,
    /// A cancel is answered and told, and a fill from before comes after it.
    LateFill,
    /// Sockets are closed.
    Close,
    /// The exchange's clock is off by this much, in every time it sends.
    ClockOffset {
        /// Milliseconds; positive is ahead.
        ms: i64,
    },
}

/// What a client sees in place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// The connection ends.
    Reset,
    /// Nothing, for minutes.
    Hang,
    /// HTTP 200 with a page.
    Html,
    /// HTTP 200 with an error of the exchange that says nothing about the order.
    ErrorBody,
    /// HTTP 503 with the same.
    Busy,
    /// An answer that never ends, byte by byte.
    Drip,
}

/// A fault with its scope and its measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultSpec {
    /// Which server.
    pub exchange: Exchange,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
    /// Only this symbol, in the exchange's spelling; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Only streams (or paths) whose name contains this; `rest` means HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Chance per frame or answer.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Ends after this many hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Ends after this many milliseconds of wall time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

const fn certain() -> f64 {
    1.0
}

impl FaultSpec {
    /// A fault on everything of an exchange, until it is taken away.
    pub const fn new(exchange: Exchange, fault: Fault) -> Self {
        let (symbol, stream, count, duration_ms) = (None, None, None, None);
        Self { exchange, fault, symbol, stream, probability: 1.0, count, duration_ms }
    }

    /// The same, this many times only.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// The same, on one symbol only.
    #[must_use]
    pub fn symbol(mut self, symbol: &str) -> Self {
        self.symbol = Some(symbol.to_owned());
        self
    }

    /// The same, on streams or paths whose name contains this.
    #[must_use]
    pub fn stream(mut self, stream: &str) -> Self {
        self.stream = Some(stream.to_owned());
        self
    }
}

/// Why a fault was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Too many.
    #[error("{FAULTS_MAX} faults are active; take some away first")]
    TooMany,
    /// No chance at all.
    #[error("probability must be above 0 and at most 1")]
    Probability,
}

/// A fault as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActiveFault {
    /// Its number.
    pub id: u64,
    /// What it is.
    #[serde(flatten)]
    pub spec: FaultSpec,
    /// How often it has hit.
    pub hits: u64,
    #[serde(skip)]
    until: Option<Instant>,
}

impl ActiveFault {
    fn is_over(&self) -> bool {
        self.spec.count.is_some_and(|most| self.hits >= most)
            || self.until.is_some_and(|t| Instant::now() >= t)
    }
}

/// What a frame or an answer is, for the scope of faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) exchange: Exchange,
    pub(crate) symbol: &'a str,
    pub(crate) stream: &'a str,
}

struct Board {
    active: Vec<ActiveFault>,
    next_id: u64,
    noise: Noise,
}

/// The switchboard. Clones share it.
#[derive(Clone)]
pub struct FaultControl {
    board: Arc<Mutex<Board>>,
    any: Arc<AtomicBool>,
    offsets: Arc<[AtomicI64; 3]>,
    changed: watch::Sender<u64>,
}

impl FaultControl {
    pub(crate) fn new(seed: u64) -> Self {
        let noise = Noise::new(seed, "faults");
        let board = Board { active: Vec::new(), next_id: 1, noise };
        Self {
            board: Arc::new(Mutex::new(board)),
            any: Arc::new(AtomicBool::new(false)),
            offsets: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Switches a fault on; returns its number.
    pub fn add(&self, spec: FaultSpec) -> Result<u64, FaultError> {
        if !(spec.probability > 0.0 && spec.probability <= 1.0) {
            return Err(FaultError::Probability);
        }
        let mut board = self.lock();
        board.active.retain(|f| !f.is_over());
        if board.active.len() >= FAULTS_MAX {
            return Err(FaultError::TooMany);
        }
        let id = board.next_id;
        board.next_id += 1;
        let until = spec.duration_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        board.active.push(ActiveFault { id, spec, hits: 0, until });
        self.settle(&board);
        Ok(id)
    }

    /// The faults that are on.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.lock().active.iter().filter(|f| !f.is_over()).cloned().collect()
    }

    /// Switches one off; false when there is none of this number.
    pub fn remove(&self, id: u64) -> bool {
        let mut board = self.lock();
        let before = board.active.len();
        board.active.retain(|f| f.id != id);
        self.settle(&board);
        board.active.len() < before
    }

    /// Switches all off.
    pub fn clear(&self) {
        let mut board = self.lock();
        board.active.clear();
        self.settle(&board);
    }

    /// The first fault of these kinds that hits this target now; counts the hit.
    pub(crate) fn hit(&self, target: Target<'_>, kinds: fn(Fault) -> bool) -> Option<Fault> {
        self.find(target, kinds, false)
    }

    fn find(&self, target: Target<'_>, kinds: fn(Fault) -> bool, only_rest: bool) -> Option<Fault> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let board = &mut *self.lock();
        let noise = &mut board.noise;
        let hit = board.active.iter_mut().find(|f| {
            !f.is_over()
                && kinds(f.spec.fault)
                && in_scope(&f.spec, target)
                && (!only_rest || f.spec.stream.as_ref().is_some_and(|s| s.contains("rest")))
                && noise.chance(f.spec.probability)
        })?;
        hit.hits += 1;
        Some(hit.spec.fault)
    }

    /// Like [`Self::hit`], for HTTP: only faults whose scope names `rest`.
    pub(crate) fn hit_rest(&self, target: Target<'_>, kinds: fn(Fault) -> bool) -> Option<Fault> {
        self.find(target, kinds, true)
    }

    /// Nanoseconds by which an exchange's clock is off.
    pub(crate) fn clock_offset(&self, exchange: Exchange) -> i64 {
        self.offsets[exchange as usize].load(Ordering::Relaxed)
    }

    /// Wakes when faults change, so that quiet sockets notice too.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Ends clock offsets whose time is over: nothing else would look at them.
    pub(crate) fn refresh(&self) {
        if self.any.load(Ordering::Relaxed) {
            let board = self.lock();
            self.offset(&board);
        }
    }

    fn settle(&self, board: &Board) {
        self.any.store(!board.active.is_empty(), Ordering::Relaxed);
        self.offset(board);
        self.changed.send_modify(|n| *n += 1);
    }

    fn offset(&self, board: &Board) {
        for exchange in Exchange::ALL {
            let of = |f: &ActiveFault| match f.spec.fault {
                Fault::ClockOffset { ms } if f.spec.exchange == exchange => Some(ms),
                _ => None,
            };
            let live = board.active.iter().filter(|f| !f.is_over());
            let ms: i64 = live.filter_map(of).sum();
            self.offsets[exchange as usize].store(ms.saturating_mul(1_000_000), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // A panic elsewhere leaves a plain list behind, which is still good.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_scope(spec: &FaultSpec, target: Target<'_>) -> bool {
    spec.exchange == target.exchange
        && spec.symbol.as_ref().is_none_or(|s| s.eq_ignore_ascii_case(target.symbol))
        && spec.stream.as_ref().is_none_or(|s| target.stream.contains(s.as_str()))
}
