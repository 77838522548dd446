//! The channels: each says the same notice in the way of its API.

use crate::config::{NotifyConfig, Secret};
use domain::Timestamp;
use hmac::{Hmac, Mac};
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;

/// For one attempt.
const SEND_TIME: Duration = Duration::from_secs(10);
/// Discord refuses 2,000 and more characters, Telegram 4,096.
const TEXT_CHARS_MAX: usize = 1_900;
/// Of an answer; only a word of it is looked at.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// What is told.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// The same at each attempt, so that a receiver can drop what comes twice.
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) is_urgent: bool,
    pub(super) count: u32,
    pub(super) account_id: Option<u32>,
    pub(super) at: Timestamp,
}

impl Letter {
    fn headline(&self) -> String {
        let times = if self.count > 1 { format!(" (×{})", self.count) } else { String::new() };
        format!("{}{times}", self.title)
    }

    fn text(&self) -> String {
        let text = format!("{}\n{}", self.headline(), self.body);
        match text.char_indices().nth(TEXT_CHARS_MAX) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }
}

/// Why a letter did not arrive; never with an address, as some are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SendError {
    /// Try again, after this time where the other side names one.
    #[error("{reason}")]
    Again { reason: String, after: Option<Duration> },
    /// It would fail again.
    #[error("{0}")]
    Never(String),
}

impl SendError {
    fn again(reason: impl Into<String>) -> Self {
        Self::Again { reason: reason.into(), after: None }
    }
}

/// A way to people.
pub(super) enum Channel {
    Webhook { url: String, secret: Secret },
    Telegram { url: String, token: Secret, chat: i64 },
    Discord(Secret),
    Slack(Secret),
    Mail { server: Box<AsyncSmtpTransport<Tokio1Executor>>, from: Mailbox, to: Mailbox },
}

impl Channel {
    /// All that are configured.
    pub(super) fn all(config: &NotifyConfig) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        if let (Some(url), Some(secret)) = (&config.webhook_url, &config.webhook_secret) {
            all.push(Self::Webhook { url: url.clone(), secret: secret.clone() });
        }
        if let (Some(token), Some(chat)) = (&config.telegram_token, config.telegram_chat) {
            let (url, token) = (config.telegram_url.clone(), token.clone());
            all.push(Self::Telegram { url, token, chat });
        }
        all.extend(config.discord_url.clone().map(Self::Discord));
        all.extend(config.slack_url.clone().map(Self::Slack));
        if let (Some(url), Some(from), Some(to)) =
            (&config.smtp_url, &config.email_from, &config.email_to)
        {
            all.push(mail(url, from, to)?);
        }
        Ok(all)
    }

    /// As it is named outside.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Telegram { .. } => "telegram",
            Self::Discord(_) => "discord",
            Self::Slack(_) => "slack",
            Self::Mail { .. } => "email",
        }
    }

    /// One attempt.
    pub(super) async fn send(&self, http: &Client, letter: &Letter) -> Result<(), SendError> {
        let sent = async {
            match self {
                Self::Webhook { url, secret } => {
                    arrived(signed(http.post(url), secret, letter)?).await.map(drop)
                }
                Self::Telegram { url, token, chat } => {
                    let body = json!({ "chat_id": chat, "text": letter.text() });
                    telegram(http, url, token, "sendMessage", &body).await.map(drop)
                }
                Self::Discord(url) => {
                    // Nobody is pinged by a name that happens to stand in a text.
                    let quiet = json!({ "parse": [] });
                    let body = json!({ "content": letter.text(), "allowed_mentions": quiet });
                    arrived(http.post(url.expose()).json(&body)).await.map(drop)
                }
                Self::Slack(url) => {
                    let body = json!({ "text": letter.text() });
                    arrived(http.post(url.expose()).json(&body)).await.map(drop)
                }
                Self::Mail { server, from, to } => post(server, from, to, letter).await,
            }
        };
        let late = |_| SendError::again(format!("no answer in {} s", SEND_TIME.as_secs()));
        tokio::time::timeout(SEND_TIME, sent).await.map_err(late)?
    }
}

/// A client for all channels and the heartbeat.
pub(super) fn client() -> Result<Client, String> {
    // The HTTP library brings no TLS provider of its own and is built only with one.
    exchanges::install_tls();
    Client::builder()
        .user_agent(concat!("amarktai/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(SEND_TIME)
        // A secret address is not to be carried on to another host.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|e| e.to_string())
}

fn mail(url: &Secret, from: &str, to: &str) -> Result<Channel, String> {
    let named = |key: &str, text: &str| {
        text.parse::<Mailbox>().map_err(|e| format!("notify.{key}: {text:?}: {e}"))
    };
    // The error could repeat the address, which holds the password.
    let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
        .map_err(|_| "notify.smtp_url is not understood".to_owned())?
        .timeout(Some(SEND_TIME))
        .build();
    let (from, to) = (named("email_from", from)?, named("email_to", to)?);
    Ok(Channel::Mail { server: Box::new(server), from, to })
}

async fn post(
    server: &AsyncSmtpTransport<Tokio1Executor>,
    from: &Mailbox,
    to: &Mailbox,
    letter: &Letter,
) -> Result<(), SendError> {
    let message = Message::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(format!("Amarktai: {}", letter.headline()))
        .message_id(Some(format!("<notice-{}-{}@amarktai>", letter.id, letter.at.0)))
        .body(letter.text())
        .map_err(|e| SendError::Never(e.to_string()))?;
    match server.send(message).await {
        Ok(_) => Ok(()),
        Err(e) if e.is_permanent() => Err(SendError::Never(e.to_string())),
        Err(e) => Err(SendError::again(e.to_string())),
    }
}

/// The body and its signature: `sha256=` HMAC-SHA256 of `TIMESTAMP.BODY` in hexadecimal digits. The
/// time is signed with it, so that a receiver can refuse an old letter that is sent again.
fn signed(
    request: RequestBuilder,
    secret: &Secret,
    letter: &Letter,
) -> Result<RequestBuilder, SendError> {
    let body = json!({
        "id": letter.id,
        "kind": letter.kind,
        "title": letter.title,
        "body": letter.body,
        "urgent": letter.is_urgent,
        "count": letter.count,
        "account_id": letter.account_id,
        "at": letter.at,
    })
    .to_string();
    let seconds = crate::core_loop::now().0 / 1_000_000_000;
    let signature = signature(secret, seconds, &body)?;
    Ok(request
        .header("content-type", "application/json")
        .header("x-amarktai-timestamp", seconds)
        .header("x-amarktai-delivery", letter.id)
        .header("x-amarktai-signature", format!("sha256={signature}"))
        .body(body))
}

fn signature(secret: &Secret, seconds: i64, body: &str) -> Result<String, SendError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|e| SendError::Never(e.to_string()))?;
    mac.update(format!("{seconds}.{body}").as_bytes());
    Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A call of Telegram's API; its result.
pub(super) async fn telegram(
    http: &Client,
    url: &str,
    token: &Secret,
    method: &str,
    body: &Value,
) -> Result<Value, SendError> {
    let address = format!("{url}/bot{}/{method}", token.expose());
    let mut answer = arrived(http.post(address).json(body)).await?;
    match answer["ok"] == true {
        true => Ok(answer["result"].take()),
        false => Err(SendError::again("Telegram says no")),
    }
}

/// Sends, and reads what is said to it.
async fn arrived(request: RequestBuilder) -> Result<Value, SendError> {
    let response = request.send().await.map_err(|e| SendError::again(plain(e)))?;
    let status = response.status();
    let header = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
    let bytes = response.bytes().await.map_err(|e| SendError::again(plain(e)))?;
    let bytes = &bytes[..bytes.len().min(ANSWER_BYTES_MAX)];
    let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if status.is_success() {
        return Ok(answer);
    }
    let reason = format!("answered {status}");
    let is_ours = status.is_client_error()
        && !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if is_ours {
        return Err(SendError::Never(reason));
    }
    // Telegram nests it, Discord has it beside, others have the header.
    let named = [&answer["parameters"]["retry_after"], &answer["retry_after"]];
    let seconds = named.into_iter().find_map(Value::as_f64).or(header);
    let after = seconds.filter(|s| (0.0..86_400.0).contains(s)).map(Duration::from_secs_f64);
    Err(SendError::Again { reason, after })
}

/// Without the address.
fn plain(error: reqwest::Error) -> String {
    let kind = if error.is_connect() { "cannot connect" } else { "broke off" };
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    format!("{kind}: {deepest}")
}
