//! Money between a wallet and the bots that trade with it.

use crate::books::{BotBooks, Ledger, Short, debit};
use domain::{Amount, Book, Timestamp, Transfer, TransferReason};
use smallvec::smallvec;

impl Ledger {
    /// Capital for a bot, out of what no bot has.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn allocate(
        &mut self,
        books: &mut BotBooks,
        amount: Amount,
        at: Timestamp,
    ) -> Result<Transfer, Short> {
        let quote = books.symbol.quote;
        let wallet = self.wallets.entry((books.mode, books.exchange, quote)).or_default();
        if wallet.available < amount {
            return Err(Short { needed: amount, available: wallet.available });
        }
        Ok(self.give(books, amount, TransferReason::Allocate, at))
    }

    /// A bot's cash back to the wallet.
    pub fn release(&mut self, books: &mut BotBooks, at: Timestamp) -> Transfer {
        self.take_back(books, books.cash, TransferReason::Release, at)
    }

    /// What it may give was checked.
    pub(crate) fn give(
        &mut self,
        books: &mut BotBooks,
        amount: Amount,
        reason: TransferReason,
        at: Timestamp,
    ) -> Transfer {
        let quote = books.symbol.quote;
        let wallet = self.wallets.entry((books.mode, books.exchange, quote)).or_default();
        wallet.available -= amount;
        wallet.reserved += amount;
        wallet.limit_kept();
        books.cash += amount;
        let postings = smallvec![
            debit(Book::Cash(books.bot), quote, amount),
            debit(Book::Available, quote, -amount)
        ];
        self.transfer((books.mode, books.exchange), reason, postings, at)
    }

    /// What it has was checked.
    pub(crate) fn take_back(
        &mut self,
        books: &mut BotBooks,
        amount: Amount,
        reason: TransferReason,
        at: Timestamp,
    ) -> Transfer {
        let quote = books.symbol.quote;
        let wallet = self.wallets.entry((books.mode, books.exchange, quote)).or_default();
        wallet.available += amount;
        wallet.reserved -= amount;
        books.cash -= amount;
        let postings = smallvec![
            debit(Book::Available, quote, amount),
            debit(Book::Cash(books.bot), quote, -amount)
        ];
        self.transfer((books.mode, books.exchange), reason, postings, at)
    }

    /// A bot's dust to the wallet: it cost its trade already. `None`: there is none.
    pub fn release_dust(&mut self, books: &mut BotBooks, at: Timestamp) -> Option<Transfer> {
        let (base, amount) = (books.symbol.base, std::mem::take(&mut books.dust));
        if amount.is_zero() {
            return None;
        }
        let wallet = self.wallets.entry((books.mode, books.exchange, base)).or_default();
        wallet.available += amount;
        let postings = smallvec![
            debit(Book::Available, base, amount),
            debit(Book::Dust(books.bot), base, -amount)
        ];
        Some(self.transfer((books.mode, books.exchange), TransferReason::Release, postings, at))
    }
}
