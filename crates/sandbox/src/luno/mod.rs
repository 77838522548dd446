//! Luno: order-by-order market stream, public REST, candles behind a key; private REST and the
//! user stream.

mod account;
mod feed;
mod rest;
mod socket;
mod user;
mod words;

pub(crate) use feed::Feed;
pub(crate) use user::tell;

use crate::core::Core;
use axum::Router;
use std::sync::Arc;

/// Everything that listens on Luno's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    rest::routes(Arc::clone(&core))
        .merge(account::routes(Arc::clone(&core)))
        .merge(user::routes(Arc::clone(&core)))
        .merge(socket::routes(core))
}
