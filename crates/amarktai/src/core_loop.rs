//! The engine's thread: the one writer of everything that trades.
//!
//! Commands first, then market data, then time. What follows goes to the store in batches; answers,
//! log lines and events leave only after the commit that holds them, in order.

use crate::recording::Recording;
use crate::watched::Watched;
use domain::{AccountId, Actor, Exchange, Symbol, Timestamp};
use engine::{
    Command, CommandError, Engine, Envelope, Input, InputKind, LiveAction, Output, Reply, Want,
};
use exchanges::{Delivery, DeliveryKind};
use server::CoreRequest;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};
use storage::{Batch, Store, StoreError, Ticket};
use tokio::sync::{mpsc, oneshot};

/// Inputs applied before what follows is handed to the store: bounds the size of a batch and the
/// time that a command waits behind market data.
const INPUTS_PER_BATCH: usize = 256;
/// Between two looks at wants that no input caused, and two savings of the markets' cursors.
const WANTS_EVERY: Duration = Duration::from_secs(10);
/// Answers and log lines waiting for their commits: as many batches as the store takes anyway.
pub const SAYINGS_MAX: usize = 4_096;

/// Every listed instrument, by exchange and symbol: written by the feeds, read here.
pub type Catalogue = Arc<RwLock<HashMap<(Exchange, Symbol), domain::Instrument>>>;

/// Why the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum CoreEnd {
    /// A commit failed: never retried, start-up recovers.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Figures that others may read at any time.
#[derive(Debug, Default)]
pub struct Pulse {
    /// How late the last turn's newest input was applied, in nanoseconds.
    pub lag_ns: AtomicI64,
    /// The loop's last turn, in nanoseconds.
    pub turned_at_ns: AtomicI64,
    /// Turns of the loop: one a second at least.
    pub turns: AtomicU64,
}

/// What is said once its batch is durable.
pub enum Saying {
    /// The answer to a command.
    Reply(oneshot::Sender<Result<Reply, CommandError>>, Result<Reply, CommandError>),
    /// The answer to a question.
    Release(Box<dyn FnOnce() + Send>),
    /// A real order, whose intent is stored by then.
    Place(LiveAction),
    /// A line for the log.
    Candidate {
        /// The bot's name.
        name: String,
        /// Where.
        exchange: String,
    },
}

/// The queues around the engine.
pub struct Queues {
    /// Commands and questions: the priority lane.
    pub requests: mpsc::Receiver<CoreRequest>,
    /// Everything rare: instruments, history, clocks. Before events of markets, which may need it.
    pub inputs: mpsc::Receiver<Input>,
    /// Events of markets, straight from the connectors.
    pub markets: mpsc::Receiver<Delivery>,
    /// Takes those of markets that no bot trades.
    pub watched: Arc<Watched>,
    /// Keeps every input for a replay, where that is wanted.
    pub recording: Option<Recording>,
    /// What the engine wants of the exchanges.
    pub wants: mpsc::Sender<Vec<Want>>,
    /// What is said after each commit.
    pub sayings: mpsc::Sender<(Option<Ticket>, Vec<Saying>)>,
    /// What is to be done at exchanges: cancels act first and are recorded after. Bounded by the
    /// orders that bots may have open.
    pub live: mpsc::UnboundedSender<LiveAction>,
}

/// The wall clock; the only place where the core's time comes from.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// See the module.
pub struct CoreLoop {
    engine: Engine,
    store: Store,
    queues: Queues,
    catalogue: Catalogue,
    pulse: Arc<Pulse>,
    outputs: Vec<Output>,
    asked: BTreeMap<u64, oneshot::Sender<Result<Reply, CommandError>>>,
    sayings: Vec<Saying>,
    last_ticket: Option<Ticket>,
    commands: u64,
    look_at_wants: bool,
    /// Wants for which there was no room: most are told once only.
    unsent: Vec<Want>,
    /// Receipt of the last input of this turn; `None`: there was none, and nothing is late.
    received_at: Option<Timestamp>,
}

impl CoreLoop {
    /// Around this engine.
    pub fn new(
        engine: Engine,
        store: Store,
        queues: Queues,
        catalogue: Catalogue,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            engine,
            store,
            queues,
            catalogue,
            pulse,
            outputs: Vec::new(),
            asked: BTreeMap::new(),
            sayings: Vec::new(),
            last_ticket: None,
            commands: 0,
            look_at_wants: true,
            unsent: Vec::new(),
            received_at: None,
        }
    }

    /// Works until both queues are closed or the store fails.
    ///
    /// # Errors
    /// Where a commit failed.
    pub async fn run(mut self) -> Result<(), CoreEnd> {
        let mut wants = tokio::time::interval(WANTS_EVERY);
        wants.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let pause = (self.engine.next_deadline() - now()).0.max(0) as u64;
            let due = tokio::time::sleep(Duration::from_nanos(pause.min(1_000_000_000)));
            tokio::select! {
                biased;
                request = self.queues.requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => break,
                },
                input = self.queues.inputs.recv() => match input {
                    Some(input) => self.apply(input),
                    None => break,
                },
                Some(delivery) = self.queues.markets.recv() => self.deliver(delivery),
                () = due => self.apply(Input { at: now(), kind: InputKind::Timer }),
                _ = wants.tick() => {
                    self.look_at_wants = true;
                    self.engine.touch_markets();
                }
            }
            for _ in 0..INPUTS_PER_BATCH {
                if self.engine.is_stopping() {
                    break;
                } else if let Ok(request) = self.queues.requests.try_recv() {
                    self.take(request);
                } else if let Ok(input) = self.queues.inputs.try_recv() {
                    self.apply(input);
                } else if let Ok(delivery) = self.queues.markets.try_recv() {
                    self.deliver(delivery);
                } else {
                    break;
                }
            }
            self.flush().await?;
            // The stop is on its way to the store alone; nobody sees bots that it has not reached.
            if self.engine.is_stopping() {
                self.apply(Input { at: now(), kind: InputKind::Timer });
                self.flush().await?;
            }
        }
        self.flush().await?;
        if let Some(recording) = self.queues.recording.take() {
            recording.close();
        }
        Ok(())
    }

    fn apply(&mut self, input: Input) {
        let is_rare = !matches!(input.kind, InputKind::Market { .. } | InputKind::Timer);
        self.look_at_wants |= is_rare;
        self.engine.apply(&input, &mut self.outputs);
        self.received_at = Some(input.at);
        if let Some(recording) = &mut self.queues.recording {
            recording.take(input);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        // The rest goes by the feeds.
        if let DeliveryKind::Market { instrument, event } = delivery.kind {
            if self.queues.watched.take(instrument, &event, delivery.received_at) {
                return;
            }
            let kind = InputKind::Market { instrument, event };
            self.apply(Input { at: delivery.received_at, kind });
        }
    }

    fn take(&mut self, request: CoreRequest) {
        match request {
            CoreRequest::Command { account, actor, command, reply } => {
                self.command(account, actor, command, reply);
            }
            CoreRequest::Query(question) => {
                // Answered when everything that it could see is durable.
                let release = question(&self.engine);
                self.sayings.push(Saying::Release(release));
            }
        }
    }

    fn command(
        &mut self,
        account: Option<AccountId>,
        actor: Actor,
        command: Command,
        reply: oneshot::Sender<Result<Reply, CommandError>>,
    ) {
        self.define_market_of(&command);
        self.commands += 1;
        self.asked.insert(self.commands, reply);
        let envelope = Envelope { id: self.commands, actor, account, command };
        self.apply(Input { at: now(), kind: InputKind::Command(envelope) });
    }

    /// A new bot's market may be listed and not yet known to the engine.
    fn define_market_of(&mut self, command: &Command) {
        let Command::CreateBot { bot, .. } = command else { return };
        let Some(exchange) = Exchange::parse(&bot.exchange.trim().to_lowercase()) else { return };
        if self.engine.instrument_id(exchange, bot.symbol).is_some() {
            return;
        }
        // A poisoned lock only says that a reader panicked; the map is whole.
        let catalogue = self.catalogue.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let instrument = catalogue.get(&(exchange, bot.symbol)).cloned();
        drop(catalogue);
        if let Some(instrument) = instrument {
            self.apply(Input { at: now(), kind: InputKind::Instrument(instrument) });
        }
    }

    /// Hands what was said to the store, and what is to be said to whoever says it.
    async fn flush(&mut self) -> Result<(), CoreEnd> {
        let turned_at = now();
        self.pulse.turned_at_ns.store(turned_at.0, Ordering::Relaxed);
        self.pulse.turns.fetch_add(1, Ordering::Relaxed);
        crate::healing::faults::stall();
        let late = self.received_at.take().map_or(0, |at| (turned_at.0 - at.0).max(0));
        self.pulse.lag_ns.store(late, Ordering::Relaxed);
        for action in self.engine.take_live() {
            match action {
                LiveAction::Place { .. } => self.sayings.push(Saying::Place(action)),
                // Whoever cancels is gone when the process is ending.
                LiveAction::Cancel { .. } => drop(self.queues.live.send(action)),
            }
        }
        let states = self.engine.take_dirty();
        if !self.outputs.is_empty() || !states.is_empty() {
            let outputs = std::mem::take(&mut self.outputs);
            let outputs = self.collect_sayings(outputs);
            // Before the commit: what is committed can be replayed.
            let cursors = self.queues.recording.as_mut().and_then(Recording::write);
            let batch = Batch { outputs, states, cursors: cursors.into_iter().collect() };
            self.last_ticket = Some(self.store.commit(batch)?);
        } else if let Some(recording) = &mut self.queues.recording {
            recording.relieve();
        }
        if !self.sayings.is_empty() {
            let sayings = std::mem::take(&mut self.sayings);
            // A speaker that is gone means that the process is ending.
            let _ = self.queues.sayings.send((self.last_ticket.clone(), sayings)).await;
        }
        if std::mem::take(&mut self.look_at_wants) {
            let mut wants = std::mem::take(&mut self.unsent);
            wants.extend(self.engine.wants());
            if !wants.is_empty()
                && let Err(mpsc::error::TrySendError::Full(wants)) =
                    self.queues.wants.try_send(wants)
            {
                (self.unsent, self.look_at_wants) = (wants, true);
            }
        }
        Ok(())
    }

    /// Takes the answers out of the outputs: they are for one caller, not for the store.
    fn collect_sayings(&mut self, outputs: Vec<Output>) -> Vec<Output> {
        let mut kept = Vec::with_capacity(outputs.len());
        for output in outputs {
            match output {
                Output::Reply { id, result } => {
                    if let Some(reply) = self.asked.remove(&id) {
                        self.sayings.push(Saying::Reply(reply, result));
                    }
                }
                Output::Decision(decision) => {
                    if decision.reason == "entry" {
                        self.candidate(decision.bot_id);
                    }
                    kept.push(Output::Decision(decision));
                }
                other => kept.push(other),
            }
        }
        kept
    }

    fn candidate(&mut self, bot: domain::BotId) {
        if let Some((name, exchange)) = self.engine.name_of(bot) {
            self.sayings.push(Saying::Candidate { name, exchange });
        }
    }
}

/// What waits to be said; a speaker that died leaves it to the next one.
pub type Said = Arc<tokio::sync::Mutex<mpsc::Receiver<(Option<Ticket>, Vec<Saying>)>>>;

/// Says what is durable, in order; ends when the engine does.
pub async fn speak(said: Said, live: mpsc::UnboundedSender<LiveAction>) {
    let mut sayings = said.lock().await;
    while let Some((ticket, said)) = sayings.recv().await {
        if let Some(ticket) = ticket
            && ticket.wait_async().await.is_err()
        {
            // Nothing of it happened; the callers see their channels close.
            continue;
        }
        for saying in said {
            match saying {
                Saying::Reply(reply, result) => drop(reply.send(result)),
                Saying::Release(release) => release(),
                Saying::Place(order) => drop(live.send(order)),
                Saying::Candidate { name, exchange } => {
                    tracing::info!(bot = %name, %exchange, "Trade candidate: {name} on {exchange}");
                }
            }
        }
    }
}
