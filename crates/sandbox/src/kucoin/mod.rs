//! KuCoin spot: UTA push socket at `/`, classic socket at `/classic`, public and signed REST.

mod account;
mod classic;
mod feed;
mod frames;
mod rest;
mod uta;
mod words;

pub(crate) use feed::Feed;
pub(crate) use words::tell;

use crate::core::Core;
use axum::Router;
use std::sync::Arc;

/// Everything that listens on KuCoin's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    rest::routes(Arc::clone(&core))
        .merge(account::routes(Arc::clone(&core)))
        .merge(uta::routes(Arc::clone(&core)))
        .merge(classic::routes(core))
}
