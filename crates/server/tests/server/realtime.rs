//! SSE and WebSocket against a real store.

use crate::common::{Server, config, problem};
use domain::{AccountId, Alert, BotId, Timestamp};
use engine::Output;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// An alert of an account, told apart by its bot.
fn alert(account: u32, bot: u32, text: &str) -> Output {
    let at = Timestamp::EPOCH;
    Output::Alert {
        account_id: AccountId(account),
        bot_id: Some(BotId(bot)),
        alert: Alert::Unguarded { since: at, reason: text.to_owned() },
        at,
    }
}

/// Reads events of an SSE stream.
struct Sse {
    response: Response,
    text: String,
}

#[derive(Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Sse {
    async fn open(server: &Server, after: Option<&str>) -> Self {
        let request = server.ask(Method::GET, "/api/realtime/events", Some(&server.viewer));
        let request = match after {
            Some(after) => request.header("last-event-id", after),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert!(!response.headers().contains_key("content-encoding"));
        Self { response, text: String::new() }
    }

    /// The next block with data; `None` at the end.
    async fn any(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim().to_owned())
                };
                let found = field("data:").map(|data| Event {
                    id: field("id:").unwrap_or_default(),
                    kind: field("event:").unwrap_or_default(),
                    data: serde_json::from_str(&data).unwrap(),
                });
                self.text = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event that is no heartbeat.
    async fn next(&mut self) -> Event {
        loop {
            let event = self.any().await.unwrap();
            if event.kind != "heartbeat" {
                return event;
            }
        }
    }
}

fn bots(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.data["data"]["bot_id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_stream_resumes_without_gap_or_double_and_shows_no_other_account() {
    let server = Server::start().await;
    server.commit((1..=700).map(|bot| alert(1, bot, "old")).collect()).await;
    server.commit(vec![alert(2, 9_999, "foreign")]).await;
    let first: Value =
        server.get("/api/events?limit=1", Some(&server.viewer)).await.json().await.unwrap();
    let mut sse = Sse::open(&server, first["next"].as_str()).await;
    // Committed while the client still catches up.
    for bot in 701..=720 {
        server.commit(vec![alert(1, bot, "new"), alert(2, 9_999, "foreign")]).await;
    }
    let mut events = Vec::new();
    while events.len() < 719 {
        events.push(sse.next().await);
    }
    assert_eq!(bots(&events), (2..=720).collect::<Vec<u64>>());
    let seqs: Vec<u64> = events.iter().map(|e| e.data["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (2..=720).collect::<Vec<u64>>(), "dense per account");
    assert_eq!(events[0].kind, "alert");
    assert_eq!(events[0].data["cursor"], events[0].id.as_str());

    let middle = events[300].id.clone();
    drop(sse);
    let mut again = Sse::open(&server, Some(&middle)).await;
    server.commit(vec![alert(1, 721, "newest")]).await;
    let mut rest = Vec::new();
    while rest.len() < 419 {
        rest.push(again.next().await);
    }
    assert_eq!(bots(&rest), (303..=721).collect::<Vec<u64>>());
}

#[tokio::test]
async fn without_a_cursor_only_what_is_new_comes() {
    let server = Server::start().await;
    server.commit(vec![alert(1, 1, "old")]).await;
    let mut sse = Sse::open(&server, None).await;
    server.commit(vec![alert(1, 2, "new")]).await;
    assert_eq!(sse.next().await.data["data"]["bot_id"], 2);
}

#[tokio::test]
async fn heartbeats_come_at_once_and_repeat_the_last_cursor() {
    let mut config = config();
    config.heartbeat = Duration::from_millis(50);
    let server = Server::start_with(config).await;
    let mut sse = Sse::open(&server, None).await;
    let beat = sse.any().await.unwrap();
    assert_eq!(beat.kind, "heartbeat");
    for figure in ["time", "active_bots", "feeds_fresh", "feeds_stale", "trades_today", "lag_ms"] {
        assert!(beat.data["data"].get(figure).is_some(), "{figure}");
    }
    server.commit(vec![alert(1, 1, "x")]).await;
    let event = sse.next().await;
    let beat = sse.any().await.unwrap();
    assert_eq!((beat.kind.as_str(), &beat.id), ("heartbeat", &event.id));
    let page: Value = server.get("/api/events", Some(&server.viewer)).await.json().await.unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "heartbeats are not stored");
}

#[tokio::test]
async fn a_bad_cursor_is_refused_before_the_stream() {
    let server = Server::start().await;
    let token = Some(server.viewer.as_str());
    for path in ["/api/realtime/events?after=soon", "/api/events?after=999"] {
        problem(server.get(path, token).await, StatusCode::BAD_REQUEST, "INVALID_CURSOR").await;
    }
    let response = server.get("/api/realtime/ws", token).await;
    problem(response, StatusCode::BAD_REQUEST, "NOT_A_WEBSOCKET").await;
}

#[tokio::test]
async fn with_the_flag_off_both_streams_are_503() {
    let mut config = config();
    config.realtime_enabled = false;
    let server = Server::start_with(config).await;
    for path in ["/api/realtime/events", "/api/realtime/ws"] {
        let response = server.get(path, Some(&server.viewer)).await;
        problem(response, StatusCode::SERVICE_UNAVAILABLE, "REALTIME_OFF").await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_with_the_reason() {
    let server = Server::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow: TcpStream = socket.connect(server.address).await.unwrap();
    let head = format!(
        "GET /api/realtime/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        server.viewer
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut byte = [0; 1];
    slow.read_exact(&mut byte).await.unwrap();
    // More than the system's buffers take, and then more than the hub keeps.
    let text = "x".repeat(4_000);
    for _ in 0..8 {
        let many = (0..storage::SUBSCRIBER_EVENTS_MAX as u32 / 4).map(|n| alert(1, n, &text));
        server.commit(many.collect()).await;
    }
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), async {
        let mut chunk = vec![0; 1 << 20];
        while !String::from_utf8_lossy(&rest).contains("event: closed") {
            let n = slow.read(&mut chunk).await.unwrap();
            assert_ne!(n, 0, "the reason comes before the end");
            rest = chunk[n.saturating_sub(400)..n].to_vec();
        }
    });
    read.await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("too slow"));
}

#[tokio::test]
async fn a_socket_gets_the_same_events_and_a_close_with_its_reason() {
    let server = Server::start().await;
    server.commit(vec![alert(1, 1, "old"), alert(1, 2, "old")]).await;
    let page: Value =
        server.get("/api/events?limit=1", Some(&server.viewer)).await.json().await.unwrap();
    let after = page["next"].as_str().unwrap();
    let url = format!("ws://{}/api/realtime/ws?after={after}", server.address);
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {}", server.viewer);
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    server.commit(vec![alert(1, 3, "new")]).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("a text frame") };
        let event: Value = serde_json::from_str(&text).unwrap();
        if event["type"] != "heartbeat" {
            seen.push(event["data"]["bot_id"].as_u64().unwrap());
        }
    }
    assert_eq!(seen, [2, 3]);
    // The server ends: streams do not hold it up.
    tokio::time::timeout(Duration::from_secs(4), server.stop()).await.unwrap();
    let close = loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Close(frame) => break frame.unwrap(),
            _ => continue,
        }
    };
    assert_eq!(u16::from(close.code), 1001);
    assert!(close.reason.contains("ending"), "{}", close.reason);
    let _ = socket.close(None).await;
    let _ = socket.flush().await;
}

#[tokio::test]
async fn a_revoked_token_loses_its_stream() {
    let mut config = config();
    config.heartbeat = Duration::from_millis(20);
    let server = Server::start_with(config).await;
    let mut sse = Sse::open(&server, None).await;
    let admin = Some(server.admin.as_str());
    let list: Value = server.get("/api/tokens", admin).await.json().await.unwrap();
    let vera = list.as_array().unwrap().iter().find(|t| t["name"] == "vera").unwrap();
    let path = format!("/api/tokens/{}", vera["id"]);
    server.ask(Method::DELETE, &path, admin).send().await.unwrap();
    let event = sse.next().await;
    assert_eq!(event.kind, "closed");
    assert!(event.data["reason"].as_str().unwrap().contains("token"), "{event:?}");
}
