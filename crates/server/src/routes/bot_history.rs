//! What is known of one bot's past: trades, orders, fills, decisions, equity, and why it waits.

use super::bots::find;
use super::history::{fills_of, orders_of, trades_of};
use crate::auth::Scope;
use crate::curve;
use crate::extract::{PageQuery, Path, Query};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use domain::{BotId, FillRecord, Timestamp, Trade};
use engine::view::EvaluationView;
use engine::{DecisionRecord, EquityRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::{EQUITY_POINTS_MAX, FillFilter, OrderFilter, OrderRow, Paged, TradeFilter};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Points of a bot's equity that are given unasked: a week.
const POINTS: usize = 2_016;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(trades))
        .routes(routes!(orders))
        .routes(routes!(fills))
        .routes(routes!(decisions))
        .routes(routes!(equity))
}

/// A bot's closed round trips, newest first.
#[utoipa::path(get, path = "/api/bots/{id}/trades", tag = "bots",
    params(("id" = u32, Path), PageQuery), responses((status = 200, body = schema::TradePage)))]
async fn trades(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<Trade>>, Problem> {
    let bot_id = Some(find(&state, &scope, BotId(id)).await?.record.id);
    trades_of(&state, &scope, TradeFilter { bot_id, ..TradeFilter::default() }, page).await
}

/// A bot's orders, newest first.
#[utoipa::path(get, path = "/api/bots/{id}/orders", tag = "bots",
    params(("id" = u32, Path), PageQuery), responses((status = 200, body = schema::OrderPage)))]
async fn orders(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<OrderRow>>, Problem> {
    let bot_id = Some(find(&state, &scope, BotId(id)).await?.record.id);
    orders_of(&state, &scope, OrderFilter { bot_id, open: None }, page).await
}

/// A bot's executions, newest first.
#[utoipa::path(get, path = "/api/bots/{id}/fills", tag = "bots",
    params(("id" = u32, Path), PageQuery), responses((status = 200, body = schema::FillPage)))]
async fn fills(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<FillRecord>>, Problem> {
    let bot_id = Some(find(&state, &scope, BotId(id)).await?.record.id);
    fills_of(&state, &scope, FillFilter { bot_id, order_id: None }, page).await
}

#[derive(Serialize)]
struct Decisions {
    #[serde(flatten)]
    stored: Paged<DecisionRecord>,
    evaluations: Vec<EvaluationView>,
}

/// Why it sent its orders, newest first; `evaluations` are its last looks at the market, in memory.
#[utoipa::path(get, path = "/api/bots/{id}/decisions", tag = "bots",
    params(("id" = u32, Path), PageQuery), responses((status = 200, body = schema::BotDecisions)))]
async fn decisions(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Decisions>, Problem> {
    let bot = find(&state, &scope, BotId(id)).await?.record.id;
    let (account, page) = (scope.account, page.page()?);
    let stored = state.read(move |reader| reader.decisions(Some(account), bot, &page)).await?;
    let evaluations = state.core.query(move |engine| engine.evaluations(bot)).await?;
    Ok(Json(Decisions { stored, evaluations }))
}

/// A stretch of a series; without limits its newest points.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Stretch {
    /// From this time on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// The newest points of it, at most 10,000; default 2,016 (a week).
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u32>,
}

impl Stretch {
    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.map_or(POINTS, |limit| limit as usize);
        if (1..=EQUITY_POINTS_MAX).contains(&limit) {
            return Ok(limit);
        }
        let detail = format!("limit = {limit}: allowed is 1 to {EQUITY_POINTS_MAX}");
        Err(Problem::bad_request("INVALID_QUERY", detail).with("field", "limit"))
    }
}

/// Its equity now, at its peak, and every five minutes, oldest first, in the mode that it is in: its
/// paper and its live record are never one curve. `null`: not known. `flow` is capital given minus returned since the point before; `drawdown_percent` is how far it is below
/// its peak within the stretch, capital not counted.
#[utoipa::path(get, path = "/api/bots/{id}/equity", tag = "bots",
    params(("id" = u32, Path), Stretch), responses((status = 200, body = schema::Equity)))]
async fn equity(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Query(stretch): Query<Stretch>,
) -> Result<Json<Value>, Problem> {
    let limit = stretch.limit()?;
    let bot = find(&state, &scope, BotId(id)).await?;
    let (account, bot_id, mode) = (scope.account, bot.record.id, bot.record.mode);
    let points = state.read(move |reader| {
        reader.equity(Some(account), (bot_id, mode), stretch.from, stretch.to, limit)
    });
    let points = points.await?;
    let point = |(p, fall): (&EquityRecord, Option<f64>)| json!({ "at": p.at, "equity": p.equity, "flow": p.flow, "drawdown_percent": fall });
    let points: Vec<Value> = points.iter().zip(curve::falls(&points)).map(point).collect();
    Ok(Json(json!({
        "bot_id": bot_id,
        "mode": mode,
        "currency": bot.record.config.symbol.quote,
        "points": points,
        "current": bot.equity,
        "peak": bot.equity_peak,
    })))
}
