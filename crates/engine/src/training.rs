//! What a bot has shown since its training began, and the tests that watch for a change of it.
//!
//! Filled by closed trades and by the five-minute points of equity: a tick costs nothing more. What
//! was covered is counted too low rather than too high: a slice in which the feed or the bot was
//! away counts only from the return.

use crate::bot::Bot;
use crate::markets::Market;
use crate::shard::loss_percent;
use domain::{Amount, DataGrade, Policy, Round, Span, Timestamp, Trade};
use ledger::statistics::sharpe::{Confidence, Moments};
use risk::{Change, Closed, Evidence, Peaks, Protection, Recent, Verdict, frequency};
use serde::{Deserialize, Serialize};

/// A UTC day counts when at least this much of it was covered.
const COVERED_MIN_PERCENT: i64 = 95;
const HOUR: Span = Span::from_secs(3_600);

/// What acts on a bot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finding {
    /// It cools down.
    Protection(Protection),
    /// It is held until a person looks.
    Rogue(Verdict),
    /// A person is told.
    Anomaly(Verdict),
}

/// Time with the feed fresh and the bot armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Coverage {
    day: Timestamp,
    today: Span,
    /// Of days that are over and count.
    counted: Span,
    /// Of all days, for what needs no whole day.
    all: Span,
}

impl Coverage {
    fn add(&mut self, until: Timestamp, span: Span) {
        // A slice that ends at midnight is the old day's.
        let day = Timestamp(until.0 - 1).day();
        if day != self.day {
            self.close_day();
            self.day = day;
        }
        self.today.0 += span.0;
        self.all.0 += span.0;
    }

    fn close_day(&mut self) {
        self.counted.0 += self.counts(Timestamp::DAY).0;
        self.today = Span(0);
    }

    /// Today's part, if it is enough of this much of the day.
    fn counts(&self, of: Span) -> Span {
        let is_enough = self.today.0 >= of.0 / 100 * COVERED_MIN_PERCENT;
        if is_enough { self.today } else { Span(0) }
    }

    fn covered(&self, now: Timestamp) -> Span {
        let elapsed = if now.day() == self.day { now - self.day } else { Timestamp::DAY };
        Span(self.counted.0 + self.counts(elapsed).0)
    }
}

/// Daily returns as sums of their powers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Days {
    day: Timestamp,
    opening: Option<Amount>,
    last: Option<Amount>,
    count: u32,
    sums: [f64; 4],
}

impl Days {
    fn mark(&mut self, at: Timestamp, equity: Option<Amount>) {
        let day = Timestamp(at.0 - 1).day();
        if day != self.day {
            self.close_day();
            self.day = day;
            self.opening = self.last.or(equity);
        }
        self.last = equity.or(self.last);
    }

    fn close_day(&mut self) {
        let (Some(from), Some(to)) = (self.opening, self.last) else { return };
        let gain = (to - from).quotient(from, Round::Down).map(|g| g.to_f64());
        let Some(gain) = gain.filter(|g| g.is_finite()) else { return };
        self.count += 1;
        for (at, sum) in self.sums.iter_mut().enumerate() {
            *sum += gain.powi(at as i32 + 1);
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Training {
    pub(crate) began_at: Timestamp,
    coverage: Coverage,
    days: Days,
    trades: u32,
    wins: u32,
    won: Amount,
    lost: Amount,
    peak: Amount,
    drawdown_percent: Amount,
    recent: Recent,
    /// Trades of the hour that began then.
    hour: (Timestamp, u32),
    change: Change,
    last_hour: Peaks,
    lookback: Peaks,
}

impl Training {
    /// From now on.
    pub(crate) fn new(at: Timestamp) -> Self {
        Self { began_at: at, ..Self::default() }
    }

    /// A trade closed; says what acts on it.
    pub(crate) fn close(
        &mut self,
        trade: &Trade,
        capital: Amount,
        policy: &Policy,
    ) -> [Option<Finding>; 2] {
        let (at, profit) = (trade.timestamp, trade.profit_loss);
        if counts(trade.grade) {
            self.trades += 1;
            self.wins += u32::from(profit.is_positive());
            self.won += profit.or_zero();
            self.lost += (-profit).or_zero();
        }
        if at >= self.hour.0 + HOUR {
            self.hour = (at.floor(HOUR), 0);
        }
        self.hour.1 += 1;
        let anomaly = self.anomaly(profit, capital, policy).map(Finding::Anomaly);
        let is_stop =
            matches!(trade.exit_reason, domain::ExitReason::Stop | domain::ExitReason::Trail);
        let closed = Closed { at, profit, is_stop };
        let protection = self.recent.close(closed, capital, policy).map(Finding::Protection);
        [anomaly, protection]
    }

    /// Does it behave as it always did?
    fn anomaly(&mut self, profit: Amount, capital: Amount, policy: &Policy) -> Option<Verdict> {
        if policy.anomaly_trades_min == 0 {
            return None;
        }
        let gain = profit.quotient(capital, Round::Down).map(|g| g.to_f64());
        let change = gain.and_then(|gain| self.change.take(gain));
        let hours = self.coverage.all.0 as f64 / HOUR.0 as f64;
        let verdict = frequency(self.hour.1, self.trades, hours).or(change);
        verdict.filter(|_| self.trades >= policy.anomaly_trades_min)
    }

    /// A point of equity on the five-minute grid.
    pub(crate) fn mark(
        &mut self,
        at: Timestamp,
        equity: Option<Amount>,
        covered: Span,
        policy: &Policy,
    ) -> Option<Finding> {
        self.coverage.add(at, covered);
        self.days.mark(at, equity);
        self.judge(at, equity?, policy)
    }

    /// Its equity is known: peaks move, falls are judged.
    fn judge(&mut self, at: Timestamp, equity: Amount, policy: &Policy) -> Option<Finding> {
        self.peak = self.peak.max(equity);
        self.drawdown_percent = self.drawdown_percent.max(loss_percent(self.peak, equity));
        let lost = self.last_hour.fall(at, equity, HOUR);
        let lookback = Span::from_secs(i64::from(policy.max_drawdown_lookback_s));
        let drawdown_percent = self.lookback.fall(at, equity, lookback);
        if lost > policy.rogue_loss_percent {
            return Some(Finding::Rogue(Verdict {
                statistic: "loss in an hour, percent",
                value: lost.to_f64(),
                threshold: policy.rogue_loss_percent.to_f64(),
            }));
        }
        let maximum_percent = policy.max_drawdown_percent;
        let is_deep = maximum_percent.is_positive() && drawdown_percent >= maximum_percent;
        let protection = Protection::MaxDrawdown { drawdown_percent, maximum_percent };
        is_deep.then_some(Finding::Protection(protection))
    }

    /// Capital came or left: every equity that is remembered moves in proportion.
    pub(crate) fn capital_moved(&mut self, before: Amount, after: Amount) {
        let scale = |equity: Amount| in_proportion(equity, before, after);
        self.peak = in_proportion(self.peak, before, after);
        self.days.opening = self.days.opening.map(scale);
        self.days.last = self.days.last.map(scale);
        self.last_hour.rescale(scale);
        self.lookback.rescale(scale);
    }

    /// Time with the feed fresh and the bot armed, of all days.
    pub(crate) const fn covered_ever(&self) -> Span {
        self.coverage.all
    }

    /// Its books are others from now on: what they are worth is no change of what it earned.
    pub(crate) fn rebase(&mut self) {
        self.days.close_day();
        (self.days.opening, self.days.last, self.peak) = (None, None, Amount::ZERO);
        self.last_hour.clear();
        self.lookback.clear();
    }

    /// What acted once does not act again on the same trades.
    pub(crate) fn atone(&mut self, finding: &Finding) {
        match finding {
            Finding::Protection(Protection::MaxDrawdown { .. }) => self.lookback.clear(),
            Finding::Protection(_) => self.recent.clear(),
            Finding::Rogue(_) => self.last_hour.clear(),
            Finding::Anomaly(_) => {
                self.change.clear();
                self.hour.1 = 0;
            }
        }
    }

    /// Returns of days, and how many it takes until they prove that much; `None`: never at this
    /// pace, or too few to say.
    pub(crate) fn days_until(&self, percent: Amount, variants: u64) -> Option<f64> {
        let moments = Moments::of_sums(self.days.count, self.days.sums)?;
        let days = moments.returns_until(percent.to_f64() / 100.0, variants)?;
        Some((days - moments.n).max(0.0))
    }

    /// What it is worth at the live gate, picked among so many variants, of which chance alone would
    /// show that.
    pub(crate) fn evidence(&self, now: Timestamp, (variants, chance): (u64, f64)) -> Evidence {
        let moments = Moments::of_sums(self.days.count, self.days.sums);
        let sure = moments.map(|m| Confidence::by_chance(&m, variants, chance)).unwrap_or_default();
        Evidence {
            covered: self.coverage.covered(now),
            trades: self.trades,
            wins: self.wins,
            won: self.won,
            lost: self.lost,
            drawdown_percent: self.drawdown_percent,
            probability: sure.probability,
            deflated: sure.deflated,
        }
    }
}

/// An equity of before, as it would be had the capital been what it is after.
pub(crate) fn in_proportion(equity: Amount, before: Amount, after: Amount) -> Amount {
    let scaled = equity.product(after, Round::Up).and_then(|e| e.quotient(before, Round::Up));
    // Too large to be multiplied: then the difference is as good.
    scaled.unwrap_or(equity + after - before)
}

/// Trades on data with holes, or on quotes that were only polled, prove nothing about live.
const fn counts(grade: DataGrade) -> bool {
    matches!(grade, DataGrade::L3 | DataGrade::L2Trades | DataGrade::L1Trades)
}

/// How much of the slice before `at` was covered.
pub(crate) fn covered(bot: &Bot, market: &Market, at: Timestamp, slice: Span) -> Span {
    let (true, true, Some(fresh_since)) =
        (bot.is_armed(), bot.last_decision_at.is_some(), market.fresh_since)
    else {
        return Span(0);
    };
    let from = (at - slice).max(fresh_since).max(bot.armed_since).max(bot.training.began_at);
    Span((at - from).0.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, second: i64) -> Timestamp {
        Timestamp::EPOCH + Span::from_secs(day * 86_400 + second)
    }

    fn slices(coverage: &mut Coverage, day: i64, seconds: std::ops::Range<i64>) {
        for end in (seconds.start + 300..=seconds.end).step_by(300) {
            coverage.add(at(day, end), Span::from_secs(300));
        }
    }

    #[test]
    fn a_day_counts_when_nineteen_twentieths_of_it_are_covered() {
        let mut coverage = Coverage::default();
        slices(&mut coverage, 10, 0..86_400);
        assert_eq!(coverage.covered(at(11, 0)), Span::from_secs(86_400));
        // Eighty minutes away are more than a twentieth.
        slices(&mut coverage, 11, 4_800..86_400);
        assert_eq!(coverage.covered(at(12, 0)), Span::from_secs(86_400));
        slices(&mut coverage, 12, 3_600..86_400);
        assert_eq!(coverage.covered(at(13, 0)), Span::from_secs(86_400 + 82_800));
    }

    #[test]
    fn a_day_in_progress_counts_by_what_is_over_of_it() {
        let mut coverage = Coverage::default();
        slices(&mut coverage, 10, 0..43_200);
        assert_eq!(coverage.covered(at(10, 43_200)), Span::from_secs(43_200));
        assert_eq!(coverage.covered(at(10, 50_000)), Span(0), "silent since noon");
    }

    #[test]
    fn daily_returns_need_two_days_ends_and_carry_over_what_is_not_known() {
        let mut days = Days::default();
        let mark = |days: &mut Days, day, second, equity: i64| {
            days.mark(at(day, second), Some(Amount::from_int(equity)));
        };
        mark(&mut days, 10, 300, 100);
        mark(&mut days, 10, 86_400, 110);
        days.mark(at(11, 300), None);
        mark(&mut days, 11, 86_400, 99);
        mark(&mut days, 12, 300, 99);
        assert_eq!(days.count, 2);
        assert!((days.sums[0] - (0.1 - 0.1)).abs() < 1e-9, "{:?}", days.sums);
    }
}
