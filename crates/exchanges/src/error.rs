//! Errors, named by the reaction they ask for.

use std::time::Duration;

/// What went wrong between us and an exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Wait this long, then ask again: nothing is sent before.
    #[error("rate limited by the exchange for {} s", .0.as_secs())]
    RateLimited(Duration),
    /// Retry later: unreachable, timed out, or its own fault (5xx).
    #[error("exchange not available: {0}")]
    Unavailable(String),
    /// Do not repeat: the exchange refuses the request itself.
    #[error("exchange refused ({code}): {message}")]
    Refused {
        /// The exchange's own code.
        code: String,
        /// The exchange's own words.
        message: String,
    },
    /// Stop this exchange: blocked here (HTTP 451), or the key is not accepted.
    #[error("exchange blocks us: {0}")]
    Fatal(String),
    /// An answer that we do not understand.
    #[error("answer not understood: {0}")]
    Decode(#[from] crate::codec::DecodeError),
    /// This exchange does not offer it; the reason says what would.
    #[error("not available here: {0}")]
    Unsupported(String),
    /// Something of ours ended badly.
    #[error("connector failed: {0}")]
    Internal(String),
}

impl ExchangeError {
    /// Is it worth asking again?
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Unavailable(_))
    }
}
