//! Users, tokens and sessions: the only thing that this crate writes, by the store's one writer.

use crate::auth::{Credential, Principal};
use crate::problem::Problem;
use crate::state::AppState;
use axum::http::StatusCode;
use domain::{AccountId, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use storage::{
    ControlAnswer, ControlError, ControlFailure, ControlWrite, NewSession, NewToken, NewUser, Role,
    SecretHash,
};

/// Where a token of all accounts works when no account is named.
const FIRST_ACCOUNT: AccountId = AccountId(1);
/// Who orders by the token that is in no store.
const LOCAL_NAME: &str = "command line";
/// Noting each use would be a commit each.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Credentials whose last note is remembered; beyond, the map starts anew.
const TOUCHED_MAX: usize = 10_000;
/// Where the store keeps the hash of the setup code.
const SETUP_CODE_KEY: &str = "setup_code_hash";

/// When the use of a credential was last noted.
#[derive(Default)]
pub(crate) struct Touched(Mutex<HashMap<SecretHash, Instant>>);

impl Touched {
    fn is_due(&self, hash: SecretHash) -> bool {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.get(&hash).is_some_and(|at| at.elapsed() < TOUCH_EVERY) {
            return false;
        }
        if touched.len() >= TOUCHED_MAX {
            touched.clear();
        }
        touched.insert(hash, Instant::now());
        true
    }
}

impl AppState {
    /// Who shows this? Revoked and expired ones are nobody.
    pub(crate) async fn principal(
        &self,
        credential: Credential,
    ) -> Result<Option<Principal>, Problem> {
        if matches!(credential, Credential::Token(hash) if Some(hash) == self.local_token) {
            return Ok(Some(Principal {
                name: LOCAL_NAME.to_owned(),
                role: Role::Admin,
                account_id: FIRST_ACCOUNT,
                user: None,
                credential,
            }));
        }
        let found = self.read(move |reader| match credential {
            Credential::Token(hash) => Ok(reader.token_by_hash(&hash)?.map(|token| Principal {
                name: token.name,
                role: token.role,
                account_id: token.account_id.unwrap_or(FIRST_ACCOUNT),
                user: None,
                credential,
            })),
            Credential::Session(hash) => {
                Ok(reader.session_by_hash(&hash, now())?.map(|session| Principal {
                    name: session.user.name,
                    role: session.user.role,
                    account_id: session.user.account_id,
                    user: Some(session.user.id),
                    credential,
                }))
            }
        });
        let found = found.await?;
        if let (Some(_), Credential::Token(hash) | Credential::Session(hash)) = (&found, credential)
            && self.touched.is_due(hash)
        {
            // Not waited for: when it was last used is worth no delay.
            let _ = self.store.control(ControlWrite::Touch { hash, at: now() });
        }
        Ok(found)
    }

    /// Would it still be let in as who it is?
    pub(crate) async fn is_valid(&self, who: &Principal) -> Result<bool, Problem> {
        Ok(self.principal(who.credential).await?.as_ref() == Some(who))
    }

    /// Writes, and waits for the commit.
    pub(crate) async fn control(&self, write: ControlWrite) -> Result<ControlAnswer, Problem> {
        Ok(self.store.control(write)?.answer_async().await?)
    }

    /// The id of the new row.
    pub(crate) async fn create(&self, write: ControlWrite) -> Result<i64, Problem> {
        match self.control(write).await? {
            ControlAnswer::Created(id) => Ok(id),
            other => Err(Problem::internal(&format!("creation answered {other:?}"))),
        }
    }

    /// Is this the setup code that waits to be used?
    pub(crate) async fn is_setup_code(&self, code: &str) -> Result<bool, Problem> {
        let stored = self.read(|reader| reader.meta(SETUP_CODE_KEY)).await?;
        let typed: String =
            storage::secret_hash(code).iter().map(|byte| format!("{byte:02x}")).collect();
        // Two digests: how far they agree tells nothing about the code.
        Ok(stored.is_some_and(|stored| stored == typed))
    }

    /// Remembers a session.
    pub(crate) async fn open_session(
        &self,
        user_id: i64,
        hash: SecretHash,
        expires_at: Timestamp,
    ) -> Result<(), Problem> {
        let session = NewSession { user_id, hash, created_at: now(), expires_at };
        self.create(ControlWrite::CreateSession(session)).await.map(|_| ())
    }

    /// Adds a user.
    pub(crate) async fn add_user(&self, user: NewUser) -> Result<i64, Problem> {
        self.create(ControlWrite::CreateUser(user)).await
    }

    /// Adds a token.
    pub(crate) async fn add_token(&self, token: NewToken) -> Result<i64, Problem> {
        self.create(ControlWrite::CreateToken(token)).await
    }
}

impl From<ControlFailure> for Problem {
    fn from(failure: ControlFailure) -> Self {
        let error = match failure {
            ControlFailure::Refused(error) => error,
            ControlFailure::Store(error) => return error.into(),
        };
        let detail = error.to_string();
        match error {
            ControlError::NotFound(what) => Self::not_found(what),
            ControlError::NameTaken(name) => {
                Self::new(StatusCode::CONFLICT, "NAME_TAKEN", detail).with("name", name)
            }
            ControlError::WrongSetupCode => Self::forbidden("SETUP_CODE_WRONG", detail),
            ControlError::AlreadySetUp => Self::new(StatusCode::CONFLICT, "ALREADY_SET_UP", detail),
            ControlError::SecondFactorOn => {
                Self::new(StatusCode::CONFLICT, "SECOND_FACTOR_ON", detail)
            }
            ControlError::CodeUsed => Self::forbidden("SECOND_FACTOR_USED", detail),
            ControlError::Invalid(_) | ControlError::AccountNeeded(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_FIELD", detail)
            }
        }
    }
}

/// The wall clock; only access control and heartbeats need it.
pub(crate) fn now() -> Timestamp {
    let nanos = jiff::Timestamp::now().as_nanosecond();
    Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
}
