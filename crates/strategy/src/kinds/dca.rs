//! DCA: a base order at the market, more at resting orders under it, out at a target on the
//! average price (a protective exit: [`crate::default_exits`]).

use super::{apart, percent_over};
use crate::{Action, Actions, Context, Dca, OwnFill};
use domain::{Price, Rate, Side};
use serde::{Deserialize, Serialize};

/// The round at hand. The base order is level 0, safety orders are levels from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Price of the base order's first fill: the safety orders hang from it.
    base: Option<Price>,
    /// Safety orders (as bits, level 1 first) that are done.
    filled: u32,
    /// Bars since the last round ended; `None`: there was none.
    waited: Option<u32>,
    /// Orders of the last round are to go first.
    is_swept: bool,
}

impl Round {
    pub(crate) fn on_flat(&mut self) {
        *self = Self { waited: Some(0), is_swept: true, ..Self::default() };
    }
}

pub(crate) fn on_bar(params: &Dca, state: &mut Round, context: &Context<'_>) -> Actions {
    let mut actions = Actions::new();
    if !context.position.is_flat() {
        rest(params, state, context, &mut actions);
        return actions;
    }
    if state.base.is_some() {
        state.on_flat(); // sold, and nobody said so
    }
    if std::mem::take(&mut state.is_swept) {
        actions.push(Action::WithdrawAll);
    }
    state.waited = state.waited.map(|n| n.saturating_add(1));
    if context.can_enter && state.waited.is_none_or(|n| n >= params.interval_bars) {
        let share = params.base_share;
        actions.push(Action::Enter { level: 0, price: None, post_only: false, share });
    }
    actions
}

/// The safety orders that are not done yet.
fn rest(params: &Dca, state: &Round, context: &Context<'_>, actions: &mut Actions) {
    // A position that this round did not open (taken over) hangs from its average price.
    let base = state.base.or(context.position.average_entry);
    let Some(base) = base.filter(|_| context.can_enter) else { return };
    for (n, order) in params.safety.iter().enumerate() {
        let price = context.instrument.on_tick(below(base, order.below), Side::Buy);
        if state.filled >> n & 1 == 0 && price.0 > 0 {
            let (level, share) = (n as u16 + 1, order.share);
            actions.push(Action::Rest { level, side: Side::Buy, price, share });
        }
    }
}

fn below(base: Price, share: Rate) -> Price {
    let left = i128::from(Rate::ONE.0 - share.0);
    // Not above `base`, so it fits.
    Price((i128::from(base.0) * left / i128::from(Rate::ONE.0)) as i64)
}

pub(crate) fn on_fill(
    params: &Dca,
    state: &mut Round,
    context: &Context<'_>,
    fill: &OwnFill,
) -> Actions {
    let mut actions = Actions::new();
    if fill.side == Side::Sell {
        return actions;
    }
    match fill.level {
        0 => {
            state.base.get_or_insert(fill.price);
            rest(params, state, context, &mut actions);
        }
        level if fill.order_complete && usize::from(level) <= params.safety.len() => {
            state.filled |= 1 << (level - 1);
        }
        _ => {}
    }
    actions
}

pub(crate) fn explain(params: &Dca, state: &Round, context: &Context<'_>) -> String {
    let Some(average) = context.position.average_entry.filter(|_| !context.position.is_flat())
    else {
        let waited = state.waited.unwrap_or(params.interval_bars).min(params.interval_bars);
        return match params.interval_bars - waited {
            0 => "flat, buys the base order".to_owned(),
            bars => format!("flat, next base order in {bars} bars"),
        };
    };
    let price = context.bid.unwrap_or(context.bar.close);
    let far = apart(percent_over(price.0 as f64, average.0 as f64));
    let (filled, all) = (state.filled.count_ones(), params.safety.len());
    let target = params.target_percent;
    format!("{far} the average price, sells at {target} %; {filled} of {all} safety orders filled")
}
