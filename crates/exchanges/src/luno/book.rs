//! Luno's order-by-order book: numbered updates, aggregated to levels. Pure.

use crate::codec::luno::{self as codec, CreateUpdate, Snapshot, TradeUpdate, Update};
use crate::codec::{DecodeError, millis, positive, price, refused};
use domain::{BookUpdate, Instrument, Level, Price, Print, Quantity, Side, Withdrawn};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    side: Side,
    price: i64,
    quantity: i64,
    /// The number of the update with which it joined.
    joined_id: u64,
}

/// Why the stream has to be opened anew: there is no way to ask for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A number is missing.
    #[error("gap: {have} is followed by {got}")]
    Gap {
        /// Last applied.
        have: u64,
        /// Received.
        got: u64,
    },
    /// A trade against an order that is not there.
    #[error("trade against unknown order {0}")]
    UnknownMaker(String),
    /// A trade larger than what was left.
    #[error("order {0} traded below zero")]
    Overtraded(String),
    /// A number or side that cannot be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What an update did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Levels as they are now.
    pub book: BookUpdate,
    /// Its trades, in order.
    pub prints: Vec<Print>,
    /// The order that left untraded.
    pub withdrawn: Option<Withdrawn>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct OrderBook {
    last: Option<u64>,
    orders: FxHashMap<String, Order>,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl OrderBook {
    /// Is there a book?
    pub const fn is_synced(&self) -> bool {
        self.last.is_some()
    }

    /// Quantity left of an order.
    pub fn quantity_of(&self, id: &str) -> Option<Quantity> {
        self.orders.get(id).map(|o| Quantity(o.quantity))
    }

    /// Replaces everything.
    ///
    /// # Errors
    /// Where a number cannot be.
    pub fn snapshot(
        &mut self,
        wire: &Snapshot<'_>,
        of: &Instrument,
    ) -> Result<BookUpdate, BookError> {
        *self = Self::default();
        let sequence = wire.sequence.id(&of.native, "sequence")?;
        for (side, orders) in [(Side::Buy, &wire.bids), (Side::Sell, &wire.asks)] {
            for order in orders {
                let price = price(of, "order.price", order.price)?;
                let quantity = positive(of, "order.volume", order.volume)?;
                self.insert(&order.id, side, price, quantity, sequence);
            }
        }
        let at = Some(millis(&of.native, "timestamp", wire.timestamp)?);
        self.last = Some(sequence);
        let level = |(p, q): (&i64, &i64)| Level { price: Price(*p), quantity: Quantity(*q) };
        Ok(BookUpdate {
            is_snapshot: true,
            update_id: sequence,
            at,
            requested_at: None,
            bids: self.bids.iter().rev().map(level).collect(),
            asks: self.asks.iter().map(level).collect(),
        })
    }

    /// Applies one numbered update; `None`: seen before.
    ///
    /// # Errors
    /// After one the book is wrong: the stream has to be opened anew.
    pub fn update(
        &mut self,
        wire: &Update<'_>,
        of: &Instrument,
    ) -> Result<Option<Applied>, BookError> {
        let got = wire.sequence.id(&of.native, "sequence")?;
        let have = self.last.unwrap_or_default();
        if self.is_synced() && got <= have {
            return Ok(None);
        }
        if !self.is_synced() || got != have + 1 {
            return Err(BookError::Gap { have, got });
        }
        let at = millis(&of.native, "timestamp", wire.timestamp)?;
        let mut touched = BTreeSet::new();
        let mut prints = Vec::new();
        for trade in wire.trade_updates.iter().flatten() {
            prints.push(self.trade(trade, of, at, &mut touched)?);
        }
        if let Some(create) = &wire.create_update {
            self.create(create, of, got, &mut touched)?;
        }
        // An unknown id is fine: it may have traded away in this very update.
        let deleted =
            wire.delete_update.as_ref().and_then(|d| self.orders.remove(d.order_id.as_ref()));
        if let Some(order) = deleted {
            self.level(order.side, order.price, -order.quantity);
            touched.insert((order.side == Side::Buy, order.price));
        }
        let withdrawn = deleted.map(|order| Withdrawn {
            side: order.side,
            price: Price(order.price),
            quantity: Quantity(order.quantity),
            joined_id: order.joined_id,
        });
        self.last = Some(got);
        let level = |(is_bid, price): &(bool, i64)| {
            let side = if *is_bid { &self.bids } else { &self.asks };
            let quantity = side.get(price).copied().unwrap_or_default();
            (*is_bid, Level { price: Price(*price), quantity: Quantity(quantity) })
        };
        let levels: Vec<_> = touched.iter().map(level).collect();
        let of_side = |bid| levels.iter().filter(|l| l.0 == bid).map(|l| l.1).collect();
        let book = BookUpdate {
            is_snapshot: false,
            update_id: got,
            at: Some(at),
            requested_at: None,
            bids: of_side(true),
            asks: of_side(false),
        };
        Ok(Some(Applied { book, prints, withdrawn }))
    }

    fn insert(&mut self, id: &str, side: Side, price: Price, quantity: Quantity, joined_id: u64) {
        let order = Order { side, price: price.0, quantity: quantity.0, joined_id };
        if let Some(old) = self.orders.insert(id.to_owned(), order) {
            self.level(old.side, old.price, -old.quantity);
        }
        self.level(side, price.0, quantity.0);
    }

    fn level(&mut self, side: Side, price: i64, change: i64) {
        let levels = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        let quantity = levels.entry(price).or_default();
        *quantity = quantity.saturating_add(change);
        if *quantity <= 0 {
            levels.remove(&price);
        }
    }

    fn trade(
        &mut self,
        wire: &TradeUpdate<'_>,
        of: &Instrument,
        at: domain::Timestamp,
        touched: &mut BTreeSet<(bool, i64)>,
    ) -> Result<Print, BookError> {
        let id = wire.maker_order_id.as_ref();
        let base = codec::base(of, wire.base)?;
        let maker =
            self.orders.get_mut(id).ok_or_else(|| BookError::UnknownMaker(id.to_owned()))?;
        maker.quantity -= base.0;
        let maker = *maker;
        if maker.quantity < 0 {
            return Err(BookError::Overtraded(id.to_owned()));
        }
        if maker.quantity == 0 {
            // No delete follows: a filled order leaves by its trade alone.
            self.orders.remove(id);
        }
        self.level(maker.side, maker.price, -base.0);
        touched.insert((maker.side == Side::Buy, maker.price));
        Ok(Print {
            id: wire.sequence.id(&of.native, "trade.sequence")?,
            price: codec::exact_price(of, base, wire.counter).unwrap_or(Price(maker.price)),
            quantity: base,
            taker_side: maker.side.opposite(),
            at,
            backfilled: false,
        })
    }

    fn create(
        &mut self,
        wire: &CreateUpdate<'_>,
        of: &Instrument,
        joined_id: u64,
        touched: &mut BTreeSet<(bool, i64)>,
    ) -> Result<(), BookError> {
        let side = match wire.side.as_ref() {
            "BID" => Side::Buy,
            "ASK" => Side::Sell,
            other => return Err(refused(&of.native, "order.type", other, "unknown").into()),
        };
        let price = price(of, "order.price", wire.price)?;
        let quantity = positive(of, "order.volume", wire.volume)?;
        self.insert(&wire.order_id, side, price, quantity, joined_id);
        touched.insert((side == Side::Buy, price.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::luno::{StreamEvent, decode_markets, decode_stream};
    use proptest::prelude::*;

    fn market() -> Instrument {
        let body = br#"{"markets":[{"market_id":"XBTZAR","trading_status":"ACTIVE","base_currency":"XBT","counter_currency":"ZAR","min_volume":"0.0001","max_volume":"100.00","volume_scale":6,"min_price":"1.00","max_price":"10000000.00","price_scale":2,"fee_scale":8}]}"#;
        decode_markets(body).unwrap().instruments.remove(0)
    }

    const START: &str = r#"{"sequence":"1","bids":[{"id":"1","price":"120.0","volume":"0.1"},{"id":"5","price":"110.0","volume":"0.5"},{"id":"9","price":"110.0","volume":"0.2"}],"asks":[{"id":"2","price":"150.0","volume":"0.5"}],"status":"ACTIVE","timestamp":1790127197639}"#;

    fn opened() -> (OrderBook, Instrument) {
        let (mut book, of) = (OrderBook::default(), market());
        let Ok(StreamEvent::Snapshot(s)) = decode_stream(START.as_bytes()) else { panic!() };
        let update = book.snapshot(&s, &of).unwrap();
        assert_eq!(update.bids[1].quantity.0, 70_000_000);
        (book, of)
    }

    fn send(
        book: &mut OrderBook,
        of: &Instrument,
        sequence: u64,
        rest: &str,
    ) -> Result<Option<Applied>, BookError> {
        let text = format!(r#"{{"sequence":"{sequence}","timestamp":1790127201650{rest}}}"#);
        match decode_stream(text.as_bytes()).unwrap() {
            StreamEvent::Update(update) => book.update(&update, of),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn trades_reduce_makers_and_a_filled_one_leaves_without_a_delete() {
        let (mut book, of) = opened();
        let trade = r#","trade_updates":[{"sequence":7,"base":"0.06","counter":"7.2","maker_order_id":"1"},{"sequence":8,"base":"0.04","counter":"4.9999","maker_order_id":"1"}]"#;
        let applied = send(&mut book, &of, 2, trade).unwrap().unwrap();
        assert_eq!(book.quantity_of("1"), None);
        assert_eq!(applied.book.bids[0].quantity, Quantity::ZERO);
        let print = applied.prints[0];
        assert_eq!((print.id, print.taker_side), (7, Side::Sell));
        assert_eq!(of.price_amount(print.price).to_string(), "120");
        // 4.9999 / 0.04 = 124.9975 fits the scale exactly, so it is what was paid.
        assert_eq!(of.price_amount(applied.prints[1].price).to_string(), "124.9975");
        let inexact =
            r#","trade_updates":[{"sequence":9,"base":"0.03","counter":"1","maker_order_id":"2"}]"#;
        let applied = send(&mut book, &of, 3, inexact).unwrap().unwrap();
        assert_eq!(of.price_amount(applied.prints[0].price).to_string(), "150");
        assert_eq!(applied.prints[0].taker_side, Side::Buy);
    }

    #[test]
    fn empty_update_counts_and_an_old_one_does_not() {
        let (mut book, of) = opened();
        let nothing = r#","trade_updates":null,"create_update":null,"delete_update":null"#;
        assert!(send(&mut book, &of, 2, nothing).unwrap().unwrap().book.bids.is_empty());
        assert_eq!(send(&mut book, &of, 2, nothing), Ok(None));
        assert_eq!(send(&mut book, &of, 4, ""), Err(BookError::Gap { have: 2, got: 4 }));
    }

    #[test]
    fn create_and_delete_change_the_aggregate() {
        let (mut book, of) = opened();
        let create =
            r#","create_update":{"order_id":"8","type":"BID","price":"110.00","volume":"1"}"#;
        let applied = send(&mut book, &of, 2, create).unwrap().unwrap();
        assert_eq!(applied.book.bids[0].quantity.0, 170_000_000);
        let delete = r#","delete_update":{"order_id":"5"}"#;
        let applied = send(&mut book, &of, 3, delete).unwrap().unwrap();
        assert_eq!(applied.book.bids[0].quantity.0, 120_000_000);
        let left = |w: Withdrawn| (w.side, w.quantity.0, w.joined_id);
        assert_eq!(applied.withdrawn.map(left), Some((Side::Buy, 50_000_000, 1)));
        let unknown = r#","delete_update":{"order_id":"nobody"}"#;
        let nothing = send(&mut book, &of, 4, unknown).unwrap().unwrap();
        assert!(nothing.book.bids.is_empty() && nothing.withdrawn.is_none());
        let delete = r#","delete_update":{"order_id":"8"}"#;
        let applied = send(&mut book, &of, 5, delete).unwrap().unwrap();
        assert_eq!(applied.withdrawn.map(left), Some((Side::Buy, 100_000_000, 2)));
    }

    #[test]
    fn what_does_not_fit_the_book_asks_for_a_new_stream() {
        let trade = |base: &str, maker: &str| {
            let (mut book, of) = opened();
            let rest = format!(
                r#","trade_updates":[{{"sequence":7,"base":"{base}","counter":"1","maker_order_id":"{maker}"}}]"#
            );
            send(&mut book, &of, 2, &rest).unwrap_err()
        };
        assert_eq!(trade("1", "x"), BookError::UnknownMaker("x".into()));
        assert_eq!(trade("0.2", "1"), BookError::Overtraded("1".into()));
        assert!(matches!(trade("0", "1"), BookError::Decode(_)));
        assert!(matches!(trade("-1", "1"), BookError::Decode(_)));
    }

    proptest! {
        #[test]
        fn levels_are_the_sum_of_their_orders(
            steps in proptest::collection::vec((0u8..3, 0usize..6, 1i64..50, 1i64..30), 1..60)
        ) {
            let (mut book, of) = opened();
            let mut naive: BTreeMap<String, (i64, i64)> = BTreeMap::new();
            naive.insert("5".into(), (110, 50));
            naive.insert("9".into(), (110, 20));
            naive.insert("1".into(), (120, 10));
            for (i, (kind, slot, price, volume)) in steps.into_iter().enumerate() {
                let id = naive.keys().nth(slot).cloned();
                let rest = match (kind, &id) {
                    (1, Some(id)) => {
                        naive.remove(id);
                        format!(r#","delete_update":{{"order_id":"{id}"}}"#)
                    }
                    (2, Some(id)) => {
                        let left = naive.get_mut(id).unwrap();
                        let base = volume.min(left.1);
                        left.1 -= base;
                        if left.1 == 0 { naive.remove(id); }
                        format!(r#","trade_updates":[{{"sequence":{i},"base":"{}.{:02}","counter":"1","maker_order_id":"{id}"}}]"#, base / 100, base % 100)
                    }
                    _ => {
                        naive.insert(format!("n{i}"), (price, volume));
                        format!(r#","create_update":{{"order_id":"n{i}","type":"BID","price":"{price}","volume":"{}.{:02}"}}"#, volume / 100, volume % 100)
                    }
                };
                send(&mut book, &of, i as u64 + 2, &rest).unwrap();
                let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
                for (price, volume) in naive.values() {
                    *sums.entry(price * 1_000_000).or_default() += volume * 1_000_000;
                }
                prop_assert_eq!(&book.bids, &sums);
            }
        }
    }
}
