//! How the tasks stand: which were started again, and which are given up.

use server::{Part, Status};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Restarts of one task within this time …
const WITHIN: Duration = Duration::from_secs(600);
/// … up to this number; a task that dies more often needs a person.
const RESTARTS_MAX: usize = 5;
/// After this long without a further fault a task counts as mended.
const MENDED_AFTER: Duration = Duration::from_secs(30);
/// Before the first restart; doubled with each further one.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Line {
    restarts: VecDeque<Instant>,
    /// Why it ended the last time.
    why: String,
    /// It is not started again: why.
    given_up: Option<&'static str>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Desk {
    lines: Mutex<BTreeMap<&'static str, Line>>,
    pause: Duration,
}

impl Default for Desk {
    fn default() -> Self {
        Self { lines: Mutex::default(), pause: PAUSE }
    }
}

impl Desk {
    /// Tests do not wait.
    #[cfg(test)]
    pub(crate) fn hurried() -> Self {
        Self { pause: Duration::from_millis(1), ..Self::default() }
    }

    /// A task began its work.
    pub(crate) fn enlist(&self, name: &'static str) {
        self.lines().entry(name).or_default();
    }

    /// A task ended; after which pause it is started again, if it is.
    pub(crate) fn ended(&self, name: &'static str, why: &str, is_on: bool) -> Option<Duration> {
        let mut lines = self.lines();
        let line = lines.entry(name).or_default();
        why.clone_into(&mut line.why);
        let now = Instant::now();
        line.restarts.retain(|at| now - *at <= WITHIN);
        line.given_up = match (is_on, line.restarts.len()) {
            (false, _) => Some("not started again, as ENABLE_SELF_HEALING is off"),
            (true, RESTARTS_MAX..) => Some("given up after five restarts within ten minutes"),
            (true, _) => None,
        };
        if line.given_up.is_some() {
            return None;
        }
        let pause = self.pause * (1 << line.restarts.len());
        line.restarts.push_back(now);
        Some(pause)
    }

    /// A task died that cannot be started again.
    pub(crate) fn lost(&self, name: &'static str, why: &str) {
        let mut lines = self.lines();
        let line = lines.entry(name).or_default();
        why.clone_into(&mut line.why);
        line.given_up = Some("cannot be started again in this process");
    }

    /// For `/health`.
    pub(crate) fn part(&self) -> Part {
        let lines = self.lines();
        let news = lines.iter().filter_map(|(name, line)| match line.given_up {
            Some(how) => Some(format!("{name} {how}: {}", line.why)),
            None => line
                .restarts
                .back()
                .filter(|at| at.elapsed() < MENDED_AFTER)
                .map(|_| format!("{name} was started again: {}", line.why)),
        });
        let news: Vec<String> = news.collect();
        if news.is_empty() {
            let detail = format!("{} at work", lines.len());
            return Part { status: Status::Healthy, detail };
        }
        Part { status: Status::Degraded, detail: news.join("; ") }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_started_again_a_bounded_number_of_times_and_each_time_later() {
        let desk = Desk::default();
        desk.enlist("backups");
        desk.enlist("server");
        assert_eq!(desk.part().status, Status::Healthy);
        let pauses: Vec<_> = (0..7).map(|_| desk.ended("backups", "panicked", true)).collect();
        let pause = |n: u32| Some(PAUSE * 2u32.pow(n));
        assert_eq!(pauses, [pause(0), pause(1), pause(2), pause(3), pause(4), None, None]);
        let part = desk.part();
        assert_eq!(part.status, Status::Degraded);
        assert!(part.detail.contains("backups given up"), "{}", part.detail);
        assert!(!part.detail.contains("server"), "{}", part.detail);
    }

    #[test]
    fn with_self_healing_off_it_stays_dead_and_is_named() {
        let desk = Desk::default();
        assert_eq!(desk.ended("rates", "panicked", false), None);
        assert!(desk.part().detail.contains("rates not started again"));
    }
}
