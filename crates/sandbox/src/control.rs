//! The control port: faults by HTTP, and how the sandbox is doing.

use crate::core::Core;
use crate::faults::FaultSpec;
use crate::http;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get};
use domain::Exchange;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/faults", get(list).post(add).delete(clear))
        .route("/faults/{id}", delete(remove))
        .route("/status", get(status))
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

fn exchange(core: &Core, exchange: Exchange) -> Value {
    let state = core.state();
    let own = state.world.markets().iter().filter(|m| m.spec.exchange == exchange);
    let markets: Vec<Value> = own
        .map(|m| {
            json!({
                "symbol": m.spec.native, "sequence": m.board.seq, "prints": m.board.next_print - 1,
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
