//! A level-2 order book with the newest touch laid over the depth.
//!
//! Depth comes in batches, the best bid and ask at once; both carry the exchange's update id. The
//! newer one is right: a touch ahead of the depth hides the levels that it contradicts until depth
//! catches up, and nothing waits for the other stream.

use domain::{BookUpdate, Level, Price, Quantity, Side, Touch};
use serde::{Deserialize, Serialize};

/// Bids and asks of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Ascending: the best bid is last, where changes are cheap.
    bids: Vec<Level>,
    /// Descending: the best ask is last.
    asks: Vec<Level>,
    update_id: u64,
    touch: Option<Touch>,
}

impl Book {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The id of the newest change that it contains.
    #[inline]
    pub fn update_id(&self) -> u64 {
        self.touch.map_or(self.update_id, |t| t.update_id.max(self.update_id))
    }

    /// Replaces or changes the depth; updates older than the book change nothing.
    pub fn apply(&mut self, update: &BookUpdate) {
        if update.is_snapshot {
            self.bids.clear();
            self.asks.clear();
        } else if update.update_id < self.update_id {
            return;
        }
        self.update_id = update.update_id;
        for level in &update.bids {
            set(&mut self.bids, *level, |price| price);
        }
        for level in &update.asks {
            set(&mut self.asks, *level, |price| -price);
        }
        if self.touch.is_some_and(|t| t.update_id <= update.update_id) {
            self.touch = None;
        }
    }

    /// Lays a touch over the depth; says whether it was news.
    pub fn apply_touch(&mut self, touch: &Touch) -> bool {
        let known = self.touch.map_or(self.update_id, |t| t.update_id.max(self.update_id));
        if touch.update_id <= known && (self.touch.is_some() || !self.bids.is_empty()) {
            return false;
        }
        self.touch = Some(*touch);
        true
    }

    /// Where prints are all that is known, a buyer's is the ask and a seller's the bid; the other
    /// side stays where it was, but never on the wrong side of it. Numbered by us: always news.
    #[inline]
    pub fn lay_print(&mut self, taker_side: Side, mut level: Level, tick: Price) {
        let update_id = self.update_id() + 1;
        level.quantity = level.quantity.max(Quantity(1));
        let other = self.best(taker_side).unwrap_or(level);
        let (mut bid, mut ask) = match taker_side {
            Side::Buy => (other, level),
            Side::Sell => (level, other),
        };
        if bid.price >= ask.price {
            let tick = Price(tick.0.max(1));
            match taker_side {
                Side::Buy => bid.price = ask.price - tick,
                Side::Sell => ask.price = bid.price + tick,
            }
        }
        self.touch = Some(Touch { update_id, bid, ask });
    }

    /// Highest bid.
    #[inline]
    pub fn best_bid(&self) -> Option<Level> {
        match &self.touch {
            Some(t) => Some(t.bid).filter(|l| l.quantity.is_positive()),
            None => self.bids.last().copied(),
        }
    }

    /// Lowest ask.
    #[inline]
    pub fn best_ask(&self) -> Option<Level> {
        match &self.touch {
            Some(t) => Some(t.ask).filter(|l| l.quantity.is_positive()),
            None => self.asks.last().copied(),
        }
    }

    /// The best level of a side of the book.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        match side {
            Side::Buy => self.best_bid(),
            Side::Sell => self.best_ask(),
        }
    }

    /// Best bid and ask where there are both and they do not cross.
    #[inline]
    pub fn quote(&self) -> Option<(Price, Price)> {
        let (bid, ask) = match &self.touch {
            Some(t) if t.bid.quantity.is_positive() && t.ask.quantity.is_positive() => {
                (t.bid.price, t.ask.price)
            }
            Some(_) => return None,
            None => (self.bids.last()?.price, self.asks.last()?.price),
        };
        (bid < ask).then_some((bid, ask))
    }

    /// A bid at or above an ask.
    pub fn is_crossed(&self) -> bool {
        matches!((self.best_bid(), self.best_ask()), (Some(b), Some(a)) if b.price >= a.price)
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let (depth, touch) = match side {
            Side::Buy => (&self.bids, self.touch.map(|t| t.bid)),
            Side::Sell => (&self.asks, self.touch.map(|t| t.ask)),
        };
        let is_worse = move |level: &Level| match (touch, side) {
            (None, _) => true,
            // A touch without a price on this side says that the side is empty.
            (Some(t), _) if !t.quantity.is_positive() => false,
            (Some(t), Side::Buy) => level.price < t.price,
            (Some(t), Side::Sell) => level.price > t.price,
        };
        let first = touch.filter(|l| l.quantity.is_positive());
        first.into_iter().chain(depth.iter().rev().copied().filter(is_worse))
    }

    /// What is displayed at a price of a side; nothing where the touch hides it.
    pub fn displayed(&self, side: Side, price: Price) -> Quantity {
        let (depth, touch) = match side {
            Side::Buy => (&self.bids, self.touch.map(|t| t.bid)),
            Side::Sell => (&self.asks, self.touch.map(|t| t.ask)),
        };
        if let Some(t) = touch {
            let is_hidden = match side {
                Side::Buy => price > t.price,
                Side::Sell => price < t.price,
            };
            if price == t.price {
                return t.quantity;
            } else if is_hidden || !t.quantity.is_positive() {
                return Quantity::ZERO;
            }
        }
        let found = match side {
            Side::Buy => depth.binary_search_by_key(&price.0, |l| l.price.0),
            Side::Sell => depth.binary_search_by_key(&-price.0, |l| -l.price.0),
        };
        found.map_or(Quantity::ZERO, |i| depth[i].quantity)
    }

    /// Is it known what is displayed at a price? Nothing is known beyond the worst level.
    pub fn knows(&self, side: Side, price: Price) -> bool {
        let (depth, touch) = match side {
            Side::Buy => (&self.bids, self.touch.map(|t| t.bid)),
            Side::Sell => (&self.asks, self.touch.map(|t| t.ask)),
        };
        let is_inside = |worst: &Level| match side {
            Side::Buy => price >= worst.price,
            Side::Sell => price <= worst.price,
        };
        // A touch without a price says that the side is empty.
        depth.first().is_some_and(is_inside)
            || touch.is_some_and(|t| !t.quantity.is_positive() || is_inside(&t))
    }

    /// Is there a best price on both sides?
    pub fn is_two_sided(&self) -> bool {
        self.best_bid().is_some() && self.best_ask().is_some()
    }

    /// Spread in basis points of the mid.
    pub fn spread_bp(&self) -> Option<f64> {
        let (bid, ask) = (self.best_bid()?.price.0 as f64, self.best_ask()?.price.0 as f64);
        Some((ask - bid) / (ask + bid) * 20_000.0)
    }
}

/// Sets a level in a vector ordered by `key` ascending; zero removes it, removing an absent one is
/// normal.
fn set(levels: &mut Vec<Level>, level: Level, key: fn(i64) -> i64) {
    let wanted = key(level.price.0);
    // Most changes are near the touch, at the end.
    let mut i = levels.len();
    let near = i.saturating_sub(8);
    while i > near && key(levels[i - 1].price.0) > wanted {
        i -= 1;
    }
    let at = if i > near || i == 0 {
        if i > 0 && levels[i - 1].price == level.price { Ok(i - 1) } else { Err(i) }
    } else {
        levels[..i].binary_search_by_key(&wanted, |l| key(l.price.0))
    };
    match (at, level.quantity.is_positive()) {
        (Ok(i), true) => levels[i].quantity = level.quantity,
        (Ok(i), false) => drop(levels.remove(i)),
        (Err(i), true) => levels.insert(i, level),
        (Err(_), false) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price), quantity: Quantity(quantity) }
    }

    fn update(id: u64, is_snapshot: bool, bids: Vec<Level>, asks: Vec<Level>) -> BookUpdate {
        BookUpdate { is_snapshot, update_id: id, at: None, requested_at: None, bids, asks }
    }

    fn touch(id: u64, bid: (i64, i64), ask: (i64, i64)) -> Touch {
        Touch { update_id: id, bid: level(bid.0, bid.1), ask: level(ask.0, ask.1) }
    }

    #[test]
    fn newer_touch_hides_the_levels_that_it_contradicts_until_depth_catches_up() {
        let mut book = Book::default();
        book.apply(&update(
            10,
            true,
            vec![level(99, 5), level(98, 7)],
            vec![level(101, 4), level(102, 3)],
        ));
        assert!(book.apply_touch(&touch(12, (98, 6), (99, 1))));
        let bids: Vec<_> = book.levels(Side::Buy).collect();
        assert_eq!(bids, [level(98, 6)]);
        let asks: Vec<_> = book.levels(Side::Sell).collect();
        assert_eq!(asks, [level(99, 1), level(101, 4), level(102, 3)]);
        assert_eq!(book.displayed(Side::Buy, Price(99)), Quantity(0));
        book.apply(&update(12, false, vec![level(99, 0), level(98, 6)], vec![level(99, 1)]));
        assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), [level(98, 6)]);
        assert_eq!(book.update_id(), 12);
    }

    #[test]
    fn old_touch_and_old_depth_change_nothing() {
        let mut book = Book::default();
        book.apply(&update(10, true, vec![level(99, 5)], vec![level(101, 4)]));
        let before = book.clone();
        assert!(!book.apply_touch(&touch(9, (97, 1), (103, 1))));
        book.apply(&update(8, false, vec![level(99, 0)], vec![]));
        assert_eq!(book, before);
    }

    #[test]
    fn touch_without_a_bid_means_an_empty_side() {
        let mut book = Book::default();
        book.apply(&update(10, true, vec![level(99, 5)], vec![level(101, 4)]));
        book.apply_touch(&touch(11, (0, 0), (101, 4)));
        assert_eq!(book.best_bid(), None);
        assert_eq!(book.levels(Side::Buy).count(), 0);
        assert_eq!(book.displayed(Side::Buy, Price(99)), Quantity(0));
    }

    proptest! {
        #[test]
        fn book_agrees_with_a_naive_book(changes in prop::collection::vec((any::<bool>(), 1i64..40, 0i64..5), 1..200)) {
            let mut book = Book::default();
            let mut naive = [BTreeMap::new(), BTreeMap::new()];
            for (id, (is_bid, price, quantity)) in changes.into_iter().enumerate() {
                let change = level(price, quantity);
                let (bids, asks) = if is_bid { (vec![change], vec![]) } else { (vec![], vec![change]) };
                book.apply(&update(id as u64 + 1, id == 0, bids, asks));
                let side = &mut naive[usize::from(is_bid)];
                if quantity == 0 { side.remove(&price); } else { side.insert(price, quantity); }
                let bids: Vec<_> = naive[1].iter().rev().map(|(p, q)| level(*p, *q)).collect();
                let asks: Vec<_> = naive[0].iter().map(|(p, q)| level(*p, *q)).collect();
                prop_assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), bids);
                prop_assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), asks);
                prop_assert_eq!(book.displayed(Side::Buy, Price(price)).0, naive[1].get(&price).copied().unwrap_or(0));
            }
        }
    }
}
