//! Protections against a strategy that does not work now, with the semantics that traders know:
//! stop-loss guard, low-profit pair, maximum drawdown. Each lets a bot cool down; a gain never
//! trips one.

use domain::{Amount, Policy, Round, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Closed trades remembered: as many as the policy may ask for.
const TRADES_KEPT: usize = 16;
/// Steps in which the lookback of the maximum drawdown is kept.
const STEPS: usize = 6;

/// A closed trade as far as protections are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Net.
    pub profit: Amount,
    /// Closed by the stop or the trailing stop.
    pub is_stop: bool,
}

/// The newest trades of a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent(VecDeque<Closed>);

/// A protection that acts, with what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// So many losing stops within the lookback.
    StoplossGuard {
        /// How many.
        stops: u32,
        /// The policy's limit.
        maximum: u32,
    },
    /// The trades of the lookback lost too much together.
    LowProfit {
        /// How many.
        trades: u32,
        /// Their sum, of the capital; negative.
        loss_percent: Amount,
        /// The policy's limit.
        maximum_percent: Amount,
    },
    /// Equity fell too far within the lookback.
    MaxDrawdown {
        /// How far.
        drawdown_percent: Amount,
        /// The policy's limit.
        maximum_percent: Amount,
    },
}

impl Protection {
    /// Its name in the log and in the reason of the hold.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StoplossGuard { .. } => "stop-loss guard",
            Self::LowProfit { .. } => "low-profit pair",
            Self::MaxDrawdown { .. } => "maximum drawdown",
        }
    }

    /// How long entries wait.
    pub fn pause(&self, policy: &Policy) -> Span {
        Span::from_secs(i64::from(match self {
            Self::StoplossGuard { .. } => policy.stoploss_guard_pause_s,
            Self::LowProfit { .. } => policy.low_profit_pause_s,
            Self::MaxDrawdown { .. } => policy.max_drawdown_pause_s,
        }))
    }
}

impl std::fmt::Display for Protection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name();
        match self {
            Self::StoplossGuard { stops, maximum } => {
                write!(f, "{name}: {stops} losing stops, limit {maximum}")
            }
            Self::LowProfit { trades, loss_percent, maximum_percent } => {
                let lost = tenths(*loss_percent);
                write!(f, "{name}: {trades} trades lost {lost} % >= {maximum_percent} %")
            }
            Self::MaxDrawdown { drawdown_percent, maximum_percent } => {
                let fell = tenths(*drawdown_percent);
                write!(f, "{name}: equity fell {fell} % >= {maximum_percent} %")
            }
        }
    }
}

fn tenths(percent: Amount) -> Amount {
    let tenths = percent.to_scaled(1, Round::Down).unwrap_or_default();
    Amount::from_scaled(tenths.into(), 1, Round::Down)
}

/// A part of a whole in percent, rounded down; zero of nothing.
pub fn percent_of(part: Amount, whole: Amount) -> Amount {
    let share = part.quotient(whole, Round::Down).unwrap_or_default();
    share.atoms().checked_mul(100).map_or(Amount::ZERO, Amount::from_atoms)
}

impl Recent {
    /// Remembers a trade and says which protection acts on it.
    pub fn close(&mut self, trade: Closed, capital: Amount, policy: &Policy) -> Option<Protection> {
        if self.0.len() == TRADES_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(trade);
        // Whatever came before: what has just been earned is no reason to stop.
        if !trade.profit.is_negative() {
            return None;
        }
        self.stoploss_guard(trade, policy).or_else(|| self.low_profit(trade, capital, policy))
    }

    /// A new beginning: what was held against the bot has been atoned for.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn since(&self, at: Timestamp, lookback_s: u32) -> impl Iterator<Item = &Closed> {
        let from = at - Span::from_secs(i64::from(lookback_s));
        self.0.iter().filter(move |trade| trade.at > from)
    }

    fn stoploss_guard(&self, trade: Closed, policy: &Policy) -> Option<Protection> {
        let maximum = policy.stoploss_guard_trades_max;
        if maximum == 0 || !trade.is_stop {
            return None;
        }
        let lost = self.since(trade.at, policy.stoploss_guard_lookback_s);
        let stops = lost.filter(|t| t.is_stop && t.profit.is_negative()).count() as u32;
        (stops >= maximum).then_some(Protection::StoplossGuard { stops, maximum })
    }

    fn low_profit(&self, trade: Closed, capital: Amount, policy: &Policy) -> Option<Protection> {
        let minimum = policy.low_profit_trades_min;
        if minimum == 0 {
            return None;
        }
        let (mut trades, mut sum) = (0, Amount::ZERO);
        for trade in self.since(trade.at, policy.low_profit_lookback_s) {
            trades += 1;
            sum += trade.profit;
        }
        if trades < minimum || !sum.is_negative() {
            return None;
        }
        let maximum_percent = policy.low_profit_loss_percent;
        let loss_percent = percent_of(Amount::ZERO - sum, capital);
        let is_low = loss_percent >= maximum_percent;
        is_low.then_some(Protection::LowProfit { trades, loss_percent, maximum_percent })
    }
}

/// The highest equity of a lookback, in a few steps: old peaks fall out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peaks {
    step: i64,
    highs: VecDeque<Amount>,
}

impl Peaks {
    /// Takes an equity into account; returns the fall from the lookback's peak in percent.
    pub fn fall(&mut self, at: Timestamp, equity: Amount, lookback: Span) -> Amount {
        let width = (lookback.0 / STEPS as i64).max(1);
        let step = at.0.div_euclid(width);
        let passed = usize::try_from(step - self.step).unwrap_or(0);
        if self.highs.is_empty() || passed > STEPS {
            self.highs.clear();
            self.highs.push_back(equity);
        } else {
            for _ in 0..passed {
                self.highs.push_back(equity);
            }
            while self.highs.len() > STEPS + 1 {
                self.highs.pop_front();
            }
        }
        self.step = step;
        if let Some(newest) = self.highs.back_mut() {
            *newest = equity.max(*newest);
        }
        let peak = self.highs.iter().copied().max().unwrap_or(equity);
        if peak.is_positive() { percent_of(peak - equity, peak) } else { Amount::ZERO }
    }

    /// Capital came or left: what is remembered moves with it.
    pub fn rescale(&mut self, scale: impl Fn(Amount) -> Amount) {
        self.highs.iter_mut().for_each(|high| *high = scale(*high));
    }

    /// Forgets: the next equity is the first.
    pub fn clear(&mut self) {
        self.highs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> Policy {
        Policy {
            stoploss_guard_trades_max: 3,
            stoploss_guard_lookback_s: 100,
            low_profit_trades_min: 4,
            low_profit_loss_percent: Amount::from_int(2),
            low_profit_lookback_s: 100,
            ..Policy::default()
        }
    }

    fn closed(second: i64, profit: i64, is_stop: bool) -> Closed {
        let at = Timestamp::EPOCH + Span::from_secs(second);
        Closed { at, profit: Amount::from_int(profit), is_stop }
    }

    fn run(trades: &[(i64, i64, bool)]) -> Vec<Option<&'static str>> {
        let mut recent = Recent::default();
        let capital = Amount::from_int(1_000);
        let judge = |&(s, p, stop): &(i64, i64, bool)| {
            recent.close(closed(s, p, stop), capital, &policy()).map(|p| p.name())
        };
        trades.iter().map(judge).collect()
    }

    #[test]
    fn the_third_losing_stop_within_the_lookback_acts_and_an_old_one_does_not_count() {
        let guard = Some("stop-loss guard");
        assert_eq!(run(&[(0, -1, true), (50, -1, true), (99, -1, true)]), [None, None, guard]);
        assert_eq!(run(&[(0, -1, true), (50, -1, true), (100, -1, true)]), [None, None, None]);
        assert_eq!(run(&[(0, -1, true), (1, -1, false), (2, -1, true)]), [None, None, None]);
    }

    #[test]
    fn trades_that_lose_too_much_together_act_and_a_trailing_stop_in_profit_counts_for_nothing() {
        let low = Some("low-profit pair");
        let lost = [(0, -5, false), (1, -5, false), (2, -5, false), (3, -5, false)];
        assert_eq!(run(&lost), [None, None, None, low]);
        let won = [(0, 9, true), (1, 9, true), (2, 9, true), (3, -1, true)];
        assert_eq!(run(&won), [None; 4]);
    }

    proptest! {
        #[test]
        fn a_gain_never_trips_a_loss_guard(
            trades in prop::collection::vec((0i64..50, -50i64..50, any::<bool>()), 1..80),
        ) {
            let mut recent = Recent::default();
            let mut second = 0;
            for (pause, profit, is_stop) in trades {
                second += pause;
                let acted =
                    recent.close(closed(second, profit, is_stop), Amount::from_int(100), &policy());
                prop_assert!(acted.is_none() || profit < 0);
            }
        }

        #[test]
        fn the_fall_is_between_that_of_the_lookback_and_that_of_one_step_more(
            steps in prop::collection::vec((0i64..40, 1i64..1_000), 1..60),
        ) {
            let lookback = Span::from_secs(120);
            let mut peaks = Peaks::default();
            let mut seen: Vec<(Timestamp, Amount)> = Vec::new();
            let mut at = Timestamp::EPOCH + Span::from_secs(1_000_000);
            for (pause, equity) in steps {
                at = at + Span::from_secs(pause);
                let equity = Amount::from_int(equity);
                seen.push((at, equity));
                let fall = peaks.fall(at, equity, lookback);
                let since = |span: Span| {
                    let known = seen.iter().filter(|(t, _)| *t > at - span);
                    let peak = known.map(|(_, e)| *e).max().unwrap_or(equity);
                    percent_of(peak - equity, peak)
                };
                prop_assert!(fall >= since(lookback), "{fall}");
                prop_assert!(fall <= since(Span::from_secs(141)), "{fall}");
            }
        }
    }

    #[test]
    fn the_fall_counts_from_the_peak_of_the_lookback_alone() {
        let mut peaks = Peaks::default();
        let mut fall = |second: i64, equity: i64| {
            let at = Timestamp::EPOCH + Span::from_secs(second);
            peaks.fall(at, Amount::from_int(equity), Span::from_secs(120))
        };
        assert_eq!(fall(0, 100), Amount::ZERO);
        assert_eq!(fall(10, 90), Amount::from_int(10));
        assert_eq!(fall(10, 120), Amount::ZERO);
        assert_eq!(fall(100, 90), Amount::from_int(25));
        assert_eq!(fall(300, 90), Amount::ZERO, "the peak is older than the lookback");
    }
}
