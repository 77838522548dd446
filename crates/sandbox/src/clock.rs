//! The sandbox's clock: wall time from the start, from there on `speed` times as fast.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Simulated time.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    origin: i64,
    started: Instant,
    speed: f64,
}

impl Clock {
    /// A clock that shows the wall's time now.
    pub(crate) fn start(speed: f64) -> Self {
        Self { origin: wall(), started: Instant::now(), speed }
    }

    /// Nanoseconds since the epoch. Never goes back.
    pub(crate) fn now(&self) -> i64 {
        let elapsed = self.started.elapsed().as_secs_f64() * self.speed;
        self.origin + (elapsed * 1e9) as i64
    }

    /// What it showed at the start.
    pub(crate) const fn origin(&self) -> i64 {
        self.origin
    }

    /// How much faster than the wall it runs.
    pub(crate) const fn speed(&self) -> f64 {
        self.speed
    }
}

/// The wall's time, nanoseconds since the epoch: what rate limits count by.
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
