//! The same words as freqtrade defines them, for those who compare: formulas of its
//! `data/metrics.py`, named so and never mixed with ours.
//!
//! They take closed trades alone and divide by whole days, so that a position's way between entry
//! and exit is not seen. Where freqtrade prints a stand-in (−100, 0) the figure is `None` here.

use super::{Closed, Figure, Reasons, Undefined, YEAR_DAYS, deviation, mean};
use domain::{Amount, Timestamp};
use serde::Serialize;

/// freqtrade's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)] // freqtrade's own names
pub struct Freqtrade {
    pub total_trades: u64,
    pub profit_total_abs: Amount,
    pub profit_total: Option<f64>,
    pub winrate: Option<f64>,
    pub profit_factor: Option<f64>,
    pub expectancy: Option<f64>,
    pub expectancy_ratio: Option<f64>,
    pub sharpe: Option<f64>,
    pub sortino: Option<f64>,
    pub calmar: Option<f64>,
    pub sqn: Option<f64>,
    pub cagr: Option<f64>,
    pub max_drawdown_abs: Option<f64>,
    pub max_drawdown_account: Option<f64>,
    pub undefined: Vec<Undefined>,
}

/// Why there is none.
const NO_TRADE: &str = "no trade";

impl Freqtrade {
    /// Of these trades, with this much at the start, over this time.
    pub fn of(trades: &[Closed], start: Amount, from: Timestamp, to: Timestamp) -> Self {
        let mut ordered: Vec<&Closed> = trades.iter().collect();
        ordered.sort_by_key(|trade| trade.exit_at);
        let profits: Vec<f64> = ordered.iter().map(|trade| trade.profit.to_f64()).collect();
        let balance = start.to_f64();
        let shares: Vec<f64> = profits.iter().map(|p| p / balance).collect();
        // Whole days, at least one.
        let days = ((to - from).as_secs() / 86_400).max(1) as f64;
        let total: f64 = profits.iter().sum();
        let mut why = Reasons::default();
        let falls = falls(&profits, balance);
        let (won, lost) = sums(&profits);
        let rate = if profits.is_empty() { Err(NO_TRADE) } else { Ok(wins(&profits)) };
        let per_day = |spread: Figure| spread.map(|s| mean_per_day(&shares, days) / s * root());
        Self {
            total_trades: profits.len() as u64,
            profit_total_abs: trades.iter().map(|t| t.profit).sum(),
            profit_total: why.told("profit_total", Ok(total / balance)),
            winrate: why.told("winrate", rate),
            profit_factor: why.told("profit_factor", over(won, lost, "no trade lost")),
            expectancy: why.told("expectancy", expectancy(&profits).map(|e| e.0)),
            expectancy_ratio: why.told("expectancy_ratio", expectancy(&profits).and_then(|e| e.1)),
            sharpe: why.told("sharpe", per_day(spread(&shares))),
            sortino: why.told("sortino", per_day(spread(&negative(&shares)))),
            calmar: why.told("calmar", calmar(total / balance, days, &falls)),
            sqn: why.told("sqn", sqn(&shares)),
            cagr: why.told("cagr", Ok((1.0 + total / balance).powf(YEAR_DAYS / days) - 1.0)),
            max_drawdown_abs: why.told("max_drawdown_abs", deepest(&falls, |f| f.0)),
            max_drawdown_account: why.told("max_drawdown_account", deepest(&falls, |f| f.1)),
            undefined: why.0,
        }
    }
}

fn root() -> f64 {
    YEAR_DAYS.sqrt()
}

fn mean_per_day(shares: &[f64], days: f64) -> f64 {
    shares.iter().sum::<f64>() / days
}

fn negative(shares: &[f64]) -> Vec<f64> {
    shares.iter().copied().filter(|share| *share < 0.0).collect()
}

fn sums(profits: &[f64]) -> (f64, f64) {
    let won = profits.iter().filter(|p| **p > 0.0).sum::<f64>();
    let lost = profits.iter().filter(|p| **p < 0.0).sum::<f64>();
    (won, lost.abs())
}

fn wins(profits: &[f64]) -> f64 {
    profits.iter().filter(|p| **p > 0.0).count() as f64 / profits.len() as f64
}

fn over(part: f64, whole: f64, reason: &'static str) -> Figure {
    if whole > 0.0 { Ok(part / whole) } else { Err(reason) }
}

/// Deviation of all there is (n), of trades rather than of days.
fn spread(shares: &[f64]) -> Figure {
    let spread = if shares.is_empty() { 0.0 } else { deviation(shares, 0.0) };
    if spread > 0.0 { Ok(spread) } else { Err("no trades that differ") }
}

/// Win rate × average win − loss rate × average loss, and (1 + win / loss) × win rate − 1.
fn expectancy(profits: &[f64]) -> Result<(f64, Figure), &'static str> {
    if profits.is_empty() {
        return Err(NO_TRADE);
    }
    let n = profits.len() as f64;
    let (won, lost) = sums(profits);
    let win_rate = wins(profits);
    let losses = profits.iter().filter(|p| **p < 0.0).count() as f64;
    let average_win = if win_rate > 0.0 { won / (win_rate * n) } else { 0.0 };
    let average_loss = if losses > 0.0 { lost / losses } else { 0.0 };
    let ratio = over(average_win, average_loss, "no trade lost");
    let expectancy = win_rate * average_win - losses / n * average_loss;
    Ok((expectancy, ratio.map(|ratio| (1.0 + ratio) * win_rate - 1.0)))
}

fn sqn(shares: &[f64]) -> Figure {
    let spread = if shares.len() < 2 { 0.0 } else { deviation(shares, 1.0) };
    let n = shares.len() as f64;
    if spread > 0.0 { Ok(n.sqrt() * mean(shares) / spread) } else { Err("no trades that differ") }
}

/// Falls of the profit closed so far below its top, which begins at zero: in currency, and as a
/// share of the balance at the top.
fn falls(profits: &[f64], balance: f64) -> Vec<(f64, f64)> {
    let (mut sum, mut top) = (0.0, 0.0f64);
    let fall = |profit: &f64| {
        sum += profit;
        top = top.max(sum);
        (top - sum, (top - sum) / (balance + top))
    };
    profits.iter().map(fall).collect()
}

fn deepest(falls: &[(f64, f64)], of: fn(&(f64, f64)) -> f64) -> Figure {
    let deepest = falls.iter().map(of).fold(0.0, f64::max);
    if deepest > 0.0 { Ok(deepest) } else { Err("no drawdown") }
}

/// Mean percent a day / relative drawdown where the absolute one is deepest × √365.
fn calmar(total: f64, days: f64, falls: &[(f64, f64)]) -> Figure {
    let deepest = falls.iter().max_by(|a, b| a.0.total_cmp(&b.0)).filter(|f| f.0 > 0.0);
    let share = deepest.ok_or("no drawdown")?.1;
    Ok(total / days * 100.0 / share * root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{DataGrade, Span};

    fn trades(profits: &[i64]) -> Vec<Closed> {
        let of = |(hour, profit): (i64, &i64)| {
            let exit_at = Timestamp::EPOCH + Span::from_secs(hour * 3_600);
            let (profit, zero) = (Amount::from_int(*profit), Amount::ZERO);
            Closed {
                entry_at: exit_at,
                exit_at,
                profit,
                gross: profit,
                fees: zero,
                slippage: None,
                turnover: zero,
                grade: DataGrade::Bars,
            }
        };
        (1..).zip(profits).map(of).collect()
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("defined");
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn figures_worked_out_by_hand_from_its_formulas() {
        let to = Timestamp::EPOCH + Span::from_secs(10 * 86_400 + 5_000);
        let start = Amount::from_int(1_000);
        let f = Freqtrade::of(&trades(&[50, -20, 30, -40, 10]), start, Timestamp::EPOCH, to);
        near(f.profit_total, 0.03);
        near(f.winrate, 0.6);
        near(f.profit_factor, 1.5);
        near(f.expectancy, 6.0);
        near(f.expectancy_ratio, 2.0 * 0.6 - 1.0);
        // Shares .05 −.02 .03 −.04 .01: mean .006, squares .00532, all five.
        near(f.sharpe, 0.003 / (0.00532f64 / 5.0).sqrt() * 365f64.sqrt());
        // Losses −.02 and −.04 around −.03.
        near(f.sortino, 0.003 / 0.01 * 365f64.sqrt());
        near(f.sqn, 5f64.sqrt() * 0.006 / (0.00532f64 / 4.0).sqrt());
        // Tops 50, 60; falls 20, 40, 30.
        near(f.max_drawdown_abs, 40.0);
        near(f.max_drawdown_account, 40.0 / 1_060.0);
        near(f.calmar, 0.3 / (40.0 / 1_060.0) * 365f64.sqrt());
        near(f.cagr, 1.03f64.powf(36.5) - 1.0);
        assert_eq!(f.undefined, []);
    }

    #[test]
    fn its_stand_ins_are_null_here() {
        let f =
            Freqtrade::of(&trades(&[5]), Amount::from_int(100), Timestamp::EPOCH, Timestamp::EPOCH);
        assert_eq!((f.sharpe, f.sortino, f.calmar, f.sqn), (None, None, None, None));
        assert_eq!((f.profit_factor, f.expectancy_ratio), (None, None));
        assert_eq!(f.undefined.len(), 8, "{:?}", f.undefined);
    }
}
