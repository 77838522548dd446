//! A print's way through the engine. Mostly nobody has a reason to look at it: that is found out with
//! a few loads, before anything is made ready for those who do.

use crate::Engine;
use crate::engine::tell;
use crate::output::Output;
use crate::shard::world;
use domain::{InstrumentId, MarketEvent, Print, Timestamp};

impl Engine {
    /// Takes a print in.
    #[inline]
    pub(crate) fn on_print(
        &mut self,
        id: InstrumentId,
        print: &Print,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(market) = self.markets.all.get_mut(id.0 as usize) else { return };
        let clock = &self.markets.clocks[market.instrument.exchange as usize];
        let mut at = now;
        // Prints fetched late act at their own time, as far as that is after what was seen.
        if print.backfilled {
            let last = market.last_event_at.unwrap_or(print.at);
            at = (print.at - clock.upper).max(last).min(now);
        }
        self.change.clear();
        market.on_print(print, at, &mut self.change);
        if market.has_timed_bars {
            self.due = self.due.min(market.next_deadline(*clock));
        }
        self.change.is_backfill = print.backfilled;
        let (has_bar, of_print) = (!self.change.closed.is_empty(), self.change.of_print);
        for account in 0..self.shards.len() {
            let market = &self.markets.all[id.0 as usize];
            if self.shards[account].is_moved(id, market, has_bar, of_print) {
                self.tell_print(account, (id, print), at, out);
            }
        }
    }

    /// Tells an account of a print that means something to it.
    #[inline(never)]
    fn tell_print(
        &mut self,
        account: usize,
        (id, print): (InstrumentId, &Print),
        at: Timestamp,
        out: &mut Vec<Output>,
    ) {
        self.change.with_print(print);
        let world = world!(self, at);
        let shard = &mut self.shards[account];
        tell(shard, id, &MarketEvent::Print(*print), &self.change, &world, out);
        self.due = self.due.min(shard.due_hint());
    }
}
