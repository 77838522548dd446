//! The market stream: credentials first, then the whole book, then every change.

use super::feed;
use crate::core::Core;
use crate::hub::{Frame, Subscriptions};
use crate::link::{self, Dialogue, Reply};
use axum::Router;
use axum::extract::Path;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use domain::Exchange;
use serde_json::{Value, json};
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sessions at a time.
const SESSIONS_MAX: usize = 50;

pub(super) fn routes(core: Arc<Core>) -> Router {
    Router::new().route(
        "/api/1/stream/{pair}",
        get(move |ws: WebSocketUpgrade, Path(pair): Path<String>| async move {
            let now = Instant::now();
            let talk = Talk {
                core: Arc::clone(&core),
                pair,
                opened_at: now,
                is_known: false,
                pinged_at: now,
                spoke_at: Cell::new(now),
            };
            ws.on_upgrade(move |socket| link::run(socket, talk, core))
        }),
    )
}

struct Talk {
    core: Arc<Core>,
    pair: String,
    opened_at: Instant,
    is_known: bool,
    pinged_at: Instant,
    spoke_at: Cell<Instant>,
}

fn refuse(code: &str, text: &str) -> Vec<Reply> {
    let body = json!({"error_code": code, "error": text});
    vec![Reply::Say(body.to_string()), Reply::Close(1000, "")]
}

impl Dialogue for Talk {
    const EXCHANGE: Exchange = Exchange::Luno;

    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply> {
        // Later texts are keepalives.
        if self.is_known {
            return Vec::new();
        }
        if !credentials(text) {
            return refuse("invalid_credentials", "you provided an invalid credentials message");
        }
        if self.core.hub(Exchange::Luno).listeners() > SESSIONS_MAX {
            return refuse("session_limit_exceeded", "session limit exceeded");
        }
        self.is_known = true;
        let offset = self.core.faults.clock_offset(Exchange::Luno);
        let state = self.core.state();
        let index = state.world.find(Exchange::Luno, &self.pair);
        let Some((index, market)) = index.and_then(|i| Some((i, state.world.markets().get(i)?)))
        else {
            return refuse("invalid_market", &self.pair);
        };
        let sequence = state.luno.sequence(index);
        subs.add(&self.pair, sequence);
        vec![Reply::Say(feed::snapshot(market, sequence, offset))]
    }

    fn control(&mut self, _pong: bool) -> Vec<Reply> {
        Vec::new()
    }

    fn tick(&mut self) -> Vec<Reply> {
        let heartbeat = self.core.heartbeat;
        // Ten seconds of a twenty-second heartbeat.
        if !self.is_known && self.opened_at.elapsed() > heartbeat / 2 {
            return refuse("auth_timeout", "you took too long to provide credentials");
        }
        let mut out = Vec::new();
        // 13.5 s of 20 s.
        if self.pinged_at.elapsed() > ping_pace(heartbeat) {
            self.pinged_at = Instant::now();
            out.push(Reply::Ping(Vec::new()));
        }
        if self.is_known && self.spoke_at.get().elapsed() > heartbeat {
            self.spoke_at.set(Instant::now());
            out.push(Reply::Say("\"\"".to_owned()));
        }
        out
    }

    fn wrap(&self, frame: &Frame) -> String {
        self.spoke_at.set(Instant::now());
        frame.body.clone()
    }

    /// An order that crosses the whole book.
    fn crossed(text: &str) -> Option<String> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        value["delete_update"] = Value::Null;
        value["create_update"] = json!({
            "order_id": "BXCROSSEDCROSSE", "type": "BID", "price": "99999999.00", "volume": "1.00",
        });
        Some(value.to_string())
    }
}

fn ping_pace(heartbeat: Duration) -> Duration {
    heartbeat * 27 / 40
}

/// Whether a text is a credentials message: any key pair will do, but there must be one.
fn credentials(text: &str) -> bool {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    let given = |name: &str| message[name].as_str().is_some_and(|v| !v.is_empty());
    given("api_key_id") && given("api_key_secret")
}
