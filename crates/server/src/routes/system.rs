//! The process itself.

use crate::auth::Principal;
use crate::operator::EntryStopView;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Span;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(system)).routes(routes!(disk)).routes(routes!(entries))
}

/// Version, load and health of the process.
#[utoipa::path(get, path = "/api/system", tag = "system",
    responses((status = 200, body = schema::System)))]
async fn system(State(state): State<AppState>, _who: Principal) -> Result<Json<Value>, Problem> {
    let fleet = state.core.query(|engine| engine.fleet()).await?;
    let mut fleet = serde_json::to_value(fleet).map_err(|e| Problem::internal(&e))?;
    // Ids of all bots are other accounts' business, and many.
    if let Some(figures) = fleet.as_object_mut() {
        figures.remove("bot_ids");
    }
    let health = state.health.load();
    let uptime = state.started.elapsed();
    let started_at = crate::access::now() - Span::from_millis(uptime.as_millis() as i64);
    Ok(Json(json!({
        "version": state.config.version,
        "mode": state.mode(),
        "uptime_s": uptime.as_secs(),
        "started_at": started_at,
        "fleet": fleet,
        "lag_ms": health.lag_ms,
        "last_commit_at": health.last_commit_at,
        "checks": health.parts,
        "realtime_clients": state.realtime.clients(),
        "rates": health.rates,
    })))
}

/// How full the disk is, as the supervisor measured it.
#[utoipa::path(get, path = "/api/system/disk", tag = "system",
    responses((status = 200, body = schema::Disk)))]
async fn disk(State(state): State<AppState>, _who: Principal) -> Json<Value> {
    let health = state.health.load();
    Json(json!({
        "check": health.parts.get("disk"),
        "forecast": health.disk,
        "data_dir": state.config.data_dir.display().to_string(),
    }))
}

/// Lets entries again that too many restarts in a short time stopped; for admins.
#[utoipa::path(post, path = "/api/system/entries", tag = "system",
    responses((status = 200, body = schema::EntriesAllowed)))]
async fn entries(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<EntryStopView>, Problem> {
    who.require_admin()?;
    let Some(entries) = state.entries.as_ref() else {
        let detail = "no server runs on this data: `amarktai run`, then again";
        return Err(Problem::new(StatusCode::CONFLICT, "NOT_RUNNING", detail));
    };
    let view = entries.allow(who.actor().to_string()).await;
    view.map(Json).map_err(|reason| Problem::internal(&reason))
}
