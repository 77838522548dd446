//! The watches over ourselves: queues, memory, the runtime's lag, the core's, the store.

use super::memory::Memory;
use super::probe::Probe;
use server::{Part, Status};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::{Store, StoreHealth};
use tokio::sync::mpsc;

/// Over this share of its room a queue says so: what fills it waits soon.
const QUEUE_MAX_PERCENT: usize = 80;
/// A timer of the runtime that is later than this: something keeps its threads.
const LOOP_LAG_MAX: Duration = Duration::from_millis(500);
/// Market data applied later than this: bots decide on what was.
const CORE_LAG_MAX_MS: i64 = 1_000;

type Room = Box<dyn Fn() -> Option<(usize, usize)> + Send + Sync>;

/// The bounded queues, looked at without keeping them open.
#[derive(Default)]
pub(crate) struct QueueWatch {
    queues: Vec<(&'static str, Room)>,
}

impl QueueWatch {
    /// Watches this one, too.
    pub(crate) fn add<T: Send + 'static>(&mut self, name: &'static str, queue: &mpsc::Sender<T>) {
        let queue = queue.downgrade();
        let room = move || {
            let queue = queue.upgrade()?;
            Some((queue.max_capacity() - queue.capacity(), queue.max_capacity()))
        };
        self.queues.push((name, Box::new(room)));
    }

    fn part(&self) -> Part {
        let (mut texts, mut is_full) = (Vec::new(), false);
        for (name, room) in &self.queues {
            let Some((used, most)) = room() else { continue };
            metrics::gauge!("amarktai_queue_used", "queue" => *name).set(used as f64);
            is_full |= used > most * QUEUE_MAX_PERCENT / 100;
            texts.push(format!("{name} {used} of {most}"));
        }
        let status = if is_full { Status::Degraded } else { Status::Healthy };
        Part { status, detail: texts.join(", ") }
    }
}

/// See the module.
pub(crate) struct Vitals {
    queues: QueueWatch,
    probe: Probe,
}

impl Vitals {
    /// Over these queues.
    pub(crate) fn new(queues: QueueWatch) -> Self {
        Self { queues, probe: Probe::default() }
    }

    /// Everything of this moment; `late`: how late the look itself was.
    pub(crate) fn look(
        &self,
        store: &Store,
        health: &StoreHealth,
        late: Duration,
        core_lag_ms: i64,
    ) -> BTreeMap<String, Part> {
        self.probe.look(store, health);
        let memory = Memory::read();
        metrics::gauge!("amarktai_resident_bytes").set(memory.resident as f64);
        metrics::gauge!("amarktai_runtime_lag_ms").set(late.as_secs_f64() * 1e3);
        let parts = [
            ("store", self.probe.part(health)),
            ("queues", self.queues.part()),
            ("memory", memory.part()),
            ("lag", lag_part(late, core_lag_ms)),
        ];
        parts.map(|(name, part)| (name.to_owned(), part)).into()
    }
}

fn lag_part(late: Duration, core_ms: i64) -> Part {
    let detail = format!("core {core_ms} ms, runtime {} ms", late.as_millis());
    let is_late = late > LOOP_LAG_MAX || core_ms > CORE_LAG_MAX_MS;
    Part { status: if is_late { Status::Degraded } else { Status::Healthy }, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_fills_is_named_and_a_closed_one_is_not_kept() {
        let (mut queues, (sender, receiver)) = (QueueWatch::default(), mpsc::channel(10));
        queues.add("requests", &sender);
        assert_eq!(queues.part().status, Status::Healthy);
        (0..9).for_each(|n| sender.try_send(n).unwrap());
        let part = queues.part();
        assert_eq!((part.status, part.detail.as_str()), (Status::Degraded, "requests 9 of 10"));
        drop(sender);
        assert_eq!(queues.part().status, Status::Healthy);
        assert!(receiver.is_closed());
    }

    #[test]
    fn lag_of_the_core_or_of_the_runtime_degrades() {
        let ms = Duration::from_millis;
        let table = [
            (0, 0, Status::Healthy),
            (400, 900, Status::Healthy),
            (600, 0, Status::Degraded),
            (0, 1_100, Status::Degraded),
        ];
        for (late, core, status) in table {
            assert_eq!(lag_part(ms(late), core).status, status, "{late} {core}");
        }
    }
}
