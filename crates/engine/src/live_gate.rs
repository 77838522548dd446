//! Where a bot stands before the live gate: what is known of it, handed to `risk` to be judged.

use crate::engine::Engine;
use crate::training::Training;
use crate::view::{GateExpected, LiveGate};
use domain::{AccountId, Amount, BotId, Mode, Policy, Span, Timestamp};
use risk::{KeyState, Standing, judge};

impl Engine {
    /// What the live gate says of a bot; `None`: there is no such bot in this account.
    ///
    /// `typed` is what a person typed to confirm: the bot's name, or it is no confirmation.
    pub fn live_gate(&self, account: AccountId, bot: BotId, typed: &str) -> Option<LiveGate> {
        let shard = &self.shards[self.account_index(account)?];
        let bot = &shard.bots[shard.slot(bot)?];
        let (world, switches) = (self.world(), &self.switches);
        let (policy_version, policy) = shard.policy(&world);
        let variants = shard.bots.len() as u64;
        let instrument = bot.fixed.instrument.map(|id| &self.markets.get(id).instrument);
        let standing = Standing {
            is_live: bot.record.mode == Mode::Live,
            trading_enabled: switches.trading,
            live_enabled: switches.live_trading,
            bodyguard_enabled: switches.bodyguard,
            training_days: switches.training_days,
            wallet_required: switches.wallet_required,
            wallet: None,
            key_required: switches.key_required,
            key: KeyState::Absent,
            evidence: bot.training.evidence(self.now, variants),
            emergency_stop: shard.stop_choice(&world).is_some(),
            holds: bot.record.holds,
            confirmed: typed == bot.config().name.as_str(),
            capital: bot.config().capital,
            minimum: instrument.map_or(Amount::ZERO, |i| i.min_notional),
            live_for: None,
        };
        let verdict = judge((account, bot.record.id), &standing, policy);
        let (evidence, training_since) = (standing.evidence, bot.training.began_at);
        let expected = self.gate_expected(&bot.training, &standing, policy, variants);
        Some(LiveGate { verdict, evidence, variants, training_since, policy_version, expected })
    }

    /// The pace is the mean since the training began; a day's return comes once a day.
    fn gate_expected(
        &self,
        training: &Training,
        standing: &Standing,
        policy: &Policy,
        variants: u64,
    ) -> GateExpected {
        let (began, now, seen) = (training.began_at, self.now, &standing.evidence);
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
}

const DAY_S: f64 = 86_400.0;
/// Beyond ten years a pace foretells nothing.
const FORESEEN_MAX_S: f64 = 3_650.0 * DAY_S;

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
