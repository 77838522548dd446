//! Realised profit on its way from the bot that made it to others: spent once, and where it was
//! earned. The limits are kept here, not by whoever asks, so that no caller can spend twice.

use crate::books::{BotBooks, Ledger, Short};
use domain::{Amount, Timestamp, Transfer, TransferReason};

impl BotBooks {
    /// Realised profit that is still in the bot: what it earned, less what was taken.
    pub fn untaken(&self) -> Amount {
        self.realized_pnl() - self.taken
    }
}

impl Ledger {
    /// Takes realised profit out of a bot; it waits in the wallet for [`Ledger::reinvest`].
    ///
    /// # Errors
    /// Where the bot has not earned as much beyond what was taken, where it is not in its cash, or
    /// where losses of other bots of the same wallet outweigh it.
    pub fn take_profit(
        &mut self,
        books: &mut BotBooks,
        amount: Amount,
        at: Timestamp,
    ) -> Result<Transfer, Short> {
        let quote = books.symbol.quote;
        let wallet = self.wallets.entry((books.mode, books.exchange, quote)).or_default();
        let available = books.untaken().min(books.cash).min(wallet.untaken()).or_zero();
        if available < amount || !amount.is_positive() {
            return Err(Short { needed: amount, available });
        }
        wallet.taken += amount;
        wallet.kept += amount;
        books.taken += amount;
        Ok(self.take_back(books, amount, TransferReason::TakeProfit, at))
    }

    /// Gives profit that was taken to a bot of the same wallet.
    ///
    /// # Errors
    /// Where less was taken than that, or it was withdrawn since.
    pub fn reinvest(
        &mut self,
        books: &mut BotBooks,
        amount: Amount,
        at: Timestamp,
    ) -> Result<Transfer, Short> {
        let quote = books.symbol.quote;
        let wallet = self.wallets.entry((books.mode, books.exchange, quote)).or_default();
        let available = wallet.kept.min(wallet.available);
        if available < amount || !amount.is_positive() {
            return Err(Short { needed: amount, available });
        }
        wallet.kept -= amount;
        Ok(self.give(books, amount, TransferReason::Reinvest, at))
    }
}
