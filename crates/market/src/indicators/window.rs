//! Mean and standard deviation over the last closes, in exact integers: sums that floats carry
//! through additions and subtractions drift, and a drifted variance can even be negative.

use super::column::Step;
use domain::Bar;
use serde::{Deserialize, Serialize};

/// The last closes and their sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Window {
    closes: Vec<i64>,
    period: u16,
    /// Oldest once full.
    next: u16,
    sum: i128,
}

impl Window {
    fn new(period: u16) -> Self {
        Self { closes: vec![], period: period.max(1), next: 0, sum: 0 }
    }

    /// Takes a close in and gives the one that left.
    fn push(&mut self, close: i64) -> Option<i64> {
        self.sum += i128::from(close);
        if self.closes.len() < usize::from(self.period) {
            self.closes.push(close);
            return None;
        }
        let left = std::mem::replace(&mut self.closes[usize::from(self.next)], close);
        self.next = (self.next + 1) % self.period;
        self.sum -= i128::from(left);
        Some(left)
    }

    fn is_full(&self) -> bool {
        self.closes.len() == usize::from(self.period)
    }
}

/// Simple mean.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Mean(Window);

impl Mean {
    pub(super) fn new(period: u16) -> Self {
        Self(Window::new(period))
    }
}

impl Step for Mean {
    fn step(&mut self, bar: &Bar) -> f64 {
        self.0.push(bar.close.0);
        if self.0.is_full() { self.0.sum as f64 / f64::from(self.0.period) } else { f64::NAN }
    }
}

/// Farthest from the origin that a close counts: with the longest period the sums then fit into
/// 128 bits. More than 10¹⁴ price units, beyond what trades.
const DISTANCE_MAX: i64 = 1 << 47;

/// Standard deviation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Spread {
    window: Window,
    /// Subtracted from every close, so that the squares stay small.
    origin: Option<i64>,
    squares: i128,
}

impl Spread {
    pub(super) fn new(period: u16) -> Self {
        Self { window: Window::new(period), origin: None, squares: 0 }
    }
}

impl Step for Spread {
    fn step(&mut self, bar: &Bar) -> f64 {
        let origin = *self.origin.get_or_insert(bar.close.0);
        let distance = (bar.close.0 - origin).clamp(-DISTANCE_MAX, DISTANCE_MAX);
        self.squares += square(distance);
        if let Some(left) = self.window.push(distance) {
            self.squares -= square(left);
        }
        if !self.window.is_full() {
            return f64::NAN;
        }
        let (n, sum) = (i128::from(self.window.period), self.window.sum);
        let spread = n * self.squares - sum * sum;
        (spread as f64).sqrt() / f64::from(self.window.period)
    }
}

fn square(n: i64) -> i128 {
    i128::from(n) * i128::from(n)
}
