//! What trading made and what the rates of currencies made, apart, in the reporting currency.
//!
//! From one point to the next a currency's equity changes by what was earned, valued at the rate of
//! then, and what was there before changes with the rate. The two add up to the whole change but
//! for the money that came or went, which is neither.

use crate::curve::Point;
use domain::{Amount, Round, Timestamp};
use serde::Serialize;

/// Of one currency, over the stretch of its curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Effects {
    /// Earned or lost, at the rate of its time.
    pub(crate) trading: Amount,
    /// Gained or lost by holding the currency while its rate moved.
    pub(crate) currency: Amount,
    /// From the first point whose equity and rate are known.
    pub(crate) since: Timestamp,
}

/// The effects along a curve; `rates` by time. `None`: no point whose equity and rate are known.
pub(crate) fn effects(points: &[Point], rates: &[(Timestamp, Amount)]) -> Option<Effects> {
    let mut sum: Option<Effects> = None;
    let (mut before, mut flowed) = ((Amount::ZERO, Amount::ZERO), Amount::ZERO);
    for point in points {
        flowed += point.flow;
        let known = rates.partition_point(|(at, _)| *at <= point.at);
        let rate = known.checked_sub(1).map(|last| rates[last].1);
        let (Some(equity), Some(rate)) = (point.equity, rate) else { continue };
        match &mut sum {
            None => sum = Some(Effects { since: point.at, ..Effects::default() }),
            Some(sum) => {
                let (equity_before, rate_before) = before;
                sum.trading += (equity - equity_before - flowed).product(rate, Round::Down)?;
                sum.currency += equity_before.product(rate - rate_before, Round::Down)?;
            }
        }
        (before, flowed) = ((equity, rate), Amount::ZERO);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Span;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH + Span::from_secs(60 * minute)
    }

    fn point(minute: i64, equity: Option<i64>, flow: i64) -> Point {
        let equity = equity.map(Amount::from_int);
        Point { at: at(minute), equity, flow: Amount::from_int(flow), drawdown_percent: None }
    }

    fn rate(minute: i64, rate: i64) -> (Timestamp, Amount) {
        (at(minute), Amount::from_int(rate))
    }

    fn sums(points: &[Point], rates: &[(Timestamp, Amount)]) -> Option<(Amount, Amount)> {
        effects(points, rates).map(|e| (e.trading, e.currency))
    }

    fn both(trading: i64, currency: i64) -> Option<(Amount, Amount)> {
        Some((Amount::from_int(trading), Amount::from_int(currency)))
    }

    #[test]
    fn earning_and_the_rate_are_told_apart_and_add_up() {
        let points = [point(0, Some(100), 100), point(5, Some(110), 0), point(10, Some(110), 0)];
        let rates = [rate(0, 18), rate(4, 19), rate(9, 17)];
        // 10 at 19; 100 from 18 to 19, 110 from 19 to 17; together 110 × 17 − 100 × 18.
        assert_eq!(sums(&points, &rates), both(190, 100 - 220));
        assert_eq!(190 + 100 - 220, 110 * 17 - 100 * 18);
    }

    #[test]
    fn money_that_comes_or_goes_is_neither() {
        let points = [point(0, Some(100), 100), point(5, Some(150), 50), point(10, Some(0), -150)];
        assert_eq!(sums(&points, &[rate(0, 18)]), both(0, 0));
    }

    #[test]
    fn unknown_points_are_passed_over_with_their_flows_and_nothing_known_is_nothing() {
        let points = [point(0, Some(100), 100), point(5, None, 20), point(10, Some(125), 0)];
        assert_eq!(sums(&points, &[rate(0, 2)]), both(10, 0));
        assert_eq!(sums(&points, &[]), None);
        // What was before the first rate does not count as earned.
        assert_eq!(sums(&points, &[rate(7, 2)]), both(0, 0));
    }
}
