//! The WebSocket API, as far as the user stream needs it.

use super::words;
use crate::core::{Core, user_stream};
use crate::hub::{Frame, Subscriptions};
use crate::link::{self, Dialogue, Reply};
use crate::private::access;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use domain::Exchange;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

pub(super) fn routes(core: Arc<Core>) -> Router {
    Router::new().route(
        "/ws-api/v3",
        get(move |ws: WebSocketUpgrade| async move {
            let talk = Talk { core: Arc::clone(&core), pinged_at: Instant::now() };
            ws.on_upgrade(move |socket| link::run(socket, talk, core))
        }),
    )
}

struct Talk {
    core: Arc<Core>,
    pinged_at: Instant,
}

fn fault(id: &Value, status: u16, code: i64, msg: &str) -> Value {
    json!({"id": id, "status": status, "error": {"code": code, "msg": msg}})
}

impl Dialogue for Talk {
    const EXCHANGE: Exchange = Exchange::Binance;

    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let id = message["id"].clone();
        let answer = match message["method"].as_str() {
            Some("userDataStream.subscribe.signature") => {
                self.subscribe(&id, &message["params"], subs)
            }
            Some("ping") => json!({"id": id, "status": 200, "result": {}}),
            // Removed in 2026, with the listen keys.
            Some("userDataStream.start") => fault(&id, 410, -1000, "This method was removed."),
            _ => fault(&id, 400, -1020, "This operation is not supported."),
        };
        vec![Reply::Say(answer.to_string())]
    }

    fn control(&mut self, _pong: bool) -> Vec<Reply> {
        Vec::new()
    }

    fn tick(&mut self) -> Vec<Reply> {
        if self.pinged_at.elapsed() < self.core.heartbeat {
            return Vec::new();
        }
        self.pinged_at = Instant::now();
        vec![Reply::Ping(crate::clock::wall().to_string().into_bytes())]
    }

    fn wrap(&self, frame: &Frame) -> String {
        frame.body.clone()
    }

    fn crossed(_text: &str) -> Option<String> {
        None
    }
}

impl Talk {
    /// Signed over its parameters in alphabetic order.
    fn subscribe(&self, id: &Value, params: &Value, subs: &mut Subscriptions) -> Value {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let entries = params.as_object().into_iter().flatten();
        let mut pairs: Vec<String> = entries
            .filter(|(name, _)| *name != "signature")
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        pairs.sort();
        let given = words::parameters(&pairs.join("&"));
        let key = given.get("apiKey").cloned().unwrap_or_default();
        let signature = params["signature"].as_str().unwrap_or_default();
        let now = self.core.now(Exchange::Binance) / 1_000_000;
        let at: i64 = given.get("timestamp").and_then(|t| t.parse().ok()).unwrap_or_default();
        if (now - at).abs() > 5_000 {
            let msg = "Timestamp for this request is outside of the recvWindow.";
            return fault(id, 400, -1021, msg);
        }
        let state = self.core.state();
        match access::binance(&state.desk, &key, &pairs.join("&"), signature) {
            Ok(grant) => {
                subs.add(&user_stream(grant.account), 0);
                json!({"id": id, "status": 200, "result": {"subscriptionId": 0}})
            }
            Err(access::Access::Signature) => {
                fault(id, 400, -1022, "Signature for this request is not valid.")
            }
            Err(_) => fault(id, 401, -2015, "Invalid API-key, IP, or permissions for action."),
        }
    }
}
