//! Health as the supervisor reports it, and who may see how much of it.

use crate::auth::{Local, MaybePrincipal};
use crate::operator::DiskForecast;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How well something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Healthy,
    /// Works, with less than it should have.
    #[default]
    Degraded,
    /// Does not do its work.
    Unhealthy,
}

/// One checked part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// How well.
    pub status: Status,
    /// In words: figures, or why it is not healthy.
    pub detail: String,
}

impl Part {
    /// A part that was not looked at yet.
    pub fn unknown() -> Self {
        Self { status: Status::Degraded, detail: "not checked yet".into() }
    }
}

/// One feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // the words of a market
pub struct FeedCheck {
    pub exchange: String,
    pub symbol: String,
    pub state: String,
    pub reason: Option<String>,
    pub grade: String,
    pub age_ms: Option<i64>,
}

/// How much of an exchange's request limit is in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateUse {
    /// Whose limit.
    pub exchange: String,
    /// Weight of requests in the current window.
    pub used: u32,
    /// What we allow ourselves of it.
    pub limit: u32,
    /// How long a window is.
    pub window_s: u32,
    /// Answers "too many requests" since the start.
    pub refused: u64,
    /// Why nothing is sent any more.
    pub blocked: Option<String>,
}

/// What the supervisor saw last; published whole.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthReport {
    /// Store, engine, disk, clock, … by name.
    pub parts: BTreeMap<String, Part>,
    /// All subscribed feeds.
    pub feeds: Vec<FeedCheck>,
    /// May traffic be sent here?
    pub is_ready: bool,
    /// Delay of the core behind its inputs.
    pub lag_ms: Option<i64>,
    /// When the store committed last.
    pub last_commit_at: Option<Timestamp>,
    /// When the disk will be full.
    pub disk: Option<DiskForecast>,
    /// When it was looked at; `None`: it does not age.
    pub looked_at: Option<Instant>,
    /// Request limits of the exchanges.
    pub rates: Vec<RateUse>,
    /// Does any bot of the fleet trade real money?
    pub is_live: bool,
}

/// Who looks does so every second or two; what is older than this is no news of now.
const AGE_MAX: Duration = Duration::from_secs(5);

impl Default for HealthReport {
    fn default() -> Self {
        let parts = ["store", "engine", "disk", "clock"].map(|p| (p.to_owned(), Part::unknown()));
        Self {
            parts: parts.into(),
            feeds: Vec::new(),
            is_ready: false,
            lag_ms: None,
            last_commit_at: None,
            disk: None,
            looked_at: None,
            rates: Vec::new(),
            is_live: false,
        }
    }
}

impl HealthReport {
    /// The worst of the parts; a feed that is not fresh degrades and never more: exchanges fail.
    pub fn status(&self) -> Status {
        let worst = self.parts.values().map(|p| p.status).max().unwrap_or_default();
        let is_feed_missing = self.feeds.iter().any(|f| f.state != "fresh");
        if is_feed_missing { worst.max(Status::Degraded) } else { worst }
    }

    /// As it is now: who looked may have stopped looking, and then nothing of it is known.
    fn now(&self) -> Self {
        let mut now = self.clone();
        let age = self.looked_at.map(|at| at.elapsed()).filter(|age| *age > AGE_MAX);
        if let Some(age) = age {
            let detail = format!("nobody has looked for {} s", age.as_secs());
            let part = Part { status: Status::Unhealthy, detail };
            now.parts.insert("supervision".to_owned(), part);
            now.is_ready = false;
        }
        now
    }

    fn to_json(&self, state: &AppState) -> Value {
        let mut checks = json!(self.parts);
        checks["feeds"] = json!(self.feeds);
        json!({
            "status": self.status(),
            "version": state.config.version,
            "uptime_s": state.started.elapsed().as_secs(),
            "mode": state.config.mode(self.is_live),
            "checks": checks,
            "flags": state.config.flags,
        })
    }
}

/// Routes outside and inside `/api`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(api_health))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
}

fn report(state: &AppState, who: &MaybePrincipal, local: Local) -> Response {
    let report = state.health.load().now();
    let status = report.status();
    // Degraded is 200: it works, and a load balancer must not take it out.
    let http = match status {
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Status::Healthy | Status::Degraded => StatusCode::OK,
    };
    let is_known = who.0.is_some() || local.0;
    let body = if is_known { report.to_json(state) } else { json!({ "status": status }) };
    (http, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// How the product is; strangers see the status word alone.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = schema::Health), (status = 503, body = schema::Health)))]
async fn health(State(state): State<AppState>, who: MaybePrincipal, local: Local) -> Response {
    report(&state, &who, local)
}

/// How the product is; strangers see the status word alone.
#[utoipa::path(get, path = "/api/health", tag = "health",
    responses((status = 200, body = schema::Health), (status = 503, body = schema::Health)))]
async fn api_health(State(state): State<AppState>, who: MaybePrincipal, local: Local) -> Response {
    report(&state, &who, local)
}

/// The process answers.
#[utoipa::path(get, path = "/api/health/live", tag = "health",
    responses((status = 200, body = schema::Health)))]
async fn live() -> Json<Value> {
    Json(json!({ "status": Status::Healthy }))
}

/// Ready for work; 503 while it is not.
#[utoipa::path(get, path = "/api/health/ready", tag = "health",
    responses((status = 200, body = schema::Health)))]
async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let report = state.health.load().now();
    if report.is_ready {
        return Ok(Json(json!({ "status": report.status() })));
    }
    let detail = "still starting, or a part that it cannot do without has failed";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", detail))
}

/// Prometheus text, for a token or from the machine itself.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("token" = [])),
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(
    State(state): State<AppState>,
    who: MaybePrincipal,
    local: Local,
) -> Result<Response, Problem> {
    if who.0.is_none() && !local.0 {
        return Err(crate::auth::unauthenticated());
    }
    let text = state.metrics.as_ref().map(|handle| handle.render()).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_nobody_renews_is_no_health_of_now() {
        let fine = || HealthReport { is_ready: true, parts: BTreeMap::new(), ..Default::default() };
        let long_ago = Instant::now().checked_sub(AGE_MAX + Duration::from_secs(1)).unwrap();
        let table = [(None, true), (Some(Instant::now()), true), (Some(long_ago), false)];
        for (looked_at, is_ready) in table {
            let now = HealthReport { looked_at, ..fine() }.now();
            assert_eq!(now.is_ready, is_ready);
            assert_eq!(now.status() == Status::Unhealthy, !is_ready);
        }
    }
}
