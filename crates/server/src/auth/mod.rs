//! Who is asking: tokens, sessions, roles, and the address behind trusted proxies.

mod guard;
mod limit;
mod password;
mod routes;
mod second_factor;
pub(crate) mod secret;
mod totp;

pub(crate) use guard::{Local, MaybePrincipal, Scope, guard, is_open, unauthenticated};
pub(crate) use limit::LoginLimit;
pub(crate) use password::{Passwords, check as check_password};
pub(crate) use routes::{check_name, routes};
pub(crate) use second_factor::Confirmed;

use crate::problem::Problem;
use domain::{AccountId, Actor};
pub use storage::Role;

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Of the user or token: goes into the audit as the actor.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where it belongs.
    pub account_id: AccountId,
    /// The person behind a session; `None`: a program's token.
    pub user: Option<i64>,
    /// What it showed.
    pub credential: Credential,
}

/// What was shown at the door, as its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An API token in the header.
    Token([u8; 32]),
    /// A session in the cookie.
    Session([u8; 32]),
}

impl Principal {
    /// As the core's audit names it.
    pub fn actor(&self) -> Actor {
        Actor::Person(self.name.clone())
    }

    /// Refuses everyone but admins.
    pub(crate) fn require_admin(&self) -> Result<(), Problem> {
        if self.role == Role::Admin {
            return Ok(());
        }
        Err(Problem::forbidden("ADMIN_ONLY", "only an admin may do this"))
    }
}
