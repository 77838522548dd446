//! Backtests: queued by a POST, looked at by their id.

use crate::auth::Scope;
use crate::extract::{Body, Path};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(show)).routes(routes!(report))
}

/// Queues a backtest; `data` names files inside the folder `data` of the data directory.
#[utoipa::path(post, path = "/api/backtests", tag = "backtests",
    request_body = schema::BacktestPlan,
    responses((status = 202, body = schema::BacktestQueued)))]
async fn start(
    State(state): State<AppState>,
    scope: Scope,
    Body(plan): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let research = state.research.clone().ok_or_else(|| Problem::not_built("backtesting here"))?;
    let plan = Value::Object(plan);
    research
        .check(&plan)
        .map_err(|reason| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY", reason))?;
    let id = state.studies.start(scope.account, research, plan)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "state": "queued" }))))
}

/// How a backtest stands; with its result once it is done. Kept until the server ends.
#[utoipa::path(get, path = "/api/backtests/{id}", tag = "backtests",
    params(("id" = String, Path)), responses((status = 200, body = schema::BacktestState)))]
async fn show(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    state.studies.show(scope.account, &id).map(Json)
}

/// A finished backtest as a page that needs nothing but itself.
#[utoipa::path(get, path = "/api/backtests/{id}/report", tag = "backtests",
    params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn report(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let page = state.studies.page(scope.account, &id)?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}
