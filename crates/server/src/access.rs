//! Users, tokens and sessions: the only thing that this crate writes.

use crate::auth::{Credential, Principal, Role};
use crate::problem::Problem;
use domain::{AccountId, Timestamp};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// Somebody with a password.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct User {
    pub id: u32,
    pub name: String,
    pub role: Role,
    pub account_id: AccountId,
    #[serde(skip)]
    pub password_hash: String,
    pub created_at: Timestamp,
}

/// A program's key, without the key.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Token {
    pub id: u32,
    pub name: String,
    pub role: Role,
    pub account_id: AccountId,
    #[serde(skip)]
    pub hash: [u8; 32],
    pub created_at: Timestamp,
}

#[derive(Default)]
struct Tables {
    users: Vec<User>,
    tokens: Vec<Token>,
    sessions: Vec<([u8; 32], u32, Timestamp)>,
}

/// See the module.
#[derive(Clone, Default)]
pub struct Access(Arc<Mutex<Tables>>);

impl Access {
    fn with<R>(&self, f: impl FnOnce(&mut Tables) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whose token is it?
    pub(crate) async fn by_token(&self, hash: [u8; 32]) -> Result<Option<Principal>, Problem> {
        Ok(self.with(|t| {
            t.tokens.iter().find(|k| k.hash == hash).map(|k| Principal {
                name: k.name.clone(),
                role: k.role,
                account_id: k.account_id,
                credential: Credential::Token(hash),
            })
        }))
    }

    /// Whose session is it?
    pub(crate) async fn by_session(&self, hash: [u8; 32]) -> Result<Option<Principal>, Problem> {
        Ok(self.with(|t| {
            let (_, user, _) = t.sessions.iter().find(|s| s.0 == hash)?;
            let user = t.users.iter().find(|u| u.id == *user)?;
            Some(Principal {
                name: user.name.clone(),
                role: user.role,
                account_id: user.account_id,
                credential: Credential::Session(hash),
            })
        }))
    }

    /// Would it still be let in as who it is?
    pub(crate) async fn is_valid(&self, who: &Principal) -> Result<bool, Problem> {
        let found = match who.credential {
            Credential::Token(hash) => self.by_token(hash).await?,
            Credential::Session(hash) => self.by_session(hash).await?,
        };
        Ok(found.as_ref() == Some(who))
    }

    /// All users.
    pub(crate) async fn users(&self) -> Result<Vec<User>, Problem> {
        Ok(self.with(|t| t.users.clone()))
    }

    /// All tokens.
    pub(crate) async fn tokens(&self) -> Result<Vec<Token>, Problem> {
        Ok(self.with(|t| t.tokens.clone()))
    }

    /// `None`: the name is taken.
    pub(crate) async fn add_user(
        &self,
        name: String,
        role: Role,
        account_id: AccountId,
        password_hash: String,
    ) -> Result<Option<User>, Problem> {
        Ok(self.with(|t| {
            if t.users.iter().any(|u| u.name == name) {
                return None;
            }
            let id = t.users.len() as u32 + 1;
            let created_at = now();
            let user = User { id, name, role, account_id, password_hash, created_at };
            t.users.push(user.clone());
            Some(user)
        }))
    }

    /// `None`: the name is taken.
    pub async fn add_token(
        &self,
        name: String,
        role: Role,
        account_id: AccountId,
        hash: [u8; 32],
    ) -> Result<Option<Token>, Problem> {
        Ok(self.with(|t| {
            if t.tokens.iter().any(|u| u.name == name) {
                return None;
            }
            let id = t.tokens.last().map_or(1, |t| t.id + 1);
            let token = Token { id, name, role, account_id, hash, created_at: now() };
            t.tokens.push(token.clone());
            Some(token)
        }))
    }

    /// Says whether it was there.
    pub(crate) async fn revoke_user(&self, id: u32) -> Result<bool, Problem> {
        Ok(self.with(|t| {
            let before = t.users.len();
            t.users.retain(|k| k.id != id);
            before != t.users.len()
        }))
    }

    /// Says whether it was there.
    pub(crate) async fn revoke_token(&self, id: u32) -> Result<bool, Problem> {
        Ok(self.with(|t| {
            let before = t.tokens.len();
            t.tokens.retain(|k| k.id != id);
            before != t.tokens.len()
        }))
    }

    /// The user of this name.
    pub(crate) async fn user(&self, name: &str) -> Result<Option<User>, Problem> {
        Ok(self.with(|t| t.users.iter().find(|u| u.name == name).cloned()))
    }

    /// Remembers a session.
    pub(crate) async fn add_session(
        &self,
        user: u32,
        hash: [u8; 32],
        expires_at: Timestamp,
    ) -> Result<(), Problem> {
        self.with(|t| t.sessions.push((hash, user, expires_at)));
        Ok(())
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, hash: [u8; 32]) -> Result<(), Problem> {
        self.with(|t| t.sessions.retain(|s| s.0 != hash));
        Ok(())
    }
}

/// The wall clock; only access control and heartbeats need it.
pub(crate) fn now() -> Timestamp {
    let nanos = jiff::Timestamp::now().as_nanosecond();
    Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
}
