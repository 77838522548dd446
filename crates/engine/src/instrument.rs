//! An instrument's filters or status changed: open orders that no longer fit go, a halt makes bots
//! reduce-only until it is over.

use crate::attach::engine_actor;
use crate::bot::OpenOrder;
use crate::output::Output;
use crate::shard::{Shard, World};
use domain::{CancelReason, Hold, InstrumentId, InstrumentStatus, Lifecycle};

/// A status in words.
pub(crate) const fn status_word(status: InstrumentStatus) -> &'static str {
    match status {
        InstrumentStatus::Trading => "trading",
        InstrumentStatus::PostOnly => "post-only",
        InstrumentStatus::CancelOnly => "cancel-only",
        InstrumentStatus::Halted => "halted",
        InstrumentStatus::Delisted => "delisted",
    }
}

/// May new positions be opened? Post-only refuses what would take, by its own check.
pub(crate) const fn may_trade(status: InstrumentStatus) -> bool {
    matches!(status, InstrumentStatus::Trading | InstrumentStatus::PostOnly)
}

impl Shard {
    /// Filters, fees or status of an instrument are new.
    pub(crate) fn on_instrument(
        &mut self,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        for slot in self.interest(id).bots.clone() {
            let slot = slot as usize;
            if self.bots[slot].record.lifecycle == Lifecycle::Retired {
                continue;
            }
            self.follow_status(slot, id, world, out);
            self.revalidate(slot, id, world);
            // A coarser lot or a higher minimum makes dust of what could be sold before.
            self.refresh_position(slot, world);
            self.arm(slot, world);
        }
    }

    /// Holds a bot while its instrument takes no new positions; releases it when it does again.
    pub(crate) fn follow_status(
        &mut self,
        slot: usize,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let status = world.markets.get(id).instrument.status;
        let (hold, actor) = (Hold::InstrumentHalted, engine_actor());
        let reason = format!("instrument {}", status_word(status));
        if may_trade(status) {
            self.release(slot, hold, &actor, reason, world, out);
        } else {
            self.hold(slot, hold, &actor, reason, world, out);
        }
    }

    /// Takes back what the exchange would refuse now. The percent band is not asked: it is about
    /// orders that come, those that rest stay when the price moves away from them.
    fn revalidate(&mut self, slot: usize, id: InstrumentId, world: &World<'_>) {
        let instrument = &world.markets.get(id).instrument;
        let is_misfit =
            |o: &OpenOrder| instrument.misfit(o.side, o.kind, o.quantity, None).is_some();
        self.cancel_where(slot, CancelReason::Filter, world, is_misfit);
    }
}
