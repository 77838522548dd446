//! The router with everything that holds for every request, and the listener.

use crate::listener::{Bounded, Peer};
use crate::problem::Problem;
use crate::state::AppState;
use crate::{auth, idempotency, openapi, page};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

/// Longest work on one request: longer than any wait inside it.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Time for open requests at the end: a peer that does not read may not keep the process.
const FINISH_TIME: Duration = Duration::from_secs(5);

/// Between taking no more connections and closing the idle ones: a request that a proxy had already
/// sent on one that was just made is still answered.
const DRAIN_TIME: Duration = Duration::from_millis(200);

/// What a page of ours may load: our own files and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
/// Swagger UI writes styles and images into its page.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' \
    'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// A report is a page of its own with its style inside; it runs no script.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// All routes, closed, bounded and logged.
pub fn router(state: AppState) -> Router {
    let document: bytes::Bytes = openapi::document().to_string().into();
    let document = get(move || async move {
        ([(header::CONTENT_TYPE, "application/json")], document).into_response()
    });
    let (api, _) = openapi::routes().split_for_parts();
    let gzip = DefaultPredicate::new().and(NotForContentType::new("text/event-stream"));
    api.merge(page::routes())
        .route("/api/openapi.json", document)
        .fallback(page::other)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(state.clone(), idempotency::once))
        .layer(middleware::from_fn_with_state(state.clone(), auth::guard))
        .layer(middleware::from_fn(in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new().compress_when(gzip))
        .layer(middleware::from_fn(logged))
        .with_state(state)
}

async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} is not one of this route's methods", request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail)
}

/// Only the answer's head is timed, so streams live on.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("not done within {} s", REQUEST_TIME.as_secs());
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "TIMEOUT", detail).into_response()
        }
    }
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    let reason = format!("panic: {}", text.as_deref().unwrap_or("no message"));
    Problem::internal(&reason).into_response()
}

/// When a request was received, before anything was done about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received(pub(crate) Instant);

/// Request id, security headers, one log line.
async fn logged(mut request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = Instant::now();
    request.extensions_mut().insert(Received(started));
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let elapsed_ms = started.elapsed().as_millis() as u64;
    if status >= 500 {
        tracing::warn!(request_id = %id, %method, path, status, elapsed_ms, "request");
    } else {
        tracing::debug!(request_id = %id, %method, path, status, elapsed_ms, "request");
    }
    metrics::histogram!("http_request_seconds").record(started.elapsed().as_secs_f64());
    metrics::counter!("http_requests_total", "status" => status.to_string()).increment(1);
    secure(&path, &id, &mut response);
    response
}

fn secure(path: &str, id: &str, response: &mut Response) {
    let policy = match path {
        path if path.starts_with("/api/docs") => DOCS_POLICY,
        path if path.starts_with("/api/backtests/") => REPORT_POLICY,
        path if path.starts_with("/api/sweeps/") => REPORT_POLICY,
        _ => PAGE_POLICY,
    };
    let headers = response.headers_mut();
    let fixed = [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if path.starts_with("/api/") {
        let no_store = HeaderValue::from_static("no-store");
        headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// Serves until `shutdown`; open streams end at once, open requests are finished.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (realtime, studies) = (state.realtime.clone(), state.studies.clone());
    let (began, mut begun) = tokio::sync::watch::channel(false);
    let (ends, ending) = tokio::sync::watch::channel(false);
    let shutdown = async move {
        shutdown.await;
        let _ = ends.send(true);
        tokio::time::sleep(DRAIN_TIME).await;
        realtime.close();
        studies.close();
        let _ = began.send(true);
    };
    let app = router(state).into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(Bounded::new(listener, ending), app).with_graceful_shutdown(shutdown);
    let too_late = async move {
        // An error here means that serving ended by itself, which the other branch tells.
        let _ = begun.wait_for(|begun| *begun).await;
        tokio::time::sleep(FINISH_TIME).await;
    };
    tokio::select! {
        result = served => result,
        () = too_late => Ok(()),
    }
}
