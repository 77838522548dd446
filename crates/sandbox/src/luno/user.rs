//! Luno's user stream: credentials first, no snapshot, totals instead of trade ids.

use super::account::{account_id, status};
use super::words::{self, millis};
use crate::core::{Core, user_stream};
use crate::hub::{Frame, Subscriptions};
use crate::link::{self, Dialogue, Reply};
use crate::private::{Desk, Event, News, access, funds};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use domain::{Amount, Exchange};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

pub(super) fn routes(core: Arc<Core>) -> Router {
    Router::new().route(
        "/api/1/userstream",
        get(move |ws: WebSocketUpgrade| async move {
            let talk = Talk { core: Arc::clone(&core), is_known: false, pinged_at: Instant::now() };
            ws.on_upgrade(move |socket| link::run(socket, talk, core))
        }),
    )
}

struct Talk {
    core: Arc<Core>,
    is_known: bool,
    pinged_at: Instant,
}

impl Dialogue for Talk {
    const EXCHANGE: Exchange = Exchange::Luno;

    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply> {
        // Later texts are keepalives.
        if self.is_known {
            return Vec::new();
        }
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let part = |name: &str| message[name].as_str().unwrap_or_default();
        let state = self.core.state();
        let found = access::luno(&state.desk, part("api_key_id"), part("api_key_secret"));
        let Ok(grant) = found else {
            let error = "you provided an invalid credentials message";
            let body = json!({"error_code": "invalid_credentials", "error": error});
            return vec![Reply::Say(body.to_string()), Reply::Close(1000, "")];
        };
        self.is_known = true;
        subs.add(&user_stream(grant.account), 0);
        Vec::new()
    }

    fn control(&mut self, _pong: bool) -> Vec<Reply> {
        Vec::new()
    }

    fn tick(&mut self) -> Vec<Reply> {
        if self.pinged_at.elapsed() < self.core.heartbeat {
            return Vec::new();
        }
        self.pinged_at = Instant::now();
        vec![Reply::Ping(Vec::new()), Reply::Say("\"\"".to_owned())]
    }

    fn wrap(&self, frame: &Frame) -> String {
        frame.body.clone()
    }

    fn crossed(_text: &str) -> Option<String> {
        None
    }
}

/// What the user stream says of an event.
pub(crate) fn tell(desk: &Desk, event: &Event, offset: i64) -> Vec<String> {
    let at = millis(event.at + offset);
    let mut out = Vec::new();
    if let Some(order) = &event.order {
        let spec = &desk.specs[order.market];
        let ids = json!({
            "order_id": words::order_id(order.id), "client_order_id": order.client_id,
            "market_id": spec.native,
        });
        if let News::Fill(fill) = &event.news {
            let mut update = ids.clone();
            let (base, counter) =
                if fill.fee_in_base { (fill.fee, Amount::ZERO) } else { (Amount::ZERO, fill.fee) };
            update["base_fill"] = funds::base(spec, order.filled).to_string().into();
            update["counter_fill"] = order.quote.to_string().into();
            update["base_delta"] = funds::base(spec, fill.quantity).to_string().into();
            update["counter_delta"] = fill.value.to_string().into();
            update["base_fee"] = order.fees.0.to_string().into();
            update["counter_fee"] = order.fees.1.to_string().into();
            update["base_fee_delta"] = base.to_string().into();
            update["counter_fee_delta"] = counter.to_string().into();
            out.push(envelope("order_fill", "order_fill_update", update, at));
        } else {
            let mut update = ids;
            update["status"] = status(order).into();
            out.push(envelope("order_status", "order_status_update", update, at));
        }
    }
    for (asset, funds, moved) in &event.balances {
        let update = json!({
            "account_id": account_id(desk, event.account, asset), "row_index": 1,
            "balance": (funds.free + funds.held).to_string(), "balance_delta": moved.to_string(),
            "available": funds.free.to_string(), "available_delta": moved.to_string(),
        });
        out.push(envelope("balance_update", "balance_update", update, at));
    }
    out
}

fn envelope(kind: &str, field: &str, update: Value, at: i64) -> String {
    let mut value = json!({
        "type": kind, "timestamp": at, "order_status_update": null, "order_fill_update": null,
        "balance_update": null,
    });
    value[field] = update;
    value.to_string()
}
