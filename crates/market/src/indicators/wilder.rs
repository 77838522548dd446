//! Wilder's figures: relative strength and average true range, with his slow smoothing.

use super::column::Step;
use super::{bits, figure};
use domain::Bar;
use serde::{Deserialize, Serialize};

/// Wilder's mean: seeded by the simple one, then the newest weighs 1 / period.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Smooth {
    #[serde(with = "bits")]
    mean: f64,
}

impl Smooth {
    /// Takes the `seen`-th value (from 1) in.
    fn push(&mut self, value: f64, seen: u16, period: f64) {
        if f64::from(seen) <= period {
            self.mean += value;
            if f64::from(seen) >= period {
                self.mean /= period;
            }
        } else {
            self.mean = (self.mean * (period - 1.0) + value) / period;
        }
    }
}

/// Relative strength index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rsi {
    period: u16,
    /// Changes seen, counted to one more than the period.
    seen: u16,
    last: Option<i64>,
    gain: Smooth,
    loss: Smooth,
}

impl Rsi {
    pub(super) fn new(period: u16) -> Self {
        let zero = || Smooth { mean: 0.0 };
        Self { period: period.max(1), seen: 0, last: None, gain: zero(), loss: zero() }
    }
}

impl Step for Rsi {
    fn step(&mut self, bar: &Bar) -> f64 {
        let Some(last) = self.last.replace(bar.close.0) else { return f64::NAN };
        let change = (bar.close.0 - last) as f64;
        self.seen = self.seen.saturating_add(1).min(self.period.saturating_add(1));
        let period = f64::from(self.period);
        self.gain.push(change.max(0.0), self.seen, period);
        self.loss.push((-change).max(0.0), self.seen, period);
        if self.seen < self.period {
            return f64::NAN;
        }
        let total = self.gain.mean + self.loss.mean;
        if total > 0.0 { 100.0 * (self.gain.mean / total) } else { 50.0 }
    }
}

/// Average true range.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Atr {
    period: u16,
    seen: u16,
    last: Option<i64>,
    range: Smooth,
}

impl Atr {
    pub(super) fn new(period: u16) -> Self {
        Self { period: period.max(1), seen: 0, last: None, range: Smooth { mean: 0.0 } }
    }
}

impl Step for Atr {
    fn step(&mut self, bar: &Bar) -> f64 {
        let Some(last) = self.last.replace(bar.close.0) else { return f64::NAN };
        let last = last as f64;
        let range = figure(bar.high).max(last) - figure(bar.low).min(last);
        self.seen = self.seen.saturating_add(1).min(self.period.saturating_add(1));
        self.range.push(range, self.seen, f64::from(self.period));
        if self.seen < self.period { f64::NAN } else { self.range.mean }
    }
}
