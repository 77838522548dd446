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
        (bot_id, mode): (BotId, Mode),
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<EquityRecord>, StoreError> {
        let query = Query::new("SELECT * FROM equity")
            .and("+account_id = ?", account.map(|a| a.0))
            .and("bot_id = ?", Some(bot_id.0))
            .and("+mode = ?", Some(word(mode)?))
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
        let query = |select: &str, at| -> Result<Query, StoreError> {
            Ok(Query::new(select).and("+mode = ?", Some(word(mode)?)).between(at, from, None))
        };
        let days = query(&closes_of(account, mode, from), "e.at")?;
        let flows = query("SELECT * FROM equity", "at")?.and("account_id = ?", Some(account.0));
        let flows = flows.always("flow <> '0'");
        let by = "e.at DESC, e.bot_id";
        let mut closes = self.up_to(days, by, EQUITY_DAYS_MAX, point)?;
        let mut flows = self.up_to(flows, "at DESC, bot_id", EQUITY_DAYS_MAX, point)?;
        closes.reverse();
        flows.reverse();
        let is_complete = closes.len().max(flows.len()) < EQUITY_DAYS_MAX;
        Ok(EquityDays { closes, flows, is_complete })
    }
}

/// From each bot's last known point of a mode to the last one before that point's day, and so on:
/// one seek a day, where grouping would read all 288 points of it.
///
/// A day on which a bot changed its mode ends once for each. Bots that never had the mode have no
/// flow of it, and are not searched from end to end.
fn closes_of(account: AccountId, mode: Mode, from: Option<Timestamp>) -> String {
    let mode = match mode {
        Mode::Paper => "paper",
        Mode::Live => "live",
    };
    let last =
        format!("SELECT at FROM equity WHERE equity IS NOT NULL AND mode = '{mode}' AND bot_id =");
    let (account, from) = (account.0, from.map(|at| at.to_string()).unwrap_or_default());
    format!(
        "WITH RECURSIVE days (bot, at) AS (
            SELECT id, ({last} bots.id ORDER BY at DESC LIMIT 1) FROM bots
            WHERE account_id = {account} AND id IN (SELECT bot_id FROM equity
                WHERE account_id = {account} AND flow <> '0' AND mode = '{mode}')
            UNION ALL
            SELECT bot, ({last} bot AND at < substr(days.at, 1, 10) ORDER BY at DESC LIMIT 1)
            FROM days WHERE days.at >= '{from}')
        SELECT e.* FROM days JOIN equity e ON e.bot_id = days.bot AND e.at = days.at"
    )
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
