//! Both sides of a run against each other, and many runs together.

use super::twin::RealFill;
use domain::{FillRecord, Liquidity, Side};
use std::collections::BTreeMap;

/// One side of one order.
#[derive(Clone, Copy, Debug, Default)]
struct Filled {
    quantity: f64,
    value: f64,
    /// Of its last fill, in seconds.
    at: f64,
    is_maker: bool,
}

impl Filled {
    fn add(&mut self, quantity: f64, price: f64, at: i64, is_maker: bool) {
        self.quantity += quantity;
        self.value += quantity * price;
        self.at = at as f64 / 1e9;
        self.is_maker = is_maker;
    }
}

/// An order with what both sides made of it.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    is_buy: bool,
    paper: Filled,
    real: Filled,
}

/// One run. Prices in quote, quantities in base.
#[derive(Debug, Default)]
pub(super) struct Run {
    orders: BTreeMap<u64, Pair>,
}

/// What is left of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// (paper profit − true profit) / turnover, in basis points.
    pub(super) gain_bp: f64,
    pub(super) fills: usize,
    /// Of orders that both sides filled: how much worse paper's price was, in basis points, summed.
    pub(super) price_bp: f64,
    /// How much later paper filled resting orders, in seconds, summed.
    pub(super) late_s: f64,
    pub(super) both: usize,
    pub(super) both_makers: usize,
    /// Filled in truth alone, on paper alone.
    pub(super) missed: usize,
    pub(super) invented: usize,
}

impl Run {
    pub(super) fn order(&mut self, id: u64, side: Side) {
        self.orders.entry(id).or_default().is_buy = side == Side::Buy;
    }

    pub(super) fn paper(&mut self, fill: &FillRecord) {
        let pair = self.orders.entry(fill.order_id.into()).or_default();
        let is_maker = fill.liquidity == Liquidity::Maker;
        pair.paper.add(fill.quantity.to_f64(), fill.price.to_f64(), fill.at.0, is_maker);
    }

    pub(super) fn real(&mut self, fill: &RealFill, price_unit: f64, quantity_unit: f64) {
        let pair = self.orders.entry(fill.order).or_default();
        let (quantity, price) =
            (fill.quantity as f64 * quantity_unit, fill.price as f64 * price_unit);
        pair.real.add(quantity, price, fill.at, fill.is_maker);
    }

    /// Marks what is held on either side at one price.
    pub(super) fn close(&self, mid: f64) -> Option<Outcome> {
        let profit = |of: fn(&Pair) -> Filled| -> f64 {
            let one = |pair: &Pair| {
                let filled = of(pair);
                let sign = if pair.is_buy { 1.0 } else { -1.0 };
                sign * (filled.quantity * mid - filled.value)
            };
            self.orders.values().map(one).sum()
        };
        let turnover: f64 = self.orders.values().map(|p| p.paper.value.max(p.real.value)).sum();
        let difference = profit(|p| p.paper) - profit(|p| p.real);
        let mut outcome = Outcome { gain_bp: difference / turnover * 1e4, ..Outcome::default() };
        self.orders.values().for_each(|pair| outcome.count(pair));
        (turnover > 0.0).then_some(outcome)
    }
}

impl Outcome {
    fn count(&mut self, pair: &Pair) {
        let (paper, real) = (pair.paper, pair.real);
        self.fills += usize::from(paper.quantity > 0.0) + usize::from(real.quantity > 0.0);
        match (paper.quantity > 0.0, real.quantity > 0.0) {
            (true, true) => {
                let (ours, theirs) = (paper.value / paper.quantity, real.value / real.quantity);
                let sign = if pair.is_buy { 1.0 } else { -1.0 };
                self.price_bp += sign * (ours / theirs - 1.0) * 1e4;
                self.both += 1;
                if paper.is_maker && real.is_maker {
                    self.late_s += paper.at - real.at;
                    self.both_makers += 1;
                }
            }
            (true, false) => self.invented += 1,
            (false, true) => self.missed += 1,
            (false, false) => {}
        }
    }
}

/// A mean with half the width of its 95 % interval, in basis points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gain {
    pub(super) mean: f64,
    half: f64,
}

impl Gain {
    /// Upper end of the interval.
    pub(super) fn upper(self) -> f64 {
        self.mean + self.half
    }
}

/// Many runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) runs: Vec<Outcome>,
}

impl Cell {
    pub(super) fn fills(&self) -> usize {
        self.runs.iter().map(|r| r.fills).sum()
    }

    /// Mean gain with its interval; `None` for fewer than two runs.
    pub(super) fn gain(&self) -> Option<Gain> {
        let n = self.runs.len() as f64;
        if self.runs.len() < 2 {
            return None;
        }
        let mean = self.runs.iter().map(|r| r.gain_bp).sum::<f64>() / n;
        let square: f64 = self.runs.iter().map(|r| (r.gain_bp - mean).powi(2)).sum();
        Some(Gain { mean, half: 1.96 * (square / (n - 1.0) / n).sqrt() })
    }

    /// Paper's price, worse by so many basis points; `None`: no order filled on both sides.
    pub(super) fn price_bp(&self) -> Option<f64> {
        ratio(self.sum(|r| r.price_bp), self.sum(|r| r.both as f64))
    }

    /// Paper's passive fills, later by so many seconds; `None`: there were none.
    pub(super) fn late_s(&self) -> Option<f64> {
        ratio(self.sum(|r| r.late_s), self.sum(|r| r.both_makers as f64))
    }

    /// Orders that only the truth filled, and only paper, of all that either did.
    pub(super) fn missed_and_invented(&self) -> (Option<f64>, Option<f64>) {
        let all = self.sum(|r| (r.both + r.missed + r.invented) as f64);
        (ratio(self.sum(|r| r.missed as f64), all), ratio(self.sum(|r| r.invented as f64), all))
    }

    fn sum(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        self.runs.iter().map(of).sum()
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
