//! The dashboard and the API's documentation, from files inside the binary.

use crate::problem::Problem;
use crate::state::AppState;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Names with a hash of their content stay right for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Always asked for anew: a new binary may not meet an old first page.
const ASK_ANEW: &str = "no-cache";

/// The first page, its parts, and `/api/docs`.
pub(crate) fn routes() -> Router<AppState> {
    let docs = SwaggerUi::new("/api/docs").config(Config::new(["/api/openapi.json"]));
    Router::new().route("/", get(file)).merge(Router::from(docs))
}

/// What no other route takes: a file of the dashboard, or nothing.
pub(crate) async fn other(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    match method {
        Method::GET | Method::HEAD if !uri.path().starts_with("/api/") => file(uri, headers).await,
        _ => Problem::not_found("route").into_response(),
    }
}

async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let has = |name, wanted: &str| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.split(',').any(|part| part.trim().starts_with(wanted)))
    };
    let path = uri.path().trim_start_matches('/');
    let Some(asset) = ui::asset(path, has(header::ACCEPT_ENCODING, "gzip")) else {
        return Problem::not_found("route").into_response();
    };
    let etag = format!("\"{}\"", asset.etag);
    let cache = if asset.is_immutable { FOR_EVER } else { ASK_ANEW };
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
    ];
    let mut response = if has(header::IF_NONE_MATCH, &etag) {
        (StatusCode::NOT_MODIFIED, fixed).into_response()
    } else {
        (fixed, Body::from(asset.bytes)).into_response()
    };
    let headers = response.headers_mut();
    // Hexadecimal digits in quotes are always a header.
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if asset.is_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
