//! Carrying out commands. Nothing moves unless everything asked for is possible.

use crate::bot::{Bot, Step};
use crate::command::{
    BotPatch, BreakerScope, Command, CommandError, NewBot, Reply, WalletMove, cap,
};
use crate::engine::Engine;
use crate::input::Envelope;
use crate::output::{AccountRecord, BotRecord, BreakerRecord, Output, PolicyRecord};
use crate::shard::{Shard, Stop};
use domain::{
    AccountId, Actor, Amount, BotConfig, BotId, CancelReason, Currency, EventKind, Exchange,
    ExitReason, Hold, Lifecycle, Mode, OrderId, Policy, Price, Round, Sizing, StopChoice,
    Timestamp,
};
use ledger::BotBooks;

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

    fn carry_out(&mut self, envelope: &Envelope, now: Timestamp, out: &mut Vec<Output>) -> Answer {
        let (actor, scope) = (&envelope.actor, envelope.account);
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
            | Command::UpdateBot { bot, .. }
            | Command::Clone { bot, .. } => {
                let (account, slot) = self.find(scope, *bot).ok_or_else(|| not_found("bot"))?;
                self.on_bot(account, slot, envelope, now, out)
            }
            Command::CancelOrder(order) => self.cancel_order(scope, *order, now, out),
            Command::CreateBot { bot, start } => {
                let account = self.account_of(scope)?;
                self.create_bot(account, bot, *start, actor, now, out)
            }
            Command::Deposit(money) => self.deposit(self.account_of(scope)?, money, now, out),
            Command::Withdraw(money) => self.withdraw(self.account_of(scope)?, money, now, out),
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

    fn config(&self, account: usize, request: &NewBot) -> Result<BotConfig, CommandError> {
        let taken = self.shards[account]
            .bots
            .iter()
            .any(|b| b.config().name == request.name && b.record.lifecycle != Lifecycle::Retired);
        check_name(&request.name, taken)?;
        let params = strategy::resolve(&request.strategy)
            .map_err(|e| CommandError::InvalidStrategy { problem: e.to_string() })?;
        let config = BotConfig {
            name: request.name.clone(),
            exchange: request.exchange.trim().to_lowercase(),
            symbol: request.symbol,
            strategy: request.strategy.clone(),
            timeframe: request
                .timeframe
                .unwrap_or(strategy::schema(request.strategy.kind).default_timeframe),
            risk_mode: request.risk_mode,
            capital: request.capital,
            sizing: request.sizing,
            exits: request.exits.unwrap_or_else(|| strategy::default_exits(&params)),
            managed: request.managed,
        };
        check_figures(&config)?;
        Ok(config)
    }

    fn create_bot(
        &mut self,
        account: usize,
        request: &NewBot,
        start: bool,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let config = self.config(account, request)?;
        let is_supported = self.is_supported(&config.exchange);
        self.check_cap(account, &config)?;
        if is_supported {
            self.check_capital(account, &config)?;
        }
        let id = BotId(self.shards.iter().map(|s| s.bots.len() as u32).sum::<u32>() + 1);
        // Where the exchange is unknown nothing is ever booked under this one.
        let exchange = Exchange::parse(&config.exchange).unwrap_or(Exchange::Binance);
        let books = BotBooks::new(id, Mode::Paper, exchange, config.symbol);
        let shard = &mut self.shards[account];
        let record = BotRecord {
            id,
            account_id: shard.record.id,
            mode: Mode::Paper,
            lifecycle: if start { Lifecycle::Active } else { Lifecycle::Stopped },
            holds: Default::default(),
            season: shard.record.season,
            created_at: now,
            updated_at: now,
            config,
        };
        let params = strategy::resolve(&record.config.strategy)
            .map_err(|e| CommandError::InvalidStrategy { problem: e.to_string() })?;
        let slot = shard.bots.len();
        shard.bots.push(Bot::new(record, books, &params));
        shard.slots.insert(id, slot as u32);
        if let Some(mut change) = shard.bots[slot].transition(Step::Edit, actor, "created", now) {
            change.event = Some(EventKind::BotCreated);
            out.push(Output::Bot(change));
        }
        shard.touch(slot);
        self.hold_new(account, slot, now, out);
        self.attach(account, slot, now, out);
        Ok(Reply::Bot(id))
    }

    /// Holds that are there from the first moment.
    fn hold_new(&mut self, account: usize, slot: usize, now: Timestamp, out: &mut Vec<Output>) {
        let bot = &self.shards[account].bots[slot];
        let exchange = bot.config().exchange.clone();
        let is_supported = self.is_supported(&exchange);
        let is_paper_on = self.switches.paper_trading;
        let actor = crate::attach::engine_actor();
        self.with_shard(account, now, |shard, world| {
            if !is_supported {
                let reason = format!("{exchange} is not in PAPER_SUPPORTED_EXCHANGES");
                shard.hold(slot, Hold::UnsupportedExchange, &actor, reason, world, out);
            }
            if !is_paper_on {
                let reason = "ENABLE_PAPER_TRADING".to_owned();
                shard.hold(slot, Hold::ModeDisabled, &actor, reason, world, out);
            }
            if shard.stop_choice(world).is_some() {
                let reason = "emergency stop".to_owned();
                shard.hold(slot, Hold::EmergencyStop, &actor, reason, world, out);
            }
        });
    }

    fn check_cap(&self, account: usize, config: &BotConfig) -> Result<(), CommandError> {
        let policy = self.policy_of(account).1;
        // Bots of exchanges that are not ours are capped like those of the smallest.
        let cap =
            cap(&policy.paper_bots_max, &config.exchange).unwrap_or(policy.paper_bots_max.luno);
        let on_it = |b: &&Bot| {
            b.config().exchange == config.exchange && b.record.lifecycle != Lifecycle::Retired
        };
        let in_use = self.shards[account].bots.iter().filter(on_it).count() as u32;
        if in_use < cap {
            return Ok(());
        }
        let (exchange, mode) = (config.exchange.clone(), "paper".to_owned());
        Err(CommandError::BotCapReached { exchange, mode, in_use, cap })
    }

    fn check_capital(&self, account: usize, config: &BotConfig) -> Result<(), CommandError> {
        let unknown = || CommandError::UnknownInstrument {
            exchange: config.exchange.clone(),
            symbol: config.symbol,
        };
        let exchange = Exchange::parse(&config.exchange).ok_or_else(unknown)?;
        let market =
            self.markets.get(self.markets.id(exchange, config.symbol).ok_or_else(unknown)?);
        let params = strategy::resolve(&config.strategy)
            .map_err(|e| CommandError::InvalidStrategy { problem: e.to_string() })?;
        let limit = self.policy_of(account).1.position_max(config.risk_mode);
        let of_mode = config.capital.times(limit, Round::Down);
        let entries = i64::from(strategy::max_entries(&params).max(1));
        let largest_order = match config.sizing {
            None => of_mode.part(1, entries, Round::Down),
            Some(Sizing::FixedQuote(amount)) => amount.min(of_mode),
            Some(Sizing::PercentOfEquity(percent)) => {
                config.capital.times(crate::shard::share(percent), Round::Down).min(of_mode)
            }
        };
        let price = market.last_quote.map_or(Price::ZERO, |q| q.1);
        let minimum = market.instrument.smallest_order(price);
        let twice = minimum + minimum;
        if largest_order < twice {
            let needed = twice
                .product(config.capital, Round::Up)
                .and_then(|n| n.quotient(largest_order.max(Amount::from_atoms(1)), Round::Up))
                .unwrap_or(config.capital);
            let capital = config.capital;
            return Err(CommandError::CapitalTooSmall { capital, largest_order, minimum, needed });
        }
        let wallet = self.shards[account].ledger.wallet(Mode::Paper, exchange, config.symbol.quote);
        if wallet.available < config.capital {
            return Err(CommandError::InsufficientFunds {
                exchange: config.exchange.clone(),
                currency: config.symbol.quote,
                needed: config.capital,
                available: wallet.available,
            });
        }
        Ok(())
    }

    fn on_bot(
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
                return self.create_bot(account, &request, true, actor, now, out);
            }
            Command::UpdateBot { patch, .. } if lifecycle != Lifecycle::Retired => {
                return self.update_bot(account, slot, patch, actor, now, out);
            }
            Command::Start(_) if is_stopped_all => return Err(CommandError::EmergencyStopActive),
            Command::Resume(_) if is_stopped_all => return Err(CommandError::EmergencyStopActive),
            _ if lifecycle == Lifecycle::Retired => return wrong("be changed"),
            _ => {}
        }
        let holds = bot.record.holds;
        self.with_shard(account, now, |shard, world| match envelope.command {
            Command::Start(_) => {
                if lifecycle != Lifecycle::Stopped {
                    return wrong("be started");
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
            Command::Rearm(_) if !holds.contains(Hold::RiskStop) => wrong("be re-armed"),
            Command::Rearm(_) => {
                if shard.rearm(slot, actor, world, out) {
                    return Ok(Reply::Bot(id));
                }
                let problem = "its equity is not known while the feed is stale".to_owned();
                Err(CommandError::NotPossible { problem })
            }
            Command::Flatten(_) => {
                shard.want_flat(slot, ExitReason::Manual, world, out);
                Ok(Reply::Bot(id))
            }
            _ => wrong("do that"),
        })
    }

    fn update_bot(
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
        bot.record.config = config;
        if let (true, Ok(params)) = (rewires, strategy::resolve(&bot.record.config.strategy)) {
            bot.state = strategy::State::new(&params);
        }
        let change = bot.transition(Step::Edit, actor, "changed", now);
        out.extend(change.map(Output::Bot));
        shard.touch(slot);
        if let Some(instrument) = shard.bots[slot].fixed.instrument {
            self.bind(account, slot, instrument, now);
            self.with_shard(account, now, |shard, world| shard.arm(slot, world));
        }
        Ok(Reply::Bot(id))
    }

    fn cancel_order(
        &mut self,
        scope: Option<AccountId>,
        order: OrderId,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let _ = out;
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
                if shard.bots[slot].record.lifecycle == Lifecycle::Retired {
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
        let told = Output::EmergencyStop(Stop::record(Some(&stop), scope, now));
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
        out.push(told);
        for account in accounts {
            self.with_shard(account, now, |s, w| s.stop_all(choice, actor, w, out));
        }
        Ok(Reply::Done)
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
        let own = self.shards[account].policy.as_ref();
        own.map_or((self.policy.0, &self.policy.1), |(version, policy)| (*version, policy))
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
            allowed: e.allowed.to_owned(),
        })?;
        let version = self.policy_versions + 1;
        let mut tell = |account_id| {
            let (policy, actor) = (policy.clone(), actor.clone());
            out.push(Output::Policy(PolicyRecord { account_id, version, policy, actor, at: now }));
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
        let BreakerScope::Bot(bot) = breaker else {
            let problem = "breakers of accounts and of the fleet are not built yet".to_owned();
            return Err(CommandError::NotPossible { problem });
        };
        let (account, slot) = self.find(scope, bot).ok_or_else(|| not_found("bot"))?;
        let maximum_percent = self.policy_of(account).1.breaker_bot_percent;
        self.with_shard(account, now, |shard, world| {
            if !shard.bots[slot].record.holds.contains(Hold::CircuitBreaker) {
                return Err(not_found("tripped breaker"));
            }
            out.push(Output::Breaker(BreakerRecord {
                account_id: Some(shard.record.id),
                bot_id: Some(bot),
                tripped: false,
                loss_percent: Amount::ZERO,
                maximum_percent,
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

fn check_figures(config: &BotConfig) -> Result<(), CommandError> {
    let hundred = Amount::from_int(100);
    if !config.capital.is_positive() || config.capital > DEPOSIT_MAX {
        let allowed = "an amount above 0, at most 1000000000000";
        return Err(invalid("capital", config.capital, allowed));
    }
    match config.sizing {
        Some(Sizing::PercentOfEquity(p)) if !p.is_positive() || p > hundred => {
            return Err(invalid("sizing.percent_of_equity", p, "above 0, at most 100"));
        }
        Some(Sizing::FixedQuote(a)) if !a.is_positive() => {
            return Err(invalid("sizing.fixed_quote", a, "an amount above 0"));
        }
        _ => {}
    }
    let exits = &config.exits;
    let falls = [("stop_percent", exits.stop_percent), ("trail_percent", exits.trail_percent)];
    for (field, value) in falls {
        if let Some(p) = value.filter(|p| !p.is_positive() || *p >= hundred) {
            return Err(invalid(&format!("exits.{field}"), p, "above 0, below 100"));
        }
    }
    if let Some(p) =
        exits.target_percent.filter(|p| !p.is_positive() || *p > Amount::from_int(10_000))
    {
        return Err(invalid("exits.target_percent", p, "above 0, at most 10000"));
    }
    if exits.time_limit_s == Some(0) {
        return Err(invalid("exits.time_limit_s", 0, "whole seconds above 0"));
    }
    Ok(())
}
