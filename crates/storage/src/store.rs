//! The store's handle: open, commit, watch, close.

use crate::lock::DirLock;
use crate::queue::{Queue, Ticket};
use crate::writer::{CommitInfo, Job, Writer};
use crate::{EventHub, Health, ReadPool, StoreError, StoreHealth, schema};
use engine::{Output, StateRow};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{broadcast, watch};

/// Called with each transaction just before its sync; an error fails the store. Tests use it to
/// slow or break a commit.
pub type CommitHook = Arc<dyn Fn(&CommitInfo) -> Result<(), String> + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// Read-only connections: as many queries run at once, others wait.
    pub read_connections: usize,
    /// See [`CommitHook`].
    pub commit_hook: Option<CommitHook>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { read_connections: 4, commit_hook: None }
    }
}

/// What was stored when the last process ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// One row an entity, by key.
    pub states: Vec<StateRow>,
    /// Places in other streams, by name.
    pub cursors: Vec<(String, String)>,
}

/// Facts that become durable together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What the core said.
    pub outputs: Vec<Output>,
    /// What must be known to go on after it.
    pub states: Vec<StateRow>,
    /// Places in other streams, by name.
    pub cursors: Vec<(String, String)>,
}

impl Batch {
    pub(crate) fn rows(&self) -> usize {
        self.outputs.len() + self.states.len() + self.cursors.len()
    }
}

/// A handle; clones are the same store. When the last one is dropped without [`Store::close`],
/// what was not acknowledged is lost, as by a kill.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue>,
    durable: watch::Receiver<u64>,
    hub: EventHub,
    reader: ReadPool,
    health: Arc<Health>,
    writer: Mutex<Option<JoinHandle<()>>>,
    // Last: freed when the writer has ended.
    _lock: DirLock,
}

impl Store {
    /// Opens or creates the store; takes its directory's lock; brings it to our schema.
    ///
    /// # Errors
    /// The directory is in use, the file is damaged, foreign or newer than this program, or the
    /// disk says no.
    pub fn open(path: &Path, options: StoreOptions) -> Result<(Self, Loaded), StoreError> {
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        let lock = DirLock::take(&dir)?;
        let connection = schema::open_writer(path)?;
        let loaded = load(&connection)?;
        let reader = ReadPool::open(path, options.read_connections)?;
        let queue = Arc::new(Queue::default());
        let health = Arc::new(Health::new(path));
        let (durable_tx, durable) = watch::channel(0);
        let events = broadcast::channel(crate::SUBSCRIBER_EVENTS_MAX).0;
        let hub = EventHub::new(&events);
        let ends = (durable_tx, events);
        let hook = options.commit_hook;
        let writer = Writer::new(connection, queue.clone(), health.clone(), hook, ends)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(|e| StoreError::io(path, e))?;
        let writer = Mutex::new(Some(thread));
        let shared = Shared { queue, durable, hub, reader, health, writer, _lock: lock };
        Ok((Self { shared: Arc::new(shared) }, loaded))
    }

    /// Queues a batch. Order is kept: what was queued first is durable first. Blocks while
    /// [`crate::QUEUE_ROWS_MAX`] rows wait, so that a slow disk slows the engine.
    ///
    /// # Errors
    /// The store failed or was closed.
    pub fn commit(&self, batch: Batch) -> Result<Ticket, StoreError> {
        let shared = &self.shared;
        let number = shared.queue.push(batch.rows(), |ticket| Job::Batch { ticket, batch })?;
        Ok(Ticket::new(number, shared.queue.clone(), shared.durable.clone()))
    }

    pub(crate) fn queue(&self) -> Arc<Queue> {
        self.shared.queue.clone()
    }

    /// The last durable ticket; closes when the store ends.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.shared.durable.clone()
    }

    /// Where committed events are told.
    pub fn events(&self) -> EventHub {
        self.shared.hub.clone()
    }

    /// Read-only connections for queries; run them where blocking is allowed.
    pub fn reader(&self) -> ReadPool {
        self.shared.reader.clone()
    }

    /// How it is.
    pub fn health(&self) -> StoreHealth {
        self.shared.health.report(&self.shared.queue)
    }

    /// Writes what is queued and ends the writer; other handles get [`StoreError::Closed`].
    ///
    /// # Errors
    /// A commit had failed.
    pub fn close(self) -> Result<(), StoreError> {
        self.shared.queue.close();
        self.shared.join();
        match self.shared.queue.failure() {
            Some(reason) => Err(StoreError::Failed(reason)),
            None => Ok(()),
        }
    }
}

impl Shared {
    fn join(&self) {
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The writer catches its panics itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.abandon();
        self.join();
    }
}

fn load(connection: &Connection) -> Result<Loaded, StoreError> {
    let mut states = connection.prepare("SELECT key, state FROM states ORDER BY key")?;
    let states = states
        .query_map([], |row| Ok(StateRow { key: row.get(0)?, state: Some(row.get(1)?) }))?
        .collect::<Result<_, _>>()?;
    let mut cursors = connection.prepare("SELECT name, value FROM cursors ORDER BY name")?;
    let cursors =
        cursors.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Loaded { states, cursors })
}
