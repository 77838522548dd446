//! The heartbeat: not stored, repeats the last cursor.

use crate::access::now;
use crate::state::AppState;
use serde_json::{Value, json};

/// As a frame. A core that does not answer is said so: the heart of the server still beats.
pub(super) async fn text(state: &AppState, cursor: &str) -> String {
    let health = state.health.load();
    let fleet = state.core.query(|engine| engine.fleet()).await;
    let engine = match &fleet {
        Ok(_) => "answers".to_owned(),
        Err(error) => error.to_string(),
    };
    let fleet = fleet.ok();
    let figure = |of: fn(&engine::view::FleetView) -> u64| fleet.as_ref().map(of);
    let at = now();
    let data = json!({
        "time": at,
        "active_bots": figure(|f| u64::from(f.bots_active)),
        "feeds_fresh": figure(|f| u64::from(f.feeds_fresh)),
        "feeds_stale": figure(|f| u64::from(f.feeds_stale)),
        "trades_today": figure(|f| f.trades_today),
        "lag_ms": health.lag_ms,
        "last_commit_at": health.last_commit_at,
        "engine": engine,
    });
    json!({
        "cursor": cursor,
        "seq": Value::Null,
        "at": at,
        "type": "heartbeat",
        "account_id": Value::Null,
        "data": data,
    })
    .to_string()
}
