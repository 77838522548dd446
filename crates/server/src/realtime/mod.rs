//! Events, live: one outbox feeds SSE and WebSocket.
//!
//! A client's cursor is the store's. It is first read up from the store and then switched to what
//! the writer tells after each commit; what comes twice is skipped, so nothing is lost or doubled.

mod feed;
mod heartbeat;
mod sse;
mod ws;

use crate::problem::Problem;
use crate::state::AppState;
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Streams at once: each costs a socket and a question to the core every heartbeat.
const CLIENTS_MAX: usize = 256;

/// What all streams share.
#[derive(Clone)]
pub(crate) struct Realtime {
    places: Arc<Semaphore>,
    closing: Arc<watch::Sender<bool>>,
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(CLIENTS_MAX)),
            closing: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl Realtime {
    /// Streams that are open.
    pub(crate) fn clients(&self) -> usize {
        CLIENTS_MAX - self.places.available_permits()
    }

    /// Ends all streams at once, and those that come later.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{CLIENTS_MAX} streams are open; close one or poll /api/events");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "REALTIME_FULL", detail)
                .with("retry_after_s", 10)
        })
    }
}

/// Where to go on.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AfterQuery {
    /// Cursor of the last event that was seen; without one only what is new is sent.
    after: Option<String>,
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sse::events)).routes(routes!(ws::socket))
}

fn require_enabled(state: &AppState) -> Result<(), Problem> {
    if state.config.realtime_enabled {
        return Ok(());
    }
    let detail = "ENABLE_REALTIME is off; poll /api/events";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "REALTIME_OFF", detail))
}
