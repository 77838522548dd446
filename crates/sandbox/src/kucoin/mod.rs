//! KuCoin spot: UTA push socket at `/`, classic socket at `/classic`, public REST.

mod classic;
mod feed;
mod frames;
mod rest;
mod uta;

pub(crate) use feed::Feed;

use crate::core::Core;
use axum::Router;
use std::sync::Arc;

/// Everything that listens on KuCoin's port.
pub(crate) fn router(core: Arc<Core>) -> Router {
    rest::routes(Arc::clone(&core))
        .merge(uta::routes(Arc::clone(&core)))
        .merge(classic::routes(core))
}
