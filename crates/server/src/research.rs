//! Studies over HTTP, backtests and sweeps: queued, few at a time, one's own.
//!
//! The server knows no tape and no engine run: the binary brings a [`Research`], which does the work
//! on a thread of its own, looks at the cancel flag often, and keeps what came out beside the store.
//! What a process left undone, the next one says so.

use crate::problem::Problem;
use axum::http::StatusCode;
use domain::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use tokio::sync::Semaphore;

/// Runs at once: trading on the same machine comes first.
const RUNNING_MAX: usize = 1;
/// Waiting ones; more would be forgotten by who asked for them.
const WAITING_MAX: usize = 8;
/// Finished ones that can still be read; the oldest goes first.
const KEPT_MAX: usize = 20;
/// Largest result that is kept: with all of them memory stays bounded.
const RESULT_BYTES_MAX: usize = 32 << 20;
/// Of a study that was open when its process ended.
const INTERRUPTED: &str = "interrupted: the process ended before it was done; ask for it again";

/// What is studied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyKind {
    /// Bots over recorded data.
    Backtest,
    /// Many variants of one bot.
    Sweep,
}

impl StudyKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::Sweep => "sweep",
        }
    }

    const fn too_many(self) -> &'static str {
        match self {
            Self::Backtest => "TOO_MANY_BACKTESTS",
            Self::Sweep => "TOO_MANY_SWEEPS",
        }
    }
}

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// `{data, trades, statistics, equity}`, or `{data, ranking, space}` of a sweep.
    pub result: Value,
    /// A page that needs nothing but itself.
    pub page: String,
}

/// A study without what came out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyRecord {
    /// Sixteen hexadecimal digits.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// What.
    pub kind: StudyKind,
    /// What was asked for, in words.
    #[serde(default)]
    pub title: String,
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Why it failed.
    pub error: Option<String>,
    /// When.
    pub asked_at: Timestamp,
}

/// Does the work; brought by the binary.
pub trait Research: Send + Sync {
    /// Says what is wrong with a plan, without reading its data.
    ///
    /// # Errors
    /// In words.
    fn check(&self, kind: StudyKind, plan: &Value) -> Result<(), String>;

    /// Runs a plan to its end; blocks.
    ///
    /// # Errors
    /// In words: data that is missing or wrong, bots that cannot be.
    fn run(&self, kind: StudyKind, plan: &Value, course: &Course) -> Result<Finding, String>;

    /// Keeps how a study stands, and what came out where it is done; blocks.
    fn keep(&self, _record: &StudyRecord, _finding: Option<&Finding>) {}

    /// What earlier processes kept, oldest first; blocks.
    fn kept(&self) -> Vec<StudyRecord> {
        Vec::new()
    }

    /// What came out of a study that is kept; blocks.
    fn finding(&self, _id: &str) -> Option<Finding> {
        None
    }

    /// It is kept no longer; blocks.
    fn forget(&self, _id: &str) {}
}

#[derive(Clone, Debug)]
enum State {
    Queued,
    Running,
    Done(Arc<Finding>),
    /// Done by an earlier process: [`Research::finding`] has it.
    Kept,
    Failed(String),
    Cancelled,
}

impl State {
    const fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done(_) | Self::Kept => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    const fn is_open(&self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    fn of(record: &StudyRecord) -> Self {
        match record.state.as_str() {
            "done" => Self::Kept,
            "cancelled" => Self::Cancelled,
            "failed" => Self::Failed(record.error.clone().unwrap_or_default()),
            _ => Self::Failed(INTERRUPTED.to_owned()),
        }
    }
}

#[derive(Clone, Debug)]
struct Study {
    id: String,
    account: AccountId,
    kind: StudyKind,
    title: String,
    asked_at: Timestamp,
    state: State,
    course: Arc<Course>,
}

impl Study {
    fn record(&self) -> StudyRecord {
        let error = match &self.state {
            State::Failed(reason) => Some(reason.clone()),
            _ => None,
        };
        StudyRecord {
            id: self.id.clone(),
            account: self.account,
            kind: self.kind,
            title: self.title.clone(),
            state: self.state.word().to_owned(),
            error,
            asked_at: self.asked_at,
        }
    }

    /// As it is shown, its result apart.
    fn json(&self) -> Value {
        let per_mille = match self.state {
            State::Queued => 0,
            State::Done(_) | State::Kept => 1_000,
            _ => self.course.per_mille.load(Ordering::Relaxed),
        };
        let record = self.record();
        json!({
            "id": record.id, "title": record.title, "state": record.state,
            "progress": f64::from(per_mille) / 1_000.0, "error": record.error,
            "asked_at": record.asked_at,
        })
    }
}

/// All studies that are known.
pub(crate) struct Studies {
    all: Mutex<VecDeque<Study>>,
    turns: Arc<Semaphore>,
    is_closed: AtomicBool,
    /// What earlier processes kept is read once, when somebody first asks.
    reading: Once,
}

impl Default for Studies {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(RUNNING_MAX));
        let (all, is_closed) = (Mutex::default(), AtomicBool::new(false));
        Self { all, turns, is_closed, reading: Once::new() }
    }
}

impl Studies {
    /// The list is whole even where somebody panicked while holding it.
    fn all(&self) -> MutexGuard<'_, VecDeque<Study>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On a thread that may block: reads what earlier processes kept, the first time.
    fn read_kept(&self, research: &dyn Research) {
        self.reading.call_once(|| {
            let study = |record: StudyRecord| Study {
                state: State::of(&record),
                id: record.id,
                account: record.account,
                kind: record.kind,
                title: record.title,
                asked_at: record.asked_at,
                course: Arc::default(),
            };
            let mut kept: VecDeque<Study> = research.kept().into_iter().map(study).collect();
            let mut all = self.all();
            kept.append(&mut all);
            *all = kept;
        });
    }

    /// Works on a thread that may block, with what is kept at hand.
    async fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        research: &Arc<dyn Research>,
        work: impl FnOnce(&Self, &dyn Research) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (studies, research) = (self.clone(), research.clone());
        let work = move || {
            studies.read_kept(research.as_ref());
            work(&studies, research.as_ref())
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))
    }

    /// Queues a plan; its id.
    pub(crate) async fn start(
        self: &Arc<Self>,
        account: AccountId,
        kind: StudyKind,
        research: Arc<dyn Research>,
        plan: Value,
    ) -> Result<String, Problem> {
        let id = format!("{:016x}", rand::random::<u64>());
        let course = Arc::new(Course::default());
        let study = Study {
            id: id.clone(),
            account,
            kind,
            title: title_of(kind, &plan),
            asked_at: now(),
            state: State::Queued,
            course: course.clone(),
        };
        self.apart(&research, move |studies, research| studies.queue(study, research)).await??;
        tokio::spawn(self.clone().work(id.clone(), kind, research, plan, course));
        Ok(id)
    }

    /// Takes a study where there is room; what is too old makes some.
    fn queue(&self, study: Study, research: &dyn Research) -> Result<(), Problem> {
        let record = study.record();
        let mut gone = Vec::new();
        {
            let mut all = self.all();
            let open = all.iter().filter(|s| s.state.is_open()).count();
            if open >= RUNNING_MAX + WAITING_MAX || self.is_closed.load(Ordering::Relaxed) {
                let detail = format!("{open} backtests and sweeps run or wait already");
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Problem::new(status, study.kind.too_many(), detail);
                return Err(problem.with("retry_after_s", 10));
            }
            while all.len() >= KEPT_MAX
                && let Some(oldest) = all.iter().position(|s| !s.state.is_open())
            {
                gone.extend(all.remove(oldest));
            }
            all.push_back(study);
        }
        gone.iter().for_each(|study| research.forget(&study.id));
        research.keep(&record, None);
        Ok(())
    }

    async fn work(
        self: Arc<Self>,
        id: String,
        kind: StudyKind,
        research: Arc<dyn Research>,
        plan: Value,
        course: Arc<Course>,
    ) {
        // The semaphore is never closed.
        let Ok(_turn) = self.turns.clone().acquire_owned().await else { return };
        if course.is_cancelled() {
            return self.set(&id, State::Cancelled, &research).await;
        }
        self.set(&id, State::Running, &research).await;
        let (worker, by) = (course.clone(), research.clone());
        let work = move || by.run(kind, &plan, &worker);
        let state = match tokio::task::spawn_blocking(work).await {
            _ if course.is_cancelled() => State::Cancelled,
            Ok(Ok(finding)) => bounded(finding),
            Ok(Err(reason)) => State::Failed(reason),
            Err(error) => State::Failed(error.to_string()),
        };
        self.set(&id, state, &research).await;
    }

    async fn set(self: &Arc<Self>, id: &str, state: State, research: &Arc<dyn Research>) {
        let id = id.to_owned();
        let set = self.apart(research, move |studies, research| {
            let finding = match &state {
                State::Done(finding) => Some(finding.clone()),
                _ => None,
            };
            // Kept first: what is shown as done can be read by the next process, too. One that is
            // ended with this process stays as it was kept, for the next one to tell.
            let known = studies.all().iter().find(|s| s.id == id).cloned();
            let Some(known) = known else { return };
            if !studies.is_closed.load(Ordering::Relaxed) {
                let record = Study { state: state.clone(), ..known }.record();
                research.keep(&record, finding.as_deref());
            }
            if let Some(study) = studies.all().iter_mut().find(|s| s.id == id) {
                study.state = state;
            }
        });
        // A thread that died has said so; the study stays as it was.
        drop(set.await);
    }

    fn find(&self, account: AccountId, kind: StudyKind, id: &str) -> Result<Study, Problem> {
        let all = self.all();
        let found = all.iter().find(|s| (&*s.id, s.account, s.kind) == (id, account, kind));
        found.cloned().ok_or_else(|| Problem::not_found(kind.name()))
    }

    /// An account's studies, newest first; without results.
    pub(crate) async fn list(
        self: &Arc<Self>,
        account: AccountId,
        kind: StudyKind,
        research: &Arc<dyn Research>,
    ) -> Result<Value, Problem> {
        self.apart(research, move |studies, _| {
            let all = studies.all();
            let own = all.iter().rev().filter(|s| (s.account, s.kind) == (account, kind));
            let items: Vec<Value> = own.map(Study::json).collect();
            // All of them: no more than are kept.
            json!({ "items": items, "next": null })
        })
        .await
    }

    /// How a study stands, with its result where it is done.
    pub(crate) async fn show(
        self: &Arc<Self>,
        account: AccountId,
        kind: StudyKind,
        id: String,
        research: &Arc<dyn Research>,
    ) -> Result<Value, Problem> {
        self.apart(research, move |studies, research| {
            let study = studies.find(account, kind, &id)?;
            let mut json = study.json();
            json["result"] = found(&study, research).map_or(Value::Null, |f| f.result.clone());
            Ok(json)
        })
        .await?
    }

    /// The page of a study that is done.
    pub(crate) async fn page(
        self: &Arc<Self>,
        account: AccountId,
        kind: StudyKind,
        id: String,
        research: &Arc<dyn Research>,
    ) -> Result<String, Problem> {
        self.apart(research, move |studies, research| {
            let study = studies.find(account, kind, &id)?;
            found(&study, research).map(|finding| finding.page.clone()).ok_or_else(|| {
                let detail = format!("the {} has no report: it is not done", kind.name());
                Problem::new(StatusCode::CONFLICT, "NOT_DONE", detail)
            })
        })
        .await?
    }

    /// Ends a study that is queued or runs; one that is over is forgotten.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        account: AccountId,
        kind: StudyKind,
        id: String,
        research: &Arc<dyn Research>,
    ) -> Result<(), Problem> {
        self.apart(research, move |studies, research| {
            let study = studies.find(account, kind, &id)?;
            if study.state.is_open() {
                study.course.cancelled.store(true, Ordering::Relaxed);
                return Ok(());
            }
            studies.all().retain(|s| s.id != id);
            research.forget(&id);
            Ok(())
        })
        .await?
    }

    /// The process ends: nothing new begins, what runs is told to end.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.all().iter().for_each(|s| s.course.cancelled.store(true, Ordering::Relaxed));
    }
}

/// What came out of a study; blocks.
fn found(study: &Study, research: &dyn Research) -> Option<Arc<Finding>> {
    match &study.state {
        State::Done(finding) => Some(finding.clone()),
        State::Kept => research.finding(&study.id).map(Arc::new),
        _ => None,
    }
}

/// Its first bot: `ema_cross 1h, BTC/USDT on binance`.
fn title_of(kind: StudyKind, plan: &Value) -> String {
    let plan = if kind == StudyKind::Sweep { &plan["plan"] } else { plan };
    let bot = &plan["bots"][0];
    let word = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let of = |field: &str| word(&bot[field]);
    let strategy = word(&bot["strategy"]["kind"]);
    let timeframe = bot["timeframe"].as_str().map(|t| format!(" {t}")).unwrap_or_default();
    let days = plan["last_days"].as_u64().map(|d| format!(", last {d} days")).unwrap_or_default();
    format!("{strategy}{timeframe}, {} on {}{days}", of("symbol"), of("exchange"))
}

fn bounded(finding: Finding) -> State {
    let bytes = finding.result.to_string().len() + finding.page.len();
    if bytes <= RESULT_BYTES_MAX {
        return State::Done(Arc::new(finding));
    }
    let max = RESULT_BYTES_MAX >> 20;
    State::Failed(format!("the result has {} MB, at most {max} are kept", bytes >> 20))
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    Timestamp(i64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(i64::MAX))
}
