//! Binance spot: combined and raw streams, public REST; signed REST and the user stream.

mod account;
mod feed;
mod frames;
mod info;
mod rest;
mod socket;
mod user;
mod words;

pub(crate) use feed::Feed;
pub(crate) use words::tell;

use crate::core::Core;
use axum::Router;
use std::sync::Arc;

/// Everything that listens on Binance's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    rest::routes(Arc::clone(&core))
        .merge(account::routes(Arc::clone(&core)))
        .merge(user::routes(Arc::clone(&core)))
        .merge(socket::routes(core))
}
