//! Exchange keys as they lie in the store: sealed. Who can open them is not here.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError};
use crate::{ReadPool, StoreError};
use domain::{AccountId, Exchange, Timestamp};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// A sealed key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose.
    pub account_id: AccountId,
    /// Where it works.
    pub exchange: Exchange,
    /// Rises with each replacement and is part of the seal.
    pub version: u64,
    /// The last characters of the key's id, to tell keys apart.
    pub key_tail: String,
    /// Which master key sealed it.
    pub master_id: String,
    /// Of the seal.
    pub nonce: [u8; 24],
    /// The secret, encrypted and authenticated.
    pub sealed: Vec<u8>,
    /// As the exchange said; `None`: not known.
    pub permissions: KeyPermissions,
    /// When the exchange was last asked; `None`: never, and of no use for live trading.
    pub tested_at: Option<Timestamp>,
    /// What a person vouched for where the exchange cannot be asked.
    pub attestation: Option<Attestation>,
    /// Since when.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account_id, exchange, version, .. } = self;
        write!(f, "KeyRow({account_id}, {exchange}, version {version})")
    }
}

/// What a key may do, as its exchange says; `None`: it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPermissions {
    /// Place and cancel orders.
    pub can_trade: Option<bool>,
    /// Send money away: such a key is refused.
    pub can_withdraw: Option<bool>,
}

/// A person's word about a key: recorded, and never more than that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The key was made without the right to withdraw.
    pub cannot_withdraw: bool,
    /// The addresses that the key is bound to at the exchange; empty: none.
    pub ip_restriction: Vec<String>,
    /// Always: nobody could check it.
    #[serde(default = "yes")]
    pub unverified: bool,
    /// Who said so.
    #[serde(default)]
    pub by: String,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

const fn yes() -> bool {
    true
}

type Outcome = Result<Result<ControlAnswer, ControlError>, StoreError>;

const PUT: &str = "INSERT OR REPLACE INTO exchange_keys (account_id, exchange, version, key_tail,
    master_id, nonce, sealed, can_trade, can_withdraw, tested_at, attestation, created_at,
    created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Stores a key in place of the one before; its version has to be the next.
pub(crate) fn put(connection: &Connection, row: &KeyRow) -> Outcome {
    let last = last_version(connection, row.account_id, row.exchange)?;
    if row.version != last + 1 {
        return Ok(Err(ControlError::Invalid("another key was stored meanwhile".into())));
    }
    connection.execute(
        "INSERT OR REPLACE INTO exchange_key_versions VALUES (?, ?, ?)",
        (row.account_id.0, row.exchange.name(), row.version as i64),
    )?;
    write(connection, row)?;
    Ok(Ok(ControlAnswer::Done))
}

fn write(connection: &Connection, row: &KeyRow) -> Result<(), StoreError> {
    let attestation = row.attestation.as_ref().map(|a| {
        // Text and flags alone.
        serde_json::to_string(a).unwrap_or_default()
    });
    connection.prepare_cached(PUT)?.execute(rusqlite::params![
        row.account_id.0,
        row.exchange.name(),
        row.version as i64,
        row.key_tail,
        row.master_id,
        row.nonce,
        row.sealed,
        row.permissions.can_trade,
        row.permissions.can_withdraw,
        row.tested_at.map(|at| at.to_string()),
        attestation,
        row.created_at.to_string(),
        row.created_by,
    ])?;
    Ok(())
}

/// Removes a key.
pub(crate) fn delete(connection: &Connection, account: AccountId, exchange: Exchange) -> Outcome {
    let sql = "DELETE FROM exchange_keys WHERE account_id = ? AND exchange = ?";
    match connection.execute(sql, (account.0, exchange.name()))? {
        0 => Ok(Err(ControlError::NotFound("key"))),
        _ => Ok(Ok(ControlAnswer::Done)),
    }
}

/// Notes what the exchange said about a key, if it is still the same key.
pub(crate) fn tested(
    connection: &Connection,
    (account, exchange, version): (AccountId, Exchange, u64),
    permissions: KeyPermissions,
    at: Timestamp,
) -> Outcome {
    let sql = "UPDATE exchange_keys SET can_trade = ?, can_withdraw = ?, tested_at = ?
               WHERE account_id = ? AND exchange = ? AND version = ?";
    let row = (
        permissions.can_trade,
        permissions.can_withdraw,
        at.to_string(),
        account.0,
        exchange.name(),
        version as i64,
    );
    match connection.execute(sql, row)? {
        0 => Ok(Err(ControlError::NotFound("key"))),
        _ => Ok(Ok(ControlAnswer::Done)),
    }
}

/// Seals all keys anew, all or none: each has to be there in the same version.
pub(crate) fn reseal(connection: &Connection, rows: &[KeyRow]) -> Outcome {
    let count: i64 =
        connection.query_row("SELECT count(*) FROM exchange_keys", [], |row| row.get(0))?;
    let changed = || Ok(Err(ControlError::Invalid("a key was changed meanwhile".into())));
    if count as usize != rows.len() {
        return changed();
    }
    let sql = "UPDATE exchange_keys SET master_id = ?, nonce = ?, sealed = ?
               WHERE account_id = ? AND exchange = ? AND version = ?";
    for row in rows {
        let key = (row.account_id.0, row.exchange.name(), row.version as i64);
        let values = (&row.master_id, row.nonce, &row.sealed, key.0, key.1, key.2);
        if connection.execute(sql, values)? == 0 {
            return changed();
        }
    }
    Ok(Ok(ControlAnswer::Done))
}

fn last_version(c: &Connection, account: AccountId, exchange: Exchange) -> Result<u64, StoreError> {
    let sql = "SELECT ifnull(max(version), 0) FROM exchange_key_versions
               WHERE account_id = ? AND exchange = ?";
    let last: i64 = c.query_row(sql, (account.0, exchange.name()), |row| row.get(0))?;
    Ok(last as u64)
}

fn row(cells: &Cells<'_>) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        account_id: AccountId(cells.small("account_id")?),
        exchange: cells.word("exchange")?,
        version: cells.id("version")?,
        key_tail: cells.text("key_tail")?,
        master_id: cells.text("master_id")?,
        nonce: cells.bytes("nonce")?,
        sealed: cells.0.get("sealed")?,
        permissions: KeyPermissions {
            can_trade: cells.opt("can_trade", Cells::flag)?,
            can_withdraw: cells.opt("can_withdraw", Cells::flag)?,
        },
        tested_at: cells.opt("tested_at", Cells::time)?,
        attestation: cells.opt("attestation", Cells::json)?,
        created_at: cells.time("created_at")?,
        created_by: cells.text("created_by")?,
    })
}

impl ReadPool {
    /// The sealed keys of an account, or of all, by account and exchange.
    ///
    /// # Errors
    /// SQLite's.
    pub fn exchange_keys(&self, account: Option<AccountId>) -> Result<Vec<KeyRow>, StoreError> {
        let sql = "SELECT * FROM exchange_keys WHERE ?1 IS NULL OR account_id = ?1
                   ORDER BY account_id, exchange";
        self.all(sql, [account.map(|a| a.0)], row)
    }

    /// One sealed key.
    ///
    /// # Errors
    /// SQLite's.
    pub fn exchange_key(
        &self,
        account: AccountId,
        exchange: Exchange,
    ) -> Result<Option<KeyRow>, StoreError> {
        let sql = "SELECT * FROM exchange_keys WHERE account_id = ? AND exchange = ?";
        self.one(sql, (account.0, exchange.name()), row)
    }

    /// The version of the next key.
    ///
    /// # Errors
    /// SQLite's.
    pub fn next_key_version(
        &self,
        account: AccountId,
        exchange: Exchange,
    ) -> Result<u64, StoreError> {
        self.with(|connection| Ok(last_version(connection, account, exchange)? + 1))
    }
}
