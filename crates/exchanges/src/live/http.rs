//! Sends signed requests, counts them, and judges the answers. Nothing here sends twice.

use super::budget::Budgets;
use super::secret::Credentials;
use super::venue::{self, Meaning};
use super::{LiveConfig, LiveTimings, sign};
use crate::delivery::now;
use crate::error::ExchangeError;
use crate::rest::{USER_AGENT, date, pause, retry_after, unreachable, wait_for};
use domain::{Exchange, Timestamp};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Largest private answer: a thousand orders of a kilobyte, four times over.
const BODY_LIMIT: usize = 4 << 20;

/// A question waits this long for its budget; beyond it the asker is told instead.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How the parameters travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// In the query.
    Query,
    /// As a form: a signature in a URL ends up in logs on the way.
    Form,
    /// As a JSON object.
    Json,
}

/// A request that is not signed yet.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) params: Vec<(&'static str, String)>,
    pub(super) style: Style,
    pub(super) weight: u32,
    pub(super) is_signed: bool,
}

impl Ask {
    pub(super) fn get(path: impl Into<String>, weight: u32) -> Self {
        let (method, style) = (Method::GET, Style::Query);
        Self { method, path: path.into(), params: Vec::new(), style, weight, is_signed: true }
    }

    pub(super) fn post(path: &str, style: Style) -> Self {
        Self { method: Method::POST, style, ..Self::get(path, 1) }
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path, 1) }
    }

    pub(super) fn public(self) -> Self {
        Self { is_signed: false, ..self }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.params.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    /// A body that is no error.
    Good(Vec<u8>, Timing),
    /// A clear no.
    Refused { meaning: Meaning, code: String, text: String },
    /// Too many calls.
    Limited(Duration),
    /// Everything else.
    Unclear { status: u16, why: String },
}

/// When an answer was asked for and came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) asked_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) round_trip: Duration,
    pub(super) date: Option<Timestamp>,
}

/// The way to one exchange with one key.
pub(super) struct Http {
    exchange: Exchange,
    base: String,
    http: reqwest::Client,
    key: Credentials,
    timings: LiveTimings,
    budgets: Mutex<Budgets>,
    /// The exchange's clock minus ours, in nanoseconds.
    ahead: AtomicI64,
    is_timed: AtomicBool,
}

impl Http {
    pub(super) fn new(config: &LiveConfig) -> Result<Self, ExchangeError> {
        crate::config::install_tls();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(config.timings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            // An order that is sent again by a library is sent twice.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|e| ExchangeError::Internal(e.without_url().to_string()))?;
        Ok(Self {
            exchange: config.exchange,
            base: config.rest_url.trim_end_matches('/').to_owned(),
            http,
            key: config.credentials.clone(),
            timings: config.timings.clone(),
            budgets: Mutex::new(Budgets::new(config.exchange)),
            ahead: AtomicI64::new(0),
            is_timed: AtomicBool::new(false),
        })
    }

    pub(super) fn budgets(&self) -> MutexGuard<'_, Budgets> {
        // Plain counters stay usable whatever happened to their last holder.
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The exchange's time, as far as it was measured.
    pub(super) fn exchange_ms(&self) -> i64 {
        (now().0 + self.ahead.load(Ordering::Relaxed)).div_euclid(1_000_000)
    }

    pub(super) fn is_timed(&self) -> bool {
        self.is_timed.load(Ordering::Relaxed)
    }

    pub(super) fn set_ahead(&self, nanos: i64) {
        self.ahead.store(nanos, Ordering::Relaxed);
        self.is_timed.store(true, Ordering::Relaxed);
    }

    pub(super) fn key(&self) -> &Credentials {
        &self.key
    }

    /// Asks for data: waits for the budget, for a while.
    pub(super) async fn read(&self, ask: &Ask) -> Result<(Vec<u8>, Timing), ExchangeError> {
        self.wait_for_data(ask.weight).await?;
        match self.send(ask, self.timings.read_timeout).await {
            Answer::Good(body, timing) => Ok((body, timing)),
            Answer::Limited(wait) => Err(ExchangeError::RateLimited(wait)),
            Answer::Refused { code, text, .. } => {
                Err(ExchangeError::Refused { code, message: text })
            }
            Answer::Unclear { status: 451, why } => Err(ExchangeError::Fatal(why)),
            Answer::Unclear { why, .. } => Err(ExchangeError::Unavailable(why)),
        }
    }

    async fn wait_for_data(&self, weight: u32) -> Result<(), ExchangeError> {
        wait_for(MAX_WAIT, || self.budgets().take_data(weight, now(), Instant::now())).await
    }

    /// Sends once, and judges what came back.
    pub(super) async fn send(&self, ask: &Ask, timeout: Duration) -> Answer {
        let request = self.sign(ask).timeout(timeout);
        let (asked_at, started) = (now(), Instant::now());
        let unclear = |why: ExchangeError| Answer::Unclear {
            status: 0,
            why: self.key.scrub(&why.to_string()),
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return unclear(unreachable(error)),
        };
        self.count(answer.headers());
        let (status, wait) = (answer.status().as_u16(), retry_after(answer.headers()));
        let date = date(answer.headers());
        let (received_at, round_trip) = (now(), started.elapsed());
        match bounded(answer).await {
            Ok(body) => {
                let timing = Timing { asked_at, received_at, round_trip, date };
                self.judge(status, wait, body, timing)
            }
            Err(why) => unclear(why),
        }
    }

    fn judge(&self, status: u16, wait: Option<Duration>, body: Vec<u8>, timing: Timing) -> Answer {
        let (code, text) = venue::error(self.exchange, &body).unwrap_or_default();
        let text = self.key.scrub(&text);
        let meaning = venue::meaning(self.exchange, &code, &text);
        if matches!(status, 429 | 418) || (status < 500 && meaning == Meaning::Limited) {
            let wait = wait.unwrap_or(pause(self.exchange, self.timings.rate_limit_pause));
            self.budgets().block(wait, Instant::now());
            return Answer::Limited(wait);
        }
        // KuCoin refuses with 200; from the others that is no answer we know.
        let may_refuse =
            (400..500).contains(&status) || (self.exchange == Exchange::Kucoin && status == 200);
        match status {
            200 if code.is_empty() && is_json(&body) => Answer::Good(body, timing),
            _ if may_refuse && !code.is_empty() => Answer::Refused { meaning, code, text },
            200 if code.is_empty() => {
                Answer::Unclear { status, why: "HTTP 200 without JSON".into() }
            }
            _ => {
                let why = format!("HTTP {status} {code} {text}");
                Answer::Unclear { status, why: why.trim_end().to_owned() }
            }
        }
    }

    fn sign(&self, ask: &Ask) -> RequestBuilder {
        let now_ms = self.exchange_ms();
        match self.exchange {
            Exchange::Binance => self.sign_binance(ask, now_ms),
            Exchange::Kucoin => self.sign_kucoin(ask, now_ms),
            Exchange::Luno => {
                let params = pairs(&ask.params);
                let request = self.request(ask, &sign::query(params), None);
                if !ask.is_signed {
                    return request;
                }
                let header = sign::basic(self.key.key(), self.key.secret());
                request.header("authorization", sensitive(&header))
            }
        }
    }

    fn sign_binance(&self, ask: &Ask, now_ms: i64) -> RequestBuilder {
        let mut query = sign::query(pairs(&ask.params));
        if !ask.is_signed {
            return self.request(ask, &query, None);
        }
        let window = self.timings.validity.as_millis().to_string();
        let time = now_ms.to_string();
        let own = sign::query([("recvWindow", window.as_str()), ("timestamp", time.as_str())]);
        query = if query.is_empty() { own } else { format!("{query}&{own}") };
        let signature = sign::hmac_hex(self.key.secret(), &query);
        let request = self.request(ask, &format!("{query}&signature={signature}"), None);
        request.header("x-mbx-apikey", sensitive(self.key.key()))
    }

    fn sign_kucoin(&self, ask: &Ask, now_ms: i64) -> RequestBuilder {
        let is_json = ask.style == Style::Json;
        let query = if is_json { String::new() } else { sign::query(pairs(&ask.params)) };
        let body = if is_json { json_object(&ask.params) } else { String::new() };
        let request = self.request(ask, &query, Some(&body));
        if !ask.is_signed {
            return request;
        }
        let mark = if query.is_empty() { "" } else { "?" };
        let payload = format!("{now_ms}{}{}{mark}{query}{body}", ask.method, ask.path);
        let (secret, passphrase) = (self.key.secret(), self.key.passphrase());
        request
            .header("kc-api-key", sensitive(self.key.key()))
            .header("kc-api-timestamp", now_ms.to_string())
            .header("kc-api-sign", sign::hmac_base64(secret, &payload))
            .header("kc-api-passphrase", sign::hmac_base64(secret, passphrase))
            .header("kc-api-key-version", "3")
    }

    fn request(&self, ask: &Ask, query: &str, json: Option<&str>) -> RequestBuilder {
        let url = format!("{}{}", self.base, ask.path);
        match (ask.style, json) {
            (Style::Form, _) => self
                .http
                .request(ask.method.clone(), url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(query.to_owned()),
            (Style::Json, Some(body)) => self
                .http
                .request(ask.method.clone(), url)
                .header("content-type", "application/json")
                .body(body.to_owned()),
            _ if query.is_empty() => self.http.request(ask.method.clone(), url),
            _ => self.http.request(ask.method.clone(), format!("{url}?{query}")),
        }
    }

    /// The exchanges count better than we do: others use the account, and the address.
    fn count(&self, headers: &HeaderMap) {
        let number = |name: &str| {
            headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u32>().ok())
        };
        for (name, secs) in [("x-mbx-order-count-10s", 10), ("x-mbx-order-count-1d", 86_400)] {
            if let Some(used) = number(name) {
                self.budgets().counted_orders(secs, used, now());
            }
        }
        if let Some(wait) = nearly_full(&number, now()) {
            self.budgets().block_data(wait, Instant::now());
        }
    }
}

/// The address's weight of a minute on Binance, of which the last twentieth is left to orders.
const WEIGHT_FULL: u32 = 5_700;

/// How long questions have to wait, as the headers have it.
fn nearly_full(number: &impl Fn(&str) -> Option<u32>, now: Timestamp) -> Option<Duration> {
    if number("x-mbx-used-weight-1m").is_some_and(|used| used >= WEIGHT_FULL) {
        let minute = domain::Span::from_secs(60);
        let left = now.floor(minute) + minute - now;
        return Some(Duration::from_nanos(left.0.unsigned_abs()));
    }
    let (limit, left) = (number("gw-ratelimit-limit")?, number("gw-ratelimit-remaining")?);
    let wait = number("gw-ratelimit-reset").filter(|_| left < limit / 20)?;
    Some(Duration::from_millis(u64::from(wait)))
}

fn pairs<'a>(params: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    params.iter().map(|(name, value)| (*name, value.as_str()))
}

/// A header that libraries do not print.
fn sensitive(text: &str) -> reqwest::header::HeaderValue {
    let value = reqwest::header::HeaderValue::from_str(text);
    let mut value = value.expect("keys are graphic ASCII, and Base64 is too");
    value.set_sensitive(true);
    value
}

/// Numbers and flags go without quotes, everything else as text.
fn json_object(params: &[(&'static str, String)]) -> String {
    let value = |name: &str, text: &str| match name {
        "postOnly" => serde_json::Value::Bool(text == "true"),
        "clientTimestamp" | "allowMaxTimeWindow" => {
            text.parse::<i64>().map_or(serde_json::Value::Null, Into::into)
        }
        _ => text.into(),
    };
    let entry = |(name, text): &(&'static str, String)| ((*name).to_owned(), value(name, text));
    let object: serde_json::Map<_, _> = params.iter().map(entry).collect();
    serde_json::Value::Object(object).to_string()
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
        && body.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| b"{[".contains(b))
}

async fn bounded(mut answer: Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(ExchangeError::Unavailable(format!("body over {BODY_LIMIT} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
