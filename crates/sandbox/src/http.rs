//! What every REST side shares: faults on answers, the `Date` header, JSON bodies.

use crate::core::Core;
use crate::faults::{Fault, Target};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::Exchange;
use std::time::Duration;

/// A JSON answer.
pub(crate) fn json(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = HeaderValue::from_static("application/json;charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Sets a header that has a number for a value.
pub(crate) fn number(response: &mut Response, name: &'static str, value: u64) {
    response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
}

/// What the faults do to an answer.
pub(crate) enum Spoiled {
    /// Nothing.
    No,
    /// 429, after this many seconds.
    TooMany(u64),
    /// Another answer.
    Instead(Box<Response>),
}

/// Applies the faults of the HTTP side; waits where one says so.
pub(crate) async fn spoil(core: &Core, exchange: Exchange, path: &str, symbol: &str) -> Spoiled {
    let stream = format!("rest {path}");
    let target = Target { exchange, symbol, stream: &stream };
    let always = |f| matches!(f, Fault::Http429 { .. } | Fault::Http418 { .. } | Fault::Http5xx);
    match core.faults.hit(target, always) {
        Some(Fault::Http429 { retry_after }) => return Spoiled::TooMany(retry_after),
        Some(Fault::Http418 { retry_after }) => {
            let body = r#"{"code":-1003,"msg":"Way too many requests; IP banned."}"#;
            let mut response = json(418, body);
            number(&mut response, "retry-after", retry_after);
            return Spoiled::Instead(Box::new(response));
        }
        Some(_) => return Spoiled::Instead(Box::new(json(503, "<html>busy</html>"))),
        None => {}
    }
    // These are meant for frames unless their scope names `rest`.
    let asked = |f| matches!(f, Fault::Delay { .. } | Fault::Garbage | Fault::Silence);
    match core.faults.hit_rest(target, asked) {
        Some(Fault::Delay { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(Fault::Garbage) => return Spoiled::Instead(Box::new(json(200, "{\"garbage"))),
        // A server that never answers; longer than any client waits.
        Some(_) => tokio::time::sleep(Duration::from_secs(300)).await,
        None => {}
    }
    Spoiled::No
}

/// Sets `Date` from the exchange's clock: Luno's clients have no other.
pub(crate) fn date(response: &mut Response, nanos: i64) {
    if let Ok(value) = HeaderValue::from_str(&http_date(nanos.div_euclid(1_000_000_000))) {
        response.headers_mut().insert(header::DATE, value);
    }
}

/// Seconds since the epoch as an HTTP date.
fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = crate::model::bars::civil(days);
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[(month - 1).rem_euclid(12) as usize],
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn http_dates_follow_the_calendar() {
        assert_eq!(super::http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(super::http_date(1_709_210_096), "Thu, 29 Feb 2024 12:34:56 GMT");
    }
}
