//! Statistics of trades and equity, defined once: `docs/statistics.md` has every formula.
//!
//! Sums of money are exact; ratios are binary floating point. What is not defined is `None`, and
//! [`Undefined`] names it and says why, never zero. Main types: [`TradeFigures`] of closed trades,
//! [`Days`] and their [`Returns`], [`Curve`] for the equity at each bar, [`sharpe::Confidence`] for
//! how much a Sharpe ratio proves, [`freqtrade`] for that program's definitions of the same words.
//! Deliberately absent: where trades and equity come from.

mod curve;
pub mod freqtrade;
mod normal;
mod returns;
pub mod sharpe;
mod trades;

pub use curve::{Curve, Drawdown};
pub use returns::{Days, Returns};
pub use trades::{Closed, TradeFigures};

use serde::Serialize;

/// Days of a year: crypto trades on all of them.
pub const YEAR_DAYS: f64 = 365.0;

/// Why a figure is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undefined {
    /// Which.
    pub metric: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// A figure, or why there is none.
type Figure = Result<f64, &'static str>;

/// Collects the reasons of what is undefined.
#[derive(Debug, Default)]
struct Reasons(Vec<Undefined>);

impl Reasons {
    fn told(&mut self, metric: &'static str, figure: Figure) -> Option<f64> {
        let finite = figure.and_then(|f| f.is_finite().then_some(f).ok_or("out of range"));
        finite.map_err(|reason| self.0.push(Undefined { metric, reason })).ok()
    }

    fn some<T>(
        &mut self,
        metric: &'static str,
        value: Option<T>,
        reason: &'static str,
    ) -> Option<T> {
        if value.is_none() {
            self.0.push(Undefined { metric, reason });
        }
        value
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation with this much taken off the count: 1 for a sample, 0 for all there is.
fn deviation(values: &[f64], off: f64) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (values.len() as f64 - off)).sqrt()
}
