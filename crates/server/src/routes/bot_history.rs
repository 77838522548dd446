//! What is known of one bot's past: trades, orders, fills, decisions, equity, and why it waits.

use super::bots::find;
use super::history::{fills_of, orders_of, trades_of};
use crate::auth::Scope;
use crate::extract::{PageQuery, Path, Query};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use domain::{BotId, FillRecord, Trade};
use engine::DecisionRecord;
use engine::view::EvaluationView;
use serde::Serialize;
use serde_json::{Value, json};
use storage::{FillFilter, OrderFilter, OrderRow, Paged, TradeFilter};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

/// Its equity now and at its peak; a series of points is not stored yet.
#[utoipa::path(get, path = "/api/bots/{id}/equity", tag = "bots", params(("id" = u32, Path)),
    responses((status = 200, body = schema::Equity)))]
async fn equity(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<Value>, Problem> {
    let bot = find(&state, &scope, BotId(id)).await?;
    Ok(Json(json!({
        "bot_id": bot.record.id,
        "points": [],
        "current": bot.equity,
        "peak": bot.equity_peak,
        "note": "no series of equity is stored yet",
    })))
}
