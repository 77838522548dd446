//! The figures: as JSON for programs, as a table for people.

use super::passive::Watched;
use super::taker::Sample;
use super::{HORIZONS_S, LAGS_MS};
use domain::Span;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fidelity {
    /// By lag in milliseconds.
    pub taker: BTreeMap<i64, Taker>,
    /// By horizon in seconds.
    pub passive: BTreeMap<i64, Passive>,
    /// The same orders on bars and on the tape.
    pub bars: Bars,
    /// Bounds that were broken: must be zero.
    pub violations: u64,
}

/// Price errors of takers in basis points; above zero the simulated exchange was dearer. `None`:
/// nothing to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Taker {
    /// Orders.
    pub n: usize,
    /// Mean.
    pub signed_bp: Option<f64>,
    /// Mean of the absolute errors.
    pub abs_bp: Option<f64>,
    /// 95th percentile of the absolute errors.
    pub p95_bp: Option<f64>,
    /// Mean absolute error of the largest 5 %.
    pub top5_abs_bp: Option<f64>,
    /// Mean error of the largest 5 %.
    pub top5_signed_bp: Option<f64>,
    /// Mean weighted by quantity.
    pub qty_weighted_signed_bp: Option<f64>,
}

/// How many passive orders were filled within a horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Passive {
    /// Orders that the tape lets one watch so long.
    pub n: usize,
    /// Share filled by the count that is shown.
    pub shown: Option<f64>,
    /// Share filled by the optimistic count.
    pub optimistic: Option<f64>,
}

/// What bars cost more than the tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bars {
    /// Orders.
    pub n: usize,
    /// Mean difference in basis points; above zero: bars are dearer, as they should be.
    pub mean_cost_difference_bp: Option<f64>,
}

impl Fidelity {
    pub(super) fn of(
        taker: &BTreeMap<i64, Vec<Sample>>,
        passive: &[Watched],
        bars: &[f64],
        violations: u64,
    ) -> Self {
        Self {
            taker: LAGS_MS.map(|lag| (lag, Taker::of(&taker[&lag]))).into(),
            passive: HORIZONS_S.map(|s| (s, Passive::of(passive, Span::from_secs(s)))).into(),
            bars: Bars { n: bars.len(), mean_cost_difference_bp: mean(bars.iter().copied()) },
            violations,
        }
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}

impl Taker {
    fn of(samples: &[Sample]) -> Self {
        let mut sizes: Vec<f64> = samples.iter().map(|s| s.bp.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let mut largest: Vec<&Sample> = samples.iter().collect();
        largest.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        // At least one, where there are any: the largest of few is its own top.
        largest.truncate(samples.len().div_ceil(20));
        let weight: f64 = samples.iter().map(|s| s.weight).sum();
        let weighted: f64 = samples.iter().map(|s| s.bp * s.weight).sum();
        Self {
            n: samples.len(),
            signed_bp: mean(samples.iter().map(|s| s.bp)),
            abs_bp: mean(sizes.iter().copied()),
            p95_bp: sizes.get(sizes.len() * 95 / 100).copied(),
            top5_abs_bp: mean(largest.iter().map(|s| s.bp.abs())),
            top5_signed_bp: mean(largest.iter().map(|s| s.bp)),
            qty_weighted_signed_bp: (weight > 0.0).then(|| weighted / weight),
        }
    }
}

impl Passive {
    /// Where the tape ends before the horizon the order says nothing, filled or not: quick fills
    /// would weigh more than slow ones.
    fn of(watched: &[Watched], horizon: Span) -> Self {
        let seen: Vec<&Watched> = watched.iter().filter(|w| w.seen >= horizon).collect();
        let share = |of: fn(&Watched) -> Option<Span>| {
            let filled = seen.iter().filter(|w| of(w).is_some_and(|after| after <= horizon));
            (!seen.is_empty()).then(|| filled.count() as f64 / seen.len() as f64)
        };
        Self { n: seen.len(), shown: share(|w| w.shown), optimistic: share(|w| w.optimistic) }
    }
}

struct Figure(Option<f64>, usize);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => f.pad(&format!("{value:+.*}", self.1)),
            None => f.pad("–"),
        }
    }
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "taker: the simulated exchange against the tape, in basis points")?;
        writeln!(
            f,
            "{:>8} {:>8} {:>9} {:>9} {:>9} {:>11} {:>12} {:>12}",
            "lag ms", "n", "signed", "mean abs", "p95", "top 5% abs", "top 5% sgnd", "by quantity"
        )?;
        for (lag, t) in &self.taker {
            writeln!(
                f,
                "{lag:>8} {:>8} {:>9} {:>9} {:>9} {:>11} {:>12} {:>12}",
                t.n,
                Figure(t.signed_bp, 3),
                Figure(t.abs_bp, 3),
                Figure(t.p95_bp, 3),
                Figure(t.top5_abs_bp, 3),
                Figure(t.top5_signed_bp, 3),
                Figure(t.qty_weighted_signed_bp, 3),
            )?;
        }
        writeln!(f, "\npassive: filled within, by the count shown and the optimistic one")?;
        writeln!(f, "{:>8} {:>8} {:>9} {:>11}", "within s", "n", "shown", "optimistic")?;
        for (horizon, p) in &self.passive {
            let (shown, optimistic) = (Figure(p.shown, 3), Figure(p.optimistic, 3));
            writeln!(f, "{horizon:>8} {:>8} {shown:>9} {optimistic:>11}", p.n)?;
        }
        let difference = Figure(self.bars.mean_cost_difference_bp, 3);
        writeln!(f, "\nbars: {} orders, dearer than on the tape by {difference} bp", self.bars.n)?;
        write!(f, "violations: {}", self.violations)
    }
}
