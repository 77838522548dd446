//! The live gate: each condition with its figures. No route makes a bot live while one is missing.

use crate::auth::Scope;
use crate::extract::{BodyOr, Path};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::BotId;
use engine::view::LiveGate;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live_gate)).routes(routes!(promote)).routes(routes!(demote))
}

/// A person's word that real money is meant.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirm {
    /// The bot's name, typed.
    #[schema(max_length = 64)]
    #[serde(default)]
    confirmation: String,
}

async fn judged(
    state: &AppState,
    scope: &Scope,
    id: u32,
    typed: String,
) -> Result<LiveGate, Problem> {
    let account = scope.account;
    let gate = state.core.query(move |engine| engine.live_gate(account, BotId(id), &typed)).await?;
    gate.ok_or_else(|| Problem::not_found("bot"))
}

/// Every condition for live, with figure, limit and whether it holds.
#[utoipa::path(get, path = "/api/bots/{id}/live-gate", tag = "safety",
    params(("id" = u32, Path)), responses((status = 200, body = schema::LiveGate)))]
async fn live_gate(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<LiveGate>, Problem> {
    judged(&state, &scope, id, String::new()).await.map(Json)
}

/// Asks for live with the bot's name typed as confirmation: refused by name while a condition is
/// missing. Live orders are not built yet.
#[utoipa::path(post, path = "/api/bots/{id}/promote", tag = "safety", params(("id" = u32, Path)),
    request_body = Option<Confirm>,
    responses((status = 409, body = schema::Problem, content_type = "application/problem+json")))]
async fn promote(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    BodyOr(Confirm { confirmation }): BodyOr<Confirm>,
) -> Result<Json<LiveGate>, Problem> {
    let gate = judged(&state, &scope, id, confirmation).await?;
    if gate.verdict.is_open() {
        return Err(Problem::not_built("live trading"));
    }
    let missing: Vec<_> =
        gate.verdict.conditions().iter().filter(|c| c.is_required && !c.pass).collect();
    let names: Vec<&str> = missing.iter().map(|c| c.name).collect();
    let detail = format!("the live gate is closed: {}", names.join(", "));
    Err(Problem::new(StatusCode::CONFLICT, "GATE_CLOSED", detail).with("missing", json!(missing)))
}

/// Takes a bot back to paper; a paper bot has nothing to be taken back from.
#[utoipa::path(post, path = "/api/bots/{id}/demote", tag = "safety", params(("id" = u32, Path)),
    responses((status = 409, body = schema::Problem, content_type = "application/problem+json")))]
async fn demote(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<LiveGate>, Problem> {
    judged(&state, &scope, id, String::new()).await?;
    let detail = "the bot is on paper; only a live bot can be demoted";
    Err(Problem::new(StatusCode::CONFLICT, "WRONG_STATE", detail))
}
