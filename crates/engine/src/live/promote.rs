//! To live and back: the one way in which a bot's mode changes.

use crate::bot::{Day, Step};
use crate::command::{CommandError, Reply, cap};
use crate::engine::Engine;
use crate::live::{LiveBot, LiveOrders};
use crate::output::Output;
use crate::shard::{Shard, World};
use domain::{Actor, Amount, CancelReason, Lifecycle, Mode, Timestamp};
use ledger::BotBooks;

type Answer = Result<Reply, CommandError>;

fn not_possible(problem: impl Into<String>) -> CommandError {
    CommandError::NotPossible { problem: problem.into() }
}

impl Engine {
    /// Makes a paper bot live: only a person, with the bot's name typed, while every condition
    /// holds and nothing of the paper bot is open.
    pub(crate) fn promote(
        &mut self,
        account: usize,
        slot: usize,
        confirmation: &str,
        actor: &Actor,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Answer {
        let bot = &self.shards[account].bots[slot];
        if matches!(actor, Actor::Rule(_)) {
            return Err(not_possible("only a person makes a bot live"));
        }
        if bot.record.mode == Mode::Live {
            return Err(not_possible("the bot is live already"));
        }
        let confirmed = confirmation == bot.config().name;
        if !bot.fixed.position.is_flat() || !bot.open.is_empty() {
            return Err(CommandError::NotFlat { position: bot.books.position });
        }
        self.check_live_cap(account, slot)?;
        self.with_shard(account, now, |shard, world| {
            shard.promote(slot, confirmed, actor, world, out)
        })
    }

    fn check_live_cap(&self, account: usize, slot: usize) -> Result<(), CommandError> {
        let exchange = self.shards[account].bots[slot].config().exchange.clone();
        let cap = cap(&self.policy_of(account).1.live_bots_max, &exchange).unwrap_or(0);
        let shard = &self.shards[account];
        let is_here = |(_, b): &(usize, &crate::bot::Bot)| {
            b.config().exchange == exchange && b.record.lifecycle != Lifecycle::Retired
        };
        let in_use = shard.live_bots().filter(is_here).count() as u32;
        if in_use < cap {
            return Ok(());
        }
        Err(CommandError::BotCapReached { exchange, mode: "live".to_owned(), in_use, cap })
    }
}

impl Shard {
    fn promote(
        &mut self,
        slot: usize,
        confirmed: bool,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> Answer {
        let gate = self.gate(slot, world, confirmed);
        if !gate.verdict.is_open() {
            let missing = gate.verdict.conditions().iter().filter(|c| c.is_required && !c.pass);
            let missing = missing.map(|c| c.name.to_owned()).collect();
            return Err(CommandError::GateClosed { missing });
        }
        let bot = &self.bots[slot];
        let (exchange, symbol) = (bot.books.exchange, bot.books.symbol);
        if let Some(problem) = self.desks[exchange as usize].problem() {
            return Err(not_possible(problem));
        }
        let wallet = self.ledger.wallet(Mode::Live, exchange, symbol.quote);
        let capital = bot.config().capital.min(wallet.available);
        let size = gate.verdict.size().map_or(Amount::ZERO, |size| size.amount);
        if capital < size || !capital.is_positive() {
            return Err(CommandError::InsufficientFunds {
                exchange: exchange.name().to_owned(),
                currency: symbol.quote,
                needed: size,
                available: wallet.available,
            });
        }
        self.tell_gate(slot, "promoted", actor, world, out);
        self.return_capital(slot, world, out);
        let bot = &mut self.bots[slot];
        let books = BotBooks::new(bot.record.id, Mode::Live, exchange, symbol);
        let parked = std::mem::replace(&mut bot.books, books);
        bot.live = Some(Box::new(LiveBot {
            since: world.now,
            confirmed_by: actor.clone(),
            capital,
            is_leaving: false,
            orders: LiveOrders::default(),
            parked,
            refused: Default::default(),
            was_open: true,
        }));
        self.live.insert(slot as u32);
        let transfer = self.ledger.allocate(&mut bot.books, capital, world.now);
        // It was looked up a moment ago.
        out.extend(transfer.ok().map(Output::Transfer));
        self.begin_anew(slot, Mode::Live, capital, actor, "made live", world, out);
        self.equity_funded(slot, capital, world, out);
        Ok(Reply::Bot(self.bots[slot].record.id))
    }

    /// Takes a live bot back: no entries from now on, and paper as soon as it is flat.
    pub(crate) fn demote(
        &mut self,
        slot: usize,
        actor: &Actor,
        reason: &'static str,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> Answer {
        let id = self.bots[slot].record.id;
        let Some(live) = self.bots[slot].live.as_mut() else {
            return Err(not_possible("the bot is on paper"));
        };
        if !std::mem::replace(&mut live.is_leaving, true) {
            self.tell_gate(slot, "demoted", actor, world, out);
            let change = self.bots[slot].transition(Step::Edit, actor, reason, world.now);
            out.extend(change.map(Output::Bot));
        }
        self.withdraw_entries(slot, CancelReason::User, world);
        self.touch(slot);
        self.flat(slot, world, out);
        Ok(Reply::Bot(id))
    }

    /// A demoted bot is flat and nothing of it is out: its money goes back, its paper books return.
    pub(crate) fn return_to_paper(
        &mut self,
        slot: usize,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let books = &self.bots[slot].books;
        if !books.exits.is_empty() || !books.position.is_zero() {
            return;
        }
        let actor = Actor::Rule("live gate".into());
        self.tell_gate(slot, "returned", &actor, world, out);
        self.return_capital(slot, world, out);
        let bot = &mut self.bots[slot];
        // What was too small to sell stays at the exchange, and belongs to no bot.
        if let Some(transfer) = self.ledger.release_dust(&mut bot.books, world.now) {
            out.push(Output::Transfer(transfer));
            let key = (Mode::Live, bot.books.exchange, bot.books.symbol.base);
            self.tell_wallet(key, world.now, out);
        }
        let bot = &mut self.bots[slot];
        let Some(live) = bot.live.take() else { return };
        self.live.remove(&(slot as u32));
        bot.books = live.parked;
        bot.needs_capital = true;
        let capital = bot.config().capital;
        self.begin_anew(slot, Mode::Paper, capital, &actor, "back on paper", world, out);
        self.fund(slot, world.now, world, out);
    }

    fn return_capital(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        self.keep_loss(slot, world);
        let bot = &mut self.bots[slot];
        let returned = bot.books.cash.or_zero();
        if returned.is_positive() {
            out.push(Output::Transfer(self.ledger.release(&mut bot.books, world.now)));
            let key = (bot.books.mode, bot.books.exchange, bot.books.symbol.quote);
            self.tell_wallet(key, world.now, out);
        }
        self.equity_returned(slot, returned, world, out);
    }

    /// Peaks, days and losses of one mode say nothing of the other.
    #[allow(clippy::too_many_arguments, reason = "one change, and who made it why")]
    fn begin_anew(
        &mut self,
        slot: usize,
        mode: Mode,
        capital: Amount,
        actor: &Actor,
        reason: &'static str,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &mut self.bots[slot];
        let opening_equity = capital;
        bot.day = Day { start: world.now.day(), opening_equity, ..bot.day };
        bot.equity_peak = capital;
        bot.training.rebase();
        out.extend(bot.transition(Step::Mode(mode), actor, reason, world.now).map(Output::Bot));
        let key = (bot.books.mode, bot.books.exchange, bot.books.symbol.quote);
        self.tell_wallet(key, world.now, out);
        self.touch(slot);
        self.is_dirty = true;
    }
}
