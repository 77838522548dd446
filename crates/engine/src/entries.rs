//! What a bot's entries have been lately: the price from which chasing is measured, and how often
//! they were executed.

use crate::bot::Bot;
use crate::output::Output;
use crate::shard::{Shard, World, in_force};
use domain::{Actor, Hold, OrderPurpose, Price, Side, Timestamp};
use risk::OrderIntent;
use serde::{Deserialize, Serialize};

/// The first taking entry of a row of them, sent or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FirstEntry {
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) at: Timestamp,
}

impl Shard {
    /// Remembers the first price at which an entry was wanted, for as long as the policy says.
    pub(crate) fn note_entry(&mut self, slot: usize, intent: &OrderIntent, world: &World<'_>) {
        let market = world.markets.get(intent.instrument);
        // A price that cannot be used is none to measure by either.
        if intent.purpose != OrderPurpose::Entry || !market.is_valid() {
            return;
        }
        let Some(price) = risk::taking_price(intent, &market.book) else { return };
        let window = in_force(self.policy.as_ref(), world.policy).1.chase_window();
        let first = &mut self.bots[slot].first_entry;
        let counts = |f: FirstEntry| f.side == intent.side && intent.at - f.at < window;
        if !first.is_some_and(counts) {
            *first = Some(FirstEntry { side: intent.side, price, at: intent.at });
        }
    }

    /// An entry was executed: once too often within the window, and a person has to look.
    pub(crate) fn entry_executed(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        let policy = in_force(self.policy.as_ref(), world.policy).1;
        let bot = &mut self.bots[slot];
        bot.entries += 1;
        let kind = bot.config().strategy.kind;
        let Some(throttled) = bot.executions.executed(world.now, kind, policy) else { return };
        let actor = Actor::Rule("execution throttle".into());
        self.hold(slot, Hold::ExecutionThrottle, &actor, throttled.to_string(), world, out);
    }

    /// A person has looked: what was executed so far counts no more.
    pub(crate) fn rearm_throttle(
        &mut self,
        slot: usize,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.bots[slot].executions = Default::default();
        let hold = Hold::ExecutionThrottle;
        self.release(slot, hold, actor, "re-armed".to_owned(), world, out);
    }
}

/// Why a throttled bot waits, in words.
pub(crate) fn throttled(bot: &Bot, policy: &domain::Policy) -> String {
    let kind = bot.config().strategy.kind;
    let (window_s, limit) = (policy.execution_throttle_window_s, policy.execution_throttle(kind));
    let limit = limit.map_or("none".to_owned(), |limit| limit.to_string());
    format!(
        "Paused by the execution throttle: too many entries executed within {window_s} s (limit \
         {limit}); a person looks, then re-arms it."
    )
}
