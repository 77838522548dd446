//! Is the store written? Where nothing is committed for a while a probe is, so that a disk that
//! became full or read-only is not found by the first order.

use crate::core_loop::now;
use server::{Part, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use storage::{Batch, QUEUE_ROWS_MAX, Store, StoreHealth};

/// Its row among the store's cursors: always the same one, so that nothing grows.
const CURSOR: &str = "probe";
/// So long without a commit, and one is made.
const IDLE_MAX_NS: i64 = 3_000_000_000;
/// A commit that takes longer than this delays every answer.
const COMMIT_MAX_MS: f64 = 1_000.0;
/// A probe that waits longer than this: the store does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Over this share of its room the store's queue says so.
const QUEUE_MAX_PERCENT: usize = 80;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Probe {
    /// Since when one is under way, by our clock; 0: none is.
    asked_at: Arc<AtomicI64>,
}

impl Probe {
    /// Sends one where it is time.
    pub(super) fn look(&self, store: &Store, health: &StoreHealth) {
        let (at, asked_at) = (now().0, self.asked_at.load(Ordering::Relaxed));
        let is_idle = health.last_commit_at.is_none_or(|last| at - last.0 > IDLE_MAX_NS);
        if asked_at != 0 || !is_idle || health.failed.is_some() {
            return;
        }
        self.asked_at.store(at, Ordering::Relaxed);
        let (store, asked_at) = (store.clone(), self.asked_at.clone());
        // A full queue makes its writers wait: not on a thread of the runtime.
        tokio::task::spawn_blocking(move || {
            let cursors = vec![(CURSOR.to_owned(), at.to_string())];
            let ticket = store.commit(Batch { cursors, ..Batch::default() });
            // A failure is in the store's own report.
            let _ = ticket.and_then(|ticket| ticket.wait());
            asked_at.store(0, Ordering::Relaxed);
        });
    }

    /// For `/health`.
    pub(super) fn part(&self, health: &StoreHealth) -> Part {
        let asked_at = self.asked_at.load(Ordering::Relaxed);
        let waits = Duration::from_nanos((now().0 - asked_at).max(0).unsigned_abs());
        let waits = (asked_at != 0 && waits > ANSWER_MAX).then_some(waits);
        let (status, detail) = judged(health, waits);
        Part { status, detail }
    }
}

fn judged(health: &StoreHealth, waits: Option<Duration>) -> (Status, String) {
    if let Some(reason) = &health.failed {
        return (Status::Unhealthy, reason.clone());
    }
    if let Some(waits) = waits {
        let detail = format!("a commit has been waiting for {} ms", waits.as_millis());
        return (Status::Degraded, detail);
    }
    if health.free_bytes == Some(0) {
        return (Status::Unhealthy, "the disk is full".to_owned());
    }
    let Some(ms) = health.last_commit_ms else {
        return (Status::Healthy, "nothing committed yet".to_owned());
    };
    let detail = format!("last commit {ms:.1} ms, {} rows wait", health.queue);
    let is_slow = ms > COMMIT_MAX_MS || health.queue > QUEUE_ROWS_MAX / 100 * QUEUE_MAX_PERCENT;
    (if is_slow { Status::Degraded } else { Status::Healthy }, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::StoreOptions;

    #[test]
    fn a_store_that_fails_waits_or_is_slow_says_so() {
        let health = |failed: bool, free, ms, queue| StoreHealth {
            last_commit_at: None,
            last_commit_ms: Some(ms),
            queue,
            failed: failed.then(|| "disk I/O error".to_owned()),
            db_bytes: 0,
            free_bytes: Some(free),
        };
        let long = Some(Duration::from_secs(9));
        let table = [
            (health(false, 9, 5.0, 0), None, Status::Healthy),
            (health(true, 9, 5.0, 0), None, Status::Unhealthy),
            (health(false, 0, 5.0, 0), None, Status::Unhealthy),
            (health(false, 9, 5.0, 0), long, Status::Degraded),
            (health(false, 9, 1_500.0, 0), None, Status::Degraded),
            (health(false, 9, 5.0, QUEUE_ROWS_MAX), None, Status::Degraded),
        ];
        for (health, waits, status) in table {
            assert_eq!(judged(&health, waits).0, status, "{health:?} {waits:?}");
        }
    }

    #[tokio::test]
    async fn an_idle_store_is_written_and_one_that_broke_is_found_without_an_order() {
        let dir = tempfile::tempdir().unwrap();
        let is_broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let broken = is_broken.clone();
        let hook = move |_: &storage::CommitInfo| match broken.load(Ordering::SeqCst) {
            true => Err("the disk is read-only".to_owned()),
            false => Ok(()),
        };
        let options = StoreOptions { commit_hook: Some(Arc::new(hook)), ..Default::default() };
        let (store, _) = Store::open(&dir.path().join("a.db"), options).unwrap();
        let (probe, mut committed) = (Probe::default(), store.committed());
        probe.look(&store, &store.health());
        committed.changed().await.unwrap();
        assert_eq!(probe.part(&store.health()).status, Status::Healthy);
        is_broken.store(true, Ordering::SeqCst);
        while probe.asked_at.load(Ordering::Relaxed) != 0 {
            tokio::task::yield_now().await;
        }
        let idle = StoreHealth { last_commit_at: None, ..store.health() };
        probe.look(&store, &idle);
        assert!(committed.changed().await.is_err(), "the writer has ended");
        assert_eq!(probe.part(&store.health()).status, Status::Unhealthy);
    }
}
