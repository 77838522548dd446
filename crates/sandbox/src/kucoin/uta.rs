//! The UTA push socket: binary frames, one symbol per subscription, the client pings.

use super::frames;
use crate::core::Core;
use crate::hub::{Frame, Subscriptions};
use crate::link::{self, Dialogue, Reply};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use domain::Exchange;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Client messages in ten seconds.
const MESSAGES_MAX: usize = 100;
/// Topics of one connection.
const TOPICS_MAX: usize = 200;
/// A client is dropped after this many heartbeats without a word (60 s of 20 s).
const SILENCE_MAX: u32 = 3;

pub(super) fn routes(core: Arc<Core>) -> Router {
    Router::new().route(
        "/",
        get(move |ws: WebSocketUpgrade| async move {
            let talk = Talk::new(Arc::clone(&core));
            ws.on_upgrade(move |socket| link::run(socket, talk, core))
        }),
    )
}

/// Counts what a client says: both sockets have the same two rules.
pub(super) struct Manners {
    heard_at: VecDeque<Instant>,
    spoke_at: Instant,
    patience: Duration,
}

impl Manners {
    pub(super) fn new(heartbeat: Duration) -> Self {
        let patience = heartbeat * SILENCE_MAX;
        Self { heard_at: VecDeque::new(), spoke_at: Instant::now(), patience }
    }

    /// Notes a message; false when there were too many in ten seconds.
    pub(super) fn heard(&mut self) -> bool {
        let now = Instant::now();
        self.spoke_at = now;
        self.heard_at.push_back(now);
        while self.heard_at.front().is_some_and(|t| now - *t > Duration::from_secs(10)) {
            self.heard_at.pop_front();
        }
        self.heard_at.len() <= MESSAGES_MAX
    }

    /// Whether the client has been silent for too long, whatever it receives.
    pub(super) fn is_asleep(&self) -> bool {
        self.spoke_at.elapsed() > self.patience
    }
}

struct Talk {
    core: Arc<Core>,
    manners: Manners,
}

impl Talk {
    fn new(core: Arc<Core>) -> Self {
        let manners = Manners::new(core.heartbeat);
        Self { core, manners }
    }
}

impl Dialogue for Talk {
    const EXCHANGE: Exchange = Exchange::Kucoin;
    const BINARY: bool = true;

    fn hello(&mut self) -> Vec<Reply> {
        let id = format!("{:032x}", crate::clock::wall());
        let welcome = json!({"sessionId": id, "message": "welcome", "pingInterval": 18000});
        vec![Reply::Say(welcome.to_string())]
    }

    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply> {
        if !self.manners.heard() {
            return vec![Reply::Close(1008, "too many messages")];
        }
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            let refusal = json!({"result": false, "message": "invalid request data"});
            return vec![Reply::Say(refusal.to_string())];
        };
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        if message["type"] == "ping" {
            let ts = self.core.now(Exchange::Kucoin);
            return vec![Reply::Say(json!({"type": "pong", "id": id, "ts": ts}).to_string())];
        }
        match self.subscribe(&message, subs) {
            Ok(snapshots) => {
                let ack = json!({"id": id, "result": true}).to_string();
                std::iter::once(ack).chain(snapshots).map(Reply::Say).collect()
            }
            Err(text) => {
                let refusal = json!({"id": id, "result": false, "message": text});
                vec![Reply::Say(refusal.to_string())]
            }
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
        let bids = value.get_mut("d")?.get_mut("b")?.as_array_mut()?;
        bids.insert(0, json!(["9999999", "1"]));
        Some(value.to_string())
    }
}

impl Talk {
    fn subscribe(
        &self,
        message: &Value,
        subs: &mut Subscriptions,
    ) -> Result<Vec<String>, &'static str> {
        const INVALID: &str = "invalid request data";
        let field = |name: &str| message.get(name).and_then(Value::as_str);
        let on = match field("action").map(str::to_uppercase).as_deref() {
            Some("SUBSCRIBE") => true,
            Some("UNSUBSCRIBE") => false,
            _ => return Err(INVALID),
        };
        if field("tradeType") != Some("SPOT") {
            return Err(INVALID);
        }
        let symbol = field("symbol").ok_or(INVALID)?;
        let channel = field("channel").ok_or(INVALID)?;
        let key = match channel {
            "obu" => match field("depth") {
                Some(d @ ("1" | "5" | "50" | "increment@10ms")) => format!("uta/obu/{d}/{symbol}"),
                _ => return Err(INVALID),
            },
            "trade" | "ticker" => format!("uta/{channel}/{symbol}"),
            "kline" => {
                let interval = field("interval").filter(|i| frames::interval(i).is_some());
                format!("uta/kline/{}/{symbol}", interval.ok_or(INVALID)?)
            }
            _ => return Err(INVALID),
        };
        if !on {
            subs.remove(&key);
            return Ok(Vec::new());
        }
        if subs.len() >= TOPICS_MAX {
            return Err("exceed max topics");
        }
        Ok(self.join(&key, symbol, subs))
    }

    /// Subscribes and, for the increments, takes the snapshot that they continue. An unknown
    /// symbol is acknowledged and stays silent, as on the real socket.
    fn join(&self, key: &str, symbol: &str, subs: &mut Subscriptions) -> Vec<String> {
        let now = self.core.now(Exchange::Kucoin);
        let state = self.core.state();
        let index = state.world.find(Exchange::Kucoin, symbol);
        let market = index.and_then(|i| state.world.markets().get(i));
        let Some(market) = market.filter(|_| key.contains("increment")) else {
            subs.add(key, 0);
            return Vec::new();
        };
        // Increments go out at the end of every stretch, so none is half sent now.
        subs.add(key, market.board.seq);
        vec![frames::increment_snapshot(market, now)]
    }
}
