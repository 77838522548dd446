//! Copies of the store: for admins, as they hold everybody's.

use crate::auth::Principal;
use crate::operator::{BackupFile, Backups, BackupsView};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, make))
}

fn backups(state: &AppState, who: &Principal) -> Result<Arc<dyn Backups>, Problem> {
    who.require_admin()?;
    state.backups.clone().ok_or_else(|| Problem::not_built("backup here"))
}

/// What there is, newest first.
#[utoipa::path(get, path = "/api/backups", tag = "operator",
    responses((status = 200, body = schema::Backups)))]
async fn list(State(state): State<AppState>, who: Principal) -> Result<Json<BackupsView>, Problem> {
    let backups = backups(&state, &who)?;
    let work = tokio::task::spawn_blocking(move || backups.view());
    let view = work.await.map_err(|e| Problem::internal(&e))?;
    view.map(Json).map_err(|reason| Problem::internal(&reason))
}

/// Makes one now, while everything goes on, and proves it.
#[utoipa::path(post, path = "/api/backups", tag = "operator",
    responses((status = 201, body = schema::BackupFile)))]
async fn make(
    State(state): State<AppState>,
    who: Principal,
) -> Result<(StatusCode, Json<BackupFile>), Problem> {
    let backups = backups(&state, &who)?;
    let made = backups
        .make()
        .await
        .map_err(|reason| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "BACKUP_FAILED", reason))?;
    Ok((StatusCode::CREATED, Json(made)))
}
