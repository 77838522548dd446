//! `sweep …`

use super::{Failure, ended, engine_config, say, study, title, write};
use crate::cli::{self, Judged, Sampling};
use crate::config::Config;
use crate::research::progress::Progress;
use backtest::Tape;
use backtest::report::{Data, headline};
use backtest::run::{Job, RunError, run};
use backtest::sweep::{
    Axis, Choice, Keeper, Ranking, Score, Space, Sweep, SweepError, Variant, html,
    sweep as sweep_all,
};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

/// Variants named in a terminal.
const NAMED: usize = 10;

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Run(error) => Self::Run(error),
            other => Self::Usage(other.to_string()),
        }
    }
}

/// `sweep …`
pub fn sweep(asked: &cli::Sweep, plan: Option<&Path>, config: &Config) -> ExitCode {
    ended(carry_out(asked, plan, config))
}

fn carry_out(asked: &cli::Sweep, plan: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let plan = study::plan(&asked.study, plan)?;
    if plan.bots.len() != 1 {
        return Err(Failure::Usage("a sweep varies one bot".to_owned()));
    }
    let (tape, job) = plan.prepare(engine_config(config), None)?;
    let axes = asked.vary.iter().map(|text| Axis::parse(text));
    let axes = axes.collect::<Result<Vec<_>, _>>().map_err(SweepError::from)?;
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let what = Sweep {
        job,
        space: Space { axes },
        choice: choice(asked),
        runs: asked.runs as usize,
        windows: usize::from(asked.windows),
        score: score(asked.score),
        threads: asked.threads.map_or(all, usize::from),
    };
    let mut keeper = keeper(asked, &what, &json!(plan))?;
    let mut bar = Progress::new("sweep");
    let variants = sweep_all(&tape, &what, &mut keeper, &mut |done, total| {
        bar.show(done as f64 / total.max(1) as f64)
    })?;
    bar.end();
    let swept = swept(&tape, &what, &variants)?;
    if let Some(path) = &asked.study.report {
        write(path, &swept.page)?;
        write(&path.with_extension("json"), &format!("{:#}\n", swept.json))?;
    }
    match asked.study.json {
        true => say(&format!("{}\n", swept.json)),
        false => say(&swept.text),
    }
    Ok(())
}

/// What is shown of a sweep.
pub(super) struct Swept {
    /// `{data, ranking, space}`.
    pub(super) json: Value,
    pub(super) page: String,
    text: String,
}

pub(super) fn swept(tape: &Tape, what: &Sweep, variants: &[Variant]) -> Result<Swept, RunError> {
    let ranking = Ranking::of(&what.space, variants, what.score);
    // The data's figures are those of the bot as it was given.
    let job = Job { keeps_everything: false, ..what.job.clone() };
    let base = run(tape, &job, &mut |_| ControlFlow::Continue(()))?;
    let data = Data::of(tape, &base);
    let headline = headline(&data);
    let title = format!("Sweep: {}", title(&what.job));
    let page = html(&title, &headline, &what.space, &ranking);
    let text = text(&headline, &ranking);
    Ok(Swept { json: json!({ "data": data, "ranking": ranking, "space": what.space }), page, text })
}

fn choice(asked: &cli::Sweep) -> Choice {
    match asked.sampler {
        Sampling::Grid => Choice::Grid,
        Sampling::Random => Choice::Random(asked.seed),
        Sampling::Tpe => Choice::Tpe(asked.seed),
    }
}

fn score(judged: Judged) -> Score {
    match judged {
        Judged::Sharpe => Score::Sharpe,
        Judged::Return => Score::Return,
        Judged::Calmar => Score::Calmar,
    }
}

/// A file of results belongs to one plan, space and cut of time.
fn keeper(asked: &cli::Sweep, what: &Sweep, plan: &serde_json::Value) -> Result<Keeper, Failure> {
    let Some(path) = &asked.resume else { return Ok(Keeper::default()) };
    let what = json!({
        "plan": plan,
        "space": what.space,
        "windows": what.windows,
        "seed": what.job.engine.seed,
        "policy": what.job.engine.policy,
        "latency_ms": [what.job.engine.latency_ms_p50, what.job.engine.latency_ms_p99],
    });
    let keeper = Keeper::open(path, &what).map_err(SweepError::from)?;
    if !keeper.is_empty() {
        eprintln!("amarktai: {} variants are known from {}", keeper.len(), path.display());
    }
    Ok(keeper)
}

fn text(headline: &str, ranking: &Ranking) -> String {
    let number = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{v:.2}"));
    let share = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{:.1} %", v * 100.0));
    let mut text = format!("{headline}\n{} variants\n", ranking.variants);
    text += "unseen   P>0      deflated  trades  variant\n";
    for r in ranking.ranked.iter().take(NAMED) {
        text += &format!(
            "{:<8} {:<8} {:<9} {:<7} {}\n",
            number(r.unseen_score),
            share(r.confidence.probability),
            share(r.confidence.deflated),
            r.trades,
            r.variant
        );
    }
    text += &format!(
        "walk forward: {}, above zero with {}\n",
        number(ranking.walk_forward_score),
        share(ranking.walk_forward_confidence.probability)
    );
    text
}
