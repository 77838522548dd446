//! The control port: faults by HTTP, how the sandbox is doing, and the truth about accounts.

use crate::core::Core;
use crate::faults::FaultSpec;
use crate::http;
use crate::private::Deeds;
use crate::private::desk::Account;
use crate::truth::{TrueOrder, true_orders};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get};
use domain::{Amount, Exchange};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/faults", get(list).post(add).delete(clear))
        .route("/faults/{id}", delete(remove))
        .route("/status", get(status))
        .route("/orders/{exchange}/{client_id}", get(orders))
        .route("/accounts/{exchange}", get(accounts).post(deposited))
        .with_state(core)
}

async fn add(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let refuse = |text: String| http::json(400, json!({"error": text}).to_string());
    let spec: FaultSpec = match serde_json::from_slice(&body) {
        Ok(spec) => spec,
        Err(error) => return refuse(format!("not a fault: {error}")),
    };
    match core.faults.add(spec) {
        Ok(id) => http::json(201, json!({"id": id}).to_string()),
        Err(error) => refuse(error.to_string()),
    }
}

async fn list(State(core): State<Arc<Core>>) -> Response {
    http::json(200, json!({"faults": core.faults.list()}).to_string())
}

async fn clear(State(core): State<Arc<Core>>) -> Response {
    core.faults.clear();
    http::json(200, json!({"faults": []}).to_string())
}

async fn remove(State(core): State<Arc<Core>>, Path(id): Path<u64>) -> Response {
    let status = if core.faults.remove(id) { 200 } else { 404 };
    http::json(status, json!({"faults": core.faults.list()}).to_string())
}

async fn status(State(core): State<Arc<Core>>) -> Response {
    let exchanges: Vec<Value> = Exchange::ALL.map(|e| exchange(&core, e)).into();
    let state = core.state();
    let body = json!({
        "now_ms": state.reached / 1_000_000,
        "speed": core.clock.speed(),
        "regime": state.world.regime(),
        "tape": state.world.markets().iter().find(|m| m.is_taped()).map(|m| &m.spec.native),
        "exchanges": exchanges,
        "faults": core.faults.list(),
    });
    drop(state);
    http::json(200, body.to_string())
}

/// How many real orders a name has made, and what became of them.
async fn orders(
    State(core): State<Arc<Core>>,
    Path((exchange, client_id)): Path<(String, String)>,
) -> Response {
    let Some(exchange) = Exchange::parse(&exchange) else { return nowhere() };
    let found = true_orders(&core.state().desk, exchange, |name| name == client_id);
    let row = |o: &TrueOrder| {
        json!({
            "client_id": o.client_id, "quantity": o.quantity, "filled": o.filled,
            "is_open": o.is_open, "is_rejected": o.is_rejected,
        })
    };
    let rows: Vec<Value> = found.iter().map(row).collect();
    http::json(200, json!({"orders": rows}).to_string())
}

fn nowhere() -> Response {
    http::json(404, json!({"error": "no such exchange or key"}).to_string())
}

/// What the accounts of an exchange have.
async fn accounts(State(core): State<Arc<Core>>, Path(exchange): Path<String>) -> Response {
    let Some(exchange) = Exchange::parse(&exchange) else { return nowhere() };
    let state = core.state();
    let own = state.desk.accounts.iter().filter(|a| a.spec.exchange == exchange);
    let row = |a: &Account| {
        let funds: Vec<Value> = a
            .purse
            .all()
            .map(|(asset, f)| json!({"asset": asset, "free": f.free, "held": f.held}))
            .collect();
        let keys: Vec<&String> = a.spec.keys.iter().map(|k| &k.key).collect();
        json!({"keys": keys, "balances": funds, "fills": a.fills.len()})
    };
    let rows: Vec<Value> = own.map(row).collect();
    drop(state);
    http::json(200, json!({"accounts": rows}).to_string())
}

/// A deposit, or with an amount below zero a withdrawal.
async fn deposited(
    State(core): State<Arc<Core>>,
    Path(exchange): Path<String>,
    body: Bytes,
) -> Response {
    #[derive(serde::Deserialize)]
    struct Deposit {
        key: String,
        asset: String,
        amount: Amount,
    }
    let Some(exchange) = Exchange::parse(&exchange) else { return nowhere() };
    let Ok(Deposit { key, asset, amount }) = serde_json::from_slice(&body) else {
        return http::json(400, json!({"error": "key, asset and amount are needed"}).to_string());
    };
    match deposit(&core, exchange, &key, &asset, amount) {
        true => http::json(201, json!({"asset": asset, "amount": amount}).to_string()),
        false => nowhere(),
    }
}

/// Money from outside; false where no account has this key.
pub(crate) fn deposit(
    core: &Core,
    exchange: Exchange,
    key: &str,
    asset: &str,
    amount: Amount,
) -> bool {
    core.act(exchange, |desk, _, at| match desk.account(exchange, key) {
        Some(account) => (true, desk.deposit(account, asset, amount, at)),
        None => (false, Deeds::default()),
    })
}

fn exchange(core: &Core, exchange: Exchange) -> Value {
    let state = core.state();
    let own = state.world.markets().iter().filter(|m| m.spec.exchange == exchange);
    let markets: Vec<Value> = own
        .map(|m| {
            json!({
                "symbol": m.spec.native, "sequence": m.board.seq, "prints": m.board.next_print - m.board.first_print,
                "changed_ms": m.board.changed_at / 1_000_000,
            })
        })
        .collect();
    drop(state);
    json!({
        "exchange": exchange, "sockets": core.hub(exchange).listeners(), "markets": markets,
        "clock_offset_ms": core.faults.clock_offset(exchange) / 1_000_000,
    })
}
