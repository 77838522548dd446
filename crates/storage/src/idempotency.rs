//! Idempotency keys: a request that is sent again gets the first one's answer.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError};
use crate::{ReadPool, StoreError};
use domain::{AccountId, Span, Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// How long an answer is kept.
pub const IDEMPOTENCY_KEPT: Span = Span::from_secs(24 * 3_600);

/// What makes a request the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose; `None`: an administrator's, above accounts.
    pub account: Option<AccountId>,
    /// Method and path.
    pub route: String,
    /// As sent by the client.
    pub key: String,
}

impl IdempotencyKey {
    /// Keys are unique columns, so the fleet needs a value that is no account.
    fn cells(&self) -> (i64, &str, &str) {
        (self.account.map_or(-1, |a| i64::from(a.0)), &self.route, &self.key)
    }
}

/// How a claimed key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new and yours: carry the request out, then store its answer.
    New,
    /// The first request is under way, or was when the process ended: its outcome is not known.
    InFlight,
    /// Answered before.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// Used before with another body: refuse.
    OtherBody,
}

const FIND: &str = "SELECT body_hash, status, body, at FROM idempotency
    WHERE account_id = ? AND route = ? AND key = ?";

struct Found {
    claim: Claim,
    at: Timestamp,
}

fn find(
    connection: &Connection,
    key: &IdempotencyKey,
    body_hash: &[u8; 32],
) -> Result<Option<Found>, StoreError> {
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query(key.cells())?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let cells = Cells(row);
    let claim = if cells.bytes("body_hash")? != *body_hash {
        Claim::OtherBody
    } else if cells.is_null("status")? {
        Claim::InFlight
    } else {
        let status = u16::try_from(cells.int("status")?).unwrap_or(500);
        Claim::Answered { status, body: cells.text("body")? }
    };
    Ok(Some(Found { claim, at: cells.time("at")? }))
}

/// Claims a key; one whose time is over counts as new.
pub(crate) fn claim(
    connection: &Connection,
    key: &IdempotencyKey,
    body_hash: &[u8; 32],
    at: Timestamp,
) -> Result<Claim, StoreError> {
    if let Some(found) = find(connection, key, body_hash)?
        && at - found.at < IDEMPOTENCY_KEPT
    {
        return Ok(found.claim);
    }
    let (account, route, name) = key.cells();
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (account_id, route, key, body_hash, at)
         VALUES (?, ?, ?, ?, ?)",
    )?;
    insert.execute((account, route, name, body_hash, at.to_string()))?;
    Ok(Claim::New)
}

/// Stores the answer.
pub(crate) fn answer(
    connection: &Connection,
    key: &IdempotencyKey,
    status: u16,
    body: &str,
) -> Result<Result<ControlAnswer, ControlError>, StoreError> {
    let (account, route, name) = key.cells();
    let mut update = connection.prepare_cached(
        "UPDATE idempotency SET status = ?4, body = ?5
         WHERE account_id = ?1 AND route = ?2 AND key = ?3",
    )?;
    let changed = update.execute((account, route, name, status, body))?;
    Ok(if changed == 1 {
        Ok(ControlAnswer::Done)
    } else {
        Err(ControlError::NotFound("idempotency key"))
    })
}

/// Frees a key that was claimed and not answered.
pub(crate) fn release(connection: &Connection, key: &IdempotencyKey) -> Result<(), StoreError> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM idempotency
         WHERE account_id = ? AND route = ? AND key = ? AND status IS NULL",
    )?;
    delete.execute(key.cells())?;
    Ok(())
}

/// Removes up to `limit` keys from before `cutoff`; says how many.
pub(crate) fn remove_old(
    connection: &Connection,
    cutoff: &str,
    limit: i64,
) -> Result<usize, StoreError> {
    let mut old = connection
        .prepare_cached("SELECT account_id, route, key FROM idempotency WHERE at < ? LIMIT ?")?;
    let old: Vec<(i64, String, String)> = old
        .query_map((cutoff, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut delete = connection
        .prepare_cached("DELETE FROM idempotency WHERE account_id = ? AND route = ? AND key = ?")?;
    for key in &old {
        delete.execute((key.0, &key.1, &key.2))?;
    }
    Ok(old.len())
}

impl ReadPool {
    /// How a key stands, without claiming it; `None`: not used, or its time is over.
    ///
    /// # Errors
    /// SQLite's.
    pub fn idempotency_key(
        &self,
        key: &IdempotencyKey,
        body_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Claim>, StoreError> {
        self.with(|connection| {
            let found = find(connection, key, body_hash)?;
            Ok(found.filter(|f| now - f.at < IDEMPOTENCY_KEPT).map(|f| f.claim))
        })
    }

    /// A value of `meta`, by key.
    ///
    /// # Errors
    /// SQLite's.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.with(|connection| {
            let mut select = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
            Ok(select.query_row([key], |row| row.get(0)).optional()?)
        })
    }
}
