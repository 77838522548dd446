//! One REST client per exchange: counts weight before it sends, obeys 429, bounds bodies and time.

use crate::config::{BODY_LIMIT, ConnectorConfig, Tapped, tap};
use crate::delivery::now;
use crate::error::ExchangeError;
use crate::pace::Budget;
use crate::status::Stats;
use bytes::Bytes;
use domain::{Exchange, Span, Timestamp};
use reqwest::{Response, StatusCode, header::HeaderMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Sent with every request.
pub(crate) const USER_AGENT: &str = concat!("amarktai/", env!("CARGO_PKG_VERSION"));

/// A call waits this long for its budget; beyond it the caller is told instead (bans last days).
const MAX_WAIT: Duration = Duration::from_secs(90);

/// Attempts that may end in 429 or in the exchange's own fault before the caller is told.
const ATTEMPTS: u32 = 3;

/// An answer with status 200 and the times around it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) body: Vec<u8>,
    pub(crate) asked_at: Timestamp,
    pub(crate) received_at: Timestamp,
    pub(crate) round_trip: Span,
    /// The `Date` header as an instant; a full second.
    pub(crate) date: Option<Timestamp>,
}

/// How a call is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// May take its time.
    List,
    /// May not.
    Quick,
    /// With the key's credentials.
    WithKey,
}

pub(crate) struct Rest {
    http: reqwest::Client,
    base: String,
    exchange: Exchange,
    basic_auth: Option<(String, String)>,
    pause: Duration,
    quick_timeout: Duration,
    budget: Mutex<Budget>,
    stats: Arc<Stats>,
    tap: Option<mpsc::Sender<Tapped>>,
}

impl Rest {
    pub(crate) fn new(config: &ConnectorConfig, stats: Arc<Stats>) -> Result<Self, ExchangeError> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(config.timings.rest_timeout)
            .connect_timeout(config.timings.connect_timeout)
            // A redirect of an exchange's API is never right, and could leave the host checked.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| ExchangeError::Internal(e.to_string()))?;
        Ok(Self {
            http,
            base: config.rest_url.trim_end_matches('/').to_owned(),
            exchange: config.exchange,
            basic_auth: config.luno_key.as_ref().map(|k| (k.id.clone(), k.secret.clone())),
            quick_timeout: config.timings.quick_timeout,
            pause: config.timings.rate_limit_pause,
            budget: Mutex::new(Budget::new(config.exchange)),
            stats,
            tap: config.tap.clone(),
        })
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many keys ask from the same address.
    pub(crate) fn share_with(&self, keys: u32) {
        self.budget().share_with(keys);
    }

    /// Weight used and permitted in this window.
    pub(crate) fn usage(&self) -> (u32, u32) {
        self.budget().usage(now())
    }

    /// How long the exchange wants nothing to be asked, if it does.
    pub(crate) fn blocked(&self) -> Option<Duration> {
        self.budget().blocked(Instant::now())
    }

    /// GET, without credentials.
    pub(crate) async fn get(&self, path: &str, weight: u32) -> Result<Reply, ExchangeError> {
        self.request(path, weight, Kind::List).await
    }

    /// GET that a feed waits for: an answer that hangs is given up soon.
    pub(crate) async fn get_quick(&self, path: &str, weight: u32) -> Result<Reply, ExchangeError> {
        self.request(path, weight, Kind::Quick).await
    }

    /// GET with the key, for Luno's candles.
    pub(crate) async fn get_with_key(&self, path: &str) -> Result<Reply, ExchangeError> {
        self.request(path, 1, Kind::WithKey).await
    }

    async fn request(&self, path: &str, weight: u32, kind: Kind) -> Result<Reply, ExchangeError> {
        let mut last = ExchangeError::Unavailable("not asked".into());
        for attempt in 0..ATTEMPTS {
            if let Some(why) = self.stats.fatal_reason() {
                return Err(ExchangeError::Fatal(why));
            }
            self.wait_for_budget(weight).await?;
            match self.once(path, kind).await {
                Err(e) if e.is_transient() => last = e,
                other => return other,
            }
            if attempt + 1 < ATTEMPTS {
                // KuCoin answers 429000 under load without a quota: retry soon, with jitter.
                let wait = Duration::from_millis(200 << attempt);
                tokio::time::sleep(crate::pace::jittered(wait)).await;
            }
        }
        Err(last)
    }

    async fn wait_for_budget(&self, weight: u32) -> Result<(), ExchangeError> {
        wait_for(MAX_WAIT, || self.budget().take(weight, now(), Instant::now())).await
    }

    async fn once(&self, path: &str, kind: Kind) -> Result<Reply, ExchangeError> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if kind == Kind::Quick {
            request = request.timeout(self.quick_timeout);
        }
        if let (Kind::WithKey, Some((id, secret))) = (kind, &self.basic_auth) {
            request = request.basic_auth(id, Some(secret));
        }
        let (asked_at, started) = (now(), Instant::now());
        let answer = request.send().await.map_err(unreachable)?;
        let (received_at, elapsed) = (now(), started.elapsed());
        self.count_headers(answer.headers());
        let (status, date) = (answer.status(), date(answer.headers()));
        let wait = retry_after(answer.headers());
        let body = read_bounded(answer).await?;
        self.judge(status, wait, &body)?;
        tap(self.tap.as_ref(), received_at, path, || Bytes::copy_from_slice(&body)).await;
        let round_trip = Span(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX));
        Ok(Reply { body, asked_at, received_at, round_trip, date })
    }

    fn judge(
        &self,
        status: StatusCode,
        wait: Option<Duration>,
        body: &[u8],
    ) -> Result<(), ExchangeError> {
        let (code, message) = self.words(body);
        // KuCoin says 429000 with whatever HTTP status it likes.
        if matches!(status.as_u16(), 429 | 418) || code == "429000" {
            self.stats.count(|c| c.http_429 += 1);
            let wait = wait.unwrap_or(pause(self.exchange, self.pause));
            self.budget().block(wait, Instant::now());
            return Err(ExchangeError::RateLimited(wait));
        }
        match status.as_u16() {
            200 if code.is_empty() => Ok(()),
            451 => {
                let why = format!("HTTP 451 from {}: not served from this country", self.exchange);
                self.stats.fatal(&why);
                Err(ExchangeError::Fatal(why))
            }
            500..=599 => Err(ExchangeError::Unavailable(format!("HTTP {status} {message}"))),
            _ => {
                let code = if code.is_empty() { status.as_u16().to_string() } else { code };
                Err(ExchangeError::Refused { code, message })
            }
        }
    }

    /// The exchange's own error code and words; empty where the body is no error.
    fn words(&self, body: &[u8]) -> (String, String) {
        let found = match self.exchange {
            // Only errors are small; lists are not parsed twice.
            _ if body.len() > 4_096 && self.exchange != Exchange::Kucoin => None,
            Exchange::Binance => crate::codec::binance::decode_error(body)
                .filter(|(code, _)| *code != 0)
                .map(|(code, msg)| (code.to_string(), msg)),
            Exchange::Kucoin => crate::codec::kucoin::decode_error(body),
            Exchange::Luno => crate::codec::luno::decode_error(body),
        };
        found.unwrap_or_default()
    }

    fn count_headers(&self, headers: &HeaderMap) {
        let number = |name: &str| {
            headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u32>().ok())
        };
        match self.exchange {
            Exchange::Binance => {
                if let Some(used) = number("x-mbx-used-weight-1m") {
                    self.budget().counted(used);
                }
            }
            Exchange::Kucoin => {
                let (limit, left) =
                    (number("gw-ratelimit-limit"), number("gw-ratelimit-remaining"));
                if let (Some(limit), Some(left)) = (limit, left) {
                    self.budget().counted(limit.saturating_sub(left));
                }
            }
            Exchange::Luno => {}
        }
    }
}

pub(crate) fn unreachable(error: reqwest::Error) -> ExchangeError {
    // Without the URL: it is ours, and the reason is what matters: the innermost error has it, a
    // name that is not found or a connection refused.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut inner: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    let mut deepest = None;
    while let Some(next) = inner {
        deepest = Some(next);
        inner = next.source();
    }
    if let Some(deepest) = deepest {
        text = format!("{text}: {deepest}");
    }
    ExchangeError::Unavailable(text.chars().take(200).collect())
}

async fn read_bounded(mut answer: Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(ExchangeError::Unavailable(format!("body over {BODY_LIMIT} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// KuCoin's 429 without the headers of its count is no quota used up but a busy server.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// How long nothing is sent after a 429 that does not say how long.
pub(crate) fn pause(exchange: Exchange, usual: Duration) -> Duration {
    match exchange {
        Exchange::Kucoin => BUSY_PAUSE.min(usual),
        Exchange::Binance | Exchange::Luno => usual,
    }
}

/// The longest ban that is known (Binance's): a larger number is a mistake, and one that no clock
/// can count to would end the task that adds it.
const BAN_MAX: Duration = Duration::from_secs(3 * 86_400);

/// Binance says seconds; KuCoin counts milliseconds to its reset.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number =
        |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let seconds = number("retry-after").map(Duration::from_secs);
    let wait = seconds.or_else(|| number("gw-ratelimit-reset").map(Duration::from_millis));
    wait.map(|wait| wait.min(BAN_MAX))
}

pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get("date")?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

/// Takes from a budget, or waits until it may; beyond `most` the caller is told how long.
pub(crate) async fn wait_for(
    most: Duration,
    mut take: impl FnMut() -> Result<(), Duration>,
) -> Result<(), ExchangeError> {
    let deadline = Instant::now() + most;
    loop {
        match take() {
            Ok(()) => return Ok(()),
            Err(wait) if Instant::now() + wait > deadline => {
                return Err(ExchangeError::RateLimited(wait));
            }
            Err(wait) => tokio::time::sleep(wait).await,
        }
    }
}
