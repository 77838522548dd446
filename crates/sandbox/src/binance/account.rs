//! Binance's private REST side: signed calls, their order of checks, their codes.

use super::rest::{Refused, integer, mandatory};
use super::words;
use crate::budget::{Budget, Windows};
use crate::core::Core;
use crate::http::{self, Spoiled};
use crate::model::book::Standing;
use crate::private::entry::units;
use crate::private::{Access, Asked, Deeds, Desk, Grant, Kind, Refusal, access, lie};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::any;
use domain::{Exchange, Side};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Unfilled orders in ten seconds, and in a day.
const ORDERS_MAX: [u64; 2] = [100, 200_000];
/// Longest window of validity.
const WINDOW_MAX_MS: i64 = 60_000;
/// Rows of one list.
const ROWS_MAX: usize = 1_000;

type Params = HashMap<String, String>;

struct Shared {
    core: Arc<Core>,
    orders: [Budget; 2],
}

pub(super) fn routes(core: Arc<Core>) -> Router {
    let orders = [
        Budget::new(ORDERS_MAX[0], 10_000, Windows::Calendar),
        Budget::new(ORDERS_MAX[1], 86_400_000, Windows::Calendar),
    ];
    let mut router = Router::new();
    for path in [
        "/api/v3/order",
        "/api/v3/openOrders",
        "/api/v3/account",
        "/api/v3/myTrades",
        "/api/v3/account/commission",
        "/sapi/v1/account/apiRestrictions",
    ] {
        router = router.route(path, any(answer));
    }
    router.with_state(Arc::new(Shared { core, orders }))
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
    let mut response = match http::spoil(core, Exchange::Binance, &call, "").await {
        Spoiled::TooMany(seconds) => {
            let mut response = words::refuse(&Refused::new(-1003, "Too many requests."), 429);
            http::number(&mut response, "retry-after", seconds);
            response
        }
        Spoiled::Instead(response) => *response,
        Spoiled::No => {
            let honest = || {
                let query = uri.query().unwrap_or_default();
                let sent = String::from_utf8_lossy(&body);
                let payload = format!("{query}{sent}");
                match call_of(&shared, &method, path, &payload, &headers) {
                    Ok(value) => http::json(200, value.to_string()),
                    Err((refused, status)) => words::refuse(&refused, status),
                }
            };
            match lie::unless(core, Exchange::Binance, &call, honest).await {
                Ok(response) => response,
                Err(lie) => return lie,
            }
        }
    };
    if method == Method::POST {
        let names = ["x-mbx-order-count-10s", "x-mbx-order-count-1d"];
        for (budget, name) in shared.orders.iter().zip(names) {
            http::number(&mut response, name, budget.spend(0).used);
        }
    }
    http::date(&mut response, core.now(Exchange::Binance));
    response
}

type Answer = Result<Value, (Refused, u16)>;

fn bad(code: i32, msg: &str) -> (Refused, u16) {
    (Refused::new(code, msg), 400)
}

fn call_of(
    shared: &Shared,
    method: &Method,
    path: &str,
    payload: &str,
    headers: &HeaderMap,
) -> Answer {
    let core = &shared.core;
    let key = headers.get("x-mbx-apikey").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let params = words::parameters(payload);
    let grant = granted(core, key, payload, &params)?;
    let trades = matches!(*method, Method::POST | Method::DELETE);
    if trades && !grant.key.can_trade {
        return Err((Refused::new(-2015, "Invalid API-key, IP, or permissions for action."), 401));
    }
    match (method.as_str(), path) {
        ("POST", "/api/v3/order") => place(shared, &grant, &params),
        ("DELETE", "/api/v3/order") => cancel(core, &grant, &params),
        ("GET", "/api/v3/order") => {
            let state = core.state();
            let order = find(&state.desk, &grant, &params, -2013)?;
            Ok(words::order(&state.desk, order, core.faults.clock_offset(Exchange::Binance)))
        }
        ("GET", "/api/v3/openOrders") => Ok(open_orders(core, &grant, &params)),
        ("GET", "/api/v3/account") => Ok(words::account(&core.state().desk, &grant)),
        ("GET", "/api/v3/myTrades") => my_trades(core, &grant, &params),
        ("GET", "/api/v3/account/commission") => {
            let symbol = params.get("symbol").cloned().unwrap_or_default();
            Ok(words::commission(&core.state().desk, &grant, &symbol))
        }
        ("GET", "/sapi/v1/account/apiRestrictions") => Ok(json!({
            "ipRestrict": grant.key.is_ip_restricted, "createTime": 1_698_645_219_000_i64,
            "enableReading": true, "enableWithdrawals": grant.key.can_withdraw,
            "enableInternalTransfer": false, "enableMargin": false, "enableFutures": false,
            "permitsUniversalTransfer": false, "enableVanillaOptions": false,
            "enableFixApiTrade": false, "enableFixReadOnly": true,
            "enableSpotAndMarginTrading": grant.key.can_trade,
            "enablePortfolioMarginTrading": false,
        })),
        _ => Err((Refused::new(-1000, "Path not found."), 404)),
    }
}

fn granted(
    core: &Core,
    key: &str,
    payload: &str,
    params: &Params,
) -> Result<Grant, (Refused, u16)> {
    if key.is_empty() {
        return Err((Refused::new(-2014, "API-key format invalid."), 401));
    }
    let (unsigned, signature) =
        payload.split_once("&signature=").ok_or((mandatory("signature"), 400))?;
    let found = access::binance(&core.state().desk, key, unsigned, signature);
    let grant = found.map_err(|why| match why {
        Access::Signature => bad(-1022, "Signature for this request is not valid."),
        _ => (Refused::new(-2015, "Invalid API-key, IP, or permissions for action."), 401),
    })?;
    let at = integer(params, "timestamp").map_err(|e| (e, 400))?;
    let at = at.ok_or((mandatory("timestamp"), 400))?;
    let window = integer(params, "recvWindow").map_err(|e| (e, 400))?.unwrap_or(5_000);
    let now = core.now(Exchange::Binance) / 1_000_000;
    if at > now + 1_000 {
        let msg = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(bad(-1021, msg));
    }
    if now - at > window.clamp(1, WINDOW_MAX_MS) {
        return Err(bad(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(grant)
}

fn filter(name: &str) -> (Refused, u16) {
    (Refused::new(-1013, format!("Filter failure: {name}")), 400)
}

fn refusal(why: Refusal) -> (Refused, u16) {
    match why {
        Refusal::Price => filter("PRICE_FILTER"),
        Refusal::Quantity => filter("LOT_SIZE"),
        Refusal::Notional => filter("NOTIONAL"),
        Refusal::Funds => bad(-2010, "Account has insufficient balance for requested action."),
        Refusal::Duplicate => bad(-2010, "Duplicate order sent."),
        Refusal::WouldTake => bad(-2010, "Order would immediately match and take."),
        Refusal::Liquidity => bad(-2010, "No orders on opposite side of book."),
    }
}

fn asked(core: &Core, params: &Params) -> Result<Asked, (Refused, u16)> {
    let need = |name: &str| params.get(name).ok_or((mandatory(name), 400));
    let symbol = need("symbol")?;
    let state = core.state();
    let market = state.world.find(Exchange::Binance, symbol).ok_or((Refused::symbol(), 400))?;
    let spec = &state.desk.specs[market];
    let side = match need("side")?.as_str() {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(bad(-1117, "Invalid side.")),
    };
    let lots = units(need("quantity")?, spec.quantity_places).ok_or(filter("LOT_SIZE"))?;
    let limit = || -> Result<Kind, (Refused, u16)> {
        units(need("price")?, spec.price_places).map(Kind::Limit).ok_or(filter("PRICE_FILTER"))
    };
    let (kind, standing) = match (need("type")?.as_str(), params.get("timeInForce")) {
        ("MARKET", None) => (Kind::Market, Standing::Ioc),
        ("LIMIT_MAKER", None) => (limit()?, Standing::PostOnly),
        ("LIMIT", Some(life)) => {
            let standing = match life.as_str() {
                "GTC" => Standing::Gtc,
                "IOC" => Standing::Ioc,
                "FOK" => Standing::Fok,
                _ => return Err(bad(-1115, "Invalid timeInForce.")),
            };
            (limit()?, standing)
        }
        ("LIMIT", None) => return Err((mandatory("timeInForce"), 400)),
        ("MARKET" | "LIMIT_MAKER", Some(_)) => {
            return Err(bad(-1106, "Parameter 'timeInForce' sent when not required."));
        }
        _ => return Err(bad(-1116, "Invalid orderType.")),
    };
    let client_id = params.get("newClientOrderId").cloned().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if client_id.len() > 36 || !client_id.chars().all(is_name) {
        return Err(bad(-1100, "Illegal characters found in parameter 'newClientOrderId'."));
    }
    let reject_later = lie::rejects_later(core, Exchange::Binance, symbol);
    let quantity = lots;
    Ok(Asked { market, client_id, side, kind, quantity, standing, reject_later })
}

fn place(shared: &Shared, grant: &Grant, params: &Params) -> Answer {
    let core = &shared.core;
    let asked = asked(core, params)?;
    if shared.orders.iter().any(|b| b.spend(1).over) {
        let msg = "Too many new orders; current limit is 100 orders per 10 SECOND.";
        return Err((Refused::new(-1015, msg), 429));
    }
    let offset = core.faults.clock_offset(Exchange::Binance);
    core.act(Exchange::Binance, |desk, world, at| {
        match desk.place(world, at, grant.account, asked) {
            Ok((id, deeds)) => (Ok(words::placed(desk, grant.account, id, offset)), deeds),
            Err(why) => (Err(refusal(why)), Deeds::default()),
        }
    })
}

/// The newest order of that name: a name may be used again after its order has ended.
fn find<'a>(
    desk: &'a Desk,
    grant: &Grant,
    params: &Params,
    code: i32,
) -> Result<&'a crate::private::Order, (Refused, u16)> {
    let msg = if code == -2011 { "Unknown order sent." } else { "Order does not exist." };
    let symbol = params.get("symbol").ok_or((mandatory("symbol"), 400))?;
    let by_id = params.get("orderId").and_then(|id| id.parse::<u64>().ok());
    let name = params.get("origClientOrderId");
    let orders = desk.accounts[grant.account].orders.values();
    let found = orders.filter(|o| desk.specs[o.market].native == *symbol).rfind(|o| {
        by_id.is_some_and(|id| o.id == id) || name.is_some_and(|name| o.client_id == *name)
    });
    found.ok_or_else(|| bad(code, msg))
}

fn cancel(core: &Core, grant: &Grant, params: &Params) -> Answer {
    let offset = core.faults.clock_offset(Exchange::Binance);
    let symbol = params.get("symbol").cloned().unwrap_or_default();
    let late = lie::fills_late(core, Exchange::Binance, &symbol);
    core.act(Exchange::Binance, |desk, world, at| {
        let id = match find(desk, grant, params, -2011) {
            Ok(order) => order.id,
            Err(refused) => return (Err(refused), Deeds::default()),
        };
        match desk.cancel(world, at, grant.account, id, late) {
            Some(deeds) => {
                // As it stood when the cancel was taken: a late fill is not in it.
                let ended = deeds.events.iter().find_map(|e| e.order.clone());
                let value = ended.map(|order| words::cancelled(desk, &order, offset));
                (Ok(value.unwrap_or(Value::Null)), deeds)
            }
            None => (Err(bad(-2011, "Unknown order sent.")), Deeds::default()),
        }
    })
}

fn open_orders(core: &Core, grant: &Grant, params: &Params) -> Value {
    let state = core.state();
    let desk = &state.desk;
    let offset = core.faults.clock_offset(Exchange::Binance);
    let wanted = params.get("symbol");
    let orders = desk.accounts[grant.account].orders.values().filter(|o| o.is_open());
    orders
        .filter(|o| wanted.is_none_or(|w| desk.specs[o.market].native == *w))
        .map(|o| words::order(desk, o, offset))
        .collect()
}

fn my_trades(core: &Core, grant: &Grant, params: &Params) -> Answer {
    let state = core.state();
    let desk = &state.desk;
    let offset = core.faults.clock_offset(Exchange::Binance);
    let symbol = params.get("symbol").ok_or((mandatory("symbol"), 400))?;
    let number = |name| integer(params, name).map_err(|e| (e, 400));
    let (from, start, limit) = (number("fromId")?, number("startTime")?, number("limit")?);
    let limit = usize::try_from(limit.unwrap_or(500)).unwrap_or(0).clamp(1, ROWS_MAX);
    let fills = desk.accounts[grant.account].fills.iter();
    let rows = fills
        .filter(|f| desk.specs[f.market].native == *symbol)
        .filter(|f| from.is_none_or(|id| f.id >= id))
        .filter(|f| start.is_none_or(|at| (f.at + offset) / 1_000_000 >= at))
        .take(limit)
        .map(|f| words::my_trade(desk, f, offset));
    Ok(rows.collect())
}
