//! A sweep as people write it, over HTTP.

use super::{Axis, Choice, Score, Space, Sweep, SweepError};
use crate::plan::{Plan, PlanError};
use crate::run::Job;
use serde::{Deserialize, Serialize};

/// Variants of a sweep that is asked for over HTTP: trading on the same machine comes first.
const RUNS_MAX: usize = 10_000;
/// Windows of time.
const WINDOWS: std::ops::RangeInclusive<usize> = 2..=60;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepPlan {
    /// One bot and its data.
    pub plan: Plan,
    /// What varies, each as `NAME=VALUES`.
    pub vary: Vec<String>,
    /// Who chooses the variants.
    #[serde(default)]
    pub sampler: SamplerName,
    /// How many, where not all are run.
    #[serde(default = "hundred")]
    pub runs: usize,
    /// Parts of equal length that the time is cut into.
    #[serde(default = "five")]
    pub windows: usize,
    /// What a variant is judged by.
    #[serde(default)]
    pub score: Score,
    /// Of the sampler.
    #[serde(default = "one")]
    pub seed: u64,
}

/// A sampler by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerName {
    /// All variants.
    #[default]
    Grid,
    /// Any of them.
    Random,
    /// Near those that did well.
    Tpe,
}

const fn hundred() -> usize {
    100
}

const fn five() -> usize {
    5
}

const fn one() -> u64 {
    1
}

impl SamplerName {
    /// With its seed.
    pub const fn seeded(self, seed: u64) -> Choice {
        match self {
            Self::Grid => Choice::Grid,
            Self::Random => Choice::Random(seed),
            Self::Tpe => Choice::Tpe(seed),
        }
    }
}

impl SweepPlan {
    fn space(&self) -> Result<Space, SweepError> {
        let axes = self.vary.iter().map(|text| Axis::parse(text));
        Ok(Space { axes: axes.collect::<Result<Vec<_>, _>>()? })
    }

    /// What can be said without reading any data.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        self.plan.check().map_err(|e: PlanError| e.to_string())?;
        if self.plan.bots.len() != 1 {
            return Err("a sweep varies one bot".to_owned());
        }
        if self.vary.is_empty() || self.vary.len() > 16 {
            return Err("vary: 1 to 16 axes, each as NAME=VALUES".to_owned());
        }
        if !WINDOWS.contains(&self.windows) {
            return Err(format!("windows: {} to {}", WINDOWS.start(), WINDOWS.end()));
        }
        let size = self.space().map_err(|e| e.to_string())?.size();
        let runs = if self.sampler == SamplerName::Grid { size } else { self.runs.min(size) };
        if !(1..=RUNS_MAX).contains(&runs) {
            return Err(format!("{runs} variants: 1 to {RUNS_MAX}, or sample them"));
        }
        Ok(())
    }

    /// The sweep of a prepared job, on so many threads.
    ///
    /// # Errors
    /// What varies makes no sense.
    pub fn sweep(&self, job: Job, threads: usize) -> Result<Sweep, SweepError> {
        let choice = self.sampler.seeded(self.seed);
        let Self { runs, windows, score, .. } = *self;
        Ok(Sweep { job, space: self.space()?, choice, runs, windows, score, threads })
    }
}
