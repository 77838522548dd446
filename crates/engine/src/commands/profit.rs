//! Realised profit from bot to bot, and into new bots: all of it or nothing.

use super::{Answer, not_found};
use crate::autopilot::Piloted;
use crate::capital::Flow;
use crate::command::{CommandError, NewBot, ProfitShare, Reply};
use crate::commands::create::Birth;
use crate::engine::Engine;
use crate::output::Output;
use crate::shard::Shard;
use domain::{Actor, Amount, BotId, Currency, Exchange, Lifecycle, Mode, Timestamp, Transfer};
use ledger::{BotBooks, Ledger, Short};
use std::collections::BTreeMap;

const ELSEWHERE: &str = "profit stays on the exchange and in the currency where it was earned";

fn impossible(problem: String) -> CommandError {
    CommandError::NotPossible { problem }
}

/// A move of profit worked out on copies: nothing has moved before it is put in place.
struct Move {
    ledger: Ledger,
    books: BTreeMap<usize, BotBooks>,
    transfers: Vec<Transfer>,
    flows: BTreeMap<usize, Flow>,
    /// Most that may leave each.
    drains: BTreeMap<usize, Amount>,
    place: (Exchange, Currency),
}

impl Move {
    fn short(&self, short: Short) -> CommandError {
        CommandError::InsufficientFunds {
            exchange: self.place.0.name().to_owned(),
            currency: self.place.1,
            needed: short.needed,
            available: short.available,
        }
    }

    fn take(&mut self, slot: usize, amount: Amount, now: Timestamp) -> Result<(), CommandError> {
        let books = self.books.get_mut(&slot).ok_or_else(|| not_found("bot"))?;
        let most = self.drains.get(&slot).copied().unwrap_or_default();
        if amount > most {
            let problem =
                format!("{amount} is over {most}, half of what the bot began the day with");
            return Err(impossible(problem));
        }
        self.drains.insert(slot, most - amount);
        let taken = self.ledger.take_profit(books, amount, now);
        self.transfers.push(taken.map_err(|short| self.short(short))?);
        if let Some(flow) = self.flows.get_mut(&slot) {
            flow.amount -= amount;
        }
        Ok(())
    }

    fn give(&mut self, slot: usize, amount: Amount, now: Timestamp) -> Result<(), CommandError> {
        let books = self.books.get_mut(&slot).ok_or_else(|| not_found("bot"))?;
        let given = self.ledger.reinvest(books, amount, now);
        self.transfers.push(given.map_err(|short| self.short(short))?);
        if let Some(flow) = self.flows.get_mut(&slot) {
            flow.amount += amount;
            flow.capital += amount;
        }
        Ok(())
    }
}

impl Engine {
    pub(super) fn reinvest(
        &mut self,
        account: usize,
        (from, to): (&[ProfitShare], &[ProfitShare]),
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let place = self.shares_place(account, from.iter().chain(to))?;
        let mut moved = self.begin(account, place, from.iter().chain(to))?;
        for share in from {
            moved.take(self.slot_of(account, share.bot_id)?, share.amount, now)?;
        }
        for share in to {
            moved.give(self.slot_of(account, share.bot_id)?, share.amount, now)?;
        }
        self.settle(account, moved, actor, now, out);
        Ok(Reply::Done)
    }

    pub(super) fn spawn(
        &mut self,
        account: usize,
        (parent, request): (BotId, &NewBot),
        from: &[ProfitShare],
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let config = self.config(account, request)?;
        self.check_cap(account, &config)?;
        let exchange = Exchange::parse(&config.exchange).ok_or_else(|| not_found("exchange"))?;
        if !self.is_supported(&config.exchange) || !config.managed {
            return Err(impossible("a bot of the autopilot is managed, where paper runs".into()));
        }
        self.slot_of(account, parent)?;
        let place = (exchange, config.symbol.quote);
        let mut moved = self.begin(account, place, from.iter())?;
        for share in from {
            moved.take(self.slot_of(account, share.bot_id)?, share.amount, now)?;
        }
        let wallet = moved.ledger.wallet(Mode::Paper, place.0, place.1);
        if wallet.kept < config.capital {
            let (needed, available) = (config.capital, wallet.kept);
            return Err(moved.short(Short { needed, available }));
        }
        // Its capital must be workable with the money that is about to come.
        std::mem::swap(&mut self.shards[account].ledger, &mut moved.ledger);
        let checked = self.check_capital(account, &config);
        std::mem::swap(&mut self.shards[account].ledger, &mut moved.ledger);
        checked?;
        self.settle(account, moved, actor, now, out);
        self.create_bot(account, request, Birth::Spawned(parent), actor, now, out)
    }

    fn slot_of(&self, account: usize, bot: BotId) -> Result<usize, CommandError> {
        self.shards[account].slot(bot).ok_or_else(|| not_found("bot"))
    }

    /// The one wallet of all these bots.
    fn shares_place<'s>(
        &self,
        account: usize,
        shares: impl Iterator<Item = &'s ProfitShare>,
    ) -> Result<(Exchange, Currency), CommandError> {
        let mut place = None;
        for share in shares {
            let books = &self.shards[account].bots[self.slot_of(account, share.bot_id)?].books;
            let here = (books.exchange, books.symbol.quote);
            if *place.get_or_insert(here) != here {
                return Err(impossible(ELSEWHERE.to_owned()));
            }
        }
        place.ok_or_else(|| not_found("bot"))
    }

    /// Checks every bot concerned and works on copies from here on.
    fn begin<'s>(
        &self,
        account: usize,
        place: (Exchange, Currency),
        shares: impl Iterator<Item = &'s ProfitShare> + Clone,
    ) -> Result<Move, CommandError> {
        let shard = &self.shards[account];
        if self.fleet_stop.is_some() || shard.stop.is_some() {
            return Err(CommandError::EmergencyStopActive);
        }
        if self.shares_place(account, shares.clone()).is_ok_and(|own| own != place) {
            return Err(impossible(ELSEWHERE.to_owned()));
        }
        let (mut books, mut flows, mut drains) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for share in shares {
            let slot = self.slot_of(account, share.bot_id)?;
            let bot = &shard.bots[slot];
            flows.insert(slot, self.flow_of(shard, slot)?);
            let mut own = bot.books.clone();
            // What open orders may still cost is not there to be taken.
            own.cash = bot.free_cash();
            books.insert(slot, own);
            drains.insert(slot, bot.drain_max());
        }
        let ledger = shard.ledger.clone();
        Ok(Move { ledger, books, transfers: Vec::new(), flows, drains, place })
    }

    fn flow_of(&self, shard: &Shard, slot: usize) -> Result<Flow, CommandError> {
        let bot = &shard.bots[slot];
        let name = &bot.config().name;
        if !bot.config().managed || bot.record.mode != Mode::Paper {
            return Err(impossible(format!("{name} is not managed by the autopilot")));
        }
        if bot.record.lifecycle != Lifecycle::Active || bot.needs_capital {
            return Err(impossible(format!("{name} does not work with capital")));
        }
        let equity = shard.equity(slot, &self.world()).filter(|equity| equity.is_positive());
        let equity_before =
            equity.ok_or_else(|| impossible(format!("what {name} is worth is not known")))?;
        Ok(Flow { amount: Amount::ZERO, capital: Amount::ZERO, equity_before })
    }

    /// Puts a move in place and tells it.
    fn settle(
        &mut self,
        account: usize,
        moved: Move,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Move { ledger, books, transfers, flows, place, .. } = moved;
        let shard = &mut self.shards[account];
        shard.ledger = ledger;
        shard.is_dirty = true;
        for (slot, mut own) in books {
            let bot = &mut shard.bots[slot];
            own.cash += bot.books.cash - bot.free_cash();
            bot.books = own;
        }
        out.extend(transfers.into_iter().map(Output::Transfer));
        shard.tell_wallet((Mode::Paper, place.0, place.1), now, out);
        self.with_shard(account, now, |shard, world| {
            for (slot, flow) in flows {
                let reason = match flow.amount.is_negative() {
                    true => format!("{} {} of profit taken", -flow.amount, place.1),
                    false => format!("{} {} of profit given", flow.amount, place.1),
                };
                shard.capital_moved(slot, flow, (actor, reason), world, out);
            }
        });
    }
}

/// What is remembered of a bot that the autopilot created.
pub(super) fn spawned_by(parent: BotId) -> Box<Piloted> {
    Box::new(Piloted { parent: Some(parent), ..Piloted::default() })
}
