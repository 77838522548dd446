//! The strategies and the schemas of their parameters.
//!
//! A strategy decides on closed bars, on its own fills and on nothing else; it says what it wants
//! as [`Action`]s. It has no clock, no I/O and no say in risk: `strategy` knows nothing of risk,
//! ledger or exchanges, and the engine may refuse every wish. Of ours it uses `domain` and
//! `market`.
//!
//! [`resolve`] turns what a person typed into typed [`Params`] by the [`schema`] that the UI, the
//! API and the docs show too; [`indicators`] names the shared figures to compute; [`on_bar`],
//! [`on_fill`] and [`on_flat`] drive the [`State`], a few bytes that are stored with the bot.
//! [`explain`] says in one sentence what the strategy waits for.
//!
//! Deliberately absent: sizes in money (a strategy speaks of shares of one entry), order ids,
//! protective exits (the engine evaluates those that [`default_exits`] and [`stop_price`] name).

mod action;
mod kinds;
mod params;
mod resolve;
mod schema;
mod state;

pub use action::{Action, Actions, Context, OwnFill, Position};
pub use params::{
    BollingerReversion, Dca, DonchianBreakout, EmaCross, Grid, GridRange, MacdTrend, MarketMaking,
    Params, RsiReversion, SafetyOrder, Spacing, default_exits, edge_bp, indicators, max_entries,
    warm_up_bars,
};
pub use resolve::{ParamError, ParamErrors, resolve};
pub use schema::{ParamKind, ParamSpec, Schema, schema, schemas};
pub use state::{Quiet, State, explain, on_bar, on_fill, on_flat, quiet, stop_price};
