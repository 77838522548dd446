//! A WebSocket to an exchange: bounded frames, named ends. Server pings are answered by the library.

use crate::config::{BODY_LIMIT, ConnectorConfig};
use crate::rest::USER_AGENT;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

pub(crate) struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Text or binary: KuCoin sends its JSON in binary frames.
    Data(Bytes),
    /// Proof of life, nothing else; the library answers it.
    Ping,
    /// The answer to our own ping.
    Pong,
}

/// Why a connection could not be made.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Try again later.
    Retry(String),
    /// Blocked where we are.
    Fatal(String),
}

impl Socket {
    pub(crate) async fn connect(url: &str, config: &ConnectorConfig) -> Result<Self, ConnectError> {
        Self::open(url, config.timings.connect_timeout).await
    }

    pub(crate) async fn open(url: &str, timeout: Duration) -> Result<Self, ConnectError> {
        // Its words quote the URL, which may hold a token.
        let retry = |e: Error| match e {
            Error::Url(_) => ConnectError::Retry("no connection to that address".into()),
            e => ConnectError::Retry(e.to_string()),
        };
        let mut request = url.into_client_request().map_err(retry)?;
        request.headers_mut().insert("user-agent", HeaderValue::from_static(USER_AGENT));
        let limits = WebSocketConfig::default()
            .max_message_size(Some(BODY_LIMIT))
            .max_frame_size(Some(BODY_LIMIT));
        let connecting = connect_async_with_config(request, Some(limits), true);
        match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok((inner, _))) => Ok(Self { inner }),
            Ok(Err(Error::Http(answer))) if answer.status().as_u16() == 451 => {
                Err(ConnectError::Fatal("HTTP 451: not served from this country".into()))
            }
            Ok(Err(e)) => Err(retry(e)),
            Err(_) => Err(ConnectError::Retry("connecting timed out".into())),
        }
    }

    /// The next frame; cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, String> {
        loop {
            match self.inner.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Frame::Data(text.into())),
                Some(Ok(Message::Binary(bytes))) => return Ok(Frame::Data(bytes)),
                Some(Ok(Message::Ping(_))) => return Ok(Frame::Ping),
                Some(Ok(Message::Pong(_))) => return Ok(Frame::Pong),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or("closed by the exchange".into(), |f| {
                        format!("closed by the exchange: {} {}", f.code, f.reason)
                    }));
                }
                Some(Ok(Message::Frame(_))) => {}
                Some(Err(e)) => return Err(e.to_string()),
                None => return Err("connection ended".into()),
            }
        }
    }

    pub(crate) async fn send(&mut self, text: String) -> Result<(), String> {
        self.inner.send(Message::text(text)).await.map_err(|e| e.to_string())
    }

    /// Asks whether the other side still lives.
    pub(crate) async fn ping(&mut self) -> Result<(), String> {
        self.inner.send(Message::Ping(Bytes::new())).await.map_err(|e| e.to_string())
    }

    /// Says goodbye; the other side's answer is not waited for.
    pub(crate) async fn close(mut self) {
        let goodbye = std::time::Duration::from_secs(1);
        let _ = tokio::time::timeout(goodbye, self.inner.close(None)).await;
    }
}
