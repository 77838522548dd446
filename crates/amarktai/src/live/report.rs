//! From an exchange's words to the core's.

use domain::OrderId;
use engine::{LiveExecution, LiveReport, News};
use exchanges::live::{LiveFill, OrderState};

/// How an order stands, if that is known: its end only with what was executed of it.
pub(super) fn state(state: &OrderState) -> Option<(OrderId, LiveReport)> {
    let id = state.id?;
    if !state.status.is_final() {
        return Some((id, LiveReport::Open));
    }
    let (status, reason) = (state.status, state.reason.clone());
    Some((id, LiveReport::Ended { status, reason, filled: state.filled? }))
}

/// An execution of this order.
pub(super) fn fill(id: OrderId, fill: &LiveFill) -> News {
    let execution = LiveExecution {
        trade_id: fill.trade_id.clone(),
        price: fill.price,
        quantity: fill.quantity,
        fees: fill.fees.iter().map(|fee| (fee.amount, fee.currency)).collect(),
        liquidity: fill.liquidity,
        at: fill.at,
    };
    News::Order(id, LiveReport::Fill(Box::new(execution)))
}
