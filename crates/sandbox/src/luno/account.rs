//! Luno's private REST side: HTTP Basic, forms or queries, codes in words.

use super::words::{self, millis};
use crate::budget::{Budget, Windows};
use crate::core::Core;
use crate::http::{self, Spoiled};
use crate::model::book::Standing;
use crate::private::entry::units;
use crate::private::{Asked, Deeds, Desk, Fill, Grant, Kind, Order, Refusal, access, funds, lie};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use axum::routing::any;
use domain::{Amount, Exchange, Side};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Calls a minute.
const CALLS_MAX: u64 = 300;
/// Rows of one list.
const ROWS_MAX: usize = 1_000;

type Params = HashMap<String, String>;
/// HTTP status, code and text of an error.
type Refused = (u16, &'static str, &'static str);
type Answer = Result<Value, Refused>;

const TOO_MANY: Refused = (429, "ErrTooManyRequests", "Too many requests");
const NO_KEY: Refused = (401, "ErrUnauthorised", "API key is invalid");
const NO_RIGHT: Refused = (403, "ErrInsufficientPerms", "Insufficient permissions");
const INVALID: Refused = (400, "ErrInvalidArguments", "Invalid arguments");
const NOT_FOUND: Refused = (404, "ErrOrderNotFound", "Cannot find that order");
const LATE: Refused = (400, "ErrDeadlineExceeded", "The deadline has passed");
const DONE: Refused =
    (400, "ErrCannotStopUnknownOrNonPendingOrder", "Cannot stop unknown or non-pending order");

struct Shared {
    core: Arc<Core>,
    budget: Budget,
}

pub(super) fn routes(core: Arc<Core>) -> Router {
    let budget = Budget::new(CALLS_MAX, 60_000, Windows::FirstCall);
    let mut router = Router::new();
    for path in [
        "/api/1/postorder",
        "/api/1/marketorder",
        "/api/1/stoporder",
        "/api/exchange/3/order",
        "/api/exchange/2/listorders",
        "/api/1/listtrades",
        "/api/1/balance",
        "/api/1/fee_info",
    ] {
        router = router.route(path, any(answer));
    }
    router.with_state(Arc::new(Shared { core, budget }))
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let core = &shared.core;
    let path = uri.path();
    let call = format!("{method} {path}");
    let standing = shared.budget.spend(1);
    let mut response = match http::spoil(core, Exchange::Luno, &call, "").await {
        Spoiled::Instead(response) => *response,
        Spoiled::TooMany(_) => show(Err(TOO_MANY)),
        Spoiled::No if standing.over => show(Err(TOO_MANY)),
        Spoiled::No => {
            let honest = || {
                let sent = String::from_utf8_lossy(&body);
                let params = parameters(&format!("{}&{sent}", uri.query().unwrap_or_default()));
                show(call_of(core, &method, path, &params, &headers))
            };
            match lie::unless(core, Exchange::Luno, &call, honest).await {
                Ok(response) => response,
                Err(lie) => return lie,
            }
        }
    };
    http::date(&mut response, core.now(Exchange::Luno));
    response
}

fn show(answer: Answer) -> Response {
    match answer {
        Ok(body) => http::json(200, body.to_string()),
        Err((status, code, text)) => {
            http::json(status, json!({"error": text, "error_code": code}).to_string())
        }
    }
}

/// Values of this API never need decoding.
fn parameters(text: &str) -> Params {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn call_of(
    core: &Core,
    method: &Method,
    path: &str,
    params: &Params,
    headers: &HeaderMap,
) -> Answer {
    let header = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let (key, secret) = access::basic(header).ok_or(NO_KEY)?;
    let found = access::luno(&core.state().desk, &key, &secret);
    let grant = found.map_err(|_| NO_KEY)?;
    if *method == Method::POST && !grant.key.can_trade {
        return Err(NO_RIGHT);
    }
    let offset = core.faults.clock_offset(Exchange::Luno);
    match (method.as_str(), path) {
        ("POST", "/api/1/postorder" | "/api/1/marketorder") => place(core, &grant, path, params),
        ("POST", "/api/1/stoporder") => cancel(core, &grant, params),
        ("GET", "/api/exchange/3/order") => {
            let state = core.state();
            let (id, name) = (params.get("id"), params.get("client_order_id"));
            let orders = state.desk.accounts[grant.account].orders.values();
            let is_it = |o: &&Order| {
                id.is_some_and(|id| words::order_id(o.id) == *id)
                    || name.is_some_and(|name| o.client_id == *name)
            };
            let order = orders.rev().find(is_it).ok_or(NOT_FOUND)?;
            Ok(order_value(&state.desk, order, offset))
        }
        ("GET", "/api/exchange/2/listorders") => Ok(list_orders(core, &grant, params)),
        ("GET", "/api/1/listtrades") => list_trades(core, &grant, params),
        ("GET", "/api/1/balance") => Ok(balance(&core.state().desk, &grant)),
        ("GET", "/api/1/fee_info") => {
            let fees = core.state().desk.accounts[grant.account].purse.fees;
            let (maker, taker) = (fees.maker.to_string(), fees.taker.to_string());
            Ok(json!({
                "maker_fee": maker, "taker_fee": taker, "maker_fee_buy": maker,
                "maker_fee_sell": maker, "taker_fee_buy": taker, "taker_fee_sell": taker,
                "thirty_day_volume": "0.00",
            }))
        }
        _ => Err((404, "ErrNotFound", "Not found")),
    }
}

fn refusal(why: Refusal) -> Refused {
    match why {
        Refusal::Price => (400, "ErrPriceTooHigh", "Price is out of bounds"),
        Refusal::Quantity | Refusal::Notional => (400, "ErrVolumeTooLow", "Volume is too low"),
        Refusal::Funds => (400, "ErrInsufficientBalance", "Insufficient balance"),
        Refusal::Duplicate => (409, "ErrDuplicateClientOrderID", "Duplicate client order id"),
        Refusal::WouldTake => (400, "ErrOrderCanceled", "Post-only order would have traded"),
        Refusal::Liquidity => (400, "ErrNotEnoughLiquidity", "Not enough liquidity"),
    }
}

fn asked(core: &Core, path: &str, params: &Params) -> Result<Asked, Refused> {
    let text = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    let state = core.state();
    let market = state.world.find(Exchange::Luno, text("pair"));
    let market = market.ok_or((400, "ErrMarketUnavailable", "Market not available"))?;
    let spec = &state.desk.specs[market];
    let fine = (400, "ErrVolumeDenominationNotAllowed", "Too many decimals");
    let coarse = (400, "ErrPriceDenominationNotAllowed", "Too many decimals");
    let is_market = path.ends_with("marketorder");
    let volume = text(if is_market { "base_volume" } else { "volume" });
    let quantity = units(volume, spec.quantity_places).ok_or(fine)?;
    let (side, kind, standing) = match (is_market, text("type")) {
        (true, "SELL") => (Side::Sell, Kind::Market, Standing::Ioc),
        (false, kind @ ("BID" | "ASK")) => {
            let side = if kind == "BID" { Side::Buy } else { Side::Sell };
            let price = units(text("price"), spec.price_places).ok_or(coarse)?;
            let standing = match (text("time_in_force"), text("post_only")) {
                ("" | "GTC", "true") => Standing::PostOnly,
                ("" | "GTC", _) => Standing::Gtc,
                ("IOC", _) => Standing::Ioc,
                ("FOK", _) => Standing::Fok,
                _ => return Err(INVALID),
            };
            (side, Kind::Limit(price), standing)
        }
        _ => return Err(INVALID),
    };
    let client_id = text("client_order_id").to_owned();
    let reject_later = lie::rejects_later(core, Exchange::Luno, text("pair"));
    Ok(Asked { market, client_id, side, kind, quantity, standing, reject_later })
}

/// Refused when it comes later than it says that it may.
fn in_time(core: &Core, params: &Params) -> Result<(), Refused> {
    let number = |name: &str| params.get(name).and_then(|v| v.parse::<i64>().ok());
    let (Some(at), Some(ttl)) = (number("timestamp"), number("ttl")) else { return Ok(()) };
    if !(1..=10_000).contains(&ttl) {
        return Err(INVALID);
    }
    let now = millis(core.now(Exchange::Luno));
    if now - at > ttl || at - now > 10_000 { Err(LATE) } else { Ok(()) }
}

fn place(core: &Core, grant: &Grant, path: &str, params: &Params) -> Answer {
    in_time(core, params)?;
    let asked = asked(core, path, params)?;
    core.act(Exchange::Luno, |desk, world, at| match desk.place(world, at, grant.account, asked) {
        Ok((id, deeds)) => (Ok(json!({"order_id": words::order_id(id)})), deeds),
        Err(why) => (Err(refusal(why)), Deeds::default()),
    })
}

fn cancel(core: &Core, grant: &Grant, params: &Params) -> Answer {
    let wanted = params.get("order_id").cloned().unwrap_or_default();
    let late = lie::fills_late(core, Exchange::Luno, "");
    core.act(Exchange::Luno, |desk, world, at| {
        let orders = desk.accounts[grant.account].orders.values();
        let found = orders.rev().find(|o| words::order_id(o.id) == wanted).map(|o| o.id);
        match found.and_then(|id| desk.cancel(world, at, grant.account, id, late)) {
            Some(deeds) => (Ok(json!({"success": true})), deeds),
            None => (Err(DONE), Deeds::default()),
        }
    })
}

/// `COMPLETE` is filled, cancelled, expired or refused: who reads it has to find out.
fn order_value(desk: &Desk, order: &Order, offset: i64) -> Value {
    let spec = &desk.specs[order.market];
    let at = |nanos: i64| millis(nanos + offset);
    let (limit, kind) = match order.price {
        Some(price) => (words::price(spec, price), "LIMIT"),
        None => ("0.00".to_owned(), "MARKET"),
    };
    let ended = if order.is_open() { 0 } else { at(order.updated_at) };
    json!({
        "order_id": words::order_id(order.id), "client_order_id": order.client_id,
        "pair": spec.native, "side": if order.side == Side::Buy { "BUY" } else { "SELL" },
        "type": kind, "status": status(order), "base": funds::base(spec, order.filled).to_string(),
        "counter": order.quote.to_string(), "limit_price": limit,
        "limit_volume": words::volume(spec, order.quantity),
        "fee_base": order.fees.0.to_string(), "fee_counter": order.fees.1.to_string(),
        "creation_timestamp": at(order.created_at), "completed_timestamp": ended,
        "expiration_timestamp": if order.cancel_asked { ended } else { 0 },
        "time_in_force": "GTC",
    })
}

pub(super) fn status(order: &Order) -> &'static str {
    if order.is_open() { "PENDING" } else { "COMPLETE" }
}

fn list_orders(core: &Core, grant: &Grant, params: &Params) -> Value {
    let state = core.state();
    let desk = &state.desk;
    let offset = core.faults.clock_offset(Exchange::Luno);
    let closed = params.get("closed").is_some_and(|c| c == "true");
    let pair = params.get("pair");
    let orders = desk.accounts[grant.account].orders.values().rev();
    let rows: Vec<Value> = orders
        .filter(|o| o.is_open() != closed)
        .filter(|o| pair.is_none_or(|p| desk.specs[o.market].native == *p))
        .take(ROWS_MAX)
        .map(|o| order_value(desk, o, offset))
        .collect();
    json!({"orders": rows})
}

fn list_trades(core: &Core, grant: &Grant, params: &Params) -> Answer {
    let state = core.state();
    let desk = &state.desk;
    let offset = core.faults.clock_offset(Exchange::Luno);
    let pair = params.get("pair").ok_or(INVALID)?;
    let number = |name: &str| params.get(name).and_then(|v| v.parse::<i64>().ok());
    let (since, after) = (number("since"), number("after_seq"));
    let fills = desk.accounts[grant.account].fills.iter();
    let rows: Vec<Value> = fills
        .filter(|f| desk.specs[f.market].native == *pair)
        .filter(|f| since.is_none_or(|at| millis(f.at + offset) >= at))
        .filter(|f| after.is_none_or(|id| f.id > id))
        .take(ROWS_MAX)
        .map(|f| trade(desk, f, offset))
        .collect();
    Ok(json!({"trades": rows}))
}

fn trade(desk: &Desk, fill: &Fill, offset: i64) -> Value {
    let spec = &desk.specs[fill.market];
    let (base, counter) =
        if fill.fee_in_base { (fill.fee, Amount::ZERO) } else { (Amount::ZERO, fill.fee) };
    json!({
        "pair": spec.native, "sequence": fill.id, "order_id": words::order_id(fill.order),
        "client_order_id": fill.client_id, "timestamp": millis(fill.at + offset),
        "price": words::price(spec, fill.price), "volume": words::volume(spec, fill.quantity),
        "base": words::volume(spec, fill.quantity), "counter": fill.value.to_string(),
        "fee_base": base.to_string(), "fee_counter": counter.to_string(),
        // The taker bought: ourselves, or whoever took us.
        "is_buy": (fill.side == Side::Buy) != fill.is_maker,
        "type": if fill.side == Side::Buy { "BID" } else { "ASK" },
    })
}

/// Ids beyond what a float holds, as Luno's are.
pub(super) fn account_id(desk: &Desk, account: usize, asset: &str) -> u64 {
    let position = desk.accounts[account].purse.all().position(|(a, _)| a == asset);
    9_100_000_000_000_001 + 100 * account as u64 + position.unwrap_or(99) as u64
}

fn balance(desk: &Desk, grant: &Grant) -> Value {
    let purse = &desk.accounts[grant.account].purse;
    let row = |(asset, f): (&String, crate::private::order::Funds)| {
        json!({
            "account_id": account_id(desk, grant.account, asset).to_string(), "asset": asset,
            "balance": (f.free + f.held).to_string(), "reserved": f.held.to_string(),
            "unconfirmed": "0.00", "name": asset,
        })
    };
    json!({"balance": purse.all().map(row).collect::<Vec<_>>()})
}
