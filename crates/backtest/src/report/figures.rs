//! The figures of a backtest, by the formulas of `ledger::statistics`.

use crate::decoded::{Market, Tape};
use crate::gaps::Gap;
use crate::recorded::Recorded;
use crate::run::Outcome;
use domain::{Amount, Currency, DataGrade, MarketEvent, Rate, Round, Timestamp};
use ledger::statistics::freqtrade::Freqtrade;
use ledger::statistics::sharpe::Confidence;
use ledger::statistics::{Closed, Drawdown, TradeFigures, Undefined};
use serde::Serialize;
use std::collections::BTreeMap;

/// Gaps that are named one by one; their number is told in any case.
const GAPS_NAMED: usize = 100;

/// What was run over.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Data {
    pub grade: DataGrade,
    pub from: Timestamp,
    pub to: Timestamp,
    pub gaps: Vec<Gap>,
    /// All of them, also those that are not named.
    pub gaps_total: usize,
    pub inputs: u64,
    pub markets: Vec<DataMarket>,
    /// What was odd about the data and let pass, and what is not in the lists.
    pub notes: Vec<String>,
}

/// One market of it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct DataMarket {
    pub exchange: domain::Exchange,
    pub symbol: domain::Symbol,
    pub timeframe: domain::Timeframe,
    pub bars: usize,
    /// Assumed of bars, which show none.
    pub half_spread_bp: u32,
    pub fee_maker: Rate,
    pub fee_taker: Rate,
    pub fee_source: String,
    pub files: Vec<String>,
}

impl Data {
    /// Of a tape as far as it was run.
    pub fn of(tape: &Tape, outcome: &Outcome) -> Self {
        let (from, to) = outcome.span;
        let inside = |gap: &&Gap| gap.until > from && gap.from < to;
        let gaps: Vec<&Gap> = tape.gaps().map(|(_, gap)| gap).filter(inside).collect();
        let market = |m: &Market| DataMarket {
            exchange: m.instrument.exchange,
            symbol: m.instrument.symbol,
            timeframe: m.timeframe,
            bars: m.bars.len(),
            half_spread_bp: m.half_spread_bp,
            fee_maker: m.instrument.fees.maker,
            fee_taker: m.instrument.fees.taker,
            fee_source: m.instrument.fees.source.clone(),
            files: m.files.clone(),
        };
        Self {
            grade: tape.grade(),
            from,
            to,
            gaps_total: gaps.len(),
            gaps: gaps.into_iter().take(GAPS_NAMED).cloned().collect(),
            inputs: outcome.inputs,
            markets: tape.markets.iter().map(market).collect(),
            notes: notes(tape, outcome),
        }
    }
}

fn notes(tape: &Tape, outcome: &Outcome) -> Vec<String> {
    let mut notes: Vec<String> = tape.markets.iter().flat_map(|m| m.notes.clone()).collect();
    if outcome.fills_left_out > 0 {
        let (kept, more) = (outcome.fills.len(), outcome.fills_left_out);
        notes.push(format!("fills: the first {kept} are listed, {more} more are only counted"));
    }
    if outcome.equity_stride > 1 {
        let stride = outcome.equity_stride;
        notes.push(format!("equity: one point in {stride} is listed, figures are of all"));
    }
    notes
}

/// What simply buying at the start and selling at the end would have made, fees and spread paid.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BuyAndHold {
    pub profit: Option<Amount>,
    pub total_return: Option<f64>,
}

/// Everything that is worked out of an outcome; undefined is `null` and named.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // each by its formula in docs/statistics.md
pub struct Figures {
    pub currency: Option<Currency>,
    pub capital: Amount,
    pub final_equity: Amount,
    /// Of closed and open positions, fees paid so far taken off.
    pub profit: Amount,
    #[serde(flatten)]
    pub trades: TradeFigures,
    pub days: u64,
    pub total_return: Option<f64>,
    pub cagr: Option<f64>,
    pub sharpe: Option<f64>,
    pub sortino: Option<f64>,
    pub calmar: Option<f64>,
    pub max_drawdown: Option<Amount>,
    pub max_drawdown_percent: Option<f64>,
    pub max_drawdown_duration_s: Option<i64>,
    pub max_drawdown_from: Option<Timestamp>,
    pub max_drawdown_to: Option<Timestamp>,
    pub exposure: Option<f64>,
    pub turnover_per_equity: Option<f64>,
    pub confidence: Confidence,
    pub buy_and_hold: BuyAndHold,
    pub freqtrade: Freqtrade,
    pub orders: u64,
    pub refusals: BTreeMap<&'static str, u64>,
    pub undefined: Vec<Undefined>,
}

impl Figures {
    /// Of an outcome, picked among `variants` whose Sharpe ratios a day scatter like this.
    pub fn of(tape: &Tape, outcome: &Outcome, variants: u64, scatter: Option<f64>) -> Self {
        let closed: Vec<Closed> = outcome.trades.iter().map(Closed::from).collect();
        let (trades, mut undefined) = TradeFigures::of(&closed);
        let returns = outcome.days.returns();
        let (drawdown, why) = outcome.curve.drawdown();
        // Drawdowns are those marked at each bar, not those of daily closes.
        let replaced = ["max_drawdown", "max_drawdown_percent", "calmar"];
        let daily = returns.undefined.iter().filter(|u| !replaced.contains(&u.metric));
        undefined.extend(daily.cloned());
        undefined.extend(why);
        let calmar = calmar(returns.cagr, &drawdown, &mut undefined);
        let final_equity = outcome.curve.ends().map_or(outcome.capital, |(_, last)| last.1);
        let (from, to) = outcome.span;
        let held = outcome.held;
        let mean = outcome.curve.mean().filter(|mean| *mean > 0.0);
        let turnover = trades.turnover.to_f64();
        Self {
            currency: outcome.currency,
            capital: outcome.capital,
            final_equity,
            profit: final_equity - outcome.capital,
            trades,
            days: returns.days,
            total_return: final_equity.ratio(outcome.capital).map(|ratio| ratio - 1.0),
            cagr: returns.cagr,
            sharpe: returns.sharpe,
            sortino: returns.sortino,
            calmar,
            max_drawdown: drawdown.max_drawdown,
            max_drawdown_percent: drawdown.max_drawdown_share.map(|share| share * 100.0),
            max_drawdown_duration_s: drawdown.longest_s,
            max_drawdown_from: drawdown.peak_at,
            max_drawdown_to: drawdown.trough_at,
            exposure: (held.1 > 0).then(|| held.0 as f64 / held.1 as f64),
            turnover_per_equity: mean.map(|mean| turnover / mean),
            confidence: Confidence::of(&outcome.days.daily(), variants, scatter),
            buy_and_hold: BuyAndHold::of(tape, outcome),
            freqtrade: Freqtrade::of(&closed, outcome.capital, from, to),
            orders: outcome.orders,
            refusals: outcome.refusals.clone(),
            undefined,
        }
    }
}

fn calmar(cagr: Option<f64>, drawdown: &Drawdown, why: &mut Vec<Undefined>) -> Option<f64> {
    let share = drawdown.max_drawdown_share.filter(|share| *share > 0.0);
    let reason = if share.is_none() { "no drawdown" } else { "no day has a return yet" };
    let found = cagr.zip(share).map(|(cagr, share)| cagr / share).filter(|c| c.is_finite());
    if found.is_none() {
        why.push(Undefined { metric: "calmar", reason });
    }
    found
}

impl BuyAndHold {
    /// All capital, in equal parts into every market of the tape.
    fn of(tape: &Tape, outcome: &Outcome) -> Self {
        let (from, to) = outcome.span;
        let found: Option<Vec<f64>> =
            tape.markets.iter().map(|market| grown(tape, market, from, to)).collect();
        let mean = found.filter(|all| !all.is_empty());
        let total = mean.map(|all| all.iter().sum::<f64>() / all.len() as f64 - 1.0);
        let profit = total.and_then(|t| Amount::from_f64(t * outcome.capital.to_f64()));
        Self { profit, total_return: total }
    }
}

/// What one unit becomes: bought at the first price, sold at the last, taker fees and half the
/// spread paid twice.
fn grown(tape: &Tape, market: &Market, from: Timestamp, to: Timestamp) -> Option<f64> {
    let (first, last) = match tape.is_of_bars() {
        true => {
            let inside = |b: &&domain::Bar| b.open_at >= from && b.open_at < to;
            let first = market.bars.iter().find(inside)?;
            (first.open.0, market.bars.iter().rev().find(inside)?.close.0)
        }
        false => {
            let place = tape.markets.iter().position(|m| std::ptr::eq(m, market))?;
            let price = |e: &Recorded| match &e.event {
                MarketEvent::Print(p) if e.instrument == place => Some(p.price.0),
                _ => None,
            };
            let is_inside = |e: &Recorded| e.at >= from && e.at <= to;
            let mut inside = tape.events.play_near(from).filter(is_inside);
            let first = inside.find_map(|e| price(&e))?;
            (first, tape.events.newest(|e| price(e).filter(|_| is_inside(e)))?)
        }
    };
    let cost = f64::from(market.half_spread_bp) / 1e4;
    let fee = market.instrument.fees.taker.to_f64();
    let ratio = (last as f64 * (1.0 - cost)) / (first as f64 * (1.0 + cost));
    // A fee in base takes its part of what is bought, one in quote is paid on top.
    let bought = match market.instrument.fees.in_received {
        true => 1.0 - fee,
        false => 1.0 / (1.0 + fee),
    };
    Some(bought * ratio * (1.0 - fee))
}

impl Figures {
    /// Figures in words, the grade of the data first.
    pub(super) fn text(&self, data: &Data) -> String {
        let mut text = format!("{}\n", headline(data));
        data.notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
        for (name, value) in self.rows() {
            text.push_str(&format!("{name:<34} {value}\n"));
        }
        text
    }

    /// Each figure by its name, as people read it; a dash where it is not defined.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let unit = self.currency.map(|c| c.to_string()).unwrap_or_default();
        let money = |a: Amount| format!("{} {unit}", cents(a));
        let some = |a: Option<Amount>| a.map_or(DASH.to_owned(), money);
        let ratio = |r: Option<f64>| r.map_or(DASH.to_owned(), |r| format!("{r:.2}"));
        let share = |r: Option<f64>| r.map_or(DASH.to_owned(), |r| format!("{:.2} %", r * 100.0));
        let bp = |r: Option<f64>| r.map_or(DASH.to_owned(), |r| format!("{r:.1} bp"));
        let days = |s: Option<i64>| {
            s.map_or(DASH.to_owned(), |s| format!("{:.1} days", s as f64 / 86_400.0))
        };
        let (t, f) = (&self.trades, &self.freqtrade);
        let row = |name: &str, value: String| (name.to_owned(), value);
        let mut rows = vec![
            row("Profit", money(self.profit)),
            row("Return", share(self.total_return)),
            row("Buy and hold after fees", share(self.buy_and_hold.total_return)),
            row("CAGR", share(self.cagr)),
            row("Maximum drawdown", self.drawdown_words(&unit)),
            row("Longest drawdown", days(self.max_drawdown_duration_s)),
            row("Sharpe", ratio(self.sharpe)),
            row("Probability that Sharpe > 0", share(self.confidence.probability)),
            row(
                &format!("…after the best of {}", self.confidence.variants),
                share(self.confidence.deflated),
            ),
            row("Sortino", ratio(self.sortino)),
            row("Calmar", ratio(self.calmar)),
            row("SQN", ratio(t.sqn)),
            row("Trades (won, lost)", format!("{} ({}, {})", t.trades, t.wins, t.losses)),
            row("Win rate", share(t.win_rate)),
            row("Profit factor", ratio(t.profit_factor)),
            row("Expectancy", some(t.expectancy)),
            row("Expectancy ratio", ratio(t.expectancy_ratio)),
            row("Average win, average loss", both(some(t.average_win), some(t.average_loss))),
            row("Best, worst trade", both(some(t.best_trade), some(t.worst_trade))),
            row(
                "Longest streak won, lost",
                format!("{}, {}", t.longest_winning_streak, t.longest_losing_streak),
            ),
            row("Gross profit of trades", money(t.gross_profit)),
            row("Fees", both(money(t.fees), bp(t.fees_bp))),
            row("Fee share of gross wins", share(t.fee_share)),
            row("Slippage", both(some(t.slippage), bp(t.slippage_bp))),
            row("Turnover / mean equity", ratio(self.turnover_per_equity)),
            row("Exposure", share(self.exposure)),
        ];
        let theirs = [("Sharpe", f.sharpe), ("Sortino", f.sortino), ("Calmar", f.calmar)];
        rows.extend(theirs.map(|(n, v)| row(&format!("{n} (freqtrade's)"), ratio(v))));
        let account = f.max_drawdown_account;
        rows.push(row("Drawdown of closed (freqtrade's)", share(account)));
        for (code, count) in &self.refusals {
            rows.push(row(&format!("Refused: {code}"), count.to_string()));
        }
        rows
    }

    fn drawdown_words(&self, unit: &str) -> String {
        match (self.max_drawdown, self.max_drawdown_percent) {
            (Some(fall), Some(percent)) => format!("{percent:.2} % / {} {unit}", cents(fall)),
            _ => DASH.to_owned(),
        }
    }
}

/// What is not defined.
const DASH: &str = "–";

fn both(a: String, b: String) -> String {
    format!("{a}, {b}")
}

/// Two decimals are enough for people; smaller sums keep their first digits.
pub(super) fn cents(amount: Amount) -> String {
    let places = if amount.abs() < Amount::ONE { 6 } else { 2 };
    let rounded = amount.to_scaled(places, Round::Down).unwrap_or_default();
    Amount::from_scaled(i128::from(rounded), places, Round::Down).to_string()
}

/// The first line of everything: the grade of the data, its span and its gaps.
pub fn headline(data: &Data) -> String {
    let grade = serde_json::to_value(data.grade).ok();
    let grade = grade.as_ref().and_then(|g| g.as_str()).unwrap_or("unknown").to_owned();
    let meaning = match data.grade {
        DataGrade::Bars => ": closed bars alone, fills are pessimistic assumptions",
        _ => "",
    };
    let day = |at: Timestamp| at.to_string().chars().take(16).collect::<String>().replace('T', " ");
    let gaps = match data.gaps_total {
        0 => "no gap".to_owned(),
        n => format!("{n} gaps"),
    };
    format!("data grade {grade}{meaning}; {} to {} UTC, {gaps}", day(data.from), day(data.to))
}
