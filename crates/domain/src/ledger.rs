//! Double entry as types: a transfer's postings sum to zero in each currency.

use crate::{AccountId, Amount, BotId, Currency, Exchange, Mode, OrderId, Timestamp, TradeId};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The accounts of the books. Assets are positive, income negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Book {
    /// The world outside: deposits and withdrawals.
    External,
    /// The market: base that came in by fills.
    Market,
    /// Given to no bot.
    Available,
    /// A bot's quote currency.
    Cash(BotId),
    /// A bot's holdings: base quantity, and in quote their cost with fees.
    Position(BotId),
    /// A bot's remainders too small to sell.
    Dust(BotId),
    /// Proceeds of an exit order that is not final yet.
    Settling(BotId),
    /// Realised profit before fees.
    GrossProfit(BotId),
    /// Fees, recognised when their trade closes (quote) or charged in base.
    Fees(BotId),
}

/// A book of one wallet: account, mode, exchange and currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerAccount {
    /// Owner.
    pub account_id: AccountId,
    /// Simulated or real.
    pub mode: Mode,
    /// Where.
    pub exchange: Exchange,
    /// Which book.
    pub book: Book,
    /// In what.
    pub currency: Currency,
}

/// One side of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Where.
    pub book: Book,
    /// In what.
    pub currency: Currency,
    /// Debit positive, credit negative.
    pub amount: Amount,
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferReason {
    /// Paper money put in by a person.
    Deposit,
    /// Paper money taken out by a person.
    Withdrawal,
    /// Capital given to a bot.
    Allocate,
    /// Capital returned by a bot.
    Release,
    /// Realised profit taken out of the bot that made it, to be given to others.
    TakeProfit,
    /// Profit that was taken, given to a bot.
    Reinvest,
    /// An execution.
    Fill(OrderId),
    /// A trade closed.
    Close(TradeId),
    /// A remainder written to or from dust.
    Dust,
}

/// Money that moved, all at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Dense and rising per account.
    pub seq: u64,
    /// Owner.
    pub account_id: AccountId,
    /// Simulated or real.
    pub mode: Mode,
    /// Where.
    pub exchange: Exchange,
    /// Why.
    pub reason: TransferReason,
    /// Sum to zero per currency.
    pub postings: SmallVec<[Posting; 6]>,
    /// When.
    pub at: Timestamp,
}
