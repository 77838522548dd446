//! Orders of the measurement: approved by the real checks, with limits that stop nothing.

use super::Market;
use domain::{
    AccountId, Amount, BookUpdate, BotId, ExitReason, FeedState, Holds, InstrumentId, Level,
    Lifecycle, Mode, OrderId, OrderKind, OrderPurpose, Policy, Price, Quantity, RiskMode, Side,
    Span, StrategyKind, TimeInForce, Timestamp,
};
use market::Book;
use risk::{ApprovedOrder, OrderIntent, Snapshot};

/// The id of an order that has an exchange of its own.
pub(super) const ID: OrderId = OrderId { bot: BotId(1), seq: 1 };

fn permissive() -> Policy {
    Policy {
        spread_collar_bp: 10_000,
        price_collar_bp: 10_000,
        order_size_max_percent: Amount::from_int(100),
        depth_share_max_percent: Amount::from_int(100),
        duplicate_window_ms: 0,
        orders_per_second_max: 1_000_000,
        position_max_percent_safe: Amount::from_int(100),
        ..Policy::default()
    }
}

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
    let (policy, rich) = (permissive(), Amount::from_int(1_000_000_000_000));
    let snapshot = Snapshot {
        instrument: market.instrument,
        book: &deep(side, near, market.instrument.tick_size),
        feed: &FeedState::Fresh,
        policy: &policy,
        policy_version: 1,
        emergency_stop: false,
        flag_off: None,
        lifecycle: Lifecycle::Active,
        holds: Holds::default(),
        strategy: StrategyKind::EmaCross,
        risk_mode: RiskMode::Safe,
        equity: Some(rich),
        capital: rich,
        cash: rich,
        held: Quantity(i64::MAX),
        position_cost: Amount::ZERO,
        open_buys: Amount::ZERO,
        open_orders: 0,
        own_opposite: None,
        last_order: None,
        orders_last_second: 0,
        entries_today: 0,
        daily_loss_percent: Some(Amount::ZERO),
        edge_bp: None,
        live: None,
        reference: None,
        breaker: None,
        rate_unknown: None,
        account: None,
    };
    risk::check(intent, &snapshot).ok()
}

/// Orders execute at once: the lag is what the measurement varies.
pub(super) const AT_ONCE: Span = Span::ZERO;
