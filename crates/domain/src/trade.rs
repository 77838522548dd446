//! A trade: a closed round trip, complete or not at all.

use crate::{
    AccountId, Amount, BotId, Currency, DataGrade, Exchange, Mode, Side, StrategyKind, Symbol,
    Timestamp, TradeId,
};
use serde::{Deserialize, Serialize};

/// Why a position was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExitReason {
    /// The strategy.
    Signal,
    /// Target reached.
    Target,
    /// Stop reached.
    Stop,
    /// Trailing stop reached.
    Trail,
    /// Held long enough.
    Time,
    /// A limit of ours.
    Risk,
    /// A person.
    Manual,
    /// The emergency stop.
    Emergency,
}

impl ExitReason {
    /// Guards a position: fires also where a hold stops entries.
    pub const fn is_protective(self) -> bool {
        matches!(self, Self::Stop | Self::Target | Self::Trail | Self::Time)
    }
}

/// A closed round trip. Every field is required: it can only come from [`TradeDraft::complete`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Identity.
    pub id: TradeId,
    /// Always `closed`.
    pub status: std::borrow::Cow<'static, str>,
    /// Matched, priced and posted as ordered; false for emergency and write-off closes.
    pub success: bool,
    /// Owner.
    pub account_id: AccountId,
    /// Owner.
    pub bot_id: BotId,
    /// What.
    pub symbol: Symbol,
    /// Where.
    pub exchange: Exchange,
    /// Side of the entry.
    pub side: Side,
    /// Volume-weighted entry over the matched quantity, in quote.
    pub entry_price: Amount,
    /// Volume-weighted exit over the matched quantity, in quote.
    pub exit_price: Amount,
    /// Matched base.
    pub amount: Amount,
    /// Net of fees and of dust charged to this trade, in quote.
    pub profit_loss: Amount,
    /// Before fees, in quote.
    pub gross_profit: Amount,
    /// Both legs in quote; base fees valued at the fill price.
    pub fees: Amount,
    /// Fees as charged in base, beside.
    pub fees_base: Amount,
    /// Fees as charged in quote, beside.
    pub fees_quote: Amount,
    /// What the fills cost against the mid at each decision, in quote.
    pub slippage: Option<Amount>,
    /// Simulated?
    pub is_paper: bool,
    /// When it closed.
    pub timestamp: Timestamp,
    /// First entry fill matched.
    pub entry_at: Timestamp,
    /// Last exit fill matched.
    pub exit_at: Timestamp,
    /// Why it was closed.
    pub exit_reason: ExitReason,
    /// By which strategy.
    pub strategy: StrategyKind,
    /// The worst grade of its fills.
    pub grade: DataGrade,
    /// Quote → reporting currency when it closed; `None` and no source: not known.
    pub reporting_rate: Option<Amount>,
    /// The reporting currency.
    pub reporting_currency: Currency,
    /// Where the rate came from.
    pub rate_source: Option<String>,
    /// Its age at closing, in seconds.
    pub rate_age_s: Option<i64>,
}

/// A trade in the making. What may be missing is an option; [`TradeDraft::complete`] refuses to
/// make a row of it.
#[derive(Clone, Debug)]
pub struct TradeDraft {
    /// Identity.
    pub id: TradeId,
    /// See [`Trade::success`].
    pub success: bool,
    /// Owner.
    pub account_id: AccountId,
    /// What.
    pub symbol: Symbol,
    /// Where.
    pub exchange: Exchange,
    /// Simulated or real.
    pub mode: Mode,
    /// Entry notional over the matched quantity, in quote.
    pub entry_notional: Amount,
    /// Exit notional over the matched quantity, in quote.
    pub exit_notional: Amount,
    /// Matched base.
    pub amount: Amount,
    /// See [`Trade::fees`].
    pub fees: Amount,
    /// See [`Trade::fees_base`].
    pub fees_base: Amount,
    /// See [`Trade::fees_quote`].
    pub fees_quote: Amount,
    /// Cost of a remainder too small to sell, charged here; below zero where dust was sold.
    pub dust_cost: Amount,
    /// See [`Trade::slippage`].
    pub slippage: Option<Amount>,
    /// First entry fill matched.
    pub entry_at: Option<Timestamp>,
    /// Last exit fill matched.
    pub exit_at: Option<Timestamp>,
    /// Why.
    pub exit_reason: Option<ExitReason>,
    /// Which strategy.
    pub strategy: StrategyKind,
    /// Worst grade.
    pub grade: Option<DataGrade>,
    /// See [`Trade::reporting_rate`].
    pub reporting_rate: Option<Amount>,
    /// See [`Trade::reporting_currency`].
    pub reporting_currency: Currency,
    /// See [`Trade::rate_source`].
    pub rate_source: Option<String>,
    /// See [`Trade::rate_age_s`].
    pub rate_age_s: Option<i64>,
}

/// A trade row that was refused: it moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("trade {id} of bot {bot_id} refused: {field} is missing")]
pub struct IncompleteTrade {
    /// Which trade.
    pub id: TradeId,
    /// Whose.
    pub bot_id: BotId,
    /// What is missing.
    pub field: std::borrow::Cow<'static, str>,
}

impl TradeDraft {
    /// The trade, if nothing is missing.
    ///
    /// # Errors
    /// Names the first missing field.
    pub fn complete(self) -> Result<Trade, IncompleteTrade> {
        let id = self.id;
        let missing =
            |field: &'static str| IncompleteTrade { id, bot_id: id.bot, field: field.into() };
        if !self.amount.is_positive() {
            return Err(missing("amount"));
        }
        let price_of = |notional: Amount, field| {
            let price = notional.quotient(self.amount, crate::Round::Down);
            price.filter(|p| p.is_positive()).ok_or_else(|| missing(field))
        };
        let entry_price = price_of(self.entry_notional, "entry_price")?;
        let exit_price = price_of(self.exit_notional, "exit_price")?;
        let exit_at = self.exit_at.ok_or_else(|| missing("exit_at"))?;
        let gross_profit = self.exit_notional - self.entry_notional;
        Ok(Trade {
            id,
            status: "closed".into(),
            success: self.success,
            account_id: self.account_id,
            bot_id: id.bot,
            symbol: self.symbol,
            exchange: self.exchange,
            side: Side::Buy,
            entry_price,
            exit_price,
            amount: self.amount,
            profit_loss: gross_profit - self.fees - self.dust_cost,
            gross_profit,
            fees: self.fees,
            fees_base: self.fees_base,
            fees_quote: self.fees_quote,
            slippage: self.slippage,
            is_paper: self.mode == Mode::Paper,
            timestamp: exit_at,
            entry_at: self.entry_at.ok_or_else(|| missing("entry_at"))?,
            exit_at,
            exit_reason: self.exit_reason.ok_or_else(|| missing("exit_reason"))?,
            strategy: self.strategy,
            grade: self.grade.ok_or_else(|| missing("grade"))?,
            reporting_rate: self.reporting_rate,
            reporting_currency: self.reporting_currency,
            rate_source: self.rate_source,
            rate_age_s: self.rate_age_s,
        })
    }
}
