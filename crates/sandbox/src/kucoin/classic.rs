//! The classic socket: token, welcome, topics with comma lists, the client pings.

use super::uta::Manners;
use super::words;
use crate::core::{Core, user_stream};
use crate::hub::{Frame, Subscriptions};
use crate::link::{self, Dialogue, Reply};
use axum::Router;
use axum::extract::Query;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use domain::Exchange;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Symbols in one topic list.
const LIST_MAX: usize = 100;
/// Topics of one connection.
const TOPICS_MAX: usize = 300;
/// What bullet-public hands out; there is nothing to protect here.
pub(super) const TOKEN: &str = "sandbox-public-token";

const TOPICS: [&str; 6] = [
    "/market/ticker",
    "/market/level2",
    "/market/match",
    "/market/candles",
    "/spotMarket/level2Depth5",
    "/spotMarket/level2Depth50",
];

const PRIVATE_TOPICS: [&str; 2] = ["/spotMarket/tradeOrdersV2", "/account/balance"];

pub(super) fn routes(core: Arc<Core>) -> Router {
    Router::new().route(
        "/classic",
        get(move |ws: WebSocketUpgrade, query: Query<HashMap<String, String>>| async move {
            let talk = Talk {
                manners: Manners::new(core.heartbeat),
                connect_id: query.get("connectId").cloned().unwrap_or_default(),
                known: query.get("token").is_some_and(|t| t == TOKEN),
                account: query.get("token").and_then(|t| words::account(t)),
            };
            ws.on_upgrade(move |socket| link::run(socket, talk, core))
        }),
    )
}

struct Talk {
    manners: Manners,
    connect_id: String,
    known: bool,
    /// With a private token: whose.
    account: Option<usize>,
}

fn error(id: &Value, code: u32, data: &str) -> Reply {
    Reply::Say(json!({"id": id, "type": "error", "code": code, "data": data}).to_string())
}

impl Dialogue for Talk {
    const EXCHANGE: Exchange = Exchange::Kucoin;

    fn hello(&mut self) -> Vec<Reply> {
        if !self.known && self.account.is_none() {
            let id = json!(self.connect_id);
            let refusal = error(&id, 401, "token is expired");
            return vec![refusal, Reply::Close(1000, "token is expired")];
        }
        vec![Reply::Say(json!({"id": self.connect_id, "type": "welcome"}).to_string())]
    }

    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        if !self.manners.heard() {
            return vec![error(&id, 509, "exceed max permits per 10 seconds")];
        }
        match message["type"].as_str() {
            Some("ping") => {
                let timestamp = crate::clock::wall() / 1_000;
                let pong = json!({"id": id, "type": "pong", "timestamp": timestamp});
                vec![Reply::Say(pong.to_string())]
            }
            Some(kind @ ("subscribe" | "unsubscribe")) => {
                let topic = message["topic"].as_str().unwrap_or_default();
                let quiet = message["response"] == json!(false);
                let changed = match self.account.filter(|_| PRIVATE_TOPICS.contains(&topic)) {
                    Some(account) => {
                        subs.add(&user_stream(account), 0);
                        Ok(())
                    }
                    None => change(topic, kind == "subscribe", subs),
                };
                match changed {
                    Ok(()) if quiet => Vec::new(),
                    Ok(()) => vec![Reply::Say(json!({"id": id, "type": "ack"}).to_string())],
                    Err((code, text)) => vec![error(&id, code, text)],
                }
            }
            _ => vec![error(&id, 400, "invalid message")],
        }
    }

    fn control(&mut self, _pong: bool) -> Vec<Reply> {
        Vec::new()
    }

    fn tick(&mut self) -> Vec<Reply> {
        if self.manners.is_asleep() { vec![Reply::Close(1000, "Bye")] } else { Vec::new() }
    }

    fn wrap(&self, frame: &Frame) -> String {
        frame.body.clone()
    }

    fn crossed(text: &str) -> Option<String> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        let data = value.get_mut("data")?;
        let changes = if data.get("changes").is_some() { data.get_mut("changes")? } else { data };
        let bids = changes.get_mut("bids")?.as_array_mut()?;
        bids.insert(0, json!(["9999999", "1", "99999999999"]));
        Some(value.to_string())
    }
}

fn change(topic: &str, on: bool, subs: &mut Subscriptions) -> Result<(), (u32, &'static str)> {
    let missing = (404, "topic does not exist");
    let (head, list) = topic.split_once(':').ok_or(missing)?;
    if !TOPICS.contains(&head) {
        return Err(missing);
    }
    let keys: Vec<String> = list.split(',').map(|s| format!("{head}:{s}")).collect();
    if keys.len() > LIST_MAX || (on && subs.len() + keys.len() > TOPICS_MAX) {
        return Err((509, "exceed max subscription count limitation of 100 per session"));
    }
    for key in keys {
        if on {
            subs.add(&key, 0);
        } else {
            subs.remove(&key);
        }
    }
    Ok(())
}
