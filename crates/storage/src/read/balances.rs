//! Running balances: what stood in a posting's place once it was posted.

use crate::cells::Cells;
use crate::read::rows::PostingRow;
use crate::{ReadPool, StoreError};
use domain::{AccountId, Amount, BotId, Currency, Exchange, Mode};
use std::collections::HashMap;

/// The place of a posting: one balance each.
type Place = (Mode, Exchange, String, Option<BotId>, Currency);

fn place(row: &PostingRow) -> Place {
    (row.mode, row.exchange, row.book.clone(), row.bot_id, row.currency)
}

impl ReadPool {
    /// The balance of each posting's place after it; `rows` are of one account, newest first.
    ///
    /// It adds up everything before them, of one bot where all are of that bot: for one who looks,
    /// not for each refresh of a page.
    ///
    /// # Errors
    /// A busy pool, or SQLite's.
    pub fn balances(
        &self,
        account: AccountId,
        rows: &[PostingRow],
    ) -> Result<Vec<Amount>, StoreError> {
        let mut sums: HashMap<Place, Amount> = HashMap::new();
        sums.extend(rows.iter().map(|row| (place(row), Amount::ZERO)));
        if let Some(oldest) = rows.last() {
            let bot = oldest.bot_id.filter(|_| rows.iter().all(|r| r.bot_id == oldest.bot_id));
            self.add_before(account, bot, oldest.id, &mut sums)?;
        }
        let mut balances: Vec<Amount> = rows
            .iter()
            .rev()
            .map(|row| {
                let sum = sums.entry(place(row)).or_default();
                *sum += row.amount;
                *sum
            })
            .collect();
        balances.reverse();
        Ok(balances)
    }

    fn add_before(
        &self,
        account: AccountId,
        bot: Option<BotId>,
        id: i64,
        sums: &mut HashMap<Place, Amount>,
    ) -> Result<(), StoreError> {
        let of_bot = bot.map(|bot| format!(" AND bot_id = {}", bot.0)).unwrap_or_default();
        let sql = format!(
            "SELECT mode, exchange, book, bot_id, currency, amount FROM postings
             WHERE account_id = ? AND id < ?{of_bot}"
        );
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = statement.query((account.0, id))?;
            while let Some(row) = found.next()? {
                let cells = Cells(row);
                let place = (
                    cells.word("mode")?,
                    cells.word("exchange")?,
                    cells.text("book")?,
                    cells.opt("bot_id", Cells::small)?.map(BotId),
                    cells.parsed("currency")?,
                );
                if let Some(sum) = sums.get_mut(&place) {
                    *sum += cells.amount("amount")?;
                }
            }
            Ok(())
        })
    }
}
