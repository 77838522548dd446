//! What is told outside: kinds of events, the state of a feed.

use serde::{Deserialize, Serialize};

/// May a feed's prices be used?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum FeedState {
    /// Proof of life within its limit and an unbroken sequence.
    Fresh,
    /// Silent, crossed, dripping or disconnected: says why.
    Stale(String),
    /// Fetching a new snapshot: says why.
    Resyncing(String),
}

impl FeedState {
    /// May its prices be used?
    pub const fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh)
    }

    /// Its word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale(_) => "stale",
            Self::Resyncing(_) => "resyncing",
        }
    }
}

/// Best grade of data that a feed gives: [`crate::DataGrade`].
pub type FeedGrade = crate::DataGrade;

/// Types of events, named as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it all: interface.md lists them
pub enum EventKind {
    Heartbeat,
    BotCreated,
    BotUpdated,
    BotPaused,
    BotResumed,
    BotStopped,
    OrderUpdated,
    Fill,
    TradeOpened,
    TradeExecuted,
    BalanceUpdated,
    Refusal,
    RiskStop,
    CircuitBreaker,
    EmergencyStop,
    AutopilotAction,
    SelfHealing,
    FeedStatus,
    LiveGate,
    PolicyChanged,
    Alert,
}

impl EventKind {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::BotCreated => "bot_created",
            Self::BotUpdated => "bot_updated",
            Self::BotPaused => "bot_paused",
            Self::BotResumed => "bot_resumed",
            Self::BotStopped => "bot_stopped",
            Self::OrderUpdated => "order_updated",
            Self::Fill => "fill",
            Self::TradeOpened => "trade_opened",
            Self::TradeExecuted => "trade_executed",
            Self::BalanceUpdated => "balance_updated",
            Self::Refusal => "refusal",
            Self::RiskStop => "risk_stop",
            Self::CircuitBreaker => "circuit_breaker",
            Self::EmergencyStop => "emergency_stop",
            Self::AutopilotAction => "autopilot_action",
            Self::SelfHealing => "self_healing",
            Self::FeedStatus => "feed_status",
            Self::LiveGate => "live_gate",
            Self::PolicyChanged => "policy_changed",
            Self::Alert => "alert",
        }
    }
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "alert", rename_all = "snake_case")]
pub enum Alert {
    /// A position that cannot be guarded now.
    Unguarded {
        /// Since when.
        since: crate::Timestamp,
        /// Why.
        reason: String,
    },
    /// The market moved and the bot decided nothing.
    Stuck,
    /// A bot does not behave as it always did.
    Anomaly {
        /// What was tested.
        statistic: String,
        /// What it came to.
        value: String,
        /// From where on it is told.
        threshold: String,
    },
    /// An exchange has less than our books give to live bots: entries there stop.
    LiveMoneyMissing {
        /// Where.
        exchange: crate::Exchange,
        /// Of what.
        currency: crate::Currency,
        /// How much.
        missing: crate::Amount,
    },
    /// A real order needs a person's look.
    LiveOrder {
        /// Its client order id.
        order: String,
        /// What is wrong.
        problem: String,
    },
    /// A trade row was refused.
    TradeRefused(crate::IncompleteTrade),
    /// One asset is too large a share of what is open; paper is only warned.
    AssetExposure {
        /// Which.
        asset: crate::Currency,
        /// Its share.
        share_percent: crate::Amount,
        /// The policy's limit.
        maximum_percent: crate::Amount,
    },
    /// One exchange is too large a share of what is open; paper is only warned.
    ExchangeExposure {
        /// Which.
        exchange: crate::Exchange,
        /// Its share.
        share_percent: crate::Amount,
        /// The policy's limit.
        maximum_percent: crate::Amount,
    },
    /// The account's paper loss of the day is over the limit; paper is only warned.
    DailyLoss {
        /// Loss over the day's opening equity, in percent.
        loss_percent: crate::Amount,
    },
}
