//! What the core says: facts to be stored in one transaction and only then told outside.

use crate::command::{CommandError, Reply};
use crate::live::LiveGateRecord;
use domain::{
    AccountId, Actor, Alert, Amount, BotConfig, BotId, Currency, DataGrade, EventKind, Exchange,
    FeedState, FillRecord, Hold, Holds, IncompleteTrade, InstrumentId, Lifecycle, Mode, OrderId,
    OrderRecord, Policy, Refusal, Symbol, Timestamp, Trade, TradeId, Transfer,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// An account is new or changed.
    Account(AccountRecord),
    /// A bot is new or changed.
    Bot(BotChange),
    /// An order is new or changed.
    Order(OrderRecord),
    /// An execution.
    Fill(FillRecord),
    /// Money moved.
    Transfer(Transfer),
    /// A wallet's figures after money moved.
    Wallet(WalletRecord),
    /// What a bot is worth, for the series of its equity.
    Equity(EquityRecord),
    /// A position was opened.
    TradeOpened(TradeOpened),
    /// A round trip closed.
    Trade(Trade),
    /// A trade row was refused: it moved nothing.
    TradeRefused(AccountId, IncompleteTrade),
    /// An order was refused by us; equal consecutive ones rewrite the same row.
    Refusal(RefusalRecord),
    /// Why an order was sent.
    Decision(DecisionRecord),
    /// A feed became fresh, stale or is resyncing.
    Feed(FeedRecord),
    /// The policy changed.
    Policy(PolicyRecord),
    /// The emergency stop was pulled or cleared.
    EmergencyStop(EmergencyRecord),
    /// The bodyguard stopped or re-armed a bot.
    RiskStop(RiskStopRecord),
    /// A circuit breaker tripped or closed.
    Breaker(BreakerRecord),
    /// A person should look.
    Alert {
        /// Whose.
        account_id: AccountId,
        /// Which bot; `None`: the whole account.
        bot_id: Option<BotId>,
        /// What.
        alert: Alert,
        /// When.
        at: Timestamp,
    },
    /// The live gate let a bot in, or out.
    LiveGate(Box<LiveGateRecord>),
    /// The answer to a command.
    Reply {
        /// The envelope's id.
        id: u64,
        /// What it led to.
        result: Result<Reply, CommandError>,
    },
}

/// An account as stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AccountRecord {
    pub id: AccountId,
    pub name: String,
    pub reporting_currency: Currency,
    pub season: u32,
    pub created_at: Timestamp,
}

/// A bot's record after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotChange {
    /// As it is now.
    pub record: BotRecord,
    /// The event to tell, if any.
    pub event: Option<EventKind>,
    /// Who changed it.
    pub actor: Actor,
    /// Why.
    pub reason: Cow<'static, str>,
    /// The hold that came or went, where one did.
    pub hold: Option<Hold>,
}

/// A bot as stored: figures that move with the market are in [`crate::BotView`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BotRecord {
    pub id: BotId,
    pub account_id: AccountId,
    #[serde(flatten)]
    pub config: BotConfig,
    pub mode: Mode,
    pub lifecycle: Lifecycle,
    pub holds: Holds,
    pub season: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A wallet: total = available (given to no bot) + reserved (given to bots), always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WalletRecord {
    pub account_id: AccountId,
    pub mode: Mode,
    pub exchange: Exchange,
    pub currency: Currency,
    pub available: Amount,
    pub reserved: Amount,
    pub total: Amount,
    pub at: Timestamp,
}

/// A position was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TradeOpened {
    pub trade_id: TradeId,
    pub account_id: AccountId,
    pub bot_id: BotId,
    pub exchange: Exchange,
    pub symbol: Symbol,
    pub price: Amount,
    pub quantity: Amount,
    pub at: Timestamp,
}

/// Equal consecutive refusals of a bot as one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RefusalRecord {
    /// Rises per bot; the same while equal refusals add up.
    pub seq: u32,
    pub account_id: AccountId,
    pub bot_id: BotId,
    pub exchange: Exchange,
    pub symbol: Symbol,
    pub side: domain::Side,
    /// The first check that failed, with the worst figures so far.
    pub refusal: Refusal,
    /// Other checks that failed.
    pub also: Vec<Refusal>,
    pub policy_version: u32,
    pub count: u32,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// Why an order was sent: stored with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DecisionRecord {
    pub order_id: OrderId,
    pub account_id: AccountId,
    pub bot_id: BotId,
    pub bid: Option<Amount>,
    pub ask: Option<Amount>,
    pub mid: Option<Amount>,
    /// The strategy's indicator values, in its order; `null` while cold.
    pub values: smallvec::SmallVec<[Option<f64>; 4]>,
    /// In words: filled at the edge.
    pub reason: Cow<'static, str>,
    pub checks_passed: u32,
    pub policy_version: u32,
    pub at: Timestamp,
}

/// A point of a bot's equity.
///
/// Every five minutes, when its capital comes and when it is returned. A point stands after its
/// flow: `equity` contains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EquityRecord {
    pub account_id: AccountId,
    pub bot_id: BotId,
    pub mode: Mode,
    pub exchange: Exchange,
    /// The quote currency: of `equity` and `flow`.
    pub currency: Currency,
    /// `None`: not known, as its position had no fresh price.
    pub equity: Option<Amount>,
    /// Capital given minus returned since the point before.
    pub flow: Amount,
    pub at: Timestamp,
}

/// A feed's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FeedRecord {
    pub instrument: InstrumentId,
    pub exchange: Exchange,
    pub symbol: Symbol,
    #[serde(flatten)]
    pub state: FeedState,
    pub grade: DataGrade,
    pub at: Timestamp,
}

/// A version of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PolicyRecord {
    /// `None`: the fleet's.
    pub account_id: Option<AccountId>,
    pub version: u32,
    pub policy: Policy,
    pub actor: Actor,
    pub at: Timestamp,
}

/// The emergency stop of an account or of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EmergencyRecord {
    /// `None`: the fleet's.
    pub account_id: Option<AccountId>,
    pub active: bool,
    pub reason: Option<String>,
    pub by: Option<Actor>,
    pub since: Option<Timestamp>,
    pub at: Timestamp,
}

/// A bot was stopped for its drawdown, or re-armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RiskStopRecord {
    pub account_id: AccountId,
    pub bot_id: BotId,
    pub stopped: bool,
    pub drawdown_percent: Amount,
    pub maximum_percent: Amount,
    pub rearm_at: Option<Timestamp>,
    pub at: Timestamp,
}

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BreakerRecord {
    pub account_id: Option<AccountId>,
    pub bot_id: Option<BotId>,
    pub tripped: bool,
    pub loss_percent: Amount,
    pub maximum_percent: Amount,
    pub by: Actor,
    pub at: Timestamp,
}

/// An event for the outside: gets its number when it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDraft {
    /// Whose stream; `None`: the fleet's.
    pub account_id: Option<AccountId>,
    /// What.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// Its figures.
    pub data: serde_json::Value,
}

/// What an event is, without its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// Whose stream; `None`: the fleet's.
    pub account_id: Option<AccountId>,
    /// What.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
}

impl Output {
    /// The event that tells this fact, where one does. Its figures are [`Output::data`].
    pub fn event(&self) -> Option<EventHead> {
        let (account_id, kind, at) = match self {
            Self::Bot(c) => (Some(c.record.account_id), c.event?, c.record.updated_at),
            Self::Order(o) => (Some(o.account_id), EventKind::OrderUpdated, o.updated_at),
            Self::Fill(f) => (Some(f.account_id), EventKind::Fill, f.at),
            Self::Wallet(w) => (Some(w.account_id), EventKind::BalanceUpdated, w.at),
            Self::TradeOpened(t) => (Some(t.account_id), EventKind::TradeOpened, t.at),
            Self::Trade(t) => (Some(t.account_id), EventKind::TradeExecuted, t.timestamp),
            Self::Refusal(r) => (Some(r.account_id), EventKind::Refusal, r.last_at),
            Self::Feed(f) => (None, EventKind::FeedStatus, f.at),
            Self::Policy(p) => (p.account_id, EventKind::PolicyChanged, p.at),
            Self::EmergencyStop(e) => (e.account_id, EventKind::EmergencyStop, e.at),
            Self::RiskStop(r) => (Some(r.account_id), EventKind::RiskStop, r.at),
            Self::Breaker(b) => (b.account_id, EventKind::CircuitBreaker, b.at),
            Self::LiveGate(g) => (Some(g.account_id), EventKind::LiveGate, g.at),
            Self::Alert { account_id, at, .. } => (Some(*account_id), EventKind::Alert, *at),
            Self::Account(_)
            | Self::Transfer(_)
            | Self::Equity(_)
            | Self::TradeRefused(..)
            | Self::Decision(_)
            | Self::Reply { .. } => return None,
        };
        Some(EventHead { account_id, kind, at })
    }

    /// The fact as its event shows it: without the name of its variant, with what its record
    /// leaves to others.
    pub fn data(&self) -> EventData<'_> {
        EventData(self)
    }
}

/// See [`Output::data`]. Serialised straight into text: a tree of values in between costs more
/// than the text.
#[derive(Clone, Copy, Debug)]
pub struct EventData<'a>(&'a Output);

#[derive(Serialize)]
struct BotData<'a> {
    #[serde(flatten)]
    record: &'a BotRecord,
    actor: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'static str>,
}

#[derive(Serialize)]
struct OrderData<'a> {
    #[serde(flatten)]
    record: &'a OrderRecord,
    client_order_id: String,
}

#[derive(Serialize)]
struct AlertData<'a> {
    #[serde(flatten)]
    alert: &'a Alert,
    bot_id: Option<BotId>,
}

impl Serialize for EventData<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Output::Bot(c) => {
                let (actor, hold) = (&c.actor.to_string(), c.hold.map(Hold::name));
                BotData { record: &c.record, actor, reason: &c.reason, hold }.serialize(s)
            }
            Output::Order(o) => {
                OrderData { record: o, client_order_id: o.id.client_order_id() }.serialize(s)
            }
            Output::Fill(f) => f.serialize(s),
            Output::Wallet(w) => w.serialize(s),
            Output::TradeOpened(t) => t.serialize(s),
            Output::Trade(t) => t.serialize(s),
            Output::Refusal(r) => r.serialize(s),
            Output::Feed(f) => f.serialize(s),
            Output::Policy(p) => p.serialize(s),
            Output::EmergencyStop(e) => e.serialize(s),
            Output::RiskStop(r) => r.serialize(s),
            Output::Breaker(b) => b.serialize(s),
            Output::Alert { bot_id, alert, .. } => {
                AlertData { alert, bot_id: *bot_id }.serialize(s)
            }
            other => other.serialize(s),
        }
    }
}

/// What must be stored with a transaction to go on after it: one row an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateRow {
    /// Which entity, as `fleet`, `account-1`, `bot-7`, `instrument-3`.
    pub key: String,
    /// Its state as JSON; `None` removes the row.
    pub state: Option<String>,
}
