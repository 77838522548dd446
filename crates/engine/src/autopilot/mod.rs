//! The autopilot: plans over what the books say, and acts by the same commands as a person.
//!
//! It runs on the core's own time, so the same inputs give the same actions. Only bots that are
//! `managed` are acted on; for others it proposes. What it may spend is kept by the ledger, whether
//! a command is allowed by the command: here is no way around either.

mod facts;
mod plan;
mod pool;
mod record;
mod score;
#[cfg(test)]
mod tests;
mod vary;

pub use record::{
    AutopilotAction, AutopilotKind, AutopilotOutcome, AutopilotPlan, AutopilotPool,
    AutopilotRecord, AutopilotRun, AutopilotScore, AutopilotView,
};
pub(crate) use record::{Log, Piloted};
pub(crate) use score::Sample;

use crate::command::{Command, CommandError, Reply};
use crate::engine::Engine;
use crate::input::Envelope;
use crate::output::Output;
use domain::{AccountId, Actor, Span, Timestamp};
use record::Planned;

/// Its name as an actor.
const NAME: &str = "autopilot";

/// Who acts when the autopilot does.
pub(crate) fn actor() -> Actor {
    Actor::Rule(NAME.into())
}

impl Engine {
    /// Runs of all accounts that are due.
    pub(crate) fn fly(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        for account in 0..self.shards.len() {
            let is_due = self.next_run(account).is_some_and(|at| at <= now);
            if is_due && self.autopilot_blocked_by(account).is_none() {
                self.fly_account(account, now, out);
            }
        }
    }

    /// On the grid of its interval, the first one after the account was opened; `None`: it is off.
    fn next_run(&self, account: usize) -> Option<Timestamp> {
        if !self.switches.autopilot {
            return None;
        }
        let every = Span::from_secs(i64::from(self.policy_of(account).1.autopilot_every_s));
        let shard = &self.shards[account];
        let last = shard.autopilot.last_run_at.unwrap_or(shard.record.created_at);
        Some(last.floor(every) + every)
    }

    fn autopilot_blocked_by(&self, account: usize) -> Option<&'static str> {
        let is_stopped = self.fleet_stop.is_some() || self.shards[account].stop.is_some();
        match () {
            () if !self.switches.autopilot => Some("ENABLE_AUTOPILOT is off"),
            () if is_stopped => Some("the emergency stop is on"),
            () if !self.switches.trading => Some("ENABLE_TRADING is off"),
            () if !self.switches.paper_trading => Some("ENABLE_PAPER_TRADING is off"),
            () => None,
        }
    }

    fn fly_account(&mut self, account: usize, now: Timestamp, out: &mut Vec<Output>) {
        let mut run = AutopilotRun { at: now, done: 0, refused: 0, proposed: 0 };
        let cooldown_s = self.policy_of(account).1.autopilot_cooldown_s;
        let cooldown = Span::from_secs(i64::from(cooldown_s));
        let told = &mut self.shards[account].autopilot.told;
        told.retain(|_, at| *at + cooldown > now);
        for planned in self.planned(account, now) {
            let is_told = self.shards[account].autopilot.told.contains_key(&planned.key());
            if is_told {
                continue;
            }
            let record = self.act(account, planned, now, out);
            match record.outcome {
                AutopilotOutcome::Done => run.done += 1,
                AutopilotOutcome::Refused => run.refused += 1,
                AutopilotOutcome::Proposed => run.proposed += 1,
            }
            self.shards[account].autopilot.push(record.clone());
            out.push(Output::Autopilot(Box::new(record)));
        }
        self.shards[account].autopilot.ran(run);
        self.shards[account].is_dirty = true;
    }

    /// Carries one action out, as a person's command would be.
    fn act(
        &mut self,
        account: usize,
        planned: Planned,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> AutopilotRecord {
        let key = planned.key();
        let Planned { mut action, command, on } = planned;
        let account_id = self.shards[account].record.id;
        let (mut code, mut problem) = (None, None);
        let answer = command.filter(|_| action.acts).map(|command| {
            let (actor, account) = (actor(), Some(account_id));
            self.carry_out(&Envelope { id: 0, actor, account, command }, now, out)
        });
        let outcome = match answer {
            _ if !action.acts => AutopilotOutcome::Proposed,
            Some(Err(refused)) => {
                (code, problem) = (code_of(&refused), Some(refused.to_string()));
                AutopilotOutcome::Refused
            }
            Some(Ok(Reply::Bot(bot))) => {
                action.bot_id = Some(bot);
                AutopilotOutcome::Done
            }
            Some(Ok(_)) | None => AutopilotOutcome::Done,
        };
        if outcome == AutopilotOutcome::Done {
            for bot in on {
                self.acted_on(account, bot, action.kind, now);
            }
        } else {
            self.shards[account].autopilot.told.insert(key, now);
        }
        AutopilotRecord { account_id, at: now, action, outcome, code, problem }
    }

    fn acted_on(
        &mut self,
        account: usize,
        bot: domain::BotId,
        kind: AutopilotKind,
        now: Timestamp,
    ) {
        let shard = &mut self.shards[account];
        let Some(slot) = shard.slot(bot) else { return };
        let piloted = shard.bots[slot].piloted.get_or_insert_default();
        piloted.acted_at = Some(now);
        piloted.has_passed |= kind == AutopilotKind::Trial;
        shard.touch(slot);
    }

    /// What the autopilot would do now; it does nothing. `None`: there is no such account.
    pub fn autopilot_plan(&self, account: AccountId) -> Option<AutopilotPlan> {
        let at = self.account_index(account)?;
        let (planned, pools, bots) = self.explained(at, self.now);
        Some(AutopilotPlan {
            at: self.now,
            enabled: self.switches.autopilot,
            blocked_by: self.autopilot_blocked_by(at).map(str::to_owned),
            actions: planned.into_iter().map(|p| p.action).collect(),
            pools,
            bots,
        })
    }

    /// What the autopilot did and would do. `None`: there is no such account.
    pub fn autopilot(&self, account: AccountId) -> Option<AutopilotView> {
        let at = self.account_index(account)?;
        let log = &self.shards[at].autopilot;
        Some(AutopilotView {
            last_run_at: log.last_run_at,
            next_run_at: self.next_run(at),
            runs: log.runs.iter().rev().copied().collect(),
            did: log.did.iter().rev().cloned().collect(),
            plan: self.autopilot_plan(account)?,
        })
    }
}

/// The stable word of a refusal.
fn code_of(error: &CommandError) -> Option<String> {
    let json = serde_json::to_value(error).ok()?;
    json["code"].as_str().map(str::to_owned)
}

/// Commands of the autopilot alone are refused to everybody else.
pub(crate) fn check_actor(by: &Actor, command: &Command) -> Result<(), CommandError> {
    let is_own = matches!(command, Command::Reinvest { .. } | Command::Spawn { .. });
    if is_own && *by != actor() {
        let problem = "only the autopilot moves profit between bots".to_owned();
        return Err(CommandError::NotPossible { problem });
    }
    Ok(())
}
