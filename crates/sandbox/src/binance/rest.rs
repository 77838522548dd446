//! Binance's public REST side, with its weights and its error codes.

use super::{feed, frames, info};
use crate::budget::{Budget, Standing, Windows};
use crate::core::Core;
use crate::http::{self, Spoiled};
use crate::model::bars::Bar;
use crate::model::market::{Market, Print};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use domain::{Exchange, Side};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Weight a minute.
const WEIGHT_MAX: u64 = 6_000;
/// Somebody who goes on after this many refusals in a minute is banned (418).
const PATIENCE: u64 = 600;

type Params = HashMap<String, String>;
type Answer = Result<String, Refused>;

/// An error body of Binance.
pub(super) struct Refused {
    status: u16,
    pub(super) code: i32,
    pub(super) msg: String,
}

impl Refused {
    pub(super) fn new(code: i32, msg: impl Into<String>) -> Self {
        Self { status: 400, code, msg: msg.into() }
    }

    pub(super) fn symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }
}

struct Shared {
    core: Arc<Core>,
    budget: Budget,
}

pub(super) fn routes(core: Arc<Core>) -> Router {
    let budget = Budget::new(WEIGHT_MAX, 60_000, Windows::Calendar);
    let shared = Arc::new(Shared { core, budget });
    Router::new()
        .route("/api/v3/{call}", get(answer))
        .route("/api/v3/ticker/{call}", get(answer))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), gate))
        .with_state(shared)
}

/// Counts the weight, applies the faults, sets the headers.
async fn gate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let query: Params = Query::try_from_uri(request.uri()).map(|Query(q)| q).unwrap_or_default();
    let symbol = query.get("symbol").cloned().unwrap_or_default();
    let standing = shared.budget.spend(weight(&path, &query));
    let spoiled = http::spoil(&shared.core, Exchange::Binance, &path, &symbol).await;
    let mut response = match spoiled {
        Spoiled::TooMany(seconds) => too_many(429, seconds),
        Spoiled::Instead(response) => *response,
        Spoiled::No if standing.over => over(standing, shared.budget.limit()),
        Spoiled::No => next.run(request).await,
    };
    http::number(&mut response, "x-mbx-used-weight", standing.used);
    http::number(&mut response, "x-mbx-used-weight-1m", standing.used);
    http::date(&mut response, shared.core.now(Exchange::Binance));
    response
}

fn over(standing: Standing, limit: u64) -> Response {
    let banned = standing.used > limit + PATIENCE;
    too_many(if banned { 418 } else { 429 }, standing.reset_ms.div_ceil(1_000))
}

fn too_many(status: u16, seconds: u64) -> Response {
    let msg = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. \
               Please use WebSocket Streams for live updates to avoid polling the API.";
    let mut response = refuse(&Refused { status, code: -1003, msg: msg.into() });
    http::number(&mut response, "retry-after", seconds);
    response
}

fn refuse(refused: &Refused) -> Response {
    http::json(refused.status, json!({"code": refused.code, "msg": refused.msg}).to_string())
}

fn weight(path: &str, query: &Params) -> u64 {
    let one = query.contains_key("symbol");
    match path.trim_start_matches("/api/v3/") {
        "exchangeInfo" => 20,
        "depth" => match limit(query, 100, 5_000).unwrap_or(100) {
            ..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        },
        "trades" => 25,
        "aggTrades" => 4,
        "klines" | "uiKlines" | "avgPrice" => 2,
        "ticker/price" | "ticker/bookTicker" => {
            if one {
                2
            } else {
                4
            }
        }
        "ticker/24hr" => {
            if one {
                2
            } else {
                80
            }
        }
        _ => 1,
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Ok(Query(query)) = Query::<Params>::try_from_uri(request.uri()) else {
        return refuse(&Refused::new(-1100, "Illegal characters found in a parameter."));
    };
    match call(&shared.core, request.uri().path(), &query) {
        Ok(body) => http::json(200, body),
        Err(refused) => refuse(&refused),
    }
}

fn call(core: &Core, path: &str, query: &Params) -> Answer {
    let now = core.now(Exchange::Binance);
    let offset = core.faults.clock_offset(Exchange::Binance);
    let state = core.state();
    let markets = state.world.markets();
    let own = || markets.iter().filter(|m| m.spec.exchange == Exchange::Binance);
    let one = || {
        let symbol = query.get("symbol").ok_or_else(|| mandatory("symbol"))?;
        own().find(|m| m.spec.native == *symbol).ok_or_else(Refused::symbol)
    };
    match path.trim_start_matches("/api/v3/") {
        "ping" => Ok("{}".into()),
        "time" => Ok(format!(r#"{{"serverTime":{}}}"#, frames::millis(now))),
        "exchangeInfo" => info::exchange(own(), query, now),
        "depth" => Ok(feed::snapshot(one()?, limit(query, 100, 5_000)?)),
        "trades" => trades(one()?, query, offset),
        "aggTrades" => aggregates(one()?, query, offset),
        "klines" | "uiKlines" => klines(one()?, query, core.clock.now(), offset),
        "avgPrice" => Ok(average(one()?, now)),
        "ticker/bookTicker" => several(own(), query, book_ticker),
        "ticker/price" => several(own(), query, last_price),
        "ticker/24hr" => several(own(), query, |m| info::day(m, core.clock.now(), offset)),
        _ => Err(Refused { status: 404, code: -1000, msg: "Path not found.".into() }),
    }
}

pub(super) fn mandatory(name: &str) -> Refused {
    let msg = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    Refused::new(-1102, msg)
}

/// A whole number among the parameters.
pub(super) fn integer(query: &Params, name: &str) -> Result<Option<i64>, Refused> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let illegal = || {
        let msg = format!(
            "Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        );
        Refused::new(-1100, msg)
    };
    text.parse().map(Some).map_err(|_| illegal())
}

fn limit(query: &Params, usual: usize, most: usize) -> Result<usize, Refused> {
    let asked = integer(query, "limit")?.unwrap_or(usual as i64);
    // Above the maximum is silently capped; zero and less is an error.
    match usize::try_from(asked) {
        Ok(n) if n > 0 => Ok(n.min(most)),
        _ => Err(Refused::new(-1130, "Data sent for parameter 'limit' is not valid.")),
    }
}

fn trades(market: &Market, query: &Params, offset: i64) -> Answer {
    let limit = limit(query, 500, 1_000)?;
    let prints = &market.board.prints;
    let last = prints.iter().skip(prints.len().saturating_sub(limit));
    let rows: Vec<Value> = last.map(|p| row(market, p, offset)).collect();
    Ok(Value::from(rows).to_string())
}

fn row(market: &Market, p: &Print, offset: i64) -> Value {
    let spec = &market.spec;
    json!({
        "id": p.id,
        "price": frames::price(spec, p.price),
        "qty": frames::quantity(spec, p.quantity),
        "quoteQty": frames::turnover(spec, i128::from(p.price) * i128::from(p.quantity)),
        "time": frames::millis(p.at + offset),
        "isBuyerMaker": p.taker == Side::Sell,
        "isBestMatch": true,
    })
}

fn aggregates(market: &Market, query: &Params, offset: i64) -> Answer {
    let limit = limit(query, 500, 1_000)?;
    let (from, start, end) =
        (integer(query, "fromId")?, integer(query, "startTime")?, integer(query, "endTime")?);
    if from.is_some() && (start.is_some() || end.is_some()) {
        return Err(Refused::new(-1128, "Combination of optional parameters invalid."));
    }
    let prints: Vec<Print> = market.board.prints.iter().copied().collect();
    let inside = |g: &&[Print]| {
        let at = frames::millis(g[0].at + offset);
        from.is_none_or(|id| g[0].aggregate >= id)
            && start.is_none_or(|t| at >= t)
            && end.is_none_or(|t| at <= t)
    };
    let groups: Vec<&[Print]> =
        prints.chunk_by(|a, b| a.aggregate == b.aggregate).filter(inside).collect();
    let latest = from.is_none() && start.is_none();
    let skip = if latest { groups.len().saturating_sub(limit) } else { 0 };
    let rows: Vec<Value> =
        groups.iter().skip(skip).take(limit).map(|g| aggregate(market, g, offset)).collect();
    Ok(Value::from(rows).to_string())
}

fn aggregate(market: &Market, group: &[Print], offset: i64) -> Value {
    let (first, last) = (group[0], group[group.len() - 1]);
    json!({
        "a": first.aggregate,
        "p": frames::price(&market.spec, first.price),
        "q": frames::quantity(&market.spec, group.iter().map(|p| p.quantity).sum()),
        "f": first.id,
        "l": last.id,
        "T": frames::millis(first.at + offset),
        "m": first.taker == Side::Sell,
        "M": true,
    })
}

fn klines(market: &Market, query: &Params, now: i64, offset: i64) -> Answer {
    let name = query.get("interval").ok_or_else(|| mandatory("interval"))?;
    let interval =
        frames::interval(name).ok_or_else(|| Refused::new(-1120, "Invalid interval."))?;
    let limit = limit(query, 500, 1_000)?;
    let nanos = |ms: i64| ms.saturating_mul(1_000_000).saturating_sub(offset);
    let start = integer(query, "startTime")?.map(nanos);
    let end = integer(query, "endTime")?.map_or(now, nanos);
    // Open times count: a bar belongs when it opens at or after the start.
    let from = start.unwrap_or_else(|| interval.floor(end) - interval.nanos() * limit as i64);
    let mut bars = market.board.bars.range(interval, from, end);
    bars.retain(|b| start.is_none_or(|s| b.start >= s));
    let skip = if start.is_none() { bars.len().saturating_sub(limit) } else { 0 };
    let rows: Vec<Value> = bars
        .iter()
        .skip(skip)
        .take(limit)
        .map(|bar| kline(market, bar, interval.next(bar.start) - 1, offset))
        .collect();
    Ok(Value::from(rows).to_string())
}

fn kline(market: &Market, bar: &Bar, end: i64, offset: i64) -> Value {
    let spec = &market.spec;
    json!([
        frames::millis(bar.start + offset),
        frames::price(spec, bar.open),
        frames::price(spec, bar.high),
        frames::price(spec, bar.low),
        frames::price(spec, bar.close),
        frames::quantity(spec, bar.volume),
        frames::millis(end + offset),
        frames::turnover(spec, bar.turnover),
        bar.trades,
        frames::quantity(spec, bar.bought),
        frames::turnover(spec, bar.bought_turnover),
        "0",
    ])
}

/// The volume-weighted price of the last five minutes.
fn average(market: &Market, now: i64) -> String {
    let since = market.board.changed_at - 300 * crate::model::bars::SECOND;
    let recent = market.board.prints.iter().rev().take_while(|p| p.at >= since);
    let (mut turnover, mut volume) = (0_i128, 0_i128);
    for print in recent {
        turnover += i128::from(print.price) * i128::from(print.quantity);
        volume += i128::from(print.quantity);
    }
    let ticks = turnover.checked_div(volume).map_or_else(|| info::last(market), |v| v as i64);
    let price = frames::price(&market.spec, ticks);
    format!(r#"{{"mins":5,"price":"{price}","closeTime":{}}}"#, frames::millis(now))
}

/// One object for `symbol`, an array for `symbols` or nothing.
fn several<'a>(
    own: impl Iterator<Item = &'a Market>,
    query: &Params,
    show: impl Fn(&Market) -> Value,
) -> Answer {
    let chosen = info::choose(own, query)?;
    if query.contains_key("symbol") {
        return Ok(chosen.first().map_or(Value::Null, |m| show(m)).to_string());
    }
    Ok(Value::from(chosen.into_iter().map(show).collect::<Vec<_>>()).to_string())
}

fn book_ticker(market: &Market) -> Value {
    let best = |side| market.book.best(side).map_or((0, 0), |p| (p, market.book.at(side, p)));
    let (bid, ask) = (best(Side::Buy), best(Side::Sell));
    json!({
        "symbol": market.spec.native,
        "bidPrice": frames::price(&market.spec, bid.0),
        "bidQty": frames::quantity(&market.spec, bid.1),
        "askPrice": frames::price(&market.spec, ask.0),
        "askQty": frames::quantity(&market.spec, ask.1),
    })
}

fn last_price(market: &Market) -> Value {
    let price = frames::price(&market.spec, info::last(market));
    json!({"symbol": market.spec.native, "price": price})
}
