//! The slowly moving fair prices behind all markets: one log price per asset, one common factor,
//! and a Markov chain of regimes.

use super::catalogue::ASSETS;
use super::noise::Noise;
use serde::Serialize;

/// The weather of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// No drift, ordinary volatility.
    Calm,
    /// A drift that lasts minutes.
    Trend,
    /// A fast fall with many times the volatility and the flow.
    Crash,
}

impl Regime {
    /// Multiplier of volatility.
    const fn volatility(self) -> f64 {
        match self {
            Self::Calm => 1.0,
            Self::Trend => 1.5,
            Self::Crash => 4.0,
        }
    }

    /// Multiplier of the rate of orders.
    pub const fn activity(self) -> f64 {
        match self {
            Self::Calm => 1.0,
            Self::Trend => 1.6,
            Self::Crash => 3.0,
        }
    }

    /// Mean length in seconds.
    const fn dwell(self) -> f64 {
        match self {
            Self::Calm => 1_200.0,
            Self::Trend => 420.0,
            Self::Crash => 45.0,
        }
    }
}

/// Daily-cycle-free volatility of the common factor per square root of a second (about 55 % a
/// year, what the tape of August 2024 shows).
const COMMON: f64 = 1.0e-4;
/// The part that is an asset's own.
const OWN: f64 = 0.5e-4;
/// Volatility of the rand, which has its own life.
const RAND: f64 = 0.15e-4;

/// The process.
#[derive(Clone, Debug)]
pub struct Reference {
    noise: Noise,
    regime: Regime,
    left: f64,
    drift: f64,
    logs: [f64; ASSETS.len()],
}

impl Reference {
    /// Starts at these prices in US dollars (in the catalogue's order), calm.
    pub fn new(seed: u64, usd: &[f64; ASSETS.len()]) -> Self {
        let logs = usd.map(f64::ln);
        let noise = Noise::new(seed, "reference");
        Self { noise, regime: Regime::Calm, left: Regime::Calm.dwell(), drift: 0.0, logs }
    }

    /// Starts in a regime and stays in it.
    pub fn held(seed: u64, usd: &[f64; ASSETS.len()], regime: Regime) -> Self {
        let mut held = Self::new(seed, usd);
        held.enter(regime);
        held.left = f64::INFINITY;
        held
    }

    /// The regime that holds.
    pub const fn regime(&self) -> Regime {
        self.regime
    }

    /// Moves on by this many seconds.
    pub fn step(&mut self, seconds: f64) {
        self.left -= seconds;
        if self.left <= 0.0 {
            self.switch();
        }
        let root = seconds.sqrt() * self.regime.volatility();
        let common = self.noise.normal() * COMMON * root + self.drift * seconds;
        for (log, (code, _)) in self.logs.iter_mut().zip(ASSETS) {
            let own = self.noise.normal() * root;
            *log += match code {
                "USDT" => 0.0,
                "ZAR" => own * RAND,
                _ => common + own * OWN,
            };
        }
    }

    /// The price of one asset in another.
    pub fn price(&self, base: usize, quote: usize) -> f64 {
        (self.logs[base] - self.logs[quote]).exp()
    }

    /// All log prices.
    pub const fn logs(&self) -> &[f64; ASSETS.len()] {
        &self.logs
    }

    /// Shifts all log prices, so that a path made earlier ends where it should.
    pub fn shift(&mut self, by: &[f64; ASSETS.len()]) {
        for (log, shift) in self.logs.iter_mut().zip(by) {
            *log += shift;
        }
    }

    fn switch(&mut self) {
        let draw = self.noise.uniform();
        let next = match self.regime {
            Regime::Calm if draw < 0.85 => Regime::Trend,
            Regime::Trend if draw < 0.10 => Regime::Crash,
            Regime::Calm => Regime::Crash,
            Regime::Trend | Regime::Crash => Regime::Calm,
        };
        self.enter(next);
        self.left = self.noise.exponential(self.regime.dwell());
    }

    fn enter(&mut self, regime: Regime) {
        self.regime = regime;
        let sign = if self.noise.chance(0.5) { 1.0 } else { -1.0 };
        self.drift = match self.regime {
            Regime::Calm => 0.0,
            // Some 0.6 % in five minutes.
            Regime::Trend => sign * 2.0e-5,
            // Some 2 % in 45 seconds, and always down.
            Regime::Crash => -4.5e-4,
        };
    }
}

/// Position of an asset in the catalogue's list.
pub fn asset(code: &str) -> Option<usize> {
    ASSETS.iter().position(|(c, _)| *c == code)
}
