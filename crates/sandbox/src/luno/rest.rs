//! Luno's REST side: public market data, and candles for whoever shows a key.

use super::words;
use crate::budget::{Budget, Windows};
use crate::core::Core;
use crate::http::{self, Spoiled};
use crate::model::bars::{Bar, Interval, SECOND};
use crate::model::catalogue::Spec;
use crate::model::market::Market;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine as _;
use domain::{Exchange, Side};
use serde_json::{Value, json};
use std::sync::Arc;

/// Calls a minute.
const CALLS_MAX: u64 = 300;
/// Levels a side of `orderbook_top`.
const TOP: usize = 100;
/// Rows of one `trades` answer.
const TRADES_MAX: usize = 100;
/// Rows of one `candles` answer.
const CANDLES_MAX: usize = 1_000;
const DURATIONS: [u32; 11] =
    [60, 300, 900, 1_800, 3_600, 10_800, 14_400, 28_800, 86_400, 259_200, 604_800];

/// HTTP status, code and text of an error; an unknown path has no body.
type Refused = (u16, &'static str, &'static str);
type Answer = Result<Value, Refused>;

struct Shared {
    core: Arc<Core>,
    budget: Budget,
}

pub(super) fn routes(core: Arc<Core>) -> Router {
    let budget = Budget::new(CALLS_MAX, 60_000, Windows::FirstCall);
    Router::new().fallback(answer).with_state(Arc::new(Shared { core, budget }))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let query = parameters(request.uri().query().unwrap_or_default());
    let symbol = query.get("pair").unwrap_or_default().to_owned();
    let standing = shared.budget.spend(1);
    let mut response = match http::spoil(&shared.core, Exchange::Luno, &path, &symbol).await {
        Spoiled::TooMany(_) => show(Err(TOO_MANY)),
        Spoiled::Instead(response) => *response,
        Spoiled::No if standing.over => show(Err(TOO_MANY)),
        Spoiled::No => show(call(&shared.core, &path, &query, request.headers())),
    };
    http::date(&mut response, shared.core.now(Exchange::Luno));
    response
}

const TOO_MANY: Refused = (429, "ErrTooManyRequests", "Too many requests");
const UNAVAILABLE: Refused = (400, "ErrMarketUnavailable", "Market not available");
const UNAUTHORISED: Refused = (401, "ErrUnauthorised", "API key is invalid");
const INVALID: Refused = (400, "ErrInvalidArguments", "Invalid arguments");
const NOWHERE: Refused = (404, "", "");

fn show(answer: Answer) -> Response {
    match answer {
        Ok(body) => http::json(200, body.to_string()),
        Err((404, ..)) => http::json(404, Body::empty()),
        Err((status, code, text)) => {
            http::json(status, json!({"error": text, "error_code": code}).to_string())
        }
    }
}

/// Query parameters; `pair` may repeat. Values of this API never need decoding.
struct Parameters(Vec<(String, String)>);

fn parameters(query: &str) -> Parameters {
    let pairs = query.split('&').filter_map(|p| p.split_once('='));
    Parameters(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
}

impl Parameters {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Refused> {
        self.get(name).map(|v| v.parse().map_err(|_| INVALID)).transpose()
    }
}

fn call(core: &Core, path: &str, query: &Parameters, headers: &HeaderMap) -> Answer {
    let offset = core.faults.clock_offset(Exchange::Luno);
    let now = core.clock.now();
    let state = core.state();
    let own = || state.world.markets().iter().filter(|m| m.spec.exchange == Exchange::Luno);
    let asked: Vec<&str> = query.all("pair").collect();
    let chosen = || own().filter(|m| asked.is_empty() || asked.contains(&m.spec.native.as_str()));
    let one = || {
        let pair = query.get("pair").unwrap_or_default();
        own().find(|m| m.spec.native == pair).ok_or(UNAVAILABLE)
    };
    match path {
        "/api/exchange/1/markets" => {
            Ok(json!({"markets": chosen().map(|m| market(&m.spec)).collect::<Vec<_>>()}))
        }
        "/api/1/ticker" => Ok(ticker(one()?, now, offset)),
        "/api/1/tickers" => {
            Ok(json!({"tickers": chosen().map(|m| ticker(m, now, offset)).collect::<Vec<_>>()}))
        }
        "/api/1/orderbook_top" => Ok(top(one()?, offset)),
        "/api/1/orderbook" => Ok(orders(one()?, offset)),
        "/api/1/trades" => trades(one()?, query, now, offset),
        "/api/exchange/1/candles" if !signed_in(headers) => Err(UNAUTHORISED),
        "/api/exchange/1/candles" => candles(one()?, query, now, offset),
        _ => Err(NOWHERE),
    }
}

/// Whether there is a Basic key pair; which one does not matter here.
fn signed_in(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let encoded = value.and_then(|v| v.strip_prefix("Basic "));
    let pair = encoded
        .and_then(|e| base64::engine::general_purpose::STANDARD.decode(e).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    pair.is_some_and(|p| p.split_once(':').is_some_and(|(k, s)| !k.is_empty() && !s.is_empty()))
}

fn market(spec: &Spec) -> Value {
    json!({
        "market_id": spec.native, "trading_status": "ACTIVE", "base_currency": spec.base,
        "counter_currency": spec.quote, "min_volume": words::volume(spec, spec.min_quantity),
        "max_volume": words::volume(spec, 100_000 * 10_i64.pow(u32::from(spec.quantity_places))),
        "volume_scale": spec.quantity_places, "min_price": words::price(spec, 1),
        "max_price": "100000000.00", "price_scale": spec.price_places, "fee_scale": 8,
    })
}

fn ticker(market: &Market, now: i64, offset: i64) -> Value {
    let spec = &market.spec;
    // An empty side is "0.00", not null.
    let best = |side| match market.book.best(side) {
        Some(price) => words::ticker_price(spec, price),
        None => "0.00".to_owned(),
    };
    let last = market.board.prints.back().map_or(0, |p| p.price);
    let since = now - 86_400 * SECOND;
    let mut day = Bar::flat(0, last);
    for bar in market.board.bars.range(Interval::Seconds(60), since, now) {
        day.absorb(&bar);
    }
    json!({
        "pair": spec.native, "timestamp": words::millis(market.board.changed_at + offset),
        "bid": best(Side::Buy), "ask": best(Side::Sell),
        "last_trade": words::ticker_price(spec, day.close),
        "rolling_24_hour_volume": words::ticker_volume(spec, day.volume), "status": "ACTIVE",
    })
}

fn row(spec: &Spec, ticks: i64, lots: i64) -> Value {
    let (price, volume) = words::padded_row(spec, ticks, lots);
    json!({"price": price, "volume": volume})
}

/// The best levels, one row per price.
fn top(market: &Market, offset: i64) -> Value {
    let side = |side| -> Vec<Value> {
        let levels = market.book.levels(side).take(TOP);
        levels.map(|(price, level)| row(&market.spec, price, level.total())).collect()
    };
    let at = words::millis(market.board.changed_at + offset);
    json!({"asks": side(Side::Sell), "bids": side(Side::Buy), "timestamp": at})
}

/// Every order, one row each.
fn orders(market: &Market, offset: i64) -> Value {
    let side = |side| -> Vec<Value> {
        let levels = market.book.levels(side);
        levels
            .flat_map(|(price, level)| level.orders().map(move |o| (price, o.remaining)))
            .map(|(price, lots)| row(&market.spec, price, lots))
            .collect()
    };
    let at = words::millis(market.board.changed_at + offset);
    json!({"asks": side(Side::Sell), "bids": side(Side::Buy), "timestamp": at})
}

/// Newest first; `since` reaches back a day at most.
fn trades(market: &Market, query: &Parameters, now: i64, offset: i64) -> Answer {
    let since = query.integer("since")?;
    if since.is_some_and(|s| s < words::millis(now + offset) - 86_400_000) {
        return Err(INVALID);
    }
    let prints = market.board.prints.iter().rev();
    let rows: Vec<Value> = prints
        .take_while(|p| since.is_none_or(|s| words::millis(p.at + offset) >= s))
        .take(TRADES_MAX)
        .map(|p| {
            json!({
                "sequence": p.id, "timestamp": words::millis(p.at + offset),
                "price": words::ticker_price(&market.spec, p.price),
                "volume": words::ticker_volume(&market.spec, p.quantity),
                "is_buy": p.taker == Side::Buy,
            })
        })
        .collect();
    Ok(json!({"trades": rows}))
}

/// The oldest candles from `since` on.
fn candles(market: &Market, query: &Parameters, now: i64, offset: i64) -> Answer {
    let since = query.integer("since")?.ok_or(INVALID)?;
    let duration = query.integer("duration")?.ok_or(INVALID)?;
    let known = DURATIONS.into_iter().find(|d| i64::from(*d) == duration).ok_or(INVALID)?;
    let from = since.saturating_mul(1_000_000).saturating_sub(offset);
    let mut bars = market.board.bars.range(Interval::Seconds(known), from, now);
    bars.retain(|b| b.start >= from);
    let spec = &market.spec;
    let rows: Vec<Value> = bars
        .iter()
        .take(CANDLES_MAX)
        .map(|b| {
            json!({
                "timestamp": words::millis(b.start + offset),
                "open": words::ticker_price(spec, b.open),
                "close": words::ticker_price(spec, b.close),
                "high": words::ticker_price(spec, b.high),
                "low": words::ticker_price(spec, b.low),
                "volume": words::ticker_volume(spec, b.volume),
            })
        })
        .collect();
    Ok(json!({"candles": rows, "duration": known, "pair": spec.native}))
}
