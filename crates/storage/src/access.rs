//! Who may come in: users, tokens, sessions and the setup code. Of secrets only hashes are here.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError, SecretHash};
use crate::{ReadPool, StoreError};
use domain::{AccountId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Outcome = Result<Result<ControlAnswer, ControlError>, StoreError>;

const SETUP_CODE: &str = "setup_code_hash";

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look and trade, in one account.
    Trader,
    /// Everything, in all accounts.
    Admin,
}

impl Role {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Trader => "trader",
            Self::Admin => "admin",
        }
    }
}

/// A user to create.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewUser {
    pub name: String,
    pub account_id: AccountId,
    pub role: Role,
    /// As argon2 writes it.
    pub password_hash: String,
    pub created_at: Timestamp,
}

/// A token to create.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewToken {
    pub name: String,
    /// `None`: all accounts; admins only.
    pub account_id: Option<AccountId>,
    pub role: Role,
    pub hash: SecretHash,
    pub created_at: Timestamp,
}

/// A session to create.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewSession {
    pub user_id: i64,
    pub hash: SecretHash,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A user. Its password's hash is not serialized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct UserRow {
    pub id: i64,
    pub name: String,
    pub account_id: AccountId,
    pub role: Role,
    #[serde(skip)]
    pub password_hash: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct TokenRow {
    pub id: i64,
    pub name: String,
    pub account_id: Option<AccountId>,
    pub role: Role,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// A session with its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct SessionRow {
    pub id: i64,
    pub user: UserRow,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// SHA-256 of a secret with enough randomness of its own; not for passwords.
pub fn secret_hash(secret: &str) -> SecretHash {
    Sha256::digest(secret).into()
}

pub(crate) fn set_setup_code(connection: &Connection, hash: Option<SecretHash>) -> Outcome {
    match hash {
        Some(hash) => connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            (SETUP_CODE, crate::retention::to_hex(&hash)),
        )?,
        None => connection.execute("DELETE FROM meta WHERE key = ?", [SETUP_CODE])?,
    };
    Ok(Ok(ControlAnswer::Done))
}

pub(crate) fn create_first_user(
    connection: &Connection,
    code: &SecretHash,
    user: &NewUser,
) -> Outcome {
    if connection.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |r| r.get(0))? {
        return Ok(Err(ControlError::AlreadySetUp));
    }
    let stored: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = ?", [SETUP_CODE], |r| r.get(0))
        .optional()?;
    if stored != Some(crate::retention::to_hex(code)) {
        return Ok(Err(ControlError::WrongSetupCode));
    }
    connection.execute("DELETE FROM meta WHERE key = ?", [SETUP_CODE])?;
    create_user(connection, user)
}

pub(crate) fn create_user(connection: &Connection, user: &NewUser) -> Outcome {
    let row = (
        &user.name,
        user.account_id.0,
        user.role.name(),
        &user.password_hash,
        user.created_at.to_string(),
    );
    let sql = "INSERT INTO users (name, account_id, role, password_hash, created_at)
               VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    created(connection, sql, row, &user.name)
}

pub(crate) fn create_token(connection: &Connection, token: &NewToken) -> Outcome {
    if token.account_id.is_none() && token.role != Role::Admin {
        return Ok(Err(ControlError::AccountNeeded(token.role.name())));
    }
    let row = (
        &token.name,
        token.account_id.map(|a| a.0),
        token.role.name(),
        token.hash,
        token.created_at.to_string(),
    );
    let sql = "INSERT INTO tokens (name, account_id, role, hash, created_at)
               VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    created(connection, sql, row, &token.name)
}

pub(crate) fn create_session(connection: &Connection, session: &NewSession) -> Outcome {
    let active: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM users WHERE id = ? AND revoked_at IS NULL)",
        [session.user_id],
        |r| r.get(0),
    )?;
    if !active {
        return Ok(Err(ControlError::NotFound("user")));
    }
    let (created_at, expires_at) = (session.created_at.to_string(), session.expires_at.to_string());
    connection.execute(
        "INSERT INTO sessions (user_id, hash, created_at, expires_at) VALUES (?, ?, ?, ?)",
        (session.user_id, session.hash, &created_at, expires_at),
    )?;
    let id = connection.last_insert_rowid();
    let sql = "UPDATE users SET last_used_at = ? WHERE id = ?";
    connection.execute(sql, (&created_at, session.user_id))?;
    Ok(Ok(ControlAnswer::Created(id)))
}

fn created(connection: &Connection, sql: &str, row: impl Params, name: &str) -> Outcome {
    Ok(match connection.execute(sql, row)? {
        0 => Err(ControlError::NameTaken(name.to_owned())),
        _ => Ok(ControlAnswer::Created(connection.last_insert_rowid())),
    })
}

pub(crate) fn set_password(
    connection: &Connection,
    user: i64,
    password_hash: &str,
    at: Timestamp,
) -> Outcome {
    let sql = "UPDATE users SET password_hash = ? WHERE id = ? AND revoked_at IS NULL";
    if connection.execute(sql, (password_hash, user))? == 0 {
        return Ok(Err(ControlError::NotFound("user")));
    }
    end_sessions(connection, user, at)?;
    Ok(Ok(ControlAnswer::Done))
}

pub(crate) fn revoke_user(connection: &Connection, user: i64, at: Timestamp) -> Outcome {
    let sql = "UPDATE users SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
    if connection.execute(sql, (at.to_string(), user))? == 0 {
        return Ok(Err(ControlError::NotFound("user")));
    }
    end_sessions(connection, user, at)?;
    Ok(Ok(ControlAnswer::Done))
}

fn end_sessions(connection: &Connection, user: i64, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL";
    connection.execute(sql, (at.to_string(), user))?;
    Ok(())
}

pub(crate) fn revoke_token(connection: &Connection, token: i64, at: Timestamp) -> Outcome {
    let sql = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
    let changed = connection.execute(sql, (at.to_string(), token))?;
    Ok(if changed == 0 { Err(ControlError::NotFound("token")) } else { Ok(ControlAnswer::Done) })
}

pub(crate) fn revoke_session(connection: &Connection, hash: &SecretHash, at: Timestamp) -> Outcome {
    let sql = "UPDATE sessions SET revoked_at = ? WHERE hash = ? AND revoked_at IS NULL";
    let changed = connection.execute(sql, (at.to_string(), hash))?;
    Ok(if changed == 0 { Err(ControlError::NotFound("session")) } else { Ok(ControlAnswer::Done) })
}

pub(crate) fn touch(connection: &Connection, hash: &SecretHash, at: Timestamp) -> Outcome {
    let at = at.to_string();
    connection.execute("UPDATE tokens SET last_used_at = ? WHERE hash = ?", (&at, hash))?;
    connection.execute("UPDATE sessions SET last_used_at = ? WHERE hash = ?", (&at, hash))?;
    Ok(Ok(ControlAnswer::Done))
}

const USER: &str = "SELECT id, name, account_id, role, password_hash, created_at, last_used_at,
    revoked_at FROM users";
const TOKEN: &str = "SELECT id, name, account_id, role, created_at, last_used_at, revoked_at
    FROM tokens";
const SESSION: &str = "SELECT s.id AS session_id, s.created_at AS session_created_at, s.expires_at,
    s.last_used_at AS session_last_used_at, u.* FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.hash = ?1 AND s.expires_at > ?2 AND s.revoked_at IS NULL AND u.revoked_at IS NULL";

fn user(cells: &Cells<'_>) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: cells.int("id")?,
        name: cells.text("name")?,
        account_id: AccountId(cells.small("account_id")?),
        role: cells.word("role")?,
        password_hash: cells.text("password_hash")?,
        created_at: cells.time("created_at")?,
        last_used_at: cells.opt("last_used_at", Cells::time)?,
        revoked_at: cells.opt("revoked_at", Cells::time)?,
    })
}

fn token(cells: &Cells<'_>) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        id: cells.int("id")?,
        name: cells.text("name")?,
        account_id: cells.opt("account_id", Cells::small)?.map(AccountId),
        role: cells.word("role")?,
        created_at: cells.time("created_at")?,
        last_used_at: cells.opt("last_used_at", Cells::time)?,
        revoked_at: cells.opt("revoked_at", Cells::time)?,
    })
}

fn session(cells: &Cells<'_>) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: cells.int("session_id")?,
        user: user(cells)?,
        created_at: cells.time("session_created_at")?,
        expires_at: cells.time("expires_at")?,
        last_used_at: cells.opt("session_last_used_at", Cells::time)?,
    })
}

impl ReadPool {
    /// The user of this name who may sign in.
    ///
    /// # Errors
    /// SQLite's.
    pub fn user_by_name(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        self.one(&format!("{USER} WHERE name = ? AND revoked_at IS NULL"), [name], user)
    }

    /// All users, revoked ones too, by name.
    ///
    /// # Errors
    /// SQLite's.
    pub fn users(&self, account: Option<AccountId>) -> Result<Vec<UserRow>, StoreError> {
        let sql = format!("{USER} WHERE ?1 IS NULL OR account_id = ?1 ORDER BY name");
        self.all(&sql, [account.map(|a| a.0)], user)
    }

    /// Is there a user, or must one be set up first?
    ///
    /// # Errors
    /// SQLite's.
    pub fn has_users(&self) -> Result<bool, StoreError> {
        self.with(|c| Ok(c.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |r| r.get(0))?))
    }

    /// Is there a setup code that waits to be used?
    ///
    /// # Errors
    /// SQLite's.
    pub fn has_setup_code(&self) -> Result<bool, StoreError> {
        Ok(self.meta(SETUP_CODE)?.is_some())
    }

    /// The token with this secret's hash, unless revoked.
    ///
    /// # Errors
    /// SQLite's.
    pub fn token_by_hash(&self, hash: &SecretHash) -> Result<Option<TokenRow>, StoreError> {
        self.one(&format!("{TOKEN} WHERE hash = ? AND revoked_at IS NULL"), [hash], token)
    }

    /// All tokens, revoked ones too, by name.
    ///
    /// # Errors
    /// SQLite's.
    pub fn tokens(&self, account: Option<AccountId>) -> Result<Vec<TokenRow>, StoreError> {
        let sql = format!("{TOKEN} WHERE ?1 IS NULL OR account_id = ?1 ORDER BY name");
        self.all(&sql, [account.map(|a| a.0)], token)
    }

    /// The session with this secret's hash and its user, unless expired or revoked.
    ///
    /// # Errors
    /// SQLite's.
    pub fn session_by_hash(
        &self,
        hash: &SecretHash,
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        self.one(SESSION, (hash, now.to_string()), session)
    }
}
