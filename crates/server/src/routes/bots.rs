//! Bots: list, create, change, and one transition each.

use crate::auth::Scope;
use crate::auth::check_name;
use crate::extract::{Body, BodyOr, Page, PageQuery, Path, Query, page_of};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{
    Amount, BotId, Exits, RiskMode, Sizing, StopChoice, StrategyConfig, Symbol, Timeframe,
};
use engine::view::{BotView, HoldView};
use engine::{BotPatch, Command, NewBot, Reply};
use serde::Deserialize;
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bots that may be asked for by their ids at once: as many as a page has.
const CHOSEN_MAX: usize = 500;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, update))
        .routes(routes!(start))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(stop))
        .routes(routes!(retire))
        .routes(routes!(rearm))
        .routes(routes!(flatten))
        .routes(routes!(clone_bot))
        .routes(routes!(holds))
        .merge(super::bot_history::routes())
}

/// A new bot; what is left away takes its default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBot {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `binance`, `kucoin` or `luno`; another name is kept on hold.
    #[schema(max_length = 32)]
    pub(crate) exchange: String,
    #[schema(value_type = String, example = "BTC/USDT")]
    pub(crate) symbol: Symbol,
    #[schema(value_type = schema::Strategy)]
    pub(crate) strategy: StrategyConfig,
    #[serde(default)]
    #[schema(value_type = Option<schema::Timeframe>)]
    timeframe: Option<Timeframe>,
    #[serde(default)]
    #[schema(value_type = schema::RiskMode)]
    pub(crate) risk_mode: RiskMode,
    #[schema(value_type = schema::Decimal)]
    pub(crate) capital: Amount,
    #[serde(default)]
    #[schema(value_type = Option<schema::Sizing>)]
    sizing: Option<Sizing>,
    #[serde(default)]
    #[schema(value_type = Option<schema::Exits>)]
    pub(crate) exits: Option<Exits>,
    /// May the autopilot act on it?
    #[serde(default)]
    managed: bool,
    /// Start it at once.
    #[serde(default = "yes")]
    start: bool,
}

fn yes() -> bool {
    true
}

/// Changes; what is left away stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the documentation of `engine::BotPatch`, which is what is parsed
struct ChangeBot {
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    #[schema(value_type = Option<schema::Strategy>)]
    strategy: Option<StrategyConfig>,
    #[schema(value_type = Option<schema::Timeframe>)]
    timeframe: Option<Timeframe>,
    #[schema(value_type = Option<schema::RiskMode>)]
    risk_mode: Option<RiskMode>,
    #[schema(value_type = Option<schema::Sizing>)]
    sizing: Option<Sizing>,
    #[schema(value_type = Option<schema::Exits>)]
    exits: Option<Exits>,
    managed: Option<bool>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StopBody {
    /// What happens to its position; default `keep_guarding`.
    #[serde(default)]
    #[schema(value_type = Option<schema::StopChoice>)]
    positions: StopChoice,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloneBody {
    /// Of the new bot.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChosenQuery {
    /// These alone, with commas between, at most 500: `1,2,3`. Unknown ones are left out.
    ids: Option<String>,
}

impl ChosenQuery {
    /// In rising order, each once.
    fn ids(&self) -> Result<Option<Vec<BotId>>, Problem> {
        let Some(text) = &self.ids else { return Ok(None) };
        let ids = text.split(',').map(|id| id.trim().parse().map(BotId));
        let ids: Option<BTreeSet<BotId>> = ids.map(Result::ok).collect();
        let ids = ids.filter(|ids| ids.len() <= CHOSEN_MAX);
        let allowed = "ids: up to 500 numbers with commas between";
        let ids = ids.ok_or_else(|| Problem::bad_request("INVALID_QUERY", allowed))?;
        Ok(Some(ids.into_iter().collect()))
    }
}

/// The account's bots by id.
#[utoipa::path(get, path = "/api/bots", tag = "bots", params(PageQuery, ChosenQuery),
    responses((status = 200, body = schema::BotPage)))]
async fn list(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<PageQuery>,
    Query(chosen): Query<ChosenQuery>,
) -> Result<Json<Page<BotView>>, Problem> {
    let account = scope.account;
    let chosen = chosen.ids()?;
    let ask = move |engine: &engine::Engine| match chosen {
        // A page that shows forty of ten thousand bots asks for forty sentences.
        Some(ids) => ids.iter().filter_map(|id| engine.bot(Some(account), *id)).collect(),
        None => engine.bots(Some(account)),
    };
    let mut bots: Vec<BotView> = state.core.query(ask).await?;
    bots.sort_by_key(|bot| bot.record.id);
    page_of(bots, &query, |bot| u64::from(bot.record.id.0)).map(Json)
}

/// Creates a paper bot and, unless told otherwise, starts it.
#[utoipa::path(post, path = "/api/bots", tag = "bots", request_body = CreateBot,
    responses((status = 201, body = schema::Bot)))]
async fn create(
    State(state): State<AppState>,
    scope: Scope,
    Body(body): Body<CreateBot>,
) -> Result<(StatusCode, Json<BotView>), Problem> {
    check_name(&body.name)?;
    let bot = NewBot {
        name: body.name,
        exchange: body.exchange,
        symbol: body.symbol,
        strategy: body.strategy,
        timeframe: body.timeframe,
        risk_mode: body.risk_mode,
        capital: body.capital,
        sizing: body.sizing,
        exits: body.exits,
        managed: body.managed,
    };
    let command = Command::CreateBot { bot, start: body.start };
    created(&state, &scope, command).await
}

async fn created(
    state: &AppState,
    scope: &Scope,
    command: Command,
) -> Result<(StatusCode, Json<BotView>), Problem> {
    match state.core.command(Some(scope.account), scope.who.actor(), command).await? {
        Reply::Bot(id) => Ok((StatusCode::CREATED, Json(find(state, scope, id).await?))),
        other => Err(Problem::internal(&format!("creation answered {other:?}"))),
    }
}

pub(crate) async fn find(state: &AppState, scope: &Scope, id: BotId) -> Result<BotView, Problem> {
    let account = scope.account;
    let bot = state.core.query(move |engine| engine.bot(Some(account), id)).await?;
    bot.ok_or_else(|| Problem::not_found("bot"))
}

/// One bot.
#[utoipa::path(get, path = "/api/bots/{id}", tag = "bots", params(("id" = u32, Path)),
    responses((status = 200, body = schema::Bot)))]
async fn show(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<BotView>, Problem> {
    find(&state, &scope, BotId(id)).await.map(Json)
}

/// Changes a bot's settings.
#[utoipa::path(patch, path = "/api/bots/{id}", tag = "bots", params(("id" = u32, Path)),
    request_body = ChangeBot, responses((status = 200, body = schema::Bot)))]
async fn update(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Body(patch): Body<BotPatch>,
) -> Result<Json<BotView>, Problem> {
    if let Some(name) = &patch.name {
        check_name(name)?;
    }
    let bot = BotId(id);
    order(&state, &scope, bot, Command::UpdateBot { bot, patch }).await
}

/// Orders something of a bot and answers with the bot.
async fn order(
    state: &AppState,
    scope: &Scope,
    bot: BotId,
    command: Command,
) -> Result<Json<BotView>, Problem> {
    state.core.command(Some(scope.account), scope.who.actor(), command).await?;
    find(state, scope, bot).await.map(Json)
}

macro_rules! transition {
    ($(#[doc = $doc:literal] $name:ident $path:literal $command:ident),* $(,)?) => {$(
        #[doc = $doc]
        #[utoipa::path(post, path = $path, tag = "bots", params(("id" = u32, Path)),
            responses((status = 200, body = schema::Bot)))]
        async fn $name(
            State(state): State<AppState>,
            scope: Scope,
            Path(id): Path<u32>,
        ) -> Result<Json<BotView>, Problem> {
            order(&state, &scope, BotId(id), Command::$command(BotId(id))).await
        }
    )*};
}
transition! {
    /// Makes a stopped bot active.
    start "/api/bots/{id}/start" Start,
    /// Holds it: no entries until resumed.
    pause "/api/bots/{id}/pause" Pause,
    /// Releases the holds that a person may release.
    resume "/api/bots/{id}/resume" Resume,
    /// Archives it; it must be stopped and flat.
    retire "/api/bots/{id}/retire" Retire,
    /// Releases a risk stop; the equity peak starts anew.
    rearm "/api/bots/{id}/rearm" Rearm,
    /// Sells its position now.
    flatten "/api/bots/{id}/flatten" Flatten,
}

/// Ends it until started again.
#[utoipa::path(post, path = "/api/bots/{id}/stop", tag = "bots", params(("id" = u32, Path)),
    request_body = Option<StopBody>, responses((status = 200, body = schema::Bot)))]
async fn stop(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    BodyOr(body): BodyOr<StopBody>,
) -> Result<Json<BotView>, Problem> {
    let bot = BotId(id);
    order(&state, &scope, bot, Command::Stop { bot, positions: body.positions }).await
}

/// Creates another bot with the same settings.
#[utoipa::path(post, path = "/api/bots/{id}/clone", tag = "bots", params(("id" = u32, Path)),
    request_body = CloneBody, responses((status = 201, body = schema::Bot)))]
async fn clone_bot(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
    Body(body): Body<CloneBody>,
) -> Result<(StatusCode, Json<BotView>), Problem> {
    check_name(&body.name)?;
    created(&state, &scope, Command::Clone { bot: BotId(id), name: body.name }).await
}

/// Why it may not open positions, and what releases each hold.
#[utoipa::path(get, path = "/api/bots/{id}/holds", tag = "bots", params(("id" = u32, Path)),
    responses((status = 200, body = Vec<schema::HoldItem>)))]
async fn holds(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<Vec<HoldView>>, Problem> {
    find(&state, &scope, BotId(id)).await?;
    Ok(Json(state.core.query(move |engine| engine.holds(BotId(id))).await?))
}
