//! The private side: real orders of one key at one exchange.
//!
//! A [`LiveClient`] places, cancels, asks and lists; its [`LiveStream`] tells what happens to
//! orders and balances. An order leaves once: [`LiveClient::place`] consumes an
//! [`risk::ApprovedOrder`] and a [`risk::Permit`], passes the [`risk::WireGate`] last, and never
//! sends again. Whatever is not a clear yes or no is [`Placement::Unknown`], to be asked about with
//! [`LiveClient::resolve`].
//!
//! Names of results are the reactions that they ask for. Deliberately absent: books, positions and
//! decisions. Whoever drives this stores the intent before it is sent, posts fills by their trade
//! id, and reconciles after each [`LiveEvent::Resync`].

mod binance;
mod binance_account;
mod binance_stream;
mod budget;
mod client;
mod config;
mod http;
mod ids;
mod kucoin;
mod kucoin_stream;
mod luno;
mod luno_stream;
mod numbers;
mod place;
mod resolve;
mod secret;
mod sign;
mod stream;
#[cfg(test)]
mod tests;
mod types;
mod venue;

pub use budget::OrderUsage;
pub use client::LiveClient;
pub use config::{LiveConfig, LiveTimings, default_live_urls};
pub use ids::{ClientIds, ClientIdsError};
pub use secret::{Credentials, CredentialsError};
pub use stream::LiveStream;
pub use types::{
    Balance, BalanceCause, BalanceUpdate, Cancellation, Charge, ClockReading, FeeRates,
    KeyPermissions, LiveEvent, LiveFill, OrderKey, OrderState, Placed, Placement, Reaction, Reject,
    Resolution, Withheld,
};
