//! `backtest` and `sweep`: recorded data, no store; the server asks for them too.

mod gather;
mod http;
mod progress;
mod study;
mod sweep;

pub use http::Studies;
pub use sweep::sweep;

use crate::cli;
use crate::config::Config;
use backtest::report::{Report, html};
use backtest::run::{Job, Outcome, RunError, run};
use backtest::{PlanError, Tape, TapeError};
use engine::EngineConfig;
use progress::Progress;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// It could not be done, or not as it was asked for.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("{}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    LooksAhead(String),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Plan(PlanError::Plan(_)) | Self::Run(RunError::Bot { .. }) => {
                ExitCode::from(2)
            }
            _ => ExitCode::FAILURE,
        }
    }
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("amarktai: {failure}");
            failure.exit_code()
        }
    }
}

/// Seed, round trips and limits as they are configured for paper trading.
pub fn engine_config(config: &Config) -> EngineConfig {
    EngineConfig {
        seed: config.simulator.seed,
        latency_ms_p50: f64::from(config.simulator.latency_ms_p50),
        latency_ms_p99: f64::from(config.simulator.latency_ms_p99),
        policy: config.policy.clone(),
    }
}

/// `backtest …`
pub fn backtest(asked: &cli::Backtest, plan: Option<&Path>, config: &Config) -> ExitCode {
    ended(carry_out(asked, plan, config))
}

fn carry_out(asked: &cli::Backtest, plan: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let plan = study::plan(&asked.study, plan)?;
    let (tape, job) = plan.prepare(engine_config(config), None)?;
    let title = title(&job);
    if asked.check_look_ahead {
        return look_ahead(&tape, &job);
    }
    let mut bar = Progress::new("backtest");
    let outcome = run(&tape, &job, &mut |done| bar.show(done))?;
    bar.end();
    let report = Report::new(title, &tape, &outcome, asked.variants);
    if let Some(path) = &asked.study.report {
        write_files(path, &report, &outcome)?;
    }
    match asked.study.json {
        true => say(&format!("{}\n", report.json())),
        false => say(&report.text()),
    }
    Ok(())
}

fn title(job: &Job) -> String {
    match job.bots.as_slice() {
        [bot] => format!("{} on {} {}", bot.strategy.kind, bot.exchange, bot.symbol),
        bots => format!("{} bots", bots.len()),
    }
}

fn look_ahead(tape: &Tape, job: &Job) -> Result<(), Failure> {
    let found = backtest::look_ahead::check(tape, job)?;
    if let Some(first) = found.differences.first() {
        return Err(Failure::LooksAhead(format!(
            "the future changed the past at {} of {} places, first: {first}",
            found.differences.len(),
            found.places
        )));
    }
    say(&format!("the future was changed at {} places, nothing before changed\n", found.places));
    Ok(())
}

/// The page, and beside it the same as JSON and CSV.
fn write_files(path: &Path, report: &Report<'_>, outcome: &Outcome) -> Result<(), Failure> {
    let json = format!("{:#}\n", report.json());
    let beside = |kind: &str| path.with_extension(kind);
    write(path, &html(report))?;
    write(&beside("json"), &json)?;
    write(&beside("trades.csv"), &report.trades_csv())?;
    write(&beside("equity.csv"), &report.equity_csv())?;
    let trades = outcome.trades.len();
    eprintln!("{} written, with JSON and CSV of {trades} trades beside it", path.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |source| Failure::Write { path: path.to_owned(), source };
    std::fs::write(path, text).map_err(failed)
}

/// A reader that went away, as `head`, is no fault of ours.
fn say(text: &str) {
    let _gone = std::io::stdout().write_all(text.as_bytes());
}

impl From<TapeError> for Failure {
    fn from(error: TapeError) -> Self {
        Self::Plan(error.into())
    }
}
