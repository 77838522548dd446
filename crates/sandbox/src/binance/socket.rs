//! Binance's stream sockets: `/ws`, `/ws/<stream>/…`, `/stream?streams=…`.

use super::frames;
use crate::core::Core;
use crate::hub::{Frame, Subscriptions};
use crate::link::{self, Dialogue, Reply};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::get;
use domain::Exchange;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Incoming messages a second, pings and pongs included.
const MESSAGES_MAX: usize = 5;
/// Streams of one connection.
const STREAMS_MAX: usize = 1_024;
/// A socket that leaves this many pings unanswered is dropped (60 s of 20 s pings).
const UNANSWERED_MAX: u32 = 3;

pub(super) fn routes(core: Arc<Core>) -> Router {
    let (raw, list, combined) = (Arc::clone(&core), Arc::clone(&core), core);
    Router::new()
        .route("/ws", get(move |ws: WebSocketUpgrade| async move { open(ws, raw, false, "") }))
        .route(
            "/ws/{*streams}",
            get(move |ws: WebSocketUpgrade, Path(streams): Path<String>| async move {
                open(ws, list, false, &streams)
            }),
        )
        .route(
            "/stream",
            get(move |ws: WebSocketUpgrade, query: Query<HashMap<String, String>>| async move {
                let streams = query.get("streams").map(String::as_str).unwrap_or_default();
                open(ws, combined, true, streams)
            }),
        )
}

fn open(ws: WebSocketUpgrade, core: Arc<Core>, combined: bool, streams: &str) -> Response {
    let wanted: Vec<String> =
        streams.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let talk = Talk {
        combined,
        wanted,
        heard_at: VecDeque::new(),
        heartbeat: core.heartbeat,
        pinged_at: Instant::now(),
        unanswered: 0,
    };
    ws.on_upgrade(move |socket| link::run(socket, talk, core))
}

struct Talk {
    combined: bool,
    /// Streams of the URL, subscribed to with the first breath.
    wanted: Vec<String>,
    heard_at: VecDeque<Instant>,
    heartbeat: Duration,
    pinged_at: Instant,
    unanswered: u32,
}

impl Dialogue for Talk {
    const EXCHANGE: Exchange = Exchange::Binance;

    fn joined(&mut self, subs: &mut Subscriptions) {
        for stream in std::mem::take(&mut self.wanted).iter().take(STREAMS_MAX) {
            subs.add(stream, 0);
        }
    }

    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply> {
        if self.too_fast() {
            return vec![Reply::Close(1008, "Too many requests")];
        }
        vec![Reply::Say(self.command(text, subs).to_string())]
    }

    fn control(&mut self, pong: bool) -> Vec<Reply> {
        if pong {
            self.unanswered = 0;
        }
        if self.too_fast() { vec![Reply::Close(1008, "Too many requests")] } else { Vec::new() }
    }

    fn tick(&mut self) -> Vec<Reply> {
        if self.pinged_at.elapsed() < self.heartbeat {
            return Vec::new();
        }
        if self.unanswered >= UNANSWERED_MAX {
            return vec![Reply::Close(1008, "Pong timeout")];
        }
        self.pinged_at = Instant::now();
        self.unanswered += 1;
        vec![Reply::Ping(crate::clock::wall().to_string().into_bytes())]
    }

    fn wrap(&self, frame: &Frame) -> String {
        if self.combined {
            return format!(r#"{{"stream":"{}","data":{}}}"#, frame.key, frame.body);
        }
        frame.body.clone()
    }

    fn crossed(text: &str) -> Option<String> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        let data = if value.get("data").is_some() { value.get_mut("data")? } else { &mut value };
        if data.get("B").is_some() {
            swap(data, "b", "a");
            return Some(value.to_string());
        }
        // A bid far above everything: whatever the client's book, it is crossed afterwards.
        let bids = if data.get("bids").is_some() { "bids" } else { "b" };
        data.get_mut(bids)?.as_array_mut()?.insert(0, json!(["9999999.00000000", "1.00000000"]));
        Some(value.to_string())
    }
}

fn swap(data: &mut Value, one: &str, other: &str) {
    let (a, b) = (data[one].take(), data[other].take());
    data[one] = b;
    data[other] = a;
}

impl Talk {
    fn too_fast(&mut self) -> bool {
        let now = Instant::now();
        self.heard_at.push_back(now);
        while self.heard_at.front().is_some_and(|t| now - *t >= Duration::from_secs(1)) {
            self.heard_at.pop_front();
        }
        self.heard_at.len() > MESSAGES_MAX
    }

    fn command(&mut self, text: &str, subs: &mut Subscriptions) -> Value {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return json!({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"});
        };
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            let column = text.len();
            let msg = format!("Invalid request: missing field `method` at line 1 column {column}");
            return json!({"code": 2, "msg": msg});
        };
        let params = message.get("params").and_then(Value::as_array);
        let names = || params.into_iter().flatten().filter_map(Value::as_str);
        match method {
            "SUBSCRIBE" => {
                if names().any(|n| !well_formed(n)) {
                    return json!({"code": 2, "msg": "Invalid request: invalid stream", "id": id});
                }
                if subs.len() + names().count() > STREAMS_MAX {
                    return json!({"code": 2, "msg": "Invalid request: too many streams"});
                }
                names().for_each(|n| subs.add(n, 0));
                json!({"result": null, "id": id})
            }
            "UNSUBSCRIBE" => {
                names().for_each(|n| subs.remove(n));
                json!({"result": null, "id": id})
            }
            "LIST_SUBSCRIPTIONS" => json!({"result": subs.names(), "id": id}),
            "SET_PROPERTY" => {
                if let Some(combined) = params.and_then(|p| p.get(1)).and_then(Value::as_bool) {
                    self.combined = combined;
                }
                json!({"result": null, "id": id})
            }
            "GET_PROPERTY" => json!({"result": self.combined, "id": id}),
            _ => {
                let msg = format!("Invalid request: unknown variant `{method}`");
                json!({"code": 2, "msg": msg})
            }
        }
    }
}

/// Whether a stream name has the shape of one; an unknown symbol is taken and stays silent, as
/// on the real exchange.
fn well_formed(name: &str) -> bool {
    let Some((_, kind)) = name.split_once('@') else { return name.starts_with('!') };
    kind.strip_prefix("kline_").is_none_or(|i| frames::interval(i).is_some())
}
