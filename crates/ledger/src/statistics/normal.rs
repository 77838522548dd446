//! The standard normal distribution.

use std::f64::consts::SQRT_2;

/// Probability of a value up to `x`.
pub(super) fn cumulative(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// The value below which a share `p` (above 0, below 1) lies.
///
/// By halving: 80 steps of a known function are exact to the last digits that matter and need no
/// table of constants; it is asked once a report.
pub(super) fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if cumulative(middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_normal_distribution() {
        for (x, p) in [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-1.96, 0.024_997_895_148_220)] {
            assert!((cumulative(x) - p).abs() < 1e-12, "{x}");
        }
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((quantile(0.01) + 2.326_347_874_040_841).abs() < 1e-9);
    }
}
