//! Seeded randomness: one independent stream per purpose, so that one more market or one more
//! draw here changes nothing there.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A stream of draws.
#[derive(Clone, Debug)]
pub struct Noise(SmallRng);

impl Noise {
    /// The stream of this seed and purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a: stable over Rust versions, which `std::hash` does not promise.
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(SmallRng::seed_from_u64(seed ^ hash))
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// Log-normal with this median.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Power law on [0, inf): P(x > v) = (1 + v / scale)^-alpha.
    pub fn power_law(&mut self, scale: f64, alpha: f64) -> f64 {
        scale * ((1.0 - self.uniform()).powf(-1.0 / alpha) - 1.0)
    }

    /// Uniform in 0..n; 0 when there is nothing to choose from.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.0.random_range(0..n) }
    }

    /// Poisson with a small mean: a sum of exponential gaps, capped for the sake of the loop.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        const MOST: u32 = 400;
        let (mut n, mut left) = (0, mean);
        loop {
            left -= self.exponential(1.0);
            if left < 0.0 || n == MOST {
                return n;
            }
            n += 1;
        }
    }
}
