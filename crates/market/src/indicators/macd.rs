//! MACD: the distance of two exponential means, and the mean of that distance.

use super::column::Step;
use super::ema::Ema;
use super::figure;
use domain::Bar;
use serde::{Deserialize, Serialize};

/// Fast minus slow. TA-Lib starts both at the same bar: the fast mean is seeded by the closes
/// just before the slow one's first value, not at the start of the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// Bars until the fast mean starts its seed.
    wait: u16,
    fast: Ema,
    slow: Ema,
}

impl Line {
    /// TA-Lib swaps periods that come the wrong way round, and so do we.
    pub(super) fn new(fast: u16, slow: u16) -> Self {
        let (fast, slow) = (fast.min(slow).max(1), fast.max(slow).max(1));
        Self { wait: slow - fast, fast: Ema::new(fast), slow: Ema::new(slow) }
    }
}

impl Step for Line {
    fn step(&mut self, bar: &Bar) -> f64 {
        let close = figure(bar.close);
        let slow = self.slow.step(close);
        if self.wait > 0 {
            self.wait -= 1;
            return f64::NAN;
        }
        self.fast.step(close) - slow
    }
}

/// Exponential mean of the line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Signal {
    line: Line,
    mean: Ema,
}

impl Signal {
    pub(super) fn new(fast: u16, slow: u16, signal: u16) -> Self {
        Self { line: Line::new(fast, slow), mean: Ema::new(signal) }
    }
}

impl Step for Signal {
    fn step(&mut self, bar: &Bar) -> f64 {
        let line = self.line.step(bar);
        if line.is_nan() { line } else { self.mean.step(line) }
    }
}
