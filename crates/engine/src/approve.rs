//! The pre-trade checks, whole: from what is wanted to an approved order or a refusal. Whoever
//! measures what they cost tries them without sending.

use crate::Engine;
use crate::orders::Wanted;
use crate::shard::{Shard, World};
use domain::{
    AccountId, BotId, InstrumentId, Mode, OrderId, OrderKind, OrderPurpose, Quantity, Refusal,
    Side, Span, TimeInForce,
};
use risk::{ApprovedOrder, LiveStanding, OrderIntent, Refused};

/// Orders count against the order rate for so long.
const SECOND: Span = Span::from_secs(1);

impl Shard {
    /// What is wanted as an approved order, or why it is none.
    pub(crate) fn approve(
        &mut self,
        slot: usize,
        instrument: InstrumentId,
        wanted: &Wanted,
        world: &World<'_>,
    ) -> Result<ApprovedOrder, Box<Refused>> {
        let bot = &self.bots[slot];
        let intent = OrderIntent {
            id: OrderId { bot: bot.record.id, seq: bot.orders + 1 },
            account: self.record.id,
            bot: bot.record.id,
            instrument,
            mode: bot.record.mode,
            side: wanted.side,
            kind: wanted.kind,
            time_in_force: wanted.time_in_force,
            quantity: wanted.quantity,
            purpose: wanted.purpose,
            at: world.now,
        };
        // What is older than a second counts for nothing any more.
        let sent = &mut self.sent[world.markets.get(instrument).instrument.exchange as usize];
        while sent.front().is_some_and(|at| world.now - *at >= SECOND) {
            sent.pop_front();
        }
        self.note_entry(slot, &intent, world);
        let is_live = intent.mode == Mode::Live;
        if is_live {
            self.keep_chance();
        }
        let mut snapshot = self.snapshot(slot, instrument, wanted.side, world);
        let account = if is_live { self.live_risk(slot, world) } else { None };
        // Asked once: what is missing and how much was earned are one verdict.
        let verdict = is_live.then(|| self.verdict(slot, world));
        let missing = verdict.as_ref().and_then(|verdict| self.missing(slot, verdict, world));
        if is_live {
            (snapshot.open_orders, snapshot.own_opposite) =
                self.live_orders_on(instrument, wanted.side.opposite());
            snapshot.account = account.as_ref();
            let size = verdict.and_then(|verdict| verdict.size()).map(|size| size.amount);
            snapshot.live = Some(LiveStanding { missing: missing.as_deref(), size });
        }
        risk::check(intent, &snapshot)
    }
}

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
