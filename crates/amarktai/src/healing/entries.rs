//! Entries that too many restarts stopped, and a person who lets them again.

use super::starts::StartLog;
use super::{Journal, Repair};
use crate::core_loop::now;
use engine::{Input, InputKind, Switches};
use futures_util::future::{BoxFuture, FutureExt};
use server::operator::{EntryStop, EntryStopView};
use server::{Part, Status};
use std::sync::Arc;
use storage::{Store, StoreError};
use tokio::sync::{Mutex, mpsc};

/// See the module.
pub(crate) struct Entries {
    log: Mutex<StartLog>,
    store: Store,
    /// Weak: the core ends when those who have something to say are gone.
    inputs: mpsc::WeakSender<Input>,
    switches: Switches,
    journal: Arc<Journal>,
}

impl Entries {
    /// With the switches as the core was given them.
    pub(crate) fn new(
        log: StartLog,
        store: Store,
        inputs: &mpsc::Sender<Input>,
        switches: Switches,
        journal: Arc<Journal>,
    ) -> Arc<Self> {
        let (log, inputs) = (Mutex::new(log), inputs.downgrade());
        Arc::new(Self { log, store, inputs, switches, journal })
    }

    /// For `/health`: how to come back is part of it.
    pub(crate) fn part(&self) -> Part {
        // Held for the time of a commit: what was last known is soon told again.
        let Ok(log) = self.log.try_lock() else {
            return Part { status: Status::Degraded, detail: "being allowed again".to_owned() };
        };
        match &log.stopped {
            None => Part { status: Status::Healthy, detail: "not stopped by restarts".to_owned() },
            Some(stopped) => Part {
                status: Status::Degraded,
                detail: format!(
                    "stopped since {}: {} restarts within ten minutes; exits stay armed; look into \
                     the log, then `amarktai resume-entries` or POST /api/system/entries",
                    stopped.since, stopped.restarts
                ),
            },
        }
    }

    /// An end in order: the next start is no fault.
    pub(crate) async fn end(&self) -> Result<(), StoreError> {
        let mut log = self.log.lock().await;
        log.end();
        log.keep(&self.store).await
    }

    async fn allow_now(&self, by: &str) -> Result<EntryStopView, String> {
        let mut log = self.log.lock().await;
        let mut changed = log.clone();
        let Some(stopped) = changed.allow() else { return Ok(EntryStopView::default()) };
        changed.keep(&self.store).await.map_err(|e| e.to_string())?;
        *log = changed;
        let inputs = self.inputs.upgrade().ok_or("the core is gone")?;
        let switches = Switches { restart_stop: false, ..self.switches.clone() };
        let input = Input { at: now(), kind: InputKind::Switches(switches) };
        inputs.send(input).await.map_err(|_| "the core is gone")?;
        let cause = format!("{} restarts within ten minutes", stopped.restarts);
        let (part, outcome) = ("entries".to_owned(), format!("entries go on, by {by}"));
        self.journal.tell(Repair { part, cause, action: "allow entries", outcome });
        Ok(EntryStopView { was_stopped: true, since: Some(stopped.since) })
    }
}

impl EntryStop for Entries {
    fn allow(&self, by: String) -> BoxFuture<'_, Result<EntryStopView, String>> {
        async move { self.allow_now(&by).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use storage::StoreOptions;

    #[tokio::test]
    async fn a_person_lets_entries_again_once_and_the_next_start_knows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (store, _) = Store::open(&path, StoreOptions::default()).unwrap();
        let mut log = StartLog::default();
        (0..4).for_each(|n| log.begin(Timestamp(n)));
        let (sender, mut inputs) = mpsc::channel(4);
        let switches = Switches { restart_stop: true, trading: false, ..Switches::default() };
        let journal = Arc::new(Journal::new(true, store.clone()).unwrap());
        let entries = Entries::new(log, store.clone(), &sender, switches, journal);
        assert_eq!(entries.part().status, Status::Degraded);
        assert!(entries.allow("tom".to_owned()).await.unwrap().was_stopped);
        let InputKind::Switches(told) = inputs.recv().await.unwrap().kind else { panic!() };
        assert!(!told.restart_stop && !told.trading, "only what it may change");
        assert_eq!(entries.part().status, Status::Healthy);
        assert!(!entries.allow("tom".to_owned()).await.unwrap().was_stopped);
        entries.end().await.unwrap();
        drop((entries, sender));
        store.close().unwrap();
        let cursors = storage::ReadPool::open(&path, 1).unwrap().cursor("starts").unwrap();
        assert!(cursors.unwrap().contains("\"stopped\":null"));
    }
}
