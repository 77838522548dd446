//! Read models: what the core tells when asked. Figures of one instant.

use crate::live::Shadowed;
use crate::output::{BotRecord, EmergencyRecord};
use domain::{
    AccountId, Amount, Bar, BotId, Currency, DataGrade, Exchange, FeedState, Hold, Instrument,
    InstrumentStatus, Level, Mode, Print, Side, Symbol, Timestamp,
};
use market::Book;
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
    /// Executed entries that the execution throttle counts.
    pub executions_in_window: u32,
    pub last_decision_at: Option<Timestamp>,
    /// Of a bot that traded real money: how wrong paper was, order by order.
    pub shadow: Option<ShadowView>,
}

/// Real orders beside what paper would have made of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ShadowView {
    #[serde(flatten)]
    pub so_far: Shadowed,
    /// How much worse the exchange was than paper, in basis points of what both filled; below zero
    /// it was better. `None`: nothing was compared yet.
    pub worse_bp: Option<Amount>,
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
    /// Time since a price was last told, in milliseconds.
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

/// Sums over an account's money of one mode, per currency and in the reporting currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct PortfolioView {
    pub account_id: AccountId,
    /// Paper and real money are never added up.
    pub mode: Mode,
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

impl BarView {
    /// A bar of this instrument.
    pub fn of(instrument: &Instrument, bar: &Bar) -> Self {
        Self {
            open_at: bar.open_at,
            open: instrument.price_amount(bar.open),
            high: instrument.price_amount(bar.high),
            low: instrument.price_amount(bar.low),
            close: instrument.price_amount(bar.close),
            volume: instrument.quantity_amount(bar.volume),
            prints: bar.prints,
        }
    }
}

/// What is known of a market, whoever keeps it: the core, or a page's own subscription.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct MarketSeen<'a> {
    pub instrument: &'a Instrument,
    pub feed: &'a FeedState,
    pub grade: DataGrade,
    pub book: &'a Book,
    pub last_print: Option<Print>,
    /// That a feed has died is no price.
    pub last_priced_at: Option<Timestamp>,
    pub prints: u64,
}

impl MarketSeen<'_> {
    /// As shown, of no bot and with no late print.
    pub fn view(&self, now: Timestamp) -> MarketView {
        let i = self.instrument;
        let (bid, ask) = (self.book.best_bid(), self.book.best_ask());
        MarketView {
            exchange: i.exchange,
            symbol: i.symbol,
            status: i.status,
            feed: self.feed.clone(),
            grade: self.grade,
            best_bid: bid.map(|l| i.price_amount(l.price)),
            best_bid_quantity: bid.map(|l| i.quantity_amount(l.quantity)),
            best_ask: ask.map(|l| i.price_amount(l.price)),
            best_ask_quantity: ask.map(|l| i.quantity_amount(l.quantity)),
            last_price: self.last_print.map(|p| i.price_amount(p.price)),
            last_price_at: self.last_print.map(|p| p.at),
            spread_bp: self.book.spread_bp(),
            // Never below zero: the clock of who asks may be behind that of who heard.
            age_ms: self.last_priced_at.map(|at| (now - at).0.max(0) / 1_000_000),
            prints: self.prints,
            late_prints: 0,
            bots: 0,
            tick_size: i.price_amount(i.tick_size),
            lot_size: i.quantity_amount(i.lot_size),
            min_notional: i.min_notional,
            maker_fee: i.fees.maker,
            taker_fee: i.fees.taker,
            fee_source: i.fees.source.clone(),
        }
    }

    /// Its best levels.
    pub fn book(&self, depth: usize) -> BookView {
        let i = self.instrument;
        let level = |l: Level| LevelView {
            price: i.price_amount(l.price),
            quantity: i.quantity_amount(l.quantity),
        };
        let side = |side| self.book.levels(side).take(depth).map(level).collect();
        BookView {
            exchange: i.exchange,
            symbol: i.symbol,
            feed: self.feed.clone(),
            update_id: self.book.update_id(),
            bids: side(Side::Buy),
            asks: side(Side::Sell),
        }
    }
}

/// The circuit breaker of an account or of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BreakerView {
    /// `account`, `fleet`; of real money `account_live`, `fleet_live`.
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
    pub bots_live: u32,
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

/// What the live gate says of a bot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveGate {
    /// Each condition, whether all hold, and the size that the evidence is good for.
    #[serde(flatten)]
    pub verdict: risk::GateVerdict,
    /// What the bot has shown.
    pub evidence: risk::Evidence,
    /// Variants that the account tried, for which the evidence is corrected.
    pub variants: u64,
    /// When its training began.
    pub training_since: Timestamp,
    /// Under which policy.
    pub policy_version: u32,
    /// Since when it trades real money, if it does.
    pub live_since: Option<Timestamp>,
    /// When the evidence will be there, at the pace since the training began.
    pub expected: GateExpected,
}

/// When a bot will have shown enough if it goes on as it does; `None`: never at this pace, or there
/// is no pace yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GateExpected {
    /// Enough days of good data.
    pub training_at: Option<Timestamp>,
    /// Enough closed trades.
    pub trades_at: Option<Timestamp>,
    /// Sure enough for the small size.
    pub small_at: Option<Timestamp>,
    /// Sure enough for all of its capital.
    pub full_at: Option<Timestamp>,
}
