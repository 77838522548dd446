//! The second factor of people: sealed secrets, and which codes have counted already.
//!
//! Whether a code is right is not decided here; that it counts once is, inside the one writer.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError, SecretHash};
use crate::{ReadPool, StoreError};
use domain::Timestamp;
use rusqlite::Connection;

/// Somebody's second factor, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactorRow {
    /// Whose.
    pub user_id: i64,
    /// Which master key sealed it.
    pub master_id: String,
    /// Of the seal.
    pub nonce: [u8; 24],
    /// The secret, encrypted and authenticated.
    pub sealed: Vec<u8>,
    /// Codes of this step and older ones count no more.
    pub last_step: u64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Since when it is asked for; `None`: it waits for its first code.
    pub confirmed_at: Option<Timestamp>,
}

impl std::fmt::Debug for SecondFactorRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecondFactorRow({})", self.user_id)
    }
}

type Outcome = Result<Result<ControlAnswer, ControlError>, StoreError>;

const DONE: Outcome = Ok(Ok(ControlAnswer::Done));

/// One that waits for its first code, in place of another that waits.
pub(crate) fn begin(c: &Connection, row: &SecondFactorRow) -> Outcome {
    let sql = "INSERT INTO second_factors VALUES (?1, ?2, ?3, ?4, 0, ?5, NULL)
               ON CONFLICT (user_id) DO UPDATE SET master_id = ?2, nonce = ?3, sealed = ?4,
                 last_step = 0, created_at = ?5 WHERE confirmed_at IS NULL";
    let created_at = row.created_at.to_string();
    let values = (row.user_id, &row.master_id, row.nonce, &row.sealed, created_at);
    match c.execute(sql, values)? {
        0 => Ok(Err(ControlError::SecondFactorOn)),
        _ => DONE,
    }
}

/// From now on it is asked for.
pub(crate) fn confirm(
    c: &Connection,
    (user, step): (i64, u64),
    recovery: &[SecretHash],
    at: Timestamp,
) -> Outcome {
    let sql = "UPDATE second_factors SET confirmed_at = ?, last_step = ?
               WHERE user_id = ? AND confirmed_at IS NULL";
    if c.execute(sql, (at.to_string(), step as i64, user))? == 0 {
        return Ok(Err(ControlError::NotFound("second factor that waits for its first code")));
    }
    c.execute("DELETE FROM recovery_codes WHERE user_id = ?", [user])?;
    for hash in recovery {
        c.execute("INSERT INTO recovery_codes VALUES (?, ?, NULL)", (user, hash))?;
    }
    DONE
}

/// A code of this step counts, once.
pub(crate) fn count(c: &Connection, user: i64, step: u64) -> Outcome {
    let sql = "UPDATE second_factors SET last_step = ?1
               WHERE user_id = ?2 AND confirmed_at IS NOT NULL AND last_step < ?1";
    match c.execute(sql, (step as i64, user))? {
        0 => Ok(Err(ControlError::CodeUsed)),
        _ => DONE,
    }
}

/// A recovery code counts, once.
pub(crate) fn recover(c: &Connection, user: i64, hash: &SecretHash, at: Timestamp) -> Outcome {
    let sql = "UPDATE recovery_codes SET used_at = ?
               WHERE user_id = ? AND hash = ? AND used_at IS NULL";
    match c.execute(sql, (at.to_string(), user, hash))? {
        0 => Ok(Err(ControlError::CodeUsed)),
        _ => DONE,
    }
}

/// It is asked for no more.
pub(crate) fn end(c: &Connection, user: i64) -> Outcome {
    c.execute("DELETE FROM recovery_codes WHERE user_id = ?", [user])?;
    match c.execute("DELETE FROM second_factors WHERE user_id = ?", [user])? {
        0 => Ok(Err(ControlError::NotFound("second factor"))),
        _ => DONE,
    }
}

/// Seals all anew, all or none, inside the rotation of the keys.
pub(crate) fn reseal(c: &Connection, rows: &[SecondFactorRow]) -> Outcome {
    let count: i64 = c.query_row("SELECT count(*) FROM second_factors", [], |row| row.get(0))?;
    let sql = "UPDATE second_factors SET master_id = ?, nonce = ?, sealed = ?
               WHERE user_id = ? AND created_at = ?";
    let mut changed = 0;
    for row in rows {
        let created_at = row.created_at.to_string();
        let values = (&row.master_id, row.nonce, &row.sealed, row.user_id, created_at);
        changed += c.execute(sql, values)?;
    }
    if changed == rows.len() && count as usize == rows.len() {
        return DONE;
    }
    Ok(Err(ControlError::Invalid("a second factor was changed meanwhile".into())))
}

fn row(cells: &Cells<'_>) -> Result<SecondFactorRow, StoreError> {
    Ok(SecondFactorRow {
        user_id: cells.int("user_id")?,
        master_id: cells.text("master_id")?,
        nonce: cells.bytes("nonce")?,
        sealed: cells.0.get("sealed")?,
        last_step: cells.id("last_step")?,
        created_at: cells.time("created_at")?,
        confirmed_at: cells.opt("confirmed_at", Cells::time)?,
    })
}

impl ReadPool {
    /// Somebody's second factor, confirmed or not.
    ///
    /// # Errors
    /// SQLite's.
    pub fn second_factor(&self, user: i64) -> Result<Option<SecondFactorRow>, StoreError> {
        self.one("SELECT * FROM second_factors WHERE user_id = ?", [user], row)
    }

    /// All of them, for a rotation of the master key.
    ///
    /// # Errors
    /// SQLite's.
    pub fn second_factors(&self) -> Result<Vec<SecondFactorRow>, StoreError> {
        self.all("SELECT * FROM second_factors ORDER BY user_id", [], row)
    }

    /// How many recovery codes of somebody were not used yet.
    ///
    /// # Errors
    /// SQLite's.
    pub fn recovery_codes_left(&self, user: i64) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM recovery_codes WHERE user_id = ? AND used_at IS NULL";
        self.with(|c| Ok(c.query_row(sql, [user], |row| row.get(0))?))
    }
}
