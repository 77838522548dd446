//! Figures of closed trades.

use super::{Reasons, Undefined, deviation, mean};
use domain::{Amount, DataGrade, Round, Timestamp};
use serde::Serialize;

/// What statistics need of a closed trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// First entry fill.
    pub entry_at: Timestamp,
    /// Last exit fill.
    pub exit_at: Timestamp,
    /// Net of fees.
    pub profit: Amount,
    /// Before fees.
    pub gross: Amount,
    /// Fees of both legs.
    pub fees: Amount,
    /// Against the mid at each decision; `None`: not known.
    pub slippage: Option<Amount>,
    /// Value of both legs.
    pub turnover: Amount,
    /// The worst grade of its fills.
    pub grade: DataGrade,
}

impl From<&domain::Trade> for Closed {
    fn from(trade: &domain::Trade) -> Self {
        let leg = |price: Amount| price.product(trade.amount, Round::Down).unwrap_or_default();
        Self {
            entry_at: trade.entry_at,
            exit_at: trade.exit_at,
            profit: trade.profit_loss,
            gross: trade.gross_profit,
            fees: trade.fees,
            slippage: trade.slippage,
            turnover: leg(trade.entry_price) + leg(trade.exit_price),
            grade: trade.grade,
        }
    }
}

/// Figures of closed trades in one currency; undefined is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)] // each by its formula in docs/statistics.md
pub struct TradeFigures {
    pub trades: u64,
    pub wins: u64,
    pub losses: u64,
    /// Trades that closed in the same instant are one step.
    pub steps: u64,
    pub net_profit: Amount,
    pub gross_profit: Amount,
    pub fees: Amount,
    pub win_rate: Option<f64>,
    pub profit_factor: Option<f64>,
    pub expectancy: Option<Amount>,
    pub expectancy_ratio: Option<f64>,
    pub average_win: Option<Amount>,
    pub average_loss: Option<Amount>,
    pub payoff_ratio: Option<f64>,
    pub best_trade: Option<Amount>,
    pub worst_trade: Option<Amount>,
    pub longest_winning_streak: u64,
    pub longest_losing_streak: u64,
    pub sqn: Option<f64>,
    pub turnover: Amount,
    pub slippage: Option<Amount>,
    /// Slippage in basis points of the turnover.
    pub slippage_bp: Option<f64>,
    /// Fees in basis points of the turnover.
    pub fees_bp: Option<f64>,
    /// Fees / what the winning trades won before fees.
    pub fee_share: Option<f64>,
    pub average_holding_s: Option<f64>,
    pub gap_trades: u64,
}

/// Why there is none.
const NO_TRADE: &str = "no trade";

impl TradeFigures {
    /// Of these trades in any order, and why something is undefined.
    pub fn of(trades: &[Closed]) -> (Self, Vec<Undefined>) {
        let mut why = Reasons::default();
        let profits: Vec<Amount> = trades.iter().map(|t| t.profit).collect();
        let steps = steps(trades);
        let mut figures = Self {
            trades: trades.len() as u64,
            steps: steps.len() as u64,
            gross_profit: trades.iter().map(|t| t.gross).sum(),
            fees: trades.iter().map(|t| t.fees).sum(),
            turnover: trades.iter().map(|t| t.turnover).sum(),
            best_trade: why.some("best_trade", profits.iter().copied().max(), NO_TRADE),
            worst_trade: why.some("worst_trade", profits.iter().copied().min(), NO_TRADE),
            longest_winning_streak: streak(&steps, Amount::is_positive),
            longest_losing_streak: streak(&steps, Amount::is_negative),
            sqn: why.told("sqn", sqn(&steps)),
            gap_trades: trades.iter().filter(|t| t.grade == DataGrade::Gap).count() as u64,
            ..Self::default()
        };
        figures.wins_and_losses(&profits, &mut why);
        figures.costs(trades, &mut why);
        let held = trades.iter().map(|t| (t.exit_at - t.entry_at).as_millis_f64() / 1e3);
        let n = (!trades.is_empty()).then_some(trades.len() as f64);
        let holding = n.map(|n| held.sum::<f64>() / n);
        figures.average_holding_s = why.some("average_holding_s", holding, NO_TRADE);
        (figures, why.0)
    }

    fn wins_and_losses(&mut self, profits: &[Amount], why: &mut Reasons) {
        let wins: Vec<Amount> = profits.iter().copied().filter(|p| p.is_positive()).collect();
        let losses: Vec<Amount> = profits.iter().copied().filter(|p| p.is_negative()).collect();
        let (won, lost): (Amount, Amount) =
            (wins.iter().copied().sum(), losses.iter().copied().sum());
        self.wins = wins.len() as u64;
        self.losses = losses.len() as u64;
        self.net_profit = won + lost;
        let n = profits.len();
        let share = (n > 0).then(|| wins.len() as f64 / n as f64);
        self.win_rate = why.some("win_rate", share, NO_TRADE);
        let none = if n == 0 { NO_TRADE } else { "no trade lost" };
        self.profit_factor = why.some("profit_factor", won.ratio(lost.abs()), none);
        self.expectancy = why.some("expectancy", average(profits), NO_TRADE);
        self.average_win = why.some("average_win", average(&wins), "no trade won");
        self.average_loss = why.some("average_loss", average(&losses), none);
        let by_loss = |amount: Option<Amount>| amount?.ratio(self.average_loss?.abs());
        let (ratio, payoff) = (by_loss(self.expectancy), by_loss(self.average_win));
        self.expectancy_ratio = why.some("expectancy_ratio", ratio, none);
        let none = if wins.is_empty() { "no trade won" } else { none };
        self.payoff_ratio = why.some("payoff_ratio", payoff, none);
    }

    fn costs(&mut self, trades: &[Closed], why: &mut Reasons) {
        let known: Option<Amount> = trades.iter().map(|t| t.slippage).sum();
        let known = known.filter(|_| !trades.is_empty());
        let none = if trades.is_empty() { NO_TRADE } else { "not known of every trade" };
        self.slippage = why.some("slippage", known, none);
        let bp = |amount: Amount| amount.ratio(self.turnover).map(|share| share * 1e4);
        let (slippage_bp, fees_bp) = (self.slippage.and_then(bp), bp(self.fees));
        self.slippage_bp = why.some("slippage_bp", slippage_bp, none);
        self.fees_bp = why.some("fees_bp", fees_bp, NO_TRADE);
        let won: Amount = trades.iter().map(|t| t.gross.or_zero()).sum();
        self.fee_share = why.some("fee_share", self.fees.ratio(won), "nothing was won before fees");
    }
}

/// Profits of what closed in the same instant, added up, in order of time.
pub(super) fn steps(trades: &[Closed]) -> Vec<Amount> {
    let mut by_time: std::collections::BTreeMap<Timestamp, Amount> = Default::default();
    for trade in trades {
        *by_time.entry(trade.exit_at).or_default() += trade.profit;
    }
    by_time.into_values().collect()
}

fn streak(steps: &[Amount], counts: fn(Amount) -> bool) -> u64 {
    let (mut longest, mut now) = (0, 0);
    for step in steps {
        now = if counts(*step) { now + 1 } else { 0 };
        longest = longest.max(now);
    }
    longest
}

fn average(amounts: &[Amount]) -> Option<Amount> {
    let n = i64::try_from(amounts.len()).ok().filter(|n| *n > 0)?;
    Some(amounts.iter().copied().sum::<Amount>().part(1, n, Round::Down))
}

/// √n × mean / standard deviation (n − 1).
fn sqn(steps: &[Amount]) -> super::Figure {
    if steps.len() < 2 {
        return Err("fewer than two steps");
    }
    let values: Vec<f64> = steps.iter().map(|step| step.to_f64()).collect();
    let spread = deviation(&values, 1.0);
    if spread > 0.0 {
        Ok((values.len() as f64).sqrt() * mean(&values) / spread)
    } else {
        Err("all steps are equal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Span;

    fn trade(hour: i64, profit: i64) -> Closed {
        let exit_at = Timestamp::EPOCH + Span::from_secs(hour * 3_600);
        Closed {
            entry_at: exit_at - Span::from_secs(600),
            exit_at,
            profit: Amount::from_int(profit),
            gross: Amount::from_int(profit + 2),
            fees: Amount::from_int(2),
            slippage: Some(Amount::from_int(1)),
            turnover: Amount::from_int(1_000),
            grade: DataGrade::Bars,
        }
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("defined");
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn a_golden_row_of_trades_gives_figures_worked_out_by_hand() {
        let profits = [30, -10, 10, 20, -15, -5, 40, 0];
        let trades: Vec<_> = (1..).zip(profits).map(|(hour, p)| trade(hour, p)).collect();
        let (f, undefined) = TradeFigures::of(&trades);
        assert_eq!((f.trades, f.wins, f.losses, f.steps), (8, 4, 3, 8));
        assert_eq!(f.net_profit, Amount::from_int(70));
        assert_eq!((f.gross_profit, f.fees), (Amount::from_int(86), Amount::from_int(16)));
        near(f.win_rate, 0.5);
        near(f.profit_factor, 100.0 / 30.0);
        assert_eq!(f.expectancy, Some("8.75".parse().unwrap()));
        assert_eq!(
            (f.average_win, f.average_loss),
            (Some(Amount::from_int(25)), Some(Amount::from_int(-10)))
        );
        near(f.expectancy_ratio, 0.875);
        near(f.payoff_ratio, 2.5);
        assert_eq!((f.longest_winning_streak, f.longest_losing_streak), (2, 2));
        // Mean 8.75, squares 2737.5, deviation √(2737.5 / 7).
        near(f.sqn, 8f64.sqrt() * 8.75 / (2_737.5f64 / 7.0).sqrt());
        near(f.slippage_bp, 10.0);
        near(f.fees_bp, 20.0);
        // 32 + 12 + 22 + 42 + 2 were won before fees.
        near(f.fee_share, 16.0 / 110.0);
        near(f.average_holding_s, 600.0);
        assert_eq!(undefined, []);
    }

    #[test]
    fn trades_that_close_in_one_instant_are_one_step() {
        let (f, _) = TradeFigures::of(&[trade(1, -10), trade(1, 15), trade(2, 5), trade(3, 5)]);
        assert_eq!((f.trades, f.steps), (4, 3));
        assert_eq!((f.longest_winning_streak, f.longest_losing_streak), (3, 0));
        assert_eq!(f.sqn, None, "three equal steps");
    }

    #[test]
    fn what_is_undefined_is_null_and_says_why() {
        let (none, undefined) = TradeFigures::of(&[]);
        assert_eq!((none.win_rate, none.profit_factor, none.sqn), (None, None, None));
        let reason =
            |of: &[Undefined], metric| of.iter().find(|u| u.metric == metric).map(|u| u.reason);
        assert_eq!(reason(&undefined, "profit_factor"), Some("no trade"));
        let (won, undefined) = TradeFigures::of(&[trade(1, 5)]);
        assert_eq!((won.profit_factor, won.average_loss), (None, None));
        assert_eq!(reason(&undefined, "profit_factor"), Some("no trade lost"));
        let unknown = Closed { slippage: None, ..trade(1, 5) };
        assert_eq!(TradeFigures::of(&[unknown]).0.slippage, None);
    }
}
