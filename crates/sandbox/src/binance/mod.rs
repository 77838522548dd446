//! Binance spot: combined and raw streams, public REST.

mod feed;
mod frames;
mod info;
mod rest;
mod socket;

pub(crate) use feed::Feed;

use crate::core::Core;
use axum::Router;
use std::sync::Arc;

/// Everything that listens on Binance's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    rest::routes(Arc::clone(&core)).merge(socket::routes(core))
}
