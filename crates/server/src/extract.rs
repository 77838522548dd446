//! Bodies, queries and path ids, refused as problems that name the field.

use crate::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Largest body: the largest sane one is a policy of some kilobytes.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;
/// Most rows of one page; one page stays under a megabyte.
pub(crate) const PAGE_ROWS_MAX: u32 = 500;
/// Rows of a page where nobody said how many.
const PAGE_ROWS: u32 = 100;

/// A JSON body without unknown fields.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = read_body(request.into_body()).await?;
        require_object(&bytes)?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be absent; then it is the default.
pub(crate) struct BodyOr<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for BodyOr<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let typed = request.headers().get(header::CONTENT_TYPE).cloned();
        let headers = request.headers().clone();
        let bytes = read_body(request.into_body()).await?;
        if bytes.is_empty() && typed.is_none() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        // `null` is as good as nothing: the document calls the body optional.
        if bytes.trim_ascii() != b"null" {
            require_object(&bytes)?;
        }
        parse::<Option<T>>(&bytes).map(|body| Self(body.unwrap_or_default()))
    }
}

fn require_json(headers: &axum::http::HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send the body with Content-Type: application/json";
    let problem =
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail);
    Err(problem.with("content_type", kind))
}

/// A list would be read as the fields in the order in which we happen to declare them.
fn require_object(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.trim_ascii_start().first() != Some(&b'[') {
        return Ok(());
    }
    let detail = "the body is a list; send an object with named fields";
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY", detail))
}

/// The whole body, or 413 naming the limit.
pub(crate) async fn read_body(body: axum::body::Body) -> Result<bytes::Bytes, Problem> {
    axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes or was cut off");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail)
            .with("bytes_max", BODY_BYTES_MAX)
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    crate::strict::check(bytes).map_err(|e| body_problem(&e))?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: Result<T, _> = serde_path_to_error::deserialize(&mut reader);
    let value = value.map_err(|e| body_problem(&e))?;
    reader.end().map_err(|e| Problem::bad_request("MALFORMED_JSON", e.to_string()))?;
    Ok(value)
}

/// Syntax is 400; a document that reads well but does not fit is 422 and names the field.
fn body_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if !inner.is_data() {
        return Problem::bad_request("MALFORMED_JSON", inner.to_string());
    }
    let text = inner.to_string();
    let path = error.path().to_string();
    let named = text.split('`').nth(1).unwrap_or("");
    let is_named = text.starts_with("unknown field") || text.starts_with("missing field");
    let field = match (path.as_str(), is_named) {
        (".", true) => named.to_owned(),
        (path, true) if path == named || path.ends_with(&format!(".{named}")) => path.to_owned(),
        (path, true) => format!("{path}.{named}"),
        (path, false) => path.to_owned(),
    };
    let detail = format!("{field}: {text}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY", detail).with("field", field)
}

/// Query parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|e| query_problem(&e.body_text()))
    }
}

/// The library's words without its prefix, and the parameter that they begin with.
fn query_problem(text: &str) -> Problem {
    let detail = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let problem = Problem::bad_request("INVALID_QUERY", detail);
    let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match detail.split_once(": ").map(|(name, _)| name).filter(is_name) {
        Some(name) => problem.with("field", name),
        None => problem,
    }
}

/// Path parameters.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|e| Problem::bad_request("INVALID_PATH", e.body_text()))
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Rows, at most 500; default 100.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) after: Option<String>,
}

impl PageQuery {
    /// The number of rows.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let limit = self.limit.unwrap_or(PAGE_ROWS);
        if (1..=PAGE_ROWS_MAX).contains(&limit) {
            return Ok(limit);
        }
        let detail = format!("limit = {limit}: allowed is 1 to {PAGE_ROWS_MAX}");
        Err(Problem::bad_request("INVALID_QUERY", detail).with("field", "limit"))
    }
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// `after` of the page that follows; `null`: this is the last.
    pub(crate) next: Option<String>,
}

/// A page of rows that are all at hand, sorted by a rising id.
pub(crate) fn page_of<T>(
    rows: Vec<T>,
    query: &PageQuery,
    id: impl Fn(&T) -> u64,
) -> Result<Page<T>, Problem> {
    let limit = query.limit()? as usize;
    let after = query.after.as_deref().filter(|text| !text.is_empty()).map(|text| {
        text.parse::<u64>().map_err(|_| {
            Problem::bad_request("INVALID_CURSOR", "after: take the `next` of the page before")
        })
    });
    let after = after.transpose()?;
    let mut rest = rows.into_iter().filter(|row| after.is_none_or(|after| id(row) > after));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let has_more = rest.next().is_some();
    let next = items.last().filter(|_| has_more).map(|row| id(row).to_string());
    Ok(Page { items, next })
}
