//! What the tasks of one connector share: wishes, budgets, and what is known of the exchange's clock.

use crate::config::ConnectorConfig;
use crate::delivery::Resume;
use crate::error::ExchangeError;
use crate::pace::ConnectBudget;
use crate::rest::Rest;
use crate::status::Stats;
use domain::{Instrument, InstrumentId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// A wish of the engine.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) resume: Option<Resume>,
    pub(crate) shard: usize,
    /// Rises when the subscription must start anew.
    pub(crate) version: u64,
}

/// What the tasks of one connector share.
pub(crate) struct Shared {
    pub(crate) config: ConnectorConfig,
    pub(crate) rest: Rest,
    pub(crate) stats: Arc<Stats>,
    pub(crate) reload: Notify,
    pub(crate) changed: watch::Sender<u64>,
    wanted: Mutex<BTreeMap<InstrumentId, Wanted>>,
    connects: Mutex<ConnectBudget>,
    clock: Mutex<Option<(i64, i64)>>,
    /// How often one of the two clocks was set: delays measured before say nothing.
    clock_sets: AtomicU32,
    /// The exchange's clock was set; by seconds, 0 while it is believed.
    clock_off: AtomicI64,
    pub(crate) measure: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holder leaves these values whole, so a task that died in between harms nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(config: ConnectorConfig) -> Result<Self, ExchangeError> {
        let stats = Arc::new(Stats::new(config.exchange));
        Ok(Self {
            rest: Rest::new(&config, Arc::clone(&stats))?,
            config,
            stats,
            reload: Notify::new(),
            changed: watch::Sender::new(0),
            wanted: Mutex::default(),
            connects: Mutex::default(),
            clock: Mutex::default(),
            clock_sets: AtomicU32::new(0),
            clock_off: AtomicI64::new(0),
            measure: Notify::new(),
        })
    }

    pub(crate) fn wanted(&self) -> MutexGuard<'_, BTreeMap<InstrumentId, Wanted>> {
        lock(&self.wanted)
    }

    pub(crate) fn take_connect(&self) -> Result<(), Duration> {
        lock(&self.connects).take(Instant::now())
    }

    pub(crate) fn set_clock(&self, lower: i64, upper: i64) {
        let before = lock(&self.clock).replace((lower, upper));
        if before.is_some_and(|(low, high)| low > upper || high < lower) {
            self.clock_sets.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often one of the clocks was set.
    pub(crate) fn clock_sets(&self) -> u32 {
        self.clock_sets.load(Ordering::Relaxed)
    }

    /// The exchange's clock is not believed.
    pub(crate) fn is_clock_off(&self) -> bool {
        self.clock_off.load(Ordering::Relaxed) != 0
    }

    /// The exchange's clock jumped by so many seconds while ours did not; 0: it is believed.
    pub(crate) fn set_clock_off(&self, seconds: i64) {
        self.clock_off.store(seconds, Ordering::Relaxed);
    }

    /// The exchange's clock is ahead of ours by something within these bounds.
    pub(crate) fn clock_bounds(&self) -> Option<(i64, i64)> {
        *lock(&self.clock)
    }
}
