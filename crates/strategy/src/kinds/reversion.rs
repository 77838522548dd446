//! RSI and Bollinger reversion: in on a dip, out when it has recovered.

use super::{apart, close, percent_over, shown};
use crate::{Action, Actions, BollingerReversion, Context, RsiReversion};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

/// Whether the dip at hand was used already. Without it a stop would be followed by the next buy
/// into the same fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversion {
    is_spent: bool,
}

impl Reversion {
    pub(crate) fn on_flat(&mut self) {
        self.is_spent = true;
    }

    fn decide(&mut self, is_dip: bool, is_recovered: bool, context: &Context<'_>) -> Actions {
        if !context.position.is_flat() {
            self.is_spent = true;
            return if is_recovered { smallvec![Action::EXIT] } else { Actions::new() };
        }
        self.is_spent &= is_dip;
        if is_dip && !self.is_spent && context.can_enter {
            return smallvec![Action::ENTER];
        }
        Actions::new()
    }

    fn waits(&self) -> &'static str {
        if self.is_spent { "; this dip was traded already" } else { "" }
    }
}

pub(crate) fn rsi(params: &RsiReversion, state: &mut Reversion, context: &Context<'_>) -> Actions {
    match context.values {
        [rsi] if !rsi.is_nan() => {
            state.decide(*rsi < params.buy_below, *rsi > params.sell_above, context)
        }
        _ => Actions::new(),
    }
}

pub(crate) fn bollinger(
    params: &BollingerReversion,
    state: &mut Reversion,
    context: &Context<'_>,
) -> Actions {
    let Some((middle, lower)) = band(params, context) else { return Actions::new() };
    let close = close(context);
    state.decide(close < lower, close >= middle, context)
}

/// Middle and lower band.
fn band(params: &BollingerReversion, context: &Context<'_>) -> Option<(f64, f64)> {
    match context.values {
        [middle, deviation] if !middle.is_nan() && !deviation.is_nan() => {
            Some((*middle, middle - params.deviations * deviation))
        }
        _ => None,
    }
}

pub(crate) fn explain_rsi(
    params: &RsiReversion,
    state: &Reversion,
    context: &Context<'_>,
) -> String {
    match context.values {
        [rsi] if !rsi.is_nan() && !context.position.is_flat() => {
            format!("RSI {rsi:.1}, sells above {}", params.sell_above)
        }
        [rsi] if !rsi.is_nan() => {
            format!("RSI {rsi:.1}, buys below {}{}", params.buy_below, state.waits())
        }
        _ => "RSI is warming up".to_owned(),
    }
}

pub(crate) fn explain_bollinger(
    params: &BollingerReversion,
    state: &Reversion,
    context: &Context<'_>,
) -> String {
    let Some((middle, lower)) = band(params, context) else {
        return "Bollinger bands are warming up".to_owned();
    };
    let (line, name, does) = match context.position.is_flat() {
        true => (lower, "lower band", "buys under it"),
        false => (middle, "middle band", "sells there"),
    };
    let far = apart(percent_over(close(context), line));
    let waits = if context.position.is_flat() { state.waits() } else { "" };
    format!("close {far} the {name} {}, {does}{waits}", shown(context, line))
}
