//! Orders of the measurement: approved by the real checks, with limits that stop nothing.

use super::Market;
use domain::{
    AccountId, BookUpdate, BotId, ExitReason, InstrumentId, Level, Mode, OrderId, OrderKind,
    OrderPurpose, Price, Quantity, Side, Span, TimeInForce, Timestamp,
};
use market::Book;
use risk::{ApprovedOrder, OrderIntent};

/// The id of an order that has an exchange of its own.
pub(super) const ID: OrderId = OrderId { bot: BotId(1), seq: 1 };

/// A book in which anything could be had at the price where it stands.
fn deep(side: Side, price: Price, tick: Price) -> Book {
    let around = |p: Price| vec![Level { price: p, quantity: Quantity(i64::MAX / 8) }];
    let (bids, asks) = match side {
        Side::Buy => (around(price - tick), around(price)),
        Side::Sell => (around(price), around(price + tick)),
    };
    let (at, requested_at) = (None, None);
    let mut book = Book::default();
    book.apply(&BookUpdate { is_snapshot: true, update_id: 1, at, requested_at, bids, asks });
    book
}

/// An order for the simulated exchange alone; `None` where a real one could not be sent either.
pub(super) fn approve(
    market: &Market<'_>,
    id: OrderId,
    side: Side,
    kind: OrderKind,
    quantity: Quantity,
    near: Price,
    at: Timestamp,
) -> Option<ApprovedOrder> {
    let purpose = match side {
        Side::Buy => OrderPurpose::Entry,
        Side::Sell => OrderPurpose::Exit(ExitReason::Signal),
    };
    let intent = OrderIntent {
        id,
        account: AccountId(1),
        bot: id.bot,
        instrument: InstrumentId(0),
        mode: Mode::Paper,
        side,
        kind,
        time_in_force: TimeInForce::Gtc,
        quantity,
        purpose,
        at,
    };
    let policy = risk::unlimited::policy();
    let book = deep(side, near, market.instrument.tick_size);
    risk::check(intent, &risk::unlimited::snapshot(market.instrument, &book, &policy)).ok()
}

/// Orders execute at once: the lag is what the measurement varies.
pub(super) const AT_ONCE: Span = Span::ZERO;
