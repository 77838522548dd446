//! From changes of the markets to updates of the streams: one message per change, numbered.

use super::words;
use crate::faults::FaultControl;
use crate::hub::{Frame, Hub};
use crate::model::market::{Change, Market, Print};
use crate::model::world::World;
use domain::{Exchange, Side};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

/// Every so many messages one says nothing and takes a number all the same, as Luno's do.
const EMPTY_EVERY: u64 = 64;

/// The state of all streams: each market's message number.
pub(crate) struct Feed {
    sequences: FxHashMap<usize, u64>,
}

impl Feed {
    pub(crate) fn new(world: &World) -> Self {
        let markets = world.markets().iter().enumerate();
        let own = markets.filter(|(_, m)| m.spec.exchange == Exchange::Luno);
        Self { sequences: own.map(|(index, m)| (index, 70_000_000 + m.board.seq)).collect() }
    }

    /// Number of the last message of a market.
    pub(crate) fn sequence(&self, index: usize) -> u64 {
        self.sequences.get(&index).copied().unwrap_or_default()
    }

    /// One stretch of time.
    pub(crate) fn start<'a>(&'a mut self, hub: &'a Hub, faults: &FaultControl) -> Stretch<'a> {
        let offset = faults.clock_offset(Exchange::Luno);
        Stretch { feed: self, hub, offset, frames: Vec::new() }
    }
}

/// Collects the frames of one stretch.
pub(crate) struct Stretch<'a> {
    feed: &'a mut Feed,
    hub: &'a Hub,
    offset: i64,
    frames: Vec<Frame>,
}

impl Stretch<'_> {
    /// A change of a market.
    pub(crate) fn change(&mut self, index: usize, market: &Market, change: &Change) {
        let Some(sequence) = self.feed.sequences.get_mut(&index) else { return };
        *sequence += 1;
        let seq = *sequence;
        let empty = *sequence % EMPTY_EVERY == 0;
        if empty {
            *sequence += 1;
        }
        if !self.hub.wants(&market.spec.native) {
            return;
        }
        let at = words::millis(change.at + self.offset);
        self.push(market, seq, update(market, change, seq, at));
        if empty {
            self.push(
                market,
                seq + 1,
                message(seq + 1, Value::Null, [Value::Null, Value::Null], at),
            );
        }
    }

    /// The end of the stretch.
    pub(crate) fn flush(self) {
        self.hub.send(self.frames);
    }

    fn push(&mut self, market: &Market, seq: u64, body: String) {
        let key: std::sync::Arc<str> = market.spec.native.as_str().into();
        let symbol = std::sync::Arc::clone(&key);
        self.frames.push(Frame { key, symbol, seq, book: true, body });
    }
}

fn message(seq: u64, trades: Value, [create, delete]: [Value; 2], at: i64) -> String {
    json!({
        "sequence": seq.to_string(), "trade_updates": trades, "create_update": create,
        "delete_update": delete, "status_update": null, "timestamp": at,
    })
    .to_string()
}

fn update(market: &Market, change: &Change, seq: u64, at: i64) -> String {
    let spec = &market.spec;
    let trades: Vec<Value> = change.prints.iter().map(|p| trade(market, p)).collect();
    let create = change.created.map_or(Value::Null, |o| {
        json!({
            "order_id": words::order_id(o.id), "type": kind(o.side),
            "price": words::price(spec, o.price), "volume": words::volume(spec, o.quantity),
        })
    });
    let gone = |id| json!({"order_id": words::order_id(id)});
    let delete = change.deleted.map_or(Value::Null, |o| gone(o.id));
    message(seq, Value::from(trades), [create, delete], at)
}

fn trade(market: &Market, print: &Print) -> Value {
    let maker = words::order_id(print.maker_order);
    json!({
        "sequence": print.id,
        "base": words::volume(&market.spec, print.quantity),
        "counter": words::counter(&market.spec, print.price, print.quantity),
        "maker_order_id": maker,
        "taker_order_id": words::order_id(print.taker_order),
        "order_id": maker,
    })
}

const fn kind(side: Side) -> &'static str {
    match side {
        Side::Buy => "BID",
        Side::Sell => "ASK",
    }
}

/// The first data message: every order of the book.
pub(super) fn snapshot(market: &Market, sequence: u64, offset: i64) -> String {
    let spec = &market.spec;
    let side = |side| -> Vec<Value> {
        let levels = market.book.levels(side);
        let orders = levels.flat_map(|(price, level)| level.orders().map(move |o| (price, o)));
        orders
            .map(|(price, o)| {
                json!({
                    "id": words::order_id(o.id), "price": words::price(spec, price),
                    "volume": words::volume(spec, o.remaining),
                })
            })
            .collect()
    };
    json!({
        "sequence": sequence.to_string(), "asks": side(Side::Sell), "bids": side(Side::Buy),
        "status": "ACTIVE", "timestamp": words::millis(market.board.changed_at + offset),
    })
    .to_string()
}
