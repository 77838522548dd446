//! The series of equity: points of a bot, and what daily statistics need of many.

use crate::cells::Cells;
use crate::read::list::{Query, word};
use crate::{ReadPool, StoreError};
use domain::{AccountId, BotId, Mode, Timestamp};
use engine::EquityRecord;

/// Most points that [`ReadPool::equity`] gives: five weeks of a bot.
pub const EQUITY_POINTS_MAX: usize = 10_000;

/// Most days of bots that [`ReadPool::equity_days`] gives: some tens of megabytes.
pub const EQUITY_DAYS_MAX: usize = 200_000;

/// What daily statistics need of the bots of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EquityDays {
    /// The last known point of each bot and UTC day, oldest first.
    pub closes: Vec<EquityRecord>,
    /// The points at which capital moved, oldest first.
    pub flows: Vec<EquityRecord>,
    /// There was no more than is read.
    pub is_complete: bool,
}

#[allow(clippy::missing_errors_doc, reason = "all: a busy pool, or SQLite's")]
impl ReadPool {
    /// The newest `limit` points of a bot, at most [`EQUITY_POINTS_MAX`], oldest first; `from` is
    /// included, `to` is not.
    pub fn equity(
        &self,
        account: Option<AccountId>,
        bot_id: BotId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<EquityRecord>, StoreError> {
        let query = Query::new("SELECT * FROM equity")
            .and("+account_id = ?", account.map(|a| a.0))
            .and("bot_id = ?", Some(bot_id.0))
            .between("at", from, to);
        let limit = limit.clamp(1, EQUITY_POINTS_MAX);
        let mut points = self.up_to(query, "at DESC", limit, point)?;
        points.reverse();
        Ok(points)
    }

    /// The days of an account's bots since `from`, as far as [`EQUITY_DAYS_MAX`].
    pub fn equity_days(
        &self,
        account: AccountId,
        mode: Mode,
        from: Option<Timestamp>,
    ) -> Result<EquityDays, StoreError> {
        let query = |select: &str| -> Result<Query, StoreError> {
            let query = Query::new(select).and("account_id = ?", Some(account.0));
            Ok(query.and("+mode = ?", Some(word(mode)?)).between("at", from, None))
        };
        // SQLite takes the other columns from the row that has the maximum.
        let days = query(
            "SELECT bot_id, account_id, mode, exchange, currency, equity, flow,
            max(at) AS at FROM equity",
        )?;
        // Of a bot and day without any known point there is no row: the day is not known.
        let days = days.always("equity IS NOT NULL GROUP BY bot_id, substr(at, 1, 10)");
        let flows = query("SELECT * FROM equity")?.always("flow <> '0'");
        let mut closes = self.up_to(days, "at DESC, bot_id", EQUITY_DAYS_MAX, point)?;
        let mut flows = self.up_to(flows, "at DESC, bot_id", EQUITY_DAYS_MAX, point)?;
        closes.reverse();
        flows.reverse();
        let is_complete = closes.len().max(flows.len()) < EQUITY_DAYS_MAX;
        Ok(EquityDays { closes, flows, is_complete })
    }
}

fn point(c: &Cells<'_>) -> Result<EquityRecord, StoreError> {
    Ok(EquityRecord {
        account_id: c.small("account_id").map(AccountId)?,
        bot_id: c.small("bot_id").map(BotId)?,
        mode: c.word("mode")?,
        exchange: c.word("exchange")?,
        currency: c.parsed("currency")?,
        equity: c.opt("equity", Cells::amount)?,
        flow: c.amount("flow")?,
        at: c.time("at")?,
    })
}
