//! Backtests that are asked for over HTTP: the same plan, the same run, data from one folder alone.

use super::{engine_config, title};
use crate::config::Config;
use backtest::Plan;
use backtest::report::{Report, html};
use backtest::run::run;
use engine::EngineConfig;
use serde_json::Value;
use server::{Course, Finding, Research};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Of the data directory: nothing else can be named.
const FOLDER: &str = "data";

/// See the module.
pub struct Backtests {
    root: PathBuf,
    engine: EngineConfig,
}

impl Backtests {
    /// With the limits and round trips that are configured.
    pub fn new(config: &Config) -> Self {
        Self { root: config.data_dir.join(FOLDER), engine: engine_config(config) }
    }
}

fn plan(json: &Value) -> Result<Plan, String> {
    serde_json::from_value(json.clone()).map_err(|e| e.to_string())
}

impl Research for Backtests {
    fn check(&self, json: &Value) -> Result<(), String> {
        plan(json)?.check().map_err(|e| e.to_string())
    }

    fn backtest(&self, json: &Value, course: &Course) -> Result<Finding, String> {
        let plan = plan(json)?;
        let prepared = plan.prepare(self.engine.clone(), Some(&self.root));
        let (tape, job) = prepared.map_err(|e| e.to_string())?;
        let mut watch = |done| match course.report(done) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let outcome = run(&tape, &job, &mut watch).map_err(|e| e.to_string())?;
        let report = Report::new(title(&job), &tape, &outcome, 1);
        Ok(Finding { result: report.json(), page: html(&report) })
    }
}
