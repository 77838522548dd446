//! One client's way through the events: first the stored ones, then the live ones.

use super::heartbeat;
use crate::auth::Scope;
use crate::problem::Problem;
use crate::state::AppState;
use domain::AccountId;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use storage::{EventRow, Subscription, SubscriptionError};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// Rows of one read while catching up.
const REPLAY_ROWS: usize = 500;

/// What comes next for a client.
pub(super) enum Step {
    /// A stored event.
    Event(Arc<EventRow>),
    /// A heartbeat as JSON text, which repeats the cursor.
    Beat(String),
    /// The stream ends, and why.
    End(End),
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error("too slow: more events wait than are kept; come back with the last id")]
    Slow,
    #[error("the server is ending; come back with the last id")]
    Closing,
    #[error("the token or session has ended")]
    SignedOut,
    #[error("the events cannot be read; come back with the last id")]
    Failed,
}

/// See the module.
pub(super) struct Feed {
    state: AppState,
    scope: Scope,
    subscription: Subscription,
    /// Read from the store and not yet given out.
    replay: VecDeque<EventRow>,
    /// Everything up to here was given out or was not for this client.
    last: u64,
    is_live: bool,
    is_ended: bool,
    beat: Interval,
    closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// Opens at a cursor; a cursor that cannot be used is refused here, before any stream.
    pub(super) async fn open(
        state: AppState,
        scope: Scope,
        after: Option<String>,
    ) -> Result<Self, Problem> {
        super::require_enabled(&state)?;
        let place = state.realtime.place()?;
        // First of all: what is committed from here on is either read below or told here.
        let subscription = state.store.events().subscribe();
        let account = scope.account;
        let is_live = after.is_none();
        let opening = state.read(move |reader| match after {
            Some(after) => {
                let page = reader.events_after(Some(account), Some(&after), REPLAY_ROWS)?;
                Ok((after, page.items))
            }
            None => Ok((reader.last_cursor()?, Vec::new())),
        });
        let (last, replay) = opening.await?;
        let mut beat = tokio::time::interval(state.config.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = state.realtime.closing.subscribe();
        Ok(Self {
            state,
            scope,
            subscription,
            replay: replay.into(),
            last: place_of(&last),
            is_live,
            is_ended: false,
            beat,
            closing,
            _place: place,
        })
    }

    /// Where this client is.
    pub(super) fn cursor(&self) -> String {
        self.last.to_string()
    }

    /// The next step; nothing after the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Step> {
        if self.is_ended {
            return None;
        }
        let step = self.step().await;
        self.is_ended = matches!(step, Step::End(_));
        Some(step)
    }

    async fn step(&mut self) -> Step {
        loop {
            if *self.closing.borrow() {
                return Step::End(End::Closing);
            }
            if let Some(event) = self.replay.pop_front() {
                self.last = place_of(&event.cursor);
                return Step::Event(Arc::new(event));
            }
            if !self.is_live {
                if let Err(end) = self.catch_up().await {
                    return Step::End(end);
                }
                continue;
            }
            let mut closing = self.closing.clone();
            let closed = async move {
                let _ = closing.wait_for(|closing| *closing).await;
            };
            tokio::select! {
                biased;
                () = closed => return Step::End(End::Closing),
                _ = self.beat.tick() => return self.heartbeat().await,
                event = self.subscription.next() => match self.judge(event) {
                    Some(step) => return step,
                    None => continue,
                },
            }
        }
    }

    /// A told event: sent, skipped, or the end.
    fn judge(&mut self, event: Result<Arc<EventRow>, SubscriptionError>) -> Option<Step> {
        match event {
            Ok(event) => {
                let place = place_of(&event.cursor);
                if place <= self.last {
                    return None;
                }
                self.last = place;
                event.is_for(Some(self.account())).then_some(Step::Event(event))
            }
            Err(SubscriptionError::Lagged { .. }) => {
                self.state.shed.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("amarktai_realtime_shed_total").increment(1);
                Some(Step::End(End::Slow))
            }
            Err(SubscriptionError::Closed) => Some(Step::End(End::Closing)),
        }
    }

    /// Reads the next stored events; live once there are none. While one catches up, the
    /// subscription may run over: then it starts anew and reading goes on where it was.
    async fn catch_up(&mut self) -> Result<(), End> {
        let fresh = self.state.store.events().subscribe();
        let (account, after) = (self.account(), self.cursor());
        let page = self
            .state
            .read(move |reader| reader.events_after(Some(account), Some(&after), REPLAY_ROWS));
        let page = page.await.map_err(|_| End::Failed)?;
        if page.items.is_empty() {
            self.subscription = fresh;
            self.is_live = true;
        }
        self.replay = page.items.into();
        Ok(())
    }

    async fn heartbeat(&mut self) -> Step {
        match self.state.is_valid(&self.scope.who).await {
            Ok(true) => Step::Beat(heartbeat::text(&self.state, &self.cursor()).await),
            Ok(false) => Step::End(End::SignedOut),
            Err(_) => Step::End(End::Failed),
        }
    }

    fn account(&self) -> AccountId {
        self.scope.account
    }
}

/// Cursors rise with the commits; opaque to clients, not to us.
fn place_of(cursor: &str) -> u64 {
    cursor.parse().unwrap_or(0)
}
