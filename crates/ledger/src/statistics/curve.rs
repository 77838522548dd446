//! Equity marked at each bar: drawdowns while they last.

use super::Undefined;
use domain::{Amount, Span, Timestamp};
use serde::Serialize;

/// The deepest falls of a curve from its peaks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drawdown {
    /// The largest fall, in currency.
    pub max_drawdown: Option<Amount>,
    /// The largest fall as a share of its peak.
    pub max_drawdown_share: Option<f64>,
    /// The peak before the fall that is largest as a share…
    pub peak_at: Option<Timestamp>,
    /// …and its bottom.
    pub trough_at: Option<Timestamp>,
    /// The longest time from a peak until it was reached again, or until the end.
    pub longest_s: Option<i64>,
    /// The longest one had not ended yet.
    pub is_open: bool,
}

/// Follows a curve point by point and keeps no point.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    first: Option<(Timestamp, Amount)>,
    last: Option<(Timestamp, Amount)>,
    peak: Option<(Timestamp, Amount)>,
    found: Drawdown,
    longest: Span,
    /// Below the peak since it was reached.
    is_under: bool,
    /// The largest fall from it.
    fallen: Amount,
    sum: f64,
    points: u64,
}

impl Curve {
    /// The next point; time does not go back.
    pub fn push(&mut self, at: Timestamp, equity: Amount) {
        self.first.get_or_insert((at, equity));
        self.last = Some((at, equity));
        self.sum += equity.to_f64();
        self.points += 1;
        let (peak_at, peak) = *self.peak.get_or_insert((at, equity));
        if equity >= peak {
            if std::mem::take(&mut self.is_under) {
                self.longest = self.longest.max(at - peak_at);
            }
            self.peak = Some((at, equity));
            self.fallen = Amount::ZERO;
            return;
        }
        self.is_under = true;
        let fall = peak - equity;
        if fall <= self.fallen {
            return;
        }
        self.fallen = fall;
        if self.found.max_drawdown.is_none_or(|deepest| fall > deepest) {
            self.found.max_drawdown = Some(fall);
        }
        // A peak at or below nothing has no shares.
        let share = fall.ratio(peak).filter(|_| peak.is_positive());
        if let Some(share) = share.filter(|s| self.found.max_drawdown_share.is_none_or(|d| *s > d))
        {
            self.found.max_drawdown_share = Some(share);
            self.found.peak_at = Some(peak_at);
            self.found.trough_at = Some(at);
        }
    }

    /// Mean equity of all points.
    pub fn mean(&self) -> Option<f64> {
        (self.points > 0).then(|| self.sum / self.points as f64)
    }

    /// First and last point.
    pub fn ends(&self) -> Option<((Timestamp, Amount), (Timestamp, Amount))> {
        self.first.zip(self.last)
    }

    /// What was found so far, and why something was not.
    pub fn drawdown(&self) -> (Drawdown, Vec<Undefined>) {
        let mut found = self.found.clone();
        let (Some((peak_at, peak)), Some((at, equity))) = (self.peak, self.last) else {
            let names = ["max_drawdown", "max_drawdown_share", "longest_s"];
            let undefined = names.map(|metric| Undefined { metric, reason: "no equity" });
            return (Drawdown::default(), undefined.to_vec());
        };
        let open = if equity < peak { at - peak_at } else { Span::ZERO };
        found.is_open = open > self.longest;
        found.longest_s = Some(self.longest.max(open).as_secs());
        found.max_drawdown.get_or_insert(Amount::ZERO);
        found.max_drawdown_share.get_or_insert(0.0);
        (found, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[i64]) -> Curve {
        let mut curve = Curve::default();
        for (hour, equity) in points.iter().enumerate() {
            let at = Timestamp::EPOCH + Span::from_secs(hour as i64 * 3_600);
            curve.push(at, Amount::from_int(*equity));
        }
        curve
    }

    #[test]
    fn the_deepest_share_and_the_deepest_fall_may_be_different_ones() {
        // 100 to 60 is 40 %; 1,000 to 900 is 100.
        let (found, undefined) = curve(&[100, 60, 100, 1_000, 900, 950]).drawdown();
        assert_eq!(found.max_drawdown, Some(Amount::from_int(100)));
        assert!((found.max_drawdown_share.unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(found.peak_at, Some(Timestamp::EPOCH));
        assert_eq!(found.trough_at, Some(Timestamp::EPOCH + Span::from_secs(3_600)));
        assert_eq!(undefined, []);
    }

    #[test]
    fn time_under_water_counts_to_the_recovery_or_to_the_end() {
        let (ended, _) = curve(&[100, 90, 95, 100, 110, 109, 111]).drawdown();
        assert_eq!((ended.longest_s, ended.is_open), (Some(3 * 3_600), false));
        let (open, _) = curve(&[100, 90, 100, 80, 81, 82]).drawdown();
        assert_eq!((open.longest_s, open.is_open), (Some(3 * 3_600), true));
    }

    #[test]
    fn a_rising_curve_has_no_drawdown_and_an_empty_one_none_at_all() {
        let (rising, _) = curve(&[1, 2, 3]).drawdown();
        assert_eq!((rising.max_drawdown, rising.longest_s), (Some(Amount::ZERO), Some(0)));
        let (none, undefined) = curve(&[]).drawdown();
        assert_eq!((none.max_drawdown, undefined.len()), (None, 3));
    }
}
