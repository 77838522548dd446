//! What the planner is told of an account: figures of the books and of its bots.

use super::plan::{BotFacts, Facts, Place, plan, scores};
use super::record::{AutopilotPool, AutopilotScore, Planned};
use crate::bot::Bot;
use crate::command::CommandError;
use crate::engine::Engine;
use crate::shard::World;
use domain::{Amount, BotConfig, Currency, Exchange, Lifecycle, Mode, Policy, Round, Timestamp};
use std::collections::BTreeMap;

/// Conditions of the live gate that a bot fulfils by itself, on paper. The others are a person's:
/// flags, keys, money on the exchange, the confirmation.
const MERITS: [&str; 8] = [
    "training",
    "closed_trades",
    "net_profit",
    "profit_factor",
    "drawdown",
    "win_rate",
    "profit_of_capital",
    "evidence",
];

impl Engine {
    /// What is to be done for an account.
    pub(super) fn planned(&self, account: usize, now: Timestamp) -> Vec<Planned> {
        plan(&self.facts(account, now), self.policy_of(account).1).0
    }

    /// The same with the money and the ranking that it rests on.
    pub(super) fn explained(
        &self,
        account: usize,
        now: Timestamp,
    ) -> (Vec<Planned>, Vec<AutopilotPool>, Vec<AutopilotScore>) {
        let facts = self.facts(account, now);
        let policy = self.policy_of(account).1;
        let (planned, pools) = plan(&facts, policy);
        (planned, pools, scores(&facts, policy))
    }

    fn facts(&self, account: usize, now: Timestamp) -> Facts<'_> {
        let shard = &self.shards[account];
        let policy = self.policy_of(account).1;
        let world = self.world();
        let places = self.places(account, policy, now);
        let slots = 0..shard.bots.len();
        let bots = slots.filter_map(|slot| self.bot_facts(account, slot, &places, &world));
        Facts { now, reporting: shard.record.reporting_currency, bots: bots.collect(), places }
    }

    fn places(
        &self,
        account: usize,
        policy: &Policy,
        now: Timestamp,
    ) -> BTreeMap<(Exchange, Currency), Place> {
        let shard = &self.shards[account];
        let reporting = shard.record.reporting_currency;
        let paper = shard.ledger.wallets().filter(|(key, _)| key.0 == Mode::Paper);
        let place =
            |((_, exchange, currency), wallet): (&(_, Exchange, Currency), &ledger::Wallet)| {
                let age_max_s = policy.rate_age_max_s;
                let place = Place {
                    earned: wallet.earned(),
                    taken: wallet.taken,
                    untaken: wallet.untaken(),
                    kept: wallet.kept.min(wallet.available),
                    rate: self.markets.limit_rate(*currency, reporting, now, age_max_s),
                };
                ((*exchange, *currency), place)
            };
        paper.map(place).collect()
    }

    fn bot_facts<'a>(
        &'a self,
        account: usize,
        slot: usize,
        places: &BTreeMap<(Exchange, Currency), Place>,
        world: &World<'_>,
    ) -> Option<BotFacts<'a>> {
        let shard = &self.shards[account];
        let bot = &shard.bots[slot];
        let config = bot.config();
        let exchange = Exchange::parse(&config.exchange)?;
        let is_past =
            bot.record.lifecycle == Lifecycle::Retired && bot.record.season != shard.record.season;
        if bot.record.mode != Mode::Paper || is_past {
            return None;
        }
        let is_ending = bot.retire_when_flat;
        let is_alive = bot.record.lifecycle == Lifecycle::Active && !is_ending;
        let rate = places.get(&(exchange, config.symbol.quote)).and_then(|place| place.rate);
        let may_have_children = is_alive && config.managed && bot.sample.trades > 0;
        Some(BotFacts {
            id: bot.record.id,
            config,
            exchange,
            lifecycle: if is_ending { Lifecycle::Retired } else { bot.record.lifecycle },
            is_armed: bot.is_armed(),
            is_valued: !bot.needs_capital && shard.equity(slot, world).is_some(),
            realized: bot.books.realized_pnl(),
            untaken: bot.books.untaken(),
            free_cash: bot.free_cash().min(bot.drain_max()),
            sample: bot.sample,
            covered: bot.training.covered_ever(),
            piloted: bot.piloted.as_deref(),
            spawn_capital: rate
                .filter(|_| may_have_children)
                .and_then(|rate| self.spawn_capital(account, config, rate)),
            promotable: is_alive.then(|| self.promotable(account, bot)).flatten(),
        })
    }

    /// The policy's sum, or what the exchange's smallest order makes of it.
    fn spawn_capital(&self, account: usize, like: &BotConfig, rate: Amount) -> Option<Amount> {
        let least = self.policy_of(account).1.autopilot_spawn_min;
        let capital = least.quotient(rate, Round::Up)?.to_scaled(2, Round::Up)?;
        let mut config = like.clone();
        config.capital = Amount::from_scaled(i128::from(capital), 2, Round::Up);
        match self.check_capital(account, &config) {
            Err(CommandError::CapitalTooSmall { needed, .. }) => {
                let needed = needed.to_scaled(2, Round::Up)?;
                Some(Amount::from_scaled(i128::from(needed), 2, Round::Up))
            }
            // Whether the money is there is for the pool to say.
            Ok(()) | Err(CommandError::InsufficientFunds { .. }) => Some(config.capital),
            Err(_) => None,
        }
    }

    /// What the live gate asks beside what the bot has shown; `None`: it has not shown enough.
    fn promotable(&self, account: usize, bot: &Bot) -> Option<Vec<&'static str>> {
        // The gate words every figure: not of thousands of bots that have shown nothing.
        if bot.trades < self.policy_of(account).1.gate_trades_min {
            return None;
        }
        let gate = self.live_gate(self.shards[account].record.id, bot.record.id)?;
        let missing = gate.verdict.conditions().iter().filter(|c| c.is_required && !c.pass);
        let missing: Vec<&'static str> = missing.map(|c| c.name).collect();
        let is_proven = !missing.iter().any(|name| MERITS.contains(name));
        is_proven.then_some(missing)
    }
}
