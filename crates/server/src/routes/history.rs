//! What is stored: orders, fills, trades, the ledger, refusals.

use crate::auth::Scope;
use crate::csv;
use crate::extract::{PageQuery, Path, Query};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{Amount, BotId, Currency, Exchange, FillRecord, OrderId, Timestamp, Trade, TradeId};
use engine::{Command, RefusalRecord};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use storage::{
    FillFilter, LedgerVerified, OrderFilter, OrderRow, Page, Paged, PostingFilter, PostingRow,
    RefusalFilter, TradeExplained, TradeFilter,
};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(orders))
        .routes(routes!(cancel))
        .routes(routes!(fills))
        .routes(routes!(trades))
        .routes(routes!(trades_csv))
        .routes(routes!(trade))
        .routes(routes!(explain))
        .routes(routes!(ledger))
        .routes(routes!(verify))
        .routes(routes!(refusals))
}

/// Only of this bot; of the whole account without.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BotQuery {
    /// Of this bot alone.
    bot_id: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrderQuery {
    /// Of this bot alone.
    bot_id: Option<u32>,
    /// Not final yet, or final.
    open: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FillQuery {
    /// Of this bot alone.
    bot_id: Option<u32>,
    /// Of this order alone.
    order_id: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TradeQuery {
    /// Of this bot alone.
    bot_id: Option<u32>,
    /// On this exchange alone.
    #[param(value_type = Option<schema::Exchange>)]
    exchange: Option<Exchange>,
    /// Simulated or real ones alone.
    is_paper: Option<bool>,
    /// Closed then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Closed before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

impl TradeQuery {
    fn filter(&self) -> TradeFilter {
        TradeFilter {
            bot_id: self.bot_id.map(BotId),
            exchange: self.exchange,
            is_paper: self.is_paper,
            season: None,
            from: self.from,
            to: self.to,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LedgerQuery {
    /// Of this bot alone.
    bot_id: Option<u32>,
    /// On this exchange alone.
    #[param(value_type = Option<schema::Exchange>)]
    exchange: Option<Exchange>,
    /// In this currency alone.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// With `balance`: what stood in the posting's place after it. It adds up everything before.
    balance: Option<bool>,
}

/// A posting, and the balance where it was asked for.
#[derive(Serialize)]
struct Posted {
    #[serde(flatten)]
    posting: PostingRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<Amount>,
}

impl PageQuery {
    /// As the store takes it.
    pub(crate) fn page(self) -> Result<Page, Problem> {
        let limit = self.limit()? as usize;
        Ok(Page { limit, after: self.after.filter(|cursor| !cursor.is_empty()) })
    }
}

/// Orders in their latest state, newest first.
#[utoipa::path(get, path = "/api/orders", tag = "history", params(OrderQuery, PageQuery),
    responses((status = 200, body = schema::OrderPage)))]
async fn orders(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<OrderQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<OrderRow>>, Problem> {
    let filter = OrderFilter { bot_id: query.bot_id.map(BotId), open: query.open };
    orders_of(&state, &scope, filter, page).await
}

pub(crate) async fn orders_of(
    state: &AppState,
    scope: &Scope,
    filter: OrderFilter,
    page: PageQuery,
) -> Result<Json<Paged<OrderRow>>, Problem> {
    let (account, page) = (scope.account, page.page()?);
    state.read(move |reader| reader.orders(Some(account), &filter, &page)).await.map(Json)
}

/// Cancels an open order; the answer is the order as it is stored then.
#[utoipa::path(delete, path = "/api/orders/{id}", tag = "history", params(("id" = u64, Path)),
    responses((status = 200, body = schema::Order)))]
async fn cancel(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u64>,
) -> Result<Json<OrderRow>, Problem> {
    let id = OrderId::from(id);
    let command = Command::CancelOrder(id);
    state.core.command(Some(scope.account), scope.who.actor(), command).await?;
    let order = state.read(move |reader| reader.order(Some(scope.account), id)).await?;
    order.map(Json).ok_or_else(|| Problem::not_found("order"))
}

/// Executions, newest first.
#[utoipa::path(get, path = "/api/fills", tag = "history", params(FillQuery, PageQuery),
    responses((status = 200, body = schema::FillPage)))]
async fn fills(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<FillQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<FillRecord>>, Problem> {
    let order_id = query.order_id.map(OrderId::from);
    let filter = FillFilter { bot_id: query.bot_id.map(BotId), order_id };
    fills_of(&state, &scope, filter, page).await
}

pub(crate) async fn fills_of(
    state: &AppState,
    scope: &Scope,
    filter: FillFilter,
    page: PageQuery,
) -> Result<Json<Paged<FillRecord>>, Problem> {
    let (account, page) = (scope.account, page.page()?);
    state.read(move |reader| reader.fills(Some(account), &filter, &page)).await.map(Json)
}

/// Closed round trips, newest first.
#[utoipa::path(get, path = "/api/trades", tag = "history", params(TradeQuery, PageQuery),
    responses((status = 200, body = schema::TradePage)))]
async fn trades(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<TradeQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<Trade>>, Problem> {
    trades_of(&state, &scope, query.filter(), page).await
}

pub(crate) async fn trades_of(
    state: &AppState,
    scope: &Scope,
    filter: TradeFilter,
    page: PageQuery,
) -> Result<Json<Paged<Trade>>, Problem> {
    let (account, page) = (scope.account, page.page()?);
    state.read(move |reader| reader.trades(Some(account), &filter, &page)).await.map(Json)
}

/// All closed round trips as CSV, newest first.
#[utoipa::path(get, path = "/api/trades.csv", tag = "history", params(TradeQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn trades_csv(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<TradeQuery>,
) -> Result<Response, Problem> {
    let filter = query.filter();
    let first = csv_page(&state, &scope, filter.clone(), None).await?;
    // Page by page, as the client takes it: never the whole history in memory.
    let rest = stream::try_unfold((state, scope, filter, first.next), |at| async move {
        let (state, scope, filter, next) = at;
        let Some(after) = next else { return Ok(None) };
        let page = csv_page(&state, &scope, filter.clone(), Some(after)).await;
        let page = page.map_err(|problem| std::io::Error::other(problem.detail))?;
        Ok::<_, std::io::Error>(Some((page.text, (state, scope, filter, page.next))))
    });
    let head =
        stream::once(
            async move { Ok(format!("{}{}", csv::header(csv::TRADE_COLUMNS), first.text)) },
        );
    let body = Body::from_stream(futures_util::StreamExt::chain(head, rest));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"trades.csv\""),
    ];
    Ok((headers, body).into_response())
}

struct CsvPage {
    text: String,
    next: Option<String>,
}

async fn csv_page(
    state: &AppState,
    scope: &Scope,
    filter: TradeFilter,
    after: Option<String>,
) -> Result<CsvPage, Problem> {
    let (account, page) = (scope.account, Page { limit: storage::PAGE_ROWS_MAX, after });
    let page = state.read(move |reader| reader.trades(Some(account), &filter, &page)).await?;
    Ok(CsvPage { text: page.items.iter().map(csv::row).collect(), next: page.next })
}

/// One closed round trip.
#[utoipa::path(get, path = "/api/trades/{id}", tag = "history", params(("id" = u64, Path)),
    responses((status = 200, body = schema::Trade)))]
async fn trade(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u64>,
) -> Result<Json<Trade>, Problem> {
    let id = TradeId::from(id);
    let trade = state.read(move |reader| reader.trade(Some(scope.account), id)).await?;
    trade.map(Json).ok_or_else(|| Problem::not_found("trade"))
}

/// Why it was made: the orders, their decisions, the fills, and what was refused meanwhile.
#[utoipa::path(get, path = "/api/trades/{id}/explain", tag = "history", params(("id" = u64, Path)),
    responses((status = 200, body = schema::Explanation)))]
async fn explain(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u64>,
) -> Result<Json<TradeExplained>, Problem> {
    let id = TradeId::from(id);
    let found = state.read(move |reader| reader.explain(Some(scope.account), id)).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("trade"))
}

/// Postings of the double-entry ledger, newest first; debit positive.
#[utoipa::path(get, path = "/api/ledger", tag = "history", params(LedgerQuery, PageQuery),
    responses((status = 200, body = schema::PostingPage)))]
async fn ledger(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<LedgerQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<Posted>>, Problem> {
    let filter = PostingFilter {
        bot_id: query.bot_id.map(BotId),
        mode: None,
        exchange: query.exchange,
        currency: query.currency,
    };
    let page = page.page()?;
    let (account, is_summed) = (scope.account, query.balance == Some(true));
    // One at a time, as it may read everything.
    let _turn = match is_summed {
        true => Some(state.heavy.acquire().await.map_err(|e| Problem::internal(&e))?),
        false => None,
    };
    let read = state.read(move |reader| {
        let Paged { items, next } = reader.postings(Some(account), &filter, &page)?;
        let sums = if is_summed { reader.balances(account, &items)? } else { Vec::new() };
        let sums = sums.into_iter().map(Some).chain(std::iter::repeat(None));
        let posted = |(posting, balance)| Posted { posting, balance };
        Ok(Paged { items: items.into_iter().zip(sums).map(posted).collect(), next })
    });
    read.await.map(Json)
}

/// Adds the books up: debits equal credits, realised profit equals the trades.
#[utoipa::path(get, path = "/api/ledger/verify", tag = "history",
    responses((status = 200, body = schema::LedgerVerdict)))]
async fn verify(
    State(state): State<AppState>,
    scope: Scope,
) -> Result<Json<LedgerVerified>, Problem> {
    // It reads everything: one at a time, so that it takes one connection of the pool at most.
    let _turn = state.heavy.acquire().await.map_err(|e| Problem::internal(&e))?;
    state.read(move |reader| reader.ledger_verify(Some(scope.account))).await.map(Json)
}

/// Why orders were not sent, the latest first; equal consecutive ones are one row.
#[utoipa::path(get, path = "/api/refusals", tag = "history", params(BotQuery, PageQuery),
    responses((status = 200, body = schema::RefusalPage)))]
async fn refusals(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<BotQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Paged<RefusalRecord>>, Problem> {
    let filter = RefusalFilter { bot_id: query.bot_id.map(BotId) };
    let page = page.page()?;
    let read = state.read(move |reader| reader.refusals(Some(scope.account), &filter, &page));
    read.await.map(Json)
}
