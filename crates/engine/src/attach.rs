//! Bringing a bot together with its market: instrument, indicators, capital.

use crate::bot::Bot;
use crate::engine::Engine;
use crate::output::Output;
use crate::shard::{Member, Shard};
use domain::{Actor, CancelReason, Exchange, Hold, InstrumentId, Lifecycle, Timestamp};

/// Who acts when nobody asked.
pub(crate) fn engine_actor() -> Actor {
    Actor::Rule("engine".into())
}

impl Engine {
    /// The instrument of a bot, where its exchange is ours, enabled, and lists it.
    pub(crate) fn instrument_of(&self, bot: &Bot) -> Option<InstrumentId> {
        let exchange = Exchange::parse(&bot.config().exchange)?;
        self.markets.id(exchange, bot.config().symbol)
    }

    pub(crate) fn is_supported(&self, exchange: &str) -> bool {
        let names = &self.switches.paper_exchanges;
        Exchange::parse(exchange).is_some() && names.iter().any(|n| n == exchange)
    }

    /// Finds bots of unsupported exchanges before anything else is done with them, and brings back
    /// those whose exchange is enabled.
    pub(crate) fn sort_out_exchanges(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        for account in 0..self.shards.len() {
            for slot in 0..self.shards[account].bots.len() {
                let bot = &self.shards[account].bots[slot];
                if bot.record.lifecycle == Lifecycle::Retired {
                    continue;
                }
                let exchange = bot.config().exchange.clone();
                let is_supported = self.is_supported(&exchange);
                let is_enabled = self.switches.paper_trading;
                self.with_shard(account, now, |shard, world| {
                    let (actor, hold) = (engine_actor(), Hold::UnsupportedExchange);
                    if is_supported {
                        let reason = format!("{exchange} is enabled");
                        shard.release(slot, hold, &actor, reason, world, out);
                    } else {
                        let reason = format!("{exchange} is not in PAPER_SUPPORTED_EXCHANGES");
                        shard.hold(slot, hold, &actor, reason, world, out);
                    }
                    let (hold, reason) = (Hold::ModeDisabled, "ENABLE_PAPER_TRADING".to_owned());
                    if is_enabled {
                        shard.release(slot, hold, &actor, reason, world, out);
                    } else {
                        shard.hold(slot, hold, &actor, reason, world, out);
                    }
                });
            }
        }
        self.attach_all(now, out);
        self.finish_stops(now, out);
        // A flag that is off is no hold of its own: what rests goes with the flag.
        for account in 0..self.shards.len() {
            self.with_shard(account, now, |shard, world| {
                for slot in 0..shard.bots.len() {
                    if !shard.may_enter(slot, world) {
                        shard.withdraw_entries(slot, CancelReason::Hold, world);
                    }
                }
            });
        }
    }

    /// Attaches every bot whose instrument is known by now.
    pub(crate) fn attach_all(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        for account in 0..self.shards.len() {
            for slot in 0..self.shards[account].bots.len() {
                self.attach(account, slot, now, out);
            }
        }
    }

    /// Gives a bot its market and, the first time, its capital.
    pub(crate) fn attach(
        &mut self,
        account: usize,
        slot: usize,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let bot = &self.shards[account].bots[slot];
        let is_needed =
            bot.fixed.instrument.is_none() && bot.record.lifecycle != Lifecycle::Retired;
        if !is_needed || !self.is_supported(&bot.config().exchange) {
            return;
        }
        let Some(id) = self.instrument_of(bot) else { return };
        self.bind(account, slot, id, now);
        let is_new = self.shards[account].bots[slot].needs_capital;
        self.with_shard(account, now, |shard, world| {
            if is_new {
                shard.fund(slot, now, world, out);
            }
            shard.follow_status(slot, id, world, out);
            shard.refresh_position(slot, world);
            shard.arm(slot, world);
            if shard.bots[slot].exit_wanted.is_some() {
                shard.interest(id).exiting.insert(slot as u32);
                shard.retry_exit(slot, now);
            }
            if let Some(until) = shard.bots[slot].cooldown_until {
                shard.at(until, crate::shard::Due::Cooldown(slot as u32));
            }
            if let Some(at) = shard.bots[slot].rearm_at {
                shard.at(at, crate::shard::Due::Rearm(slot as u32));
            }
        });
        // What is due already, as after a restart, is looked at with the next input.
        self.due = self.due.min(now);
    }

    /// Subscribes a bot to its series and shared indicators.
    pub(crate) fn bind(&mut self, account: usize, slot: usize, id: InstrumentId, now: Timestamp) {
        let shard = &mut self.shards[account];
        let market = self.markets.get_mut(id);
        let bot = &mut shard.bots[slot];
        let Ok(params) = strategy::resolve(&bot.record.config.strategy) else { return };
        let series = market.series(bot.record.config.timeframe, now);
        let history: Vec<domain::Bar> = match market.series[series].awaits_history {
            true => Vec::new(),
            false => market.series[series].bars.iter().copied().collect(),
        };
        let indicators = &mut market.series[series].indicators;
        let specs = strategy::indicators(&params);
        bot.fixed.slots =
            specs.into_iter().map(|spec| indicators.slot_warmed(spec, &history)).collect();
        bot.fixed.edge_bp = strategy::edge_bp(&params, &bot.record.config.exits);
        bot.fixed.params = Some(params);
        bot.fixed.series = series;
        let is_moved = bot.fixed.instrument.replace(id).is_some();
        let exchange = market.instrument.exchange;
        bot.books.exchange = exchange;
        let interest = shard.interest(id);
        if is_moved {
            interest.by_series.iter_mut().for_each(|list| list.retain(|m| m.slot != slot as u32));
        } else {
            interest.bots.push(slot as u32);
        }
        if interest.by_series.len() <= series {
            interest.by_series.resize_with(series + 1, Vec::new);
        }
        interest.by_series[series].push(Member { slot: slot as u32, quiet: None });
        let place = interest.by_series[series].len() - 1;
        // One that moved left a gap in another list.
        let moved: Vec<(usize, u32)> = match is_moved {
            true => {
                let lists = interest.by_series.iter().flat_map(|list| list.iter().enumerate());
                lists.map(|(place, member)| (place, member.slot)).collect()
            }
            false => vec![(place, slot as u32)],
        };
        for (place, slot) in moved {
            shard.bots[slot as usize].fixed.place = place;
        }
    }
}

impl Shard {
    /// Reserves a bot's capital; without it the bot waits with a hold.
    pub(crate) fn fund(
        &mut self,
        slot: usize,
        now: Timestamp,
        world: &crate::shard::World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &mut self.bots[slot];
        let capital = bot.record.config.capital;
        let is_spawned = bot.piloted.as_ref().is_some_and(|p| p.parent.is_some());
        let funded = match is_spawned {
            true => self.ledger.reinvest(&mut bot.books, capital, now),
            false => self.ledger.allocate(&mut bot.books, capital, now),
        };
        match funded {
            Ok(transfer) => {
                bot.needs_capital = false;
                out.push(Output::Transfer(transfer));
                let key = (bot.books.mode, bot.books.exchange, bot.books.symbol.quote);
                self.tell_wallet(key, now, out);
                self.equity_funded(slot, capital, world, out);
                let reason = "funded".to_owned();
                self.release(slot, Hold::BudgetExhausted, &engine_actor(), reason, world, out);
                self.touch(slot);
            }
            Err(short) => {
                let reason = format!("capital {short}");
                self.hold(slot, Hold::BudgetExhausted, &engine_actor(), reason, world, out);
            }
        }
    }

    /// Money came in: bots that wait for their capital get it, oldest first.
    pub(crate) fn fund_waiting(&mut self, world: &crate::shard::World<'_>, out: &mut Vec<Output>) {
        for slot in 0..self.bots.len() {
            let bot = &self.bots[slot];
            let is_waiting = bot.needs_capital && bot.fixed.instrument.is_some();
            if is_waiting && bot.record.lifecycle != Lifecycle::Retired {
                self.fund(slot, world.now, world, out);
            }
        }
    }
}
