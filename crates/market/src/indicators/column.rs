//! Figures of one kind side by side, with their last two values.

use super::bits;
use domain::Bar;
use serde::{Deserialize, Serialize};

/// How one figure goes from bar to bar.
pub(super) trait Step {
    /// The figure at this bar; not a number until warm.
    fn step(&mut self, bar: &Bar) -> f64;
}

/// All figures of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Column<R> {
    rows: Vec<R>,
    #[serde(with = "bits::many")]
    values: Vec<f64>,
    #[serde(with = "bits::many")]
    previous: Vec<f64>,
    /// Bars still missing, and bars needed.
    missing: Vec<(u32, u32)>,
}

impl<R> Default for Column<R> {
    fn default() -> Self {
        Self { rows: vec![], values: vec![], previous: vec![], missing: vec![] }
    }
}

impl<R: Step> Column<R> {
    pub(super) fn add(&mut self, row: R, need: u32) -> u32 {
        self.rows.push(row);
        self.values.push(f64::NAN);
        self.previous.push(f64::NAN);
        self.missing.push((need, need));
        self.rows.len() as u32 - 1
    }

    /// Mostly nobody asked for this kind: no call then.
    #[inline]
    pub(super) fn update(&mut self, bar: &Bar) {
        if !self.rows.is_empty() {
            self.update_all(bar);
        }
    }

    #[inline(never)]
    fn update_all(&mut self, bar: &Bar) {
        for row in 0..self.rows.len() {
            self.update_row(row, bar);
        }
    }

    pub(super) fn update_row(&mut self, row: usize, bar: &Bar) {
        self.previous[row] = self.values[row];
        self.values[row] = self.rows[row].step(bar);
        self.missing[row].0 = self.missing[row].0.saturating_sub(1);
    }

    pub(super) fn value(&self, row: usize) -> f64 {
        self.values[row]
    }

    pub(super) fn previous(&self, row: usize) -> f64 {
        self.previous[row]
    }

    pub(super) fn progress(&self, row: usize) -> (u32, u32) {
        let (missing, need) = self.missing[row];
        (need - missing, need)
    }
}
