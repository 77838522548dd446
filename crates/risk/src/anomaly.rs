//! Tests for behaviour that does not fit what a bot has shown so far. Each verdict names statistic,
//! value and threshold, and each test states how often it is wrong about a bot that is sound; a
//! simulation beside it shows that.

use serde::{Deserialize, Serialize};

/// Trades a bot must have closed before its frequency or its returns are judged: fewer say
/// nothing about what is usual.
pub const HISTORY_MIN: u32 = 30;
/// Hours of history before frequency is judged.
const HOURS_MIN: f64 = 24.0;
/// A bot whose trades come as they always did is called too busy in at most this share of hours:
/// once in 114 years.
pub const FREQUENCY_FALSE_ALARMS_PER_HOUR: f64 = 1e-6;
/// How far a return must lie off the old mean, in standard deviations, to count as drifting.
const SLACK: f64 = 0.5;
/// Sum of drifts that is a change: one false alarm in over 30,000 trades of a sound bot, be its
/// returns normal or with fat tails (Student, 5 degrees); simulated over 20 million of each.
const CHANGE_AT: f64 = 12.0;
/// Returns count at most this many deviations: one crash is the business of loss guards.
const CLIP: f64 = 3.0;
/// Standard errors by which live slippage must exceed what simulation gave: 1 in 30,000 samples.
const SLIPPAGE_AT: f64 = 4.0;
/// Fills before slippage is judged.
const SLIPPAGE_MIN: u32 = 20;

/// A statistic beyond its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Which.
    pub statistic: &'static str,
    /// What it is.
    pub value: f64,
    /// What it may be.
    pub threshold: f64,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { statistic, value, threshold } = self;
        write!(f, "{statistic} {value:.4} beyond {threshold:.4}")
    }
}

/// Most trades in an hour that the history makes plausible: the smallest count whose probability
/// under a Poisson law of the same mean is below [`FREQUENCY_FALSE_ALARMS_PER_HOUR`].
pub fn trades_an_hour_max(trades: u32, hours: f64) -> Option<u32> {
    if trades < HISTORY_MIN || hours < HOURS_MIN {
        return None;
    }
    // The mean itself is an estimate: three of its standard errors more.
    let total = f64::from(trades);
    let mean = (total + 3.0 * total.sqrt()) / hours;
    let (mut term, mut below, mut count) = ((-mean).exp(), 0.0, 0u32);
    // Of a mean so large that e^−mean is nothing the normal law says enough.
    if term == 0.0 {
        return Some((mean + 5.0 * mean.sqrt()).ceil() as u32);
    }
    while 1.0 - (below + term) > FREQUENCY_FALSE_ALARMS_PER_HOUR && count < 100_000 {
        below += term;
        count += 1;
        term *= mean / f64::from(count);
    }
    Some(count + 1)
}

/// Did a bot trade far more in the last hour than its history makes plausible?
pub fn frequency(last_hour: u32, trades: u32, hours: f64) -> Option<Verdict> {
    let threshold = trades_an_hour_max(trades, hours)?;
    let is_beyond = last_hour >= threshold;
    is_beyond.then(|| Verdict {
        statistic: "trades in an hour",
        value: f64::from(last_hour),
        threshold: f64::from(threshold),
    })
}

/// Looks for a change to the worse in a stream of returns (Page, 1954): the returns that were
/// seen first say what is usual, a sum of what lies below grows until it is a change. Only losses
/// are looked for: a gain never trips it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    count: u32,
    mean: f64,
    square: f64,
    sum: f64,
}

impl Change {
    /// Takes a trade's return; says whether the stream has changed.
    pub fn take(&mut self, value: f64) -> Option<Verdict> {
        if !value.is_finite() {
            return None;
        }
        if self.count < HISTORY_MIN * 2 {
            self.learn(value);
            return None;
        }
        let deviation = (self.square / f64::from(self.count - 1)).sqrt();
        if deviation <= 0.0 {
            return None;
        }
        let score = ((value - self.mean) / deviation).clamp(-CLIP, CLIP);
        self.sum = (self.sum - score - SLACK).max(0.0);
        let is_changed = self.sum > CHANGE_AT && value < 0.0;
        is_changed.then_some(Verdict {
            statistic: "change point of returns",
            value: self.sum,
            threshold: CHANGE_AT,
        })
    }

    /// Mean and spread of what is usual (Welford).
    fn learn(&mut self, value: f64) {
        self.count += 1;
        let off = value - self.mean;
        self.mean += off / f64::from(self.count);
        self.square += off * (value - self.mean);
    }

    /// What is usual now is learnt anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Compares what live fills cost with what the simulated exchange says they should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slippage {
    count: u32,
    mean: f64,
    square: f64,
}

impl Slippage {
    /// Takes a fill's cost beyond its simulated twin, in basis points.
    pub fn take(&mut self, excess_bp: f64) -> Option<Verdict> {
        if !excess_bp.is_finite() {
            return None;
        }
        self.count += 1;
        let off = excess_bp - self.mean;
        self.mean += off / f64::from(self.count);
        self.square += off * (excess_bp - self.mean);
        let n = f64::from(self.count);
        let error = (self.square / (n - 1.0).max(1.0) / n).sqrt();
        let score = self.mean / error;
        let is_beyond = self.count >= SLIPPAGE_MIN && error > 0.0 && score > SLIPPAGE_AT;
        is_beyond.then_some(Verdict {
            statistic: "live slippage beyond simulation, in standard errors",
            value: score,
            threshold: SLIPPAGE_AT,
        })
    }

    /// Mean excess in basis points; `None` before the first fill.
    pub fn mean_bp(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn normal(random: &mut StdRng) -> f64 {
        let (radius, angle): (f64, f64) = (random.random(), random.random());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Student's t with 5 degrees, scaled to deviation 1.
    fn fat(random: &mut StdRng) -> f64 {
        let product = (1.0 - random.random::<f64>()) * (1.0 - random.random::<f64>());
        let chi = normal(random).powi(2) - 2.0 * product.ln();
        normal(random) / (chi / 5.0).sqrt() * 0.6f64.sqrt()
    }

    /// Trades per false alarm, over so many bots that were watched for so long.
    fn alarms(bots: u64, trades: u32, draw: fn(&mut StdRng) -> f64) -> f64 {
        let mut seen = 0u32;
        for seed in 0..bots {
            let mut random = StdRng::seed_from_u64(seed);
            let mut change = Change::default();
            for _ in 0..trades {
                if change.take(0.001 + 0.01 * draw(&mut random)).is_some() {
                    seen += 1;
                    change.clear();
                }
            }
        }
        f64::from(trades) * bots as f64 / f64::from(seen.max(1))
    }

    #[test]
    fn a_sound_stream_of_returns_is_called_changed_as_rarely_as_stated() {
        let (even, tails) = (alarms(200, 500, normal), alarms(200, 500, fat));
        println!("trades per false alarm: normal {even:.0}, fat tails {tails:.0}");
        assert!(even >= 10_000.0 && tails >= 10_000.0, "{even} {tails}");
    }

    #[test]
    fn returns_that_turn_bad_are_seen_within_forty_trades() {
        let mut seen = Vec::new();
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut change = Change::default();
            for _ in 0..100 {
                change.take(0.001 + 0.01 * normal(&mut random));
            }
            let turned = |_: &i32| change.take(-0.012 + 0.01 * normal(&mut random)).is_some();
            seen.push((1..1_000).find(turned).unwrap());
        }
        seen.sort_unstable();
        assert!(seen[100] <= 25 && seen[190] <= 40, "{} {}", seen[100], seen[190]);
    }

    #[test]
    fn returns_that_turn_good_trip_nothing() {
        let mut random = StdRng::seed_from_u64(1);
        let mut change = Change::default();
        for at in 0..2_000 {
            let drift = if at < 100 { 0.0 } else { 0.05 };
            assert!(change.take(drift + 0.01 * normal(&mut random)).is_none());
        }
    }

    #[test]
    fn a_usual_hour_is_called_too_busy_no_more_often_than_stated() {
        // Exactly the stated share of hours lies beyond, for the true mean of any history.
        for (trades, hours) in [(30, 24.0), (300, 24.0), (100_000, 240.0)] {
            let threshold = trades_an_hour_max(trades, hours).unwrap();
            let mean = f64::from(trades) / hours;
            let mut log_term = -mean;
            let mut beyond = 0.0;
            for count in 1..threshold * 3 + 50 {
                log_term += mean.ln() - f64::from(count).ln();
                beyond += if count >= threshold { log_term.exp() } else { 0.0 };
            }
            assert!(beyond <= FREQUENCY_FALSE_ALARMS_PER_HOUR * 1.001, "{trades}: {beyond}");
        }
        assert_eq!(trades_an_hour_max(29, 24.0), None);
        assert!(frequency(40, 100, 48.0).is_some() && frequency(6, 100, 48.0).is_none());
    }

    #[test]
    fn slippage_is_judged_against_its_twin_and_rarely_wrong() {
        let (mut wrong, mut random) = (0, StdRng::seed_from_u64(7));
        for _ in 0..300 {
            let mut slippage = Slippage::default();
            wrong += u32::from((0..100).any(|_| slippage.take(normal(&mut random)).is_some()));
        }
        assert!(wrong <= 2, "{wrong} of 300 bots with 100 fills each");
        let mut slippage = Slippage::default();
        assert!((0..100).any(|_| slippage.take(2.0 + normal(&mut random)).is_some()));
        let mut cheap = Slippage::default();
        assert!((0..100).all(|_| cheap.take(-2.0 + normal(&mut random)).is_none()));
    }
}
