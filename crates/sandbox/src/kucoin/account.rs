//! KuCoin's private REST side: signed headers, high-frequency orders, errors with HTTP 200.

use super::words;
use crate::budget::{Budget, Windows};
use crate::core::Core;
use crate::http::{self, Spoiled};
use crate::model::book::Standing;
use crate::private::access::Signed;
use crate::private::entry::units;
use crate::private::{Access, Asked, Deeds, Grant, Kind, Order, Refusal, access, lie};
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

/// Weight of the spot pool in 30 s.
const WEIGHT_MAX: u64 = 4_000;
/// Rows of one list.
const ROWS_MAX: usize = 100;

type Params = HashMap<String, String>;
/// The data of an answer, or code and text of an error.
type Answer = Result<Value, (&'static str, String)>;

struct Shared {
    core: Arc<Core>,
    budget: Budget,
}

pub(super) fn routes(core: Arc<Core>) -> Router {
    let budget = Budget::new(WEIGHT_MAX, 30_000, Windows::FirstCall);
    let mut router = Router::new();
    for path in [
        "/api/v1/hf/orders",
        "/api/v1/hf/orders/{*rest}",
        "/api/v1/hf/fills",
        "/api/v1/accounts",
        "/api/v1/trade-fees",
        "/api/v1/user/api-key",
        "/api/v1/bullet-private",
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
    let call = format!("{method} {}", uri.path());
    let mut standing = shared.budget.spend(2);
    let spoiled = http::spoil(core, Exchange::Kucoin, &call, "").await;
    let mut response = match spoiled {
        Spoiled::Instead(response) => *response,
        Spoiled::TooMany(seconds) => {
            standing.reset_ms = seconds * 1_000;
            too_many()
        }
        Spoiled::No if standing.over => too_many(),
        Spoiled::No => {
            let honest = || {
                let text = String::from_utf8_lossy(&body);
                let asked = Call { method: &method, uri: &uri, headers: &headers, body: &text };
                let body = match asked.answer(core) {
                    Ok(data) => json!({"code": "200000", "data": data}),
                    Err((code, msg)) => json!({"code": code, "msg": msg}),
                };
                http::json(200, body.to_string())
            };
            match lie::unless(core, Exchange::Kucoin, &call, honest).await {
                Ok(response) => response,
                Err(lie) => return lie,
            }
        }
    };
    http::number(&mut response, "gw-ratelimit-limit", WEIGHT_MAX);
    let left = WEIGHT_MAX.saturating_sub(standing.used);
    http::number(&mut response, "gw-ratelimit-remaining", left);
    http::number(&mut response, "gw-ratelimit-reset", standing.reset_ms);
    http::date(&mut response, core.now(Exchange::Kucoin));
    response
}

fn too_many() -> Response {
    let msg = "Too many requests. System-level rate limit exceeded.";
    http::json(429, json!({"code": "429000", "msg": msg}).to_string())
}

fn wrong(code: &'static str, text: &str) -> (&'static str, String) {
    (code, text.to_owned())
}

fn missing() -> (&'static str, String) {
    wrong("400100", "order_not_exist_or_not_allow_to_cancel")
}

struct Call<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: &'a str,
}

impl Call<'_> {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    fn params(&self) -> Params {
        let pairs = self.uri.query().unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn grant(&self, core: &Core) -> Result<Grant, (&'static str, String)> {
        let target = self.uri.path_and_query().map_or("", |p| p.as_str());
        let payload = format!("{}{target}{}", self.method, self.body);
        let signed = Signed {
            key: self.header("kc-api-key"),
            passphrase: self.header("kc-api-passphrase"),
            timestamp: self.header("kc-api-timestamp"),
            signature: self.header("kc-api-sign"),
        };
        if !matches!(self.header("kc-api-key-version"), "2" | "3") {
            return Err(wrong("400001", "Please check the header of your request"));
        }
        let now = core.now(Exchange::Kucoin) / 1_000_000;
        access::kucoin(&core.state().desk, &signed, &payload, now).map_err(|why| match why {
            Access::Missing => wrong("400001", "Please check the header of your request"),
            Access::Unknown => wrong("400003", "KC-API-KEY not exists"),
            Access::Passphrase => wrong("400004", "Invalid KC-API-PASSPHRASE"),
            Access::Signature => wrong("400005", "Invalid KC-API-SIGN"),
            Access::Clock => wrong("400002", "Invalid KC-API-TIMESTAMP"),
        })
    }

    fn answer(&self, core: &Core) -> Answer {
        let grant = self.grant(core)?;
        let path = self.uri.path();
        let trades = path.starts_with("/api/v1/hf/orders") && *self.method != Method::GET;
        if trades && !grant.key.can_trade {
            return Err(wrong("400007", "Access denied, require more permission."));
        }
        let by_name = path.strip_prefix("/api/v1/hf/orders/client-order/");
        match (self.method.as_str(), path, by_name) {
            ("POST", "/api/v1/hf/orders", _) => self.place(core, &grant),
            ("DELETE", _, Some(name)) => self.cancel(core, &grant, name),
            ("GET", _, Some(name)) => {
                let state = core.state();
                let offset = core.faults.clock_offset(Exchange::Kucoin);
                let mut orders = state.desk.accounts[grant.account].orders.values();
                let found = orders.rfind(|o| o.client_id == name);
                let order = found.ok_or_else(|| wrong("400100", "order not exist"))?;
                Ok(words::order(&state.desk, order, offset))
            }
            ("GET", "/api/v1/hf/orders/active/symbols", _) => {
                let state = core.state();
                let desk = &state.desk;
                let open = desk.accounts[grant.account].orders.values().filter(|o| o.is_open());
                let mut names: Vec<_> = open.map(|o| &desk.specs[o.market].native).collect();
                names.sort();
                names.dedup();
                Ok(json!({"symbols": names}))
            }
            ("GET", "/api/v1/hf/orders/active", _) => Ok(self.active(core, &grant)),
            ("GET", "/api/v1/hf/fills", _) => Ok(self.fills(core, &grant)),
            ("GET", "/api/v1/accounts", _) => Ok(words::accounts(&core.state().desk, &grant)),
            ("GET", "/api/v1/trade-fees", _) => {
                let symbols = self.params().get("symbols").cloned().unwrap_or_default();
                let row = |symbol: &str| json!({"symbol": symbol, "takerFeeRate": "0.001", "makerFeeRate": "0.001"});
                Ok(symbols.split(',').map(row).collect())
            }
            ("GET", "/api/v1/user/api-key", _) => {
                let rights = [
                    ("General", true),
                    ("Spot", grant.key.can_trade),
                    ("Transfer", grant.key.can_withdraw),
                ];
                let names: Vec<_> = rights.iter().filter(|r| r.1).map(|r| r.0).collect();
                let list = if grant.key.is_ip_restricted { "127.0.0.1" } else { "" };
                Ok(json!({
                    "remark": "sandbox", "apiKey": grant.key.key, "apiVersion": 3,
                    "permission": names.join(","), "ipWhitelist": list,
                    "createdAt": 1_728_443_843_000_i64, "uid": 165_111_215, "isMaster": true,
                }))
            }
            ("POST", "/api/v1/bullet-private", _) => {
                let host = self.header("host");
                Ok(json!({"token": words::token(grant.account), "instanceServers": [{
                    "endpoint": format!("ws://{host}/classic"), "encrypt": false,
                    "protocol": "websocket", "pingInterval": 18000, "pingTimeout": 10000,
                }]}))
            }
            _ => Err(wrong("404000", "Url Not Found")),
        }
    }

    fn place(&self, core: &Core, grant: &Grant) -> Answer {
        let asked = self.asked(core)?;
        core.act(Exchange::Kucoin, |desk, world, at| {
            let name = asked.client_id.clone();
            match desk.place(world, at, grant.account, asked) {
                Ok((id, deeds)) => {
                    (Ok(json!({"orderId": words::order_id(id), "clientOid": name})), deeds)
                }
                Err(why) => (Err(refusal(why)), Deeds::default()),
            }
        })
    }

    fn asked(&self, core: &Core) -> Result<Asked, (&'static str, String)> {
        let order: Value = serde_json::from_str(self.body).unwrap_or_default();
        let text = |name: &str| order[name].as_str().unwrap_or_default();
        for retired in ["hidden", "iceberg", "visibleSize"] {
            if order.get(retired).is_some() {
                return Err(wrong("400413", "hidden and iceberg are not supported"));
            }
        }
        let state = core.state();
        let market = state.world.find(Exchange::Kucoin, text("symbol"));
        let market = market.ok_or_else(|| wrong("900001", "symbol not exists"))?;
        let spec = &state.desk.specs[market];
        let side = match text("side") {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(wrong("400100", "side is invalid")),
        };
        let quantity = units(text("size"), spec.quantity_places)
            .ok_or_else(|| wrong("300000", "The quantity is invalid."))?;
        let (kind, standing) = match (text("type"), text("timeInForce")) {
            ("market", _) => (Kind::Market, Standing::Ioc),
            ("limit", life) => {
                let price = units(text("price"), spec.price_places)
                    .ok_or_else(|| wrong("400100", "Price increment invalid."))?;
                let posts = order["postOnly"] == json!(true);
                let standing = match life {
                    "" | "GTC" if posts => Standing::PostOnly,
                    "" | "GTC" => Standing::Gtc,
                    "IOC" if !posts => Standing::Ioc,
                    "FOK" if !posts => Standing::Fok,
                    _ => return Err(wrong("400100", "timeInForce is invalid")),
                };
                (Kind::Limit(price), standing)
            }
            _ => return Err(wrong("400100", "type is invalid")),
        };
        let client_id = text("clientOid").to_owned();
        if client_id.len() > 40 {
            return Err(wrong("400100", "clientOid is invalid"));
        }
        let reject_later = lie::rejects_later(core, Exchange::Kucoin, text("symbol"));
        Ok(Asked { market, client_id, side, kind, quantity, standing, reject_later })
    }

    /// Only the request is acknowledged.
    fn cancel(&self, core: &Core, grant: &Grant, name: &str) -> Answer {
        let late = lie::fills_late(core, Exchange::Kucoin, "");
        core.act(Exchange::Kucoin, |desk, world, at| {
            let mut orders = desk.accounts[grant.account].orders.values();
            let found = orders.rfind(|o| o.client_id == name && o.is_open());
            let Some(id) = found.map(|o| o.id) else { return (Err(missing()), Deeds::default()) };
            match desk.cancel(world, at, grant.account, id, late) {
                Some(deeds) => (Ok(json!({"clientOid": name})), deeds),
                None => (Err(missing()), Deeds::default()),
            }
        })
    }

    fn active(&self, core: &Core, grant: &Grant) -> Value {
        let state = core.state();
        let (desk, params) = (&state.desk, self.params());
        let offset = core.faults.clock_offset(Exchange::Kucoin);
        let wanted = params.get("symbol").map(String::as_str).unwrap_or_default();
        let is_wanted = |o: &&Order| o.is_open() && desk.specs[o.market].native == wanted;
        let orders = desk.accounts[grant.account].orders.values();
        orders.filter(is_wanted).map(|o| words::order(desk, o, offset)).collect()
    }

    /// Newest first; `lastId` goes on below it.
    fn fills(&self, core: &Core, grant: &Grant) -> Value {
        let state = core.state();
        let (desk, params) = (&state.desk, self.params());
        let offset = core.faults.clock_offset(Exchange::Kucoin);
        let number = |name: &str| params.get(name).and_then(|v| v.parse::<i64>().ok());
        let (start, last) = (number("startAt"), number("lastId"));
        let (symbol, order) = (params.get("symbol"), params.get("orderId"));
        let fills = desk.accounts[grant.account].fills.iter().rev();
        let found: Vec<_> = fills
            .filter(|f| symbol.is_none_or(|s| desk.specs[f.market].native == *s))
            .filter(|f| order.is_none_or(|id| words::order_id(f.order) == *id))
            .filter(|f| start.is_none_or(|at| (f.at + offset) / 1_000_000 >= at))
            .filter(|f| last.is_none_or(|id| f.id < id))
            .take(ROWS_MAX)
            .collect();
        let last_id = found.last().map_or(0, |f| f.id);
        let items: Vec<Value> = found.iter().map(|f| words::fill(desk, f, offset)).collect();
        json!({"items": items, "lastId": last_id})
    }
}

fn refusal(why: Refusal) -> (&'static str, String) {
    match why {
        Refusal::Price => wrong("400370", "Price cap exceeded."),
        Refusal::Quantity => wrong("300000", "The quantity is invalid."),
        Refusal::Notional => wrong("600101", "The order funds should more then 0.1 USDT."),
        Refusal::Funds => wrong("200004", "Balance insufficient!"),
        Refusal::Duplicate => wrong("126044", "clientOid duplicate"),
        Refusal::WouldTake | Refusal::Liquidity => wrong("400100", "not enough liquidity"),
    }
}
