//! A seeded market: depth, touches and prints around a random walk.

use super::{Feed, Rig};
use domain::*;
use std::collections::BTreeMap;

/// Steps of a price, in cents.
#[derive(Clone, Debug)]
pub struct Walk {
    pub seed: u64,
    pub steps: usize,
    pub start: i64,
    /// Largest move of one step, in cents.
    pub stride: i64,
    pub half_spread: i64,
}

impl Default for Walk {
    fn default() -> Self {
        Self { seed: 1, steps: 4_000, start: 1_000_000, stride: 900, half_spread: 5 }
    }
}

/// A small generator of our own: the tape must not change with a library's version.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as i64 % n.max(1)
    }
}

/// A walk that is being told to an engine.
pub struct Tape {
    pub feed: Feed,
    dice: Dice,
    walk: Walk,
    mid: i64,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    /// How much of it is told; the market itself is the same.
    pub grade: DataGrade,
}

impl Tape {
    pub fn new(id: InstrumentId, walk: &Walk) -> Self {
        Self {
            feed: Feed::new(id),
            dice: Dice::new(walk.seed),
            mid: walk.start,
            walk: walk.clone(),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            grade: DataGrade::L2Trades,
        }
    }

    /// The feed is fresh and the book is told whole.
    pub fn open(&mut self, rig: &mut Rig) {
        self.shape();
        let side = |levels: &BTreeMap<i64, i64>| -> Vec<_> {
            levels.iter().map(|(p, q)| (*p, *q)).collect()
        };
        let state = FeedState::Fresh;
        rig.market(self.feed.id, MarketEvent::Feed { state, grade: self.grade });
        match self.grade {
            DataGrade::L2Trades => {
                self.feed.depth(rig, true, &side(&self.bids), &side(&self.asks));
            }
            DataGrade::L1Trades => {
                let (bid, ask) = self.touch();
                self.feed.touch(rig, bid, ask);
            }
            _ => {}
        }
    }

    fn shape(&mut self) {
        let half = self.walk.half_spread;
        for (levels, sign) in [(&mut self.bids, -1), (&mut self.asks, 1)] {
            levels.clear();
            let mut price = self.mid + sign * half;
            for _ in 0..12 {
                levels.insert(price, 1_000_000 + self.dice.below(200_000_000));
                price += sign * (1 + self.dice.below(40));
            }
        }
    }

    /// One step: a print or two, then the depth, sometimes a touch ahead of it.
    pub fn step(&mut self, rig: &mut Rig) {
        rig.now = rig.now + Span::from_millis(20 + self.dice.below(300));
        let (bid, ask) = self.touch();
        let quantity = 100_000 + self.dice.below(150_000_000);
        match self.dice.below(2) {
            0 => self.feed.print(rig, Side::Sell, bid.0, quantity),
            _ => self.feed.print(rig, Side::Buy, ask.0, quantity),
        }
        let stride = self.walk.stride;
        self.mid = (self.mid + self.dice.below(2 * stride + 1) - stride).max(10_000);
        let (bids, asks) = (self.bids.clone(), self.asks.clone());
        self.shape();
        let has_touch = self.dice.below(3) == 0;
        if (has_touch && self.grade == DataGrade::L2Trades) || self.grade == DataGrade::L1Trades {
            let (bid, ask) = self.touch();
            self.feed.touch(rig, bid, ask);
        }
        if self.grade != DataGrade::L2Trades {
            return;
        }
        let changes = |old: &BTreeMap<i64, i64>, new: &BTreeMap<i64, i64>| -> Vec<(i64, i64)> {
            let gone = old.keys().filter(|p| !new.contains_key(p)).map(|p| (*p, 0));
            gone.chain(new.iter().map(|(p, q)| (*p, *q))).collect()
        };
        let (bids, asks) = (changes(&bids, &self.bids), changes(&asks, &self.asks));
        self.feed.depth(rig, false, &bids, &asks);
    }

    fn touch(&self) -> ((i64, i64), (i64, i64)) {
        let bid = self.bids.last_key_value().map(|(p, q)| (*p, *q)).unwrap_or_default();
        let ask = self.asks.first_key_value().map(|(p, q)| (*p, *q)).unwrap_or_default();
        (bid, ask)
    }

    /// The whole walk.
    pub fn run(&mut self, rig: &mut Rig) {
        self.open(rig);
        for _ in 0..self.walk.steps {
            self.step(rig);
        }
    }
}
