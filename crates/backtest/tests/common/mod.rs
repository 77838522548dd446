//! What tests of recorded data share.
#![allow(dead_code, clippy::unwrap_used)] // each test takes what it needs

use backtest::Recorded;
use backtest::tape::assumed_instrument;
use domain::{
    Bar, BookUpdate, DataGrade, Exchange, FeedState, Instrument, Level, MarketEvent, Price, Print,
    Quantity, Side, Span, Timestamp, Touch, Withdrawn,
};
use proptest::prelude::*;
use std::path::PathBuf;

/// A file that lies beside the project, or word that its test was skipped.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AMARKTAI_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    // A worktree lies one level deeper.
    let deeper = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let found = [root, Some(beside), Some(deeper)].into_iter().flatten().map(|r| r.join(path));
    let found = found.into_iter().find(|p| p.exists());
    if found.is_none() {
        println!("SKIPPED: {path} is not here; set AMARKTAI_SHARED to check it");
    }
    found
}

pub(crate) fn bitcoin() -> Instrument {
    assumed_instrument(Exchange::Binance, "BTC/USDT".parse().unwrap(), 2, 5)
}

pub(crate) fn ether() -> Instrument {
    assumed_instrument(Exchange::Binance, "ETH/USDT".parse().unwrap(), 2, 4)
}

pub(crate) fn print(id: u64, at_ms: i64) -> Print {
    Print {
        id,
        price: Price(6_000_000_000_000 + (id as i64 * 7_919) % 100_000),
        quantity: Quantity(1_000 + (id as i64 * 104_729) % 5_000_000),
        taker_side: if id.is_multiple_of(3) { Side::Sell } else { Side::Buy },
        at: Timestamp(at_ms * 1_000_000),
        backfilled: false,
    }
}

pub(crate) fn bar(open_at: Timestamp, close: i64) -> Bar {
    Bar {
        open_at,
        open: Price(close - 1),
        high: Price(close + 2),
        low: Price(close - 3),
        close: Price(close),
        volume: Quantity(close % 97),
        prints: 5,
    }
}

fn level() -> impl Strategy<Value = Level> {
    (any::<i64>(), any::<i64>()).prop_map(|(p, q)| Level { price: Price(p), quantity: Quantity(q) })
}

fn any_print() -> impl Strategy<Value = MarketEvent> {
    (any::<u64>(), any::<i64>(), any::<i64>(), any::<bool>(), any::<i64>(), any::<bool>()).prop_map(
        |(id, price, quantity, is_sell, at, backfilled)| {
            MarketEvent::Print(Print {
                id,
                price: Price(price),
                quantity: Quantity(quantity),
                taker_side: if is_sell { Side::Sell } else { Side::Buy },
                at: Timestamp(at),
                backfilled,
            })
        },
    )
}

fn event() -> impl Strategy<Value = MarketEvent> {
    prop_oneof![
        4 => any_print(),
        3 => (any::<u64>(), level(), level())
            .prop_map(|(update_id, bid, ask)| MarketEvent::Touch(Touch { update_id, bid, ask })),
        2 => (any::<bool>(), any::<u64>(), proptest::collection::vec(level(), 0..5)).prop_map(
            |(is_snapshot, update_id, bids)| MarketEvent::Book(BookUpdate {
                is_snapshot,
                update_id,
                at: None,
                requested_at: Some(Timestamp(3)),
                asks: bids.clone(),
                bids,
            })
        ),
        1 => (any::<bool>(), level(), any::<u64>()).prop_map(|(is_bid, l, joined_id)| {
            let side = if is_bid { Side::Buy } else { Side::Sell };
            let Level { price, quantity } = l;
            MarketEvent::Withdrawn(Withdrawn { side, price, quantity, joined_id })
        }),
        1 => any::<i64>().prop_map(|at| MarketEvent::Gap { from: Timestamp(at) }),
        1 => Just(MarketEvent::Feed {
            state: FeedState::Stale("silent".into()),
            grade: DataGrade::L2Trades
        }),
    ]
}

/// Anything that a feed may deliver about one of two instruments.
pub(crate) fn recorded() -> impl Strategy<Value = Recorded> {
    (any::<i64>(), 0_usize..2, event()).prop_map(|(at, instrument, event)| Recorded {
        at: Timestamp(at),
        instrument,
        event,
    })
}

pub(crate) const MINUTE: Span = Span::from_secs(60);
