//! The live gate: each condition with its figures. No route makes a bot live while one is missing.

use super::bots::find;
use crate::access::now;
use crate::auth::{Confirmed, Scope};
use crate::core::CoreError;
use crate::evidence::{Head, file};
use crate::extract::{BodyOr, Path};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::BotId;
use engine::view::LiveGate;
use engine::{Command, CommandError};
use serde::Deserialize;
use serde_json::json;
use storage::{PAGE_ROWS_MAX, Page, ReadPool};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(live_gate))
        .routes(routes!(promote))
        .routes(routes!(demote))
        .routes(routes!(evidence))
}

async fn judged(state: &AppState, scope: &Scope, id: u32) -> Result<LiveGate, Problem> {
    let account = scope.account;
    let gate = state.core.query(move |engine| engine.live_gate(account, BotId(id))).await?;
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
    judged(&state, &scope, id).await.map(Json)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PromoteBody {
    /// The bot's name, typed by the person who makes it trade real money.
    #[serde(default)]
    confirm: String,
}

/// Makes a paper bot live: refused by name while a condition is missing.
#[utoipa::path(post, path = "/api/bots/{id}/promote", tag = "safety", params(("id" = u32, Path)),
    request_body = Option<PromoteBody>, responses((status = 200, body = schema::LiveGate),
        (status = 409, body = schema::Problem, content_type = "application/problem+json")))]
async fn promote(
    State(state): State<AppState>,
    scope: Scope,
    confirmed: Confirmed,
    Path(id): Path<u32>,
    BodyOr(body): BodyOr<PromoteBody>,
) -> Result<Json<LiveGate>, Problem> {
    confirmed.check(&state).await?;
    let command = Command::Promote { bot: BotId(id), confirmation: body.confirm };
    let account = Some(scope.account);
    match state.core.command(account, scope.who.actor(), command).await {
        Ok(_) => judged(&state, &scope, id).await.map(Json),
        Err(CoreError::Refused(refused @ CommandError::GateClosed { .. })) => {
            let gate = judged(&state, &scope, id).await?;
            let CommandError::GateClosed { missing } = &refused else { unreachable!("matched") };
            let all = gate.verdict.conditions().iter();
            let missing: Vec<_> = all.filter(|c| missing.iter().any(|m| m == c.name)).collect();
            let problem = Problem::new(StatusCode::CONFLICT, "GATE_CLOSED", refused.to_string());
            Err(problem.with("missing", json!(missing)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes a live bot back: no entries from now on, and paper once it is flat.
#[utoipa::path(post, path = "/api/bots/{id}/demote", tag = "safety", params(("id" = u32, Path)),
    responses((status = 200, body = schema::LiveGate),
        (status = 409, body = schema::Problem, content_type = "application/problem+json")))]
async fn demote(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<LiveGate>, Problem> {
    let command = Command::Demote(BotId(id));
    state.core.command(Some(scope.account), scope.who.actor(), command).await?;
    judged(&state, &scope, id).await.map(Json)
}

/// Entries of one file: a gate that came and went more often than this has told enough.
const EVIDENCE_MAX: usize = 1_000;

/// What the live gate measured when the bot was made live and at each change since, as a file that
/// proves itself: `amarktai verify FILE`.
#[utoipa::path(get, path = "/api/bots/{id}/evidence", tag = "safety", params(("id" = u32, Path)),
    responses((status = 200, body = schema::EvidenceFile)))]
async fn evidence(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Response, Problem> {
    let bot = find(&state, &scope, BotId(id)).await?.record;
    let (account_id, bot_id) = (scope.account, bot.id);
    let read = move |reader: &ReadPool| {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: PAGE_ROWS_MAX, after };
            let found = reader.gate_audit(account_id, bot_id, &page)?;
            rows.extend(found.items);
            after = found.next;
            if after.is_none() || rows.len() >= EVIDENCE_MAX {
                return Ok((rows, after.is_some()));
            }
        }
    };
    let (mut rows, is_cut) = state.read(read).await?;
    rows.reverse();
    let head = Head { made_at: now(), account_id, bot_id, name: bot.config.name, is_cut };
    let text = file(&head, &rows).map_err(|problem| Problem::internal(&problem))?;
    let name = format!("attachment; filename=\"amarktai-evidence-{id}.json\"");
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text).into_response())
}
