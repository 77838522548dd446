//! KuCoin's public REST side (classic API). HTTP 200 carries most errors: `code` decides.

use super::{classic, frames};
use crate::budget::{Budget, Windows};
use crate::core::Core;
use crate::http::{self, Spoiled};
use crate::model::bars::{Bar, Interval, SECOND};
use crate::model::market::Market;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{Method, header};
use axum::response::Response;
use domain::{Exchange, Side};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Weight of the public pool in 30 s.
const WEIGHT_MAX: u64 = 2_000;
/// Rows of one candle answer.
const CANDLES_MAX: usize = 1_500;

type Params = HashMap<String, String>;
/// The data of an answer, or code and text of an error.
type Answer = Result<Value, (&'static str, String)>;

struct Shared {
    core: Arc<Core>,
    budget: Budget,
}

pub(super) fn routes(core: Arc<Core>) -> Router {
    let budget = Budget::new(WEIGHT_MAX, 30_000, Windows::FirstCall);
    Router::new().fallback(answer).with_state(Arc::new(Shared { core, budget }))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let query: Params = Query::try_from_uri(request.uri()).map(|Query(q)| q).unwrap_or_default();
    let symbol = query.get("symbol").cloned().unwrap_or_default();
    let standing = shared.budget.spend(weight(&path));
    let mut response = match http::spoil(&shared.core, Exchange::Kucoin, &path, &symbol).await {
        Spoiled::TooMany(_) => too_many(),
        Spoiled::Instead(response) => *response,
        Spoiled::No if standing.over => too_many(),
        Spoiled::No => {
            let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
            let host = host.unwrap_or("127.0.0.1").to_owned();
            show(&call(&shared.core, request.method(), &path, &query, &host))
        }
    };
    let limit = shared.budget.limit();
    http::number(&mut response, "gw-ratelimit-limit", limit);
    http::number(&mut response, "gw-ratelimit-remaining", limit.saturating_sub(standing.used));
    http::number(&mut response, "gw-ratelimit-reset", standing.reset_ms);
    http::date(&mut response, shared.core.now(Exchange::Kucoin));
    response
}

fn too_many() -> Response {
    let msg = "Too many requests. System-level rate limit exceeded.";
    http::json(429, json!({"code": "429000", "msg": msg}).to_string())
}

fn show(answer: &Answer) -> Response {
    match answer {
        Ok(data) => http::json(200, json!({"code": "200000", "data": data}).to_string()),
        Err((code, msg)) => {
            let status = if *code == "404000" { 404 } else { 200 };
            http::json(status, json!({"code": code, "msg": msg}).to_string())
        }
    }
}

fn weight(path: &str) -> u64 {
    match path {
        "/api/v1/market/allTickers" | "/api/v1/market/stats" => 15,
        "/api/v1/bullet-public" => 10,
        p if p.starts_with("/api/v2/symbols") => 4,
        p if p.starts_with("/api/v1/market/orderbook/") => 2,
        _ => 3,
    }
}

fn call(core: &Core, method: &Method, path: &str, query: &Params, host: &str) -> Answer {
    let now = core.now(Exchange::Kucoin);
    let offset = core.faults.clock_offset(Exchange::Kucoin);
    let state = core.state();
    let own = || state.world.markets().iter().filter(|m| m.spec.exchange == Exchange::Kucoin);
    let named = |name: &str| own().find(|m| m.spec.native == name).ok_or_else(unknown);
    let one = || named(query.get("symbol").map(String::as_str).unwrap_or_default());
    if *method == Method::POST {
        return match path {
            "/api/v1/bullet-public" => Ok(bullet(host)),
            _ => Err(missing()),
        };
    }
    match path {
        "/api/v1/timestamp" => Ok(json!(now / 1_000_000)),
        "/api/v1/status" => Ok(json!({"status": "open", "msg": ""})),
        "/api/v2/symbols" => Ok(own().map(symbol).collect()),
        "/api/v1/market/orderbook/level1" => Ok(level1(one()?, now)),
        "/api/v1/market/orderbook/level2_20" => Ok(level2(one()?, 20, now)),
        "/api/v1/market/orderbook/level2_100" => Ok(level2(one()?, 100, now)),
        "/api/v1/market/allTickers" => {
            let rows: Vec<Value> = own().map(|m| ticker(m, core.clock.now())).collect();
            Ok(json!({"time": now / 1_000_000, "ticker": rows}))
        }
        "/api/v1/market/histories" => Ok(histories(one()?, offset)),
        "/api/v1/market/candles" => candles(one()?, query, core.clock.now(), offset),
        "/api/v3/market/orderbook/level2" => {
            Err(("400001", "Please check the header of your request for KC-API-KEY".into()))
        }
        _ => match path.strip_prefix("/api/v2/symbols/") {
            Some(name) => named(name).map(symbol),
            None => Err(missing()),
        },
    }
}

fn unknown() -> (&'static str, String) {
    ("900001", "symbol not exists".into())
}

fn missing() -> (&'static str, String) {
    ("404000", "Url Not Found".into())
}

fn bullet(host: &str) -> Value {
    json!({"token": classic::TOKEN, "instanceServers": [{
        "endpoint": format!("ws://{host}/classic"), "encrypt": false, "protocol": "websocket",
        "pingInterval": 18000, "pingTimeout": 10000,
    }]})
}

fn symbol(market: &Market) -> Value {
    let spec = &market.spec;
    json!({
        "symbol": spec.native, "name": spec.native, "baseCurrency": spec.base,
        "quoteCurrency": spec.quote, "feeCurrency": spec.quote, "market": "USDS",
        "baseMinSize": frames::size(spec, spec.min_quantity), "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000", "quoteMaxSize": "99999999",
        "baseIncrement": frames::size(spec, 1), "quoteIncrement": "0.000001",
        "priceIncrement": frames::price(spec, 1), "priceLimitRate": "0.1",
        "minFunds": spec.min_notional, "isMarginEnabled": false, "enableTrading": true,
        "feeCategory": 1, "makerFeeCoefficient": "1.00", "takerFeeCoefficient": "1.00",
        "st": false, "callauctionIsEnabled": false, "callauctionPriceFloor": null,
        "callauctionPriceCeiling": null, "callauctionFirstStageStartTime": null,
        "callauctionSecondStageStartTime": null, "callauctionThirdStageStartTime": null,
        "tradingStartTime": null,
    })
}

fn best(market: &Market, side: Side) -> (String, String) {
    let price = market.book.best(side).unwrap_or_default();
    let size = market.book.at(side, price);
    (frames::price(&market.spec, price), frames::size(&market.spec, size))
}

fn level1(market: &Market, now: i64) -> Value {
    let (bid, ask) = (best(market, Side::Buy), best(market, Side::Sell));
    let (price, size) = market.board.prints.back().map_or((0, 0), |p| (p.price, p.quantity));
    json!({
        "time": now / 1_000_000, "sequence": market.board.seq.to_string(),
        "price": frames::price(&market.spec, price), "size": frames::size(&market.spec, size),
        "bestBid": bid.0, "bestBidSize": bid.1, "bestAsk": ask.0, "bestAskSize": ask.1,
    })
}

fn level2(market: &Market, count: usize, now: i64) -> Value {
    let rows = |side| -> Vec<[String; 2]> {
        let levels = frames::top(market, side, count).into_iter();
        levels
            .map(|(p, q)| [frames::price(&market.spec, p), frames::size(&market.spec, q)])
            .collect()
    };
    json!({
        "time": now / 1_000_000, "sequence": market.board.seq.to_string(),
        "bids": rows(Side::Buy), "asks": rows(Side::Sell),
    })
}

fn ticker(market: &Market, now: i64) -> Value {
    let spec = &market.spec;
    let (bid, ask) = (best(market, Side::Buy), best(market, Side::Sell));
    let last = market.board.prints.back().map_or(0, |p| p.price);
    let mut day = Bar::flat(0, last);
    let since = now - 86_400 * SECOND;
    for bar in market.board.bars.range(Interval::Seconds(60), since, now) {
        day.absorb(&bar);
    }
    let change = i128::from(last - day.open);
    let rate = (change * 10_000).checked_div(i128::from(day.open)).unwrap_or_default();
    let average = day.turnover.checked_div(i128::from(day.volume)).unwrap_or_default();
    json!({
        "symbol": spec.native, "symbolName": spec.native,
        "buy": bid.0, "bestBidSize": bid.1, "sell": ask.0, "bestAskSize": ask.1,
        "changeRate": crate::text::trimmed(rate, 4),
        "changePrice": crate::text::trimmed(change, spec.price_places),
        "high": frames::price(spec, day.high), "low": frames::price(spec, day.low),
        "vol": frames::size(spec, day.volume), "volValue": frames::turnover(spec, day.turnover),
        "last": frames::price(spec, last), "averagePrice": frames::price(spec, average as i64),
        "takerFeeRate": "0.001", "makerFeeRate": "0.001", "takerCoefficient": "1",
        "makerCoefficient": "1",
    })
}

/// The last 100 prints, oldest first.
fn histories(market: &Market, offset: i64) -> Value {
    let prints = &market.board.prints;
    let last = prints.iter().skip(prints.len().saturating_sub(100));
    last.map(|p| {
        json!({
            "sequence": p.id.to_string(), "price": frames::price(&market.spec, p.price),
            "size": frames::size(&market.spec, p.quantity),
            "side": if p.taker == Side::Buy { "buy" } else { "sell" }, "time": p.at + offset,
        })
    })
    .collect()
}

/// Newest first, open-close-high-low, and none for intervals without a print.
fn candles(market: &Market, query: &Params, now: i64, offset: i64) -> Answer {
    let wrong = |text: &str| ("400100", format!("Param error: {text}"));
    let name = query.get("type").map(String::as_str).unwrap_or_default();
    let interval = frames::interval(name).ok_or_else(|| wrong("type"))?;
    let seconds = |name: &str| match query.get(name).map(|t| t.parse::<i64>()) {
        Some(Ok(0)) | None => Ok(None),
        Some(Ok(s)) => Ok(Some(s.saturating_mul(SECOND).saturating_sub(offset))),
        Some(Err(_)) => Err(wrong(name)),
    };
    let end = seconds("endAt")?.unwrap_or(now);
    let usual = interval.floor(end) - 100 * interval.nanos();
    let begin = seconds("startAt")?.unwrap_or(usual);
    let mut bars = market.board.bars.range(interval, begin, end);
    bars.retain(|b| b.trades > 0 && b.start >= begin);
    let spec = &market.spec;
    let row = |bar: &Bar| {
        json!([
            ((bar.start + offset) / SECOND).to_string(),
            frames::price(spec, bar.open),
            frames::price(spec, bar.close),
            frames::price(spec, bar.high),
            frames::price(spec, bar.low),
            frames::size(spec, bar.volume),
            frames::turnover(spec, bar.turnover),
        ])
    };
    Ok(bars.iter().rev().take(CANDLES_MAX).map(row).collect())
}
