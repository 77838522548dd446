//! `Idempotency-Key`: the same request twice is carried out once.
//!
//! The first request with a key runs in a task of its own, so that a client that hangs up does not
//! cut it off half-way; equal ones at the same time wait for its answer. The key is claimed in the
//! store before and answered after, so that a retry after a restart is not carried out again.

use crate::access::now;
use crate::auth::Principal;
use crate::extract::read_body;
use crate::problem::Problem;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use storage::{Claim, ControlAnswer, ControlWrite, IdempotencyKey};
use tokio::sync::watch;

/// Longest key; a UUID has 36 characters.
const KEY_CHARS_MAX: usize = 128;
/// Keys in memory at once: those under way, and those of answers that may not be stored.
const KEYS_MAX: usize = 10_000;
/// How long an answer is kept in memory; the store keeps it as long.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Their bodies or answers hold secrets: a hash of a password's body could be guessed back, and a
/// token's text may be nowhere. Memory is enough.
const SECRET_ROUTES: [&str; 4] =
    ["/api/users", "/api/tokens", "/api/auth/second-factor", "/api/auth/second-factor/confirm"];

/// Acts whatever the store does, so its key is not claimed there; twice is the same as once.
const STOP_ROUTE: &str = "/api/emergency-stop";

/// An answer that can be given again.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

impl Answer {
    /// From what the store kept: our errors are problems, the rest is JSON.
    fn stored(status: u16, body: String) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let is_error = status.is_client_error() || status.is_server_error();
        let kind = if is_error { "application/problem+json" } else { "application/json" };
        let kind = (!body.is_empty()).then(|| HeaderValue::from_static(kind));
        Self { status, kind, body: body.into() }
    }

    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        match self.kind {
            Some(kind) => response.headers_mut().insert(header::CONTENT_TYPE, kind),
            None => response.headers_mut().remove(header::CONTENT_TYPE),
        };
        response
    }
}

struct Entry {
    digest: [u8; 32],
    at: Instant,
    answer: watch::Receiver<Option<Answer>>,
}

/// Whose key on which route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    who: String,
    route: String,
    key: String,
}

/// Answers in memory, by key.
#[derive(Default)]
pub(crate) struct Replies {
    entries: Mutex<HashMap<Key, Entry>>,
}

enum Slot {
    First(watch::Sender<Option<Answer>>, watch::Receiver<Option<Answer>>),
    Again(watch::Receiver<Option<Answer>>),
}

impl Replies {
    fn slot(&self, key: &Key, digest: [u8; 32]) -> Result<Slot, Problem> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key).filter(|e| e.at.elapsed() < KEPT) {
            return if entry.digest == digest {
                Ok(Slot::Again(entry.answer.clone()))
            } else {
                Err(reused())
            };
        }
        if entries.len() >= KEYS_MAX {
            entries.retain(|_, e| e.at.elapsed() < KEPT);
        }
        if entries.len() >= KEYS_MAX {
            let detail = format!("{KEYS_MAX} keys are in use; try again");
            let unavailable = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(unavailable, "IDEMPOTENCY_FULL", detail));
        }
        let (sender, receiver) = watch::channel(None);
        let answer = receiver.clone();
        entries.insert(key.clone(), Entry { digest, at: Instant::now(), answer });
        Ok(Slot::First(sender, receiver))
    }

    fn forget(&self, key: &Key) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The middleware; requests without the header pass.
pub(crate) async fn once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let who = request.extensions().get::<Principal>().cloned();
    let key = request.headers().get("idempotency-key").cloned();
    let is_keyed = request.method() == Method::POST && request.uri().path() != STOP_ROUTE;
    match (is_keyed, who, key) {
        (true, Some(who), Some(key)) => match keyed(state, who, &key, request, next).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        },
        _ => next.run(request).await,
    }
}

async fn keyed(
    state: AppState,
    who: Principal,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = check_key(key)?;
    let (parts, body) = request.into_parts();
    let bytes = read_body(body).await?;
    let route = format!("POST {}", parts.uri);
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let key = Key { who: who.name, route, key };
    let mut answer = match state.replies.slot(&key, digest)? {
        Slot::Again(answer) => answer,
        Slot::First(sender, answer) => {
            let is_secret = SECRET_ROUTES.contains(&parts.uri.path());
            let stored = (!is_secret).then(|| IdempotencyKey {
                account: Some(who.account_id),
                // People of one account do not share their keys.
                route: format!("{} by {}", key.route, key.who),
                key: key.key.clone(),
            });
            let request = Request::from_parts(parts, Body::from(bytes));
            let work = Work { state: state.clone(), key: key.clone(), stored, digest };
            tokio::spawn(work.run(request, next, sender));
            answer
        }
    };
    // The sender goes without an answer only where the handler panicked.
    let found = answer.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
    let Some(answer) = found else {
        state.replies.forget(&key);
        return Err(Problem::internal(&"the request ended without an answer"));
    };
    Ok(answer.into_response())
}

/// The first request of a key.
struct Work {
    state: AppState,
    key: Key,
    /// `None`: memory alone.
    stored: Option<IdempotencyKey>,
    digest: [u8; 32],
}

impl Work {
    async fn run(self, request: Request, next: Next, sender: watch::Sender<Option<Answer>>) {
        let answer = match self.claim().await {
            Ok(None) => {
                let answer = answer_of(next.run(request).await).await;
                self.keep(&answer).await;
                answer
            }
            Ok(Some(answer)) => {
                self.state.replies.forget(&self.key);
                answer
            }
            Err(problem) => {
                self.state.replies.forget(&self.key);
                answer_of(problem.into_response()).await
            }
        };
        let _ = sender.send(Some(answer));
    }

    /// The answer that was given before, if any.
    async fn claim(&self) -> Result<Option<Answer>, Problem> {
        let Some(key) = self.stored.clone() else { return Ok(None) };
        let write = ControlWrite::ClaimKey { key, body_hash: self.digest, at: now() };
        match self.state.control(write).await? {
            ControlAnswer::Claimed(Claim::New) => Ok(None),
            ControlAnswer::Claimed(Claim::Answered { status, body }) => {
                Ok(Some(Answer::stored(status, body)))
            }
            ControlAnswer::Claimed(Claim::OtherBody) => Err(reused()),
            ControlAnswer::Claimed(Claim::InFlight) => {
                let detail = "the first request with this key got no answer before the server \
                              ended; look whether it was carried out, then take a new key";
                Err(Problem::new(StatusCode::CONFLICT, "IDEMPOTENCY_OUTCOME_UNKNOWN", detail))
            }
            other => Err(Problem::internal(&format!("a claim answered {other:?}"))),
        }
    }

    /// Keeps the answer, or frees the key where nothing was ordered.
    async fn keep(&self, answer: &Answer) {
        let is_undone = matches!(
            answer.status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        if let Some(key) = self.stored.clone() {
            let write = match answer.status {
                _ if is_undone => Some(ControlWrite::ReleaseKey(key)),
                // May have been carried out: the claim stays without an answer, which says so.
                StatusCode::GATEWAY_TIMEOUT => None,
                status => Some(ControlWrite::AnswerKey {
                    key,
                    status: status.as_u16(),
                    body: String::from_utf8_lossy(&answer.body).into_owned(),
                }),
            };
            if let Some(write) = write
                && let Err(problem) = self.state.control(write).await
            {
                tracing::error!(problem.detail, "an idempotency key could not be stored");
            }
        }
        if is_undone || self.stored.is_some() {
            self.state.replies.forget(&self.key);
        }
    }
}

async fn answer_of(response: Response) -> Answer {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).cloned();
    let body = read_body(response.into_body()).await.unwrap_or_default();
    Answer { status, kind, body }
}

fn reused() -> Problem {
    let detail = "this Idempotency-Key was used with another body; take a new one";
    Problem::new(StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED", detail)
}

fn check_key(key: &HeaderValue) -> Result<String, Problem> {
    let text = key.to_str().unwrap_or("");
    if text.is_empty() || text.len() > KEY_CHARS_MAX {
        let detail = "Idempotency-Key: 1 to 128 visible ASCII characters";
        return Err(Problem::bad_request("INVALID_IDEMPOTENCY_KEY", detail));
    }
    Ok(text.to_owned())
}
