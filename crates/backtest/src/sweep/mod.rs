//! Many variants of one bot over one decoded tape, on all cores.
//!
//! The time is cut into windows of equal length. A variant starts each of them anew; all but the
//! first are unseen by a choice that was made before, so the ranking is by those alone, and the
//! Sharpe ratio of the best is corrected for how many were tried. Variants that cannot be (a fast
//! mean slower than the slow one) are left out and not counted.

mod judge;
mod keep;
mod order;
mod page;
mod sampler;
mod space;

pub use judge::{Ranked, Ranking, Score, Step};
pub use keep::{Keeper, KeeperError};
pub use order::{SamplerName, SweepPlan};
pub use page::html;
pub use sampler::Choice;
pub use space::{Axis, Space, SpaceError};

use crate::decoded::Tape;
use crate::run::{Job, RunError, run};
use domain::{Amount, Timestamp};
use sampler::Sampler;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Variants that are chosen before the first of them is judged: the estimator learns between
/// batches, and threads are busy within one.
const BATCH: usize = 16;

/// What is to be swept.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// One bot; what varies is replaced.
    pub job: Job,
    /// What varies.
    pub space: Space,
    /// Who chooses.
    pub choice: Choice,
    /// How many at most.
    pub runs: usize,
    /// Windows of time.
    pub windows: usize,
    /// What a variant is judged by.
    pub score: Score,
    /// At once.
    pub threads: usize,
}

/// A variant and what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// The place on each axis.
    pub place: Vec<usize>,
    /// In each window.
    pub windows: Vec<Window>,
}

/// One window of a variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Returns of its days.
    #[serde(with = "exact")]
    pub days: Vec<f64>,
    /// At its end, open positions at the bid.
    pub profit: Amount,
    /// Closed round trips.
    pub trades: u64,
    /// Events that were worked off.
    pub inputs: u64,
}

/// Figures by their bits: a decimal text read back may differ in its last digit, and a sweep that
/// goes on must end as one that was never cut.
mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(days: &[f64], s: S) -> Result<S::Ok, S::Error> {
        days.iter().map(|day| day.to_bits()).collect::<Vec<_>>().serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        let bits = Vec::<u64>::deserialize(d)?;
        Ok(bits.into_iter().map(f64::from_bits).collect())
    }
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What varies.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Results could not be kept.
    #[error(transparent)]
    Keep(#[from] KeeperError),
}

/// Runs a sweep. `told` hears of each new variant with how many are done of how many.
///
/// # Errors
/// See [`SweepError`]; what was done by then is kept.
pub fn sweep(
    tape: &Tape,
    sweep: &Sweep,
    keeper: &mut Keeper,
    told: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Vec<Variant>, SweepError> {
    let windows = cut(tape, &sweep.job, sweep.windows)?;
    let mut sampler = Sampler::new(sweep.choice, &sweep.space, sweep.runs)?;
    let mut done: Vec<Variant> = Vec::new();
    let mut impossible: Option<SpaceError> = None;
    let total = sampler.total();
    loop {
        let batch = sampler.next_batch(BATCH.max(2 * sweep.threads));
        if batch.is_empty() {
            // A space without a single variant that can be is a mistake, not a result.
            return match impossible.filter(|_| done.is_empty()) {
                Some(error) => Err(error.into()),
                None => Ok(done),
            };
        }
        let (kept, new): (Vec<_>, Vec<_>) =
            batch.iter().cloned().partition(|place| keeper.has(place));
        let mut jobs = Vec::new();
        for place in &new {
            match sweep.space.apply(&sweep.job.bots[0], place) {
                Ok(bot) => {
                    jobs.push((place.clone(), Job { bots: vec![bot], ..sweep.job.clone() }));
                }
                Err(error) => {
                    sampler.learn(place, None);
                    impossible = Some(error);
                }
            }
        }
        let mut found = together(tape, &jobs, &windows, sweep.threads)?;
        keeper.keep(&found)?;
        found.extend(kept.iter().filter_map(|place| keeper.get(place)));
        // In the order of the batch, whoever was first: the same seed, the same way.
        found.sort_by_key(|v| batch.iter().position(|place| *place == v.place));
        for variant in &found {
            sampler.learn(&variant.place, sweep.score.of_all(variant));
        }
        done.extend(found);
        if told(done.len(), total).is_break() {
            return Err(RunError::Cancelled.into());
        }
    }
}

/// The windows' ends: equal parts of the time that there is.
fn cut(tape: &Tape, job: &Job, windows: usize) -> Result<Vec<(Timestamp, Timestamp)>, RunError> {
    let (first, last) = tape.span().ok_or_else(|| RunError::Data("the data is empty".into()))?;
    let (from, to) = (job.from.unwrap_or(first).max(first), job.to.unwrap_or(last).min(last));
    let part = (to.0 - from.0) / windows.max(1) as i64;
    if part <= 0 {
        return Err(RunError::Data("the time is too short for so many windows".to_owned()));
    }
    // On whole days where there are enough of them, so that daily returns are whole too.
    let day = Timestamp::DAY.0;
    let at = |n: i64| match part > 2 * day {
        true if n > 0 && n < windows as i64 => Timestamp(from.0 + part * n).day(),
        _ if n == windows as i64 => to,
        _ => Timestamp(from.0 + part * n),
    };
    Ok((0..windows as i64).map(|n| (at(n), at(n + 1))).collect())
}

/// Runs jobs on threads; results in the order of the jobs.
fn together(
    tape: &Tape,
    jobs: &[(Vec<usize>, Job)],
    windows: &[(Timestamp, Timestamp)],
    threads: usize,
) -> Result<Vec<Variant>, RunError> {
    // One piece is one window of one variant: short, so that threads end together.
    let pieces: Vec<(usize, usize)> =
        (0..jobs.len()).flat_map(|j| (0..windows.len()).map(move |w| (j, w))).collect();
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<Window, RunError>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, pieces.len().max(1)) {
            scope.spawn(|| {
                while let Some((n, (job, window))) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    pieces.get(n).map(|piece| (n, *piece))
                } {
                    let result = one(tape, &jobs[job].1, windows[window]);
                    let is_failed = result.is_err();
                    // A poisoned lock only says that another thread panicked; the list is whole.
                    let lock = results.lock();
                    lock.unwrap_or_else(std::sync::PoisonError::into_inner).push((n, result));
                    if is_failed {
                        next.store(pieces.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(n, _)| *n);
    let mut variants: Vec<Variant> = jobs
        .iter()
        .map(|(place, _)| Variant { place: place.clone(), windows: Vec::new() })
        .collect();
    for (n, result) in results {
        variants[pieces[n].0].windows.push(result?);
    }
    Ok(variants)
}

fn one(tape: &Tape, job: &Job, (from, to): (Timestamp, Timestamp)) -> Result<Window, RunError> {
    let job = Job { from: Some(from), to: Some(to), keeps_everything: false, ..job.clone() };
    let outcome = run(tape, &job, &mut |_| ControlFlow::Continue(()))?;
    let last = outcome.curve.ends().map_or(outcome.capital, |(_, last)| last.1);
    Ok(Window {
        days: outcome.days.daily(),
        profit: last - outcome.capital,
        trades: outcome.trades.len() as u64,
        inputs: outcome.inputs,
    })
}
