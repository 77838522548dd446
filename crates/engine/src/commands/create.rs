//! Creating a bot: its settings, the caps, and what its capital must allow.

use super::profit::spawned_by;
use super::{Answer, DEPOSIT_MAX, check_name, invalid};
use crate::bot::{Bot, Step};
use crate::command::{CommandError, NewBot, Reply, cap};
use crate::engine::Engine;
use crate::output::{BotRecord, Output};
use domain::{
    Actor, Amount, BotConfig, BotId, EventKind, Exchange, Hold, Lifecycle, Mode, Price, Round,
    Sizing, Timestamp,
};
use ledger::BotBooks;

/// How a bot comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Birth {
    /// By somebody's order.
    Ordered {
        /// Active at once.
        start: bool,
    },
    /// By the autopilot, as a variation of this one, out of profit.
    Spawned(BotId),
}

impl Engine {
    pub(super) fn config(
        &self,
        account: usize,
        request: &NewBot,
    ) -> Result<BotConfig, CommandError> {
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
        check_exchange(&config.exchange)?;
        check_figures(&config)?;
        Ok(config)
    }

    pub(super) fn create_bot(
        &mut self,
        account: usize,
        request: &NewBot,
        birth: Birth,
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
            lifecycle: match birth {
                Birth::Ordered { start: false } => Lifecycle::Stopped,
                Birth::Ordered { start: true } | Birth::Spawned(_) => Lifecycle::Active,
            },
            holds: Default::default(),
            season: shard.record.season,
            created_at: now,
            updated_at: now,
            config,
        };
        let params = strategy::resolve(&record.config.strategy)
            .map_err(|e| CommandError::InvalidStrategy { problem: e.to_string() })?;
        let slot = shard.bots.len();
        let mut bot = Bot::new(record, books, &params);
        if let Birth::Spawned(parent) = birth {
            bot.piloted = Some(spawned_by(parent));
        }
        shard.bots.push(bot);
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
    pub(super) fn hold_new(
        &mut self,
        account: usize,
        slot: usize,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
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

    pub(super) fn check_cap(&self, account: usize, config: &BotConfig) -> Result<(), CommandError> {
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

    pub(crate) fn check_capital(
        &self,
        account: usize,
        config: &BotConfig,
    ) -> Result<(), CommandError> {
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
}

/// Longest name of an exchange that is not ours; such a bot waits until it is.
const EXCHANGE_CHARS_MAX: usize = 32;

fn check_exchange(name: &str) -> Result<(), CommandError> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || name.len() > EXCHANGE_CHARS_MAX || !name.bytes().all(is_word) {
        let shown: String = name.chars().take(EXCHANGE_CHARS_MAX).collect();
        return Err(invalid("exchange", shown, "1 to 32 letters, digits, - _ ."));
    }
    Ok(())
}

pub(super) fn check_figures(config: &BotConfig) -> Result<(), CommandError> {
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
