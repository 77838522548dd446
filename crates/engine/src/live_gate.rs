//! Where a bot stands before the live gate: what is known of it, handed to `risk` to be judged.

use crate::engine::Engine;
use crate::view::LiveGate;
use domain::{AccountId, Amount, BotId, Mode};
use risk::{KeyState, Standing, judge};

impl Engine {
    /// What the live gate says of a bot; `None`: there is no such bot in this account.
    pub fn live_gate(&self, account: AccountId, bot: BotId) -> Option<LiveGate> {
        let shard = &self.shards[self.account_index(account)?];
        let bot = &shard.bots[shard.slot(bot)?];
        let (world, switches) = (self.world(), &self.switches);
        let (policy_version, policy) = shard.policy(&world);
        let variants = shard.bots.len() as u64;
        let instrument = bot.fixed.instrument.map(|id| &self.markets.get(id).instrument);
        let standing = Standing {
            is_live: bot.record.mode == Mode::Live,
            trading_enabled: switches.trading && !switches.restart_stop,
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
            confirmed: false,
            capital: bot.config().capital,
            minimum: instrument.map_or(Amount::ZERO, |i| i.min_notional),
            live_for: None,
        };
        let verdict = judge((account, bot.record.id), &standing, policy);
        let (evidence, training_since) = (standing.evidence, bot.training.began_at);
        Some(LiveGate { verdict, evidence, variants, training_since, policy_version })
    }
}
