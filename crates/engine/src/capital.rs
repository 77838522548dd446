//! Capital that comes to a bot or leaves it while it trades: neither profit nor loss nor drawdown.
//!
//! Peaks and openings move in proportion, as the value of a unit would not move at all. So what a
//! bot is worth must be known at that moment.

use crate::autopilot::Piloted;
use crate::bot::{Bot, Step};
use crate::equity::TICK;
use crate::output::Output;
use crate::shard::{Shard, World};
use crate::training::{Training, in_proportion};
use domain::{Actor, Amount, Timestamp};

/// What moved, and what the bot was worth before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// Into the bot, less what went out.
    pub(crate) amount: Amount,
    /// The part that is capital from now on; profit that leaves is none.
    pub(crate) capital: Amount,
    pub(crate) equity_before: Amount,
}

impl Shard {
    /// The ledger has moved it: everything that compares equities follows.
    pub(crate) fn capital_moved(
        &mut self,
        slot: usize,
        flow: Flow,
        (actor, reason): (&Actor, String),
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let (before, after) = (flow.equity_before, flow.equity_before + flow.amount);
        let bot = &mut self.bots[slot];
        bot.equity_peak = in_proportion(bot.equity_peak, before, after).max(after);
        // The day's loss is a sum of money: it stays what it was.
        bot.day.opening_equity += flow.amount;
        bot.training.capital_moved(before, after);
        restart_training(bot, flow.capital, world.now);
        bot.record.config.capital += flow.capital;
        let change = bot.transition(Step::Edit, actor, reason, world.now);
        out.extend(change.map(Output::Bot));
        out.push(self.flow_point(slot, flow.amount, after, world.now));
        self.touch(slot);
        self.arm(slot, world);
    }

    fn flow_point(&mut self, slot: usize, flow: Amount, equity: Amount, now: Timestamp) -> Output {
        let sampled_at = self.sampled_at;
        let bot = &mut self.bots[slot];
        let funded_at = bot.funded_at.unwrap_or_default();
        let piloted = bot.piloted.get_or_insert_default();
        // Points are known by their time: this one stands beside the grid's.
        let last = sampled_at.max(funded_at).max(piloted.flowed_at);
        let at = now.max(last + TICK);
        piloted.flowed_at = at;
        self.point(slot, Some(equity), flow, at)
    }
}

/// Orders grow with the capital: more than twice of what was trained with proves nothing.
fn restart_training(bot: &mut Bot, added: Amount, now: Timestamp) {
    let capital = bot.record.config.capital;
    let piloted: &mut Piloted = bot.piloted.get_or_insert_default();
    let trained_with = *piloted.trained_with.get_or_insert(capital);
    if capital + added > trained_with + trained_with {
        piloted.trained_with = Some(capital + added);
        *bot.training = Training::new(now);
    }
}
