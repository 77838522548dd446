//! Who chooses the next variants.

use super::SpaceError;
use super::space::Space;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use tpe::TpeOptimizer;

/// How variants are chosen; the same seed chooses the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Every place, in order.
    Grid,
    /// Any place, each once.
    Random(u64),
    /// Near those that did well: the crate `tpe`'s tree-structured Parzen estimator, one per axis.
    Tpe(u64),
}

/// Tries for a place that was not chosen yet; a space that is nearly used up is left at that.
const TRIES: usize = 200;

/// See the module.
pub(super) struct Sampler<'a> {
    space: &'a Space,
    choice: Choice,
    rng: SmallRng,
    estimators: Vec<TpeOptimizer>,
    chosen: BTreeSet<Vec<usize>>,
    number: usize,
    total: usize,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(choice: Choice, space: &'a Space, runs: usize) -> Result<Self, SpaceError> {
        let seed = match choice {
            Choice::Grid => 0,
            Choice::Random(seed) | Choice::Tpe(seed) => seed,
        };
        let total = match choice {
            Choice::Grid => space.size(),
            _ => runs.min(space.size()),
        };
        if total > 100_000 {
            let problem = format!("{total} variants are too many: at most 100000, or sample them");
            return Err(SpaceError(problem));
        }
        let estimator = |values: usize| {
            let range = tpe::range(0.0, values as f64).map_err(|e| SpaceError(e.to_string()))?;
            Ok(TpeOptimizer::new(tpe::parzen_estimator(), range))
        };
        let estimators = space.axes.iter().map(|axis| estimator(axis.values.len()));
        Ok(Self {
            space,
            choice,
            rng: SmallRng::seed_from_u64(seed),
            estimators: estimators.collect::<Result<_, SpaceError>>()?,
            chosen: BTreeSet::new(),
            number: 0,
            total,
        })
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The next variants; none at the end.
    pub(super) fn next_batch(&mut self, most: usize) -> Vec<Vec<usize>> {
        let mut batch = Vec::new();
        while batch.len() < most && self.number < self.total {
            let Some(place) = self.next() else { break };
            batch.push(place);
            self.number += 1;
        }
        batch
    }

    fn next(&mut self) -> Option<Vec<usize>> {
        if self.choice == Choice::Grid {
            return Some(self.space.place(self.number));
        }
        for attempt in 0..TRIES {
            // The estimator may insist on a place that is known: then chance goes on.
            let place = match self.choice {
                Choice::Tpe(_) if attempt < TRIES / 2 => self.asked(),
                _ => self.any(),
            };
            if self.chosen.insert(place.clone()) {
                return Some(place);
            }
        }
        None
    }

    fn any(&mut self) -> Vec<usize> {
        let rng = &mut self.rng;
        self.space.axes.iter().map(|axis| rng.random_range(0..axis.values.len())).collect()
    }

    fn asked(&mut self) -> Vec<usize> {
        let (rng, axes) = (&mut self.rng, &self.space.axes);
        let ask = |(estimator, axis): (&mut TpeOptimizer, &super::Axis)| {
            let value = estimator.ask(rng).map_or(0.0, |value: f64| value);
            (value.max(0.0) as usize).min(axis.values.len() - 1)
        };
        self.estimators.iter_mut().zip(axes).map(ask).collect()
    }

    /// What a place was worth: the estimators look for small figures, so it is turned around.
    pub(super) fn learn(&mut self, place: &[usize], score: Option<f64>) {
        if !matches!(self.choice, Choice::Tpe(_)) {
            return;
        }
        let score = score.filter(|score| score.is_finite()).unwrap_or(-1e6);
        for (estimator, at) in self.estimators.iter_mut().zip(place) {
            // In the middle of its value's stretch, which is inside the range.
            let _told = estimator.tell(*at as f64 + 0.5, -score);
        }
    }
}
