//! Recorded markets through the code that trades: tapes, backtests, fidelity, reports.
//!
//! The binary may depend on it; it drives `engine` and reads recordings with the codecs of
//! `exchanges`. A backtest: [`candles::read`] or a [`Source`] make a [`Tape`]; [`run::run`] lets a
//! [`run::Job`] trade over it; [`report::Report`] is what is shown of the [`run::Outcome`].
//! Absent on purpose: a second way to fill an order, a second formula for a figure.

pub mod candles;
pub mod decoded;
pub mod export;
pub mod fidelity;
mod gaps;
pub mod import;
pub mod info;
pub mod inputs;
pub mod look_ahead;
pub mod market;
pub mod plan;
pub mod raw;
mod recorded;
pub mod recording;
pub mod report;
pub mod run;
pub mod sweep;
pub mod tape;
mod warm;

pub use decoded::Tape;
pub use gaps::{Gap, bar_gaps};
pub use plan::{Plan, PlanData, PlanError};
pub use recorded::{Recorded, Source, TapeError};
