//! Markets that no bot trades, looked at all the same: who connects them is the binary's choice.

use crate::problem::Problem;
use axum::http::StatusCode;
use domain::{Exchange, Symbol, Timeframe};
use engine::view::{BarView, BookView, MarketView};
use futures_util::future::BoxFuture;

/// Subscribes to listed markets for as long as somebody looks.
pub trait Watch: Send + Sync {
    /// The quote; waits a moment for the first one.
    fn market(
        &self,
        exchange: Exchange,
        symbol: Symbol,
    ) -> BoxFuture<'_, Result<MarketView, WatchError>>;

    /// The book; waits a moment for the first one.
    fn book(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        depth: usize,
    ) -> BoxFuture<'_, Result<BookView, WatchError>>;

    /// Closed bars, oldest first, as the exchange tells them; also of markets that bots trade.
    fn bars(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        timeframe: Timeframe,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<BarView>, WatchError>>;
}

/// Why a market cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// No such instrument, or its exchange is off or was not reached yet.
    #[error("there is no such market")]
    NotListed,
    /// Too many are looked at; one that nobody asks for any more makes room.
    #[error("{exchange}: {limit} markets that no bot trades are watched; try again in a minute")]
    Full {
        /// Where.
        exchange: Exchange,
        /// So many.
        limit: usize,
    },
    /// The core has just come to know it: ask there.
    #[error("a bot begins to trade it; ask again")]
    Taken,
    /// The exchange does not have it; the text says what would help.
    #[error("{0}")]
    Unsupported(String),
    /// The exchange did not answer.
    #[error("{0}")]
    Unreachable(String),
}

impl From<WatchError> for Problem {
    fn from(error: WatchError) -> Self {
        let detail = error.to_string();
        match error {
            WatchError::NotListed => Self::not_found("market"),
            WatchError::Full { exchange, limit } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "WATCH_LIMIT_REACHED", detail)
                    .with("exchange", exchange.name())
                    .with("limit", limit)
            }
            WatchError::Unsupported(_) => Self::new(StatusCode::CONFLICT, "NOT_POSSIBLE", detail),
            WatchError::Taken | WatchError::Unreachable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "EXCHANGE_UNREACHABLE", detail)
            }
        }
    }
}
