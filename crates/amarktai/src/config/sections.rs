//! The sections of the file as types, each read key by key with its default and range.

use super::kind::{self, Secret};
use super::reader::Reader;
use domain::{Currency, Exchange, Symbol};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// `[server]`: who is answered, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How browsers reach us behind a proxy: secure cookies and the origin check follow it.
    pub public_url: Option<String>,
    /// Proxies whose word about the client's address is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Server {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8000));
        Self {
            listen: reader.value(
                "server.listen",
                "Where HTTP is served; port 0 takes a free one.",
                &kind::socket(),
                listen,
            ),
            public_url: reader.optional(
                "server.public_url",
                "How browsers reach the server behind a proxy.",
                &kind::origin(),
            ),
            trusted_proxies: reader.value(
                "server.trusted_proxies",
                "Proxies whose word about the client's address is believed.",
                &kind::addresses(),
                Vec::new(),
            ),
        }
    }
}

/// `[storage]`: where the truth is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The SQLite file, relative to the data directory.
    pub file: PathBuf,
}

impl Storage {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let about = "The store: an SQLite file inside the data directory.";
        let default = PathBuf::from("amarktai.db");
        Self { file: reader.value("storage.url", about, &kind::sqlite(), default) }
    }
}

/// How much an exchange's feed carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Every print, the touch and the depth behind it.
    Full,
    /// Less data for less fidelity, shown as such.
    Light,
}

impl Feed {
    const ALL: [Self; 2] = [Self::Full, Self::Light];
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Full { "full" } else { "light" })
    }
}

/// `[exchanges.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// Off: nothing is sent to it and its bots wait.
    pub is_enabled: bool,
    /// Without a slash at its end.
    pub rest_url: String,
    /// Without a slash at its end.
    pub stream_url: String,
    /// Always subscribed; others when a bot or a page wants them.
    pub symbols: Vec<Symbol>,
    /// See [`Feed`].
    pub feed: Feed,
}

impl ExchangeConfig {
    fn read(reader: &mut Reader, exchange: Exchange) -> Self {
        let key = |name: &str| format!("exchanges.{exchange}.{name}");
        let (rest, stream, symbol) = standard(exchange);
        let symbol: Symbol = symbol.parse().expect("the table's symbols are canonical");
        Self {
            is_enabled: reader.value(
                &key("enabled"),
                "Off: the exchange is left alone and its bots wait.",
                &kind::boolean(),
                true,
            ),
            rest_url: reader.value(
                &key("rest_url"),
                "Its REST address.",
                &kind::address("https", "http"),
                rest.to_owned(),
            ),
            stream_url: reader.value(
                &key("stream_url"),
                "Its stream's address.",
                &kind::address("wss", "ws"),
                stream.to_owned(),
            ),
            symbols: reader.value(
                &key("symbols"),
                "Always subscribed; others when a bot or a page wants them.",
                &kind::symbols(),
                vec![symbol],
            ),
            feed: reader.value(
                &key("feed"),
                "All data, or less data for less fidelity.",
                &kind::choice(&Feed::ALL),
                Feed::Full,
            ),
        }
    }
}

/// REST, stream and first symbol: the connectors' own defaults.
fn standard(exchange: Exchange) -> (&'static str, &'static str, &'static str) {
    let (rest, stream) = exchanges::default_urls(exchange);
    let symbol = if exchange == Exchange::Luno { "BTC/ZAR" } else { "BTC/USDT" };
    (rest, stream, symbol)
}

/// A key that may only read; its secret is never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadKey {
    /// Names the key.
    pub id: Secret,
    /// Proves it.
    pub secret: Secret,
}

/// `[exchanges]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanges {
    /// `[exchanges.binance]`
    pub binance: ExchangeConfig,
    /// `[exchanges.kucoin]`
    pub kucoin: ExchangeConfig,
    /// `[exchanges.luno]`
    pub luno: ExchangeConfig,
    /// Between two polls of a Luno market while there is no key for its stream.
    pub luno_poll_interval_ms: u32,
    /// Opens Luno's stream and candles.
    pub luno_key: Option<ReadKey>,
    /// Rand traded on Luno in thirty days: the tier of its fees.
    pub luno_traded_zar: u32,
}

impl Exchanges {
    /// The section of one exchange, to change: the demo points it elsewhere.
    pub const fn get_mut(&mut self, exchange: Exchange) -> &mut ExchangeConfig {
        match exchange {
            Exchange::Binance => &mut self.binance,
            Exchange::Kucoin => &mut self.kucoin,
            Exchange::Luno => &mut self.luno,
        }
    }

    /// The section of one exchange.
    pub const fn get(&self, exchange: Exchange) -> &ExchangeConfig {
        match exchange {
            Exchange::Binance => &self.binance,
            Exchange::Kucoin => &self.kucoin,
            Exchange::Luno => &self.luno,
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            binance: ExchangeConfig::read(reader, Exchange::Binance),
            kucoin: ExchangeConfig::read(reader, Exchange::Kucoin),
            luno: ExchangeConfig::read(reader, Exchange::Luno),
            // Luno permits 300 calls a minute for everything: below 250 ms a poll alone is over.
            luno_poll_interval_ms: reader.value(
                "exchanges.luno.poll_interval_ms",
                "Between two polls while there is no key for the stream.",
                &kind::whole32(" of milliseconds", 250, 60_000),
                1_000,
            ),
            luno_key: luno_key(reader),
            luno_traded_zar: reader.value(
                "exchanges.luno.traded_zar",
                "Rand traded there in thirty days: decides the tier of its fees.",
                &kind::whole32(" of rand", 0, 1_000_000_000),
                0,
            ),
        }
    }
}

fn luno_key(reader: &mut Reader) -> Option<ReadKey> {
    let names = ["exchanges.luno.key_id", "exchanges.luno.key_secret"];
    let about = "Read-only key: opens Luno's stream and candles.";
    let id = reader.optional(names[0], about, &kind::secret());
    let secret = reader.optional(names[1], about, &kind::secret());
    match (id, secret) {
        (Some(id), Some(secret)) => Some(ReadKey { id, secret }),
        (None, None) => None,
        (id, _) => {
            let given = if id.is_some() { names[0] } else { names[1] };
            reader.contradiction(given, "is half a key", "key_id and key_secret together, or none");
            None
        }
    }
}

/// `[simulator]`: the way of an order to the exchange and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulator {
    /// Median of the round trip.
    pub latency_ms_p50: u32,
    /// 99 of 100 round trips are shorter.
    pub latency_ms_p99: u32,
    /// Of every draw.
    pub seed: u64,
}

impl Simulator {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let latency = kind::whole32(" of milliseconds", 1, 60_000);
        let simulator = Self {
            latency_ms_p50: reader.value(
                "simulator.latency_ms_p50",
                "Median round trip of an order.",
                &latency,
                60,
            ),
            latency_ms_p99: reader.value(
                "simulator.latency_ms_p99",
                "99 of 100 round trips are shorter.",
                &latency,
                250,
            ),
            seed: reader.value(
                "simulator.seed",
                "Seed of every draw of a latency.",
                &kind::whole("", 0, u64::MAX),
                1,
            ),
        };
        if simulator.latency_ms_p99 < simulator.latency_ms_p50 {
            let wrong = "is below latency_ms_p50";
            let allowed = format!("at least {}", simulator.latency_ms_p50);
            reader.contradiction("simulator.latency_ms_p99", wrong, &allowed);
        }
        simulator
    }
}

/// `[recording]`: what is kept for `replay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingConfig {
    /// Keep every input of the core.
    pub has_inputs: bool,
    /// In as much room.
    pub quota_mb: u32,
}

impl RecordingConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            has_inputs: reader.value(
                "recording.inputs",
                "Keep what the core is told, so that `replay` can run it again.",
                &kind::boolean(),
                true,
            ),
            // Below ten a session's own beginning may not fit.
            quota_mb: reader.value(
                "recording.quota_mb",
                "Room for it; old sessions go first, and one that alone is larger ends early.",
                &kind::whole32(" of megabytes", 10, 1_000_000),
                256,
            ),
        }
    }
}

/// `[account]`: how one person counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Profit is also shown in it.
    pub reporting_currency: Currency,
    /// IANA name; days of limits stay UTC.
    pub timezone: String,
}

impl Account {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            reporting_currency: reader.value(
                "account.reporting_currency",
                "Profit is also shown in this currency.",
                &kind::currency(),
                "ZAR".parse().expect("ZAR is a currency code"),
            ),
            timezone: reader.value(
                "account.timezone",
                "Times are shown in it; the days of limits stay UTC.",
                &kind::timezone(),
                "Africa/Johannesburg".to_owned(),
            ),
        }
    }
}
