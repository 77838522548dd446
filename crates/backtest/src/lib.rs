//! Recorded markets through the code that trades: tapes, backtests, fidelity, reports.
//!
//! The binary may depend on it; it drives `engine` and reads recordings with the codecs of
//! `exchanges`. Absent on purpose: a second way to fill an order, a second formula for a figure.

pub mod fidelity;
pub mod raw;
mod recorded;

pub use recorded::{Recorded, Source, TapeError};
