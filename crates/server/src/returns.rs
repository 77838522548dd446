//! Daily returns of flow-adjusted equity, and the ratios made from them: `docs/statistics.md`.

use domain::{Amount, BotId, Timestamp};
use engine::EquityRecord;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Days of a year: crypto trades on all of them.
const YEAR: f64 = 365.0;

/// Why a figure is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Undefined {
    pub(crate) metric: &'static str,
    pub(crate) reason: &'static str,
}

/// Ratios of daily returns; undefined is `null`, and says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Returns {
    pub(crate) days: u64,
    pub(crate) days_unknown: u64,
    pub(crate) total_return: Option<f64>,
    pub(crate) sharpe: Option<f64>,
    pub(crate) sortino: Option<f64>,
    pub(crate) cagr: Option<f64>,
    pub(crate) calmar: Option<f64>,
    pub(crate) max_drawdown: Option<Amount>,
    pub(crate) max_drawdown_percent: Option<f64>,
    pub(crate) undefined: Vec<Undefined>,
}

/// What is known of one UTC day of a group of bots in one currency.
#[derive(Clone, Debug, Default)]
struct Day {
    /// The last known equity of each bot.
    closes: BTreeMap<BotId, Amount>,
    /// Capital given.
    inflow: Amount,
    /// Capital returned.
    outflow: Amount,
    /// Bots that were given their capital today.
    born: BTreeSet<BotId>,
}

/// A day's end, as far as it is known.
struct Close {
    /// Days since the one before.
    days: u64,
    profit: Amount,
    factor: f64,
}

/// The days of one group of bots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(BTreeMap<Timestamp, Day>);

impl Series {
    /// Takes the last known point of a bot's day.
    pub(crate) fn close(&mut self, point: &EquityRecord) {
        let day = self.0.entry(point.at.day()).or_default();
        day.closes.extend(point.equity.map(|equity| (point.bot_id, equity)));
    }

    /// Takes a point at which capital moved.
    pub(crate) fn flow(&mut self, point: &EquityRecord) {
        let day = self.0.entry(point.at.day()).or_default();
        if point.flow.is_positive() {
            day.inflow += point.flow;
            day.born.insert(point.bot_id);
        } else {
            day.outflow += point.flow.abs();
        }
    }

    /// The ratios of its daily returns.
    pub(crate) fn returns(&self) -> Returns {
        let (closes, days_unknown) = self.closes();
        let returns: Vec<f64> = closes.iter().map(|close| close.factor - 1.0).collect();
        let days: u64 = closes.iter().map(|close| close.days).sum();
        let mut figures = Returns { days, days_unknown, ..Returns::default() };
        let mut undefined = Vec::new();
        let mut told = |metric, figure: Result<f64, &'static str>| {
            let finite = figure.and_then(|f| f.is_finite().then_some(f).ok_or("out of range"));
            finite.map_err(|reason| undefined.push(Undefined { metric, reason })).ok()
        };
        let growth: f64 = closes.iter().map(|close| close.factor).product();
        let total = if returns.is_empty() { Err(NO_DAY) } else { Ok(growth - 1.0) };
        figures.total_return = told("total_return", total);
        figures.sharpe = told("sharpe", sharpe(&returns));
        figures.sortino = told("sortino", sortino(&returns));
        let cagr = total.map(|total| (1.0 + total).powf(YEAR / days as f64) - 1.0);
        figures.cagr = told("cagr", cagr);
        let drawdown = drawdown(&closes);
        figures.calmar = told("calmar", calmar(cagr, drawdown.map(|d| d.1)));
        let relative = drawdown.map(|d| d.1 * 100.0).ok_or(NO_DAY);
        figures.max_drawdown_percent = told("max_drawdown_percent", relative);
        figures.max_drawdown = drawdown.map(|d| d.0);
        if drawdown.is_none() {
            undefined.push(Undefined { metric: "max_drawdown", reason: NO_DAY });
        }
        figures.undefined = undefined;
        figures
    }

    /// The ends of all days that are known, and how many days are not.
    ///
    /// A day is known where every bot's equity is; the return after unknown days covers them.
    /// Zero needs no further point: nothing can be lost or won with it.
    fn closes(&self) -> (Vec<Close>, u64) {
        let (Some(first), Some(last)) = (self.0.keys().next(), self.0.keys().next_back()) else {
            return (Vec::new(), 0);
        };
        let mut held = self.older();
        // What was there before the first day: nothing, unless a bot is older than the window.
        let mut before = held.is_empty().then_some(Amount::ZERO);
        let (mut closes, mut unknown, mut waiting) = (Vec::new(), 0, 0);
        let (mut inflow, mut outflow) = (Amount::ZERO, Amount::ZERO);
        let (empty, mut date) = (Day::default(), *first);
        while date <= *last {
            let day = self.0.get(&date).unwrap_or(&empty);
            date = date + Timestamp::DAY;
            (inflow, outflow, waiting) = (inflow + day.inflow, outflow + day.outflow, waiting + 1);
            let Some(now) = day.end(&mut held) else {
                unknown += 1;
                continue;
            };
            // Capital given works the whole day, capital returned worked until its end.
            let ratio = before.and_then(|before| (now + outflow).ratio(before + inflow));
            if let (Some(before), Some(factor)) = (before, ratio) {
                let profit = now + outflow - inflow - before;
                closes.push(Close { days: waiting, profit, factor });
            }
            before = Some(now);
            (inflow, outflow, waiting) = (Amount::ZERO, Amount::ZERO, 0);
        }
        (closes, unknown)
    }

    /// Bots that had their capital before the window began, with nothing known of them yet.
    fn older(&self) -> BTreeMap<BotId, Option<Amount>> {
        let mut born: BTreeSet<BotId> = BTreeSet::new();
        let mut older = BTreeMap::new();
        for day in self.0.values() {
            born.extend(&day.born);
            let strange = day.closes.keys().filter(|bot| !born.contains(bot));
            older.extend(strange.map(|bot| (*bot, None)));
        }
        older
    }
}

impl Day {
    /// Follows what each bot has to the end of this day: its sum, where all of it is known.
    fn end(&self, held: &mut BTreeMap<BotId, Option<Amount>>) -> Option<Amount> {
        held.extend(self.born.iter().map(|bot| (*bot, None)));
        // What is not known today is not taken from yesterday, except for nothing.
        for (bot, equity) in held.iter_mut() {
            let stays = equity.filter(|equity| equity.is_zero());
            *equity = self.closes.get(bot).copied().or(stays);
        }
        held.values().copied().sum()
    }
}

const NO_DAY: &str = "no day has a return yet";
const ONE_DAY: &str = "fewer than two days have a return";

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean / standard deviation (n − 1) × √365; risk-free 0.
fn sharpe(returns: &[f64]) -> Result<f64, &'static str> {
    if returns.len() < 2 {
        return Err(ONE_DAY);
    }
    let mean = mean(returns);
    let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
    let deviation = (squares / (returns.len() - 1) as f64).sqrt();
    if deviation > 0.0 { Ok(mean / deviation * YEAR.sqrt()) } else { Err("no day differs") }
}

/// Mean / root mean square of the negative returns over all days × √365.
fn sortino(returns: &[f64]) -> Result<f64, &'static str> {
    if returns.len() < 2 {
        return Err(ONE_DAY);
    }
    let squares: f64 = returns.iter().map(|r| r.min(0.0).powi(2)).sum();
    let downside = (squares / returns.len() as f64).sqrt();
    if downside > 0.0 { Ok(mean(returns) / downside * YEAR.sqrt()) } else { Err("no day lost") }
}

fn calmar(cagr: Result<f64, &'static str>, drawdown: Option<f64>) -> Result<f64, &'static str> {
    match (cagr?, drawdown) {
        (cagr, Some(drawdown)) if drawdown > 0.0 => Ok(cagr / drawdown),
        _ => Err("no drawdown"),
    }
}

/// The largest fall from a peak at the ends of days: of profit in currency, of growth as a share.
fn drawdown(closes: &[Close]) -> Option<(Amount, f64)> {
    let (mut profit, mut top, mut deepest) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
    let (mut growth, mut peak, mut share) = (1.0f64, 1.0f64, 0.0f64);
    for close in closes {
        profit += close.profit;
        top = top.max(profit);
        deepest = deepest.max(top - profit);
        growth *= close.factor;
        peak = peak.max(growth);
        share = share.max(1.0 - growth / peak);
    }
    (!closes.is_empty()).then_some((deepest, share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, Exchange, Mode, Span};

    fn point(bot: u32, day: i64, equity: Option<i64>, flow: i64) -> EquityRecord {
        EquityRecord {
            account_id: AccountId(1),
            bot_id: BotId(bot),
            mode: Mode::Paper,
            exchange: Exchange::Luno,
            currency: "ZAR".parse().unwrap(),
            equity: equity.map(Amount::from_int),
            flow: Amount::from_int(flow),
            at: Timestamp::EPOCH + Span::from_secs(day * 86_400 + 60),
        }
    }

    /// A bot of 100 with these closes; `None`: not known.
    fn series(closes: &[Option<i64>]) -> Series {
        let mut series = Series::default();
        series.flow(&point(1, 0, Some(100), 100));
        for (day, equity) in closes.iter().enumerate() {
            series.close(&point(1, day as i64, *equity, 0));
        }
        series
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("defined");
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn ratios_of_known_days_follow_their_definitions() {
        let r = series(&[Some(200), Some(100), Some(200)]).returns();
        // Returns 1, −0.5, 1: mean 0.5, deviation √0.75, downside √(0.25 / 3).
        near(r.sharpe, 0.5 / 0.75f64.sqrt() * 365f64.sqrt());
        near(r.sortino, 0.5 / (0.25f64 / 3.0).sqrt() * 365f64.sqrt());
        near(r.max_drawdown_percent, 50.0);
        assert_eq!(r.max_drawdown, Some(Amount::from_int(100)));
        let year = 2f64.powf(365.0 / 3.0) - 1.0;
        assert!((r.cagr.unwrap() / year - 1.0).abs() < 1e-9);
        assert!((r.calmar.unwrap() / (year / 0.5) - 1.0).abs() < 1e-9);
        near(r.total_return, 1.0);
        assert_eq!(r.undefined, []);
    }

    #[test]
    fn capital_that_comes_or_goes_is_no_return() {
        let mut both = series(&[Some(110), Some(110), Some(110)]);
        both.flow(&point(2, 1, Some(1_000), 1_000));
        both.close(&point(2, 1, Some(1_000), 0));
        both.flow(&point(2, 2, Some(0), -1_000));
        both.close(&point(2, 2, Some(0), 0));
        let alone = series(&[Some(110), Some(110), Some(110)]).returns();
        let both = both.returns();
        assert_eq!(
            (both.total_return, both.max_drawdown),
            (alone.total_return, alone.max_drawdown)
        );
        near(both.total_return, 0.1);
        near(both.max_drawdown_percent, 0.0);
    }

    #[test]
    fn a_return_after_unknown_days_covers_them() {
        let r = series(&[Some(100), None, None, Some(121)]).returns();
        assert_eq!((r.days, r.days_unknown), (4, 2));
        near(r.total_return, 0.21);
    }

    #[test]
    fn a_window_begins_at_the_close_before_it() {
        let mut window = Series::default();
        window.close(&point(1, 5, Some(100), 0));
        window.close(&point(1, 6, Some(90), 0));
        let r = window.returns();
        assert_eq!(r.days, 1);
        near(r.total_return, -0.1);
        near(r.max_drawdown_percent, 10.0);
    }

    #[test]
    fn a_bot_older_than_the_window_is_no_profit_when_it_appears() {
        let mut window = Series::default();
        window.close(&point(1, 5, Some(100), 0));
        window.close(&point(1, 6, Some(100), 0));
        window.close(&point(2, 6, Some(1_000), 0));
        window.close(&point(1, 7, Some(100), 0));
        window.close(&point(2, 7, Some(1_011), 0));
        let r = window.returns();
        assert_eq!((r.days, r.days_unknown), (1, 1));
        near(r.total_return, 0.01);
    }

    #[test]
    fn what_is_undefined_says_why() {
        let none = Series::default().returns();
        assert_eq!((none.sharpe, none.cagr, none.max_drawdown), (None, None, None));
        assert_eq!(none.undefined.len(), 7, "{:?}", none.undefined);
        let gains = series(&[Some(110), Some(132)]).returns();
        let reason = |metric| gains.undefined.iter().find(|u| u.metric == metric).map(|u| u.reason);
        assert_eq!(reason("sortino"), Some("no day lost"));
        assert_eq!(reason("calmar"), Some("no drawdown"));
        assert_eq!(reason("sharpe"), None);
        let flat = series(&[Some(100), Some(100)]).returns();
        assert_eq!((flat.sharpe, flat.sortino, flat.cagr), (None, None, Some(0.0)));
    }
}
