//! Counting calls as an exchange does: a weight per window of wall time.

use crate::clock::wall;
use std::sync::{Mutex, PoisonError};

/// Where the windows begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    /// At multiples of their length (Binance: the minute begins at :00).
    Calendar,
    /// With the first call after the last window (KuCoin).
    FirstCall,
}

/// How a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Weight used in this window, this call included.
    pub(crate) used: u64,
    /// Whether this call is over the limit.
    pub(crate) over: bool,
    /// Milliseconds until the next window.
    pub(crate) reset_ms: u64,
}

/// The budget of one exchange. All clients here share one address, so there is one.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    window_ms: i64,
    windows: Windows,
    used: Mutex<(i64, u64)>,
}

impl Budget {
    pub(crate) const fn new(limit: u64, window_ms: i64, windows: Windows) -> Self {
        Self { limit, window_ms, windows, used: Mutex::new((0, 0)) }
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts a call.
    pub(crate) fn spend(&self, weight: u64) -> Standing {
        let now = wall() / 1_000_000;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= used.0 + self.window_ms {
            let start = match self.windows {
                Windows::Calendar => now - now.rem_euclid(self.window_ms),
                Windows::FirstCall => now,
            };
            *used = (start, 0);
        }
        used.1 += weight;
        let reset_ms = u64::try_from(used.0 + self.window_ms - now).unwrap_or(0);
        Standing { used: used.1, over: used.1 > self.limit, reset_ms }
    }
}
