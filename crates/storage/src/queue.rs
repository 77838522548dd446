//! The bounded queue before the writer, and the tickets that come out of it.

use crate::{StoreError, writer::Job};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Rows that may wait before [`crate::Store::commit`] blocks: about half a second of writing, so
/// that a slow disk is felt by the engine long before memory is.
pub const QUEUE_ROWS_MAX: usize = 65_536;

/// Rows taken into one transaction: one sync for many, while nobody waits longer than about a
/// tenth of a second for an answer.
pub const COMMIT_ROWS_MAX: usize = 16_384;

/// Why nothing more is written.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Closed,
    Failed(Arc<str>),
}

impl From<Ending> for StoreError {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Closed => Self::Closed,
            Ending::Failed(reason) => Self::Failed(reason),
        }
    }
}

#[derive(Debug, Default, PartialEq)]
enum Intake {
    #[default]
    Open,
    /// What waits is still written.
    Closing,
    /// What waits is thrown away, as by a kill.
    Abandoned,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Job, usize)>,
    rows: usize,
    last_ticket: u64,
    durable: u64,
    intake: Intake,
    ending: Option<Ending>,
}

/// Shared by the handles and the writer. One lock: tickets are numbered in the order in which
/// jobs enter.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// A job came or the intake changed.
    filled: Condvar,
    /// Room came or the writer ended.
    drained: Condvar,
    /// A commit is durable or the writer ended.
    settled: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it; were it so, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job of this many rows; blocks while the queue is full. `make` gets its ticket.
    pub(crate) fn push(
        &self,
        rows: usize,
        make: impl FnOnce(u64) -> Job,
    ) -> Result<u64, StoreError> {
        let mut state = self.lock();
        loop {
            if let Some(ending) = &state.ending {
                return Err(ending.clone().into());
            }
            if state.intake != Intake::Open {
                return Err(StoreError::Closed);
            }
            if state.rows < QUEUE_ROWS_MAX {
                break;
            }
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.jobs.push_back((make(ticket), rows));
        state.rows += rows;
        self.filled.notify_one();
        Ok(ticket)
    }

    /// Everything that waits, up to [`COMMIT_ROWS_MAX`] rows and at least one job; blocks while
    /// there is nothing. `None`: no more will come.
    pub(crate) fn take(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() && state.intake == Intake::Open {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.intake == Intake::Abandoned || state.jobs.is_empty() {
            return None;
        }
        let (mut taken, mut rows) = (Vec::new(), 0);
        while let Some(&(_, next)) = state.jobs.front() {
            if !taken.is_empty() && rows + next > COMMIT_ROWS_MAX {
                break;
            }
            rows += next;
            taken.extend(state.jobs.pop_front().map(|(job, _)| job));
        }
        state.rows -= rows;
        self.drained.notify_all();
        Some(taken)
    }

    /// Everything up to this ticket is durable.
    pub(crate) fn settle(&self, ticket: u64) {
        self.lock().durable = ticket;
        self.settled.notify_all();
    }

    /// The writer ended: everybody who waits learns it.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending.get_or_insert(ending);
        state.jobs.clear();
        state.rows = 0;
        drop(state);
        self.drained.notify_all();
        self.settled.notify_all();
    }

    /// Takes no more; what waits is still written.
    pub(crate) fn close(&self) {
        self.stop(Intake::Closing);
    }

    /// Takes no more and throws away what waits.
    pub(crate) fn abandon(&self) {
        self.stop(Intake::Abandoned);
    }

    fn stop(&self, intake: Intake) {
        self.lock().intake = intake;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Rows that wait.
    pub(crate) fn rows(&self) -> usize {
        self.lock().rows
    }

    /// Why it failed, if it did.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        match &self.lock().ending {
            Some(Ending::Failed(reason)) => Some(reason.clone()),
            _ => None,
        }
    }

    /// The error for somebody whose answer will not come.
    pub(crate) fn ended(&self) -> StoreError {
        self.lock().ending.clone().unwrap_or(Ending::Closed).into()
    }

    fn wait(&self, ticket: u64) -> Result<(), StoreError> {
        let mut state = self.lock();
        while state.durable < ticket {
            if let Some(ending) = &state.ending {
                return Err(ending.clone().into());
            }
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

/// A batch's place in the order of commits.
#[derive(Clone)]
pub struct Ticket {
    number: u64,
    queue: Arc<Queue>,
    durable: watch::Receiver<u64>,
}

impl Ticket {
    pub(crate) fn new(number: u64, queue: Arc<Queue>, durable: watch::Receiver<u64>) -> Self {
        Self { number, queue, durable }
    }

    /// Rises by one with each batch; compare with [`crate::Store::committed`].
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Blocks until the batch is durable.
    ///
    /// # Errors
    /// The store failed or was closed before that.
    pub fn wait(&self) -> Result<(), StoreError> {
        self.queue.wait(self.number)
    }

    /// The same without blocking the thread.
    ///
    /// # Errors
    /// The store failed or was closed before that.
    pub async fn wait_async(&self) -> Result<(), StoreError> {
        let mut durable = self.durable.clone();
        let waited = durable.wait_for(|last| *last >= self.number).await;
        waited.map(|_| ()).map_err(|_| self.queue.ended())
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({})", self.number)
    }
}
