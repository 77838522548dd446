//! A situation in which no limit binds: for measurements and tests that need approved orders and
//! ask nothing about limits. The exchange's own filters still count.

use crate::Snapshot;
use domain::{
    Amount, FeedState, Holds, Instrument, Lifecycle, Policy, Quantity, RiskMode, StrategyKind,
};
use market::Book;

/// More than any order costs.
pub const RICH: Amount = Amount::from_int(1_000_000_000_000);

/// Limits as wide as they go, as far as a single order is concerned.
pub fn policy() -> Policy {
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

/// A rich paper bot that may do anything, in this market under this policy.
pub const fn snapshot<'a>(
    instrument: &'a Instrument,
    book: &'a Book,
    policy: &'a Policy,
) -> Snapshot<'a> {
    Snapshot {
        instrument,
        book,
        reference: None,
        feed: &FeedState::Fresh,
        policy,
        policy_version: 1,
        emergency_stop: false,
        flag_off: None,
        breaker: None,
        rate_unknown: None,
        account: None,
        lifecycle: Lifecycle::Active,
        holds: Holds::NONE,
        strategy: StrategyKind::EmaCross,
        risk_mode: RiskMode::Safe,
        equity: Some(RICH),
        capital: RICH,
        cash: RICH,
        held: Quantity(i64::MAX),
        position_cost: Amount::ZERO,
        open_buys: Amount::ZERO,
        open_orders: 0,
        own_opposite: None,
        last_order: None,
        first_entry: None,
        clock_off: None,
        orders_last_second: 0,
        entries_today: 0,
        daily_loss_percent: Some(Amount::ZERO),
        edge_bp: None,
        live: None,
    }
}
