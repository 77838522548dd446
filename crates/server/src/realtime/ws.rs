//! Events as WebSocket text frames.

use super::AfterQuery;
use super::feed::{End, Feed, Step};
use crate::auth::Scope;
use crate::extract::Query;
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use std::time::Duration;

/// A frame that is not taken within this time ends the stream.
const SEND_TIME: Duration = Duration::from_secs(10);
/// Clients send nothing but pongs and closes.
const FRAME_BYTES_MAX: usize = 4 * 1024;

/// The account's events, live, one JSON text a frame; `cursor` in it goes on after it.
#[utoipa::path(get, path = "/api/realtime/ws", tag = "events", params(AfterQuery),
    responses((status = 101, description = "a WebSocket of JSON text frames")))]
pub(super) async fn socket(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<AfterQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    super::require_enabled(&state)?;
    let upgrade = upgrade.map_err(|e| Problem::bad_request("NOT_A_WEBSOCKET", e.body_text()))?;
    let feed = Feed::open(state, scope, query.after.filter(|cursor| !cursor.is_empty())).await?;
    let upgrade = upgrade.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| run(socket, feed)))
}

async fn run(mut socket: WebSocket, mut feed: Feed) {
    loop {
        let step = tokio::select! {
            step = feed.next() => step,
            // Pings are answered by the library; what a client says is ignored.
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        let (message, is_last) = match step {
            Some(Step::Event(event)) => {
                (Message::text(serde_json::to_string(&*event).unwrap_or_default()), false)
            }
            Some(Step::Beat(text)) => (Message::text(text), false),
            Some(Step::End(end)) => (close(end), true),
            None => return,
        };
        let sent = tokio::time::timeout(SEND_TIME, socket.send(message)).await;
        match sent {
            Ok(Ok(())) if !is_last => {}
            // Too slow for a frame: a close frame would wait behind it; the reason is best effort.
            Err(_) => {
                let _ = tokio::time::timeout(SEND_TIME, socket.send(close(End::Slow))).await;
                return;
            }
            Ok(_) => return,
        }
    }
}

/// Codes of RFC 6455: 1001 going away, 1008 policy, 1011 our fault.
fn close(end: End) -> Message {
    let code = match end {
        End::Closing => 1001,
        End::Slow | End::SignedOut => 1008,
        End::Failed => 1011,
    };
    Message::Close(Some(CloseFrame { code, reason: end.to_string().into() }))
}
