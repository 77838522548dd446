//! What is removed after its time, in steps small enough that no commit waits for it.

use crate::cells::Cells;
use crate::events::Head;
use crate::{StoreError, idempotency};
use domain::{AccountId, Span, Timestamp};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long events and refusals are kept.
pub const EVENTS_KEPT: Span = Span::from_secs(90 * 86_400);

/// Rows of one table removed in one step: some milliseconds of the writer's time.
const STEP_ROWS_MAX: usize = 2_000;

/// What a step removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Events older than [`EVENTS_KEPT`].
    pub events: usize,
    /// Refusals that last occurred before that.
    pub refusals: usize,
    /// Idempotency keys older than a day.
    pub keys: usize,
    /// Sessions that expired before [`EVENTS_KEPT`].
    pub sessions: usize,
    /// There is more to remove now.
    pub more: bool,
}

/// Removes one step of everything whose time is over.
pub(crate) fn step(connection: &Connection, now: Timestamp) -> Result<Retained, StoreError> {
    let old = (now - EVENTS_KEPT).to_string();
    let day = (now - idempotency::IDEMPOTENCY_KEPT).to_string();
    let limit = STEP_ROWS_MAX as i64;
    let remove = |sql: &str| -> Result<usize, StoreError> {
        Ok(connection.prepare_cached(sql)?.execute((&old, limit))?)
    };
    let events = remove_events(connection, &old)?;
    let refusals = remove(
        "DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE last_at < ? LIMIT ?)",
    )?;
    let sessions = remove(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ?)",
    )?;
    let keys = idempotency::remove_old(connection, &day, limit)?;
    let more = [events, refusals, keys, sessions].contains(&STEP_ROWS_MAX);
    Ok(Retained { events, refusals, keys, sessions, more })
}

/// Removes the oldest events, always from the front of the commit order, so that each stream
/// keeps an unbroken rest whose beginning its anchor vouches for.
fn remove_events(connection: &Connection, cutoff: &str) -> Result<usize, StoreError> {
    let mut oldest = connection
        .prepare_cached("SELECT id, account_id, seq, at, hash FROM events ORDER BY id LIMIT ?")?;
    let mut rows = oldest.query([STEP_ROWS_MAX as i64])?;
    let (mut removed, mut last_id) = (0, 0);
    let mut anchors = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let cells = Cells(row);
        if cells.str("at")? >= cutoff {
            break;
        }
        let anchor = Anchor {
            account_id: cells.opt("account_id", Cells::small)?.map(AccountId),
            id: cells.int("id")?,
            seq: cells.id("seq")?,
            at: cells.text("at")?,
            hash: to_hex(&cells.bytes::<32>("hash")?),
        };
        (removed, last_id) = (removed + 1, anchor.id);
        anchors.insert(anchor.account_id, anchor);
    }
    drop(rows);
    for anchor in anchors.values() {
        keep(connection, anchor)?;
    }
    connection.prepare_cached("DELETE FROM events WHERE id <= ?")?.execute([last_id])?;
    Ok(removed)
}

fn keep(connection: &Connection, anchor: &Anchor) -> Result<(), StoreError> {
    let stream = anchor.account_id.map_or_else(|| "fleet".into(), |a| a.to_string());
    let value = serde_json::to_string(anchor)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?
        .execute((format!("events.anchor.{stream}"), value))?;
    Ok(())
}

/// Where a stream's chain begins since its oldest events were removed: kept in `meta`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    pub(crate) account_id: Option<AccountId>,
    /// Commit order of the last event removed.
    pub(crate) id: i64,
    /// Its seq.
    pub(crate) seq: u64,
    /// Its time.
    pub(crate) at: String,
    /// Its hash in hexadecimal.
    pub(crate) hash: String,
}

impl Anchor {
    pub(crate) fn head(&self) -> Result<Head, StoreError> {
        let hash = from_hex(&self.hash).ok_or_else(|| crate::cells::bad("value", &self.hash))?;
        Ok(Head { seq: self.seq, hash })
    }
}

/// The anchors of all streams from which something was removed.
pub(crate) fn anchors(connection: &Connection) -> Result<Vec<Anchor>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT value FROM meta WHERE key GLOB 'events.anchor.*'")?;
    let mut rows = statement.query([])?;
    let mut anchors = Vec::new();
    while let Some(row) = rows.next()? {
        anchors.push(crate::cells::Cells(row).json("value")?);
    }
    Ok(anchors)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
