//! Real orders: what leaves the core for an exchange, and what comes back from it.
//!
//! The core decides and keeps the books; whoever carries it out places, asks and listens, and tells
//! what it learnt as [`News`]. What leaves is taken with [`crate::Engine::take_live`], and may go out
//! once its batch is stored. Nothing of it is ever rebuilt from the store.

mod breaker;
mod desk;
mod expected;
mod gate;
mod orders;
mod promote;
mod shadow;

pub(crate) use desk::Desk;
pub(crate) use orders::{Charged, LiveOrders};
pub(crate) use shadow::Shadow;
pub use shadow::Shadowed;

use domain::{
    AccountId, Actor, Amount, BotId, Currency, Exchange, InstrumentId, Liquidity, OrderId,
    OrderStatus, Timestamp,
};
use ledger::BotBooks;
use risk::{ApprovedOrder, KeyState, Permit};
use serde::{Deserialize, Serialize};

/// What was learnt of one account's key at one exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveNews {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub exchange: Exchange,
    /// What.
    pub news: News,
}

/// See [`LiveNews`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// What the key may do.
    Key(KeyState),
    /// Why entries wait: the stream is down, or what was missed is being fetched. `None`: all that
    /// happened was told.
    Down(Option<String>),
    /// Everything that the exchange has of the account, free and held, as one answer.
    Balances(Vec<(Currency, Amount)>),
    /// Of an order of ours.
    Order(OrderId, LiveReport),
}

/// What became of a real order. May come twice, late, and out of order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LiveReport {
    /// The exchange has it.
    Open,
    /// It executed.
    Fill(Box<LiveExecution>),
    /// It is over; final once as much of it as this is known as executed.
    Ended {
        /// `Filled`, `Cancelled` or `Expired`.
        status: OrderStatus,
        /// The exchange's reason, where it has one.
        reason: Option<String>,
        /// Executed, in base.
        filled: Amount,
    },
    /// It does not exist at the exchange, and never will: refused, withheld, or never sent.
    Refused {
        /// The exchange's code, or ours.
        code: String,
        /// In words.
        text: String,
    },
    /// Nobody knows, and it is asked again: what it holds stays held.
    Unknown {
        /// What happened.
        why: String,
    },
}

/// One execution as the exchange told it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveExecution {
    /// Unique within its instrument and exchange.
    pub trade_id: String,
    /// In quote per base.
    pub price: Amount,
    /// In base.
    pub quantity: Amount,
    /// As charged, below zero a rebate.
    pub fees: Vec<(Amount, Currency)>,
    /// Maker or taker, where it was told.
    pub liquidity: Option<Liquidity>,
    /// By the exchange's clock.
    pub at: Timestamp,
}

/// What is to be done at an exchange.
#[derive(Debug)]
pub enum LiveAction {
    /// Sent once, after its intent is stored.
    Place {
        /// Where.
        exchange: Exchange,
        /// What.
        order: ApprovedOrder,
        /// By which right.
        permit: Permit,
    },
    /// Acts first and is recorded after; may be repeated.
    Cancel {
        /// Whose.
        account: AccountId,
        /// Where.
        exchange: Exchange,
        /// On which instrument.
        instrument: InstrumentId,
        /// Which.
        order: OrderId,
    },
}

/// A real order that is not final in our books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOpen {
    /// Which.
    pub id: OrderId,
    /// On which instrument.
    pub instrument: InstrumentId,
    /// When it was decided: sent at the latest a moment after.
    pub created_at: Timestamp,
    /// Executed as far as we know, in base.
    pub filled: Amount,
    /// It is to be cancelled.
    pub is_cancelled: bool,
}

/// What a bot has beside its books while it trades real money.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LiveBot {
    pub(crate) since: Timestamp,
    pub(crate) confirmed_by: Actor,
    /// What it was given of the wallet.
    pub(crate) capital: Amount,
    /// Demoted: paper again once it is flat.
    pub(crate) is_leaving: bool,
    pub(crate) orders: LiveOrders,
    /// Its paper books, closed but for dust.
    pub(crate) parked: BotBooks,
    /// The code of the last refusal, and how often it came in a row.
    #[serde(default)]
    pub(crate) refused: (String, u32),
    /// Was the gate open when it was last looked at? A change is told.
    pub(crate) was_open: bool,
}

/// The live gate spoke of a bot: kept as evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveGateRecord {
    /// Whose.
    pub account_id: AccountId,
    /// Which bot.
    pub bot_id: BotId,
    /// `promoted`, `demoted`, `returned`, `lost`, `regained`.
    pub action: String,
    /// Who did it.
    pub by: Actor,
    /// Every condition as it was measured, with size and evidence.
    pub measured: serde_json::Value,
    /// The bot's configuration that was measured.
    pub config: domain::BotConfig,
    /// When.
    pub at: Timestamp,
}
