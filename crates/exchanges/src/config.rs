//! What a connector is told: hosts, mode, limits. Every limit is named here with its reason.

use bytes::Bytes;
use domain::{Exchange, Timestamp};
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc;
use url::{Host, Url};

/// Largest frame or body accepted: a Luno book is 1.1 MB, Binance's instrument list about 15 MB.
pub const BODY_LIMIT: usize = 32 << 20;

/// How much of the market a subscription carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedMode {
    /// Prints, touch and depth.
    #[default]
    Full,
    /// Prints and touch only, where the exchange has them apart (Binance).
    Light,
}

/// A read-only key of Luno: its stream and candles need one.
#[derive(Clone)]
pub struct LunoKey {
    /// Public part.
    pub id: String,
    /// Secret part: never shown.
    pub secret: String,
}

impl fmt::Debug for LunoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LunoKey(redacted)")
    }
}

/// Timeouts and intervals. The default is what the exchanges' protocols ask for.
#[derive(Clone, Debug)]
pub struct Timings {
    /// How often freshness is judged and paced work is looked at.
    pub tick: Duration,
    /// Without a frame for this long a socket is dead (Binance pings each 20 s, Luno each 14 s);
    /// answers to our own pings do not count.
    pub silence: Duration,
    /// A connection that says nothing for this long is asked whether it still lives.
    pub probe_after: Duration,
    /// No answer to that for this long, on a connection that has answered before: stale.
    pub probe_timeout: Duration,
    /// No answer for this long: reconnect.
    pub probe_limit: Duration,
    /// KuCoin: our pings; it asks for one each 18 s and drops who sends more than one a second.
    pub ping_every: Duration,
    /// KuCoin: a pong later than this means reconnect.
    pub pong_timeout: Duration,
    /// KuCoin acknowledges unknown symbols and stays silent: alarm after this (real: up to 6.2 s).
    pub snapshot_alarm: Duration,
    /// Binance cuts a socket after 24 h; we replace it before, jittered by up to 5 %.
    pub max_socket_age: Duration,
    /// First wait before a reconnect; doubles with jitter.
    pub backoff_min: Duration,
    /// Longest wait before a reconnect.
    pub backoff_max: Duration,
    /// After this long without a fault the backoff starts anew.
    pub stable_after: Duration,
    /// TCP, TLS and upgrade together.
    pub connect_timeout: Duration,
    /// One REST call of a long list.
    pub rest_timeout: Duration,
    /// One REST call that a feed waits for: what hangs is better asked again.
    pub quick_timeout: Duration,
    /// Distance of our control frames: Binance cuts at five incoming messages a second.
    pub control_interval: Duration,
    /// Instrument list refresh: step sizes change during the day.
    pub instruments_every: Duration,
    /// Status and filters of what is wanted: a halt must stop entries now.
    pub status_every: Duration,
    /// A look at them that has no answer after this long is told of while it is waited for: with the
    /// pause before it, a fault shows within five seconds.
    pub look_late: Duration,
    /// Round trip and clock measurement.
    pub clock_every: Duration,
    /// Pause after a 429 that does not say how long; KuCoin's then means a busy server: half a second.
    pub rate_limit_pause: Duration,
    /// Event times this much further behind receipt than at best: the feed drips.
    pub drip_limit: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(250),
            silence: Duration::from_secs(60),
            probe_after: Duration::from_secs(1),
            probe_timeout: Duration::from_secs(2),
            probe_limit: Duration::from_secs(10),
            ping_every: Duration::from_secs(15),
            pong_timeout: Duration::from_secs(10),
            snapshot_alarm: Duration::from_secs(15),
            max_socket_age: Duration::from_secs(23 * 3_600 + 1_800),
            backoff_min: Duration::from_millis(500),
            // A slow return costs more than the attempts that it saves: at most a dozen or two a
            // minute, where KuCoin permits 30 and Binance 60; the connect budget binds all.
            backoff_max: Duration::from_secs(5),
            stable_after: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            rest_timeout: Duration::from_secs(20),
            quick_timeout: Duration::from_secs(5),
            control_interval: Duration::from_millis(250),
            instruments_every: Duration::from_secs(3_600),
            status_every: Duration::from_secs(3),
            look_late: Duration::from_millis(1_500),
            clock_every: Duration::from_secs(60),
            rate_limit_pause: Duration::from_secs(30),
            drip_limit: Duration::from_millis(2_500),
        }
    }
}

/// One exchange to connect to.
#[derive(Clone, Debug)]
pub struct ConnectorConfig {
    /// Which.
    pub exchange: Exchange,
    /// REST, without a path.
    pub rest_url: String,
    /// Streams, without a path.
    pub stream_url: String,
    /// How much of the market.
    pub feed: FeedMode,
    /// With it Luno is streamed, without it polled.
    pub luno_key: Option<LunoKey>,
    /// Rand traded there in thirty days: decides the tier of its fees.
    pub luno_traded_zar: u64,
    /// Distance of two polls of all of Luno's quotes.
    pub poll_interval: Duration,
    /// Timeouts and intervals.
    pub timings: Timings,
    /// Whoever wants every frame and answer as it came; waited for when it is full, so that a
    /// recorder misses nothing.
    pub tap: Option<mpsc::Sender<Tapped>>,
}

/// A frame or an answer as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tapped {
    /// Local clock, right after it was read.
    pub at: Timestamp,
    /// `stream`, or the path that was asked for.
    pub from: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Hands what came to whoever taps.
pub(crate) async fn tap(
    to: Option<&mpsc::Sender<Tapped>>,
    at: Timestamp,
    from: &str,
    bytes: impl FnOnce() -> Bytes,
) {
    if let Some(to) = to {
        // A recorder that ended is no reason to stop.
        let _ = to.send(Tapped { at, from: from.to_owned(), bytes: bytes() }).await;
    }
}

impl ConnectorConfig {
    /// Production, keyless, everything at its default.
    pub fn new(exchange: Exchange) -> Self {
        let (rest, stream) = default_urls(exchange);
        Self {
            exchange,
            rest_url: rest.to_owned(),
            stream_url: stream.to_owned(),
            feed: FeedMode::Full,
            luno_key: None,
            luno_traded_zar: 0,
            poll_interval: Duration::from_secs(2),
            timings: Timings::default(),
            tap: None,
        }
    }
}

/// Production hosts of public data, REST and streams; none needs a key (Luno's stream does).
pub const fn default_urls(exchange: Exchange) -> (&'static str, &'static str) {
    match exchange {
        // The market-data hosts cannot see an account: nothing to leak, and no geo block on keys.
        Exchange::Binance => {
            ("https://data-api.binance.vision", "wss://data-stream.binance.vision")
        }
        Exchange::Kucoin => ("https://api.kucoin.com", "wss://x-push-spot.kucoin.com"),
        Exchange::Luno => ("https://api.luno.com", "wss://ws.luno.com"),
    }
}

/// Why a configured address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Does not parse, or has no host.
    #[error("{0:?} is not a URL: {1}")]
    Invalid(String, String),
    /// Neither https nor wss (http and ws on loopback).
    #[error("{0:?}: https:// or wss:// only; http:// and ws:// only on loopback")]
    Scheme(String),
    /// User names, queries or fragments do not belong there.
    #[error("{0:?}: no credentials, query or fragment in an exchange's address")]
    Decorated(String),
}

/// Is this address acceptable for an exchange?
///
/// # Errors
/// Plain text outside loopback would let anyone on the way write our prices.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    let parsed = Url::parse(url).map_err(|e| UrlError::Invalid(url.into(), e.to_string()))?;
    let host =
        parsed.host().ok_or_else(|| UrlError::Invalid(url.into(), "it names no host".into()))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(UrlError::Decorated("(with credentials)".into()));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(UrlError::Decorated(url.into()));
    }
    let is_loopback = match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    match parsed.scheme() {
        "https" | "wss" => Ok(()),
        "http" | "ws" if is_loopback => Ok(()),
        _ => Err(UrlError::Scheme(url.into())),
    }
}

/// Makes ring the process's TLS provider. Idempotent; every entry point may call it.
pub fn install_tls() {
    // An error only says that a provider is installed already, which is all we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_accepted_on_loopback_only() {
        for good in ["https://api.luno.com", "wss://x:9443", "http://127.0.0.1:80", "ws://[::1]:9"]
        {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in ["http://api.luno.com", "ws://10.0.0.1", "ftp://localhost"] {
            assert!(matches!(check_url(bad), Err(UrlError::Scheme(_))), "{bad}");
        }
        assert!(matches!(check_url("https://a:b@c"), Err(UrlError::Decorated(_))));
        assert!(matches!(check_url("https://c/?x=1"), Err(UrlError::Decorated(_))));
        assert!(matches!(check_url("nonsense"), Err(UrlError::Invalid(..))));
        for exchange in Exchange::ALL {
            let (rest, stream) = default_urls(exchange);
            assert_eq!((check_url(rest), check_url(stream)), (Ok(()), Ok(())));
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = LunoKey { id: "abc".into(), secret: "hush".into() };
        assert_eq!(format!("{key:?}"), "LunoKey(redacted)");
    }
}
