//! Answers that are none: what a client sees when the exchange, or the way to it, fails. Whether
//! the order was taken meanwhile is said by the fault, and known at the desk.

use crate::core::Core;
use crate::faults::{Fault, Lie, Target};
use crate::http;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use domain::Exchange;
use futures_util::stream;
use std::time::Duration;

/// Longer than any client waits.
const FOREVER: Duration = Duration::from_secs(300);
/// Distance of two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);

/// What this call is answered honestly, or, as an error, the lie that is due: then the deed is
/// done all the same, or not at all.
pub(crate) async fn unless(
    core: &Core,
    exchange: Exchange,
    call: &str,
    answer: impl FnOnce() -> Response,
) -> Result<Response, Response> {
    let Some((how, is_taken)) = due(core, exchange, call) else { return Ok(answer()) };
    if is_taken {
        drop(answer());
    }
    Err(tell(how, exchange).await)
}

/// The lie that is due for this call, and whether the deed is done all the same.
fn due(core: &Core, exchange: Exchange, call: &str) -> Option<(Lie, bool)> {
    let target = Target { exchange, symbol: "", stream: call };
    match core.faults.hit(target, |f| matches!(f, Fault::Lie { .. })) {
        Some(Fault::Lie { how, taken }) => Some((how, taken)),
        _ => None,
    }
}

/// Whether an order that was taken is refused afterwards.
pub(crate) fn rejects_later(core: &Core, exchange: Exchange, symbol: &str) -> bool {
    let target = Target { exchange, symbol, stream: "orders" };
    core.faults.hit(target, |f| f == Fault::RejectAfterAccept).is_some()
}

/// Whether a cancel crosses a fill.
pub(crate) fn fills_late(core: &Core, exchange: Exchange, symbol: &str) -> bool {
    let target = Target { exchange, symbol, stream: "orders" };
    core.faults.hit(target, |f| f == Fault::LateFill).is_some()
}

/// The answer.
async fn tell(how: Lie, exchange: Exchange) -> Response {
    match how {
        Lie::Reset => Response::new(Body::from_stream(stream::once(async {
            Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }))),
        Lie::Hang => {
            tokio::time::sleep(FOREVER).await;
            http::json(504, "")
        }
        Lie::Html => {
            let mut page = Response::new(Body::from("<html><body>Bad gateway</body></html>"));
            page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            page
        }
        Lie::ErrorBody => http::json(200, error_body(exchange)),
        Lie::Busy => http::json(503, error_body(exchange)),
        Lie::Drip => Response::new(Body::from_stream(stream::unfold((), |()| async {
            tokio::time::sleep(DRIP).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        }))),
    }
}

/// An error of the exchange's own that says nothing about the order.
const fn error_body(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Binance => {
            r#"{"code":-1000,"msg":"An unknown error occurred while processing the request."}"#
        }
        Exchange::Kucoin => r#"{"code":"500000","msg":"Internal Server Error"}"#,
        Exchange::Luno => r#"{"error":"Internal error","error_code":"ErrInternal"}"#,
    }
}
