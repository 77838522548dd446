//! Markets as the core sees them, and the strategies' parameters.

use crate::auth::Principal;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use crate::watch::{Watch, WatchError};
use axum::Json;
use axum::extract::State;
use domain::{Exchange, Symbol, Timeframe};
use engine::Engine;
use engine::view::{BarView, BookView, MarketView};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Deepest book shown; the core keeps not much more.
const DEPTH_MAX: usize = 100;
/// Most bars of one answer.
const BARS_MAX: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(markets))
        .routes(routes!(market))
        .routes(routes!(book))
        .routes(routes!(bars))
        .routes(routes!(strategies))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DepthQuery {
    /// Levels a side; default 20.
    #[param(minimum = 1, maximum = 100)]
    depth: Option<usize>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BarsQuery {
    /// Length of a bar; default 1m.
    #[param(value_type = Option<schema::Timeframe>)]
    timeframe: Option<Timeframe>,
    /// The latest so many; default 200.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Instrument of a path: unknown names are not found, not malformed.
fn instrument(exchange: &str, pair: &str) -> Result<(Exchange, Symbol), Problem> {
    let found = Exchange::parse(exchange).and_then(|exchange| {
        let (base, quote) = pair.split_once('-')?;
        let symbol = Symbol { base: base.parse().ok()?, quote: quote.parse().ok()? };
        Some((exchange, symbol))
    });
    found.ok_or_else(|| Problem::not_found("market"))
}

fn within(name: &str, value: Option<usize>, or: usize, max: usize) -> Result<usize, Problem> {
    let value = value.unwrap_or(or);
    if (1..=max).contains(&value) {
        return Ok(value);
    }
    let detail = format!("{name} = {value}: allowed is 1 to {max}");
    Err(Problem::bad_request("INVALID_QUERY", detail).with("field", name))
}

/// From the core, if it knows the market, else from who watches those that no bot trades.
pub(crate) async fn seen<T: Send + 'static>(
    state: &AppState,
    ask: impl Fn(&Engine) -> Option<T> + Clone + Send + 'static,
    watch: impl for<'w> Fn(&'w dyn Watch) -> BoxFuture<'w, Result<T, WatchError>>,
) -> Result<T, Problem> {
    let known = state.core.query(ask.clone()).await?;
    let (None, Some(watcher)) = (&known, &state.watch) else {
        return known.ok_or_else(|| Problem::not_found("market"));
    };
    match watch(watcher.as_ref()).await {
        // A bot came meanwhile.
        Err(WatchError::Taken) => {
            state.core.query(ask).await?.ok_or_else(|| Problem::not_found("market"))
        }
        found => Ok(found?),
    }
}

/// All instruments that the core knows, with quote, age and grade.
#[utoipa::path(get, path = "/api/markets", tag = "markets",
    responses((status = 200, body = Vec<schema::Market>)))]
async fn markets(State(state): State<AppState>) -> Result<Json<Vec<MarketView>>, Problem> {
    Ok(Json(state.core.query(|engine| engine.markets()).await?))
}

/// One instrument, subscribed while somebody asks; the pair is written `BTC-USDT`.
#[utoipa::path(get, path = "/api/markets/{exchange}/{pair}", tag = "markets",
    params(("exchange" = String, Path), ("pair" = String, Path, example = "BTC-USDT")),
    responses((status = 200, body = schema::Market)))]
async fn market(
    State(state): State<AppState>,
    Path((exchange, pair)): Path<(String, String)>,
) -> Result<Json<MarketView>, Problem> {
    let (exchange, symbol) = instrument(&exchange, &pair)?;
    let ask = move |engine: &Engine| engine.market(exchange, symbol);
    seen(&state, ask, |watch| watch.market(exchange, symbol)).await.map(Json)
}

/// Its order book.
#[utoipa::path(get, path = "/api/markets/{exchange}/{pair}/book", tag = "markets",
    params(("exchange" = String, Path), ("pair" = String, Path, example = "BTC-USDT"), DepthQuery),
    responses((status = 200, body = schema::OrderBook)))]
async fn book(
    State(state): State<AppState>,
    Path((exchange, pair)): Path<(String, String)>,
    Query(query): Query<DepthQuery>,
) -> Result<Json<BookView>, Problem> {
    let (exchange, symbol) = instrument(&exchange, &pair)?;
    let depth = within("depth", query.depth, 20, DEPTH_MAX)?;
    let ask = move |engine: &Engine| engine.book(exchange, symbol, depth);
    seen(&state, ask, |watch| watch.book(exchange, symbol, depth)).await.map(Json)
}

/// Its closed bars, oldest first.
#[utoipa::path(get, path = "/api/markets/{exchange}/{pair}/bars", tag = "markets",
    params(("exchange" = String, Path), ("pair" = String, Path, example = "BTC-USDT"), BarsQuery),
    responses((status = 200, body = Vec<schema::Bar>)))]
async fn bars(
    State(state): State<AppState>,
    Path((exchange, pair)): Path<(String, String)>,
    Query(query): Query<BarsQuery>,
) -> Result<Json<Vec<BarView>>, Problem> {
    let (exchange, symbol) = instrument(&exchange, &pair)?;
    let limit = within("limit", query.limit, 200, BARS_MAX)?;
    let timeframe = query.timeframe.unwrap_or(Timeframe::M1);
    let ask = move |engine: &Engine| engine.bars(exchange, symbol, timeframe, limit);
    seen(&state, ask, |watch| watch.bars(exchange, symbol, timeframe, limit)).await.map(Json)
}

/// Kinds of strategies with their parameters: type, range, default, description.
#[utoipa::path(get, path = "/api/strategies", tag = "markets",
    responses((status = 200, body = Vec<schema::StrategySchema>)))]
async fn strategies(State(state): State<AppState>, _who: Principal) -> Json<serde_json::Value> {
    Json(state.strategies.as_ref().clone())
}
