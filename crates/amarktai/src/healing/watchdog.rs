//! Watches from a thread of its own that the core advances: the runtime may hang with it.
//!
//! What to do about a core that hangs is simple, as starting is recovery: nothing may be sent any
//! more, and the process ends with a code of its own, so that the service manager starts it again.

use super::{EXIT_STALLED, Journal, Repair};
use crate::core_loop::Pulse;
use crate::emergency::Emergency;
use crate::parts::Parts;
use arc_swap::ArcSwap;
use server::{HealthReport, Part, Status};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Of two looks that lie further apart no more than this counts: a machine that slept, or a
/// process that was stopped, is no core that hangs.
const LOOK_MAX: Duration = Duration::from_millis(500);
/// The core turns at least once a second, with nothing to do. The promise is to act within 5 s.
const STALLED_AFTER: Duration = Duration::from_secs(4);
/// For the event to reach the store; the process ends with or without.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Its name in `/health`.
const PART: &str = "watchdog";

/// How long the core has not advanced.
#[derive(Debug, Default)]
struct Stall {
    turns: u64,
    stood: Duration,
}

impl Stall {
    /// The core has made so many turns, so much later than at the last look.
    fn look(&mut self, turns: u64, passed: Duration) -> Duration {
        if turns == self.turns {
            self.stood += passed.min(LOOK_MAX);
        } else {
            (self.turns, self.stood) = (turns, Duration::ZERO);
        }
        self.stood
    }
}

/// See the module.
pub(crate) struct Watchdog {
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) parts: Arc<Parts>,
    pub(crate) health: Arc<ArcSwap<HealthReport>>,
    pub(crate) emergency: Arc<Emergency>,
    pub(crate) journal: Arc<Journal>,
}

/// Watches until it is dropped.
pub(crate) struct Leash {
    _held: Sender<()>,
}

impl Watchdog {
    /// Watches from now on.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(self) -> std::io::Result<Leash> {
        self.start_with(|| std::process::exit(i32::from(EXIT_STALLED)))
    }

    fn start_with(self, end: impl Fn() + Send + 'static) -> std::io::Result<Leash> {
        let (held, leash) = channel();
        let watch = move || self.watch(&leash, &end);
        std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Leash { _held: held })
    }

    fn watch(&self, leash: &Receiver<()>, end: &dyn Fn()) {
        let (mut stall, mut looked_at) = (Stall::default(), Instant::now());
        let mut is_told = false;
        self.parts.set(PART, Status::Healthy, "the core advances");
        while leash.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let turns = self.pulse.turns.load(Ordering::Relaxed);
            let passed = looked_at.elapsed();
            looked_at = Instant::now();
            let stood = stall.look(turns, passed);
            if stood >= STALLED_AFTER && !is_told {
                is_told = true;
                self.act(stood);
                if self.journal.is_on() {
                    return end();
                }
            } else if stood.is_zero() && is_told {
                is_told = false;
                tracing::warn!("the core advances again");
                self.parts.set(PART, Status::Healthy, "the core advances again");
            }
        }
    }

    fn act(&self, stood: Duration) {
        let detail = format!("the core has not advanced for {} ms", stood.as_millis());
        if !self.journal.is_on() {
            tracing::error!("{detail}; only told, as ENABLE_SELF_HEALING is off");
            return self.publish(&format!("{detail}; ENABLE_SELF_HEALING is off"));
        }
        // First of all: an order that waits on its way to the wire stays here.
        self.emergency.latch(None).stop();
        self.publish(&detail);
        tracing::error!(exit_code = EXIT_STALLED, "{detail}: ending, to be started again");
        let outcome = format!("the process ends with code {EXIT_STALLED}");
        let (part, action) = ("core".to_owned(), "end the process");
        self.journal.tell(Repair { part, cause: detail, action, outcome });
        std::thread::sleep(LAST_WORDS);
    }

    /// At once: whoever publishes health otherwise may hang with the core.
    fn publish(&self, detail: &str) {
        self.parts.set(PART, Status::Unhealthy, detail);
        let mut report = HealthReport::clone(&self.health.load());
        let part = Part { status: Status::Unhealthy, detail: detail.to_owned() };
        report.parts.insert(PART.to_owned(), part);
        report.is_ready = false;
        self.health.store(Arc::new(report));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use storage::{Store, StoreOptions};

    #[test]
    fn only_looks_in_a_row_without_a_turn_add_up_and_a_sleep_counts_once() {
        let (mut stall, look) = (Stall::default(), LOOK_EVERY);
        assert_eq!(stall.look(1, look), Duration::ZERO);
        assert_eq!(stall.look(1, look), look);
        assert_eq!(stall.look(2, look), Duration::ZERO);
        assert_eq!(stall.look(2, Duration::from_secs(3_600)), LOOK_MAX, "the machine slept");
        assert_eq!(stall.look(3, Duration::from_secs(3_600)), Duration::ZERO);
    }

    #[test]
    fn the_promise_of_five_seconds_leaves_room_for_the_looks_and_the_last_words() {
        let latest = STALLED_AFTER + LOOK_EVERY * 2 + LAST_WORDS;
        assert!(latest < Duration::from_secs(5), "{latest:?}");
    }

    struct Rig {
        _dir: tempfile::TempDir,
        pulse: Arc<Pulse>,
        parts: Arc<Parts>,
        emergency: Arc<Emergency>,
        ends: Arc<AtomicU64>,
        _leash: Leash,
    }

    /// Nothing turns here.
    fn rig(is_on: bool) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("a.db"), StoreOptions::default()).unwrap();
        let (pulse, parts) = (Arc::<Pulse>::default(), Arc::<Parts>::default());
        let emergency = Arc::new(Emergency::new(dir.path()));
        let ends = Arc::new(AtomicU64::new(0));
        let watchdog = Watchdog {
            pulse: pulse.clone(),
            parts: parts.clone(),
            health: Arc::default(),
            emergency: emergency.clone(),
            journal: Arc::new(Journal::new(is_on, store).unwrap()),
        };
        let count = ends.clone();
        let end = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        let _leash = watchdog.start_with(end).unwrap();
        Rig { _dir: dir, pulse, parts, emergency, ends, _leash }
    }

    fn wait_for(is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn status(rig: &Rig) -> Option<Status> {
        rig.parts.all().get(PART).map(|part| part.status)
    }

    #[test]
    fn a_core_that_stands_shuts_the_wire_and_ends_the_process() {
        let rig = rig(true);
        wait_for(|| rig.ends.load(Ordering::SeqCst) == 1);
        assert!(rig.emergency.latch(None).is_on());
        assert_eq!(status(&rig), Some(Status::Unhealthy));
    }

    #[test]
    fn with_self_healing_off_it_is_told_and_clears_when_the_core_goes_on() {
        let rig = rig(false);
        wait_for(|| status(&rig) == Some(Status::Unhealthy));
        assert!(!rig.emergency.latch(None).is_on());
        rig.pulse.turns.fetch_add(1, Ordering::Relaxed);
        wait_for(|| status(&rig) == Some(Status::Healthy));
        assert_eq!(rig.ends.load(Ordering::SeqCst), 0);
    }
}
