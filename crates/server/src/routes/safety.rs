//! What keeps money safe: policy, emergency stop, breakers, the bodyguard's verdicts, seasons.

use crate::auth::{Confirmed, Scope};
use crate::core::CoreError;
use crate::extract::{Body, BodyOr, Path, Query};
use crate::problem::Problem;
use crate::schema;
use crate::serve::Received;
use crate::state::{AppState, Pulled};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::{AccountId, Amount, BotId, Hold, Policy, RiskMode};
use engine::view::BotView;
use engine::{BreakerScope, Command, EmergencyRecord, Reply};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(policy, set_policy))
        .routes(routes!(emergency, pull, clear))
        .routes(routes!(close_breaker))
        .routes(routes!(new_season))
        .routes(routes!(bodyguard))
}

/// An account's or the whole fleet's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Reach {
    #[default]
    Account,
    Fleet,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ReachQuery {
    /// Default `account`; `fleet` is for admins.
    #[param(inline)]
    scope: Option<Reach>,
}

impl ReachQuery {
    /// The envelope's account; `None`: the fleet, which only admins may touch.
    fn target(&self, scope: &Scope) -> Result<Option<AccountId>, Problem> {
        match self.scope.unwrap_or_default() {
            Reach::Account => Ok(Some(scope.account)),
            Reach::Fleet => scope.who.require_admin().map(|()| None),
        }
    }
}

/// The policy in force.
#[utoipa::path(get, path = "/api/policy", tag = "safety", params(ReachQuery),
    responses((status = 200, body = schema::PolicyVersion)))]
async fn policy(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<ReachQuery>,
) -> Result<Json<Value>, Problem> {
    let account = match query.scope.unwrap_or_default() {
        Reach::Account => Some(scope.account),
        Reach::Fleet => None,
    };
    policy_of(&state, account).await
}

async fn policy_of(state: &AppState, account: Option<AccountId>) -> Result<Json<Value>, Problem> {
    let (version, policy) = state.core.query(move |engine| engine.policy(account)).await?;
    Ok(Json(json!({ "account_id": account, "version": version, "policy": policy })))
}

/// Replaces the policy; what is left away takes its default. An account's may only tighten the
/// fleet's.
#[utoipa::path(put, path = "/api/policy", tag = "safety", params(ReachQuery),
    request_body = schema::Policy, responses((status = 200, body = schema::PolicyVersion)))]
async fn set_policy(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<ReachQuery>,
    Body(policy): Body<Policy>,
) -> Result<Json<Value>, Problem> {
    let target = query.target(&scope)?;
    policy.validate().map_err(|e| engine::CommandError::PolicyInvalid {
        key: e.key.into(),
        value: e.value,
        allowed: e.allowed,
    })?;
    state.core.command(target, scope.who.actor(), Command::SetPolicy(Box::new(policy))).await?;
    policy_of(&state, target).await
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PullBody {
    /// Why; shown and kept.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Sell positions now rather than guard them.
    #[serde(default)]
    sell: bool,
}

/// The emergency stop's state.
#[utoipa::path(get, path = "/api/emergency-stop", tag = "safety", params(ReachQuery),
    responses((status = 200, body = schema::EmergencyStop)))]
async fn emergency(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<ReachQuery>,
) -> Result<Json<Value>, Problem> {
    let target = match query.scope.unwrap_or_default() {
        Reach::Account => Some(scope.account),
        Reach::Fleet => None,
    };
    emergency_of(&state, target).await.map(Json)
}

async fn emergency_of(state: &AppState, account_id: Option<AccountId>) -> Result<Value, Problem> {
    let found = state.core.query(move |engine| engine.emergency_stop(account_id)).await?;
    let never = EmergencyRecord {
        account_id,
        active: false,
        reason: None,
        by: None,
        since: None,
        at: crate::access::now(),
    };
    told(&found.unwrap_or(never), true)
}

/// The record, and whether the store holds it.
fn told(record: &EmergencyRecord, is_persisted: bool) -> Result<Value, Problem> {
    let mut json = serde_json::to_value(record).map_err(|e| Problem::internal(&e))?;
    json["persisted"] = is_persisted.into();
    Ok(json)
}

/// Pulls it: the latch acts at once, the answer comes when it is stored; where it cannot be, the
/// answer says so (`persisted` false) and the next start obeys what was kept beside the store.
#[utoipa::path(post, path = "/api/emergency-stop", tag = "safety", params(ReachQuery),
    request_body = Option<PullBody>, responses((status = 200, body = schema::EmergencyStop)))]
async fn pull(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<ReachQuery>,
    received: Option<Extension<Received>>,
    BodyOr(body): BodyOr<PullBody>,
) -> Result<Json<Value>, Problem> {
    let account_id = query.target(&scope)?;
    if let Some(emergency) = &state.emergency {
        emergency.latch(account_id, true);
    }
    if let Some(Extension(Received(at))) = received {
        metrics::histogram!("amarktai_emergency_latch_seconds").record(at.elapsed());
    }
    let reason = body.reason.unwrap_or_else(|| "no reason given".into());
    let reason: String = reason.chars().take(500).collect();
    let (sell, by) = (body.sell, scope.who.actor());
    let command = Command::EmergencyStop { reason: reason.clone(), sell };
    let pulled = Pulled { account_id, reason, sell, by: by.clone() };
    match state.core.command(account_id, by, command).await {
        // Its bots are still being told: who asks anew waits for them.
        Ok(Reply::EmergencyStop(record)) => told(&record, true).map(Json),
        Ok(_) => emergency_of(&state, account_id).await.map(Json),
        Err(refused @ CoreError::Refused(_)) => Err(refused.into()),
        Err(error) => not_persisted(&state, &pulled, &error),
    }
}

/// The latch is on and the store does not know: what must be said, and kept.
fn not_persisted(
    state: &AppState,
    pulled: &Pulled,
    error: &CoreError,
) -> Result<Json<Value>, Problem> {
    let detail = format!("stopped, not persisted: {error}");
    let kept = state.emergency.as_ref().map(|emergency| emergency.keep(pulled));
    let kept = match kept {
        Some(Ok(path)) => path.display().to_string(),
        Some(Err(e)) => return Err(unkept(&format!("{detail}; nor can it be kept: {e}"))),
        None => return Err(unkept(&detail)),
    };
    let now = crate::access::now();
    let record = EmergencyRecord {
        account_id: pulled.account_id,
        active: true,
        reason: Some(pulled.reason.clone()),
        by: Some(pulled.by.clone()),
        since: Some(now),
        at: now,
    };
    let mut json = told(&record, false)?;
    json["detail"] = format!("{detail}; the next start obeys {kept}").into();
    Ok(Json(json))
}

fn unkept(detail: &str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "STOPPED_NOT_PERSISTED", detail)
}

/// Clears it; bots stay paused until resumed.
#[utoipa::path(delete, path = "/api/emergency-stop", tag = "safety", params(ReachQuery),
    responses((status = 200, body = schema::EmergencyStop)))]
async fn clear(
    State(state): State<AppState>,
    scope: Scope,
    confirmed: Confirmed,
    Query(query): Query<ReachQuery>,
) -> Result<Json<Value>, Problem> {
    let target = query.target(&scope)?;
    confirmed.check(&state).await?;
    state.core.command(target, scope.who.actor(), Command::ClearEmergencyStop).await?;
    // After the commit: a latch that opens early would open for a stop that is still in force.
    if let Some(emergency) = &state.emergency {
        emergency.latch(target, false);
        emergency.forget(target);
    }
    emergency_of(&state, target).await.map(Json)
}

/// Closes a tripped circuit breaker: `account`, `fleet`, of real money `account_live`, `fleet_live`,
/// or `bot-7`.
#[utoipa::path(post, path = "/api/breakers/{scope}/close", tag = "safety",
    params(("scope" = String, Path, example = "account")),
    responses((status = 200, body = schema::Done)))]
async fn close_breaker(
    State(state): State<AppState>,
    scope: Scope,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (target, breaker) = match name.as_str() {
        "account" => (Some(scope.account), BreakerScope::Account),
        "account_live" => (Some(scope.account), BreakerScope::AccountLive),
        "fleet" | "fleet_live" => {
            scope.who.require_admin()?;
            let is_live = name == "fleet_live";
            (None, if is_live { BreakerScope::FleetLive } else { BreakerScope::Fleet })
        }
        name => {
            let id = name.strip_prefix("bot-").and_then(|id| id.parse().ok()).map(BotId);
            let id = id.ok_or_else(|| Problem::not_found("breaker"))?;
            (Some(scope.account), BreakerScope::Bot(id))
        }
    };
    state.core.command(target, scope.who.actor(), Command::CloseBreaker(breaker)).await?;
    Ok(Json(json!({ "done": true })))
}

/// A new season: positions closed, capital returned, history archived.
#[utoipa::path(post, path = "/api/season", tag = "safety",
    responses((status = 200, body = schema::Account)))]
async fn new_season(
    State(state): State<AppState>,
    scope: Scope,
) -> Result<Json<engine::AccountRecord>, Problem> {
    let account = scope.account;
    state.core.command(Some(account), scope.who.actor(), Command::NewSeason).await?;
    let record = state.core.query(move |engine| engine.account(account)).await?;
    record.map(Json).ok_or_else(|| Problem::not_found("account"))
}

/// What the bodyguard says of each bot.
#[utoipa::path(get, path = "/api/bodyguard", tag = "safety",
    responses((status = 200, body = schema::Bodyguard)))]
async fn bodyguard(State(state): State<AppState>, scope: Scope) -> Result<Json<Value>, Problem> {
    let account = scope.account;
    let ask = move |engine: &engine::Engine| {
        let policy = engine.policy(Some(account)).1;
        (engine.bots(Some(account)), policy, engine.breakers(account))
    };
    let (bots, policy, breakers) = state.core.query(ask).await?;
    let bots: Vec<Value> = bots.iter().map(|bot| guarded(bot, &policy)).collect();
    let enabled = state.config.flags.get("ENABLE_BODYGUARD").cloned().unwrap_or(Value::Null);
    Ok(Json(json!({
        "account_id": account,
        "enabled": enabled,
        "breakers": breakers,
        "bots": bots,
    })))
}

fn guarded(bot: &BotView, policy: &Policy) -> Value {
    let unguarded_since = bot.position.as_ref().and_then(|position| position.unguarded_since);
    let holds = bot.record.holds;
    let verdict = if holds.contains(Hold::RiskStop) {
        "stopped"
    } else if holds.contains(Hold::CircuitBreaker) {
        "breaker"
    } else if holds.contains(Hold::ExecutionThrottle) {
        "throttled"
    } else if holds.contains(Hold::Rogue) {
        "rogue"
    } else if unguarded_since.is_some() {
        "unguarded"
    } else if bot.drawdown_percent.is_none() {
        "unknown"
    } else {
        "ok"
    };
    json!({
        "bot_id": bot.record.id,
        "name": bot.record.config.name,
        "risk_mode": bot.record.config.risk_mode,
        "verdict": verdict,
        "drawdown_percent": bot.drawdown_percent,
        "maximum_percent": maximum(policy, bot.record.config.risk_mode),
        "rearms_today": bot.rearms_today,
        "rearms_per_day_max": policy.rearms_per_day_max,
        "executions_in_window": bot.executions_in_window,
        "executions_max": policy.execution_throttle(bot.record.config.strategy.kind),
        "holds": holds,
        "unguarded_since": unguarded_since,
    })
}

fn maximum(policy: &Policy, mode: RiskMode) -> Amount {
    policy.drawdown_max(mode).to_percent()
}
