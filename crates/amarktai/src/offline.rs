//! The data directory without a running server: its lock is taken, and the same server answers
//! for the time of one command, on a free port of the loopback, to this process alone.
//!
//! So there is one way to do a thing, not two: what a verb asks for is the same route, checked
//! and committed in the same way, with and without `run`. No feed is connected meanwhile.

use crate::backups::Keeper;
use crate::config::Config;
use crate::vault::Vault;
use domain::Timestamp;
use engine::{
    CommandError, Engine, EngineConfig, Envelope, Input, InputKind, Output, Reply, RestoreError,
};
use server::{AppState, Core, CoreRequest, ServerConfig, new_token, token_digest};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use storage::{Batch, Store, StoreError, StoreOptions};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// One command asks one thing after another.
const REQUESTS_MAX: usize = 16;

/// Why the data directory cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// In use, damaged, newer than this program, or not to be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was opened and what it holds cannot be understood.
    #[error("the store holds what this program cannot read: {0}")]
    Restore(#[from] RestoreError),
    /// No free port, no thread.
    #[error("cannot serve on the loopback: {0}")]
    Io(#[from] std::io::Error),
}

/// A data directory in our hands, until [`Offline::close`].
pub struct Offline {
    /// Where it answers.
    pub address: SocketAddr,
    /// An admin's token, known to this process alone.
    pub token: String,
    store: Store,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Offline {
    /// Takes the lock, opens or creates the store, and serves.
    ///
    /// # Errors
    /// See [`OfflineError`]; [`StoreError::Locked`] says that somebody else is at work.
    pub async fn open(config: &Config) -> Result<Self, OfflineError> {
        let (store, loaded) = Store::open(&config.database_path(), StoreOptions::default())?;
        let engine = Engine::restore(engine_config(config), loaded.states)?;
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let token = new_token();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let settings = server_config(config, address);
        let mut state = AppState::new(Core::new(sender), store.clone(), settings);
        state.local_token = Some(token_digest(&token));
        state.vault = Some(Arc::new(Vault::new(config, None)));
        state.backups = Some(Keeper::new(config, store.reader(), Arc::default()));
        let written = store.clone();
        let drive = move || drive(engine, &written, requests);
        std::thread::Builder::new().name("offline".into()).spawn(drive)?;
        // Ends with the process: every answer was waited for, so nothing is cut off.
        let serving = tokio::spawn(server::serve(listener, state, std::future::pending()));
        Ok(Self { address, token, store, serving })
    }

    /// For questions that no route answers.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Writes what is queued and frees the lock.
    ///
    /// # Errors
    /// A commit had failed.
    pub async fn close(self) -> Result<(), StoreError> {
        self.serving.abort();
        let _aborted = self.serving.await;
        self.store.close()
    }
}

fn engine_config(config: &Config) -> EngineConfig {
    EngineConfig {
        seed: config.simulator.seed,
        latency_ms_p50: f64::from(config.simulator.latency_ms_p50),
        latency_ms_p99: f64::from(config.simulator.latency_ms_p99),
        policy: config.policy.clone(),
    }
}

fn server_config(config: &Config, listen: SocketAddr) -> ServerConfig {
    ServerConfig {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode_label: Some("OFFLINE".to_owned()),
        realtime_enabled: false,
        public_url: None,
        trusted_proxies: Vec::new(),
        listen,
        flags: serde_json::Value::Null,
        heartbeat: Duration::from_secs(10),
        reporting_currency: config.account.reporting_currency,
        data_dir: config.data_dir.clone(),
    }
}

/// The engine's turn: each command is committed before it is answered, so a question never sees
/// what a crash could take back.
pub(crate) fn drive(mut engine: Engine, store: &Store, mut requests: mpsc::Receiver<CoreRequest>) {
    let mut id = 0;
    while let Some(request) = requests.blocking_recv() {
        match request {
            CoreRequest::Query(ask) => ask(&engine)(),
            CoreRequest::Command { account, actor, command, reply } => {
                id += 1;
                let envelope = Envelope { id, actor, account, command };
                match carry_out(&mut engine, store, envelope) {
                    // Whoever asked may be gone; what was ordered is done all the same.
                    Ok(result) => drop(reply.send(result)),
                    // A failed commit is never retried: the caller learns that no answer came.
                    Err(_) => return,
                }
            }
        }
    }
}

fn carry_out(
    engine: &mut Engine,
    store: &Store,
    envelope: Envelope,
) -> Result<Result<Reply, CommandError>, StoreError> {
    let mut outputs = Vec::new();
    let input = Input { at: now(), kind: InputKind::Command(envelope) };
    engine.apply(&input, &mut outputs);
    if engine.is_stopping() {
        engine.apply(&Input { at: input.at, kind: InputKind::Timer }, &mut outputs);
    }
    let answer = outputs.iter().rev().find_map(|output| match output {
        Output::Reply { result, .. } => Some(result.clone()),
        _ => None,
    });
    let batch = Batch { outputs, states: engine.take_dirty(), ..Batch::default() };
    store.commit(batch)?.wait()?;
    let silent = || Err(CommandError::NotPossible { problem: "the core gave no answer".into() });
    Ok(answer.unwrap_or_else(silent))
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
