//! Grid: buys rest under the price, what a level bought rests for sale one line higher.

use crate::{Action, Actions, Context, Grid, GridRange, OwnFill, Spacing};
use domain::{ExitReason, Instrument, OrderPurpose, Price, Rate, Round, Side};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Range and levels of a grid. Level `n` buys at line `n` and sells at line `n + 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// First and last line, once it started.
    range: Option<(Price, Price)>,
    /// Levels (as bits) whose buy is done: a sell rests.
    held: u64,
    /// Levels whose buy is filled in part: it still rests.
    partial: u64,
    /// Orders of an older range or round are to go first.
    is_swept: bool,
}

impl Levels {
    pub(crate) fn on_flat(&mut self) {
        *self = Self { is_swept: true, ..Self::default() };
    }

    fn is_empty(&self) -> bool {
        self.held | self.partial == 0
    }

    fn has(bits: u64, level: u16) -> bool {
        bits >> level & 1 == 1
    }
}

/// The lines of a grid on its instrument, lowest first.
struct Lines(SmallVec<[Price; 51]>);

impl Lines {
    /// Always on a tick, rounded down: a buy is then never dearer than meant.
    fn new(params: &Grid, instrument: &Instrument, (lower, upper): (Price, Price)) -> Self {
        let levels = params.levels.max(1);
        let ratio = libm::pow(upper.0 as f64 / lower.0 as f64, 1.0 / f64::from(levels));
        let mut exact = lower.0 as f64;
        let raw = (0..levels).map(|line| match params.spacing {
            Spacing::Arithmetic => {
                let rise = i128::from(upper.0 - lower.0) * i128::from(line) / i128::from(levels);
                lower.0 + rise as i64 // at most `upper - lower`
            }
            Spacing::Geometric => {
                // Nearest, or a line meant for a tick would fall to the one under it.
                let price = exact.round() as i64;
                exact *= ratio;
                price
            }
        });
        let raw = raw.chain([upper.0]);
        Self(raw.map(|p| instrument.on_tick(Price(p), Side::Buy)).collect())
    }

    fn price(&self, line: u16) -> Price {
        self.0.get(usize::from(line)).copied().unwrap_or_default()
    }

    /// A level that earns something: on a coarse tick two lines may fall together.
    fn is_wide(&self, level: u16) -> bool {
        let bottom = self.price(level);
        bottom.0 > 0 && bottom < self.price(level + 1)
    }

    fn buy(&self, level: u16) -> Action {
        Action::Rest { level, side: Side::Buy, price: self.price(level), share: Rate::ONE }
    }

    fn sell(&self, level: u16) -> Action {
        Action::Rest { level, side: Side::Sell, price: self.price(level + 1), share: Rate::ONE }
    }
}

pub(crate) fn on_bar(params: &Grid, state: &mut Levels, context: &Context<'_>) -> Actions {
    let mut actions = Actions::new();
    place(params, state, context);
    if std::mem::take(&mut state.is_swept) {
        actions.push(Action::WithdrawAll);
    }
    let Some(range) = state.range else { return actions };
    let lines = Lines::new(params, context.instrument, range);
    let price = context.bid.unwrap_or(context.bar.close).min(context.bar.close);
    for level in 0..params.levels {
        if Levels::has(state.held, level) {
            actions.push(lines.sell(level));
        } else if Levels::has(state.partial, level) && context.bar.close >= lines.price(level + 1) {
            // The price has left with part of the lot bought: sell the part.
            state.held |= 1 << level;
            state.partial &= !(1 << level);
            actions.push(Action::Withdraw { level, side: Side::Buy });
            actions.push(lines.sell(level));
        } else if context.can_enter && lines.is_wide(level) && lines.price(level) < price {
            actions.push(lines.buy(level));
        }
    }
    actions
}

/// Lays the range: once where prices are given, otherwise around the price when it starts, and
/// anew when the price has left it and nothing is held.
fn place(params: &Grid, state: &mut Levels, context: &Context<'_>) {
    if !context.can_enter {
        return;
    }
    let close = context.bar.close;
    let range = match params.range {
        GridRange::Fixed { lower, upper } => {
            let price = |amount| context.instrument.price(amount, Round::Down);
            price(lower).zip(price(upper))
        }
        GridRange::Around(half) => match state.range {
            Some((lower, upper)) if !state.is_empty() || (lower <= close && close <= upper) => {
                return;
            }
            _ => around(close, half),
        },
    };
    let range = range.filter(|(lower, upper)| lower.0 > 0 && lower < upper);
    if range.is_some() && range != state.range {
        state.is_swept |= state.range.is_some();
        state.range = range;
    }
}

fn around(close: Price, half: Rate) -> Option<(Price, Price)> {
    let part = close.times(half, Round::Down)?;
    Some((close - part, Price(close.0.checked_add(part.0)?)))
}

pub(crate) fn on_fill(
    params: &Grid,
    state: &mut Levels,
    context: &Context<'_>,
    fill: &OwnFill,
) -> Actions {
    let mut actions = Actions::new();
    let Some(range) = state.range else { return actions };
    let is_protective = matches!(fill.purpose, OrderPurpose::Exit(r) if r != ExitReason::Signal);
    if fill.level >= params.levels || is_protective {
        return actions; // protective exits belong to no level; `on_flat` follows
    }
    let lines = Lines::new(params, context.instrument, range);
    let bit = 1 << fill.level;
    match fill.side {
        Side::Buy if fill.order_complete => {
            state.held |= bit;
            state.partial &= !bit;
            actions.push(lines.sell(fill.level));
        }
        // A rest that fills after its sell was laid belongs to the lot that is for sale already.
        Side::Buy if Levels::has(state.held, fill.level) => actions.push(lines.sell(fill.level)),
        Side::Buy => state.partial |= bit,
        Side::Sell if fill.order_complete => {
            state.held &= !bit;
            if context.can_enter && lines.is_wide(fill.level) {
                actions.push(lines.buy(fill.level));
            }
        }
        Side::Sell => {}
    }
    actions
}

pub(crate) fn stop_price(params: &Grid, state: &Levels, instrument: &Instrument) -> Option<Price> {
    let (lower, _) = state.range?;
    let kept = Rate(Rate::ONE.0 - params.stop_margin.0);
    let stop = lower.times(kept, Round::Down).filter(|p| p.0 > 0)?;
    Some(instrument.on_tick(stop, Side::Buy))
}

pub(crate) fn explain(params: &Grid, state: &Levels, context: &Context<'_>) -> String {
    let Some((lower, upper)) = state.range else {
        return "grid starts at the next bar that may enter".to_owned();
    };
    let lines = Lines::new(params, context.instrument, (lower, upper));
    let close = context.bar.close;
    let resting = (0..params.levels)
        .filter(|l| !Levels::has(state.held, *l))
        .filter(|l| lines.is_wide(*l) && lines.price(*l) < close);
    let show = |price| context.instrument.price_amount(price);
    let (held, count) = (state.held.count_ones(), params.levels);
    let place = match () {
        () if close < lower => ", price under the range",
        () if close > upper => ", price over the range",
        () if !(0..count).any(|l| lines.is_wide(l)) => ", steps narrower than a tick",
        () => "",
    };
    format!(
        "{} of {count} grid levels buy, {held} sell, between {} and {}{place}",
        if context.can_enter { resting.count() } else { 0 },
        show(lower),
        show(upper)
    )
}
