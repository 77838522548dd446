//! Pre-trade checks alone: what they say of an order that nobody sends, for measuring what they cost.

use crate::Engine;
use crate::orders::Wanted;
use domain::{AccountId, BotId, OrderKind, OrderPurpose, Quantity, Refusal, Side, TimeInForce};

impl Engine {
    /// What the checks say of an entry of a bot as things are now, by the very way that an order
    /// goes: whether it passed, or by which refusal it fails first. Nothing is sent or told, and
    /// the bot is left as it was; the approval itself is dropped here. `None`: the bot is not
    /// there, has no market, or may not enter at all.
    pub fn try_entry(
        &mut self,
        account: AccountId,
        bot: BotId,
        kind: OrderKind,
        quantity: Quantity,
    ) -> Option<Result<(), Refusal>> {
        let at = self.account_index(account)?;
        let wanted = Wanted {
            side: Side::Buy,
            kind,
            time_in_force: TimeInForce::Gtc,
            quantity,
            purpose: OrderPurpose::Entry,
            level: 0,
        };
        self.with_shard(at, self.now, |shard, world| {
            let slot = shard.slot(bot)?;
            let instrument = shard.bots[slot].fixed.instrument?;
            if !shard.may_enter(slot, world) {
                return None;
            }
            let before = shard.bots[slot].first_entry;
            let checked = shard.approve(slot, instrument, &wanted, world);
            shard.bots[slot].first_entry = before;
            Some(checked.map(drop).map_err(|refused| refused.first))
        })
    }
}
