//! Order book, bars, indicators, freshness and data grade.

pub mod bars;
pub mod indicators;

pub use bars::{BarBuilder, BarCounts, PrintIds};
pub use indicators::{IndicatorSet, IndicatorSpec, Slot};
