//! Orders and fills, as they are decided, stored and shown.

use crate::{
    AccountId, Amount, BotId, Currency, Exchange, ExitReason, FillId, Mode, OrderId, Price, Span,
    Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Base in, quote out.
    Buy,
    /// Quote in, base out.
    Sell,
}

impl Side {
    /// The other one.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// At what price an order may execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Whatever is there.
    Market,
    /// This price or better.
    Limit {
        /// Worst price.
        price: Price,
        /// Rejected or cancelled by the exchange where it would take.
        post_only: bool,
    },
}

/// How long an order stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until filled or cancelled.
    Gtc,
    /// What fills at once; the rest expires.
    Ioc,
    /// All at once or nothing.
    Fok,
}

/// What an order is for: decides which states let it through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPurpose {
    /// Opens or adds to a position.
    Entry,
    /// Reduces a position, for this reason.
    Exit(ExitReason),
}

/// Where an order stands. Everything after `Open` is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// On its way to the exchange.
    Sent,
    /// Accepted; rests or executes.
    Open,
    /// Executed whole.
    Filled,
    /// Taken back, perhaps after fills.
    Cancelled,
    /// Ended by the exchange, perhaps after fills.
    Expired,
    /// Refused by the exchange.
    Rejected,
}

impl OrderStatus {
    /// Nothing happens to it any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Sent | Self::Open)
    }
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The strategy wants it no more or elsewhere.
    Strategy,
    /// A hold came, the feed went stale or a flag went off: entries do not rest then.
    Hold,
    /// The position is being closed.
    Exit,
    /// A person asked.
    User,
    /// The emergency stop.
    EmergencyStop,
    /// The exchange changed its filters, and it fits them no more.
    Filter,
    /// The exchange cancelled a post-only order that would have taken.
    PostOnly,
}

/// The exchange's own code of a rejection or expiry, as text on its wire.
pub type RejectCode = std::borrow::Cow<'static, str>;

/// Passive or aggressive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liquidity {
    /// Rested in the book.
    Maker,
    /// Took from the book.
    Taker,
}

/// How much was known of the market when a fill was made; best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataGrade {
    /// Order by order.
    L3,
    /// Depth and prints.
    L2Trades,
    /// Best bid and ask, and prints.
    L1Trades,
    /// Books and prints asked for again and again.
    Polled,
    /// Prints alone.
    Trades,
    /// Closed bars alone.
    Bars,
    /// Prints fetched after a gap.
    Backfilled,
    /// The market was not seen for a time.
    Gap,
}

/// An order as stored and shown: written anew on each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Identity; the client order id derives from it.
    pub id: OrderId,
    /// Owner.
    pub account_id: AccountId,
    /// Owner.
    pub bot_id: BotId,
    /// Where.
    pub exchange: Exchange,
    /// What.
    pub symbol: Symbol,
    /// Simulated or real.
    pub mode: Mode,
    /// Side.
    pub side: Side,
    /// Entry or exit.
    pub purpose: OrderPurpose,
    /// Limit in quote; `None`: market.
    pub limit_price: Option<Amount>,
    /// See [`OrderKind::Limit`].
    pub post_only: bool,
    /// See [`TimeInForce`].
    pub time_in_force: TimeInForce,
    /// Ordered, in base.
    pub quantity: Amount,
    /// Executed, in base.
    pub filled: Amount,
    /// Volume-weighted price of what is executed.
    pub average_price: Option<Amount>,
    /// Where it stands.
    pub status: OrderStatus,
    /// The exchange's code where it was rejected or expired.
    pub reject_code: Option<RejectCode>,
    /// Why it was cancelled.
    pub cancel_reason: Option<CancelReason>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When this state was reached.
    pub updated_at: Timestamp,
}

/// One execution with its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillRecord {
    /// Identity.
    pub id: FillId,
    /// The order.
    pub order_id: OrderId,
    /// Owner.
    pub account_id: AccountId,
    /// Owner.
    pub bot_id: BotId,
    /// Where.
    pub exchange: Exchange,
    /// What.
    pub symbol: Symbol,
    /// Simulated or real.
    pub mode: Mode,
    /// Side.
    pub side: Side,
    /// In quote per base.
    pub price: Amount,
    /// In base.
    pub quantity: Amount,
    /// As charged by the exchange; below zero is a rebate.
    pub fee: Amount,
    /// In this currency.
    pub fee_currency: Currency,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// Data it was made from.
    pub grade: DataGrade,
    /// The exchange's book id at execution.
    pub book_update_id: u64,
    /// The print that filled it, where one did.
    pub print_id: Option<u64>,
    /// Quantity ahead of the order in the queue when it joined, in base.
    pub queue_ahead_at_join: Option<Amount>,
    /// Passive fills: would the optimistic queue count have filled it by then too, and how much.
    pub optimistic_filled: Option<Amount>,
    /// Round trip used.
    pub round_trip: Span,
    /// Our time.
    pub at: Timestamp,
}
