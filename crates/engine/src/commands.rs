//! Carrying out commands. Nothing moves unless everything asked for is possible.

mod change;
mod create;
mod profit;

use crate::command::{BreakerScope, Command, CommandError, Reply, WalletMove};
use crate::engine::Engine;
use crate::input::Envelope;
use crate::output::{AccountRecord, BreakerRecord, Output, PolicyRecord};
use crate::shard::{Shard, Stop, in_force};
use crate::watch::breaker_record;
use domain::{
    AccountId, Actor, Amount, BotId, CancelReason, Currency, ExitReason, Hold, Lifecycle, Mode,
    OrderId, Policy, StopChoice, Timestamp,
};

use create::Birth;

type Answer = Result<Reply, CommandError>;

/// Longest name of an account or a bot.
const NAME_CHARS_MAX: usize = 64;
/// More paper money than this in one move is a typing error.
const DEPOSIT_MAX: Amount = Amount::from_int(1_000_000_000_000);

fn not_found(what: &str) -> CommandError {
    CommandError::NotFound { what: what.to_owned() }
}

fn invalid(field: &str, value: impl ToString, allowed: &str) -> CommandError {
    CommandError::InvalidField {
        field: field.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    }
}

fn check_name(name: &str, is_taken: bool) -> Result<(), CommandError> {
    let length = name.chars().count();
    let is_clean = name.trim() == name && !name.chars().any(char::is_control);
    if is_taken || length == 0 || length > NAME_CHARS_MAX || !is_clean {
        return Err(CommandError::NameInvalid { name: name.chars().take(80).collect() });
    }
    Ok(())
}

impl Engine {
    pub(crate) fn on_command(
        &mut self,
        envelope: &Envelope,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let before = out.len();
        let result = self.carry_out(envelope, now, out);
        debug_assert!(result.is_ok() || out.len() == before, "a refused command moved something");
        out.push(Output::Reply { id: envelope.id, result });
    }

    pub(crate) fn carry_out(
        &mut self,
        envelope: &Envelope,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let (actor, scope) = (&envelope.actor, envelope.account);
        crate::autopilot::check_actor(actor, &envelope.command)?;
        match &envelope.command {
            Command::CreateAccount { name, reporting_currency } => {
                self.create_account(name, *reporting_currency, now, out)
            }
            Command::EmergencyStop { reason, sell } => {
                self.emergency_stop_on(scope, reason, *sell, actor, now, out)
            }
            Command::ClearEmergencyStop => self.emergency_stop_off(scope, now, out),
            Command::SetPolicy(policy) => self.set_policy(scope, policy, actor, now, out),
            Command::CloseBreaker(breaker) => self.close_breaker(scope, *breaker, actor, now, out),
            Command::Start(bot)
            | Command::Pause(bot)
            | Command::Resume(bot)
            | Command::Stop { bot, .. }
            | Command::Retire(bot)
            | Command::Rearm(bot)
            | Command::Flatten(bot)
            | Command::WindUp(bot)
            | Command::Promote { bot, .. }
            | Command::Demote(bot)
            | Command::UpdateBot { bot, .. }
            | Command::Clone { bot, .. } => {
                let (account, slot) = self.find(scope, *bot).ok_or_else(|| not_found("bot"))?;
                self.on_bot(account, slot, envelope, now, out)
            }
            Command::CancelOrder(order) => self.cancel_order(scope, *order, now),
            Command::CreateBot { bot, start } => {
                let account = self.account_of(scope)?;
                self.create_bot(account, bot, Birth::Ordered { start: *start }, actor, now, out)
            }
            Command::Deposit(money) => self.deposit(self.account_of(scope)?, money, now, out),
            Command::Withdraw(money) => self.withdraw(self.account_of(scope)?, money, now, out),
            Command::Reinvest { from, to } => {
                self.reinvest(self.account_of(scope)?, (from, to), actor, now, out)
            }
            Command::Spawn { parent, bot, from } => {
                self.spawn(self.account_of(scope)?, (*parent, bot), from, actor, now, out)
            }
            Command::NewSeason => self.new_season(self.account_of(scope)?, actor, now, out),
        }
    }

    pub(crate) fn account_index(&self, id: AccountId) -> Option<usize> {
        self.shards.iter().position(|s| s.record.id == id)
    }

    fn account_of(&self, scope: Option<AccountId>) -> Result<usize, CommandError> {
        scope.and_then(|id| self.account_index(id)).ok_or_else(|| not_found("account"))
    }

    /// A bot inside the scope; one of another account is not found.
    pub(crate) fn find(&self, scope: Option<AccountId>, bot: BotId) -> Option<(usize, usize)> {
        let mut shards = self.shards.iter().enumerate();
        shards.find_map(|(account, shard)| {
            let is_in_scope = scope.is_none_or(|id| shard.record.id == id);
            shard.slot(bot).filter(|_| is_in_scope).map(|slot| (account, slot))
        })
    }

    fn create_account(
        &mut self,
        name: &str,
        reporting_currency: Currency,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        check_name(name, self.shards.iter().any(|s| s.record.name == name))?;
        let id = AccountId(self.shards.len() as u32 + 1);
        let name = name.to_owned();
        let record = AccountRecord { id, name, reporting_currency, season: 1, created_at: now };
        out.push(Output::Account(record.clone()));
        self.shards.push(Shard::new(record));
        Ok(Reply::Account(id))
    }

    fn cancel_order(&mut self, scope: Option<AccountId>, order: OrderId, now: Timestamp) -> Answer {
        let (account, slot) = self.find(scope, order.bot).ok_or_else(|| not_found("order"))?;
        if !self.shards[account].bots[slot].open.iter().any(|o| o.id == order) {
            return Err(not_found("open order"));
        }
        self.with_shard(account, now, |shard, world| {
            shard.cancel_where(slot, CancelReason::User, world, |o| o.id == order);
        });
        Ok(Reply::Orders(vec![order]))
    }

    fn deposit(
        &mut self,
        account: usize,
        money: &WalletMove,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        check_money(money)?;
        let key = (Mode::Paper, money.exchange, money.currency);
        let shard = &mut self.shards[account];
        out.push(Output::Transfer(shard.ledger.deposit(key, money.amount, now)));
        shard.is_dirty = true;
        shard.tell_wallet(key, now, out);
        self.with_shard(account, now, |shard, world| shard.fund_waiting(world, out));
        Ok(Reply::Done)
    }

    fn withdraw(
        &mut self,
        account: usize,
        money: &WalletMove,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        check_money(money)?;
        let key = (Mode::Paper, money.exchange, money.currency);
        let shard = &mut self.shards[account];
        let transfer = shard.ledger.withdraw(key, money.amount, now).map_err(|short| {
            CommandError::InsufficientFunds {
                exchange: money.exchange.name().to_owned(),
                currency: money.currency,
                needed: short.needed,
                available: short.available,
            }
        })?;
        out.push(Output::Transfer(transfer));
        shard.is_dirty = true;
        shard.tell_wallet(key, now, out);
        Ok(Reply::Done)
    }

    fn new_season(
        &mut self,
        account: usize,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let shard = &mut self.shards[account];
        shard.record.season += 1;
        shard.is_dirty = true;
        out.push(Output::Account(shard.record.clone()));
        self.with_shard(account, now, |shard, world| {
            for slot in 0..shard.bots.len() {
                let bot = &shard.bots[slot];
                // A season is of paper: real money is not closed by the way.
                if bot.record.lifecycle == Lifecycle::Retired || bot.live.is_some() {
                    continue;
                }
                shard.bots[slot].retire_when_flat = true;
                let reason = "new season".to_owned();
                shard.hold(slot, Hold::UserPaused, actor, reason, world, out);
                shard.want_flat(slot, ExitReason::Manual, world, out);
                shard.touch(slot);
                shard.flat(slot, world, out);
            }
        });
        Ok(Reply::Done)
    }

    fn emergency_stop_on(
        &mut self,
        scope: Option<AccountId>,
        reason: &str,
        sell: bool,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let choice = if sell { StopChoice::Sell } else { StopChoice::KeepGuarding };
        let stop = Stop { choice, reason: reason.to_owned(), by: actor.clone(), since: now };
        let told = Stop::record(Some(&stop), scope, now);
        let accounts = match scope {
            Some(_) => {
                let account = self.account_of(scope)?;
                self.shards[account].stop = Some(stop);
                self.shards[account].is_dirty = true;
                account..account + 1
            }
            None => {
                self.fleet_stop = Some(stop);
                self.is_dirty = true;
                0..self.shards.len()
            }
        };
        out.push(Output::EmergencyStop(told.clone()));
        for shard in &mut self.shards[accounts] {
            shard.unstopped = Some((choice, actor.clone()));
            shard.is_dirty = true;
        }
        (self.is_stopping, self.due) = (true, Timestamp::EPOCH);
        Ok(Reply::EmergencyStop(told))
    }

    /// Goes through the bots of accounts that were stopped; also after a kill in between.
    pub(crate) fn finish_stops(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.is_stopping = false;
        for account in 0..self.shards.len() {
            let shard = &mut self.shards[account];
            let Some((choice, by)) = shard.unstopped.take() else { continue };
            shard.is_dirty = true;
            self.with_shard(account, now, |s, w| s.stop_all(choice, &by, w, out));
        }
    }

    /// Bots stay paused: each keeps its hold until a person resumes it.
    fn emergency_stop_off(
        &mut self,
        scope: Option<AccountId>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        match scope {
            Some(_) => {
                let account = self.account_of(scope)?;
                self.shards[account].stop = None;
                self.shards[account].is_dirty = true;
            }
            None => {
                self.fleet_stop = None;
                self.is_dirty = true;
            }
        }
        out.push(Output::EmergencyStop(Stop::record(None, scope, now)));
        Ok(Reply::Done)
    }

    pub(crate) fn policy_of(&self, account: usize) -> (u32, &Policy) {
        in_force(self.shards[account].policy.as_ref(), (self.policy.0, &self.policy.1))
    }

    fn set_policy(
        &mut self,
        scope: Option<AccountId>,
        policy: &Policy,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        policy.validate().map_err(|e| CommandError::PolicyInvalid {
            key: e.key.to_owned(),
            value: e.value,
            allowed: e.allowed,
        })?;
        let version = self.policy_versions + 1;
        let mut tell = |account_id| {
            let (policy, actor) = (policy.clone(), actor.clone());
            let record = PolicyRecord { account_id, version, policy, actor, at: now };
            out.push(Output::Policy(Box::new(record)));
        };
        match scope {
            Some(_) => {
                let account = self.account_of(scope)?;
                crate::tighter::check(&self.policy.1, policy)?;
                self.shards[account].policy = Some((version, policy.clone()));
                self.shards[account].is_dirty = true;
                tell(scope);
            }
            None => {
                self.policy = (version, policy.clone());
                tell(None);
                for shard in &mut self.shards {
                    let own = shard.policy.as_ref();
                    // An account's policy that is looser by now gives way to the fleet's.
                    if own.is_some_and(|own| crate::tighter::check(policy, &own.1).is_err()) {
                        shard.policy = None;
                        shard.is_dirty = true;
                        tell(Some(shard.record.id));
                    }
                }
            }
        }
        self.policy_versions = version;
        self.is_dirty = true;
        for account in 0..self.shards.len() {
            self.with_shard(account, now, |shard, world| {
                (0..shard.bots.len()).for_each(|slot| shard.arm(slot, world));
            });
        }
        Ok(Reply::Done)
    }

    fn close_breaker(
        &mut self,
        scope: Option<AccountId>,
        breaker: BreakerScope,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let told = match breaker {
            BreakerScope::Bot(bot) => return self.close_bot_breaker(scope, bot, actor, now, out),
            BreakerScope::Account => {
                let account = self.account_of(scope)?;
                let shard = &mut self.shards[account];
                shard.is_dirty = true;
                shard.watch.close().map(|t| (Some(shard.record.id), t))
            }
            BreakerScope::AccountLive => {
                let account = self.account_of(scope)?;
                let shard = &mut self.shards[account];
                shard.is_dirty = true;
                shard.live_day.close().map(|t| (Some(shard.record.id), t))
            }
            BreakerScope::Fleet if scope.is_none() => {
                self.is_dirty = true;
                self.fleet_watch.day.close().map(|t| (None, t))
            }
            BreakerScope::FleetLive if scope.is_none() => {
                self.is_dirty = true;
                self.fleet_watch.live_day.close().map(|t| (None, t))
            }
            BreakerScope::Fleet | BreakerScope::FleetLive => None,
        };
        let (account_id, tripped) = told.ok_or_else(|| not_found("tripped breaker"))?;
        out.push(breaker_record(account_id, tripped, false, actor, now));
        Ok(Reply::Done)
    }

    fn close_bot_breaker(
        &mut self,
        scope: Option<AccountId>,
        bot: BotId,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let (account, slot) = self.find(scope, bot).ok_or_else(|| not_found("bot"))?;
        let maximum_percent = self.policy_of(account).1.breaker_bot_percent;
        self.with_shard(account, now, |shard, world| {
            if !shard.bots[slot].record.holds.contains(Hold::CircuitBreaker) {
                return Err(not_found("tripped breaker"));
            }
            // What was lost so far is known to whoever closes it: it trips again this much lower.
            let loss_percent = match shard.equity(slot, world) {
                Some(equity) => shard.capital_loss(slot, equity),
                None => maximum_percent,
            };
            shard.bots[slot].day.forgiven_percent = loss_percent;
            out.push(Output::Breaker(BreakerRecord {
                account_id: Some(shard.record.id),
                bot_id: Some(bot),
                tripped: false,
                loss_percent,
                maximum_percent,
                by: actor.clone(),
                at: now,
            }));
            let reason = "closed by hand".to_owned();
            shard.release(slot, Hold::CircuitBreaker, actor, reason, world, out);
            Ok(Reply::Done)
        })
    }
}

fn check_money(money: &WalletMove) -> Result<(), CommandError> {
    if !money.amount.is_positive() || money.amount > DEPOSIT_MAX {
        let allowed = "an amount above 0, at most 1000000000000";
        return Err(invalid("amount", money.amount, allowed));
    }
    Ok(())
}
