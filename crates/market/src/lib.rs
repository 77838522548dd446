//! What is known of a market: order book, bars, indicators.
//!
//! Pure: fed with [`domain::MarketEvent`]s whose sequence the connectors have already judged.
//! Main types: [`Book`], [`BarBuilder`], [`IndicatorSet`]. Deliberately absent: wire formats,
//! sockets, clocks.

mod book;

pub use book::Book;
