//! Wallets, paper deposits and withdrawals, positions, the portfolio.

use crate::access::now;
use crate::auth::Scope;
use crate::curve;
use crate::effects::effects;
use crate::extract::{Body, Query};
use crate::performance::Performance;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Amount, Currency, Exchange, Mode, Span, Timestamp};
use engine::view::{PortfolioView, PositionView, WalletView};
use engine::{Command, WalletMove};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::TradeFilter;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(wallets))
        .routes(routes!(deposit))
        .routes(routes!(withdraw))
        .routes(routes!(positions))
        .routes(routes!(portfolio))
        .routes(routes!(portfolio_equity))
        .routes(routes!(performance))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    #[schema(value_type = schema::Exchange)]
    exchange: Exchange,
    #[schema(value_type = String, min_length = 1, max_length = 15, example = "USDT")]
    currency: Currency,
    /// Above zero.
    #[schema(value_type = schema::Decimal)]
    amount: Amount,
}

impl Move {
    fn check(self) -> Result<WalletMove, Problem> {
        let Self { exchange, currency, amount } = self;
        if amount.is_positive() {
            return Ok(WalletMove { exchange, currency, amount });
        }
        Err(Problem::invalid_field("amount", amount.to_string(), "a decimal number above 0"))
    }
}

/// The account's wallets: total = available + reserved.
#[utoipa::path(get, path = "/api/wallets", tag = "money",
    responses((status = 200, body = Vec<schema::Wallet>)))]
async fn wallets(
    State(state): State<AppState>,
    scope: Scope,
) -> Result<Json<Vec<WalletView>>, Problem> {
    Ok(Json(state.core.query(move |engine| engine.wallets(scope.account)).await?))
}

/// Paper money in; the answer is the account's wallets.
#[utoipa::path(post, path = "/api/wallets/deposits", tag = "money", request_body = Move,
    responses((status = 201, body = Vec<schema::Wallet>)))]
async fn deposit(
    State(state): State<AppState>,
    scope: Scope,
    Body(body): Body<Move>,
) -> Result<(StatusCode, Json<Vec<WalletView>>), Problem> {
    moved(state, scope, Command::Deposit(body.check()?)).await
}

/// Paper money out, as far as no bot has it; the answer is the account's wallets.
#[utoipa::path(post, path = "/api/wallets/withdrawals", tag = "money", request_body = Move,
    responses((status = 201, body = Vec<schema::Wallet>)))]
async fn withdraw(
    State(state): State<AppState>,
    scope: Scope,
    Body(body): Body<Move>,
) -> Result<(StatusCode, Json<Vec<WalletView>>), Problem> {
    moved(state, scope, Command::Withdraw(body.check()?)).await
}

async fn moved(
    state: AppState,
    scope: Scope,
    command: Command,
) -> Result<(StatusCode, Json<Vec<WalletView>>), Problem> {
    state.core.command(Some(scope.account), scope.who.actor(), command).await?;
    let wallets = state.core.query(move |engine| engine.wallets(scope.account)).await?;
    Ok((StatusCode::CREATED, Json(wallets)))
}

/// Open positions, marked at the bid.
#[utoipa::path(get, path = "/api/positions", tag = "money",
    responses((status = 200, body = Vec<schema::Position>)))]
async fn positions(
    State(state): State<AppState>,
    scope: Scope,
) -> Result<Json<Vec<PositionView>>, Problem> {
    Ok(Json(state.core.query(move |engine| engine.positions(scope.account)).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ModeQuery {
    /// Paper (default) or live; never added up.
    #[param(value_type = Option<schema::Mode>)]
    mode: Option<Mode>,
}

impl ModeQuery {
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Paper)
    }
}

/// Equity and profit of a mode per currency and in the reporting currency; what is not known is
/// `null` and named. Live counts what our books know to be at the exchanges.
#[utoipa::path(get, path = "/api/portfolio", tag = "money", params(ModeQuery),
    responses((status = 200, body = schema::Portfolio)))]
async fn portfolio(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<ModeQuery>,
) -> Result<Json<PortfolioView>, Problem> {
    let mode = query.mode();
    let portfolio = state.core.query(move |engine| engine.portfolio(scope.account, mode)).await?;
    portfolio.map(Json).ok_or_else(|| Problem::not_found("account"))
}

/// Points of all bots that one answer is made of.
const CURVE_POINTS_MAX: usize = 50_000;
/// The stretch of the curve, where there are not too many bots for it.
const CURVE_SPAN: Span = Span::from_secs(7 * 86_400);

/// What a mode's bots of each currency are worth together, every five minutes of the last week, and how
/// far that is below its peak. `null`: of one of them it is not known. `is_complete` is false where
/// there are so many bots that the stretch is shorter. `effects` tells
/// apart, in the reporting currency, what trading made and what the rate of the currency made;
/// `null`: its rate is not known.
#[utoipa::path(get, path = "/api/portfolio/equity", tag = "money", params(ModeQuery),
    responses((status = 200, body = schema::PortfolioEquity)))]
async fn portfolio_equity(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<ModeQuery>,
) -> Result<Json<Value>, Problem> {
    let (account, mode) = (scope.account, query.mode());
    let ids = move |engine: &engine::Engine| -> Vec<domain::BotId> {
        engine.bots(Some(account)).iter().map(|bot| bot.record.id).collect()
    };
    let _turn = state.heavy.acquire().await.map_err(|e| Problem::internal(&e))?;
    let bots = state.core.query(ids).await?;
    let each = (CURVE_POINTS_MAX / bots.len().max(1)).max(2);
    let stretch = CURVE_SPAN.0.min(curve::STRIDE.0.saturating_mul(each as i64));
    let from = now() - Span(stretch);
    let records = state.read(move |reader| {
        let mut records = Vec::new();
        for bot in bots {
            // Twice: points of flows come between those of the clock.
            let own = reader.equity(Some(account), (bot, mode), Some(from), None, 2 * each)?;
            records.extend(own);
        }
        Ok(records)
    });
    let curves = curve::curves(&records.await?);
    let reporting = state.core.query(move |engine| engine.portfolio(account, mode)).await?;
    let reporting = reporting.ok_or_else(|| Problem::not_found("account"))?.reporting_currency;
    let told = state.read(move |reader| {
        let mut told = Vec::new();
        for curve in curves {
            let rates = match curve.currency == reporting {
                true => vec![(Timestamp::EPOCH, Amount::from_int(1))],
                false => reader.rates_since(curve.currency, reporting, from)?,
            };
            let effects = effects(&curve.points, &rates);
            told.push(json!({
                "currency": curve.currency, "points": curve.points, "effects": effects,
            }));
        }
        Ok(told)
    });
    Ok(Json(json!({
        "account_id": account,
        "mode": mode,
        "reporting_currency": reporting,
        "currencies": told.await?,
        "is_complete": stretch == CURVE_SPAN.0,
    })))
}

/// Time back from now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Period {
    Day,
    Week,
    Month,
    #[default]
    All,
}

impl Period {
    fn from(self, now: Timestamp) -> Option<Timestamp> {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::All => return None,
        };
        Some(now - Span::from_secs(days * 86_400))
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PerformanceQuery {
    /// The last 24 h, 7 or 30 days, or everything (default).
    #[param(inline)]
    period: Option<Period>,
    /// Paper (default) or live; never added up.
    #[param(value_type = Option<schema::Mode>)]
    mode: Option<Mode>,
}

/// Statistics of closed trades and of daily returns per currency, bot and exchange; undefined is
/// `null` and named.
#[utoipa::path(get, path = "/api/performance", tag = "money", params(PerformanceQuery),
    responses((status = 200, body = schema::Performance)))]
async fn performance(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<PerformanceQuery>,
) -> Result<Json<Value>, Problem> {
    let (account, to) = (scope.account, now());
    let (period, mode) = (query.period.unwrap_or_default(), query.mode.unwrap_or(Mode::Paper));
    let from = period.from(to);
    let filter =
        TradeFilter { from, is_paper: Some(mode == Mode::Paper), ..TradeFilter::default() };
    let _turn = state.heavy.acquire().await.map_err(|e| Problem::internal(&e))?;
    // Returns are of whole UTC days; the first begins at the close of the day before.
    let days_from = from.map(|from| from.day() - Timestamp::DAY);
    let bots = state.core.query(move |engine| engine.bots_ever(account)).await?;
    let figures = state.read(move |reader| {
        let trades = reader.trade_profits(Some(account), &filter)?;
        let days = reader.equity_days(account, mode, days_from)?;
        Ok(Performance::of(&trades, &days, bots))
    });
    let mut json = serde_json::to_value(figures.await?).map_err(|e| Problem::internal(&e))?;
    json["account_id"] = json!(account);
    json["period"] = json!(period);
    json["mode"] = json!(mode);
    json["from"] = json!(from);
    json["to"] = json!(to);
    Ok(Json(json))
}
