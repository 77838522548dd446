//! The connector's own copy of a book, only to notice that it is crossed. Everyone else builds
//! theirs from the deliveries.

use domain::{BookUpdate, Level, Touch};
use std::collections::BTreeMap;

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
