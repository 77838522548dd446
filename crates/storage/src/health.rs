//! How the store is, for health checks and the self-healing's watch.

use crate::queue::Queue;
use domain::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Figures of this instant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreHealth {
    /// When the last commit was durable, by the machine's clock; `None`: none since the start.
    pub last_commit_at: Option<Timestamp>,
    /// How long it took, sync included.
    pub last_commit_ms: Option<f64>,
    /// Rows that wait.
    pub queue: usize,
    /// Why it takes nothing more, if so.
    pub failed: Option<String>,
    /// Size of the database with its write-ahead log.
    pub db_bytes: u64,
    /// Free on its disk; `None` where the system does not say.
    pub free_bytes: Option<u64>,
}

pub(crate) struct Health {
    path: PathBuf,
    last_commit_ns: AtomicI64,
    last_commit_us: AtomicU64,
}

impl Health {
    pub(crate) fn new(path: &Path) -> Self {
        let (last_commit_ns, last_commit_us) = (AtomicI64::new(0), AtomicU64::new(0));
        Self { path: path.to_owned(), last_commit_ns, last_commit_us }
    }

    pub(crate) fn committed(&self, took: Duration) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last_commit_us.store(took_us, Ordering::Relaxed);
        self.last_commit_ns.store(now_ns, Ordering::Release);
    }

    pub(crate) fn report(&self, queue: &Queue) -> StoreHealth {
        let at = self.last_commit_ns.load(Ordering::Acquire);
        let took_us = self.last_commit_us.load(Ordering::Relaxed);
        StoreHealth {
            last_commit_at: (at != 0).then_some(Timestamp(at)),
            last_commit_ms: (at != 0).then_some(took_us as f64 / 1e3),
            queue: queue.rows(),
            failed: queue.failure().map(|reason| reason.to_string()),
            db_bytes: ["", "-wal"].iter().map(|suffix| self.file_bytes(suffix)).sum(),
            free_bytes: self.free_bytes(),
        }
    }

    fn file_bytes(&self, suffix: &str) -> u64 {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |file| file.len())
    }

    fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.path).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
}
