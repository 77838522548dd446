//! Backtests and sweeps that are asked for over HTTP: the same plans, the same runs, data from one
//! folder alone, or fetched into it. What came out is kept in files beside the store.

use super::gather::{Gatherer, taken};
use super::sweep::{Swept, swept};
use super::{engine_config, title};
use crate::config::Config;
use crate::core_loop::Catalogue;
use crate::feeds::FeedsStatus;
use backtest::Plan;
use backtest::report::{Report, html};
use backtest::run::run;
use backtest::sweep::{Keeper, SweepPlan, sweep};
use engine::EngineConfig;
use serde::de::DeserializeOwned;
use serde_json::Value;
use server::{Course, Finding, Research, StudyKind, StudyRecord};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// Of the data directory: nothing else can be named.
const FOLDER: &str = "data";
/// Of the data directory: what came out.
const STUDIES: &str = "studies";
/// Trading on the same machine comes first.
const THREADS: usize = 1;

/// See the module.
pub struct Studies {
    root: PathBuf,
    kept: PathBuf,
    engine: EngineConfig,
    gatherer: Gatherer,
}

/// Of a study that fetches first, this much of its course is the fetching.
const FETCHING: f64 = 0.6;

/// Its course from where the fetching left it.
struct Rest<'a> {
    course: &'a Course,
    from: f64,
}

impl Rest<'_> {
    fn told(&self, done: f64) -> ControlFlow<()> {
        go_on(self.course.report(self.from + (1.0 - self.from) * done))
    }
}

impl Studies {
    /// With the limits and round trips that are configured; candles are fetched by these feeds.
    pub fn new(config: &Config, feeds: Arc<FeedsStatus>, catalogue: Catalogue) -> Self {
        let (root, kept) = (config.data_dir.join(FOLDER), config.data_dir.join(STUDIES));
        let gatherer = Gatherer { feeds, catalogue, root: root.clone() };
        Self { root, kept, engine: engine_config(config), gatherer }
    }

    /// Fetches what a plan asks for in place of files.
    fn gather<'a>(
        &self,
        plan: &mut Plan,
        days: Option<u32>,
        course: &'a Course,
    ) -> Result<Rest<'a>, String> {
        let Some(days) = days else { return Ok(Rest { course, from: 0.0 }) };
        self.gatherer.fill(plan, days, &mut |done| course.report(FETCHING * done))?;
        Ok(Rest { course, from: FETCHING })
    }

    fn backtest(&self, json: &Value, course: &Course) -> Result<Finding, String> {
        let mut json = json.clone();
        let days = taken(&mut json)?;
        let mut plan: Plan = parsed(&json)?;
        let rest = self.gather(&mut plan, days, course)?;
        let prepared = plan.prepare(self.engine.clone(), Some(&self.root));
        let (tape, job) = prepared.map_err(|e| e.to_string())?;
        let mut watch = |done| rest.told(done);
        let outcome = run(&tape, &job, &mut watch).map_err(|e| e.to_string())?;
        let report = Report::new(title(&job), &tape, &outcome, 1);
        Ok(Finding { result: report.json(), page: html(&report) })
    }

    fn sweep(&self, json: &Value, course: &Course) -> Result<Finding, String> {
        let mut json = json.clone();
        let days = days_of_sweep(&mut json)?;
        let mut asked: SweepPlan = parsed(&json)?;
        let rest = self.gather(&mut asked.plan, days, course)?;
        let prepared = asked.plan.prepare(self.engine.clone(), Some(&self.root));
        let (tape, job) = prepared.map_err(|e| e.to_string())?;
        let what = asked.sweep(job, THREADS).map_err(|e| e.to_string())?;
        let mut told = |done: usize, all: usize| rest.told(done as f64 / all.max(1) as f64);
        let variants = sweep(&tape, &what, &mut Keeper::default(), &mut told);
        let variants = variants.map_err(|e| e.to_string())?;
        let Swept { json, page, .. } = swept(&tape, &what, &variants).map_err(|e| e.to_string())?;
        Ok(Finding { result: json, page })
    }

    fn file(&self, id: &str, kind: &str) -> PathBuf {
        self.kept.join(format!("{id}.{kind}"))
    }
}

fn days_of_sweep(json: &mut Value) -> Result<Option<u32>, String> {
    json.get_mut("plan").map_or(Ok(None), taken)
}

const fn go_on(yes: bool) -> ControlFlow<()> {
    if yes { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn parsed<T: DeserializeOwned>(json: &Value) -> Result<T, String> {
    serde_json::from_value(json.clone()).map_err(|e| e.to_string())
}

/// The whole file or none of it: a kill leaves no half of a result.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(part, path)
}

/// Names of our own are hexadecimal: nothing else in the folder is taken for a study.
fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Research for Studies {
    fn check(&self, kind: StudyKind, json: &Value) -> Result<(), String> {
        let mut json = json.clone();
        match kind {
            StudyKind::Backtest => {
                taken(&mut json)?;
                parsed::<Plan>(&json)?.check().map_err(|e| e.to_string())
            }
            StudyKind::Sweep => {
                days_of_sweep(&mut json)?;
                parsed::<SweepPlan>(&json)?.check()
            }
        }
    }

    fn run(&self, kind: StudyKind, json: &Value, course: &Course) -> Result<Finding, String> {
        match kind {
            StudyKind::Backtest => self.backtest(json, course),
            StudyKind::Sweep => self.sweep(json, course),
        }
    }

    fn keep(&self, record: &StudyRecord, finding: Option<&Finding>) {
        let write_all = || -> io::Result<()> {
            fs::create_dir_all(&self.kept)?;
            if let Some(Finding { result, page }) = finding {
                write(&self.file(&record.id, "result"), result.to_string().as_bytes())?;
                write(&self.file(&record.id, "html"), page.as_bytes())?;
            }
            // Last: what it calls done is there.
            write(&self.file(&record.id, "json"), &serde_json::to_vec(record)?)
        };
        if let Err(error) = write_all() {
            tracing::warn!(%error, id = record.id, "a study is not kept over the next start");
        }
    }

    fn kept(&self) -> Vec<StudyRecord> {
        let Ok(files) = fs::read_dir(&self.kept) else { return Vec::new() };
        let record = |path: PathBuf| -> Option<StudyRecord> {
            let is_ours = path.extension()? == "json" && is_id(path.file_stem()?.to_str()?);
            let text = fs::read(&path).ok().filter(|_| is_ours)?;
            serde_json::from_slice(&text).ok()
        };
        let mut kept: Vec<_> = files.filter_map(|file| record(file.ok()?.path())).collect();
        kept.sort_by_key(|record| record.asked_at);
        kept
    }

    fn finding(&self, id: &str) -> Option<Finding> {
        if !is_id(id) {
            return None;
        }
        let result = serde_json::from_slice(&fs::read(self.file(id, "result")).ok()?).ok()?;
        Some(Finding { result, page: fs::read_to_string(self.file(id, "html")).ok()? })
    }

    fn forget(&self, id: &str) {
        for kind in ["json", "result", "html"] {
            // What is not there is forgotten already.
            let _ = fs::remove_file(self.file(id, kind));
        }
    }
}
