//! Proofs over what is stored: debits equal credits, realised profit equals the trades, the
//! events' chain is unbroken. Each reads everything once, in exact numbers.

use crate::cells::Cells;
use crate::events::{self, Head};
use crate::{ReadPool, StoreError, retention};
use domain::{AccountId, Amount, BotId, Currency, Exchange, Mode, Symbol};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;

/// Faults listed by name; the rest is only counted by `ok` being false.
const FAULTS_LISTED_MAX: usize = 100;

/// What the books add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerVerified {
    /// Every check holds.
    pub ok: bool,
    /// Sums over all postings: zero each.
    pub currencies: Vec<CurrencySum>,
    /// How many were checked.
    pub transfers: u64,
    /// How many were checked.
    pub postings: u64,
    /// Transfers that do not sum to zero, at most a hundred.
    pub unbalanced: Vec<Unbalanced>,
    /// Transfers without a posting, and transfers of which there are only postings.
    pub incomplete: u64,
    /// Realised profit in the books against the trades'.
    pub realized_equals_trades: Vec<Realized>,
    /// Profit that was moved between bots against what was earned.
    pub profit_spent_once: Vec<Spent>,
}

/// Sum of all postings in a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct CurrencySum {
    pub currency: Currency,
    pub sum: Amount,
}

/// A transfer that does not sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Unbalanced {
    pub account_id: AccountId,
    pub transfer_seq: u64,
    pub currency: Currency,
    pub sum: Amount,
}

/// Realised profit net of fees, twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Realized {
    /// Simulated or real.
    pub mode: Mode,
    /// Where.
    pub exchange: Exchange,
    /// Quote currency.
    pub currency: Currency,
    /// From the books: −(gross profit + fees) in the bots' quote currencies.
    pub ledger: Amount,
    /// Σ `profit_loss`.
    pub trades: Amount,
    /// They are equal.
    pub ok: bool,
}

/// Profit taken out of bots, and what bots were given of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Simulated or real.
    pub mode: Mode,
    /// Where.
    pub exchange: Exchange,
    /// In what.
    pub currency: Currency,
    /// Σ of the transfers `take_profit`.
    pub taken: Amount,
    /// Σ of the transfers `reinvest`.
    pub reinvested: Amount,
    /// At no transfer was more taken than earned, by the bot and in all, or more given than taken.
    pub ok: bool,
}

type Key = (Mode, Exchange, Currency);

#[derive(Default)]
struct Sums {
    currencies: BTreeMap<Currency, Amount>,
    postings: u64,
    /// Transfers seen by their postings, and those of them that have no row of their own.
    seen: u64,
    orphans: u64,
    transfer: Option<(AccountId, u64)>,
    transfer_sums: BTreeMap<Currency, Amount>,
    unbalanced: Vec<Unbalanced>,
    balanced: bool,
    realized: BTreeMap<Key, (Amount, Amount)>,
    spending: Spending,
}

impl Sums {
    /// Closes the transfer whose postings have been read; a transfer's postings lie together.
    fn close_transfer(&mut self) {
        let Some((account_id, transfer_seq)) = self.transfer else { return };
        for (currency, sum) in std::mem::take(&mut self.transfer_sums) {
            if sum.is_zero() {
                continue;
            }
            self.balanced = false;
            if self.unbalanced.len() < FAULTS_LISTED_MAX {
                self.unbalanced.push(Unbalanced { account_id, transfer_seq, currency, sum });
            }
        }
    }

    fn posting(
        &mut self,
        cells: &Cells<'_>,
        quotes: &BTreeMap<BotId, Currency>,
    ) -> Result<(), StoreError> {
        let transfer = (AccountId(cells.small("account_id")?), cells.id("transfer_seq")?);
        if self.transfer != Some(transfer) {
            self.close_transfer();
            self.transfer = Some(transfer);
            self.seen += 1;
            self.orphans += u64::from(cells.flag("orphan")?);
        }
        let currency: Currency = cells.parsed("currency")?;
        let amount = cells.amount("amount")?;
        *self.transfer_sums.entry(currency).or_default() += amount;
        *self.currencies.entry(currency).or_default() += amount;
        self.postings += 1;
        let key =
            || Ok::<Key, StoreError>((cells.word("mode")?, cells.word("exchange")?, currency));
        // An orphan has none.
        let reason = if cells.is_null("reason")? { "" } else { cells.str("reason")? };
        match (cells.str("book")?, reason) {
            ("gross_profit" | "fees", _) => {
                // Fees charged in base are in the books in base; the trade has them in quote.
                let bot = BotId(cells.small("bot_id")?);
                if quotes.get(&bot).is_none_or(|quote| *quote == currency) {
                    self.realized.entry(key()?).or_default().0 -= amount;
                    *self.spending.earned.entry(bot).or_default() -= amount;
                }
            }
            ("cash", "take_profit") => {
                let (key, bot) = (key()?, BotId(cells.small("bot_id")?));
                let earned = self.realized.get(&key).map_or(Amount::ZERO, |r| r.0);
                self.spending.take(key, bot, -amount, earned);
            }
            ("cash", "reinvest") => self.spending.give(key()?, amount),
            _ => {}
        }
        Ok(())
    }

    fn trade(&mut self, cells: &Cells<'_>) -> Result<(), StoreError> {
        let mode = if cells.flag("is_paper")? { Mode::Paper } else { Mode::Live };
        let symbol: Symbol = cells.parsed("symbol")?;
        let key = (mode, cells.word("exchange")?, symbol.quote);
        self.realized.entry(key).or_default().1 += cells.amount("profit_loss")?;
        Ok(())
    }

    fn verdict(mut self, transfers: u64) -> LedgerVerified {
        self.close_transfer();
        let bare = transfers.saturating_sub(self.seen - self.orphans);
        let incomplete = bare + self.orphans;
        let realized: Vec<_> = self.realized.into_iter().map(realized).collect();
        let zero = self.currencies.values().all(|sum| sum.is_zero());
        let equal = realized.iter().all(|r| r.ok);
        let profit_spent_once = self.spending.verdict();
        let once = profit_spent_once.iter().all(|s| s.ok);
        let currencies = self.currencies.into_iter();
        LedgerVerified {
            ok: self.balanced && zero && equal && once && incomplete == 0,
            currencies: currencies.map(|(currency, sum)| CurrencySum { currency, sum }).collect(),
            transfers,
            postings: self.postings,
            unbalanced: self.unbalanced,
            incomplete,
            realized_equals_trades: realized,
            profit_spent_once,
        }
    }
}

/// Profit on its way between bots, in the order in which it moved.
#[derive(Default)]
struct Spending {
    earned: BTreeMap<BotId, Amount>,
    taken_of: BTreeMap<BotId, Amount>,
    /// Taken, given, and whether that was right each time.
    sums: BTreeMap<Key, (Amount, Amount, bool)>,
}

impl Spending {
    fn take(&mut self, key: Key, bot: BotId, amount: Amount, earned: Amount) {
        let of_bot = self.taken_of.entry(bot).or_default();
        *of_bot += amount;
        let is_its_own = self.earned.get(&bot).is_some_and(|earned| *of_bot <= *earned);
        let (taken, _, ok) = self.sums.entry(key).or_insert((Amount::ZERO, Amount::ZERO, true));
        *taken += amount;
        *ok &= is_its_own && *taken <= earned && amount.is_positive();
    }

    fn give(&mut self, key: Key, amount: Amount) {
        let (taken, given, ok) = self.sums.entry(key).or_insert((Amount::ZERO, Amount::ZERO, true));
        *given += amount;
        *ok &= *given <= *taken && amount.is_positive();
    }

    fn verdict(&self) -> Vec<Spent> {
        let spent = |(key, sums): (&Key, &(Amount, Amount, bool))| Spent {
            mode: key.0,
            exchange: key.1,
            currency: key.2,
            taken: sums.0,
            reinvested: sums.1,
            ok: sums.2,
        };
        self.sums.iter().map(spent).collect()
    }
}

fn realized(((mode, exchange, currency), (ledger, trades)): (Key, (Amount, Amount))) -> Realized {
    Realized { mode, exchange, currency, ledger, trades, ok: ledger == trades }
}

impl ReadPool {
    /// Adds up the books of an account, or of all.
    ///
    /// # Errors
    /// SQLite's, or a cell that is no figure.
    pub fn ledger_verify(&self, account: Option<AccountId>) -> Result<LedgerVerified, StoreError> {
        self.with(|connection| {
            // One view of everything, whatever is written meanwhile.
            let view = connection.unchecked_transaction()?;
            let scope = [account.map(|a| a.0)];
            let mut sums = Sums { balanced: true, ..Sums::default() };
            let quotes = quotes(&view)?;
            each(
                &view,
                "SELECT p.account_id, p.transfer_seq, p.mode, p.exchange, p.book, p.bot_id,
                 p.currency, p.amount, t.reason, t.seq IS NULL AS orphan FROM postings p
                 LEFT JOIN transfers t ON t.account_id = p.account_id AND t.seq = p.transfer_seq
                 WHERE ?1 IS NULL OR p.account_id = ?1 ORDER BY p.id",
                scope,
                |cells| sums.posting(cells, &quotes),
            )?;
            each(
                &view,
                "SELECT is_paper, exchange, symbol, profit_loss FROM trades
                 WHERE ?1 IS NULL OR account_id = ?1",
                scope,
                |cells| sums.trade(cells),
            )?;
            let count = "SELECT count(*) FROM transfers WHERE ?1 IS NULL OR account_id = ?1";
            let transfers: i64 = view.query_row(count, scope, |row| row.get(0))?;
            Ok(sums.verdict(transfers as u64))
        })
    }
}

impl ReadPool {
    /// Trade rows that lack one of their columns: none, as the table does not take them.
    ///
    /// # Errors
    /// SQLite's.
    pub fn incomplete_trades(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM trades WHERE id IS NULL OR status <> 'closed'
            OR success IS NULL OR bot_id IS NULL OR ifnull(symbol, '') = ''
            OR ifnull(exchange, '') = '' OR ifnull(entry_price, '') = ''
            OR ifnull(exit_price, '') = '' OR ifnull(amount, '') = '' OR profit_loss IS NULL
            OR fees IS NULL OR is_paper IS NULL OR ifnull(timestamp, '') = ''";
        self.with(|connection| {
            let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(count as u64)
        })
    }
}

fn quotes(connection: &Connection) -> Result<BTreeMap<BotId, Currency>, StoreError> {
    let mut quotes = BTreeMap::new();
    each(connection, "SELECT id, symbol FROM bots", [], |cells| {
        let symbol: Symbol = cells.parsed("symbol")?;
        quotes.insert(BotId(cells.small("id")?), symbol.quote);
        Ok(())
    })?;
    Ok(quotes)
}

fn each(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    mut visit: impl FnMut(&Cells<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        visit(&Cells(row))?;
    }
    Ok(())
}

/// What the events' chains say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventsVerified {
    /// Every stream is dense and every hash fits.
    pub ok: bool,
    /// How many were checked.
    pub events: u64,
    /// The first fault of each stream that has one.
    pub faults: Vec<ChainFault>,
}

/// Where a stream's chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainFault {
    /// Which stream; `None`: the fleet's.
    pub account_id: Option<AccountId>,
    /// At this event.
    pub seq: u64,
    /// What is wrong.
    pub problem: &'static str,
}

impl ReadPool {
    /// Follows every stream's chain from its anchor to its end.
    ///
    /// # Errors
    /// SQLite's, or a cell that is no event.
    pub fn events_verify(&self) -> Result<EventsVerified, StoreError> {
        self.with(|connection| {
            let view = connection.unchecked_transaction()?;
            let mut heads = BTreeMap::new();
            for anchor in retention::anchors(&view)? {
                heads.insert(anchor.account_id, anchor.head()?);
            }
            let (mut events, mut faults) = (0, BTreeMap::new());
            let sql = "SELECT account_id, seq, at, type, data, prev_hash, hash FROM events
                       ORDER BY id";
            each(&view, sql, [], |cells| {
                events += 1;
                let stream = cells.opt("account_id", Cells::small)?.map(AccountId);
                let head = heads.entry(stream).or_default();
                let seq = cells.id("seq")?;
                if let Some(problem) = follow(head, stream, cells)? {
                    let fault = ChainFault { account_id: stream, seq, problem };
                    faults.entry(stream).or_insert(fault);
                }
                Ok(())
            })?;
            let faults: Vec<_> = faults.into_values().collect();
            Ok(EventsVerified { ok: faults.is_empty(), events, faults })
        })
    }
}

/// Takes one step along a chain; names what is wrong with it.
fn follow(
    head: &mut Head,
    stream: Option<AccountId>,
    cells: &Cells<'_>,
) -> Result<Option<&'static str>, StoreError> {
    let (seq, prev) = (cells.id("seq")?, cells.bytes("prev_hash")?);
    let fields = [cells.str("at")?, cells.str("type")?, cells.str("data")?];
    let hash = cells.bytes("hash")?;
    let before = std::mem::replace(head, Head { seq, hash });
    Ok(if seq != before.seq + 1 {
        Some("events before it are missing")
    } else if prev != before.hash {
        Some("it does not continue the event before it")
    } else if hash != events::link(&prev, stream, seq, fields) {
        Some("it was changed after it was written")
    } else {
        None
    })
}
