//! The audit trail: who did what to bots, policies, stops and breakers. Kept for ever, while the
//! events that told of it are not.

use domain::{AccountId, BotId, EventKind, Timestamp};
use engine::{
    BotChange, BreakerRecord, EmergencyRecord, LiveGateRecord, PolicyRecord, RiskStopRecord,
};

/// The rule that acts on drawdown and losses.
const BODYGUARD: &str = "bodyguard";

/// One entry.
pub(crate) struct Entry {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) bot_id: Option<BotId>,
    pub(crate) at: Timestamp,
    pub(crate) action: EventKind,
    pub(crate) actor: String,
    pub(crate) detail: String,
}

pub(crate) fn bot(change: &BotChange, action: EventKind) -> Entry {
    let detail = match change.hold {
        Some(hold) => format!("{}: {}", hold.name(), change.reason),
        None => change.reason.to_string(),
    };
    Entry {
        account_id: Some(change.record.account_id),
        bot_id: Some(change.record.id),
        at: change.record.updated_at,
        action,
        actor: change.actor.to_string(),
        detail,
    }
}

pub(crate) fn policy(record: &PolicyRecord) -> Entry {
    Entry {
        account_id: record.account_id,
        bot_id: None,
        at: record.at,
        action: EventKind::PolicyChanged,
        actor: record.actor.to_string(),
        detail: format!("version {}", record.version),
    }
}

pub(crate) fn emergency_stop(record: &EmergencyRecord) -> Entry {
    let detail = match (record.active, &record.reason) {
        (true, Some(reason)) => format!("pulled: {reason}"),
        (true, None) => "pulled".into(),
        (false, _) => "cleared".into(),
    };
    Entry {
        account_id: record.account_id,
        bot_id: None,
        at: record.at,
        action: EventKind::EmergencyStop,
        actor: record.by.as_ref().map_or_else(String::new, ToString::to_string),
        detail,
    }
}

pub(crate) fn risk_stop(record: &RiskStopRecord) -> Entry {
    let verb = if record.stopped { "stopped" } else { "re-armed" };
    let (drawdown, maximum) = (record.drawdown_percent, record.maximum_percent);
    Entry {
        account_id: Some(record.account_id),
        bot_id: Some(record.bot_id),
        at: record.at,
        action: EventKind::RiskStop,
        actor: BODYGUARD.into(),
        detail: format!("{verb}: drawdown {drawdown} % of at most {maximum} %"),
    }
}

pub(crate) fn breaker(record: &BreakerRecord) -> Entry {
    let verb = if record.tripped { "tripped" } else { "closed" };
    let (loss, maximum) = (record.loss_percent, record.maximum_percent);
    Entry {
        account_id: record.account_id,
        bot_id: record.bot_id,
        at: record.at,
        action: EventKind::CircuitBreaker,
        actor: record.by.to_string(),
        detail: format!("{verb}: loss {loss} % of at most {maximum} %"),
    }
}

/// With everything that was measured: the evidence is kept for ever.
pub(crate) fn live_gate(record: &LiveGateRecord) -> Entry {
    let config = serde_json::to_string(&record.config).unwrap_or_default();
    Entry {
        account_id: Some(record.account_id),
        bot_id: Some(record.bot_id),
        at: record.at,
        action: EventKind::LiveGate,
        actor: record.by.to_string(),
        detail: format!("{}: {} of {config}", record.action, record.measured),
    }
}
