//! Passwords: argon2id, few at a time.

use crate::problem::Problem;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Hashes at once: each takes 19 MiB and a core for some 30 ms; more would starve the fleet.
const HASHES_MAX: usize = 2;
/// Waiting for a place; a flood of sign-ins is told to come back.
const WAIT: Duration = Duration::from_secs(3);
/// Longest password: hashing more text helps nobody.
const PASSWORD_BYTES_MAX: usize = 256;
/// Shortest password, in characters.
const PASSWORD_CHARS_MIN: usize = 10;

/// Hashes and verifies within the bound.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(HASHES_MAX)))
    }
}

/// Is it a password that we take?
pub(crate) fn check(password: &str) -> Result<(), Problem> {
    let allowed = "10 characters or more, at most 256 bytes";
    let is_long = password.chars().count() >= PASSWORD_CHARS_MIN;
    if is_long && password.len() <= PASSWORD_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::invalid_field("password", "…", allowed))
}

impl Passwords {
    /// The PHC text to store.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        let hash = move || {
            let hash: Result<argon2::PasswordHash, _> =
                Argon2::default().hash_password(password.as_bytes());
            hash.map(|h| h.to_string())
        };
        self.run(hash).await?.map_err(|e| Problem::internal(&e))
    }

    /// Does it fit? `None`, an unknown user, costs the same time and never fits.
    pub(crate) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, Problem> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        self.run(move || match stored {
            Some(stored) => {
                Argon2::default().verify_password(password.as_bytes(), stored.as_str()).is_ok()
            }
            None => {
                let mut out = [0; 32];
                let _ = Argon2::default().hash_password_into(
                    password.as_bytes(),
                    b"nobody has this name",
                    &mut out,
                );
                false
            }
        })
        .await
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let busy = || {
            let detail = "too many people sign in at once; try again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SIGN_IN_BUSY", detail)
                .with("retry_after_s", 1)
        };
        let permit = tokio::time::timeout(WAIT, self.0.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| busy())?.map_err(|e| Problem::internal(&e))?;
        let work = move || {
            // Moved in: the place is taken until the work ends, even where the caller has left.
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))
    }
}
