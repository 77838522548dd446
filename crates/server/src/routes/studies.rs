//! Backtests and sweeps: queued by a POST, looked at by their id.

use crate::auth::Scope;
use crate::extract::{Body, Path};
use crate::problem::Problem;
use crate::research::{Research, StudyKind};
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(backtests, start_backtest))
        .routes(routes!(backtest, cancel_backtest))
        .routes(routes!(backtest_report))
        .routes(routes!(sweeps, start_sweep))
        .routes(routes!(sweep, cancel_sweep))
        .routes(routes!(sweep_report))
}

const BACKTEST: StudyKind = StudyKind::Backtest;
const SWEEP: StudyKind = StudyKind::Sweep;

fn research(state: &AppState) -> Result<Arc<dyn Research>, Problem> {
    state.research.clone().ok_or_else(|| Problem::not_built("research here"))
}

async fn start(
    state: &AppState,
    scope: &Scope,
    kind: StudyKind,
    plan: Map<String, Value>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (research, plan) = (research(state)?, Value::Object(plan));
    let wrong = |reason| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY", reason);
    research.check(kind, &plan).map_err(wrong)?;
    let id = state.studies.start(scope.account, kind, research, plan).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "state": "queued" }))))
}

async fn list(state: &AppState, scope: &Scope, kind: StudyKind) -> Result<Json<Value>, Problem> {
    state.studies.list(scope.account, kind, &research(state)?).await.map(Json)
}

async fn show(
    state: &AppState,
    scope: &Scope,
    kind: StudyKind,
    id: String,
) -> Result<Json<Value>, Problem> {
    state.studies.show(scope.account, kind, id, &research(state)?).await.map(Json)
}

async fn cancel(
    state: &AppState,
    scope: &Scope,
    kind: StudyKind,
    id: String,
) -> Result<StatusCode, Problem> {
    state.studies.cancel(scope.account, kind, id, &research(state)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn report(
    state: &AppState,
    scope: &Scope,
    kind: StudyKind,
    id: String,
) -> Result<Response, Problem> {
    let page = state.studies.page(scope.account, kind, id, &research(state)?).await?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

/// Queues a backtest; `data` names files inside the folder `data` of the data directory.
#[utoipa::path(post, path = "/api/backtests", tag = "backtests",
    request_body = schema::BacktestPlan,
    responses((status = 202, body = schema::StudyQueued)))]
async fn start_backtest(
    State(state): State<AppState>,
    scope: Scope,
    Body(plan): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    start(&state, &scope, BACKTEST, plan).await
}

/// The account's backtests that are kept, newest first, without their results.
#[utoipa::path(get, path = "/api/backtests", tag = "backtests",
    responses((status = 200, body = schema::StudyPage)))]
async fn backtests(State(state): State<AppState>, scope: Scope) -> Result<Json<Value>, Problem> {
    list(&state, &scope, BACKTEST).await
}

/// How a backtest stands; with its result once it is done. The last twenty studies are kept.
#[utoipa::path(get, path = "/api/backtests/{id}", tag = "backtests",
    params(("id" = String, Path)), responses((status = 200, body = schema::StudyState)))]
async fn backtest(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    show(&state, &scope, BACKTEST, id).await
}

/// Cancels a backtest; one that is over is forgotten.
#[utoipa::path(delete, path = "/api/backtests/{id}", tag = "backtests",
    params(("id" = String, Path)), responses((status = 204)))]
async fn cancel_backtest(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    cancel(&state, &scope, BACKTEST, id).await
}

/// A finished backtest as a page that needs nothing but itself.
#[utoipa::path(get, path = "/api/backtests/{id}/report", tag = "backtests",
    params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn backtest_report(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    report(&state, &scope, BACKTEST, id).await
}

/// Queues a sweep: a backtest's plan of one bot, and what varies.
#[utoipa::path(post, path = "/api/sweeps", tag = "sweeps",
    request_body = schema::SweepPlan,
    responses((status = 202, body = schema::StudyQueued)))]
async fn start_sweep(
    State(state): State<AppState>,
    scope: Scope,
    Body(plan): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    start(&state, &scope, SWEEP, plan).await
}

/// The account's sweeps that are kept, newest first, without their results.
#[utoipa::path(get, path = "/api/sweeps", tag = "sweeps",
    responses((status = 200, body = schema::StudyPage)))]
async fn sweeps(State(state): State<AppState>, scope: Scope) -> Result<Json<Value>, Problem> {
    list(&state, &scope, SWEEP).await
}

/// How a sweep stands; with its ranking once it is done. The last twenty studies are kept.
#[utoipa::path(get, path = "/api/sweeps/{id}", tag = "sweeps",
    params(("id" = String, Path)), responses((status = 200, body = schema::StudyState)))]
async fn sweep(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    show(&state, &scope, SWEEP, id).await
}

/// Cancels a sweep; one that is over is forgotten.
#[utoipa::path(delete, path = "/api/sweeps/{id}", tag = "sweeps",
    params(("id" = String, Path)), responses((status = 204)))]
async fn cancel_sweep(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    cancel(&state, &scope, SWEEP, id).await
}

/// A finished sweep as a page: ranking, walk forward, heat map.
#[utoipa::path(get, path = "/api/sweeps/{id}/report", tag = "sweeps",
    params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn sweep_report(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    report(&state, &scope, SWEEP, id).await
}
