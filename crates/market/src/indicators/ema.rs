//! Exponential means: the figure most asked for, so its arrays are laid out for one plain loop.

use super::{bits, figure};
use domain::Bar;
use serde::{Deserialize, Serialize};

/// Weight of the newest value.
pub(super) fn weight(period: u16) -> f64 {
    2.0 / (f64::from(period.max(1)) + 1.0)
}

/// A mean that has not seen its period yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seed {
    row: u32,
    seen: u16,
    #[serde(with = "bits")]
    sum: f64,
}

/// All exponential means of closes. A cold one is not a number and stays so through the loop
/// without a branch, until its seed is complete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct EmaColumn {
    #[serde(with = "bits::many")]
    values: Vec<f64>,
    #[serde(with = "bits::many")]
    previous: Vec<f64>,
    #[serde(with = "bits::many")]
    weights: Vec<f64>,
    periods: Vec<u16>,
    cold: Vec<Seed>,
}

impl EmaColumn {
    pub(super) fn add(&mut self, period: u16) -> u32 {
        let row = self.values.len() as u32;
        self.values.push(f64::NAN);
        self.previous.push(f64::NAN);
        self.weights.push(weight(period));
        self.periods.push(period.max(1));
        self.cold.push(Seed { row, seen: 0, sum: 0.0 });
        row
    }

    #[inline]
    pub(super) fn update(&mut self, bar: &Bar) {
        let close = figure(bar.close);
        let rows = self.values.iter_mut().zip(&mut self.previous).zip(&self.weights);
        for ((value, previous), weight) in rows {
            *previous = *value;
            *value += (close - *value) * weight;
        }
        if !self.cold.is_empty() {
            self.seed(close, None);
        }
    }

    pub(super) fn update_row(&mut self, row: usize, bar: &Bar) {
        let close = figure(bar.close);
        self.previous[row] = self.values[row];
        self.values[row] += (close - self.values[row]) * self.weights[row];
        self.seed(close, Some(row as u32));
    }

    /// Adds a close to the cold means (to one of them), and warms those that are complete.
    fn seed(&mut self, close: f64, only: Option<u32>) {
        let (values, periods) = (&mut self.values, &self.periods);
        self.cold.retain_mut(|seed| {
            if only.is_some_and(|row| row != seed.row) {
                return true;
            }
            let row = seed.row as usize;
            seed.sum += close;
            seed.seen += 1;
            if seed.seen == periods[row] {
                values[row] = seed.sum / f64::from(periods[row]);
            }
            seed.seen < periods[row]
        });
    }

    #[inline]
    pub(super) fn value(&self, row: usize) -> f64 {
        self.values[row]
    }

    pub(super) fn previous(&self, row: usize) -> f64 {
        self.previous[row]
    }

    pub(super) fn progress(&self, row: usize) -> (u32, u32) {
        let need = u32::from(self.periods[row]);
        let cold = self.cold.iter().find(|s| s.row as usize == row);
        (cold.map_or(need, |s| u32::from(s.seen)), need)
    }
}

/// One exponential mean of anything, for figures made of several.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ema {
    period: u16,
    seen: u16,
    /// The sum of the seed, then the mean.
    #[serde(with = "bits")]
    value: f64,
}

impl Ema {
    pub(super) fn new(period: u16) -> Self {
        Self { period: period.max(1), seen: 0, value: 0.0 }
    }

    /// The mean with this value in it; not a number until warm.
    pub(super) fn step(&mut self, value: f64) -> f64 {
        if self.seen == self.period {
            self.value += (value - self.value) * weight(self.period);
            return self.value;
        }
        self.value += value;
        self.seen += 1;
        if self.seen < self.period {
            return f64::NAN;
        }
        self.value /= f64::from(self.period);
        self.value
    }
}
