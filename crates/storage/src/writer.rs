//! The one writer: takes what is queued, writes one transaction, syncs, and only then speaks.

use crate::cells::Ink;
use crate::control::{self, ControlAnswer, ControlError, ControlWrite};
use crate::events::{EventRow, Streams, Told};
use crate::facts::Rows;
use crate::queue::{Ending, Queue};
use crate::retention::{self, Retained};
use crate::statements::Statements;
use crate::{Batch, CommitHook, Health, StoreError};
use domain::Timestamp;
use engine::{EventDraft, EventHead, Output};
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{broadcast, oneshot, watch};

/// What the queue holds.
pub(crate) enum Job {
    /// Facts of the core.
    Batch { ticket: u64, batch: Batch },
    /// A write of the server's.
    Control {
        ticket: u64,
        write: ControlWrite,
        reply: oneshot::Sender<Result<ControlAnswer, ControlError>>,
    },
    /// One step of retention.
    Retain { ticket: u64, now: Timestamp, reply: oneshot::Sender<Retained> },
}

/// A transaction that is about to be synced: shown to a [`CommitHook`].
#[derive(Clone, Copy, Debug)]
pub struct CommitInfo {
    /// Rows written in it.
    pub rows: usize,
    /// The last ticket in it.
    pub last_ticket: u64,
}

/// What is said when the transaction is durable.
#[derive(Default)]
struct Speech {
    last_ticket: u64,
    rows: usize,
    told: Told,
    trades: Vec<Inserted>,
    answers: Vec<Box<dyn FnOnce() + Send>>,
}

/// A trade row that was inserted, for the log.
struct Inserted {
    id: u64,
    profit: domain::Amount,
}

pub(crate) struct Writer {
    connection: Connection,
    queue: Arc<Queue>,
    health: Arc<Health>,
    hook: Option<CommitHook>,
    durable: watch::Sender<u64>,
    events: broadcast::Sender<Arc<EventRow>>,
    streams: Streams,
    last_posting: i64,
    ink: Ink,
    told: Told,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        queue: Arc<Queue>,
        health: Arc<Health>,
        hook: Option<CommitHook>,
        (durable, events): (watch::Sender<u64>, broadcast::Sender<Arc<EventRow>>),
    ) -> Result<Self, StoreError> {
        let streams = Streams::load(&connection)?;
        let last_posting =
            connection.query_row("SELECT ifnull(max(id), 0) FROM postings", [], |r| r.get(0))?;
        let (ink, told) = Default::default();
        Ok(Self {
            connection,
            queue,
            health,
            hook,
            durable,
            events,
            streams,
            last_posting,
            ink,
            told,
        })
    }

    /// Works until the queue ends or a commit fails.
    pub(crate) fn run(mut self) {
        let queue = self.queue.clone();
        let worked = catch_unwind(AssertUnwindSafe(|| self.work()));
        let ending = match worked {
            Ok(Ok(())) => Ending::Closed,
            Ok(Err(error)) => Ending::Failed(error.to_string().into()),
            Err(_) => Ending::Failed("the writer panicked".into()),
        };
        if let Ending::Failed(reason) = &ending {
            tracing::error!(%reason, "the store failed; nothing of the last transaction was told");
        }
        // Before the channels close with `self`, so that who sees them closed can ask why.
        queue.end(ending);
    }

    fn work(&mut self) -> Result<(), StoreError> {
        while let Some(jobs) = self.queue.take() {
            let started = Instant::now();
            let speech = self.commit(jobs)?;
            self.health.committed(started.elapsed());
            metrics::histogram!("amarktai_store_commit_seconds").record(started.elapsed());
            metrics::counter!("amarktai_store_rows_total").increment(speech.rows as u64);
            metrics::gauge!("amarktai_store_queue_rows").set(self.queue.rows() as f64);
            self.told = self.speak(speech);
        }
        // Leaves one file for whoever copies it; readers may prevent that, which harms nothing.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.connection.query_row(checkpoint, [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log was not folded in at closing");
        }
        Ok(())
    }

    /// One transaction with everything in it, synced.
    fn commit(&mut self, jobs: Vec<Job>) -> Result<Speech, StoreError> {
        let mut speech = Speech { told: std::mem::take(&mut self.told), ..Speech::default() };
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut work = Work {
            rows: Rows {
                connection: &transaction,
                statements: Statements::new(&transaction),
                ink: &mut self.ink,
                last_posting: &mut self.last_posting,
            },
            streams: &mut self.streams,
            speech: &mut speech,
            states: HashMap::new(),
            cursors: HashMap::new(),
        };
        for job in jobs {
            work.job(job)?;
        }
        work.latest()?;
        if let Some(hook) = &self.hook {
            let info = CommitInfo { rows: speech.rows, last_ticket: speech.last_ticket };
            hook(&info).map_err(|reason| StoreError::Failed(reason.into()))?;
        }
        transaction.commit()?;
        Ok(speech)
    }

    /// Tickets first: the engine may go on while events are told. The watch before the waiting
    /// threads, so that who was woken finds itself in [`crate::Store::committed`].
    ///
    /// Who subscribes from here on finds these events by cursor, as they are committed: only those
    /// who already listen need them told. Gives the room of the events back.
    fn speak(&self, speech: Speech) -> Told {
        self.durable.send_replace(speech.last_ticket);
        self.queue.settle(speech.last_ticket);
        for Inserted { id, profit } in &speech.trades {
            tracing::info!(trade_id = id, %profit, "Trade inserted: id={id}, profit={profit}");
        }
        if self.events.receiver_count() > 0 {
            for event in speech.told.rows() {
                // Nobody listens any more: not an error, they read it later by cursor.
                let _ = self.events.send(event);
            }
        }
        for Inserted { id, .. } in &speech.trades {
            tracing::info!(trade_id = id, "Realtime event emitted: trade_id={id}");
        }
        for answer in speech.answers {
            answer();
        }
        let mut told = speech.told;
        told.clear();
        told
    }
}

/// A transaction under way.
struct Work<'c, 'w> {
    rows: Rows<'c, 'w>,
    streams: &'w mut Streams,
    speech: &'w mut Speech,
    states: HashMap<String, Option<String>>,
    cursors: HashMap<String, String>,
}

impl Work<'_, '_> {
    fn job(&mut self, job: Job) -> Result<(), StoreError> {
        match job {
            Job::Batch { ticket, batch } => {
                self.speech.last_ticket = ticket;
                self.batch(batch)
            }
            Job::Control { ticket, write, reply } => {
                self.speech.last_ticket = ticket;
                let answer = control::perform(self.rows.connection, &write)?;
                if let ControlWrite::Event(EventDraft { account_id, kind, at, data }) = write {
                    self.event(EventHead { account_id, kind, at }, &data)?;
                }
                self.answer(reply, answer);
                Ok(())
            }
            Job::Retain { ticket, now, reply } => {
                self.speech.last_ticket = ticket;
                let retained = retention::step(self.rows.connection, now)?;
                self.answer(reply, retained);
                Ok(())
            }
        }
    }

    /// Keeps an answer until the transaction is durable.
    fn answer<T: Send + 'static>(&mut self, reply: oneshot::Sender<T>, answer: T) {
        self.speech.rows += 1;
        // Who asked may have gone away meanwhile.
        self.speech.answers.push(Box::new(move || drop(reply.send(answer))));
    }

    fn batch(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.speech.rows += batch.rows();
        for output in &batch.outputs {
            self.rows.output(output)?;
            self.note(output);
            if let Some(event) = output.event() {
                self.event(event, &output.data())?;
            }
        }
        self.states.extend(batch.states.into_iter().map(|row| (row.key, row.state)));
        self.cursors.extend(batch.cursors);
        Ok(())
    }

    /// States and cursors after all batches: of many for one entity only the last is written, as
    /// nobody can ever see the others.
    fn latest(self) -> Result<(), StoreError> {
        let mut rows = self.rows;
        for (key, state) in &self.states {
            rows.state(key, state.as_deref())?;
        }
        for (name, value) in &self.cursors {
            rows.cursor(name, value)?;
        }
        Ok(())
    }

    fn event(&mut self, event: EventHead, data: &impl Serialize) -> Result<(), StoreError> {
        let told = &mut self.speech.told;
        Ok(told.write(self.streams, &mut self.rows, event, data)?)
    }

    fn note(&mut self, output: &Output) {
        match output {
            Output::Trade(trade) => {
                let (id, profit) = (trade.id.into(), trade.profit_loss);
                self.speech.trades.push(Inserted { id, profit });
            }
            Output::TradeRefused(account, trade) => {
                metrics::counter!("amarktai_trades_refused_total").increment(1);
                let (field, bot) = (&*trade.field, trade.bot_id);
                tracing::error!(account_id = %account, bot_id = %bot, field, "{trade}");
            }
            _ => {}
        }
    }
}
