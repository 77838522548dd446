//! How good a bot is: the system quality number of its trades, √n × mean ÷ standard deviation of
//! the gains on capital. It grows with the sample, so a lucky few do not beat a steady many, and
//! it is the t-statistic of "its trades earn nothing": minus one is one standard error under that.

use domain::{Amount, DataGrade, Round, Trade};
use serde::{Deserialize, Serialize};

/// Closed trades of a bot as sums of their gains, since its strategy was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) trades: u32,
    sum: f64,
    squares: f64,
}

impl Sample {
    /// A trade closed. One through which the market was not seen says nothing of the bot.
    pub(crate) fn close(&mut self, trade: &Trade, capital: Amount) {
        let gain = trade.profit_loss.quotient(capital, Round::Down).map(Amount::to_f64);
        if trade.grade != DataGrade::Gap
            && let Some(gain) = gain.filter(|gain| gain.is_finite())
        {
            self.add(gain);
        }
    }

    pub(crate) fn add(&mut self, gain: f64) {
        self.trades += 1;
        self.sum += gain;
        self.squares += gain * gain;
    }

    /// `None` below the minimum sample, and where all gains are equal.
    pub(crate) fn score(&self, trades_min: u32) -> Option<f64> {
        if self.trades < trades_min.max(2) {
            return None;
        }
        let n = f64::from(self.trades);
        let mean = self.sum / n;
        let variance = (self.squares - n * mean * mean) / (n - 1.0);
        // Of equal gains only the rounding is left.
        let is_spread = variance > self.squares / n * 1e-12;
        is_spread.then(|| n.sqrt() * mean / variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(gains: &[f64], trades_min: u32) -> Option<f64> {
        let mut sample = Sample::default();
        gains.iter().for_each(|gain| sample.add(*gain));
        sample.score(trades_min)
    }

    #[test]
    fn the_score_is_the_system_quality_number() {
        // Mean 1, standard deviation √(10/3), four trades.
        let known = score(&[-1.0, 1.0, 1.0, 3.0], 4).unwrap();
        assert!((known - 2.0 / (8.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{known}");
    }

    #[test]
    fn a_sample_that_is_too_small_or_all_equal_has_no_score() {
        assert_eq!(score(&[0.01, 0.02, 0.03], 4), None);
        assert_eq!(score(&[0.01], 1), None);
        assert_eq!(score(&[0.1; 40], 30), None);
    }

    #[test]
    fn the_same_gains_over_more_trades_score_higher() {
        let gains = [0.02, -0.01, 0.03, 0.0];
        let twice = [gains, gains].concat();
        assert!(score(&twice, 2) > score(&gains, 2));
    }
}
