//! Where a bot stands before the live gate: what is known of it, handed to `risk` to be judged.

use super::expected::expected;
use crate::engine::Engine;
use crate::live::LiveGateRecord;
use crate::output::Output;
use crate::shard::{Shard, World};
use crate::view::LiveGate;
use domain::{AccountId, Actor, BotId, CancelReason, Lifecycle};
use ledger::statistics::sharpe::best_of_chance;
use risk::{GateVerdict, Standing, judge, judge_briefly};

impl Engine {
    /// What the live gate says of a bot; `None`: there is no such bot in this account.
    pub fn live_gate(&self, account: AccountId, bot: BotId) -> Option<LiveGate> {
        let shard = &self.shards[self.account_index(account)?];
        Some(shard.gate(shard.slot(bot)?, &self.world(), false))
    }
}

impl Shard {
    /// Everything that was measured of a bot; `confirmed`: by the person who asks now.
    pub(super) fn gate(&self, slot: usize, world: &World<'_>, confirmed: bool) -> LiveGate {
        let (bot, standing) = (&self.bots[slot], self.standing(slot, world, confirmed));
        let (policy_version, policy) = self.policy(world);
        let verdict = judge((self.record.id, bot.record.id), &standing, policy);
        let (evidence, training_since) = (standing.evidence, bot.training.began_at);
        let (variants, live_since) = (self.variants(), bot.live.as_ref().map(|live| live.since));
        let expected = expected(&bot.training, &standing, policy, (world.now, variants));
        LiveGate {
            verdict,
            evidence,
            variants,
            training_since,
            policy_version,
            live_since,
            expected,
        }
    }

    /// The gate's verdict without its words: asked before each live order.
    pub(crate) fn verdict(&self, slot: usize, world: &World<'_>) -> GateVerdict {
        let standing = self.standing(slot, world, false);
        judge_briefly((self.record.id, self.bots[slot].record.id), &standing, self.policy(world).1)
    }

    /// Every bot that the account ever made was a try.
    fn variants(&self) -> u64 {
        self.bots.len() as u64
    }

    /// What chance alone would show among so many tries: worked out once for each number of them.
    fn chance(&self) -> (u64, f64) {
        let variants = self.variants();
        if self.chance.0 == variants {
            self.chance
        } else {
            (variants, best_of_chance(variants, 1.0))
        }
    }

    /// Keeps it for the next who asks.
    pub(crate) fn keep_chance(&mut self) {
        self.chance = self.chance();
    }

    fn standing(&self, slot: usize, world: &World<'_>, confirmed: bool) -> Standing {
        let (bot, switches) = (&self.bots[slot], world.switches);
        let market = bot.fixed.instrument.map(|id| world.markets.get(id));
        let smallest =
            market.and_then(|market| Some(market.instrument.smallest_order(market.last_quote?.1)));
        let (exchange, quote) = (bot.books.exchange, bot.books.symbol.quote);
        let money = self.live_money(exchange, quote);
        let (capital, wallet) = match &bot.live {
            // What is in the market was in the wallet.
            Some(live) => (live.capital, money.map(|m| m + bot.books.position_cost)),
            None => {
                let capital = bot.config().capital;
                (money.map_or(capital, |m| m.min(capital)), money)
            }
        };
        Standing {
            is_live: bot.live.is_some(),
            trading_enabled: switches.trading && !switches.restart_stop,
            live_enabled: switches.live_trading,
            bodyguard_enabled: switches.bodyguard,
            training_days: switches.training_days,
            wallet_required: switches.wallet_required,
            wallet,
            key_required: switches.key_required,
            key: self.desks[exchange as usize].key,
            evidence: bot.training.evidence(world.now, self.chance()),
            emergency_stop: self.stop_choice(world).is_some(),
            holds: bot.record.holds,
            confirmed: confirmed || bot.live.is_some(),
            capital,
            // Without a price nobody knows what the smallest order costs: nothing fits then.
            minimum: smallest.unwrap_or(capital),
            live_for: bot.live.as_ref().map(|live| world.now - live.since),
        }
    }

    /// Why a live bot may not enter now, in words; `None`: it may.
    pub(crate) fn live_missing(&self, slot: usize, world: &World<'_>) -> Option<String> {
        self.missing(slot, &self.verdict(slot, world), world)
    }

    /// The same, where the gate was asked already.
    pub(crate) fn missing(
        &self,
        slot: usize,
        verdict: &GateVerdict,
        world: &World<'_>,
    ) -> Option<String> {
        let bot = &self.bots[slot];
        match &bot.live {
            None => return Some("the bot is not live".to_owned()),
            Some(live) if live.is_leaving => return Some("the bot was demoted".to_owned()),
            Some(_) => {}
        }
        let missing = verdict.conditions().iter().filter(|c| c.is_required && !c.pass);
        let names: Vec<&str> = missing.map(|c| c.name).collect();
        if !names.is_empty() {
            return Some(names.join(", "));
        }
        if let Some((scope, _)) = self.breaker_of(slot, world) {
            return Some(format!("circuit breaker of the {scope}"));
        }
        self.desks[bot.books.exchange as usize].problem()
    }

    /// Looks after live bots: a lost condition takes entries back and is told, once.
    pub(crate) fn watch_live(&mut self, world: &World<'_>, out: &mut Vec<Output>) {
        let alive = self.live_bots().filter(|(_, b)| b.record.lifecycle != Lifecycle::Retired);
        let slots: Vec<usize> = alive.map(|(slot, _)| slot).collect();
        if slots.is_empty() {
            return;
        }
        self.keep_chance();
        for slot in &slots {
            let verdict = self.verdict(*slot, world);
            let is_open = verdict.is_open();
            if self.missing(*slot, &verdict, world).is_some() {
                self.withdraw_entries(*slot, CancelReason::Hold, world);
            }
            let live = self.bots[*slot].live.as_mut();
            let was_open = live.map(|live| std::mem::replace(&mut live.was_open, is_open));
            if was_open != Some(is_open) {
                let action = if is_open { "regained" } else { "lost" };
                self.tell_gate(*slot, action, &Actor::Rule("live gate".into()), world, out);
                self.touch(*slot);
            }
        }
        self.watch_live_day(world, out);
    }

    /// Keeps what the gate measured, as it was.
    pub(super) fn tell_gate(
        &self,
        slot: usize,
        action: &str,
        by: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &self.bots[slot];
        let gate = self.gate(slot, world, action == "promoted");
        out.push(Output::LiveGate(Box::new(LiveGateRecord {
            account_id: self.record.id,
            bot_id: bot.record.id,
            action: action.to_owned(),
            by: by.clone(),
            // Plain structs with text keys: nothing in them can fail to become JSON.
            measured: serde_json::to_value(&gate).expect("a read model becomes JSON"),
            config: bot.config().clone(),
            at: world.now,
        })));
    }
}
