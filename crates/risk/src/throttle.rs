//! The repeated-execution throttle: a strategy that executed entries again and again within a short
//! time is disabled until a person has looked. Limits of size and loss see each order alone; this
//! one sees a loop that nobody meant, while each of its orders is still small and legal.

use domain::{Policy, Span, StrategyKind, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Steps in which the window is kept: a bot that executes thousands of entries remembers no more
/// than one that executes three. The window is as long as asked, less at most a sixth.
const STEPS: usize = 6;

/// How often a bot's entries executed lately; a step is a sixth of the policy's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executions {
    /// Length of a step; another window counts anew.
    span: Span,
    /// Number of the newest step since the epoch.
    step: i64,
    /// The newest one last.
    counts: [u32; STEPS],
}

/// The throttle acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Entries executed within the window.
    pub executed: u32,
    /// The policy's limit for the bot's kind.
    pub maximum: u32,
    /// The policy's window.
    pub window_s: u32,
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executed, maximum, window_s } = self;
        write!(f, "{executed} entries executed within {window_s} s, limit {maximum}")
    }
}

impl Executions {
    /// Counts an executed entry and says whether that was one too many. Time never goes back.
    pub fn executed(
        &mut self,
        at: Timestamp,
        kind: StrategyKind,
        policy: &Policy,
    ) -> Option<Throttled> {
        self.turn(at, policy);
        self.counts[STEPS - 1] = self.counts[STEPS - 1].saturating_add(1);
        let (executed, maximum) = (self.sum(), policy.execution_throttle(kind)?);
        let window_s = policy.execution_throttle_window_s;
        (executed >= maximum).then_some(Throttled { executed, maximum, window_s })
    }

    /// How many within the window that ends now.
    pub fn within(mut self, now: Timestamp, policy: &Policy) -> u32 {
        self.turn(now, policy);
        self.sum()
    }

    fn sum(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn turn(&mut self, at: Timestamp, policy: &Policy) {
        let span = Span(policy.execution_throttle_window().0 / STEPS as i64);
        let step = at.0.div_euclid(span.0.max(1));
        if span != self.span {
            *self = Self { span, step, counts: [0; STEPS] };
        }
        let gone = usize::try_from(step - self.step).unwrap_or(0).min(STEPS);
        self.counts.rotate_left(gone % STEPS);
        self.counts[STEPS - gone..].fill(0);
        self.step = self.step.max(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW_S: u32 = 600;

    fn policy(directional: u32) -> Policy {
        Policy {
            execution_throttle_window_s: WINDOW_S,
            execution_throttle_directional: directional,
            ..Policy::default()
        }
    }

    proptest! {
        /// Beside a list of all times: everything of the last five steps and the one at hand.
        #[test]
        fn counts_as_a_list_of_all_times_does(gaps in prop::collection::vec(0i64..250, 1..200)) {
            let policy = policy(25);
            let (mut executions, mut all, mut now) = (Executions::default(), Vec::new(), 0);
            for gap in gaps {
                now += gap;
                let at = Timestamp(now * 1_000_000_000);
                all.push(now);
                let newest = now / 100;
                let naive = all.iter().filter(|t| *t / 100 + 6 > newest).count() as u32;
                let acted = executions.executed(at, StrategyKind::MacdTrend, &policy);
                prop_assert_eq!(executions.within(at, &policy), naive);
                prop_assert_eq!(acted.map(|t| t.executed), (naive >= 25).then_some(naive));
                // Never longer than the window, and at most a sixth shorter.
                let since = |s: i64| all.iter().filter(|t| **t > now - s).count() as u32;
                prop_assert!(since(500) <= naive && naive <= since(600));
            }
        }
    }

    #[test]
    fn zero_switches_it_off_and_each_kind_has_a_limit_of_its_own() {
        let at = Timestamp(1_000_000_000_000);
        let run = |kind, policy: &Policy| {
            let mut executions = Executions::default();
            (1..=5_000u32).find(|_| executions.executed(at, kind, policy).is_some())
        };
        assert_eq!(run(StrategyKind::EmaCross, &policy(0)), None);
        let policy = Policy::default();
        assert_eq!(run(StrategyKind::EmaCross, &policy), Some(40));
        assert_eq!(run(StrategyKind::Dca, &policy), Some(300));
        assert_eq!(run(StrategyKind::MarketMaking, &policy), Some(1_000));
    }

    #[test]
    fn every_limit_can_be_reached_before_the_days_entries_are_used_up() {
        let policy = Policy::default();
        for kind in StrategyKind::ALL {
            let maximum = policy.execution_throttle(kind).unwrap();
            assert!(maximum < policy.entries_per_day(kind), "{kind}");
        }
    }
}
