//! Events, live.

use crate::state::AppState;
use utoipa_axum::router::OpenApiRouter;

/// What all streams share.
#[derive(Clone, Default)]
pub(crate) struct Realtime {}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
}

impl Realtime {
    pub(crate) fn clients(&self) -> usize {
        0
    }
}
