//! The maker's side: what books and prints do to orders that rest.

use super::{CREDITS_MAX, Changed, Credit, Fill, MarketState, SimEvent, Venue, fee};
use crate::matching::walk;
use crate::queue::{Reach, Resting, UNKNOWN};
use domain::{DataGrade, Liquidity, Price, Print, Quantity, Side, Timestamp, Withdrawn};
use market::Book;
use smallvec::SmallVec;

impl Venue {
    /// The book changed: takes shrink with their levels, queues with theirs, and an opposite touch
    /// that crosses us without a print fills us at our limit.
    pub fn on_book(
        &mut self,
        changed: Changed<'_>,
        now: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        if !market.is_valid {
            return;
        }
        self.taken.retain(|(side, price, taken)| {
            if market.book.knows(*side, *price) {
                *taken = (*taken).min(market.book.displayed(*side, *price));
            }
            taken.is_positive()
        });
        if self.bids.is_empty() && self.asks.is_empty() {
            return;
        }
        self.see(changed, market.book, now + market.clock_upper);
        if matches!(changed, Changed::All) && market.grade == DataGrade::L3 {
            let update_id = market.book.update_id();
            self.bids.lose_sight(update_id);
            self.asks.lose_sight(update_id);
        }
        self.cross(Side::Buy, now, market, out);
        self.cross(Side::Sell, now, market, out);
    }

    pub(super) fn see(&mut self, changed: Changed<'_>, book: &Book, until: Timestamp) {
        match changed {
            Changed::Levels { bids, asks } => {
                bids.iter().for_each(|l| self.see_at(Side::Buy, l.price, book, until));
                asks.iter().for_each(|l| self.see_at(Side::Sell, l.price, book, until));
            }
            Changed::Touch(touch) => {
                for price in self.bids.reached(Side::Buy, touch.bid.price) {
                    self.see_at(Side::Buy, price, book, until);
                }
                for price in self.asks.reached(Side::Sell, touch.ask.price) {
                    self.see_at(Side::Sell, price, book, until);
                }
            }
            Changed::All => {
                for side in [Side::Buy, Side::Sell] {
                    for price in self.queues(side).prices() {
                        self.see_at(side, price, book, until);
                    }
                }
            }
        }
    }

    pub(super) fn see_at(&mut self, side: Side, price: Price, book: &Book, until: Timestamp) {
        if book.knows(side, price) {
            self.queues_mut(side).see(price, book.displayed(side, price), until);
        }
    }

    /// Somebody's order left untraded, and is known to have been ahead of ours or behind: the
    /// queue is exact where the exchange tells order by order.
    pub fn on_withdrawn(&mut self, withdrawn: &Withdrawn, market: &MarketState<'_>) {
        if market.is_valid {
            let Withdrawn { side, price, quantity, joined_id } = *withdrawn;
            self.queues_mut(side).withdraw(price, quantity, joined_id);
        }
    }

    pub(super) fn cross(
        &mut self,
        side: Side,
        now: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let (Some(own), Some(touch)) = (self.own_best(side), market.book.best(side.opposite()))
        else {
            return;
        };
        let crosses = match side {
            Side::Buy => own >= touch.price,
            Side::Sell => own <= touch.price,
        };
        if !crosses {
            return;
        }
        for price in self.queues(side).reached(side, touch.price) {
            let orders: SmallVec<[(usize, Resting); 2]> =
                self.queues_mut(side).at(price).iter().copied().enumerate().collect();
            for (i, order) in orders {
                let other = side.opposite();
                let taken = |p| self.taken(other, p);
                let walked =
                    walk(market.book.levels(other), side, Some(price), order.remaining, taken);
                let filled: Quantity = walked.iter().map(|e| e.quantity).sum();
                if !filled.is_positive() {
                    continue;
                }
                for e in walked {
                    self.remember(other, e.price, e.quantity);
                }
                let until = now + market.clock_upper;
                if self.credits.len() == CREDITS_MAX {
                    self.credits.remove(0);
                }
                self.credits.push(Credit { side, price, quantity: filled, until });
                self.queues_mut(side).at(price)[i].cross(filled);
                let mut after = order;
                after.cross(filled);
                out.push(self.passive(&after, filled, side, None, now, market));
            }
            self.queues_mut(side).sweep(price);
        }
    }

    /// Somebody traded: the queue at that price moves, and orders that the print reaches fill.
    pub fn on_print(
        &mut self,
        print: &Print,
        now: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let side = print.taker_side.opposite();
        // Prices of a broken sequence fill nothing; what was missed comes again, fetched.
        if !market.is_valid && !print.backfilled {
            return;
        }
        let Some(best) = self.own_best(side) else { return };
        let reaches = match side {
            Side::Buy => best >= print.price,
            Side::Sell => best <= print.price,
        };
        if !reaches {
            return;
        }
        // Fetched or polled prints may be older than the order: the exchange's clock decides.
        let is_dated = print.backfilled || market.requested_at.is_some();
        let upper = market.clock_upper;
        let counts = move |o: &Resting| !is_dated || print.at > o.joined_at + upper;
        let mut rest = Quantity((print.quantity - self.use_credit(side, print)).0.max(0));
        for price in self.queues(side).reached(side, print.price) {
            if !rest.is_positive() {
                break;
            }
            let reach = Reach { quantity: rest, at: print.at, is_through: price != print.price };
            let (left, fills) = self.queues_mut(side).print(price, reach, counts);
            for (order, filled) in fills {
                out.push(self.passive(&order, filled, side, Some(print), now, market));
            }
            // The queue ahead at a better price was traded at that price already: a print through
            // it is worth at most its own quantity for all of ours together.
            rest = left;
        }
    }

    pub(super) fn use_credit(&mut self, side: Side, print: &Print) -> Quantity {
        let mut used = Quantity::ZERO;
        self.credits.retain(|credit| {
            if credit.until < print.at {
                return false;
            }
            let is_same = credit.side == side
                && match side {
                    Side::Buy => print.price <= credit.price,
                    Side::Sell => print.price >= credit.price,
                };
            if is_same {
                let part = credit.quantity.min(print.quantity - used);
                credit.quantity -= part;
                used += part;
            }
            credit.quantity.is_positive()
        });
        used
    }

    pub(super) fn passive(
        &self,
        order: &Resting,
        quantity: Quantity,
        side: Side,
        print: Option<&Print>,
        now: Timestamp,
        market: &MarketState<'_>,
    ) -> SimEvent {
        let is_fetched = print.is_some_and(|p| p.backfilled);
        let grade = if is_fetched { DataGrade::Backfilled } else { market.grade };
        let fill = Fill {
            order: order.id,
            price: order.price,
            quantity,
            liquidity: Liquidity::Maker,
            fee: fee(market.instrument, side, order.price, quantity, true),
            grade,
            book_update_id: market.book.update_id(),
            print_id: print.map(|p| p.id),
            queue_ahead_at_join: Some(order.ahead_at_join).filter(|a| *a != UNKNOWN),
            optimistic_filled: Some(order.filled_optimistic.max(order.quantity - order.remaining)),
            round_trip: order.round_trip,
            at: now,
        };
        SimEvent::Filled(fill, !order.remaining.is_positive())
    }
}
