//! The words of the product as types: price, quantity, money, instrument, order, fill, trade, bot,
//! hold, policy, refusal, event.
//!
//! Everything may depend on this crate; it depends on nothing of ours and does no I/O: no clock,
//! no randomness, no threads. Market prices and quantities are integers at their instrument's
//! scale ([`Price`], [`Quantity`]); money and everything shown to people is an [`Amount`], exact to
//! twelve decimals. Binary floating point appears only in figures of statistics.

mod binary;
mod bot;
mod digits;
mod divide;
mod event;
mod filters;
mod ids;
mod instrument;
mod ledger;
mod market_event;
mod number;
mod order;
pub mod packed;
mod params;
mod policy;
mod refusal;
mod symbol;
mod time;
mod trade;

pub use bot::{
    Actor, BotConfig, Exits, Hold, Holds, Lifecycle, RiskMode, Sizing, StopChoice, StrategyConfig,
    StrategyKind,
};
pub use event::{Alert, EventKind, FeedGrade, FeedState};
pub use filters::Misfit;
pub use ids::{AccountId, BotId, FillId, InstrumentId, OrderId, TradeId};
pub use instrument::{FeeSchedule, Instrument, InstrumentStatus, PercentBand};
pub use ledger::{Book, LedgerAccount, Posting, Transfer, TransferReason};
pub use market_event::{
    Bar, BookUpdate, ClosedBar, Level, MarketEvent, Print, Timeframe, Touch, UnknownTimeframe,
    Withdrawn,
};
pub use number::{Amount, NumberError, Price, Quantity, Rate, Round, parse_scaled};
pub use order::{
    CancelReason, DataGrade, FillRecord, Liquidity, OrderKind, OrderPurpose, OrderRecord,
    OrderStatus, RejectCode, Side, TimeInForce,
};
pub use params::{ParamSet, ParamValue};
pub use policy::{Caps, Limit, LimitValue, Looser, Policy, PolicyError, Unit};
pub use refusal::{Refusal, RefusalCode};
pub use symbol::{Currency, Exchange, Mode, Symbol, SymbolError};
pub use time::{Span, Timestamp};
pub use trade::{ExitReason, IncompleteTrade, Trade, TradeDraft};
