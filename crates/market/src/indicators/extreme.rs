//! Highest high and lowest low of the bars before the current one.

use super::column::Step;
use domain::Bar;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A monotonic queue: only bars that can still become the extreme, so a step costs O(1) amortised.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Extreme {
    period: u16,
    is_highest: bool,
    seen: u64,
    /// (bar number, price); prices are negated for the lowest, so both fall from the front.
    queue: VecDeque<(u64, i64)>,
}

impl Extreme {
    pub(super) fn highest(period: u16) -> Self {
        Self { period: period.max(1), is_highest: true, seen: 0, queue: VecDeque::new() }
    }

    pub(super) fn lowest(period: u16) -> Self {
        Self { is_highest: false, ..Self::highest(period) }
    }

    /// The extreme of the last `period` bars, if there are as many.
    fn current(&self) -> f64 {
        let sign = if self.is_highest { 1.0 } else { -1.0 };
        match self.queue.front() {
            Some((_, price)) if self.seen >= u64::from(self.period) => sign * (*price as f64),
            _ => f64::NAN,
        }
    }

    fn push(&mut self, price: i64) {
        while self.queue.back().is_some_and(|(_, p)| *p <= price) {
            self.queue.pop_back();
        }
        self.queue.push_back((self.seen, price));
        self.seen += 1;
        let oldest = self.seen.saturating_sub(u64::from(self.period));
        while self.queue.front().is_some_and(|(n, _)| *n < oldest) {
            self.queue.pop_front();
        }
    }
}

impl Step for Extreme {
    fn step(&mut self, bar: &Bar) -> f64 {
        let before = self.current();
        self.push(if self.is_highest { bar.high.0 } else { -bar.low.0 });
        before
    }
}
