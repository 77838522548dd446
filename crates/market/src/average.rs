//! The volume-weighted price of the last minutes: what an exchange measures an order's price
//! against.

use crate::Book;
use domain::{Price, Print, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Prints of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    /// Counted from the epoch.
    index: i64,
    /// Σ price × quantity.
    value: i128,
    quantity: i128,
}

/// See the module. By whole minutes, as the exchange computes it: prints are added up, not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Average {
    minutes: u8,
    /// At most [`Average::MINUTES_MAX`], oldest first.
    sums: VecDeque<Minute>,
}

fn minute(at: Timestamp) -> i64 {
    at.0.div_euclid(Span::from_secs(60).0)
}

impl Average {
    /// Longer averages than this are not asked for by any filter; it bounds what is kept.
    pub const MINUTES_MAX: u8 = 60;

    /// Over so many minutes, at least one.
    pub fn over(minutes: u8) -> Self {
        Self { minutes: minutes.clamp(1, Self::MINUTES_MAX), sums: VecDeque::new() }
    }

    /// Over how many minutes.
    pub const fn minutes(&self) -> u8 {
        self.minutes
    }

    /// Adds a print; one from before the newest minute came late and counts no more.
    pub fn add(&mut self, print: &Print) {
        let index = minute(print.at);
        let quantity = i128::from(print.quantity.0);
        let value = i128::from(print.price.0) * quantity;
        match self.sums.back_mut() {
            Some(newest) if newest.index == index => {
                newest.value += value;
                newest.quantity += quantity;
            }
            Some(newest) if newest.index > index => {}
            _ => {
                let oldest = index - i64::from(self.minutes);
                while self.sums.front().is_some_and(|m| m.index <= oldest) {
                    self.sums.pop_front();
                }
                self.sums.push_back(Minute { index, value, quantity });
            }
        }
    }

    /// The average now; `None`: nobody traded for so long.
    pub fn price(&self, now: Timestamp) -> Option<Price> {
        let oldest = minute(now) - i64::from(self.minutes);
        let recent = self.sums.iter().filter(|m| m.index > oldest);
        let (value, quantity) = recent.fold((0, 0), |(v, q), m| (v + m.value, q + m.quantity));
        i64::try_from(value.checked_div(quantity)?).ok().map(Price)
    }
}

/// What an exchange measures the price of an order against: its average, the last print where it
/// has none, the middle of the touch where nobody traded.
pub fn reference(
    average: Option<&Average>,
    last: Option<Price>,
    book: &Book,
    now: Timestamp,
) -> Option<Price> {
    let middle = || {
        let (bid, ask) = (book.best_bid()?, book.best_ask()?);
        Some(Price(bid.price.0.midpoint(ask.price.0)))
    };
    average.and_then(|a| a.price(now)).or(last).or_else(middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Quantity, Side};
    use proptest::prelude::*;

    fn print(second: i64, price: i64, quantity: i64) -> Print {
        Print {
            id: 1,
            price: Price(price),
            quantity: Quantity(quantity),
            taker_side: Side::Buy,
            at: Timestamp(second * 1_000_000_000),
            backfilled: false,
        }
    }

    #[test]
    fn prints_weigh_by_quantity_and_go_after_their_minutes() {
        let mut average = Average::over(5);
        average.add(&print(0, 100, 3));
        average.add(&print(1, 200, 1));
        assert_eq!(average.price(Timestamp(2_000_000_000)), Some(Price(125)));
        average.add(&print(299, 500, 4));
        assert_eq!(average.price(Timestamp(299_000_000_000)), Some(Price(312)));
        assert_eq!(average.price(Timestamp(301_000_000_000)), Some(Price(500)));
        assert_eq!(average.price(Timestamp(900_000_000_000)), None);
    }

    proptest! {
        #[test]
        fn sums_agree_with_keeping_every_print(
            walk in prop::collection::vec((0i64..200, 1i64..1_000, 1i64..50), 1..60),
            minutes in 1u8..7,
        ) {
            let mut average = Average::over(minutes);
            let mut kept = Vec::new();
            let mut second = 0;
            for (step, price, quantity) in walk {
                second += step;
                let print = print(second, price, quantity);
                average.add(&print);
                kept.push((second / 60, price, quantity));
                let since = second / 60 - i64::from(minutes);
                let recent = kept.iter().filter(|k| k.0 > since);
                let (v, q) = recent.fold((0, 0), |(v, q), k| (v + k.1 * k.2, q + k.2));
                prop_assert_eq!(average.price(print.at), Some(Price(v / q)));
                let text = serde_json::to_string(&average).unwrap();
                prop_assert_eq!(serde_json::from_str::<Average>(&text).unwrap(), average.clone());
            }
        }
    }
}
