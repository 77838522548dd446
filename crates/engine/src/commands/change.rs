//! Steering a bot that exists.

use super::create::{Birth, check_figures};
use super::{Answer, check_name};
use crate::autopilot::Sample;
use crate::bot::Step;
use crate::command::{BotPatch, Command, CommandError, NewBot, Reply};
use crate::engine::Engine;
use crate::input::Envelope;
use crate::output::Output;
use crate::shard::{Shard, World};
use crate::training::Training;
use domain::{
    Actor, Amount, BotConfig, CancelReason, ExitReason, Hold, Lifecycle, Sizing, StopChoice,
    Timestamp,
};

impl Engine {
    pub(super) fn on_bot(
        &mut self,
        account: usize,
        slot: usize,
        envelope: &Envelope,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let actor = &envelope.actor;
        let bot = &self.shards[account].bots[slot];
        let (id, lifecycle) = (bot.record.id, bot.record.lifecycle);
        let wrong = |action: &str| {
            let state = format!("{lifecycle:?}").to_lowercase();
            Err(CommandError::WrongState { state, action: action.to_owned() })
        };
        let is_stopped_all = self.fleet_stop.is_some() || self.shards[account].stop.is_some();
        match &envelope.command {
            Command::Clone { name, .. } => {
                let request = NewBot { name: name.clone(), ..bot.config().clone().into() };
                return self.create_bot(
                    account,
                    &request,
                    Birth::Ordered { start: true },
                    actor,
                    now,
                    out,
                );
            }
            Command::UpdateBot { patch, .. } if lifecycle != Lifecycle::Retired => {
                return self.update_bot(account, slot, patch, actor, now, out);
            }
            Command::Start(_) if is_stopped_all => return Err(CommandError::EmergencyStopActive),
            Command::Resume(_) if is_stopped_all => return Err(CommandError::EmergencyStopActive),
            _ if lifecycle == Lifecycle::Retired => return wrong("be changed"),
            Command::Promote { confirmation, .. } => {
                return self.promote(account, slot, confirmation, actor, now, out);
            }
            _ => {}
        }
        self.with_shard(account, now, |shard, world| match envelope.command {
            Command::Start(_) => {
                if lifecycle != Lifecycle::Stopped {
                    return wrong("be started");
                }
                shard.bots[slot].retire_when_flat = false;
                if let Some(piloted) = &mut shard.bots[slot].piloted {
                    piloted.is_ending = false;
                }
                let change = shard.bots[slot].transition(Step::Start, actor, "started", now);
                out.extend(change.map(Output::Bot));
                shard.touch(slot);
                Ok(Reply::Bot(id))
            }
            Command::Pause(_) if lifecycle != Lifecycle::Active => wrong("be paused"),
            Command::Pause(_) => {
                let reason = "paused by hand".to_owned();
                shard.hold(slot, Hold::UserPaused, actor, reason, world, out);
                Ok(Reply::Bot(id))
            }
            Command::Resume(_) => {
                // What a person may release; the other holds have rules of their own.
                for hold in [Hold::UserPaused, Hold::EmergencyStop, Hold::Rogue] {
                    let reason = "resumed by hand".to_owned();
                    shard.release(slot, hold, actor, reason, world, out);
                }
                Ok(Reply::Bot(id))
            }
            Command::Stop { .. } if lifecycle != Lifecycle::Active => wrong("be stopped"),
            Command::Stop { positions, .. } => {
                if positions == StopChoice::Sell {
                    shard.want_flat(slot, ExitReason::Manual, world, out);
                }
                shard.bots[slot].stop_choice = positions;
                let change = shard.bots[slot].transition(Step::Stop, actor, "stopped", now);
                out.extend(change.map(Output::Bot));
                shard.withdraw_entries(slot, CancelReason::User, world);
                if positions == StopChoice::KeepGuarding {
                    shard.drop_strategy_exits(slot, CancelReason::User, world);
                }
                shard.touch(slot);
                Ok(Reply::Bot(id))
            }
            Command::Retire(_) => {
                let bot = &shard.bots[slot];
                if !bot.fixed.position.is_flat() || !bot.open.is_empty() {
                    return Err(CommandError::NotFlat { position: bot.books.position });
                }
                shard.retire(slot, actor, world, out);
                Ok(Reply::Bot(id))
            }
            Command::Rearm(_) => shard.rearm_by(slot, actor, world, out),
            Command::WindUp(_) => {
                shard.wind_up(slot, actor, world, out);
                Ok(Reply::Bot(id))
            }
            Command::Demote(_) => shard.demote(slot, actor, "demoted by hand", world, out),
            Command::Flatten(_) => {
                shard.want_flat(slot, ExitReason::Manual, world, out);
                Ok(Reply::Bot(id))
            }
            _ => wrong("do that"),
        })
    }

    pub(super) fn update_bot(
        &mut self,
        account: usize,
        slot: usize,
        patch: &BotPatch,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let bot = &self.shards[account].bots[slot];
        let (id, mut config) = (bot.record.id, bot.config().clone());
        let rewires = patch.strategy.is_some() || patch.timeframe.is_some();
        if rewires && (!bot.fixed.position.is_flat() || !bot.open.is_empty()) {
            return Err(CommandError::NotFlat { position: bot.books.position });
        }
        if let Some(name) = patch.name.as_ref().filter(|n| **n != config.name) {
            let taken = self.shards[account].bots.iter().any(|b| b.config().name == *name);
            check_name(name, taken)?;
            config.name.clone_from(name);
        }
        if let Some(strategy) = &patch.strategy {
            strategy::resolve(strategy)
                .map_err(|e| CommandError::InvalidStrategy { problem: e.to_string() })?;
            config.strategy = strategy.clone();
        }
        config.timeframe = patch.timeframe.unwrap_or(config.timeframe);
        config.risk_mode = patch.risk_mode.unwrap_or(config.risk_mode);
        config.sizing = patch.sizing.or(config.sizing);
        config.exits = patch.exits.unwrap_or(config.exits);
        config.managed = patch.managed.unwrap_or(config.managed);
        check_figures(&config)?;
        let shard = &mut self.shards[account];
        let bot = &mut shard.bots[slot];
        // What was shown by another strategy, or with half the money at stake, proves nothing.
        let is_other = rewires || is_larger(bot.config(), &config);
        if is_other {
            *bot.training = Training::new(now);
            if let Some(piloted) = &mut bot.piloted {
                piloted.trained_with = None;
            }
        }
        bot.record.config = config;
        if let (true, Ok(params)) = (rewires, strategy::resolve(&bot.record.config.strategy)) {
            bot.state = strategy::State::new(&params);
            bot.sample = Sample::default();
        }
        let change = bot.transition(Step::Edit, actor, "changed", now);
        out.extend(change.map(Output::Bot));
        shard.touch(slot);
        if is_other && shard.bots[slot].live.is_some() {
            let reason = "changed: it has to show anew what it is worth";
            self.with_shard(account, now, |s, world| s.demote(slot, actor, reason, world, out))?;
        }
        if let Some(instrument) = self.shards[account].bots[slot].fixed.instrument {
            self.bind(account, slot, instrument, now);
            self.with_shard(account, now, |shard, world| shard.arm(slot, world));
        }
        Ok(Reply::Bot(id))
    }
}

impl Shard {
    /// Re-arms what waits for it: the risk stop, and by a person alone the execution throttle.
    fn rearm_by(
        &mut self,
        slot: usize,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> Answer {
        let not_possible = |problem: &str| {
            let problem = problem.to_owned();
            Err(CommandError::NotPossible { problem })
        };
        let record = &self.bots[slot].record;
        let (id, holds) = (record.id, record.holds);
        let is_stopped = holds.contains(Hold::RiskStop);
        let is_throttled = holds.contains(Hold::ExecutionThrottle);
        if !is_stopped && !is_throttled {
            return not_possible("neither RISK_STOP nor EXECUTION_THROTTLE holds it");
        }
        if is_throttled && matches!(actor, Actor::Rule(_)) {
            return not_possible("only a person re-arms a bot that the execution throttle stopped");
        }
        if is_stopped && !self.rearm(slot, actor, world, out) {
            return not_possible("its equity is not known while the feed is stale");
        }
        if is_throttled {
            self.rearm_throttle(slot, actor, world, out);
        }
        Ok(Reply::Bot(id))
    }
}

/// More than twice the order that was trained with, or one that cannot be compared.
fn is_larger(old: &BotConfig, new: &BotConfig) -> bool {
    let is_over = |new: Amount, old: Amount| new > old + old;
    match (old.sizing, new.sizing) {
        (Some(Sizing::FixedQuote(old)), Some(Sizing::FixedQuote(new))) => is_over(new, old),
        (Some(Sizing::PercentOfEquity(old)), Some(Sizing::PercentOfEquity(new))) => {
            is_over(new, old)
        }
        (None, None) => old.risk_mode < new.risk_mode,
        _ => true,
    }
}
