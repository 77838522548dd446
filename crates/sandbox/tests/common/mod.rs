//! Clients for the tests: real sockets, every wait with a deadline.
#![allow(dead_code, reason = "each test file uses its own part")]

use futures_util::{SinkExt, StreamExt};
use sandbox::{Sandbox, SandboxConfig};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// A deadline for what must come; long, because machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn sandbox() -> Sandbox {
    sandbox_with(|_| {}).await
}

pub(crate) async fn sandbox_with(change: impl FnOnce(&mut SandboxConfig)) -> Sandbox {
    let mut config = SandboxConfig {
        seed: 7,
        history: Duration::from_secs(2 * 3_600),
        ..SandboxConfig::default()
    };
    change(&mut config);
    sandbox::start(config).await.unwrap()
}

pub(crate) struct Client(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub(crate) async fn open(url: &str) -> Self {
        Self(connect_async(url).await.unwrap().0)
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Says something to a server that may have closed.
    pub(crate) async fn try_say(
        &mut self,
        text: &str,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.0.send(Message::text(text)).await
    }

    /// The next message of any kind; `None` at the end.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap()?.ok()
    }

    /// The next text or binary message.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            match self.message().await? {
                Message::Text(text) => return Some(text.to_string()),
                Message::Binary(bytes) => return Some(String::from_utf8(bytes.to_vec()).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await.unwrap()).unwrap()
    }

    /// The next message that answers a question.
    pub(crate) async fn find<T>(&mut self, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        for _ in 0..100_000 {
            if let Some(found) = pick(&self.json().await) {
                return found;
            }
        }
        panic!("nothing of the kind came")
    }
}

/// Plain HTTP, but the client wants to know its TLS provider all the same.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub(crate) async fn get(url: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let response = client().get(url).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

pub(crate) async fn get_json(url: &str) -> Value {
    let (status, _, body) = get(url).await;
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).unwrap()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).parse().unwrap()
}
