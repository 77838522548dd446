//! One account at one exchange: sends, listens, and keeps the core's books and the exchange's equal.

use super::{report, tell};
use domain::{AccountId, Exchange, InstrumentId, OrderId, Timestamp};
use engine::{Input, LiveAction, LiveReport, News};
use exchanges::ExchangeError;
use exchanges::live::{
    Cancellation, LiveClient, LiveConfig, LiveEvent, OrderKey, OrderState, Placement, Reaction,
    Resolution,
};
use risk::{ApprovedOrder, Permit, WireGate};
use server::Core;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Books are held against each other at least so often.
const RECONCILE_EVERY: Duration = Duration::from_secs(60);
/// Events of the stream that wait for the desk.
const EVENTS_MAX: usize = 1_024;
/// What may have changed money is followed by a reading after this, and by another: a difference
/// counts when it is seen twice.
pub(super) const READ_AFTER: Duration = Duration::from_secs(1);
/// A cancel without a clear answer is repeated so often; then the next reconciliation goes on.
const CANCELS_MAX: u32 = 8;
/// After a cancel that was held back or not answered.
const CANCEL_AGAIN: Duration = Duration::from_millis(500);

/// Where news of a desk go.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) place: (AccountId, Exchange),
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) core: Core,
}

impl Post {
    pub(super) async fn tell(&self, news: News) {
        tell(&self.inputs, self.place, news).await;
    }

    pub(super) async fn order(&self, id: OrderId, report: LiveReport) {
        self.tell(News::Order(id, report)).await;
    }
}

/// See the module.
pub(super) struct Desk {
    pub(super) post: Post,
    pub(super) client: LiveClient,
    gate: WireGate,
    /// Readings of money that are still to be made.
    readings: Arc<AtomicU8>,
    /// Tasks that saw something odd ask for a reconciliation.
    again: (mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl Desk {
    pub(super) fn new(
        post: Post,
        config: LiveConfig,
        gate: WireGate,
    ) -> Result<Self, ExchangeError> {
        let client = LiveClient::new(config, gate.clone())?;
        Ok(Self { post, client, gate, readings: Arc::default(), again: mpsc::channel(1) })
    }

    pub(super) async fn run(mut self, mut actions: mpsc::Receiver<LiveAction>) {
        let (sink, mut events) = mpsc::channel(EVENTS_MAX);
        let _stream = self.client.stream(sink);
        let mut reconcile = tokio::time::interval(RECONCILE_EVERY);
        reconcile.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The stream says when it stands; the books are compared then.
        reconcile.reset();
        let mut tasks = JoinSet::new();
        self.list().await;
        loop {
            tokio::select! {
                action = actions.recv() => match action {
                    Some(action) => self.act(action, &mut tasks).await,
                    None => return,
                },
                event = events.recv() => match event {
                    Some(event) => self.heard(event, &mut tasks).await,
                    None => return,
                },
                Some(()) = self.again.1.recv() => self.reconcile(&mut tasks).await,
                _ = reconcile.tick() => self.reconcile(&mut tasks).await,
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// Tells the client what is traded here, by the core's ids and scales.
    pub(super) async fn list(&self) {
        let exchange = self.post.place.1;
        let listed = self.post.core.query(move |engine| engine.instruments(exchange)).await;
        for (id, instrument) in listed.unwrap_or_default() {
            self.client.list(id, Arc::new(instrument));
        }
    }

    async fn act(&self, action: LiveAction, tasks: &mut JoinSet<()>) {
        match action {
            LiveAction::Place { order, permit, .. } => {
                self.list().await;
                let hand = self.hand();
                let gate = self.gate.clone();
                tasks.spawn(async move { hand.place(order, permit, gate).await });
            }
            LiveAction::Cancel { instrument, order, .. } => {
                let hand = self.hand();
                tasks.spawn(async move { hand.cancel(order, instrument).await });
            }
        }
    }

    pub(super) fn hand(&self) -> Hand {
        let (post, client) = (self.post.clone(), self.client.clone());
        Hand { post, client, readings: self.readings.clone(), again: self.again.0.clone() }
    }

    async fn heard(&self, event: LiveEvent, tasks: &mut JoinSet<()>) {
        match event {
            LiveEvent::Down { why } => {
                tracing::warn!(exchange = %self.post.place.1, why, "user stream down");
                self.post.tell(News::Down(Some(why))).await;
            }
            LiveEvent::Resync { why } => {
                tracing::info!(exchange = %self.post.place.1, why, "user stream stands");
                self.reconcile(tasks).await;
            }
            LiveEvent::Order(state) => {
                let hand = self.hand();
                hand.told(&state).await;
                // Its fills may have been missed, and its money is to be compared.
                if state.status.is_final() && state.id.is_some() {
                    tasks.spawn(async move { hand.settle(&state).await });
                }
            }
            LiveEvent::Fill(fill) => {
                if let Some(id) = fill.id {
                    self.post.tell(report::fill(id, &fill)).await;
                }
            }
            LiveEvent::Balance(_) => {
                let hand = self.hand();
                tasks.spawn(async move { hand.read_balances_twice().await });
            }
        }
    }
}

/// What a task of a desk works with.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) post: Post,
    pub(super) client: LiveClient,
    pub(super) readings: Arc<AtomicU8>,
    again: mpsc::Sender<()>,
}

impl Hand {
    pub(super) fn key(&self, id: OrderId, instrument: InstrumentId) -> OrderKey {
        OrderKey { instrument, client_id: self.client.client_id(id), exchange_id: None }
    }

    /// Sends once; whatever is unclear is asked about, never sent again.
    async fn place(self, order: ApprovedOrder, permit: Permit, gate: WireGate) {
        let (id, instrument) = (order.intent().id, order.intent().instrument);
        let sent_at = crate::core_loop::now();
        // Its intent is stored: it came here after the commit.
        gate.approve();
        let began = std::time::Instant::now();
        let placement = self.client.place(order, permit).await;
        metrics::histogram!("amarktai_live_order_seconds").record(began.elapsed().as_secs_f64());
        let refused =
            |code: &str, text: String| LiveReport::Refused { code: code.to_owned(), text };
        match placement {
            Placement::Placed(placed) => {
                self.post.order(id, LiveReport::Open).await;
                for fill in &placed.fills {
                    self.post.tell(report::fill(id, fill)).await;
                }
                if let Some(state) = placed.state {
                    self.told(&state).await;
                }
            }
            Placement::Rejected(reject) => {
                self.post.order(id, refused(&reject.code, reject.text)).await;
                if matches!(reject.reaction, Reaction::Reconcile | Reaction::Key) {
                    self.ask_for_reconciliation();
                }
            }
            Placement::RateLimited { retry_after } => {
                let text = format!("nothing is taken for {} ms", retry_after.as_millis());
                self.post.order(id, refused("RATE_LIMITED", text)).await;
            }
            Placement::Withheld(why) => {
                self.post.order(id, refused("WITHHELD", why.to_string())).await;
            }
            Placement::Unknown { why } => {
                tracing::warn!(order = %id.client_order_id(), why, "a real order's fate is unknown");
                self.post.order(id, LiveReport::Unknown { why }).await;
                self.resolve(id, instrument, sent_at).await;
            }
        }
    }

    /// Asks until it is known whether an order exists.
    pub(super) async fn resolve(&self, id: OrderId, instrument: InstrumentId, sent_at: Timestamp) {
        let key = self.key(id, instrument);
        loop {
            match self.client.resolve(&key, sent_at).await {
                Resolution::Found(state) => {
                    self.told(&state).await;
                    return self.settle(&state).await;
                }
                Resolution::NeverSent => {
                    let (code, text) = ("NEVER_SENT".to_owned(), "it is not there".to_owned());
                    return self.post.order(id, LiveReport::Refused { code, text }).await;
                }
                Resolution::StillUnknown { why } => {
                    self.post.order(id, LiveReport::Unknown { why }).await;
                }
            }
        }
    }

    /// Cancels until there is nothing left to cancel.
    pub(super) async fn cancel(self, id: OrderId, instrument: InstrumentId) {
        let key = self.key(id, instrument);
        for _ in 0..CANCELS_MAX {
            match self.client.cancel(&key).await {
                Cancellation::Done { state } => {
                    if let Some(state) = state {
                        self.told(&state).await;
                    }
                    return self.look(&key).await;
                }
                Cancellation::Gone => return self.look(&key).await,
                Cancellation::RateLimited { retry_after } => {
                    tokio::time::sleep(retry_after.min(Duration::from_secs(5))).await;
                }
                Cancellation::Unknown { why } => {
                    tracing::warn!(order = %id.client_order_id(), why, "a cancel without an answer");
                    tokio::time::sleep(CANCEL_AGAIN).await;
                }
            }
        }
        self.ask_for_reconciliation();
    }

    async fn look(&self, key: &OrderKey) {
        match self.client.query(key).await {
            Ok(Some(state)) => {
                self.told(&state).await;
                self.settle(&state).await;
            }
            // It may not have arrived yet: whoever placed it asks.
            Ok(None) => {}
            Err(_) => self.ask_for_reconciliation(),
        }
    }

    /// Tells the core how an order of ours stands; an end without its sum is asked for.
    pub(super) async fn told(&self, state: &OrderState) {
        if let Some((id, report)) = report::state(state) {
            self.post.order(id, report).await;
        } else if let (Some(id), Some(instrument)) = (state.id, state.instrument) {
            let asked = self.client.query(&self.key(id, instrument)).await;
            match asked.ok().flatten().as_ref().and_then(report::state) {
                Some((id, report)) => self.post.order(id, report).await,
                None => self.ask_for_reconciliation(),
            }
        }
    }

    /// Fetches an ended order's fills, as the stream may have missed some, and compares money.
    pub(super) async fn settle(&self, state: &OrderState) {
        let (Some(id), Some(instrument)) = (state.id, state.instrument) else { return };
        if state.filled.is_none_or(|filled| filled.is_positive()) {
            tokio::time::sleep(READ_AFTER).await;
            let since = state.created_at.unwrap_or_else(crate::core_loop::now);
            if !self.tell_fills(instrument, since, |f| f.exchange_id == state.exchange_id, id).await
            {
                self.ask_for_reconciliation();
            }
        }
        self.read_balances_twice().await;
    }

    pub(super) fn ask_for_reconciliation(&self) {
        // One that waits already will see the same.
        let _ = self.again.try_send(());
    }
}
