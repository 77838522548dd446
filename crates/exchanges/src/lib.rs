//! Connectors of Binance, KuCoin and Luno: the public side, and in [`live`] the private one.
//!
//! A [`Connector`] keeps one exchange's market data flowing into a bounded channel of
//! [`Delivery`]: instruments, prints, touches, books already judged contiguous, the judgement of
//! each subscription, measured round trips and clock bounds. It reconnects, resyncs, fetches what
//! was missed and says what it could not have; it never invents a number.
//!
//! [`codec`] holds the wire formats as pure functions; local exchange servers and readers of
//! recorded tapes use them too. The engine, strategies and the ledger must not depend on this crate.
//!
//! The way of use: [`Connector::start`] with a [`ConnectorConfig`] and a bounded sender; wait for
//! [`DeliveryKind::Instruments`]; [`Connector::subscribe`] by the engine's own id (with [`Resume`]
//! after a time off); take deliveries; [`Connector::history`] warms indicators;
//! [`Connector::status`] is for people; dropping or [`Connector::close`] ends it. Per instrument the
//! order of deliveries is the order of the feed, except that of touches waiting for room only the
//! newest is kept. `received_at` of prints that were held during a repair is when they came in.
//!
//! The rules of sequence are pure and public: [`binance_book`], [`kucoin_book`], [`luno_book`].
//! Deliberately absent: anything that decides. Orders leave by [`live`] alone, with a permit of `risk`.

mod binance;
pub mod codec;
mod config;
mod connector;
mod delivery;
mod depth;
mod error;
mod history;
mod kucoin;
mod listing;
pub mod live;
mod luno;
mod pace;
mod prints;
mod rest;
mod session;
mod shard;
mod shared;
mod socket;
mod status;
mod watch;

pub use binance::book as binance_book;
pub use config::{
    BODY_LIMIT, ConnectorConfig, FeedMode, LunoKey, Tapped, Timings, UrlError, check_url,
    default_urls, install_tls,
};
pub use connector::Connector;
pub use delivery::{Delivery, DeliveryKind, Resume};
pub use error::ExchangeError;
pub use history::BARS_MAX;
pub use kucoin::book as kucoin_book;
pub use luno::book as luno_book;
pub use status::{ConnectorStatus, Counters, SubscriptionStatus};
