//! Writes that the server asks for: people, tokens, sessions, idempotency keys. The same writer
//! does them, in the same transactions; the answer comes after the commit.

use crate::access::{NewSession, NewToken, NewUser};
use crate::idempotency::{Claim, IdempotencyKey};
use crate::keys::{KeyPermissions, KeyRow};
use crate::notices::{NewNotice, NoticeEnd};
use crate::queue::Queue;
use crate::rates::RateRow;
use crate::retention::Retained;
use crate::second_factor::{self, SecondFactorRow};
use crate::writer::Job;
use crate::{Store, StoreError, access, idempotency, keys, notices, rates};
use domain::{AccountId, Exchange, Timestamp};
use engine::EventDraft;
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::oneshot;

/// SHA-256 of a secret: only this is ever stored of tokens, sessions and the setup code.
pub type SecretHash = [u8; 32];

/// One write. Hashes are made by the caller: [`crate::secret_hash`], argon2 for passwords.
#[derive(Clone, Debug)]
pub enum ControlWrite {
    /// A setup code, replacing the one before; `None` removes it.
    SetupCode(Option<SecretHash>),
    /// The first user, by the setup code, which is used up. Only while there is no user.
    CreateFirstUser {
        /// Of the code that was typed.
        code: SecretHash,
        /// Who.
        user: NewUser,
    },
    /// Another user.
    CreateUser(NewUser),
    /// A new password; ends the user's sessions.
    SetPassword {
        /// Whose.
        user: i64,
        /// As argon2 writes it.
        password_hash: String,
        /// When.
        at: Timestamp,
    },
    /// Ends a user and its sessions.
    RevokeUser {
        /// Which.
        user: i64,
        /// When.
        at: Timestamp,
    },
    /// An API token.
    CreateToken(NewToken),
    /// Ends a token.
    RevokeToken {
        /// Which.
        token: i64,
        /// When.
        at: Timestamp,
    },
    /// Somebody signed in.
    CreateSession(NewSession),
    /// Somebody signed out.
    RevokeSession {
        /// Of the session's secret.
        hash: SecretHash,
        /// When.
        at: Timestamp,
    },
    /// Notes that a token or session was used: a commit each, so call it once a minute at most.
    Touch {
        /// Of a token's or session's secret.
        hash: SecretHash,
        /// When.
        at: Timestamp,
    },
    /// Claims an idempotency key before the request is carried out.
    ClaimKey {
        /// Which.
        key: IdempotencyKey,
        /// SHA-256 of the request's body.
        body_hash: [u8; 32],
        /// When.
        at: Timestamp,
    },
    /// Stores the answer of a claimed key.
    AnswerKey {
        /// Which.
        key: IdempotencyKey,
        /// HTTP status.
        status: u16,
        /// The answer's body.
        body: String,
    },
    /// Frees a claimed key: nothing was done, the request may be sent again.
    ReleaseKey(IdempotencyKey),
    /// An event that does not come from the core, as `self_healing`.
    Event(EventDraft),
    /// A sealed exchange key in place of the one before.
    PutKey(Box<KeyRow>),
    /// Removes an exchange key.
    DeleteKey {
        /// Whose.
        account: AccountId,
        /// Where.
        exchange: Exchange,
    },
    /// What an exchange said about a key of this version.
    KeyTested {
        /// Whose.
        account: AccountId,
        /// Where.
        exchange: Exchange,
        /// Of which it was.
        version: u64,
        /// What it may do.
        permissions: KeyPermissions,
        /// When.
        at: Timestamp,
    },
    /// All keys and second factors under another master key.
    Reseal(Vec<KeyRow>, Vec<SecondFactorRow>),
    /// A second factor that waits for its first code.
    BeginSecondFactor(Box<SecondFactorRow>),
    /// Its first code was right: it is asked for from now on.
    ConfirmSecondFactor {
        /// Whose.
        user: i64,
        /// Of the code.
        step: u64,
        /// Of the recovery codes.
        recovery: Vec<SecretHash>,
        /// When.
        at: Timestamp,
    },
    /// A right code counts, unless it or a newer one has counted.
    CountCode {
        /// Whose.
        user: i64,
        /// Of the code.
        step: u64,
    },
    /// A recovery code counts, unless it has.
    UseRecoveryCode {
        /// Whose.
        user: i64,
        /// Of the code.
        hash: SecretHash,
        /// When.
        at: Timestamp,
    },
    /// A second factor is asked for no more.
    EndSecondFactor {
        /// Whose.
        user: i64,
    },
    /// Notices to tell, and the place in the events up to which they were made (name, value).
    Notices {
        /// What.
        notices: Vec<NewNotice>,
        /// Up to where.
        cursor: Option<(String, String)>,
    },
    /// How an attempt to tell a notice ended.
    NoticeEnded {
        /// Which.
        id: i64,
        /// How.
        how: NoticeEnd,
        /// When.
        at: Timestamp,
    },
    /// Rates of this moment.
    Rates(Vec<RateRow>),
}

/// What a write led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAnswer {
    /// Done.
    Done,
    /// This row is new.
    Created(i64),
    /// How the key stands.
    Claimed(Claim),
}

/// Why a write was refused; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such row, or it is revoked.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The name is in use.
    #[error("the name {0:?} is taken")]
    NameTaken(String),
    /// The setup code is wrong or used up.
    #[error("the setup code is wrong or was used")]
    WrongSetupCode,
    /// The first user exists already.
    #[error("there is a user already; sign in")]
    AlreadySetUp,
    /// It has to be turned off first.
    #[error("the second factor is on; turn it off before another one is set up")]
    SecondFactorOn,
    /// It has counted before, or is none.
    #[error("the code was used before; wait for the next one")]
    CodeUsed,
    /// A field that no row may have, as an empty name.
    #[error("not possible: {0}")]
    Invalid(String),
    /// A token without an account manages all: only admins.
    #[error("a {0} token needs an account")]
    AccountNeeded(&'static str),
}

/// Why a control write has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlFailure {
    /// Refused.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// The store failed or was closed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An answer that comes after its commit.
pub struct Pending<T> {
    answer: oneshot::Receiver<T>,
    queue: Arc<Queue>,
}

impl<T> Pending<T> {
    /// Blocks until the commit; not for asynchronous callers.
    ///
    /// # Errors
    /// The store failed or was closed before that.
    pub fn wait(self) -> Result<T, StoreError> {
        self.answer.blocking_recv().map_err(|_| self.queue.ended())
    }

    /// The same without blocking the thread.
    ///
    /// # Errors
    /// The store failed or was closed before that.
    pub async fn wait_async(self) -> Result<T, StoreError> {
        self.answer.await.map_err(|_| self.queue.ended())
    }
}

impl Pending<Result<ControlAnswer, ControlError>> {
    /// [`Pending::wait`] with both kinds of failure in one.
    ///
    /// # Errors
    /// Refused, or no store.
    pub fn answer(self) -> Result<ControlAnswer, ControlFailure> {
        Ok(self.wait()??)
    }

    /// [`Pending::wait_async`] with both kinds of failure in one.
    ///
    /// # Errors
    /// Refused, or no store.
    pub async fn answer_async(self) -> Result<ControlAnswer, ControlFailure> {
        Ok(self.wait_async().await??)
    }
}

impl Store {
    /// Queues a write of the server's; its answer comes after the commit.
    ///
    /// # Errors
    /// The store failed or was closed.
    pub fn control(
        &self,
        write: ControlWrite,
    ) -> Result<Pending<Result<ControlAnswer, ControlError>>, StoreError> {
        self.ask(|ticket, reply| Job::Control { ticket, write, reply })
    }

    fn ask<T>(
        &self,
        job: impl FnOnce(u64, oneshot::Sender<T>) -> Job,
    ) -> Result<Pending<T>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue();
        queue.push(1, |ticket| job(ticket, reply))?;
        Ok(Pending { answer, queue })
    }

    /// Removes one step of what is older than its time (see [`crate::Retained`]); call again
    /// while there is more, with pauses: each step is part of an ordinary commit.
    ///
    /// # Errors
    /// The store failed or was closed.
    pub fn retain(&self, now: Timestamp) -> Result<Pending<Retained>, StoreError> {
        self.ask(|ticket, reply| Job::Retain { ticket, now, reply })
    }
}

/// Carries a write out inside the writer's transaction. What the tables refuse is undone and
/// refused: a wrong field of one request must not fail the commit of others.
pub(crate) fn perform(
    connection: &Connection,
    write: &ControlWrite,
) -> Result<Result<ControlAnswer, ControlError>, StoreError> {
    connection.execute_batch("SAVEPOINT control")?;
    let outcome = match carry_out(connection, write) {
        Err(StoreError::Sqlite(error)) if is_constraint(&error) => {
            Ok(Err(ControlError::Invalid(error.to_string())))
        }
        other => other,
    };
    match outcome {
        Ok(Ok(_)) => connection.execute_batch("RELEASE control")?,
        Ok(Err(_)) => connection.execute_batch("ROLLBACK TO control; RELEASE control")?,
        Err(_) => {}
    }
    outcome
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

fn carry_out(
    c: &Connection,
    write: &ControlWrite,
) -> Result<Result<ControlAnswer, ControlError>, StoreError> {
    match write {
        ControlWrite::SetupCode(hash) => access::set_setup_code(c, *hash),
        ControlWrite::CreateFirstUser { code, user } => access::create_first_user(c, code, user),
        ControlWrite::CreateUser(user) => access::create_user(c, user),
        ControlWrite::SetPassword { user, password_hash, at } => {
            access::set_password(c, *user, password_hash, *at)
        }
        ControlWrite::RevokeUser { user, at } => access::revoke_user(c, *user, *at),
        ControlWrite::CreateToken(token) => access::create_token(c, token),
        ControlWrite::RevokeToken { token, at } => access::revoke_token(c, *token, *at),
        ControlWrite::CreateSession(session) => access::create_session(c, session),
        ControlWrite::RevokeSession { hash, at } => access::revoke_session(c, hash, *at),
        ControlWrite::Touch { hash, at } => access::touch(c, hash, *at),
        ControlWrite::ClaimKey { key, body_hash, at } => idempotency::claim(c, key, body_hash, *at)
            .map(|claim| Ok(ControlAnswer::Claimed(claim))),
        ControlWrite::AnswerKey { key, status, body } => idempotency::answer(c, key, *status, body),
        ControlWrite::ReleaseKey(key) => {
            idempotency::release(c, key).map(|()| Ok(ControlAnswer::Done))
        }
        ControlWrite::PutKey(row) => keys::put(c, row),
        ControlWrite::DeleteKey { account, exchange } => keys::delete(c, *account, *exchange),
        ControlWrite::KeyTested { account, exchange, version, permissions, at } => {
            keys::tested(c, (*account, *exchange, *version), *permissions, *at)
        }
        ControlWrite::Reseal(rows, factors) => match keys::reseal(c, rows)? {
            Ok(_) => second_factor::reseal(c, factors),
            refused => Ok(refused),
        },
        ControlWrite::BeginSecondFactor(row) => second_factor::begin(c, row),
        ControlWrite::ConfirmSecondFactor { user, step, recovery, at } => {
            second_factor::confirm(c, (*user, *step), recovery, *at)
        }
        ControlWrite::CountCode { user, step } => second_factor::count(c, *user, *step),
        ControlWrite::UseRecoveryCode { user, hash, at } => {
            second_factor::recover(c, *user, hash, *at)
        }
        ControlWrite::EndSecondFactor { user } => second_factor::end(c, *user),
        ControlWrite::Notices { notices, cursor } => notices::add(c, notices, cursor.as_ref()),
        ControlWrite::NoticeEnded { id, how, at } => notices::end(c, *id, how, *at),
        ControlWrite::Rates(rows) => rates::keep(c, rows),
        // Numbered and told by the writer.
        ControlWrite::Event(_) => Ok(Ok(ControlAnswer::Done)),
    }
}
