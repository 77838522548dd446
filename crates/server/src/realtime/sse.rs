//! Events as Server-Sent Events.

use super::AfterQuery;
use super::feed::{Feed, Step};
use crate::auth::Scope;
use crate::extract::Query;
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;

/// A client that lost us tries again after this time.
const RETRY: Duration = Duration::from_secs(2);

/// The account's events, live; `id:` is the cursor, `Last-Event-ID` goes on after it.
#[utoipa::path(get, path = "/api/realtime/events", tag = "events", params(AfterQuery,
    ("Last-Event-ID" = Option<String>, Header, description = "As `after`; wins over it.")),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<AfterQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let after = last.or(query.after).filter(|cursor| !cursor.is_empty());
    let feed = Feed::open(state, scope, after).await?;
    let hint = Event::default().retry(RETRY).id(feed.cursor()).comment("connected");
    let stream = stream::once(async { Ok(hint) }).chain(frames(feed));
    // A proxy that buffers would hold events back.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, Sse::new(stream)).into_response())
}

/// Pulled by the socket: a client that does not read is behind in the hub, and cut off there.
fn frames(feed: Feed) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(feed, |mut feed| async {
        let step = feed.next().await?;
        Some((Ok(frame(step, &feed)), feed))
    })
}

fn frame(step: Step, feed: &Feed) -> Event {
    match step {
        Step::Event(event) => {
            // Our own row of plain fields always becomes JSON.
            let data = serde_json::to_string(&*event).unwrap_or_default();
            Event::default().id(&event.cursor).event(event.kind.name()).data(data)
        }
        Step::Beat(text) => Event::default().id(feed.cursor()).event("heartbeat").data(text),
        Step::End(end) => {
            let data = json!({ "reason": end.to_string() }).to_string();
            Event::default().event("closed").data(data)
        }
    }
}
