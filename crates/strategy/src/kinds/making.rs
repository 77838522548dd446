//! Market making at the touch: a resting buy up to the inventory limit, a resting sell of what is
//! held.

use crate::{Action, Actions, Context, MarketMaking};
use domain::{Price, Rate, Side};
use serde::{Deserialize, Serialize};

/// When it quoted last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotes {
    /// Bars until the next quote.
    wait_bars: u16,
}

pub(crate) fn on_bar(params: &MarketMaking, state: &mut Quotes, context: &Context<'_>) -> Actions {
    if state.wait_bars > 0 {
        state.wait_bars -= 1;
        return Actions::new();
    }
    state.wait_bars = params.requote_bars.saturating_sub(1);
    quote(params, context)
}

/// Both sides as they should rest now. Without a touch nothing is known: nothing may rest.
pub(crate) fn quote(params: &MarketMaking, context: &Context<'_>) -> Actions {
    let mut actions = Actions::new();
    let Some((bid, ask)) = context.bid.zip(context.ask).filter(|(b, a)| b.0 > 0 && b < a) else {
        actions.push(Action::WithdrawAll);
        return actions;
    };
    let behind = context.instrument.tick_size.0.saturating_mul(i64::from(params.behind_ticks));
    actions.push(buy(params, context, bid, ask, behind));
    actions.push(match context.position.is_flat() {
        true => Action::Withdraw { level: 0, side: Side::Sell },
        false => rest(Side::Sell, Price(ask.0.saturating_add(behind)), context),
    });
    actions
}

fn buy(params: &MarketMaking, context: &Context<'_>, bid: Price, ask: Price, far: i64) -> Action {
    let has_room = context.position.entries < u32::from(params.max_entries);
    let is_wide = spread_bp(bid, ask) >= params.min_spread_bp;
    let price = Price(bid.0.saturating_sub(far));
    if context.can_enter && has_room && is_wide && price.0 > 0 {
        rest(Side::Buy, price, context)
    } else {
        Action::Withdraw { level: 0, side: Side::Buy }
    }
}

fn rest(side: Side, price: Price, context: &Context<'_>) -> Action {
    let price = context.instrument.on_tick(price, side);
    Action::Rest { level: 0, side, price, share: Rate::ONE }
}

fn spread_bp(bid: Price, ask: Price) -> f64 {
    let (bid, ask) = (bid.0 as f64, ask.0 as f64);
    (ask - bid) / ((ask + bid) / 2.0) * 1e4
}

pub(crate) fn explain(params: &MarketMaking, context: &Context<'_>) -> String {
    let Some((bid, ask)) = context.bid.zip(context.ask) else {
        return "no fresh touch to quote at".to_owned();
    };
    let (spread, least) = (spread_bp(bid, ask), params.min_spread_bp);
    let (entries, most) = (context.position.entries, params.max_entries);
    let quotes = match () {
        () if entries >= u32::from(most) => "sells only, inventory full".to_owned(),
        () if spread < least => format!("buys from {least} bp"),
        () => "quotes at the touch".to_owned(),
    };
    format!("spread {spread:.1} bp, {quotes}; holds {entries} of {most} entries")
}
