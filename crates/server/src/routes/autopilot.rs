//! The autopilot: what it did, and what it would do. No route makes it act.

use crate::auth::Scope;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use engine::{AutopilotPlan, AutopilotView};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(autopilot)).routes(routes!(autopilot_plan))
}

/// What the autopilot did, when it looks again, and what it would do now.
#[utoipa::path(get, path = "/api/autopilot", tag = "safety",
    responses((status = 200, body = schema::Autopilot)))]
async fn autopilot(
    State(state): State<AppState>,
    scope: Scope,
) -> Result<Json<AutopilotView>, Problem> {
    let account = scope.account;
    let view = state.core.query(move |engine| engine.autopilot(account)).await?;
    view.map(Json).ok_or_else(|| Problem::not_found("account"))
}

/// Lists what the autopilot would do now, each action with its figures and reason. It does nothing.
#[utoipa::path(post, path = "/api/autopilot/plan", tag = "safety",
    responses((status = 200, body = schema::AutopilotPlan)))]
async fn autopilot_plan(
    State(state): State<AppState>,
    scope: Scope,
) -> Result<Json<AutopilotPlan>, Problem> {
    let account = scope.account;
    let plan = state.core.query(move |engine| engine.autopilot_plan(account)).await?;
    plan.map(Json).ok_or_else(|| Problem::not_found("account"))
}
