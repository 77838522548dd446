//! The outbox of notifications: written in the transaction that moves the reader's place in the
//! events, so that each event is told once however often the process dies.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError};
use crate::{ReadPool, StoreError, events::EventRow};
use domain::{AccountId, EventKind, Span, Timestamp};
use rusqlite::Connection;
use rusqlite::types::Value;
use serde::Serialize;

/// Notices that wait at once on one channel; beyond, the oldest that is not urgent gives way, then
/// the oldest of all: a channel that is down for days would otherwise fill the store.
pub const NOTICES_WAITING_MAX: u32 = 500;
/// Equal notices within this time become one.
pub const NOTICES_MERGED: Span = Span::from_secs(600);
/// Ended notices that are kept to be looked at.
const ENDED_KEPT: u32 = 5_000;
/// Events looked through at once.
const SCAN_MAX: i64 = 50_000;

/// Something to tell on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// Whose; `None`: the fleet's.
    pub account_id: Option<AccountId>,
    /// By what.
    pub channel: String,
    /// What it is about, as `stop`.
    pub kind: String,
    /// Equal ones are merged.
    pub merge_key: String,
    /// One line.
    pub title: String,
    /// The figures.
    pub body: String,
    /// Also in quiet hours.
    pub urgent: bool,
    /// When it happened.
    pub at: Timestamp,
    /// Not before.
    pub due_at: Timestamp,
}

/// A notice as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // see NewNotice
pub struct NoticeRow {
    pub id: i64,
    pub account_id: Option<AccountId>,
    pub channel: String,
    pub kind: String,
    pub title: String,
    pub body: String,
    pub urgent: bool,
    /// How many were merged.
    pub count: u32,
    /// `waiting`, `sent`, `failed`.
    pub state: String,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub due_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeEnd {
    /// It arrived.
    Sent,
    /// Again at this time.
    Again {
        /// When.
        at: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It never will.
    Failed(String),
}

type Outcome = Result<Result<ControlAnswer, ControlError>, StoreError>;

/// Adds notices, merged, and moves the place in the events.
pub(crate) fn add(
    connection: &Connection,
    notices: &[NewNotice],
    cursor: Option<&(String, String)>,
) -> Outcome {
    for notice in notices {
        if !merge(connection, notice)? {
            insert(connection, notice)?;
        }
    }
    if let Some((name, value)) = cursor {
        let sql = "INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)";
        connection.prepare_cached(sql)?.execute((name, value))?;
    }
    Ok(Ok(ControlAnswer::Done))
}

/// Into one that waits, if there is one.
fn merge(connection: &Connection, notice: &NewNotice) -> Result<bool, StoreError> {
    let sql = "UPDATE notices SET count = count + 1, last_at = ?, body = ?, title = ?
               WHERE id = (SELECT max(id) FROM notices WHERE channel = ? AND merge_key = ?
                           AND state = 'waiting')";
    let at = notice.at.to_string();
    let row = (&at, &notice.body, &notice.title, &notice.channel, &notice.merge_key);
    Ok(connection.prepare_cached(sql)?.execute(row)? > 0)
}

fn insert(connection: &Connection, notice: &NewNotice) -> Result<(), StoreError> {
    // An equal one that was sent just now: this one gathers what comes for a while.
    let since = (notice.at - NOTICES_MERGED).to_string();
    let sql = "SELECT max(ended_at) FROM notices WHERE channel = ? AND merge_key = ?
               AND state = 'sent' AND ended_at > ?";
    let sent: Option<String> = connection
        .prepare_cached(sql)?
        .query_row((&notice.channel, &notice.merge_key, &since), |row| row.get(0))?;
    let after = sent.and_then(|at| Timestamp::parse(&at)).map(|at| at + NOTICES_MERGED);
    let due_at = after.map_or(notice.due_at, |at| at.max(notice.due_at)).to_string();
    let sql = "INSERT INTO notices (account_id, channel, kind, merge_key, title, body, urgent,
                   count, state, attempts, first_at, last_at, due_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, 1, 'waiting', 0, ?, ?, ?)";
    let at = notice.at.to_string();
    connection.prepare_cached(sql)?.execute(rusqlite::params![
        notice.account_id.map(|a| a.0),
        notice.channel,
        notice.kind,
        notice.merge_key,
        notice.title,
        notice.body,
        notice.urgent,
        at,
        at,
        due_at,
    ])?;
    bound(connection, &notice.channel, &at)
}

/// Keeps both ends of the outbox bounded.
fn bound(connection: &Connection, channel: &str, at: &str) -> Result<(), StoreError> {
    let sql = "UPDATE notices SET state = 'failed', error = 'the outbox was full', ended_at = ?1
               WHERE id IN (SELECT id FROM notices WHERE channel = ?2 AND state = 'waiting'
                            ORDER BY urgent DESC, id DESC LIMIT -1 OFFSET ?3)";
    connection.prepare_cached(sql)?.execute((at, channel, NOTICES_WAITING_MAX))?;
    let sql = "DELETE FROM notices WHERE state <> 'waiting'
               AND id < (SELECT ifnull(max(id), 0) FROM notices) - ?";
    connection.prepare_cached(sql)?.execute([ENDED_KEPT])?;
    Ok(())
}

/// Notes how an attempt ended.
pub(crate) fn end(connection: &Connection, id: i64, how: &NoticeEnd, at: Timestamp) -> Outcome {
    let at = at.to_string();
    let sql = "UPDATE notices SET attempts = attempts + 1, state = ?, error = ?, due_at =
               ifnull(?, due_at), ended_at = ? WHERE id = ? AND state = 'waiting'";
    let (state, error, due, ended) = match how {
        NoticeEnd::Sent => ("sent", None, None, Some(&at)),
        NoticeEnd::Again { at, error } => ("waiting", Some(error), Some(at.to_string()), None),
        NoticeEnd::Failed(error) => ("failed", Some(error), None, Some(&at)),
    };
    match connection.prepare_cached(sql)?.execute((state, error, due, ended, id))? {
        0 => Ok(Err(ControlError::NotFound("notice"))),
        _ => Ok(Ok(ControlAnswer::Done)),
    }
}

fn row(cells: &Cells<'_>) -> Result<NoticeRow, StoreError> {
    Ok(NoticeRow {
        id: cells.int("id")?,
        account_id: cells.opt("account_id", Cells::small)?.map(AccountId),
        channel: cells.text("channel")?,
        kind: cells.text("kind")?,
        title: cells.text("title")?,
        body: cells.text("body")?,
        urgent: cells.flag("urgent")?,
        count: cells.small("count")?,
        state: cells.text("state")?,
        attempts: cells.small("attempts")?,
        error: cells.opt("error", Cells::text)?,
        first_at: cells.time("first_at")?,
        last_at: cells.time("last_at")?,
        due_at: cells.time("due_at")?,
        ended_at: cells.opt("ended_at", Cells::time)?,
    })
}

/// Counts of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NoticeCounts {
    /// Not told yet.
    pub waiting: u64,
    /// Of these, tried in vain.
    pub retrying: u64,
    /// Given up, of those that are kept.
    pub failed: u64,
}

impl ReadPool {
    /// Notices that are due, the urgent and then the oldest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn notices_due(&self, now: Timestamp, limit: u32) -> Result<Vec<NoticeRow>, StoreError> {
        let sql = "SELECT * FROM notices WHERE state = 'waiting' AND due_at <= ?
                   ORDER BY urgent DESC, due_at, id LIMIT ?";
        self.all(sql, (now.to_string(), limit), row)
    }

    /// The last notices, newest first: of an account and the fleet, or all.
    ///
    /// # Errors
    /// SQLite's.
    pub fn notices(
        &self,
        account: Option<AccountId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let sql = "SELECT * FROM notices WHERE (?1 IS NULL OR account_id IS NULL OR
                   account_id = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3";
        self.all(sql, (account.map(|a| a.0), before, limit), row)
    }

    /// How the outbox stands.
    ///
    /// # Errors
    /// SQLite's.
    pub fn notice_counts(&self) -> Result<NoticeCounts, StoreError> {
        let sql = "SELECT ifnull(sum(state = 'waiting'), 0) AS waiting,
                   ifnull(sum(state = 'waiting' AND attempts > 0), 0) AS retrying,
                   ifnull(sum(state = 'failed'), 0) AS failed FROM notices";
        let read = |cells: &Cells<'_>| {
            Ok(NoticeCounts {
                waiting: cells.id("waiting")?,
                retrying: cells.id("retrying")?,
                failed: cells.id("failed")?,
            })
        };
        Ok(self.one(sql, [], read)?.unwrap_or_default())
    }

    /// Events of these kinds after a place, and the place up to which was looked. What was removed
    /// meanwhile is passed over: who reads here wants news, not history.
    ///
    /// # Errors
    /// SQLite's, or a cell that is no event.
    pub fn events_of(
        &self,
        kinds: &[EventKind],
        after: i64,
        limit: usize,
    ) -> Result<(Vec<EventRow>, i64), StoreError> {
        let names = vec!["?"; kinds.len()].join(", ");
        let sql = format!(
            "SELECT id, account_id, seq, at, type, data FROM events
             WHERE id > ? AND id <= ? AND type IN ({names}) ORDER BY id LIMIT ?"
        );
        self.with(|connection| {
            let view = connection.unchecked_transaction()?;
            let last: i64 =
                view.query_row("SELECT ifnull(max(id), 0) FROM events", [], |row| row.get(0))?;
            let until = last.min(after.saturating_add(SCAN_MAX)).max(after);
            let mut values = vec![Value::from(after), Value::from(until)];
            values.extend(kinds.iter().map(|kind| Value::from(kind.name().to_owned())));
            values.push(Value::from(limit as i64));
            let params = rusqlite::params_from_iter(values);
            let rows = crate::read::collect(&view, &sql, params, EventRow::read)?;
            let is_full = rows.len() >= limit;
            let seen = rows.last().filter(|_| is_full).and_then(|row| row.cursor.parse().ok());
            Ok((rows, seen.unwrap_or(until)))
        })
    }

    /// A place in another stream, by name.
    ///
    /// # Errors
    /// SQLite's.
    pub fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.one("SELECT value FROM cursors WHERE name = ?", [name], |cells| cells.text("value"))
    }
}
