//! The long-lived tasks, each started again where it ends before its time.

use super::{Desk, Journal, Repair, faults};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

/// Without these nothing works: where one is given up, the process ends in order, and whoever
/// started it starts it again.
const VITAL: [&str; 5] = ["speaker", "feeds", "supervisor", "server", "live orders"];

/// See the module.
pub(crate) struct Tasks {
    set: JoinSet<()>,
    crew: Crew,
    lost: Option<mpsc::Receiver<&'static str>>,
}

/// What the tasks' keepers share.
#[derive(Clone)]
struct Crew {
    desk: Arc<Desk>,
    journal: Arc<Journal>,
    stop: watch::Receiver<bool>,
    lost: mpsc::Sender<&'static str>,
}

impl Tasks {
    /// None yet; they end when told to stop.
    pub(crate) fn new(journal: Arc<Journal>, stop: watch::Receiver<bool>) -> Self {
        // Each vital task is lost once.
        let (lost, lost_tasks) = mpsc::channel(VITAL.len());
        let crew = Crew { desk: Arc::default(), journal, stop, lost };
        Self { set: JoinSet::new(), crew, lost: Some(lost_tasks) }
    }

    /// Restarts come at once.
    #[cfg(test)]
    fn hurried(mut self) -> Self {
        self.crew.desk = Arc::new(Desk::hurried());
        self
    }

    /// How they stand.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        self.crew.desk.clone()
    }

    /// Starts one; `make` begins it anew, and is handed what tells it to stop.
    pub(crate) fn spawn<F, T>(&mut self, name: &'static str, make: F)
    where
        F: Fn(watch::Receiver<bool>) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        self.crew.desk.enlist(name);
        let stop = self.crew.stop.clone();
        self.set.spawn(keep(name, move || make(stop.clone()), self.crew.clone()));
    }

    /// The same for one that may end before it is told to, as what it serves has: no fault.
    pub(crate) fn spawn_until_told<F, T>(&mut self, name: &'static str, make: F)
    where
        F: Fn(watch::Receiver<bool>) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        self.spawn(name, move |mut stop| {
            let work = make(stop.clone());
            async move {
                work.await;
                crate::feeds::stopped(&mut stop).await;
            }
        });
    }

    /// Starts one that owns what it works on and cannot begin anew: where it dies it is given up.
    pub(crate) fn spawn_once<T>(
        &mut self,
        name: &'static str,
        make: impl FnOnce(watch::Receiver<bool>) -> T,
    ) where
        T: Future<Output = ()> + Send + 'static,
    {
        self.crew.desk.enlist(name);
        let (mut stop, crew) = (self.crew.stop.clone(), self.crew.clone());
        let work = make(stop.clone());
        self.set.spawn(async move {
            let ended = once(name, async move {
                work.await;
                crate::feeds::stopped(&mut stop).await;
            });
            if let Some(why) = crew.fault(ended.await, name) {
                crew.desk.lost(name, &why);
                crew.give_up(name);
            }
        });
    }

    /// The vital tasks that are given up; taken once, a second time there are none.
    pub(crate) fn lost(&mut self) -> mpsc::Receiver<&'static str> {
        self.lost.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Until all have ended.
    pub(crate) async fn join(&mut self) {
        while self.set.join_next().await.is_some() {}
    }

    /// Ends them where they are.
    pub(crate) fn abort(&mut self) {
        self.set.abort_all();
    }
}

impl Crew {
    /// Why a task ended, where it was not told to.
    fn fault(&self, ended: Option<Result<(), JoinError>>, name: &'static str) -> Option<String> {
        if *self.stop.borrow() {
            return None;
        }
        let why = why(ended);
        tracing::error!(task = name, why, "a task ended before its time");
        Some(why)
    }

    fn give_up(&self, name: &'static str) {
        if VITAL.contains(&name) && self.journal.is_on() {
            // There is room for each.
            let _ = self.lost.try_send(name);
        }
    }
}

/// One life of a task.
async fn once(
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) -> Option<Result<(), JoinError>> {
    // A set of one: it is aborted with us.
    let mut task = JoinSet::new();
    task.spawn(async move {
        tokio::select! {
            () = work => {}
            () = faults::panic(name) => {}
        }
    });
    task.join_next().await
}

async fn keep<F, T>(name: &'static str, make: F, crew: Crew)
where
    F: Fn() -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    loop {
        let Some(why) = crew.fault(once(name, make()).await, name) else { return };
        let Some(pause) = crew.desk.ended(name, &why, crew.journal.is_on()) else {
            return crew.give_up(name);
        };
        let mut stop = crew.stop.clone();
        tokio::select! {
            () = crate::feeds::stopped(&mut stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
        let (part, action) = (format!("task {name}"), "restart");
        let outcome = format!("started again after {} ms", pause.as_millis());
        crew.journal.tell(Repair { part, cause: why, action, outcome });
    }
}

fn why(ended: Option<Result<(), JoinError>>) -> String {
    let Some(Err(error)) = ended else { return "it ended by itself".to_owned() };
    let Ok(payload) = error.try_into_panic() else { return "it was cancelled".to_owned() };
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    format!("panic: {}", text.as_deref().unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use server::Status;
    use std::sync::atomic::{AtomicU32, Ordering};
    use storage::{Store, StoreOptions};

    fn tasks(is_on: bool) -> (tempfile::TempDir, Tasks, watch::Sender<bool>) {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("a.db"), StoreOptions::default()).unwrap();
        let (stop, stopped) = watch::channel(false);
        let journal = Arc::new(Journal::new(is_on, store).unwrap());
        (dir, Tasks::new(journal, stopped).hurried(), stop)
    }

    /// Panics the first time and works from then on.
    fn clumsy(begun: Arc<AtomicU32>, stop: watch::Receiver<bool>) -> impl Future<Output = ()> {
        let first = begun.fetch_add(1, Ordering::SeqCst) == 0;
        let mut stop = stop;
        async move {
            assert!(!first, "clumsy");
            crate::feeds::stopped(&mut stop).await;
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_and_one_that_is_told_to_stop_is_not() {
        let (_dir, mut tasks, stop) = tasks(true);
        let begun = Arc::new(AtomicU32::new(0));
        let count = begun.clone();
        tasks.spawn("rates", move |stop| clumsy(count.clone(), stop));
        while begun.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        let part = tasks.desk().part();
        assert!(part.detail.contains("panic: clumsy"), "{}", part.detail);
        stop.send_replace(true);
        tasks.join().await;
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_vital_task_that_is_given_up_is_lost_and_any_other_only_named() {
        let (_dir, mut tasks, _stop) = tasks(true);
        for name in ["feeds", "rates"] {
            tasks.spawn(name, |_| async {});
        }
        tasks.join().await;
        let mut lost = tasks.lost();
        assert_eq!(lost.recv().await, Some("feeds"));
        assert!(lost.try_recv().is_err());
        assert_eq!(tasks.desk().part().status, Status::Degraded);
    }

    #[tokio::test]
    async fn with_self_healing_off_nothing_is_started_again() {
        let (_dir, mut tasks, _stop) = tasks(false);
        let begun = Arc::new(AtomicU32::new(0));
        let count = begun.clone();
        tasks.spawn("rates", move |stop| clumsy(count.clone(), stop));
        tasks.join().await;
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert!(tasks.desk().part().detail.contains("ENABLE_SELF_HEALING is off"));
    }
}
