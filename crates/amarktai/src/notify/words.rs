//! What an event means to a person: whether it is told at all, in which words, and how urgently.

use domain::{AccountId, EventKind, Timestamp};
use serde_json::Value;
use storage::EventRow;

/// The events that are looked at.
pub(super) const KINDS: [EventKind; 9] = [
    EventKind::EmergencyStop,
    EventKind::RiskStop,
    EventKind::CircuitBreaker,
    EventKind::BotPaused,
    EventKind::BotStopped,
    EventKind::Fill,
    EventKind::Alert,
    EventKind::SelfHealing,
    EventKind::LiveGate,
];

/// Something to tell, whoever is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) account_id: Option<AccountId>,
    pub(super) kind: &'static str,
    pub(super) merge_key: String,
    pub(super) title: String,
    pub(super) body: String,
    /// Also at night.
    pub(super) is_urgent: bool,
    pub(super) at: Timestamp,
}

/// `None`: not worth a word.
pub(super) fn word(event: &EventRow) -> Option<Word> {
    let data: Value = serde_json::from_str(event.data.get()).ok()?;
    let (kind, is_urgent, about, title) = told(event.kind, &data)?;
    Some(Word {
        account_id: event.account_id,
        kind,
        merge_key: format!("{kind}:{about}"),
        title,
        body: body(&data),
        is_urgent,
        at: event.at,
    })
}

type Told = (&'static str, bool, String, String);

fn told(kind: EventKind, data: &Value) -> Option<Told> {
    let text = |key: &str| data[key].as_str().unwrap_or("").to_owned();
    let bot = || match data["name"].as_str() {
        Some(name) => name.to_owned(),
        None => format!("bot {}", data["bot_id"]),
    };
    match kind {
        EventKind::EmergencyStop => {
            let is_on = data["active"] == true;
            let what = if is_on { "is ON" } else { "was cleared" };
            let title = format!("Emergency stop {what}: {}", text("reason"));
            Some(("stop", true, format!("emergency:{is_on}"), title))
        }
        EventKind::RiskStop if data["stopped"] == true => {
            let (found, most) = (text("drawdown_percent"), text("maximum_percent"));
            let title = format!("{}: drawdown {found} % > {most} %, no new positions", bot());
            Some(("hold", true, format!("risk:{}", data["bot_id"]), title))
        }
        EventKind::CircuitBreaker if data["tripped"] == true => {
            let scope = match (data["bot_id"].is_null(), data["account_id"].is_null()) {
                (false, _) => bot(),
                (true, false) => "the account".to_owned(),
                (true, true) => "the fleet".to_owned(),
            };
            let (found, most) = (text("loss_percent"), text("maximum_percent"));
            let title = format!("Circuit breaker of {scope}: lost {found} % > {most} %");
            Some(("hold", true, format!("breaker:{scope}"), title))
        }
        // One's own pause is no news.
        EventKind::BotPaused if data["hold"] != "USER_PAUSED" => {
            let (hold, reason) = (text("hold"), text("reason"));
            let title = format!("{} is on hold: {hold} {reason}", bot());
            Some(("hold", false, format!("{hold}:{}", bot()), title))
        }
        EventKind::BotStopped => {
            let title = format!("{} was stopped by {}: {}", bot(), text("actor"), text("reason"));
            Some(("stop", false, format!("stopped:{}", bot()), title))
        }
        EventKind::Fill if data["mode"] == "live" => {
            let (side, quantity) = (text("side"), text("quantity"));
            let (symbol, price) = (text("symbol"), text("price"));
            let title = format!("LIVE {side} {quantity} {symbol} at {price}");
            // Each fill is money: none is merged into another.
            Some(("fill", true, format!("fill:{}", data["id"]), title))
        }
        EventKind::Alert => {
            let alert = text("alert");
            let is_urgent = matches!(alert.as_str(), "unguarded" | "trade_refused");
            let title = format!("{}: {}", bot(), alert.replace('_', " "));
            Some(("alert", is_urgent, format!("{alert}:{}", data["bot_id"]), title))
        }
        EventKind::SelfHealing => {
            let title = format!("Repaired itself: {} {}", text("cause"), text("action"));
            Some(("repair", false, format!("repair:{}", text("cause")), title))
        }
        EventKind::LiveGate => Some((
            "live_gate",
            true,
            format!("gate:{}", data["bot_id"]),
            format!("Live gate: {}", bot()),
        )),
        _ => None,
    }
}

/// The figures, one a line; what is nested or long is for the dashboard.
fn body(data: &Value) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) if !text.is_empty() && text.len() <= 200 => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let fields = data.as_object().into_iter().flatten();
    let lines: Vec<String> =
        fields.filter_map(|(key, value)| Some(format!("{key}: {}", shown(value)?))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_told_and_how_urgently() {
        let table = [
            (EventKind::EmergencyStop, json!({"active": true, "reason": "storm"}), Some(true)),
            (EventKind::EmergencyStop, json!({"active": false}), Some(true)),
            (EventKind::RiskStop, json!({"stopped": true, "bot_id": 3}), Some(true)),
            (EventKind::RiskStop, json!({"stopped": false, "bot_id": 3}), None),
            (EventKind::CircuitBreaker, json!({"tripped": true}), Some(true)),
            (EventKind::BotPaused, json!({"name": "a", "hold": "USER_PAUSED"}), None),
            (EventKind::BotPaused, json!({"name": "a", "hold": "RISK_STOP"}), Some(false)),
            (EventKind::BotStopped, json!({"name": "a"}), Some(false)),
            (EventKind::Fill, json!({"mode": "paper"}), None),
            (EventKind::Fill, json!({"mode": "live", "id": 7}), Some(true)),
            (EventKind::Alert, json!({"alert": "unguarded", "bot_id": 1}), Some(true)),
            (EventKind::Alert, json!({"alert": "stuck", "bot_id": 1}), Some(false)),
            (EventKind::Heartbeat, json!({}), None),
        ];
        for (kind, data, urgent) in table {
            assert_eq!(told(kind, &data).map(|told| told.1), urgent, "{kind:?} {data}");
        }
    }

    #[test]
    fn equal_alerts_have_one_key_and_live_fills_each_their_own() {
        let key = |kind, data: Value| told(kind, &data).unwrap().2;
        let stuck = json!({"alert": "stuck", "bot_id": 1});
        assert_eq!(key(EventKind::Alert, stuck.clone()), key(EventKind::Alert, stuck));
        let fill = |id: u64| json!({"mode": "live", "id": id});
        assert_ne!(key(EventKind::Fill, fill(1)), key(EventKind::Fill, fill(2)));
        assert_eq!(body(&json!({"a": "1", "b": {"c": 1}, "d": 2})), "a: 1\nd: 2");
    }
}
