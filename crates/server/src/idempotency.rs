//! `Idempotency-Key`: the same request twice is carried out once.
//!
//! The first request with a key runs in a task of its own, so that a client that hangs up does not
//! cut it off half-way; equal requests wait for its answer and get the same one.

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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Longest key; a UUID has 36 characters.
const KEY_CHARS_MAX: usize = 128;
/// Answers kept: at some kilobytes each, a few dozen megabytes at worst.
const REPLIES_MAX: usize = 10_000;
/// How long an answer is replayed; retries come within minutes.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// An answer that can be given again.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

struct Entry {
    digest: [u8; 32],
    at: Instant,
    answer: watch::Receiver<Option<Answer>>,
}

/// Whose key on which route.
type Key = (String, String, String);

/// Answers by key.
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
            if entry.digest == digest {
                return Ok(Slot::Again(entry.answer.clone()));
            }
            let detail = "this Idempotency-Key was used with another body; take a new one";
            return Err(Problem::new(StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED", detail));
        }
        if entries.len() >= REPLIES_MAX {
            entries.retain(|_, e| e.at.elapsed() < KEPT);
        }
        if entries.len() >= REPLIES_MAX {
            let detail = format!("{REPLIES_MAX} keys are remembered; send it without or wait");
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "IDEMPOTENCY_FULL", detail));
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
    let who = request.extensions().get::<Principal>().map(|who| who.name.clone());
    let key = request.headers().get("idempotency-key").cloned();
    match (request.method() == Method::POST, who, key) {
        (true, Some(who), Some(key)) => match keyed(state, who, &key, request, next).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        },
        _ => next.run(request).await,
    }
}

async fn keyed(
    state: AppState,
    who: String,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = check_key(key)?;
    let (parts, body) = request.into_parts();
    let bytes = read_body(body).await?;
    let route = parts.uri.to_string();
    let key = (who, route, key);
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let mut answer = match state.replies.slot(&key, digest)? {
        Slot::Again(answer) => answer,
        Slot::First(sender, answer) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            tokio::spawn(execute(state.replies.clone(), key, request, next, sender));
            answer
        }
    };
    // The sender goes without an answer only where the handler panicked.
    let found = answer.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
    let answer = found.ok_or_else(|| Problem::internal(&"the request ended without an answer"))?;
    Ok(replay(answer))
}

async fn execute(
    replies: Arc<Replies>,
    key: Key,
    request: Request,
    next: Next,
    sender: watch::Sender<Option<Answer>>,
) {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).cloned();
    let body = read_body(response.into_body()).await.unwrap_or_default();
    // These say that nothing was ordered: a retry deserves a new attempt. A 504 stays: it may
    // have happened.
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        replies.forget(&key);
    }
    let _ = sender.send(Some(Answer { status, kind, body }));
}

fn replay(answer: Answer) -> Response {
    let mut response = (answer.status, answer.body).into_response();
    match answer.kind {
        Some(kind) => response.headers_mut().insert(header::CONTENT_TYPE, kind),
        None => response.headers_mut().remove(header::CONTENT_TYPE),
    };
    response
}

fn check_key(key: &HeaderValue) -> Result<String, Problem> {
    let text = key.to_str().unwrap_or("");
    if text.is_empty() || text.len() > KEY_CHARS_MAX {
        let detail = "Idempotency-Key: 1 to 128 visible ASCII characters";
        return Err(Problem::bad_request("INVALID_IDEMPOTENCY_KEY", detail));
    }
    Ok(text.to_owned())
}
