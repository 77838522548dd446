//! Recorded markets through the code that trades: tapes, backtests, fidelity, reports.
//!
//! The binary may depend on it; it drives `engine` and reads recordings with the codecs of
//! `exchanges`. Absent on purpose: a second way to fill an order, a second formula for a figure.

pub mod export;
mod gaps;
pub mod import;
pub mod info;
mod recorded;
pub mod tape;

pub use gaps::{Gap, bar_gaps};
pub use recorded::{Recorded, Source, TapeError};
