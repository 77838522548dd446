//! The series of each bot's equity: every five minutes, and wherever its capital moves.

use crate::output::{EquityRecord, Output};
use crate::shard::{Shard, World, in_force};
use crate::training::{Training, covered};
use domain::{Amount, Lifecycle, Span, Timestamp};

/// Between two points: 288 a day show a day's shape and are few enough to be kept for ever.
const SAMPLING: Span = Span::from_secs(300);

/// Points between two rows of a bot that does nothing else.
const STORED_EVERY: i64 = 12;

/// The finest time that the store keeps apart.
pub(crate) const TICK: Span = Span(1_000);

impl Shard {
    /// A point of every bot that has capital, once in five minutes.
    ///
    /// Its time is on the grid, so that points of many bots add up. A bot that was funded since
    /// the grid's time has its first point already, at a later time.
    pub(crate) fn sample_equity(&mut self, world: &World<'_>, out: &mut Vec<Output>) {
        let at = world.now.floor(SAMPLING);
        if at <= self.sampled_at {
            return;
        }
        self.sampled_at = at;
        // Stored with the account, so that a restart goes on as if there had been none.
        self.is_dirty = true;
        for slot in 0..self.bots.len() {
            let bot = &self.bots[slot];
            let has_capital = bot.funded_at.is_some_and(|funded_at| funded_at < at);
            if has_capital && bot.record.lifecycle != Lifecycle::Retired {
                let equity = self.equity(slot, world);
                out.push(self.point(slot, equity, Amount::ZERO, at));
                self.train(slot, at, equity, world, out);
            }
        }
    }

    /// The first point of a mode: its capital came.
    pub(crate) fn equity_funded(
        &mut self,
        slot: usize,
        capital: Amount,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let before = self.bots[slot].funded_at;
        // Capital that changes its mode goes and comes in one moment: both points are kept.
        let at = before.map_or(world.now, |before| world.now.max(before + TICK));
        self.bots[slot].funded_at = Some(at);
        // One that comes back from live keeps what it has shown.
        if before.is_none() {
            *self.bots[slot].training = Training::new(world.now);
        }
        out.push(self.point(slot, self.equity(slot, world), capital, at));
    }

    /// The point counts for the bot's training, and for what watches it.
    fn train(
        &mut self,
        slot: usize,
        at: Timestamp,
        equity: Option<Amount>,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let policy = in_force(self.policy.as_ref(), world.policy).1;
        let bot = &mut self.bots[slot];
        let market = bot.fixed.instrument.map(|id| world.markets.get(id));
        let span = market.map_or(Span(0), |market| covered(bot, market, at, SAMPLING));
        let finding = bot.training.mark(at, equity, span, policy);
        // Each bot once an hour, by turns: a restart forgets no more of what was covered.
        if slot as i64 % STORED_EVERY == at.0 / SAMPLING.0 % STORED_EVERY {
            self.touch(slot);
        }
        self.act_on(slot, finding, world, out);
    }

    /// The last point: its capital went back.
    pub(crate) fn equity_returned(
        &mut self,
        slot: usize,
        returned: Amount,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(funded_at) = self.bots[slot].funded_at else { return };
        // A print fetched late acts in the past: the last point stays the last, on its own.
        let at = world.now.max(self.sampled_at).max(funded_at + TICK);
        self.bots[slot].funded_at = Some(at);
        out.push(self.point(slot, self.equity(slot, world), -returned, at));
    }

    pub(crate) fn point(
        &self,
        slot: usize,
        equity: Option<Amount>,
        flow: Amount,
        at: Timestamp,
    ) -> Output {
        let bot = &self.bots[slot];
        Output::Equity(EquityRecord {
            account_id: bot.record.account_id,
            bot_id: bot.record.id,
            mode: bot.books.mode,
            exchange: bot.books.exchange,
            currency: bot.books.symbol.quote,
            equity,
            flow,
            at,
        })
    }
}
