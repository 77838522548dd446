//! EMA cross and MACD trend: in when the fast figure crosses over the slow one, out when under.

use super::{apart, close};
use crate::{Action, Actions, Context, Quiet};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

/// On which side the fast figure was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cross {
    /// `None`: not known yet; touching keeps the side.
    is_over: Option<bool>,
}

impl Cross {
    /// Same side as before, and nothing held on the wrong one.
    pub(crate) fn quiet(self, is_flat: bool) -> Option<Quiet> {
        match self.is_over {
            Some(true) => Some(Quiet::Over),
            Some(false) if is_flat => Some(Quiet::Under),
            _ => None,
        }
    }
}

/// The side is followed on every bar, entries let through or not, so that a hold that ends in
/// the middle of a trend does not buy it late. The exit asks for the side and not for the cross:
/// a cross that was missed while the feed was stale must not keep the position.
pub(crate) fn on_bar(state: &mut Cross, context: &Context<'_>) -> Actions {
    let &[fast, slow] = context.values else { return Actions::new() };
    let before = state.is_over;
    if fast > slow {
        state.is_over = Some(true);
    } else if fast < slow {
        state.is_over = Some(false);
    } // equal, or not a number: nothing new
    let is_flat = context.position.is_flat();
    if before == Some(false) && fast > slow && is_flat && context.can_enter {
        return smallvec![Action::ENTER];
    }
    if fast < slow && !is_flat {
        return smallvec![Action::EXIT];
    }
    Actions::new()
}

pub(crate) fn explain(fast_name: &str, slow_name: &str, context: &Context<'_>) -> String {
    let &[fast, slow] = context.values else { return "no figures yet".to_owned() };
    if fast.is_nan() || slow.is_nan() {
        return format!("{fast_name} and {slow_name} are warming up");
    }
    // Over the price: the MACD line itself passes through zero.
    let percent = (fast - slow) / close(context).max(1.0) * 100.0;
    format!("{fast_name} {} {slow_name}", apart(percent))
}
