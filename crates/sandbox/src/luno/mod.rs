//! Luno: order-by-order market stream, public REST, candles behind a key.

mod feed;
mod rest;
mod socket;
mod words;

pub(crate) use feed::Feed;

use crate::core::Core;
use axum::Router;
use std::sync::Arc;

/// Everything that listens on Luno's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    rest::routes(Arc::clone(&core)).merge(socket::routes(core))
}
