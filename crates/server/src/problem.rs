//! Every error as RFC 9457 `application/problem+json` with a stable code and its figures.

use crate::core::CoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::CommandError;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// An error as told to a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable, SCREAMING_SNAKE_CASE.
    pub code: Cow<'static, str>,
    /// One sentence: what is wrong and what would do.
    pub detail: String,
    /// The figures, beside.
    pub figures: Map<String, Value>,
}

impl Problem {
    /// A problem without figures.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), figures: Map::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(key.to_owned(), value.into());
        self
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: not there, or not yours; the two look alike on purpose.
    pub fn not_found(what: &str) -> Self {
        let detail = format!("there is no such {what}");
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail).with("what", what)
    }

    /// 403: signed in, but not allowed.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 422: understood, but a value will not do.
    pub fn invalid_field(field: &str, value: impl Into<Value>, allowed: &str) -> Self {
        let value = value.into();
        let detail = format!("{field} = {value}: allowed is {allowed}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_FIELD", detail)
            .with("field", field)
            .with("value", value)
            .with("allowed", allowed)
    }

    /// 500: our fault; the reason is in the log, not in the answer.
    pub fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "request failed");
        let detail = "an error of the server; its log has the reason";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
    }

    /// 501: a part that does not exist yet, and does not pretend.
    pub fn not_built(what: &str) -> Self {
        let detail = format!("{what} is not built yet");
        Self::new(StatusCode::NOT_IMPLEMENTED, "NOT_BUILT", detail).with("what", what)
    }

    /// The document.
    pub fn to_json(&self) -> Value {
        let mut json = self.figures.clone();
        let kind = format!("urn:amarktai:problem:{}", self.code.to_ascii_lowercase());
        json.insert("type".into(), kind.into());
        json.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        json.insert("status".into(), self.status.as_u16().into());
        json.insert("detail".into(), self.detail.clone().into());
        json.insert("code".into(), self.code.clone().into());
        Value::Object(json)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.to_json().to_string()).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"amarktai\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = self.figures.get("retry_after_s").and_then(Value::as_u64) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<CoreError> for Problem {
    fn from(error: CoreError) -> Self {
        let detail = error.to_string();
        match error {
            CoreError::Refused(refusal) => refusal.into(),
            CoreError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "ENGINE_BUSY", detail)
                .with("retry_after_s", 1),
            CoreError::OutcomeUnknown => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, "OUTCOME_UNKNOWN", detail)
            }
            CoreError::Gone => Self::new(StatusCode::SERVICE_UNAVAILABLE, "ENGINE_STOPPED", detail),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let detail = error.to_string();
        let mut figures = match serde_json::to_value(&error) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let code = match figures.remove("code") {
            Some(Value::String(code)) => Cow::Owned(code),
            _ => Cow::Borrowed("REFUSED"),
        };
        // A figure may not hide a member of the document itself.
        for reserved in ["type", "title", "status", "detail"] {
            figures.remove(reserved);
        }
        Self { status: status_of(&error), code, detail, figures }
    }
}

/// Unknown things are 404, values that cannot do 422, values that clash with what is now 409.
fn status_of(error: &CommandError) -> StatusCode {
    match error {
        CommandError::NotFound { .. } => StatusCode::NOT_FOUND,
        CommandError::UnknownInstrument { .. }
        | CommandError::InvalidStrategy { .. }
        | CommandError::InvalidField { .. }
        | CommandError::CapitalTooSmall { .. }
        | CommandError::PolicyInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        CommandError::NameInvalid { .. }
        | CommandError::BotCapReached { .. }
        | CommandError::InsufficientFunds { .. }
        | CommandError::WrongState { .. }
        | CommandError::NotFlat { .. }
        | CommandError::GateClosed { .. }
        | CommandError::EmergencyStopActive
        | CommandError::NotPossible { .. } => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_command_tells_its_code_and_figures() {
        let error = CommandError::BotCapReached {
            exchange: "luno".into(),
            mode: "paper".into(),
            in_use: 5,
            cap: 5,
        };
        let problem = Problem::from(CoreError::Refused(error));
        let json = problem.to_json();
        assert_eq!(problem.status, StatusCode::CONFLICT);
        assert_eq!(json["code"], "BOT_CAP_REACHED");
        assert_eq!(json["cap"], 5);
        assert_eq!(json["status"], 409);
        assert_eq!(json["detail"], "luno: 5 of 5 paper bots are in use");
    }
}
