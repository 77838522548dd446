//! What the start of the product takes from here, in its order.

use super::starts::StartLog;
use super::watchdog::{Leash, Watchdog};
use super::{Entries, Journal, Tasks};
use crate::config::Config;
use crate::core_loop::{Pulse, now};
use crate::emergency::Emergency;
use crate::parts::Parts;
use crate::run::{EngineEnd, RunError};
use arc_swap::ArcSwap;
use engine::{Input, Switches};
use server::operator::EntryStop;
use server::{HealthReport, Part, Status};
use std::sync::Arc;
use storage::{Loaded, Store};
use tokio::sync::{mpsc, watch};

/// See the module.
pub(crate) struct Healing {
    journal: Arc<Journal>,
    log: StartLog,
    entries: Option<Arc<Entries>>,
    pub(crate) health: Option<Arc<ArcSwap<HealthReport>>>,
}

fn failed(part: &'static str, reason: impl ToString) -> RunError {
    RunError::SelfTest { part, reason: reason.to_string() }
}

impl Healing {
    /// Notes the start, before anything is traded.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) async fn begin(
        config: &Config,
        store: &Store,
        loaded: &Loaded,
    ) -> Result<Self, RunError> {
        let is_on = config.flags.is_self_healing_enabled();
        let journal = Journal::new(is_on, store.clone()).map_err(|e| failed("self-healing", e))?;
        let mut log = StartLog::of(loaded);
        log.begin(now());
        log.keep(store).await.map_err(|e| failed("store", e))?;
        if let Some(stopped) = &log.stopped {
            let (since, restarts) = (stopped.since.to_string(), stopped.restarts);
            tracing::error!(since, restarts, "started too often: entries are stopped");
        }
        Ok(Self { journal: Arc::new(journal), log, entries: None, health: None })
    }

    /// Where repairs are told.
    pub(crate) fn journal(&self) -> Arc<Journal> {
        self.journal.clone()
    }

    /// The flags, and whether restarts stop entries.
    pub(crate) fn switches(&self, flags: Switches) -> Switches {
        Switches { restart_stop: self.log.stopped.is_some(), ..flags }
    }

    /// Keeps the way back, for a core that was given these switches.
    pub(crate) fn mind_entries(
        &mut self,
        store: &Store,
        inputs: &mpsc::Sender<Input>,
        switches: Switches,
    ) {
        let (log, journal) = (self.log.clone(), self.journal.clone());
        self.entries = Some(Entries::new(log, store.clone(), inputs, switches, journal));
    }

    /// For health.
    pub(crate) fn entries(&self) -> Option<Arc<Entries>> {
        self.entries.clone()
    }

    /// For the server.
    pub(crate) fn entry_stop(&self) -> Option<Arc<dyn EntryStop>> {
        self.entries.clone().map(|entries| entries as Arc<dyn EntryStop>)
    }

    /// Where tasks are started.
    pub(crate) fn tasks(&self, stop: watch::Receiver<bool>) -> Tasks {
        Tasks::new(self.journal.clone(), stop)
    }

    /// Watches that the core advances, until the leash is dropped.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn watch_core(
        &self,
        pulse: &Arc<Pulse>,
        parts: &Arc<Parts>,
        health: &Arc<ArcSwap<HealthReport>>,
        emergency: &Arc<Emergency>,
    ) -> Result<Leash, RunError> {
        let (pulse, parts) = (pulse.clone(), parts.clone());
        let (health, emergency, journal) = (health.clone(), emergency.clone(), self.journal());
        let watchdog = Watchdog { pulse, parts, health, emergency, journal };
        watchdog.start().map_err(|e| failed("watchdog", e))
    }

    /// The core ended by itself: whoever asks while the server takes its leave is told.
    pub(crate) fn core_ended(&self, ended: &EngineEnd) {
        let Some(health) = &self.health else { return };
        let detail = match ended {
            Ok(Err(reason)) => format!("{reason}; the process ends"),
            Ok(Ok(())) | Err(_) => "the core has ended; the process ends".to_owned(),
        };
        let mut report = HealthReport::clone(&health.load());
        let part = Part { status: Status::Unhealthy, detail };
        report.parts.insert("engine".to_owned(), part);
        report.is_ready = false;
        health.store(Arc::new(report));
    }

    /// The next start is no fault.
    pub(crate) async fn ended_in_order(&self) {
        if let Some(entries) = &self.entries
            && let Err(error) = entries.end().await
        {
            tracing::warn!(%error, "the next start counts as one after a fault");
        }
    }
}
