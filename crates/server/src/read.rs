//! Reading the store from handlers: on threads where blocking is allowed.

use crate::problem::Problem;
use crate::state::AppState;
use axum::http::StatusCode;
use storage::{ReadPool, StoreError};

impl AppState {
    /// Runs a query of the store.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&ReadPool) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.store.reader();
        let work = tokio::task::spawn_blocking(move || query(&reader));
        work.await.map_err(|e| Problem::internal(&e))?.map_err(Problem::from)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::BadCursor { cursor } => {
                Self::bad_request("INVALID_CURSOR", detail).with("cursor", cursor)
            }
            StoreError::CursorExpired { cursor, removed_until } => {
                Self::new(StatusCode::GONE, "CURSOR_EXPIRED", detail)
                    .with("cursor", cursor)
                    .with("removed_until", removed_until)
            }
            StoreError::Busy { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE_BUSY", detail)
                    .with("retry_after_s", 1)
            }
            StoreError::Failed(_) | StoreError::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE_FAILED", detail)
            }
            error => Self::internal(&error),
        }
    }
}
