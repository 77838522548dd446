//! Read models: what the core tells when asked. Figures of one instant.

use crate::output::{BotRecord, EmergencyRecord};
use domain::{
    AccountId, Amount, BotId, Currency, DataGrade, Exchange, FeedState, Hold, InstrumentStatus,
    Mode, Symbol, Timestamp,
};
use serde::Serialize;

/// A bot with everything that moves.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BotView {
    #[serde(flatten)]
    pub record: BotRecord,
    /// `trading`, `waiting`, `paused`, `stopped`, `archived`.
    pub state: &'static str,
    /// The one sentence.
    pub doing: String,
    pub cash: Amount,
    pub equity: Option<Amount>,
    pub equity_peak: Amount,
    pub drawdown_percent: Option<Amount>,
    pub realized_pnl: Amount,
    pub unrealized_pnl: Option<Amount>,
    pub fees_paid: Amount,
    pub position: Option<PositionView>,
    pub dust: Amount,
    pub open_orders: u32,
    pub trades: u64,
    pub wins: u64,
    pub entries_today: u32,
    pub refusals_today: u32,
    pub rearms_today: u32,
    pub last_decision_at: Option<Timestamp>,
}

/// A position, marked at the exit side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct PositionView {
    pub account_id: AccountId,
    pub bot_id: BotId,
    pub exchange: Exchange,
    pub symbol: Symbol,
    pub mode: Mode,
    pub quantity: Amount,
    pub average_entry_price: Amount,
    /// With entry fees.
    pub cost: Amount,
    /// Best bid; `None`: not known (feed stale or spread beyond the collar).
    pub mark_price: Option<Amount>,
    pub value: Option<Amount>,
    pub unrealized_pnl: Option<Amount>,
    pub stop_price: Option<Amount>,
    pub target_price: Option<Amount>,
    pub trail_price: Option<Amount>,
    pub opened_at: Timestamp,
    /// Since when it cannot be guarded, if it cannot.
    pub unguarded_since: Option<Timestamp>,
}

/// How a hold is released.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct HoldView {
    pub hold: Hold,
    pub since: Option<Timestamp>,
    pub released_by: &'static str,
}

/// An evaluation: why a bot did or did not trade, kept in memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct EvaluationView {
    pub at: Timestamp,
    pub sentence: String,
}

/// A wallet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct WalletView {
    pub exchange: Exchange,
    pub currency: Currency,
    pub mode: Mode,
    pub available: Amount,
    pub reserved: Amount,
    pub total: Amount,
}

/// A market as the core sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct MarketView {
    pub exchange: Exchange,
    pub symbol: Symbol,
    pub status: InstrumentStatus,
    #[serde(flatten)]
    pub feed: FeedState,
    pub grade: DataGrade,
    pub best_bid: Option<Amount>,
    pub best_bid_quantity: Option<Amount>,
    pub best_ask: Option<Amount>,
    pub best_ask_quantity: Option<Amount>,
    pub last_price: Option<Amount>,
    pub last_price_at: Option<Timestamp>,
    pub spread_bp: Option<f64>,
    /// Time since the last event of any kind, in milliseconds.
    pub age_ms: Option<i64>,
    pub prints: u64,
    pub late_prints: u64,
    pub bots: u32,
    pub tick_size: Amount,
    pub lot_size: Amount,
    pub min_notional: Amount,
    pub maker_fee: domain::Rate,
    pub taker_fee: domain::Rate,
    pub fee_source: String,
}

/// One level of a shown book.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct LevelView {
    pub price: Amount,
    pub quantity: Amount,
}

/// A book as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BookView {
    pub exchange: Exchange,
    pub symbol: Symbol,
    #[serde(flatten)]
    pub feed: FeedState,
    pub update_id: u64,
    pub bids: Vec<LevelView>,
    pub asks: Vec<LevelView>,
}

/// A bar as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BarView {
    pub open_at: Timestamp,
    pub open: Amount,
    pub high: Amount,
    pub low: Amount,
    pub close: Amount,
    pub volume: Amount,
    pub prints: u32,
}

/// Sums over an account, per currency and in the reporting currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct PortfolioView {
    pub account_id: AccountId,
    pub reporting_currency: Currency,
    /// `None`: a rate or a mark is missing; `unknown` names them.
    pub equity: Option<Amount>,
    pub unknown: Vec<String>,
    pub currencies: Vec<CurrencyView>,
    pub open_positions: u32,
    pub bots_active: u32,
    pub bots_paused: u32,
    pub bots_stopped: u32,
    pub emergency_stop: EmergencyRecord,
}

/// Sums in one currency over the exchanges.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct CurrencyView {
    pub currency: Currency,
    pub equity: Option<Amount>,
    pub realized_pnl: Amount,
    pub unrealized_pnl: Option<Amount>,
    pub rate: Option<Amount>,
    pub rate_source: Option<String>,
    pub rate_age_s: Option<i64>,
}

/// The circuit breaker of an account or of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BreakerView {
    /// `account` or `fleet`.
    pub scope: &'static str,
    pub is_open: bool,
    /// Of the UTC day, as the last pass saw it; `None`: a currency has no rate.
    pub loss_percent: Option<Amount>,
    pub maximum_percent: Amount,
}

/// What a supervision pass saw: the log lines and the heartbeat come from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct FleetView {
    pub bots: u32,
    pub bots_active: u32,
    pub bots_paused: u32,
    pub bots_stopped: u32,
    pub feeds_fresh: u32,
    pub feeds_stale: u32,
    pub trades_today: u64,
    pub open_orders: u32,
    pub open_positions: u32,
    pub last_input_at: Option<Timestamp>,
    pub inputs: u64,
    pub trades_refused: u64,
    pub bot_ids: Vec<BotId>,
}
