//! Closed bars as the only data: what they do to orders, exits and figures.
//!
//! A bar is worked off as if its low came before its high, whatever came first: falling prices meet
//! buys and stops from the top, rising ones meet sells and targets from the bottom, so that of two
//! possible readings the loss is the one that counts. Only then the market itself moves on to the
//! bar's close and strategies decide, so nothing in a bar can know its end.

use crate::engine::Engine;
use crate::markets::{Change, Market};
use crate::output::Output;
use crate::shard::{Shard, World, state_of};
use crate::trigger::Reason;
use domain::{
    CancelReason, ClosedBar, ExitReason, InstrumentId, Level, OrderId, OrderKind, OrderPurpose,
    Price, Quantity, Side, TimeInForce, Timestamp, Touch,
};
use simulator::{SimEvent, Venue};
use smallvec::SmallVec;

impl Engine {
    /// A closed bar, for orders first and for the market then.
    pub(crate) fn on_closed_bar(
        &mut self,
        id: InstrumentId,
        bar: &ClosedBar,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        for account in 0..self.shards.len() {
            if self.shards[account].has_interest(id) {
                self.with_shard(account, now, |shard, world| {
                    shard.in_bar(id, bar, world, out);
                });
            }
        }
        let mut change = Change::default();
        self.markets.get_mut(id).on_closed_bar(bar, now, &mut change);
        for account in 0..self.shards.len() {
            if self.shards[account].has_interest(id) {
                self.with_shard(account, now, |shard, world| {
                    shard.drawdowns_at_close(id, world, out);
                    for (series, bar) in &change.closed {
                        shard.on_bar(id, *series, bar, true, world, out);
                    }
                });
            }
        }
    }
}

impl Market {
    /// The market as it is at the bar's end: the close and half a spread on either side, with the
    /// bar's volume displayed, as nothing else is known of the depth.
    fn on_closed_bar(&mut self, closed: &ClosedBar, now: Timestamp, change: &mut Change) {
        self.last_event_at = Some(now);
        let (bar, half) = (&closed.bar, closed.half_spread.0.max(0));
        let tick = self.instrument.tick_size.0.max(1);
        let bid = Price((bar.close.0 - half).div_euclid(tick) * tick);
        let ask = Price((bar.close.0 + half + tick - 1).div_euclid(tick) * tick);
        let ask = if ask > bid { ask } else { Price(bid.0 + tick) };
        let quantity = bar.volume.max(Quantity(1));
        let level = |price| Level { price, quantity };
        let update_id = self.book.update_id() + 1;
        self.book.apply_touch(&Touch { update_id, bid: level(bid), ask: level(ask) });
        self.keep_quote(now);
        self.close_series(closed, change);
    }
}

/// Whose orders filled while prices fell: of the bar's high they may have seen nothing.
type Owners = SmallVec<[u32; 4]>;

impl Shard {
    fn in_bar(
        &mut self,
        id: InstrumentId,
        bar: &ClosedBar,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(Some(interest)) = self.interests.get(id.0 as usize) else { return };
        if interest.venue.is_idle() && interest.triggers.is_empty() {
            return;
        }
        self.at_venue_always(id, world, out, |venue, state, answers| {
            venue.open_bar(bar, state, answers);
        });
        let mut late = Owners::new();
        self.fall(id, bar, bar.bar.open, &mut late, world, out);
        let (high, close) = (bar.bar.high, bar.bar.close);
        let mut done = Owners::from_slice(&late);
        self.rise(id, bar, &mut done, world, out);
        self.interest(id).triggers.raise_to(high, close, &late);
        // A trailing stop that the high drew up is reached by the low, which may have come after.
        self.fall(id, bar, high, &mut late, world, out);
        self.at_venue(id, world, out, |venue, _, answers| venue.close_bar(bar, answers));
    }

    /// Prices fall to the low: buys and stops, highest first; no stop gets more than `ceiling`.
    fn fall(
        &mut self,
        id: InstrumentId,
        bar: &ClosedBar,
        ceiling: Price,
        bought: &mut Owners,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let tick = world.markets.get(id).instrument.tick_size;
        let low = bar.bar.low;
        let interest = self.interest(id);
        let is_quiet = low > interest.triggers.quiet().0;
        if is_quiet && interest.venue.gone_through(Side::Buy, bar, tick).is_none() {
            return;
        }
        let mut tried = Owners::from_slice(bought);
        loop {
            let interest = self.interest(id);
            let buy = interest.venue.gone_through(Side::Buy, bar, tick);
            let stop = interest.triggers.first_falling(low, &tried);
            match (stop, buy) {
                (Some((price, owner, reason)), buy) if buy.is_none_or(|b| price >= b) => {
                    tried.push(owner);
                    let reason =
                        if reason == Reason::Trail { ExitReason::Trail } else { ExitReason::Stop };
                    let price = price.min(ceiling);
                    self.fire(id, owner, reason, price, bar, world, out);
                }
                (_, Some(price)) => {
                    let filled = self.fill_at(id, (Side::Buy, price), bar, world, out);
                    bought.extend(filled);
                }
                _ => return,
            }
        }
    }

    /// Prices rise to the high: sells and targets, lowest first.
    fn rise(
        &mut self,
        id: InstrumentId,
        bar: &ClosedBar,
        done: &mut Owners,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let tick = world.markets.get(id).instrument.tick_size;
        loop {
            let interest = self.interest(id);
            let sell = interest.venue.gone_through(Side::Sell, bar, tick);
            let target = interest.triggers.first_rising(bar.bar.high - tick, done);
            match (target, sell) {
                (Some((price, owner)), sell) if sell.is_none_or(|s| price <= s) => {
                    done.push(owner);
                    self.fire(id, owner, ExitReason::Target, price, bar, world, out);
                }
                (_, Some(price)) => {
                    self.fill_at(id, (Side::Sell, price), bar, world, out);
                }
                _ => return,
            }
        }
    }

    fn fill_at(
        &mut self,
        id: InstrumentId,
        (side, price): (Side, Price),
        bar: &ClosedBar,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> Owners {
        let mut bots: SmallVec<[domain::BotId; 4]> = SmallVec::new();
        self.at_venue(id, world, out, |venue, state, answers| {
            venue.fill_in_bar(side, price, bar, state, answers);
            bots.extend(answers.iter().filter_map(|answer| match answer {
                SimEvent::Filled(fill, _) => Some(fill.order.bot),
                _ => None,
            }));
        });
        bots.into_iter().filter_map(|bot| self.slot(bot)).map(|slot| slot as u32).collect()
    }

    /// An exit fires inside the bar: what is open goes, what is held is sold at this price.
    #[allow(clippy::too_many_arguments)] // who, why, where and when, as everywhere here
    fn fire(
        &mut self,
        id: InstrumentId,
        owner: u32,
        reason: ExitReason,
        price: Price,
        bar: &ClosedBar,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let slot = owner as usize;
        if !self.wants_flat(slot, reason, world) {
            return;
        }
        let open: SmallVec<[OrderId; 2]> = self.bots[slot].open.iter().map(|o| o.id).collect();
        for order in open {
            self.at_venue(id, world, out, |venue, _, answers| {
                venue.take_back(order, CancelReason::Exit, world.now, answers);
            });
        }
        let market = world.markets.get(id);
        let quantity = Self::sellable(&self.bots[slot], market, Some(price));
        if !quantity.is_positive() {
            return self.try_exit(slot, world, out);
        }
        // Where the open was beyond a target already it is sold at the bar's worst price.
        let price = market.instrument.on_tick(price, Side::Buy).max(bar.bar.low);
        let wanted = crate::orders::Wanted {
            side: Side::Sell,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Gtc,
            quantity: quantity.min(market.instrument.on_lot(market.instrument.max_quantity)),
            purpose: OrderPurpose::Exit(reason),
            level: 0,
        };
        self.price_in_bar = Some(price);
        self.send(slot, wanted, world, out);
        self.price_in_bar = None;
        if let Some((order, price)) = self.leaving.take() {
            self.at_venue_always(id, world, out, |venue, state, answers| {
                venue.leave_in_bar(&order, price, world.now, state, answers);
            });
        }
        if self.bots[slot].exit_wanted.is_some() {
            self.retry_exit(slot, world.now + crate::bot::EXIT_RETRY);
        }
    }

    fn drawdowns_at_close(&mut self, id: InstrumentId, world: &World<'_>, out: &mut Vec<Output>) {
        let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) else { return };
        if interest.triggers.is_empty() {
            return;
        }
        let Some(bid) = world.markets.get(id).book.best_bid() else { return };
        for owner in interest.triggers.drawdowns(bid.price) {
            self.interest(id).triggers.set(owner, Reason::Drawdown, None);
            self.check_drawdown(owner as usize, world, out);
        }
    }

    /// As [`Shard::at_venue`], also where nothing rests and nothing is on its way.
    fn at_venue_always(
        &mut self,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
        step: impl FnOnce(&mut Venue, &simulator::MarketState<'_>, &mut Vec<SimEvent>),
    ) {
        let market = world.markets.get(id);
        let state = state_of(market, world.markets.clock(market.instrument.exchange));
        let mut answers = Vec::new();
        let interest = self.interest(id);
        step(&mut interest.venue, &state, &mut answers);
        interest.venue_dirty |= !answers.is_empty();
        for answer in answers {
            self.answer(answer, world, out);
        }
    }
}
