//! Which variants did well where they were not chosen for it.

use super::{Space, Variant};
use domain::Amount;
use ledger::statistics::sharpe::{Confidence, Moments};
use serde::{Deserialize, Serialize};

/// What a variant is judged by, over daily returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Mean over deviation, a year's.
    #[default]
    Sharpe,
    /// Growth.
    Return,
    /// Growth over the deepest daily drawdown.
    Calmar,
}

impl Score {
    /// Of these daily returns; `None` where it is not defined.
    pub fn of(self, days: &[f64]) -> Option<f64> {
        let growth = || days.iter().map(|r| 1.0 + r).product::<f64>() - 1.0;
        match self {
            Self::Sharpe => Moments::of(days).map(|m| m.sharpe * 365f64.sqrt()),
            Self::Return => (!days.is_empty()).then(growth),
            Self::Calmar => {
                let (mut value, mut peak, mut deepest) = (1.0f64, 1.0f64, 0.0f64);
                for day in days {
                    value *= 1.0 + day;
                    peak = peak.max(value);
                    deepest = deepest.max(1.0 - value / peak);
                }
                (deepest > 0.0).then(|| growth() / deepest)
            }
        }
    }

    /// Over everything: what a sampler learns from.
    pub(super) fn of_all(self, variant: &Variant) -> Option<f64> {
        self.of(&days(variant, 0..variant.windows.len()))
    }
}

fn days(variant: &Variant, windows: std::ops::Range<usize>) -> Vec<f64> {
    let windows = variant.windows.get(windows).unwrap_or_default();
    windows.iter().flat_map(|w| w.days.iter().copied()).collect()
}

/// A variant in the ranking.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Ranked {
    pub variant: String,
    /// Which value of each axis.
    pub place: Vec<usize>,
    /// Over all windows but the first.
    pub unseen_score: Option<f64>,
    /// Over the first one.
    pub first_score: Option<f64>,
    pub profit: Amount,
    pub trades: u64,
    /// Of the unseen days, corrected for the number of variants.
    pub confidence: Confidence,
}

/// One step of a walk forward: the best of all windows before, and what it did in the next.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Step {
    pub window: usize,
    pub chosen: String,
    pub score_before: Option<f64>,
    pub score_then: Option<f64>,
    pub profit_then: Amount,
}

/// A sweep's result.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Ranking {
    pub score: Score,
    pub variants: usize,
    /// Standard deviation of the variants' daily Sharpe ratios, which the correction needs.
    pub scatter: Option<f64>,
    pub ranked: Vec<Ranked>,
    pub walk_forward: Vec<Step>,
    pub walk_forward_score: Option<f64>,
    /// Of what was really chosen each time: nothing is picked afterwards, so it needs no correction
    /// but that of one.
    pub walk_forward_confidence: Confidence,
}

impl Ranking {
    /// Of these variants, best unseen score first.
    pub fn of(space: &Space, variants: &[Variant], score: Score) -> Self {
        let windows = variants.first().map_or(0, |v| v.windows.len());
        let unseen: Vec<Vec<f64>> = variants.iter().map(|v| days(v, 1..windows)).collect();
        let ratios: Vec<f64> =
            unseen.iter().filter_map(|d| Moments::of(d)).map(|m| m.sharpe).collect();
        let scatter = scatter(&ratios);
        let rank = |(variant, unseen): (&Variant, &Vec<f64>)| Ranked {
            variant: space.words(&variant.place),
            place: variant.place.clone(),
            unseen_score: score.of(unseen),
            first_score: score.of(&days(variant, 0..1)),
            profit: variant.windows.iter().map(|w| w.profit).sum(),
            trades: variant.windows.iter().map(|w| w.trades).sum(),
            confidence: Confidence::of(unseen, variants.len() as u64, scatter),
        };
        let mut ranked: Vec<Ranked> = variants.iter().zip(&unseen).map(rank).collect();
        let worth = |r: &Ranked| r.unseen_score.unwrap_or(f64::NEG_INFINITY);
        ranked.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then_with(|| a.place.cmp(&b.place)));
        let (steps, walked) = walk(space, variants, score, windows);
        Self {
            score,
            variants: variants.len(),
            scatter,
            ranked,
            walk_forward: steps,
            walk_forward_score: score.of(&walked),
            walk_forward_confidence: Confidence::of(&walked, 1, None),
        }
    }
}

fn scatter(ratios: &[f64]) -> Option<f64> {
    if ratios.len() < 2 {
        return None;
    }
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let squares: f64 = ratios.iter().map(|r| (r - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt())
}

/// Before each window the best so far is chosen; what it does then is what one would have had.
fn walk(
    space: &Space,
    variants: &[Variant],
    score: Score,
    windows: usize,
) -> (Vec<Step>, Vec<f64>) {
    let (mut steps, mut walked) = (Vec::new(), Vec::new());
    for window in 1..windows {
        let before = |v: &Variant| score.of(&days(v, 0..window)).unwrap_or(f64::NEG_INFINITY);
        let best = variants.iter().max_by(|a, b| before(a).total_cmp(&before(b)));
        let Some(best) = best else { continue };
        let then = &best.windows[window];
        steps.push(Step {
            window: window + 1,
            chosen: space.words(&best.place),
            score_before: score.of(&days(best, 0..window)),
            score_then: score.of(&then.days),
            profit_then: then.profit,
        });
        walked.extend(&then.days);
    }
    (steps, walked)
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Window};
    use super::*;

    fn variant(place: usize, windows: [&[f64]; 3]) -> Variant {
        let window = |days: &[f64]| Window { days: days.to_vec(), ..Window::default() };
        Variant { place: vec![place], windows: windows.map(window).to_vec() }
    }

    #[test]
    fn the_ranking_is_by_unseen_windows_and_the_walk_by_those_before() {
        let space = Space { axes: vec![Axis::parse("a=lucky,good").unwrap()] };
        let variants = [
            variant(0, [&[0.09, 0.1], &[-0.02, 0.01], &[-0.01, 0.0]]),
            variant(1, [&[0.0, 0.01], &[0.02, 0.01], &[0.01, 0.02]]),
        ];
        let ranking = Ranking::of(&space, &variants, Score::Return);
        assert_eq!(ranking.ranked[0].variant, "a=good");
        let chosen: Vec<_> = ranking.walk_forward.iter().map(|s| s.chosen.as_str()).collect();
        assert_eq!(chosen, ["a=lucky", "a=lucky"], "it cannot know better");
        assert!(ranking.walk_forward_score.unwrap() < 0.0);
        let best = &ranking.ranked[0].confidence;
        assert_eq!(best.variants, 2);
        assert!(best.deflated < best.probability);
    }
}
