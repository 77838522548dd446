//! The plain page and the API's documentation, from files inside the binary.

use crate::state::AppState;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The page, its parts, and `/api/docs`.
pub(crate) fn routes() -> Router<AppState> {
    let docs = SwaggerUi::new("/api/docs").config(Config::new(["/api/openapi.json"]));
    Router::new()
        .route("/", get(|| file("text/html", include_str!("../page/index.html"))))
        .route("/page/page.js", get(|| file("text/javascript", include_str!("../page/page.js"))))
        .route("/page/page.css", get(|| file("text/css", include_str!("../page/page.css"))))
        .route("/page/icon.svg", get(|| file("image/svg+xml", include_str!("../page/icon.svg"))))
        .merge(Router::from(docs))
}

async fn file(kind: &'static str, text: &'static str) -> Response {
    // Always asked for anew: a new binary may not meet an old script.
    let headers = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::CACHE_CONTROL, "no-cache".into()),
    ];
    (headers, text).into_response()
}
