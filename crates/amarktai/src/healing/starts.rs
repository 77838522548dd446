//! The log of starts in the store: a program that was started again too often in a short time
//! trades nothing new until a person has looked.
//!
//! What counts is a start after an end that was none in order: a kill, a crash, the watchdog, a
//! store that failed. A person who restarts it ends it in order, and may do so as often as they like.

use domain::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use storage::{Batch, Loaded, Store, StoreError};

/// Its name among the store's cursors.
const CURSOR: &str = "starts";
/// Restarts within this time …
const WITHIN: Span = Span::from_secs(600);
/// … of this number stop entries.
const RESTARTS_MAX: usize = 3;

/// Entries are stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    /// Since this start.
    pub(crate) since: Timestamp,
    /// So many restarts within ten minutes.
    pub(crate) restarts: usize,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartLog {
    /// Starts of late that followed an end out of order, oldest first.
    restarts: Vec<Timestamp>,
    /// The process runs; one that ends in order says so.
    is_running: bool,
    /// Until a person lets entries again, over further starts.
    pub(crate) stopped: Option<Stopped>,
}

impl StartLog {
    /// As the process before us left it.
    pub(crate) fn of(loaded: &Loaded) -> Self {
        let stored = loaded.cursors.iter().find(|(name, _)| name == CURSOR);
        let Some((_, text)) = stored else { return Self::default() };
        serde_json::from_str(text).unwrap_or_else(|error| {
            // Whoever cannot tell how often it was restarted counts anew.
            tracing::warn!(%error, "the log of starts cannot be read");
            Self::default()
        })
    }

    /// A start.
    pub(crate) fn begin(&mut self, at: Timestamp) {
        if self.is_running {
            self.restarts.push(at);
        }
        // A clock that was set back must not keep them for ever.
        self.restarts.retain(|one| *one <= at && at - *one <= WITHIN);
        self.is_running = true;
        if self.restarts.len() >= RESTARTS_MAX && self.stopped.is_none() {
            self.stopped = Some(Stopped { since: at, restarts: self.restarts.len() });
        }
    }

    /// An end in order.
    pub(crate) const fn end(&mut self) {
        self.is_running = false;
    }

    /// A person has looked: it counts from here.
    pub(crate) fn allow(&mut self) -> Option<Stopped> {
        self.restarts.clear();
        self.stopped.take()
    }

    /// Stores it, and returns once it is durable.
    pub(crate) async fn keep(&self, store: &Store) -> Result<(), StoreError> {
        // Times and numbers of ours.
        let text = serde_json::to_string(self).unwrap_or_default();
        let cursors = vec![(CURSOR.to_owned(), text)];
        store.commit(Batch { cursors, ..Batch::default() })?.wait_async().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    fn starts(times: &[i64]) -> StartLog {
        let mut log = StartLog::default();
        times.iter().for_each(|time| log.begin(at(*time)));
        log
    }

    #[test]
    fn three_restarts_within_ten_minutes_stop_entries_and_the_first_start_is_none() {
        assert_eq!(starts(&[0, 100, 200]).stopped, None);
        let stopped = Some(Stopped { since: at(600), restarts: 3 });
        assert_eq!(starts(&[0, 100, 200, 600]).stopped, stopped);
        assert_eq!(starts(&[0, 100, 200, 701]).stopped, None, "spread over more than that");
    }

    #[test]
    fn ends_in_order_are_no_faults() {
        let mut log = StartLog::default();
        for n in 0..20 {
            log.begin(at(n));
            log.end();
        }
        assert_eq!(log.stopped, None);
    }

    #[test]
    fn only_a_person_ends_it_and_then_it_counts_anew() {
        let mut log = starts(&[0, 1, 2, 3]);
        log.end();
        log.begin(at(9_000));
        assert!(log.stopped.is_some(), "time alone is not enough");
        assert!(log.allow().is_some());
        log.begin(at(9_001));
        log.begin(at(9_002));
        assert_eq!(log.stopped, None);
        log.begin(at(9_003));
        assert!(log.stopped.is_some());
    }

    #[test]
    fn a_clock_that_was_set_back_forgets_starts_of_the_future() {
        let mut log = starts(&[9_000, 9_001, 9_002]);
        log.begin(at(10));
        assert_eq!((log.restarts.len(), log.stopped), (1, None));
    }
}
