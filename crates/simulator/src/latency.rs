//! Round trips to an exchange.

use domain::{AccountId, OrderId, Span};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Which message of an order travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// The order itself.
    Send,
    /// Its cancellation.
    Cancel,
}

/// A lognormal distribution of round trips: configured, then what the connector measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyModel {
    p50_ms: f64,
    p99_ms: f64,
    /// The newest measured round trips in milliseconds.
    measured: VecDeque<f64>,
}

/// Enough for a stable median and a rough tail; small enough to sort at each sample.
const SAMPLES_MAX: usize = 200;
/// Fewer say too little to replace the configured distribution.
const SAMPLES_MIN: usize = 20;
/// z of the 99th percentile.
const Z99: f64 = 2.326_347_874_040_841;

impl LatencyModel {
    /// From its median and its 99th percentile.
    pub fn new(p50_ms: f64, p99_ms: f64) -> Self {
        let p50_ms = p50_ms.max(0.001);
        Self { p50_ms, p99_ms: p99_ms.max(p50_ms), measured: VecDeque::new() }
    }

    /// Takes a measured round trip into account.
    pub fn measure(&mut self, round_trip: Span) {
        if self.measured.len() == SAMPLES_MAX {
            self.measured.pop_front();
        }
        self.measured.push_back(round_trip.as_millis_f64().max(0.001));
        if self.measured.len() >= SAMPLES_MIN {
            let mut sorted: Vec<f64> = self.measured.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            self.p50_ms = sorted[sorted.len() / 2];
            self.p99_ms = sorted[sorted.len() * 99 / 100].max(self.p50_ms);
        }
    }

    /// Is it what the connector measured?
    pub fn is_measured(&self) -> bool {
        self.measured.len() >= SAMPLES_MIN
    }

    /// Median and 99th percentile in milliseconds.
    pub const fn percentiles_ms(&self) -> (f64, f64) {
        (self.p50_ms, self.p99_ms)
    }
}

/// The round trip of one message: depends on nothing but its arguments.
pub fn draw(model: &LatencyModel, seed: u64, account: AccountId, order: OrderId, leg: Leg) -> Span {
    let mut key = [0u8; 13];
    key[..4].copy_from_slice(&account.0.to_le_bytes());
    key[4..12].copy_from_slice(&u64::from(order).to_le_bytes());
    key[12] = leg as u8;
    let hash = xxh3_64_with_seed(&key, seed);
    // 53 bits, never 0 or 1.
    let uniform = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let sigma = libm::log(model.p99_ms / model.p50_ms) / Z99;
    let ms = model.p50_ms * libm::exp(sigma * inverse_normal(uniform));
    // One in 10^15 draws would be absurd; nothing waits ten times the 99th percentile.
    Span((ms.min(model.p99_ms * 10.0) * 1e6) as i64)
}

/// Quantile of the standard normal distribution (Acklam's rational approximation, relative error
/// below 1.2e-9).
fn inverse_normal(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.38357751867269e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 4] = [
        7.784695709041462e-03,
        3.224671290700398e-01,
        2.445134137142996e+00,
        3.754408661907416e+00,
    ];
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |q: f64| horner(&C, q) / (horner(&D, q) * q + 1.0);
    if p < 0.02425 {
        tail(libm::sqrt(-2.0 * libm::log(p)))
    } else if p > 1.0 - 0.02425 {
        -tail(libm::sqrt(-2.0 * libm::log(1.0 - p)))
    } else {
        let q = p - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BotId;

    #[test]
    fn draws_follow_the_stated_percentiles_and_depend_on_nothing_else() {
        let model = LatencyModel::new(60.0, 250.0);
        let of = |seq| {
            let order = OrderId { bot: BotId(7), seq };
            draw(&model, 1, AccountId(1), order, Leg::Send).as_millis_f64()
        };
        let mut draws: Vec<f64> = (1..=20_000).map(of).collect();
        assert_eq!(of(17).to_bits(), draws[16].to_bits());
        draws.sort_by(f64::total_cmp);
        assert!((draws[10_000] - 60.0).abs() < 1.5, "median {}", draws[10_000]);
        assert!((draws[19_800] - 250.0).abs() < 20.0, "p99 {}", draws[19_800]);
    }

    #[test]
    fn measured_round_trips_replace_the_configured_ones() {
        let mut model = LatencyModel::new(60.0, 250.0);
        for _ in 0..19 {
            model.measure(Span::from_millis(5));
        }
        assert!(!model.is_measured());
        model.measure(Span::from_millis(5));
        assert_eq!(model.percentiles_ms(), (5.0, 5.0));
    }
}
