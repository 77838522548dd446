//! Why an order was not sent: data here, text at the edge.

use crate::{Amount, Hold};
use serde::{Deserialize, Serialize};

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident $code:literal { $($(#[doc = $fdoc:literal])* $field:ident: $t:ty),* $(,)? }),* $(,)?) => {
        /// A refusal with its figures.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "code")]
        pub enum Refusal {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $name { $(#[allow(missing_docs)] $(#[doc = $fdoc])* $field: $t),* }),*
        }

        /// A refusal without its figures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RefusalCode {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $name),*
        }

        impl Refusal {
            /// Its code.
            pub const fn code(&self) -> RefusalCode {
                match self { $(Self::$name { .. } => RefusalCode::$name),* }
            }
        }

        impl RefusalCode {
            /// All codes, for the table in the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its word outside.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),* }
            }
        }
    };
}

refusals! {
    /// The emergency stop is on.
    EmergencyStop "EMERGENCY_STOP_ACTIVE" {},
    /// A flag switches new positions off.
    FlagOff "FLAG_OFF" { flag: String },
    /// The bot is not active.
    NotActive "NOT_ACTIVE" { lifecycle: crate::Lifecycle },
    /// A hold stops entries.
    Held "HELD" { hold: Hold },
    /// A circuit breaker of the account or the fleet is open.
    CircuitBreaker "CIRCUIT_BREAKER_OPEN" { scope: String, loss_percent: Amount, maximum_percent: Amount },
    /// No price, no trade: the feed is not fresh.
    NotFresh "NOT_FRESH" { state: String },
    /// The spread is wider than the collar.
    SpreadTooWide "SPREAD_TOO_WIDE" { spread_bp: f64, collar_bp: u32 },
    /// Our clock is too far from the exchange's.
    ClockSkew "CLOCK_SKEW" { off_ms: i64, maximum_ms: u32 },
    /// How far our clock is from the exchange's was not measured yet.
    ClockUnknown "CLOCK_UNKNOWN" { exchange: crate::Exchange },
    /// The instrument does not take such orders now.
    InstrumentHalted "INSTRUMENT_HALTED" { status: crate::InstrumentStatus },
    /// The price is not a multiple of the tick size or outside the exchange's range.
    PriceFilter "PRICE_FILTER" { price: Amount, tick_size: Amount },
    /// The quantity is not a multiple of the lot size or outside the exchange's range.
    LotSize "LOT_SIZE" { quantity: Amount, lot_size: Amount, minimum: Amount, maximum: Amount },
    /// The price is outside the exchange's band around its reference price.
    PercentPrice "PERCENT_PRICE" { price: Amount, lowest: Amount, highest: Amount },
    /// Too many open orders for the exchange.
    MaxOpenOrders "MAX_OPEN_ORDERS" { open: u32, maximum: u32 },
    /// The order is worth more than the bot may send at once.
    OrderTooLarge "ORDER_TOO_LARGE" { notional: Amount, maximum: Amount },
    /// The price is too far from the touch.
    PriceCollar "PRICE_COLLAR" { price: Amount, limit: Amount },
    /// The order is large against the visible depth.
    DepthShare "DEPTH_SHARE" { quantity: Amount, visible: Amount, maximum_percent: Amount },
    /// The price ran away from the first entry wanted; following it further is chasing.
    Chasing "CHASING_PRICE" { price: Amount, first: Amount, worse_bp: f64, maximum_bp: u32, window_s: u32 },
    /// A spot sell may not exceed what is held.
    NotHeld "NOT_HELD" { quantity: Amount, held: Amount },
    /// The bot's cash does not cover the order's worst case.
    InsufficientFunds "INSUFFICIENT_FUNDS" { needed: Amount, available: Amount },
    /// An equal order was just sent.
    Duplicate "DUPLICATE_ORDER" { age_ms: i64, window_ms: u32 },
    /// The order would trade against an order of this account.
    SelfMatch "SELF_MATCH" { price: Amount },
    /// Too many orders a second.
    OrderRate "ORDER_RATE" { in_last_second: u32, maximum: u32 },
    /// Too many entries today.
    EntriesPerDay "ENTRIES_PER_DAY" { today: u32, maximum: u32 },
    /// The day's loss is over its limit; entries resume on the next UTC day.
    DailyLoss "DAILY_LOSS" { loss_percent: Amount, maximum_percent: Amount },
    /// Position and open buys would exceed the bot's limit.
    PositionLimit "RISK_LIMIT_EXCEEDED" { would_be: Amount, maximum: Amount },
    /// One asset would be too large a share of what is open.
    AssetExposure "ASSET_EXPOSURE" { asset: crate::Currency, share_percent: Amount, maximum_percent: Amount },
    /// One exchange would be too large a share of what is open.
    ExchangeExposure "EXCHANGE_EXPOSURE" { exchange: crate::Exchange, share_percent: Amount, maximum_percent: Amount },
    /// Below the exchange's minimum notional.
    NotionalBelowMinimum "NOTIONAL_BELOW_MINIMUM" { notional: Amount, minimum: Amount },
    /// Above the exchange's maximum notional.
    NotionalAboveMaximum "NOTIONAL_ABOVE_MAXIMUM" { notional: Amount, maximum: Amount },
    /// The live gate is closed for this bot, or its exchange account is not ready.
    LiveGate "LIVE_GATE_CLOSED" { missing: String },
    /// Position and open buys would exceed what the evidence is good for in live.
    LiveSize "LIVE_SIZE_EXCEEDED" { would_be: Amount, maximum: Amount },
    /// The stated edge does not cover fees and spread.
    EdgeTooSmall "EDGE_TOO_SMALL" { edge_bp: f64, cost_bp: f64 },
    /// Currencies had to be added and a rate is missing or too old.
    RateUnknown "RATE_UNKNOWN" { currency: crate::Currency },
    /// A check could not be evaluated; that refuses.
    CheckFailed "CHECK_FAILED" { check: String, reason: String },
}
