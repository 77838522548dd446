//! Where repairs are told: log, metric, event.

use crate::core_loop::now;
use domain::EventKind;
use engine::EventDraft;
use serde_json::json;
use server::{Part, Status};
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use storage::{ControlWrite, Store};

/// Repairs that wait for the store; beyond it they are in the log and counted.
const WAITING_MAX: usize = 256;
/// The same repair of the same part is one event a minute, with how often it was: a line that
/// flaps must not fill the store.
const MERGED_FOR: Duration = Duration::from_secs(60);
/// Parts and actions that are remembered for that; there are some dozens.
const MERGED_MAX: usize = 512;

/// So long a repair is part of `/health`: what mends itself between two looks was a fault all the
/// same.
const SHOWN_FOR: Duration = Duration::from_secs(5);
/// Repairs shown at once.
const SHOWN_MAX: usize = 8;

/// What was repaired, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    /// Which part: `binance`, `task backups`, `core`.
    pub(crate) part: String,
    /// What was wrong.
    pub(crate) cause: String,
    /// What was done.
    pub(crate) action: &'static str,
    /// What came of it.
    pub(crate) outcome: String,
}

/// Told when, and how often it was not told since.
struct Told {
    at: Instant,
    kept_back: u64,
}

/// See the module. `ENABLE_SELF_HEALING` is here, as whoever repairs has one.
pub(crate) struct Journal {
    is_on: bool,
    waiting: SyncSender<Due>,
    told: Mutex<BTreeMap<(String, &'static str), Told>>,
    recent: Mutex<Recent>,
}

/// Repairs of the last moments, and how many there were.
#[derive(Default)]
struct Recent {
    all: u64,
    shown: VecDeque<(Instant, String)>,
}

/// A repair, and how often the same was done since it was last told.
struct Due(Repair, u64);

impl Journal {
    /// Over this store; its thread ends with the last handle.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn new(is_on: bool, store: Store) -> std::io::Result<Self> {
        let (waiting, repairs) = sync_channel::<Due>(WAITING_MAX);
        // A thread of its own: the store makes its writers wait while its disk is slow.
        std::thread::Builder::new().name("repairs".to_owned()).spawn(move || {
            while let Ok(Due(repair, times)) = repairs.recv() {
                write(&store, &repair, times);
            }
        })?;
        Ok(Self { is_on, waiting, told: Mutex::default(), recent: Mutex::default() })
    }

    /// Is anything repaired at all?
    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Says that something was repaired.
    pub(crate) fn tell(&self, repair: Repair) {
        let Repair { part, cause, action, outcome } = &repair;
        tracing::warn!(part, cause, action, outcome, "self-healing");
        metrics::counter!("amarktai_self_healing_total", "part" => part.clone(), "action" => *action)
            .increment(1);
        self.show(format!("{part}: {action}: {cause}"));
        let Some(times) = self.is_news(&repair) else { return };
        if self.waiting.try_send(Due(repair, times)).is_err() {
            metrics::counter!("amarktai_self_healing_untold_total").increment(1);
        }
    }

    fn show(&self, text: String) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.all += 1;
        recent.shown.push_back((Instant::now(), text));
        if recent.shown.len() > SHOWN_MAX {
            recent.shown.pop_front();
        }
    }

    /// For `/health`.
    pub(crate) fn part(&self) -> Part {
        if !self.is_on {
            let detail = "off by ENABLE_SELF_HEALING: what dies or hangs is only told".to_owned();
            return Part { status: Status::Degraded, detail };
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.shown.retain(|(at, _)| at.elapsed() < SHOWN_FOR);
        if recent.shown.is_empty() {
            let detail = format!("{} repairs since the start", recent.all);
            return Part { status: Status::Healthy, detail };
        }
        let texts: Vec<&str> = recent.shown.iter().map(|(_, text)| text.as_str()).collect();
        Part { status: Status::Degraded, detail: texts.join("; ") }
    }

    /// How often it happened since it was told; `None`: it was told a moment ago.
    fn is_news(&self, repair: &Repair) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MERGED_MAX {
            told.retain(|_, told| told.at.elapsed() < MERGED_FOR);
        }
        let key = (repair.part.clone(), repair.action);
        match told.get_mut(&key) {
            Some(known) if known.at.elapsed() < MERGED_FOR => {
                known.kept_back += 1;
                None
            }
            known => {
                let times = known.map_or(0, |known| known.kept_back) + 1;
                told.insert(key, Told { at: Instant::now(), kept_back: 0 });
                Some(times)
            }
        }
    }
}

fn write(store: &Store, repair: &Repair, times: u64) {
    let Repair { part, cause, action, outcome } = repair;
    let data = json!({
        "part": part, "cause": cause, "action": action, "outcome": outcome, "times": times,
    });
    let draft = EventDraft { account_id: None, kind: EventKind::SelfHealing, at: now(), data };
    // A store that is gone says so itself; the line in the log is written.
    let _ = store.control(ControlWrite::Event(draft)).and_then(storage::Pending::wait);
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::StoreOptions;

    fn repair(part: &str) -> Repair {
        let (cause, outcome) = ("it broke".to_owned(), "works again".to_owned());
        Repair { part: part.to_owned(), cause, action: "restart", outcome }
    }

    #[test]
    fn a_repair_is_an_event_and_the_same_one_again_is_only_counted() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("a.db"), StoreOptions::default()).unwrap();
        let journal = Journal::new(true, store.clone()).unwrap();
        for part in ["binance", "binance", "task backups", "binance"] {
            journal.tell(repair(part));
        }
        let part = journal.part();
        assert_eq!(part.status, Status::Degraded);
        assert!(part.detail.contains("binance: restart: it broke"), "{}", part.detail);
        let held = journal.told.lock().unwrap()[&("binance".to_owned(), "restart")].kept_back;
        assert_eq!(held, 2);
        // Its thread writes what waits before it ends.
        drop(journal);
        let began = Instant::now();
        let told = loop {
            let events = store.reader().events_of(&[EventKind::SelfHealing], 0, 10).unwrap().0;
            if events.len() == 2 {
                break events;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{events:?}");
            std::thread::yield_now();
        };
        let told: Vec<serde_json::Value> =
            told.iter().map(|e| serde_json::from_str(e.data.get()).unwrap()).collect();
        let parts: Vec<_> = told.iter().map(|data| data["part"].as_str().unwrap()).collect();
        assert_eq!(parts, ["binance", "task backups"]);
        assert_eq!(told[0]["outcome"], "works again");
    }
}
