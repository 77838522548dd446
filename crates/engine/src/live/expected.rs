//! When a bot will have shown enough for the live gate, if it goes on as it does.

use crate::training::Training;
use crate::view::GateExpected;
use domain::{Policy, Span, Timestamp};
use risk::Standing;

const DAY_S: f64 = 86_400.0;
/// Beyond ten years a pace foretells nothing.
const FORESEEN_MAX_S: f64 = 3_650.0 * DAY_S;

/// The pace is the mean since the training began; a day's return comes once a day.
pub(super) fn expected(
    training: &Training,
    standing: &Standing,
    policy: &Policy,
    (now, variants): (Timestamp, u64),
) -> GateExpected {
    let (began, seen) = (training.began_at, &standing.evidence);
    let days = f64::from(standing.training_days) * DAY_S;
    let trades = f64::from(policy.gate_trades_min);
    let after = |days: f64| later(now, days * DAY_S);
    let small = policy.gate_small_probability_percent;
    let full = policy.gate_full_probability_percent;
    GateExpected {
        training_at: at_pace(began, now, seen.covered.as_secs() as f64, days),
        trades_at: at_pace(began, now, f64::from(seen.trades), trades),
        small_at: training.days_until(small, 1).and_then(after),
        full_at: training.days_until(full, variants).and_then(after),
    }
}

/// When `needed` will be there, where `have` came since `began`.
fn at_pace(began: Timestamp, now: Timestamp, have: f64, needed: f64) -> Option<Timestamp> {
    if have >= needed {
        return Some(now);
    }
    let elapsed = (now - began).0 as f64 / 1e9;
    if have > 0.0 { later(now, (needed - have) * elapsed / have) } else { None }
}

fn later(now: Timestamp, seconds: f64) -> Option<Timestamp> {
    (seconds <= FORESEEN_MAX_S).then(|| now + Span::from_secs(seconds.ceil() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_trades_in_a_day_foretells_two_days_more() {
        let began = Timestamp::EPOCH;
        let now = began + Span::from_secs(86_400);
        let expected = Some(now + Span::from_secs(2 * 86_400));
        assert_eq!(at_pace(began, now, 8.0, 24.0), expected);
        assert_eq!(at_pace(began, now, 24.0, 24.0), Some(now));
        assert_eq!(at_pace(began, now, 0.0, 24.0), None, "no pace");
        assert_eq!(at_pace(began, now, 1.0, 1e6), None, "beyond what can be foreseen");
    }
}
