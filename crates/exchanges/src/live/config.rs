//! What a private client is told. Every limit is named here with its reason.

use super::{ClientIds, Credentials};
use crate::config::{UrlError, check_url};
use domain::Exchange;
use std::time::Duration;

/// Timeouts and intervals of the private side.
#[derive(Clone, Debug)]
pub struct LiveTimings {
    /// TCP and TLS, or a socket with its upgrade.
    pub connect_timeout: Duration,
    /// An order's answer, to its last byte: later it is unknown. Binance gives up after 10 s itself.
    pub order_timeout: Duration,
    /// Any other answer.
    pub read_timeout: Duration,
    /// The exchange refuses what reaches it later than this after it was signed.
    pub validity: Duration,
    /// An order that is not there this long after it was sent is not coming: the validity, the
    /// exchange's own timeout (10 s), and its replicas.
    pub settle: Duration,
    /// First distance of two questions about an unknown order; doubles up to eight times that.
    pub resolve_every: Duration,
    /// So long after settling, an exchange that cannot be asked is given back as unknown.
    pub resolve_limit: Duration,
    /// Pause after a refusal for too many calls that does not say how long; KuCoin's then means a
    /// busy server: half a second.
    pub rate_limit_pause: Duration,
    /// Our pings: KuCoin wants one each 18 s, and they find a half-open socket elsewhere.
    pub ping_every: Duration,
    /// Without a frame for this long a socket is dead; answers to our own pings do not count.
    pub silence: Duration,
    /// The stream must stand after this.
    pub subscribe_timeout: Duration,
    /// First wait before a reconnect; doubles with jitter.
    pub backoff_min: Duration,
    /// Longest wait before a reconnect.
    pub backoff_max: Duration,
}

impl Default for LiveTimings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            order_timeout: Duration::from_secs(12),
            read_timeout: Duration::from_secs(6),
            validity: Duration::from_secs(5),
            settle: Duration::from_secs(20),
            resolve_every: Duration::from_millis(500),
            resolve_limit: Duration::from_secs(60),
            rate_limit_pause: Duration::from_secs(10),
            ping_every: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            subscribe_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(5),
        }
    }
}

/// One key at one exchange.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Which.
    pub exchange: Exchange,
    /// REST, without a path.
    pub rest_url: String,
    /// The user stream, without a path; KuCoin names its own on request.
    pub stream_url: String,
    /// The key. Never printed.
    pub credentials: Credentials,
    /// How orders of this installation are named.
    pub ids: ClientIds,
    /// Timeouts and intervals.
    pub timings: LiveTimings,
}

impl LiveConfig {
    /// Production, everything at its default.
    pub fn new(exchange: Exchange, credentials: Credentials, ids: ClientIds) -> Self {
        let (rest, stream) = default_live_urls(exchange);
        Self {
            exchange,
            rest_url: rest.to_owned(),
            stream_url: stream.to_owned(),
            credentials,
            ids,
            timings: LiveTimings::default(),
        }
    }

    /// Plain text outside loopback would show the key to anyone on the way.
    pub(super) fn check(&self) -> Result<(), UrlError> {
        check_url(&self.rest_url)?;
        check_url(&self.stream_url)
    }
}

/// Production hosts of the private side, REST and user stream.
pub const fn default_live_urls(exchange: Exchange) -> (&'static str, &'static str) {
    match exchange {
        Exchange::Binance => ("https://api.binance.com", "wss://ws-api.binance.com:443"),
        Exchange::Kucoin => ("https://api.kucoin.com", "wss://ws-api-spot.kucoin.com"),
        Exchange::Luno => ("https://api.luno.com", "wss://ws.luno.com"),
    }
}
