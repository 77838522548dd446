//! How much a Sharpe ratio proves: the probability that the true one is above zero, and the same
//! after the best of many was picked (Bailey and López de Prado, 2012 and 2014).

use super::normal::{cumulative, quantile};
use super::{deviation, mean};
use serde::Serialize;

/// Euler's and Mascheroni's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// What is enough of a series of returns to judge its Sharpe ratio, per period and not annualised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Returns.
    pub n: f64,
    /// Mean / standard deviation (n − 1).
    pub sharpe: f64,
    /// Third standardised moment: 0 where symmetrical.
    pub skewness: f64,
    /// Fourth standardised moment: 3 where normal.
    pub kurtosis: f64,
}

impl Moments {
    /// Of these returns; `None` with fewer than two, or where all are equal.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let n = returns.len() as f64;
        let spread = if returns.len() < 2 { 0.0 } else { deviation(returns, 0.0) };
        if spread <= 0.0 || !spread.is_finite() {
            return None;
        }
        let middle = mean(returns);
        let moment = |power: i32| {
            returns.iter().map(|r| ((r - middle) / spread).powi(power)).sum::<f64>() / n
        };
        let sharpe = middle / deviation(returns, 1.0);
        Some(Self { n, sharpe, skewness: moment(3), kurtosis: moment(4) })
    }

    /// Of sums of powers: of the returns, their squares, cubes and fourth powers.
    pub fn of_sums(count: u32, [s1, s2, s3, s4]: [f64; 4]) -> Option<Self> {
        let n = f64::from(count);
        let middle = s1 / n;
        let second = s2 / n - middle * middle;
        // What is left of equal returns is rounding.
        if count < 2 || second <= 1e-18 {
            return None;
        }
        let third = s3 / n - 3.0 * middle * s2 / n + 2.0 * middle.powi(3);
        let fourth =
            s4 / n - 4.0 * middle * s3 / n + 6.0 * middle * middle * s2 / n - 3.0 * middle.powi(4);
        let sharpe = middle / (second * n / (n - 1.0)).sqrt();
        let skewness = third / second.powf(1.5);
        Some(Self { n, sharpe, skewness, kurtosis: fourth / (second * second) })
    }

    /// The probability that the true Sharpe ratio is above `benchmark`, both per period.
    pub fn probability_above(&self, benchmark: f64) -> Option<f64> {
        let Self { n, sharpe, skewness, kurtosis } = *self;
        let square = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
        let score = (sharpe - benchmark) * (n - 1.0).sqrt() / square.sqrt();
        score.is_finite().then(|| cumulative(score))
    }

    /// How many returns like these it takes until the true ratio is above zero with this
    /// probability, corrected for so many variants by the scatter of chance; `None`: never, as the
    /// ratio is not above zero.
    pub fn returns_until(&self, probability: f64, variants: u64) -> Option<f64> {
        let Self { sharpe, skewness, kurtosis, .. } = *self;
        let spread = (1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe).sqrt();
        // Both the ratio's score and what chance shows scale with √(n − 1), so only the score grows.
        let root = (quantile(probability) * spread + best_of_chance(variants, 1.0)) / sharpe;
        let returns = root.max(1.0).powi(2) + 1.0;
        (sharpe > 0.0 && returns.is_finite()).then_some(returns)
    }
}

/// The largest Sharpe ratio that chance alone is expected to show among this many variants whose
/// ratios scatter with this standard deviation.
pub fn best_of_chance(variants: u64, deviation: f64) -> f64 {
    if variants < 2 {
        return 0.0;
    }
    let n = variants as f64;
    let first = quantile(1.0 - 1.0 / n);
    let second = quantile(1.0 - 1.0 / (n * std::f64::consts::E));
    deviation * ((1.0 - EULER) * first + EULER * second)
}

/// How sure one may be of a Sharpe ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Confidence {
    /// Probability that the true ratio is above zero.
    pub probability: Option<f64>,
    /// The same against the best that chance alone would show among all variants tried.
    pub deflated: Option<f64>,
    /// How many variants that corrects for.
    pub variants: u64,
}

impl Confidence {
    /// Of these returns, picked among `variants`; `scatter` is the standard deviation of the
    /// variants' ratios where they are known, else that of chance: 1 / √(n − 1).
    pub fn of(returns: &[f64], variants: u64, scatter: Option<f64>) -> Self {
        let variants = variants.max(1);
        match Moments::of(returns) {
            Some(moments) => Self::of_moments(&moments, variants, scatter),
            None => Self { variants, ..Self::default() },
        }
    }

    /// The same of what is enough of the returns.
    pub fn of_moments(moments: &Moments, variants: u64, scatter: Option<f64>) -> Self {
        let scatter = scatter.unwrap_or(1.0 / (moments.n - 1.0).sqrt());
        Self::against(moments, variants, scatter * best_of_chance(variants, 1.0))
    }

    /// The same by the scatter of chance, for whoever asks often: `chance` is [`best_of_chance`] of so
    /// many variants and a deviation of one, which takes a hundred times as long as all the rest.
    pub fn by_chance(moments: &Moments, variants: u64, chance: f64) -> Self {
        Self::against(moments, variants, 1.0 / (moments.n - 1.0).sqrt() * chance)
    }

    fn against(moments: &Moments, variants: u64, best: f64) -> Self {
        let probability = moments.probability_above(0.0);
        let deflated = moments.probability_above(best);
        Self { probability, deflated, variants: variants.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_comes_out() {
        // Bailey and López de Prado (2014), p. 9: 100 trials, variance 1/2 a year, 250 days, a
        // ratio of 2.5 a year over 1,250 days, skewness −3, kurtosis 10: 0.1132 a day, 0.9004.
        let chance = best_of_chance(100, (0.5f64 / 250.0).sqrt());
        assert!((chance - 0.1132).abs() < 5e-5, "{chance}");
        let sharpe = 2.5 / 250f64.sqrt();
        let moments = Moments { n: 1_250.0, sharpe, skewness: -3.0, kurtosis: 10.0 };
        let deflated = moments.probability_above(chance).unwrap();
        assert!((deflated - 0.9004).abs() < 5e-5, "{deflated}");
    }

    #[test]
    fn known_chance_gives_the_same_confidence_to_the_last_bit() {
        let moments = Moments { n: 12.0, sharpe: 0.11, skewness: -0.4, kurtosis: 4.0 };
        for variants in [1, 2, 17, 10_000] {
            let known = Confidence::by_chance(&moments, variants, best_of_chance(variants, 1.0));
            assert_eq!(known, Confidence::of_moments(&moments, variants, None));
            let best = best_of_chance(variants, 1.0 / 11f64.sqrt());
            assert_eq!(known.deflated, moments.probability_above(best));
        }
    }

    #[test]
    fn after_the_foretold_number_of_like_returns_the_probability_is_there() {
        let now = Moments { n: 12.0, sharpe: 0.11, skewness: -0.4, kurtosis: 4.0 };
        for (probability, variants) in [(0.8, 1), (0.95, 1), (0.95, 12), (0.95, 400)] {
            let n = now.returns_until(probability, variants).unwrap();
            let then = Confidence::of_moments(&Moments { n, ..now }, variants, None);
            assert!((then.deflated.unwrap() - probability).abs() < 1e-6, "{n}: {then:?}");
        }
        let losing = Moments { sharpe: -0.1, ..now };
        assert_eq!(losing.returns_until(0.8, 1), None, "more of the same proves the opposite");
    }

    #[test]
    fn sums_of_powers_say_the_same_as_the_returns() {
        let returns: Vec<f64> = (0..40).map(|i| 0.003 * f64::from((i * 7) % 11) - 0.01).collect();
        let sums = [1, 2, 3, 4].map(|p| returns.iter().map(|r| r.powi(p)).sum());
        let (a, b) = (Moments::of(&returns).unwrap(), Moments::of_sums(40, sums).unwrap());
        for (a, b) in [(a.sharpe, b.sharpe), (a.skewness, b.skewness), (a.kurtosis, b.kurtosis)] {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        assert_eq!(Moments::of_sums(3, [0.03, 0.0003, 3e-6, 3e-8]), None, "all equal");
    }

    #[test]
    fn more_variants_prove_less_and_one_is_no_choice() {
        let returns: Vec<f64> = (0..200).map(|i| 0.002 + 0.01 * f64::from(i % 7 - 3)).collect();
        let of = |variants| Confidence::of(&returns, variants, None);
        assert_eq!(of(1).probability, of(1).deflated);
        assert!(of(10).deflated < of(1).deflated);
        assert!(of(1_000).deflated < of(10).deflated);
        assert_eq!(of(1_000).probability, of(1).probability);
    }

    #[test]
    fn equal_returns_prove_nothing() {
        assert_eq!(Moments::of(&[0.01, 0.01, 0.01]), None);
        assert_eq!(Confidence::of(&[], 3, None).probability, None);
    }
}
