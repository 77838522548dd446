//! When the disk will be full: from what was written while we looked, or from the store's history.

use server::operator::DiskForecast;
use std::time::{Duration, Instant};
use storage::StoreHealth;

/// Measured over less, a checkpoint or a burst would be taken for a habit.
const MEASURED_AFTER: Duration = Duration::from_secs(2 * 3_600);
/// A store younger than this has no habits.
const HISTORY_DAYS_MIN: f64 = 2.0;
/// The promise: 40 bots write no more than this a day.
pub(crate) const ASSUMED_BYTES_PER_DAY: u64 = 50_000_000;
/// Below this pace the figure says nothing but "years".
const BYTES_PER_DAY_MIN: u64 = 100_000;
/// A forecast further out is not worth a number.
const DAYS_MAX: f64 = 3_650.0;

/// Remembers where it began to look.
#[derive(Debug)]
pub struct DiskWatch {
    began: Instant,
    bytes: u64,
    /// Since the first account was opened, when we began to look.
    age_days: Option<f64>,
}

impl DiskWatch {
    /// From now on.
    pub fn new(bytes: u64, age_days: Option<f64>) -> Self {
        Self { began: Instant::now(), bytes, age_days }
    }

    /// The forecast of this instant.
    pub fn forecast(&self, store: &StoreHealth) -> DiskForecast {
        forecast(store, (self.bytes, self.began.elapsed()), self.age_days)
    }
}

fn forecast(
    store: &StoreHealth,
    (bytes, elapsed): (u64, Duration),
    age_days: Option<f64>,
) -> DiskForecast {
    let per_day = |bytes: u64, days: f64| (bytes as f64 / days) as u64;
    let (bytes_per_day, basis) = if elapsed >= MEASURED_AFTER {
        let days = elapsed.as_secs_f64() / 86_400.0;
        (per_day(store.db_bytes.saturating_sub(bytes), days), "measured")
    } else if let Some(days) = age_days.filter(|days| *days >= HISTORY_DAYS_MIN) {
        (per_day(store.db_bytes, days), "history")
    } else {
        (ASSUMED_BYTES_PER_DAY, "assumed")
    };
    let pace = bytes_per_day.max(BYTES_PER_DAY_MIN) as f64;
    let days_left = store.free_bytes.map(|free| (free as f64 / pace).min(DAYS_MAX));
    let (free_bytes, store_bytes) = (store.free_bytes, store.db_bytes);
    DiskForecast { free_bytes, store_bytes, bytes_per_day, basis, days_left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_left_follow_what_was_written() {
        let store = |db_bytes, free_bytes| StoreHealth {
            last_commit_at: None,
            last_commit_ms: None,
            queue: 0,
            failed: None,
            db_bytes,
            free_bytes,
        };
        let hour = Duration::from_secs(3_600);
        // bytes then, hours since, age in days, bytes now, free; then pace, basis, days.
        let table = [
            (0, 1, None, 0, Some(100_000_000), 50_000_000, "assumed", Some(2.0)),
            (0, 1, Some(1.0), 9, Some(100_000_000), 50_000_000, "assumed", Some(2.0)),
            (0, 1, Some(4.0), 40_000_000, Some(100_000_000), 10_000_000, "history", Some(10.0)),
            (
                5_000_000,
                12,
                None,
                10_000_000,
                Some(100_000_000),
                10_000_000,
                "measured",
                Some(10.0),
            ),
            (9, 12, None, 5, Some(1_000_000), 0, "measured", Some(10.0)),
            (0, 12, None, 0, None, 0, "measured", None),
        ];
        for (then, hours, age, now, free, pace, basis, days) in table {
            let found = forecast(&store(now, free), (then, hour * hours), age);
            assert_eq!((found.bytes_per_day, found.basis), (pace, basis));
            assert_eq!(found.days_left, days, "{basis}");
        }
    }
}
