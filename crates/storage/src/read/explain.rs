//! Why a trade was made: everything that led to it in one answer.

use crate::read::list::Query;
use crate::read::rows::{self, OrderRow};
use crate::{ReadPool, StoreError};
use domain::{AccountId, FillRecord, OrderId, Trade, TradeId};
use engine::{BotRecord, DecisionRecord, RefusalRecord};
use serde::Serialize;
use std::collections::BTreeSet;

/// Fills and refusals shown with one trade: enough for any round trip that a person reads.
const EXPLAINED_ROWS_MAX: usize = 500;

/// A trade with what led to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TradeExplained {
    /// The round trip.
    pub trade: Trade,
    /// Its bot as it was last changed.
    pub bot: Option<BotRecord>,
    /// The bot's fills from the first entry to the last exit, oldest first; with a grid also
    /// those of round trips that overlap.
    pub fills: Vec<FillRecord>,
    /// Their orders.
    pub orders: Vec<OrderRow>,
    /// Why those orders were sent.
    pub decisions: Vec<DecisionRecord>,
    /// What was refused to the bot meanwhile, oldest first.
    pub refusals: Vec<RefusalRecord>,
}

impl ReadPool {
    /// A trade with its fills, orders, decisions and refusals; `None`: not of this account.
    ///
    /// # Errors
    /// SQLite's.
    pub fn explain(
        &self,
        account: Option<AccountId>,
        id: TradeId,
    ) -> Result<Option<TradeExplained>, StoreError> {
        let Some(trade) = self.trade(account, id)? else { return Ok(None) };
        let fills = self.fills_of(&trade)?;
        let ids: BTreeSet<OrderId> = fills.iter().map(|fill| fill.order_id).collect();
        let (mut orders, mut decisions) = (Vec::new(), Vec::new());
        for id in ids {
            orders.extend(self.order(account, id)?);
            decisions.extend(self.decision(account, id)?);
        }
        let bot = self.bot(account, trade.bot_id)?;
        let refusals = self.refusals_during(&trade)?;
        Ok(Some(TradeExplained { trade, bot, fills, orders, decisions, refusals }))
    }

    fn fills_of(&self, trade: &Trade) -> Result<Vec<FillRecord>, StoreError> {
        let query = Query::new("SELECT * FROM fills")
            .scope(Some(trade.account_id), Some(trade.bot_id))
            .and("at >= ?", Some(trade.entry_at.to_string()))
            .and("at <= ?", Some(trade.exit_at.to_string()));
        self.up_to(query, "at, id", EXPLAINED_ROWS_MAX, rows::fill)
    }

    fn refusals_during(&self, trade: &Trade) -> Result<Vec<RefusalRecord>, StoreError> {
        let query = Query::new("SELECT * FROM refusals")
            .scope(Some(trade.account_id), Some(trade.bot_id))
            .and("last_at >= ?", Some(trade.entry_at.to_string()))
            .and("first_at <= ?", Some(trade.exit_at.to_string()));
        self.up_to(query, "last_at, id", EXPLAINED_ROWS_MAX, rows::refusal)
    }
}
