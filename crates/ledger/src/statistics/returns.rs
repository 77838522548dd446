//! Daily returns of flow-adjusted equity, and the ratios made from them: `docs/statistics.md`.

use super::{Figure, Reasons, Undefined, YEAR_DAYS, deviation, mean};
use domain::{Amount, BotId, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Ratios of daily returns; undefined is `null`, and says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)] // each by its formula in docs/statistics.md
pub struct Returns {
    pub days: u64,
    pub days_unknown: u64,
    pub total_return: Option<f64>,
    pub sharpe: Option<f64>,
    pub sortino: Option<f64>,
    pub cagr: Option<f64>,
    pub calmar: Option<f64>,
    pub max_drawdown: Option<Amount>,
    pub max_drawdown_percent: Option<f64>,
    pub undefined: Vec<Undefined>,
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
pub struct Days(BTreeMap<Timestamp, Day>);

impl Days {
    /// Takes the last known equity of a bot's day; a later one of the same day replaces it.
    pub fn close(&mut self, bot: BotId, at: Timestamp, equity: Option<Amount>) {
        let day = self.0.entry(at.day()).or_default();
        day.closes.extend(equity.map(|equity| (bot, equity)));
    }

    /// Takes capital that was given, or returned where it is negative.
    pub fn flow(&mut self, bot: BotId, at: Timestamp, flow: Amount) {
        let day = self.0.entry(at.day()).or_default();
        if flow.is_positive() {
            day.inflow += flow;
            day.born.insert(bot);
        } else {
            day.outflow += flow.abs();
        }
    }

    /// The returns of the days that are known, in order.
    pub fn daily(&self) -> Vec<f64> {
        self.closes().0.iter().map(|close| close.factor - 1.0).collect()
    }

    /// The ratios of its daily returns.
    pub fn returns(&self) -> Returns {
        let (closes, days_unknown) = self.closes();
        let returns: Vec<f64> = closes.iter().map(|close| close.factor - 1.0).collect();
        let days: u64 = closes.iter().map(|close| close.days).sum();
        let mut figures = Returns { days, days_unknown, ..Returns::default() };
        let mut why = Reasons::default();
        let growth: f64 = closes.iter().map(|close| close.factor).product();
        let total = if returns.is_empty() { Err(NO_DAY) } else { Ok(growth - 1.0) };
        figures.total_return = why.told("total_return", total);
        figures.sharpe = why.told("sharpe", sharpe(&returns));
        figures.sortino = why.told("sortino", sortino(&returns));
        let cagr = total.map(|total| (1.0 + total).powf(YEAR_DAYS / days as f64) - 1.0);
        figures.cagr = why.told("cagr", cagr);
        let drawdown = drawdown(&closes);
        figures.calmar = why.told("calmar", calmar(cagr, drawdown.map(|d| d.1)));
        let relative = drawdown.map(|d| d.1 * 100.0).ok_or(NO_DAY);
        figures.max_drawdown_percent = why.told("max_drawdown_percent", relative);
        figures.max_drawdown = why.some("max_drawdown", drawdown.map(|d| d.0), NO_DAY);
        figures.undefined = why.0;
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

/// Mean / standard deviation (n − 1) × √365; risk-free 0.
fn sharpe(returns: &[f64]) -> Figure {
    if returns.len() < 2 {
        return Err(ONE_DAY);
    }
    let spread = deviation(returns, 1.0);
    if spread > 0.0 { Ok(mean(returns) / spread * YEAR_DAYS.sqrt()) } else { Err("no day differs") }
}

/// Mean / root mean square of the negative returns over all days × √365.
fn sortino(returns: &[f64]) -> Figure {
    if returns.len() < 2 {
        return Err(ONE_DAY);
    }
    let squares: f64 = returns.iter().map(|r| r.min(0.0).powi(2)).sum();
    let downside = (squares / returns.len() as f64).sqrt();
    if downside > 0.0 {
        Ok(mean(returns) / downside * YEAR_DAYS.sqrt())
    } else {
        Err("no day lost")
    }
}

fn calmar(cagr: Figure, drawdown: Option<f64>) -> Figure {
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
    use domain::Span;

    fn at(day: i64) -> Timestamp {
        Timestamp::EPOCH + Span::from_secs(day * 86_400 + 60)
    }

    impl Days {
        fn closed(&mut self, bot: u32, day: i64, equity: i64) {
            self.close(BotId(bot), at(day), Some(Amount::from_int(equity)));
        }

        fn flowed(&mut self, bot: u32, day: i64, flow: i64) {
            self.flow(BotId(bot), at(day), Amount::from_int(flow));
        }
    }

    /// A bot of 100 with these closes; `None`: not known.
    fn series(closes: &[Option<i64>]) -> Days {
        let mut series = Days::default();
        series.flowed(1, 0, 100);
        for (day, equity) in closes.iter().enumerate() {
            series.close(BotId(1), at(day as i64), equity.map(Amount::from_int));
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
        both.flowed(2, 1, 1_000);
        both.closed(2, 1, 1_000);
        both.flowed(2, 2, -1_000);
        both.closed(2, 2, 0);
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
        let mut window = Days::default();
        window.closed(1, 5, 100);
        window.closed(1, 6, 90);
        let r = window.returns();
        assert_eq!(r.days, 1);
        near(r.total_return, -0.1);
        near(r.max_drawdown_percent, 10.0);
    }

    #[test]
    fn a_bot_older_than_the_window_is_no_profit_when_it_appears() {
        let mut window = Days::default();
        window.closed(1, 5, 100);
        window.closed(1, 6, 100);
        window.closed(2, 6, 1_000);
        window.closed(1, 7, 100);
        window.closed(2, 7, 1_011);
        let r = window.returns();
        assert_eq!((r.days, r.days_unknown), (1, 1));
        near(r.total_return, 0.01);
    }

    #[test]
    fn what_is_undefined_says_why() {
        let none = Days::default().returns();
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
