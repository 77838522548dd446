//! Backtests over HTTP: queued, few at a time, kept in memory until the process ends.
//!
//! The server knows no tape and no engine run: the binary brings a [`Research`], which does the work
//! on a thread of its own and looks at the cancel flag often.

use crate::problem::Problem;
use axum::http::StatusCode;
use domain::AccountId;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Runs at once: trading on the same machine comes first.
const RUNNING_MAX: usize = 1;
/// Waiting ones; more would be forgotten by who asked for them.
const WAITING_MAX: usize = 8;
/// Finished ones that can still be read; the oldest goes first.
const KEPT_MAX: usize = 20;
/// Largest result that is kept: with all of them memory stays bounded.
const RESULT_BYTES_MAX: usize = 32 << 20;

/// How far a study is, and whether it should go on.
#[derive(Debug, Default)]
pub struct Course {
    cancelled: AtomicBool,
    per_mille: AtomicU32,
}

impl Course {
    /// Told by who works; `false`: end now.
    pub fn report(&self, done: f64) -> bool {
        self.per_mille.store((done.clamp(0.0, 1.0) * 1_000.0) as u32, Ordering::Relaxed);
        !self.cancelled.load(Ordering::Relaxed)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A finished study.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// `{data, trades, statistics, equity}`.
    pub result: Value,
    /// A page that needs nothing but itself.
    pub page: String,
}

/// Does the work; brought by the binary.
pub trait Research: Send + Sync {
    /// Says what is wrong with a plan, without reading its data.
    ///
    /// # Errors
    /// In words.
    fn check(&self, plan: &Value) -> Result<(), String>;

    /// Runs a plan to its end; blocks.
    ///
    /// # Errors
    /// In words: data that is missing or wrong, bots that cannot be.
    fn backtest(&self, plan: &Value, course: &Course) -> Result<Finding, String>;
}

#[derive(Clone, Debug)]
enum State {
    Queued,
    Running,
    Done(Arc<Finding>),
    Failed(String),
    Cancelled,
}

#[derive(Clone, Debug)]
struct Study {
    id: String,
    account: AccountId,
    state: State,
    course: Arc<Course>,
}

/// All studies of this process.
#[derive(Debug)]
pub(crate) struct Studies {
    all: Mutex<VecDeque<Study>>,
    turns: Arc<Semaphore>,
    is_closed: AtomicBool,
}

impl Default for Studies {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(RUNNING_MAX));
        Self { all: Mutex::default(), turns, is_closed: AtomicBool::new(false) }
    }
}

impl Studies {
    /// The list is whole even where somebody panicked while holding it.
    fn all(&self) -> MutexGuard<'_, VecDeque<Study>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a plan; its id.
    pub(crate) fn start(
        self: &Arc<Self>,
        account: AccountId,
        research: Arc<dyn Research>,
        plan: Value,
    ) -> Result<String, Problem> {
        let id = format!("{:016x}", rand::random::<u64>());
        let course = Arc::new(Course::default());
        {
            let mut all = self.all();
            let is_open = |s: &&Study| matches!(s.state, State::Queued | State::Running);
            let open = all.iter().filter(is_open).count();
            if open >= RUNNING_MAX + WAITING_MAX || self.is_closed.load(Ordering::Relaxed) {
                let detail = format!("{open} backtests run or wait already");
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Problem::new(status, "TOO_MANY_BACKTESTS", detail);
                return Err(problem.with("retry_after_s", 10));
            }
            while all.len() >= KEPT_MAX {
                let oldest = all.iter().position(|s| !is_open(&s));
                oldest.map(|at| all.remove(at));
            }
            let study =
                Study { id: id.clone(), account, state: State::Queued, course: course.clone() };
            all.push_back(study);
        }
        let (studies, of) = (self.clone(), id.clone());
        tokio::spawn(async move {
            // The semaphore is never closed.
            let Ok(_turn) = studies.turns.clone().acquire_owned().await else { return };
            if course.is_cancelled() {
                return studies.set(&of, State::Cancelled);
            }
            studies.set(&of, State::Running);
            let worker = course.clone();
            let work = move || research.backtest(&plan, &worker);
            let state = match tokio::task::spawn_blocking(work).await {
                _ if course.is_cancelled() => State::Cancelled,
                Ok(Ok(finding)) => kept(finding),
                Ok(Err(reason)) => State::Failed(reason),
                Err(error) => State::Failed(error.to_string()),
            };
            studies.set(&of, state);
        });
        Ok(id)
    }

    fn set(&self, id: &str, state: State) {
        if let Some(study) = self.all().iter_mut().find(|s| s.id == id) {
            study.state = state;
        }
    }

    fn find(&self, account: AccountId, id: &str) -> Result<Study, Problem> {
        let found = self.all().iter().find(|s| s.id == id && s.account == account).cloned();
        found.ok_or_else(|| Problem::not_found("backtest"))
    }

    /// How a study stands, with its result where it is done.
    pub(crate) fn show(&self, account: AccountId, id: &str) -> Result<Value, Problem> {
        let study = self.find(account, id)?;
        let per_mille = study.course.per_mille.load(Ordering::Relaxed);
        let (word, done, error, result) = match study.state {
            State::Queued => ("queued", 0, None, None),
            State::Running => ("running", per_mille, None, None),
            State::Done(finding) => ("done", 1_000, None, Some(finding.result.clone())),
            State::Failed(reason) => ("failed", per_mille, Some(reason), None),
            State::Cancelled => ("cancelled", per_mille, None, None),
        };
        let progress = f64::from(done) / 1_000.0;
        Ok(json!({
            "id": id, "state": word, "progress": progress, "error": error, "result": result,
        }))
    }

    /// The page of a study that is done.
    pub(crate) fn page(&self, account: AccountId, id: &str) -> Result<String, Problem> {
        match self.find(account, id)?.state {
            State::Done(finding) => Ok(finding.page.clone()),
            _ => {
                let detail = "the backtest has no report: it is not done";
                Err(Problem::new(StatusCode::CONFLICT, "NOT_DONE", detail))
            }
        }
    }

    /// The process ends: nothing new begins, what runs is told to end.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.all().iter().for_each(|s| s.course.cancelled.store(true, Ordering::Relaxed));
    }
}

fn kept(finding: Finding) -> State {
    let bytes = finding.result.to_string().len() + finding.page.len();
    if bytes <= RESULT_BYTES_MAX {
        return State::Done(Arc::new(finding));
    }
    let max = RESULT_BYTES_MAX >> 20;
    State::Failed(format!("the result has {} MB, at most {max} are kept", bytes >> 20))
}
