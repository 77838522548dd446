//! The connector's own copy of a book, only to notice that it is crossed. Everyone else builds
//! theirs from the deliveries.

use domain::{BookUpdate, Level, Price, Touch};
use std::collections::BTreeMap;

/// No market prints a hundred times what it quotes, or a hundredth: the exchanges' own bands end
/// long before.
const ABSURD: i64 = 100;

/// Price → quantity, at the instrument's scale.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depth {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

fn set(side: &mut BTreeMap<i64, i64>, levels: &[Level]) {
    for level in levels {
        if level.quantity.0 == 0 {
            side.remove(&level.price.0);
        } else {
            side.insert(level.price.0, level.quantity.0);
        }
    }
}

impl Depth {
    pub(crate) fn apply(&mut self, update: &BookUpdate) {
        if update.is_snapshot {
            self.bids.clear();
            self.asks.clear();
        }
        set(&mut self.bids, &update.bids);
        set(&mut self.asks, &update.asks);
    }

    /// Is a print so far from what is quoted that it cannot be one?
    pub(crate) fn is_absurd(&self, price: Price) -> bool {
        let bid = self.bids.last_key_value().map(|(bid, _)| *bid);
        let ask = self.asks.first_key_value().map(|(ask, _)| *ask);
        let is_above = ask.is_some_and(|ask| price.0 / ABSURD >= ask);
        is_above || bid.is_some_and(|bid| price.0 <= bid / ABSURD)
    }

    pub(crate) fn is_crossed(&self) -> bool {
        match (self.bids.last_key_value(), self.asks.first_key_value()) {
            (Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        }
    }
}

/// Bid at or above ask, both real.
pub(crate) fn is_crossed(touch: &Touch) -> bool {
    let is_both = touch.bid.quantity.is_positive() && touch.ask.quantity.is_positive();
    is_both && touch.bid.price >= touch.ask.price
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Quantity;

    #[test]
    fn a_print_far_beyond_the_book_is_absurd_and_a_deep_one_is_not() {
        let level = |price| vec![Level { price: Price(price), quantity: Quantity(1) }];
        let mut depth = Depth::default();
        assert!(!depth.is_absurd(Price(1)), "without a book nothing is known");
        let (bids, asks) = (level(6_000_000), level(6_000_001));
        let (update_id, at, requested_at) = (1, None, None);
        let is_snapshot = true;
        depth.apply(&BookUpdate { update_id, is_snapshot, bids, asks, at, requested_at });
        for (price, is_absurd) in [
            (999_999_999, true),
            (1, true),
            (60_000, true),
            (60_001, false),
            (599_999_999, false),
            (600_000_100, true),
            (6_000_000, false),
        ] {
            assert_eq!(depth.is_absurd(Price(price)), is_absurd, "{price}");
        }
    }
}
