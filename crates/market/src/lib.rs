//! What is known of a market: order book, bars, indicators.
//!
//! Pure: fed with [`domain::MarketEvent`]s whose sequence the connectors have already judged.
//! Main types: [`Book`], [`BarBuilder`], [`IndicatorSet`]. Deliberately absent: wire formats,
//! sockets, clocks.

mod average;
pub mod bars;
mod book;
pub mod indicators;

pub use average::{Average, reference};
pub use bars::{BarBuilder, BarCounts, PrintIds};
pub use book::Book;
pub use indicators::{IndicatorSet, IndicatorSpec, Slot};
