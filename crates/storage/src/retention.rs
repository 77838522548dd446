//! What is removed after its time, in steps small enough that no commit waits for it.

use crate::StoreError;
use crate::events::Head;
use domain::AccountId;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

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
