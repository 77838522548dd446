//! Donchian breakout: in over the highest high before the bar, out under the lowest low.

use super::{apart, close, percent_over, shown};
use crate::{Action, Actions, Context};
use smallvec::smallvec;

/// A breakout is an event by itself: the channel takes the bar in and moves away from it.
pub(crate) fn on_bar(context: &Context<'_>) -> Actions {
    let &[highest, lowest] = context.values else { return Actions::new() };
    let (close, is_flat) = (close(context), context.position.is_flat());
    if is_flat && close > highest && context.can_enter && !lowest.is_nan() {
        return smallvec![Action::ENTER];
    }
    if !is_flat && close < lowest {
        return smallvec![Action::EXIT];
    }
    Actions::new()
}

pub(crate) fn explain(context: &Context<'_>) -> String {
    let &[highest, lowest] = context.values else { return "no figures yet".to_owned() };
    if highest.is_nan() || lowest.is_nan() {
        return "channel is warming up".to_owned();
    }
    let (line, does) = match context.position.is_flat() {
        true => (highest, "buys over"),
        false => (lowest, "sells under"),
    };
    let far = apart(percent_over(close(context), line));
    format!("close {far} the channel's edge, {does} {}", shown(context, line))
}
