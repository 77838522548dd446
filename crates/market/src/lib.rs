//! Order book, bars, indicators, freshness and data grade.
//!
//! Everything is driven by events in exchange time and keeps no clock of its own.

pub mod bars;
pub mod indicators;

pub use bars::{BarBuilder, BarCounts, PrintIds};
pub use indicators::{IndicatorSet, IndicatorSpec, Slot};
