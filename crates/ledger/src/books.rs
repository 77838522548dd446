//! The books of an account and of its bots, and the only places where money moves.

use crate::{Lot, Lots, Matching, Wallet};
use domain::{
    AccountId, Amount, Book, BotId, Currency, DataGrade, Exchange, ExitReason, IncompleteTrade,
    Mode, OrderId, Posting, StrategyKind, Symbol, Timestamp, Trade, TradeDraft, TradeId, Transfer,
    TransferReason,
};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;

/// Not enough money: nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} needed, {available} available")]
pub struct Short {
    /// What was asked for.
    pub needed: Amount,
    /// What is there.
    pub available: Amount,
}

pub(crate) type WalletKey = (Mode, Exchange, Currency);

/// An account's wallets and its count of transfers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    account_id: AccountId,
    transfers: u64,
    #[serde(with = "crate::as_list")]
    pub(crate) wallets: BTreeMap<WalletKey, Wallet>,
}

/// The proceeds of an exit order that is not final yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitProgress {
    /// The order.
    pub order: OrderId,
    /// Sold so far.
    pub quantity: Amount,
    /// Of which from dust.
    pub dust: Amount,
    /// At the fill prices, in quote.
    pub notional: Amount,
    /// The part of it that dust earned.
    pub dust_notional: Amount,
    /// Charged so far, in quote.
    pub fee: Amount,
    /// Cost against the mid at decision.
    pub slippage: Option<Amount>,
    /// Last fill.
    pub last_at: Timestamp,
    /// Worst.
    pub grade: DataGrade,
}

/// A bot's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotBooks {
    /// Whose.
    pub bot: BotId,
    /// Simulated or real.
    pub mode: Mode,
    /// Where.
    pub exchange: Exchange,
    /// What.
    pub symbol: Symbol,
    /// Quote currency that it may spend.
    pub cash: Amount,
    /// What is held.
    pub lots: Lots,
    /// Base held in lots (their sum).
    pub position: Amount,
    /// Cost of the lots, with entry fees.
    pub position_cost: Amount,
    /// Base held that is too small to sell; it cost its trade already.
    pub dust: Amount,
    /// Proceeds not yet in a trade.
    pub settling: Amount,
    /// Realised before fees (credit: a profit is below zero).
    pub gross_profit: Amount,
    /// Fees of closed trades, in quote.
    pub fees: Amount,
    /// Fees charged in base.
    pub fees_base: Amount,
    /// Realised profit that was taken out.
    #[serde(default)]
    pub taken: Amount,
    /// Exit orders with fills that are not final.
    pub exits: Vec<ExitProgress>,
}

impl BotBooks {
    /// Empty books.
    pub fn new(bot: BotId, mode: Mode, exchange: Exchange, symbol: Symbol) -> Self {
        Self {
            bot,
            mode,
            exchange,
            symbol,
            cash: Amount::ZERO,
            lots: Lots::default(),
            position: Amount::ZERO,
            position_cost: Amount::ZERO,
            dust: Amount::ZERO,
            settling: Amount::ZERO,
            gross_profit: Amount::ZERO,
            fees: Amount::ZERO,
            fees_base: Amount::ZERO,
            taken: Amount::ZERO,
            exits: Vec::new(),
        }
    }

    /// Profit of closed trades, net.
    pub fn realized_pnl(&self) -> Amount {
        -(self.gross_profit + self.fees)
    }

    /// Base not yet sold by exits in progress, dust included.
    pub fn held(&self) -> Amount {
        self.position + self.dust
    }

    /// Given to it: cash, positions at cost, proceeds that settle.
    pub fn reserved(&self) -> Amount {
        self.cash + self.position_cost + self.settling
    }
}

/// An execution as the ledger sees it.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    /// Of this order.
    pub order: OrderId,
    /// The strategy's level.
    pub level: u16,
    /// In base.
    pub quantity: Amount,
    /// Price × quantity, in quote.
    pub notional: Amount,
    /// As charged.
    pub fee: Amount,
    /// Was it charged in base?
    pub fee_in_base: bool,
    /// Cost against the mid at decision, where the mid was known.
    pub slippage: Option<Amount>,
    /// From which data.
    pub grade: DataGrade,
    /// When.
    pub at: Timestamp,
}

/// What a trade needs beside the books.
#[derive(Clone, Debug)]
pub struct CloseRequest {
    /// Identity of the trade.
    pub id: TradeId,
    /// The exit order that is final.
    pub order: OrderId,
    /// Which lots it sells.
    pub matching: Matching,
    /// Why.
    pub reason: Option<ExitReason>,
    /// Whose idea.
    pub strategy: StrategyKind,
    /// See [`Trade::success`].
    pub success: bool,
    /// Is the rest, after this trade, too small to sell?
    pub rest_is_dust: bool,
    /// Quote → reporting currency, its source and age, where known.
    pub reporting: (Currency, Option<(Amount, String, i64)>),
    /// When.
    pub at: Timestamp,
}

impl Ledger {
    /// The empty books of an account.
    pub fn new(account_id: AccountId) -> Self {
        Self { account_id, transfers: 0, wallets: BTreeMap::new() }
    }

    /// A wallet; an empty one where nothing was ever booked.
    pub fn wallet(&self, mode: Mode, exchange: Exchange, currency: Currency) -> Wallet {
        self.wallets.get(&(mode, exchange, currency)).copied().unwrap_or_default()
    }

    /// All wallets that ever held something of their own (base bought by bots is a position).
    pub fn wallets(&self) -> impl Iterator<Item = (&(Mode, Exchange, Currency), &Wallet)> {
        self.wallets.iter().filter(|(_, w)| !w.external.is_zero() || !w.total().is_zero())
    }

    /// Money in from outside.
    pub fn deposit(&mut self, key: WalletKey, amount: Amount, at: Timestamp) -> Transfer {
        let wallet = self.wallets.entry(key).or_default();
        wallet.available += amount;
        wallet.external -= amount;
        let postings =
            smallvec![debit(Book::Available, key.2, amount), debit(Book::External, key.2, -amount)];
        self.transfer((key.0, key.1), TransferReason::Deposit, postings, at)
    }

    /// Money out, of what no bot has.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn withdraw(
        &mut self,
        key: WalletKey,
        amount: Amount,
        at: Timestamp,
    ) -> Result<Transfer, Short> {
        let wallet = self.wallets.entry(key).or_default();
        if wallet.available < amount {
            return Err(Short { needed: amount, available: wallet.available });
        }
        wallet.available -= amount;
        wallet.external += amount;
        wallet.limit_kept();
        let postings =
            smallvec![debit(Book::External, key.2, amount), debit(Book::Available, key.2, -amount)];
        Ok(self.transfer((key.0, key.1), TransferReason::Withdrawal, postings, at))
    }

    /// An entry fill: cash becomes a lot at cost.
    pub fn buy(&mut self, books: &mut BotBooks, fill: &Execution) -> Transfer {
        let Symbol { base, quote } = books.symbol;
        let (fee_base, fee_quote) = split_fee(fill);
        let fee_value = if fill.fee_in_base {
            // Of the value the part that is held, rounded down: the rest is the fee.
            let held = fill.quantity - fee_base;
            fill.notional - crate::lots::portion(fill.notional, held, fill.quantity)
        } else {
            fee_quote
        };
        let notional = if fill.fee_in_base { fill.notional - fee_value } else { fill.notional };
        let (net, cost) = (fill.quantity - fee_base, notional + fee_value);
        books.lots.push(Lot {
            level: fill.level,
            quantity: net,
            notional,
            fee: fee_value,
            fee_base,
            fee_quote,
            slippage: fill.slippage,
            at: fill.at,
            grade: fill.grade,
        });
        books.cash -= cost;
        books.position += net;
        books.position_cost += cost;
        books.fees_base += fee_base;
        self.market(books, base, fill.quantity);
        let bot = books.bot;
        let mut postings = smallvec![
            debit(Book::Cash(bot), quote, -cost),
            debit(Book::Position(bot), quote, cost),
            debit(Book::Market, base, -fill.quantity),
            debit(Book::Position(bot), base, net),
        ];
        if !fee_base.is_zero() {
            postings.push(debit(Book::Fees(bot), base, fee_base));
        }
        let place = (books.mode, books.exchange);
        self.transfer(place, TransferReason::Fill(fill.order), postings, fill.at)
    }

    /// An exit fill: base becomes cash; profit waits until the order is final.
    pub fn sell(&mut self, books: &mut BotBooks, fill: &Execution) -> Transfer {
        let Symbol { base, quote } = books.symbol;
        let (bot, net) = (books.bot, fill.notional - fill.fee);
        let from_lots = fill.quantity.min(books.position);
        let dust = fill.quantity - from_lots;
        let dust_notional = crate::lots::portion(fill.notional, dust, fill.quantity);
        add_exit(books, fill, dust, dust_notional);
        books.cash += net;
        books.settling -= net;
        books.position -= from_lots;
        books.dust -= dust;
        self.market(books, base, -fill.quantity);
        let mut postings = smallvec![
            debit(Book::Cash(bot), quote, net),
            debit(Book::Settling(bot), quote, -net),
            debit(Book::Position(bot), base, -from_lots),
            debit(Book::Market, base, fill.quantity),
        ];
        if !dust.is_zero() {
            postings.push(debit(Book::Dust(bot), base, -dust));
        }
        let place = (books.mode, books.exchange);
        self.transfer(place, TransferReason::Fill(fill.order), postings, fill.at)
    }

    /// Closes a trade: an exit order with fills is final. The row and the money move together.
    ///
    /// # Errors
    /// The field without which there is no row; then nothing moved.
    pub fn close(
        &mut self,
        books: &mut BotBooks,
        request: CloseRequest,
    ) -> Result<(Trade, Transfer), IncompleteTrade> {
        let missing = |field: &'static str| IncompleteTrade {
            id: request.id,
            bot_id: request.id.bot,
            field: field.into(),
        };
        let at = books.exits.iter().position(|e| e.order == request.order);
        let exit = books.exits[at.ok_or_else(|| missing("exit_price"))?];
        let mut lots = books.lots.clone();
        let matched = lots.take(exit.quantity - exit.dust, request.matching);
        let rest = if request.rest_is_dust { lots.take_all() } else { Default::default() };
        let (dust, dust_cost) = (rest.quantity, rest.cost() - exit.dust_notional);
        let (currency, rate) = request.reporting;
        let (reporting_rate, rate_source, rate_age_s) = match rate {
            Some((rate, source, age)) => (Some(rate), Some(source), Some(age)),
            None => (None, None, None),
        };
        let draft = TradeDraft {
            id: request.id,
            success: request.success,
            account_id: self.account_id,
            symbol: books.symbol,
            exchange: books.exchange,
            mode: books.mode,
            entry_notional: matched.notional,
            exit_notional: exit.notional - exit.dust_notional,
            amount: matched.quantity,
            fees: matched.fee + exit.fee,
            fees_base: matched.fee_base,
            fees_quote: matched.fee_quote + exit.fee,
            dust_cost,
            slippage: matched.slippage.zip(exit.slippage).map(|(a, b)| a + b),
            entry_at: matched.first_at,
            exit_at: Some(exit.last_at),
            exit_reason: request.reason,
            strategy: request.strategy,
            grade: matched.grade.max(Some(exit.grade)),
            reporting_rate,
            reporting_currency: currency,
            rate_source,
            rate_age_s,
        };
        let trade = draft.complete()?;
        books.lots = lots;
        books.exits.retain(|e| e.order != request.order);
        let cost = matched.cost() + rest.cost();
        let (settled, fees) = (exit.notional - exit.fee, matched.fee + rest.fee + exit.fee);
        let gross = exit.notional - matched.notional - rest.notional;
        books.settling += settled;
        books.position_cost -= cost;
        books.gross_profit -= gross;
        books.fees += fees;
        books.position -= dust;
        books.dust += dust;
        let Symbol { base, quote } = books.symbol;
        let wallet = self.wallets.entry((books.mode, books.exchange, quote)).or_default();
        wallet.reserved += settled - cost;
        let bot = books.bot;
        let mut postings = smallvec![
            debit(Book::Settling(bot), quote, settled),
            debit(Book::Position(bot), quote, -cost),
            debit(Book::GrossProfit(bot), quote, -gross),
            debit(Book::Fees(bot), quote, fees),
        ];
        if !dust.is_zero() {
            postings.push(debit(Book::Position(bot), base, -dust));
            postings.push(debit(Book::Dust(bot), base, dust));
        }
        let place = (books.mode, books.exchange);
        let transfer =
            self.transfer(place, TransferReason::Close(request.id), postings, request.at);
        Ok((trade, transfer))
    }

    fn market(&mut self, books: &BotBooks, base: Currency, bought: Amount) {
        self.wallets.entry((books.mode, books.exchange, base)).or_default().market -= bought;
    }

    pub(crate) fn transfer(
        &mut self,
        (mode, exchange): (Mode, Exchange),
        reason: TransferReason,
        postings: SmallVec<[Posting; 6]>,
        at: Timestamp,
    ) -> Transfer {
        self.transfers += 1;
        let (seq, account_id) = (self.transfers, self.account_id);
        Transfer { seq, account_id, mode, exchange, reason, postings, at }
    }
}

pub(crate) fn debit(book: Book, currency: Currency, amount: Amount) -> Posting {
    Posting { book, currency, amount }
}

/// The fee as charged: in base, in quote.
fn split_fee(fill: &Execution) -> (Amount, Amount) {
    if fill.fee_in_base { (fill.fee, Amount::ZERO) } else { (Amount::ZERO, fill.fee) }
}

fn add_exit(books: &mut BotBooks, fill: &Execution, dust: Amount, dust_notional: Amount) {
    if let Some(exit) = books.exits.iter_mut().find(|e| e.order == fill.order) {
        exit.quantity += fill.quantity;
        exit.dust += dust;
        exit.notional += fill.notional;
        exit.dust_notional += dust_notional;
        exit.fee += fill.fee;
        exit.slippage = exit.slippage.zip(fill.slippage).map(|(a, b)| a + b);
        exit.last_at = fill.at;
        exit.grade = exit.grade.max(fill.grade);
    } else {
        // Mostly one at a time, whose room stays: a bot that never sold has none.
        books.exits.reserve_exact(1);
        books.exits.push(ExitProgress {
            order: fill.order,
            quantity: fill.quantity,
            dust,
            notional: fill.notional,
            dust_notional,
            fee: fill.fee,
            slippage: fill.slippage,
            last_at: fill.at,
            grade: fill.grade,
        });
    }
}
