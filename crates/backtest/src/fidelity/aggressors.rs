//! The aggressive orders of a tape, and when each was first told of.
//!
//! A touch often comes before the print that moved it, and while much is traded the prints lag
//! behind by tens of milliseconds: by the time of a print the book may be what the order itself
//! left. So an order is told of by the first frame that tells of it, be it a print or the quote
//! that became less by exactly what it took; this is found in the tape, not assumed.

use super::Market;
use super::view::View;
use domain::{Level, MarketEvent, Price, Print, Quantity, Side, Timestamp};

/// One aggressive order: prints of one side at one time of the exchange.
#[derive(Clone, Debug)]
pub(super) struct Aggressor {
    pub(super) side: Side,
    pub(super) quantity: Quantity,
    /// Price and quantity of its prints, in order.
    pub(super) prints: Vec<(Price, Quantity)>,
    /// Record and time of the first frame that tells of it.
    pub(super) told: (usize, Timestamp),
    /// Exchange time.
    at: Timestamp,
}

/// The best price of both sides from some record on.
#[derive(Clone, Copy, Debug)]
struct Best {
    record: usize,
    at: Timestamp,
    bid: Option<Level>,
    ask: Option<Level>,
}

impl Best {
    const fn of(&self, side: Side) -> Option<Level> {
        match side {
            Side::Buy => self.bid,
            Side::Sell => self.ask,
        }
    }
}

/// All aggressive orders, by the time at which they were told of.
pub(super) fn all(market: &Market<'_>) -> Vec<Aggressor> {
    let mut orders = grouped(market);
    let best = touches(market);
    for order in &mut orders {
        if let Some(touch) = left_by(order, &best, market) {
            order.told = (touch.record, touch.at);
        }
    }
    orders.sort_by_key(|o| o.told.0);
    orders.retain(|o| o.told.1 >= market.settled_at);
    orders
}

fn grouped(market: &Market<'_>) -> Vec<Aggressor> {
    let mut orders: Vec<Aggressor> = Vec::new();
    for (i, record) in market.records.iter().enumerate() {
        let MarketEvent::Print(print) = &record.event else { continue };
        match orders.last_mut().filter(|o| o.at == print.at && o.side == print.taker_side) {
            Some(order) => order.add(print),
            None => {
                let mut order = Aggressor {
                    side: print.taker_side,
                    quantity: Quantity::ZERO,
                    prints: Vec::new(),
                    told: (i, record.at),
                    at: print.at,
                };
                order.add(print);
                orders.push(order);
            }
        }
    }
    orders
}

impl Aggressor {
    fn add(&mut self, print: &Print) {
        self.quantity += print.quantity;
        self.prints.push((print.price, print.quantity));
    }

    /// Did it make `after` of `before`? What is gone of the level where it began must be what its
    /// first prints took there: several orders of one instant are one here, and the first counts.
    fn explains(&self, before: Option<Level>, after: Option<Level>) -> bool {
        let (Some(before), Some((first, _))) = (before, self.prints.first()) else { return false };
        if before.price != *first {
            return false;
        }
        let gone = match after {
            Some(level) if level.price == *first => before.quantity - level.quantity,
            Some(level) if is_better(self.side.opposite(), level.price, *first) => return false,
            _ => before.quantity,
        };
        let mut sum = Quantity::ZERO;
        self.prints.iter().take_while(|(price, _)| price == first).any(|(_, quantity)| {
            sum += *quantity;
            sum == gone
        })
    }
}

/// Is `price` nearer to the other side than `than`?
fn is_better(side: Side, price: Price, than: Price) -> bool {
    match side {
        Side::Buy => price > than,
        Side::Sell => price < than,
    }
}

/// Every change of the best prices.
fn touches(market: &Market<'_>) -> Vec<Best> {
    let mut view = View::new(market);
    let mut all: Vec<Best> = Vec::new();
    for (record, r) in market.records.iter().enumerate() {
        if view.apply(r).is_none() {
            continue;
        }
        let (bid, ask) = (view.book.best_bid(), view.book.best_ask());
        if all.last().is_none_or(|last| last.bid != bid || last.ask != ask) {
            all.push(Best { record, at: r.at, bid, ask });
        }
    }
    all
}

/// The quote that the order left, where it came before its first print. It cannot have been
/// received before the order happened, by the clock of the recording.
fn left_by(order: &Aggressor, best: &[Best], market: &Market<'_>) -> Option<Best> {
    let earliest = order.at - market.clock.latest;
    let from = best.partition_point(|b| b.at < earliest).max(1);
    let until = best.partition_point(|b| b.record < order.told.0);
    let side = order.side.opposite();
    let is_it = |i: &usize| order.explains(best[*i - 1].of(side), best[*i].of(side));
    (from..until).find(is_it).map(|i| best[i])
}
