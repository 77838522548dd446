//! The curve of an account: what its bots are worth together, by currency, and how far that is
//! below its peak.
//!
//! Money that comes or goes is neither gain nor loss: the fall is that of a unit's value.

use domain::{Amount, BotId, Currency, Span, Timestamp};
use engine::EquityRecord;
use serde::Serialize;
use std::collections::BTreeMap;

/// Bots record their equity at this pace; points of one stride make one point here.
pub(crate) const STRIDE: Span = Span::from_secs(300);

/// What all bots of one currency are worth at one time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    /// The latest record in it.
    pub(crate) at: Timestamp,
    /// `None`: of one of them it is not known.
    pub(crate) equity: Option<Amount>,
    /// Capital given minus returned since the point before.
    pub(crate) flow: Amount,
    /// Below the highest value of a unit so far.
    pub(crate) drawdown_percent: Option<f64>,
}

/// The points of one currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Curve {
    pub(crate) currency: Currency,
    pub(crate) points: Vec<Point>,
}

/// Records of many bots, in any order, as one curve a currency.
pub(crate) fn curves(records: &[EquityRecord]) -> Vec<Curve> {
    let mut strides: BTreeMap<(Currency, Timestamp), Vec<&EquityRecord>> = BTreeMap::new();
    for record in records {
        strides.entry((record.currency, record.at.floor(STRIDE))).or_default().push(record);
    }
    let mut curves: BTreeMap<Currency, (Sum, Vec<Point>)> = BTreeMap::new();
    for ((currency, _), mut of_stride) in strides {
        of_stride.sort_by_key(|record| record.at);
        let (sum, points) = curves.entry(currency).or_default();
        points.extend(sum.step(&of_stride));
    }
    let curve = |(currency, (_, points))| Curve { currency, points };
    curves.into_iter().map(curve).collect()
}

/// How far one bot is below its peak at each of its records, oldest first.
pub(crate) fn falls(records: &[EquityRecord]) -> Vec<Option<f64>> {
    let mut sum = Sum::default();
    let fall = |record| sum.step(&[record]).and_then(|point| point.drawdown_percent);
    records.iter().map(fall).collect()
}

/// What a unit of one bot gained since its first record, in percent, oldest first.
pub(crate) fn units(records: &[EquityRecord]) -> Vec<(Timestamp, f64)> {
    let mut sum = Sum::default();
    let mut gain = |record: &EquityRecord| {
        let is_known = sum.step(&[record])?.equity.is_some();
        is_known.then_some((record.at, (sum.unit - 1.0) * 100.0))
    };
    records.iter().filter_map(&mut gain).collect()
}

/// The state along one curve.
#[derive(Debug)]
struct Sum {
    last: BTreeMap<BotId, Option<Amount>>,
    /// Known equity before, and what flowed since.
    before: Option<Amount>,
    flowed: Amount,
    unit: f64,
    peak: f64,
}

impl Default for Sum {
    fn default() -> Self {
        let (last, before, flowed) = (BTreeMap::new(), None, Amount::ZERO);
        Self { last, before, flowed, unit: 1.0, peak: 1.0 }
    }
}

impl Sum {
    fn step(&mut self, records: &[&EquityRecord]) -> Option<Point> {
        let mut flow = Amount::ZERO;
        for record in records {
            let seen = self.last.insert(record.bot_id, record.equity).flatten();
            // What a bot brings into view is no gain, wherever the stretch begins.
            flow += if seen.is_none() { record.equity.unwrap_or(record.flow) } else { record.flow };
        }
        let equity = self.last.values().copied().sum::<Option<Amount>>();
        self.flowed += flow;
        let drawdown_percent = equity.map(|equity| self.fall(equity));
        let at = records.last()?.at;
        Some(Point { at, equity, flow, drawdown_percent })
    }

    /// Moves the unit's value on; its distance from the peak in percent.
    fn fall(&mut self, equity: Amount) -> f64 {
        let earned = (equity - self.flowed).to_f64();
        if let Some(before) = self.before.map(Amount::to_f64).filter(|before| *before > 0.0) {
            self.unit *= (earned / before).max(0.0);
        }
        (self.before, self.flowed) = (Some(equity), Amount::ZERO);
        self.peak = self.peak.max(self.unit);
        (1.0 - self.unit / self.peak) * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, Exchange, Mode};

    fn record(bot: u32, minute: i64, equity: Option<i64>, flow: i64) -> EquityRecord {
        EquityRecord {
            account_id: AccountId(1),
            bot_id: BotId(bot),
            mode: Mode::Paper,
            exchange: Exchange::Luno,
            currency: "ZAR".parse().unwrap(),
            equity: equity.map(Amount::from_int),
            flow: Amount::from_int(flow),
            at: Timestamp::EPOCH + Span::from_secs(60 * minute),
        }
    }

    /// Equity and drawdown of each point.
    fn shown(records: &[EquityRecord]) -> Vec<(Option<i64>, Option<f64>)> {
        let curves = curves(records);
        let whole = |amount: Amount| amount.to_scaled(0, domain::Round::Down).unwrap();
        let points = curves.iter().flat_map(|curve| &curve.points);
        points.map(|p| (p.equity.map(whole), p.drawdown_percent.map(|d| d.round()))).collect()
    }

    #[test]
    fn bots_add_up_and_a_loss_is_a_fall_from_the_peak() {
        let records = [
            record(1, 0, Some(100), 100),
            record(2, 1, Some(100), 100),
            record(1, 5, Some(120), 0),
            record(1, 10, Some(76), 0),
        ];
        let expected = [(Some(200), Some(0.0)), (Some(220), Some(0.0)), (Some(176), Some(20.0))];
        assert_eq!(shown(&records), expected);
    }

    #[test]
    fn capital_that_comes_or_goes_is_no_gain_and_no_fall() {
        let records = [
            record(1, 0, Some(100), 0), // in view from before
            record(1, 5, Some(80), 0),
            record(2, 10, Some(500), 500),
            record(2, 15, Some(0), -500),
        ];
        let falls: Vec<Option<f64>> = shown(&records).into_iter().map(|(_, fall)| fall).collect();
        assert_eq!(falls, [Some(0.0), Some(20.0), Some(20.0), Some(20.0)]);
        let one = [record(1, 0, Some(100), 100), record(1, 5, Some(75), 0), record(1, 6, None, 0)];
        assert_eq!(super::falls(&one), [Some(0.0), Some(25.0), None]);
        let gains: Vec<f64> = super::units(&one).into_iter().map(|(_, gain)| gain).collect();
        assert_eq!(gains, [0.0, -25.0]);
    }

    #[test]
    fn one_unknown_mark_makes_the_sum_unknown_and_the_next_known_one_goes_on() {
        let records = [
            record(1, 0, Some(100), 100),
            record(2, 0, Some(100), 100),
            record(2, 5, None, 0),
            record(1, 10, Some(90), 0),
            record(2, 15, Some(100), 0),
        ];
        let equities: Vec<Option<i64>> = shown(&records).into_iter().map(|(e, _)| e).collect();
        assert_eq!(equities, [Some(200), None, None, Some(190)]);
    }
}
