//! What every handler may use.

use crate::access::Touched;
use crate::auth::{LoginLimit, Passwords};
use crate::core::Core;
use crate::health::HealthReport;
use crate::idempotency::Replies;
use crate::operator::{Backups, EntryStop, KeyVault, Notifier};
use crate::realtime::Realtime;
use crate::research::{Research, Studies};
use arc_swap::ArcSwap;
use domain::{AccountId, Currency};
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;
use tokio::sync::Semaphore;

/// What the binary configures.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Of the product.
    pub version: String,
    /// Shown large where set, as `DEMO`; otherwise the mode is `PAPER`.
    pub mode_label: Option<String>,
    /// `ENABLE_REALTIME`: off, SSE and WebSocket answer 503 and pages poll.
    pub realtime_enabled: bool,
    /// Where people reach it; `https` makes cookies secure and is an accepted origin.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The flags as `/health` shows them.
    pub flags: serde_json::Value,
    /// Time between heartbeats of a stream: 10 s.
    pub heartbeat: std::time::Duration,
    /// Of the first account, made at set-up where there is none.
    pub reporting_currency: Currency,
    /// Where disk use is measured: named in `/api/system/disk`.
    pub data_dir: std::path::PathBuf,
}

impl ServerConfig {
    /// `DEMO` or another label; without one `LIVE` while a bot trades real money, else `PAPER`.
    pub fn mode(&self, is_live: bool) -> &str {
        let own = if is_live { "LIVE" } else { "PAPER" };
        self.mode_label.as_deref().unwrap_or(own)
    }

    /// Are cookies sent over TLS only?
    pub fn is_secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// An emergency stop as somebody pulled it.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Whose; `None`: the fleet's.
    pub account_id: Option<AccountId>,
    /// Why.
    pub reason: String,
    /// Sell positions rather than guard them.
    pub sell: bool,
    /// Who.
    pub by: domain::Actor,
}

/// The emergency stop beside the core, which may be late or gone.
pub trait Emergency: Send + Sync {
    /// Called before the command is queued, and after a stop was cleared: acts at once.
    fn latch(&self, account: Option<AccountId>, is_on: bool);

    /// Keeps a stop that could not be stored for the next start; says where.
    ///
    /// # Errors
    /// Where it cannot be kept either.
    fn keep(&self, pulled: &Pulled) -> std::io::Result<std::path::PathBuf>;

    /// A stop that was kept counts no more: it was cleared.
    fn forget(&self, account: Option<AccountId>);
}

/// Everything that handlers use; clones are cheap.
#[derive(Clone)]
pub struct AppState {
    /// Commands and questions.
    pub core: Core,
    /// For reading; commands go to the core.
    pub store: storage::Store,
    /// Settings.
    pub config: Arc<ServerConfig>,
    /// As the supervisor last published it.
    pub health: Arc<ArcSwap<HealthReport>>,
    /// Renders `/metrics`.
    pub metrics: Option<PrometheusHandle>,
    /// The schemas of the strategies, as shown at `/api/strategies`.
    pub strategies: Arc<serde_json::Value>,
    /// See [`Emergency`]; `None`: there is nothing beside the core.
    pub emergency: Option<Arc<dyn Emergency>>,
    /// Markets that no bot trades; without it they are not found.
    pub watch: Option<Arc<dyn crate::watch::Watch>>,
    /// Digest of an admin's token that is in no store and ends with this process: for the command
    /// line of whoever owns the data directory.
    pub local_token: Option<storage::SecretHash>,
    /// Runs backtests and sweeps; `None`: they are not to be had here.
    pub research: Option<Arc<dyn Research>>,
    /// Seals exchange keys; `None`: there are none here.
    pub vault: Option<Arc<dyn KeyVault>>,
    /// Makes copies of the store; `None`: not here.
    pub backups: Option<Arc<dyn Backups>>,
    /// Tells people; `None`: not here.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Lets entries again that restarts stopped; `None`: not here.
    pub entries: Option<Arc<dyn EntryStop>>,
    /// Slow subscribers that were cut off.
    pub shed: Arc<AtomicU64>,
    /// One change of a key at a time.
    pub(crate) vault_turn: Arc<tokio::sync::Mutex<()>>,
    pub(crate) passwords: Passwords,
    pub(crate) logins: Arc<LoginLimit>,
    /// Wrong codes of second factors, by person.
    pub(crate) codes: Arc<LoginLimit>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) realtime: Realtime,
    pub(crate) touched: Arc<Touched>,
    /// Turns for queries that read everything.
    pub(crate) heavy: Arc<Semaphore>,
    pub(crate) studies: Arc<Studies>,
    pub(crate) started: Instant,
}

impl AppState {
    /// See [`ServerConfig::mode`].
    pub(crate) fn mode(&self) -> &str {
        self.config.mode(self.health.load().is_live)
    }

    /// With health not yet reported, no metrics and no latch; set those fields after.
    pub fn new(core: Core, store: storage::Store, config: ServerConfig) -> Self {
        Self {
            core,
            store,
            config: Arc::new(config),
            health: Arc::new(ArcSwap::from_pointee(HealthReport::default())),
            metrics: None,
            strategies: Arc::new(strategies()),
            emergency: None,
            watch: None,
            local_token: None,
            research: None,
            vault: None,
            backups: None,
            notifier: None,
            entries: None,
            shed: Arc::default(),
            vault_turn: Arc::default(),
            passwords: Passwords::default(),
            logins: Arc::default(),
            codes: Arc::default(),
            replies: Arc::default(),
            realtime: Realtime::default(),
            touched: Arc::default(),
            heavy: Arc::new(Semaphore::new(1)),
            studies: Arc::default(),
            started: Instant::now(),
        }
    }
}

fn strategies() -> serde_json::Value {
    strategy::schemas().filter_map(|schema| serde_json::to_value(schema).ok()).collect()
}
