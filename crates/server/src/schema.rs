//! The shapes of answers in the OpenAPI document.
//!
//! Answers are read models of other crates, which know nothing of HTTP. So their shapes are written
//! once, in `schemas.json`, in short words (`decimal?` is a decimal text or null, `[Bot]` a list,
//! `a|b` one of these, a name ending in `~` may be absent), and the types here are only their
//! names for the routes. Tests hold real answers against them.

use serde_json::{Map, Value, json};
use utoipa::openapi::{Ref, RefOr, schema::Schema};
use utoipa::{PartialSchema, ToSchema};

const SHAPES: &str = include_str!("schemas.json");

macro_rules! named {
    ($($name:ident),* $(,)?) => {$(
        /// A named shape; see the module.
        #[derive(Debug)]
        pub struct $name;
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::Ref(Ref::from_schema_name(stringify!($name)))
            }
        }
        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}
named! {
    Health, SetupState, Me, Account, User, Token, NewToken, Strategy, Exits, Bot, BotPage, HoldItem,
    Why, Equity, Position, Order, OrderPage, Fill, FillPage, Trade, TradePage,
    Explanation, Refusal, RefusalPage, LedgerVerdict, Wallet, Portfolio,
    EmergencyStop, Performance, Market, OrderBook, Bar, StrategySchema, Policy, PolicyVersion,
    Bodyguard, System, Disk, Event, EventPage, Done, Decimal, Timeframe, RiskMode, Sizing,
    StopChoice, Problem, Exchange, Mode, Level, Role, Posting, PostingPage, BotDecisions,
    LiveGate, EvidenceFile, Holding,
    BacktestPlan, SweepPlan, StudyQueued, StudyState, StudyPage,
    ExchangeKey, Rotated, SecondFactor, NewSecondFactor, RecoveryCodes, Backups, BackupFile, Notifications, ChannelTried,
    BotPreview, PortfolioEquity, Autopilot, AutopilotPlan, EntriesAllowed,
}

/// All shapes as `components.schemas`.
pub fn components() -> Map<String, Value> {
    let shapes: Map<String, Value> = serde_json::from_str(SHAPES).unwrap_or_default();
    let mut all: Map<String, Value> = Map::new();
    for (name, fields) in &shapes {
        all.insert(name.clone(), object(fields));
    }
    for row in ["Bot", "Order", "Fill", "Trade", "Refusal", "Posting", "Event", "Study"] {
        let page = json!({ "items": format!("[{row}]"), "next": "text?" });
        all.insert(format!("{row}Page"), object(&page));
    }
    all.extend(words());
    all.extend(unions());
    all.insert("Policy".into(), policy());
    all.insert("Problem".into(), problem());
    all
}

fn object(fields: &Value) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, kind) in fields.as_object().into_iter().flatten() {
        let name = key.trim_end_matches('~');
        if name == key {
            required.push(name);
        }
        properties.insert(name.to_owned(), shape(kind.as_str().unwrap_or("any")));
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A short word as a schema.
fn shape(word: &str) -> Value {
    if let Some(inner) = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
        return json!({ "type": "array", "items": shape(inner) });
    }
    if let Some(inner) = word.strip_suffix('?') {
        return json!({ "anyOf": [shape(inner), { "type": "null" }] });
    }
    match word {
        "text" => json!({ "type": "string" }),
        "int" => json!({ "type": "integer" }),
        "count" => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        "flag" => json!({ "type": "boolean" }),
        "number" => json!({ "type": "number" }),
        "decimal" => json!({ "$ref": "#/components/schemas/Decimal" }),
        "time" => json!({ "type": "string", "format": "date-time" }),
        "any" => json!({}),
        "closed" => one_of(["closed"]),
        "queued" => one_of(["queued"]),
        words if words.contains('|') => one_of(words.split('|')),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// The product's words, from the types that own them.
fn words() -> Map<String, Value> {
    use domain::{Exchange, Hold, StrategyKind, Timeframe};
    let list = [
        ("Role", one_of(["viewer", "trader", "admin"])),
        ("Exchange", one_of(Exchange::ALL.map(Exchange::name))),
        ("Hold", one_of(Hold::ALL.map(Hold::name))),
        ("StrategyKind", one_of(StrategyKind::ALL.map(StrategyKind::name))),
        ("Timeframe", one_of(Timeframe::ALL.map(Timeframe::name))),
        ("RiskMode", one_of(["safe", "balanced", "risky", "aggressive"])),
        ("Mode", one_of(["paper", "live"])),
        ("Side", one_of(["buy", "sell"])),
        ("FeedWord", one_of(["fresh", "stale", "resyncing"])),
        ("StopChoice", one_of(["keep_guarding", "sell"])),
        ("Grade", shape("l3|l2_trades|l1_trades|polled|trades|bars|backfilled|gap")),
        ("Decimal", decimal()),
    ];
    list.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn decimal() -> Value {
    json!({
        "type": "string",
        "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$",
        "example": "12.5",
        "description": "A decimal number as text, exact to twelve places.",
    })
}

/// Values of several forms.
fn unions() -> Map<String, Value> {
    let only = |key: &str, inner: Value| {
        json!({
            "type": "object",
            "properties": { key: inner },
            "required": [key],
            "additionalProperties": false,
        })
    };
    let text = || json!({ "type": "string" });
    let list = [
        (
            "Sizing",
            json!({ "oneOf": [
                only("percent_of_equity", shape("decimal")),
                only("fixed_quote", shape("decimal")),
            ] }),
        ),
        ("Purpose", json!({ "oneOf": [one_of(["entry"]), only("exit", text())] })),
        ("Actor", json!({ "oneOf": [only("person", text()), only("rule", text())] })),
        (
            "Params",
            json!({
                "type": "object",
                "additionalProperties": { "type": ["string", "number", "integer", "boolean"] },
            }),
        ),
        ("Texts", json!({ "type": "object", "additionalProperties": { "type": "string" } })),
        (
            "RefusalReason",
            json!({
                "type": "object",
                "properties": { "code": { "type": "string" } },
                "required": ["code"],
                "description": "The code of the check with its figures.",
            }),
        ),
    ];
    list.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// From the defaults of the policy itself: whatever is a text there is a decimal.
fn policy() -> Value {
    let defaults = serde_json::to_value(domain::Policy::default()).unwrap_or_default();
    let fields: Map<String, Value> = defaults
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let word = match value {
                Value::String(_) => "decimal",
                Value::Object(_) => "Caps",
                _ => "count",
            };
            (key.clone(), word.into())
        })
        .collect();
    object(&Value::Object(fields))
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457; the figures of the code stand beside.",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": { "type": "string", "example": "BOT_CAP_REACHED" },
        },
        "required": ["type", "title", "status", "detail", "code"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_between_shapes_resolves() {
        let all = components();
        let text = serde_json::to_string(&all).unwrap();
        let names = text.split("#/components/schemas/").skip(1);
        for name in names.map(|rest| rest.split('"').next().unwrap()) {
            assert!(all.contains_key(name), "{name} is not defined");
        }
        assert!(all["Bot"]["properties"]["doing"].is_object(), "schemas.json was read");
    }
}
