//! The whole product: store, engine, feeds, server, supervision; and its orderly end.

use crate::config::{Config, FLAG_NAMES};
use crate::core_loop::{Catalogue, CoreLoop, Pulse, Queues, SAYINGS_MAX, now, speak};
use crate::emergency::Emergency;
use crate::feeds::{Feeds, FeedsStatus};
use crate::healing::{
    EXIT_STORE, Healing, Leash, QueueWatch, Repairs, Tasks, Vitals, serve, store_ended,
};
use crate::live::Desks;
use crate::operator::Kit;
use crate::recording::Recording;
use crate::signals::{Asked, Signals};
use crate::supervise::Supervisor;
use crate::systemd::{Manager, inherited_listener};
use crate::watched::Watched;
use domain::Actor;
use engine::{Engine, EngineConfig, Input, InputKind, Switches};
use server::{AppState, Core, CoreRequest, ServerConfig, Status};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use storage::{Store, StoreError, StoreOptions};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Requests of people that wait for the engine.
const REQUESTS_MAX: usize = 1_024;
/// Rare inputs that wait for the engine: the instruments and the history of a large fleet.
const INPUTS_MAX: usize = 1_024;
/// Events of markets that wait for the engine: half a second of a very busy fleet of them. When it
/// is full the connectors keep the newest quotes and otherwise wait, and the sockets with them.
const MARKETS_MAX: usize = 16_384;
/// Wants are told again; a full queue loses nothing.
const WANTS_MAX: usize = 16;
/// An orderly end takes no longer than this.
const END_TIME: Duration = Duration::from_secs(5);
/// The server takes its leave first, while the engine still answers: what had been asked before is
/// not refused. A little more than the server's own drain.
const LEAVE_TIME: Duration = Duration::from_millis(300);
/// An engine's stack: JSON of deep state is read on it.
const ENGINE_STACK_BYTES: usize = 8 << 20;

/// Why it does not run, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A part failed its self-test at the start; the part is named.
    #[error("self-test failed: {part}: {reason}")]
    SelfTest {
        /// Which part.
        part: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// The engine ended by itself.
    #[error("the engine ended: {0}")]
    Engine(String),
    /// The store cannot be written: start-up recovers, once it can.
    #[error("the store failed: {0}")]
    Store(String),
    /// A task without which nothing works died too often.
    #[error("the task {0} was given up")]
    Task(&'static str),
}

impl RunError {
    /// What the process ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Store(_) => EXIT_STORE,
            Self::SelfTest { .. } | Self::Engine(_) | Self::Task(_) => 1,
        }
    }
}

pub(crate) fn failed(part: &'static str, reason: impl ToString) -> RunError {
    RunError::SelfTest { part, reason: reason.to_string() }
}

/// How the engine's thread ended; an error where it died without a word.
pub(crate) type EngineEnd = Result<Result<(), String>, tokio::sync::oneshot::error::RecvError>;

/// A product that runs.
pub struct Running {
    /// Where the server listens.
    pub address: SocketAddr,
    /// To command and ask the core.
    pub core: Core,
    /// Every listed instrument.
    pub catalogue: Catalogue,
    /// The code for the first owner, while there is none.
    pub setup_code: Option<String>,
    emergency: Arc<Emergency>,
    manager: Arc<Manager>,
    store: Store,
    data_dir: PathBuf,
    leave: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    engine_end: tokio::sync::oneshot::Receiver<Result<(), String>>,
    tasks: Tasks,
    lost: mpsc::Receiver<&'static str>,
    leash: Leash,
    healing: Healing,
}

/// Starts everything.
///
/// # Errors
/// The part that failed, by name.
pub async fn start(config: &Config, label: Option<&str>) -> Result<Running, RunError> {
    exchanges::install_tls();
    check_clock_and_policy(config)?;
    let path = config.database_path();
    fs::create_dir_all(&config.data_dir)
        .map_err(|e| failed("store", format!("{}: {e}", config.data_dir.display())))?;
    let (store, loaded) = open(&path).await.map_err(|e| failed("store", e))?;
    let recording = Recording::begin(config, &loaded);
    let mut healing = Healing::begin(config, &store, &loaded).await?;
    let engine =
        Engine::restore(engine_config(config), loaded.states).map_err(|e| failed("schema", e))?;
    let known = engine.fleet();
    tracing::info!(bots = known.bots, database = %path.display(), "store opened");

    let listener = listen(config).await?;
    let address = listener.local_addr().map_err(|e| failed("server", e))?;

    let (requests_tx, requests) = mpsc::channel::<CoreRequest>(REQUESTS_MAX);
    let (inputs_tx, inputs) = mpsc::channel::<Input>(INPUTS_MAX);
    let (wants_tx, wants) = mpsc::channel(WANTS_MAX);
    let (sayings, said) = mpsc::channel(SAYINGS_MAX);
    let (markets_tx, markets) = mpsc::channel(MARKETS_MAX);
    let (live_tx, live) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let (catalogue, pulse) = (Catalogue::default(), Arc::new(Pulse::default()));
    let (core, feeds_status) = (Core::new(requests_tx), Arc::new(FeedsStatus::default()));

    let switches = healing.switches(switches(config));
    let (is_bodyguard_on, is_autopilot_on) = (switches.bodyguard, switches.autopilot);
    let is_live_on = switches.live_trading;
    healing.mind_entries(&store, &inputs_tx, switches.clone());
    let mut queue_watch = QueueWatch::default();
    core.watch(|requests| queue_watch.add("requests", requests));
    queue_watch.add("inputs", &inputs_tx);
    queue_watch.add("markets", &markets_tx);
    queue_watch.add("answers", &sayings);
    let first = Input { at: now(), kind: InputKind::Switches(switches) };
    let _ = inputs_tx.send(first).await;
    let watched = Arc::new(Watched::new(feeds_status.clone(), catalogue.clone()));
    let queues = Queues {
        requests,
        inputs,
        markets,
        watched: watched.clone(),
        recording,
        wants: wants_tx,
        sayings,
        live: live_tx.clone(),
    };
    let core_loop = CoreLoop::new(engine, store.clone(), queues, catalogue.clone(), pulse.clone());
    let engine_end = spawn_engine(core_loop)?;

    let mut tasks = healing.tasks(stopped.clone());
    let said = Arc::new(tokio::sync::Mutex::new(said));
    tasks.spawn_until_told("speaker", move |_| speak(said.clone(), live_tx.clone()));
    let emergency = Arc::new(Emergency::new(&config.data_dir));
    // Before the first price.
    emergency.restore(&core).await.map_err(|e| failed("emergency stop", e))?;
    emergency.obey(&core).await;
    let (list, status) = (catalogue.clone(), feeds_status.clone());
    let live_inputs = inputs_tx.clone();
    let feeds = Feeds::start(config, inputs_tx, list, status, watched.clone(), &markets_tx, wants)
        .map_err(|e| failed("exchanges", e))?;
    let feeds = Arc::new(tokio::sync::Mutex::new(feeds));
    tasks.spawn_until_told("feeds", move |stop| {
        let feeds = feeds.clone();
        async move { feeds.lock().await.run(stop).await }
    });

    let mut state =
        AppState::new(core.clone(), store.clone(), server_config(config, label, address));
    state.metrics = Some(install_metrics()?);
    state.emergency = Some(emergency.clone());
    state.watch = Some(watched);
    state.research = Some(Arc::new(crate::research::Studies::new(
        config,
        feeds_status.clone(),
        catalogue.clone(),
    )));
    // Held in memory only: whoever may read our directory is let in while we run.
    let token = server::new_token();
    state.local_token = Some(server::token_digest(&token));
    state.entries = healing.entry_stop();
    let kit = Kit::new(config, &mut state)?;
    let autopilot = match is_autopilot_on {
        true => "on: acts on managed bots, proposes for the others",
        false => "off by ENABLE_AUTOPILOT: it only plans",
    };
    kit.parts.set("autopilot", Status::Healthy, autopilot);
    let live_words = match is_live_on {
        true => "on: bots that the live gate lets pass trade real money",
        false => "off by ENABLE_LIVE_TRADING",
    };
    kit.parts.set("live_orders", Status::Healthy, live_words);
    let desks = Desks::new(
        config,
        kit.vault.clone(),
        store.reader(),
        live_inputs,
        core.clone(),
        emergency.clone(),
        feeds_status.clone(),
    );
    tasks.spawn_once("live orders", |stop| desks.run(live, stop));
    let manager = Arc::new(Manager::of_process());
    let leash = healing.watch_core(&pulse, &kit.parts, &state.health, &emergency)?;
    let supervisor = Arc::new(Supervisor {
        core: core.clone(),
        store: store.clone(),
        feeds: feeds_status,
        pulse,
        health: state.health.clone(),
        is_bodyguard_on,
        parts: kit.parts.clone(),
        manager: manager.clone(),
        desk: tasks.desk(),
        vitals: Vitals::new(queue_watch),
        repairs: std::sync::Mutex::new(Repairs::new(healing.journal(), state.shed.clone())),
        entries: healing.entries(),
    });
    kit.spawn(&mut tasks);
    tasks.spawn_until_told("supervisor", move |stop| supervisor.clone().run(stop));
    let (leave, server_stop) = watch::channel(false);
    healing.health = Some(state.health.clone());
    let listener = listener.into_std().map_err(|e| failed("server", e))?;
    tasks.spawn("server", move |stop| {
        serve(listener.try_clone(), state.clone(), server_stop.clone(), stop)
    });
    let setup_code = crate::announce::announce(&store, &config.data_dir, address, &token).await?;
    tracing::info!(%address, "listening");
    manager.ready(&format!("listening at {address}"));
    let data_dir = config.data_dir.clone();
    Ok(Running {
        address,
        core,
        catalogue,
        setup_code,
        emergency,
        manager,
        store,
        data_dir,
        leave,
        stop,
        engine_end,
        lost: tasks.lost(),
        tasks,
        leash,
        healing,
    })
}

impl Running {
    /// Until a signal comes or the engine ends; then an orderly end.
    ///
    /// # Errors
    /// Where the engine ended by itself.
    pub async fn until_ended(mut self, signals: &mut Signals) -> Result<(), RunError> {
        let mut store = self.store.committed();
        let ended = loop {
            tokio::select! {
                signal = signals.come() => match signal {
                    Asked::End => break None,
                    Asked::EmergencyStop => self.emergency.by_signal(&self.core).await,
                },
                ended = &mut self.engine_end => break Some(ended),
                // The core learns of it with its next output: an idle one would not for long.
                () = store_ended(&mut store) => {
                    let reason = self.store.health().failed;
                    break Some(Ok(Err(reason.unwrap_or_else(|| "it has ended".to_owned()))));
                }
                Some(lost) = self.lost.recv() => {
                    tracing::error!(task = lost, "given up: ending, to be started again");
                    return self.conclude(None).await.and(Err(RunError::Task(lost)));
                }
            }
        };
        self.conclude(ended).await
    }

    /// An orderly end now.
    ///
    /// # Errors
    /// Where the engine had ended by itself.
    pub async fn end_now(self) -> Result<(), RunError> {
        self.conclude(None).await
    }

    async fn conclude(self, ended: Option<EngineEnd>) -> Result<(), RunError> {
        tracing::info!("ending");
        self.manager.stopping();
        let is_signal = ended.is_none();
        if let Some(ended) = &ended {
            self.healing.core_ended(ended);
        }
        let result = self.end(ended).await;
        if is_signal {
            tracing::info!("ended");
        }
        result
    }

    /// Ends everything in order: no new requests, no new data, what is known is written.
    async fn end(self, ended: Option<EngineEnd>) -> Result<(), RunError> {
        let Self { core, store, data_dir, leave, stop, engine_end, mut tasks, .. } = self;
        // A core that ends stands still, and that is no fault.
        drop(self.leash);
        leave.send_replace(true);
        tokio::time::sleep(LEAVE_TIME).await;
        stop.send_replace(true);
        drop(core);
        let engine = async {
            match ended {
                Some(ended) => ended,
                None => engine_end.await,
            }
        };
        let engine = tokio::time::timeout(END_TIME - Duration::from_secs(1), engine).await;
        if tokio::time::timeout(Duration::from_secs(1), tasks.join()).await.is_err() {
            tasks.abort();
        }
        if matches!(engine, Ok(Ok(Ok(())))) {
            self.healing.ended_in_order().await;
        }
        for file in ["server.addr", "local.token"] {
            let _ = fs::remove_file(data_dir.join(file));
        }
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        match (engine, closed) {
            (Ok(Ok(Ok(()))), Ok(Ok(()))) => Ok(()),
            (Ok(Ok(Err(reason))), _) => Err(RunError::Store(reason)),
            (_, Ok(Err(error))) => Err(RunError::Store(error.to_string())),
            (Err(_), _) => Err(RunError::Engine("it did not end in time".to_owned())),
            _ => Err(RunError::Engine("it ended badly".to_owned())),
        }
    }
}

/// `run`: the live markets.
///
/// # Errors
/// See [`RunError`].
pub async fn run(config: &Config) -> Result<(), RunError> {
    let mut signals = Signals::listen().map_err(|e| failed("signals", e))?;
    let running = start(config, None).await?;
    println!("Amarktai paper-trades at http://{}", running.address);
    if let Some(code) = &running.setup_code {
        println!("First owner: open the page and enter the setup code {code}");
    }
    running.until_ended(&mut signals).await
}

/// A command that works on the directory itself holds its lock for moments.
const LOCK_TRIES: u32 = 10;

async fn open(path: &Path) -> Result<(Store, storage::Loaded), StoreError> {
    for _ in 1..LOCK_TRIES {
        match Store::open(path, StoreOptions::default()) {
            Err(StoreError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
            opened => return opened,
        }
    }
    Store::open(path, StoreOptions::default())
}

/// The port that the service manager holds for us, or one of our own.
async fn listen(config: &Config) -> Result<TcpListener, RunError> {
    let inherited = inherited_listener().map_err(|e| failed("server", e))?;
    if let Some(listener) = inherited {
        return TcpListener::from_std(listener).map_err(|e| failed("server", e));
    }
    let asked = config.server.listen;
    TcpListener::bind(asked)
        .await
        .map_err(|e| failed("server", format!("{asked}: {e}; choose another with --listen")))
}

fn spawn_engine(
    core_loop: CoreLoop,
) -> Result<tokio::sync::oneshot::Receiver<Result<(), String>>, RunError> {
    let (ended, end) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| failed("engine", e))?;
    std::thread::Builder::new()
        .name("engine".to_owned())
        .stack_size(ENGINE_STACK_BYTES)
        .spawn(move || {
            let result = runtime.block_on(core_loop.run()).map_err(|e| e.to_string());
            let _ = ended.send(result);
        })
        .map_err(|e| failed("engine", e))?;
    Ok(end)
}

fn check_clock_and_policy(config: &Config) -> Result<(), RunError> {
    // 2024-01-01: a machine without a clock starts in 1970.
    if now().0 < 1_704_067_200_000_000_000 {
        return Err(failed("clock", format!("it shows {}; set it", now())));
    }
    config.policy.validate().map_err(|e| failed("policy", e))
}

pub(crate) fn engine_config(config: &Config) -> EngineConfig {
    EngineConfig {
        seed: config.simulator.seed,
        latency_ms_p50: f64::from(config.simulator.latency_ms_p50),
        latency_ms_p99: f64::from(config.simulator.latency_ms_p99),
        policy: config.policy.clone(),
    }
}

fn switches(config: &Config) -> Switches {
    let flags = &config.flags;
    let exchanges = flags.paper_supported_exchanges();
    Switches {
        trading: flags.is_trading_enabled(),
        paper_trading: flags.is_paper_trading_enabled(),
        bodyguard: flags.is_bodyguard_enabled(),
        restart_stop: false,
        live_trading: flags.is_live_trading_enabled(),
        training_days: flags.paper_training_days(),
        wallet_required: flags.is_wallet_funding_required(),
        key_required: flags.are_live_api_keys_required(),
        autopilot: flags.is_autopilot_enabled(),
        paper_exchanges: exchanges.iter().map(|e| e.name().to_owned()).collect(),
    }
}

fn server_config(config: &Config, label: Option<&str>, address: SocketAddr) -> ServerConfig {
    let shown = config.settings.iter().filter(|s| FLAG_NAMES.contains(&s.key.as_str()));
    let flags = shown.map(|s| (s.key.clone(), serde_json::Value::from(s.value.to_string())));
    ServerConfig {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode_label: label.map(str::to_owned),
        realtime_enabled: config.flags.is_realtime_enabled(),
        public_url: config.server.public_url.clone(),
        trusted_proxies: config.server.trusted_proxies.clone(),
        listen: address,
        flags: serde_json::Value::Object(flags.collect()),
        heartbeat: Duration::from_secs(10),
        reporting_currency: config.account.reporting_currency,
        data_dir: config.data_dir.clone(),
    }
}

fn install_metrics() -> Result<metrics_exporter_prometheus::PrometheusHandle, RunError> {
    metrics_exporter_prometheus::PrometheusBuilder::new()
        .install_recorder()
        .map_err(|e| failed("metrics", e))
}

/// Who acts for the program itself.
pub fn program() -> Actor {
    Actor::Rule("amarktai".into())
}
