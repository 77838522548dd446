//! What a strategy remembers, and the calls that move it.

use crate::kinds::{breakout, cross, dca, grid, making, reversion};
use crate::{Actions, Context, OwnFill, Params};
use domain::{Instrument, Price};
use serde::{Deserialize, Serialize};

/// What a strategy remembers from call to call: stored with its bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// EMA cross and MACD trend: on which side the figures were.
    Cross(cross::Cross),
    /// RSI and Bollinger reversion: whether the dip at hand was used already.
    Reversion(reversion::Reversion),
    /// Donchian breakout: nothing.
    Breakout,
    /// Grid: range and levels.
    Grid(grid::Levels),
    /// DCA: the round at hand.
    Dca(dca::Round),
    /// Market making: when it quoted.
    Making(making::Quotes),
}

impl State {
    /// The state of a bot that saw nothing yet.
    pub fn new(params: &Params) -> Self {
        match params {
            Params::EmaCross(_) | Params::MacdTrend(_) => Self::Cross(cross::Cross::default()),
            Params::RsiReversion(_) | Params::BollingerReversion(_) => {
                Self::Reversion(reversion::Reversion::default())
            }
            Params::DonchianBreakout(_) => Self::Breakout,
            Params::Grid(_) => Self::Grid(grid::Levels::default()),
            Params::Dca(_) => Self::Dca(dca::Round::default()),
            Params::MarketMaking(_) => Self::Making(making::Quotes::default()),
        }
    }
}

/// Decides on a closed bar. Cold figures: no wishes. A state of another kind starts anew.
pub fn on_bar(params: &Params, state: &mut State, context: &Context<'_>) -> Actions {
    match (params, &mut *state) {
        (Params::EmaCross(_), State::Cross(s)) => cross::on_bar(s, context),
        (Params::MacdTrend(_), State::Cross(s)) => cross::on_bar(s, context),
        (Params::RsiReversion(p), State::Reversion(s)) => reversion::rsi(p, s, context),
        (Params::BollingerReversion(p), State::Reversion(s)) => reversion::bollinger(p, s, context),
        (Params::DonchianBreakout(_), State::Breakout) => breakout::on_bar(context),
        (Params::Grid(p), State::Grid(s)) => grid::on_bar(p, s, context),
        (Params::Dca(p), State::Dca(s)) => dca::on_bar(p, s, context),
        (Params::MarketMaking(p), State::Making(s)) => making::on_bar(p, s, context),
        _ => {
            *state = State::new(params);
            Actions::new()
        }
    }
}

/// When [`on_bar`] wishes for nothing and remembers nothing new: on most bars a cross has nothing
/// to say, and a fleet of them is asked on every trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// While the first figure is not under the second.
    Over,
    /// While the first figure is under the second.
    Under,
}

impl Quiet {
    /// Does it hold at these figures? Figures that are no numbers are never quiet.
    #[inline]
    pub fn holds(self, first: f64, second: f64) -> bool {
        match self {
            Self::Over => first >= second,
            Self::Under => first < second,
        }
    }
}

/// The condition under which a state stays as it is, where that is simple enough to say.
pub fn quiet(state: &State, is_flat: bool) -> Option<Quiet> {
    match state {
        State::Cross(side) => side.quiet(is_flat),
        _ => None,
    }
}

/// Takes a fill of one of the bot's orders; `context.bar` is the last closed bar.
pub fn on_fill(
    params: &Params,
    state: &mut State,
    context: &Context<'_>,
    fill: &OwnFill,
) -> Actions {
    match (params, state) {
        (Params::Grid(p), State::Grid(s)) => grid::on_fill(p, s, context, fill),
        (Params::Dca(p), State::Dca(s)) => dca::on_fill(p, s, context, fill),
        (Params::MarketMaking(p), State::Making(_)) => making::quote(p, context),
        _ => Actions::new(),
    }
}

/// The position was closed by a protective exit or by hand: levels and entries are forgotten.
pub fn on_flat(_params: &Params, state: &mut State) {
    match state {
        State::Reversion(s) => s.on_flat(),
        State::Grid(s) => s.on_flat(),
        State::Dca(s) => s.on_flat(),
        State::Making(_) | State::Cross(_) | State::Breakout => {}
    }
}

/// A stop that is a price and not a distance from the entry: the grid's, under its range.
pub fn stop_price(params: &Params, state: &State, instrument: &Instrument) -> Option<Price> {
    match (params, state) {
        (Params::Grid(p), State::Grid(s)) => grid::stop_price(p, s, instrument),
        _ => None,
    }
}

/// One plain sentence: what it waits for.
pub fn explain(params: &Params, state: &State, context: &Context<'_>) -> String {
    match (params, state) {
        (Params::EmaCross(_), _) => cross::explain("fast EMA", "slow", context),
        (Params::MacdTrend(_), _) => cross::explain("MACD line", "its signal", context),
        (Params::RsiReversion(p), State::Reversion(s)) => reversion::explain_rsi(p, s, context),
        (Params::BollingerReversion(p), State::Reversion(s)) => {
            reversion::explain_bollinger(p, s, context)
        }
        (Params::DonchianBreakout(_), _) => breakout::explain(context),
        (Params::Grid(p), State::Grid(s)) => grid::explain(p, s, context),
        (Params::Dca(p), State::Dca(s)) => dca::explain(p, s, context),
        (Params::MarketMaking(p), _) => making::explain(p, context),
        _ => "starting".to_owned(),
    }
}
