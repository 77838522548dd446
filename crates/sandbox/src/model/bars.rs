//! Bars of one market, in whole ticks and lots: 1 s and 1 min are kept, longer ones are summed.

use std::collections::VecDeque;

/// One second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// Kept bars of one second: a little over two hours.
const SECONDS_MAX: usize = 7_500;
/// Kept bars of one minute: ten days.
const MINUTES_MAX: usize = 14_400;

/// One bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// Start, nanoseconds since the epoch.
    pub start: i64,
    /// First price, ticks.
    pub open: i64,
    /// Highest price, ticks.
    pub high: i64,
    /// Lowest price, ticks.
    pub low: i64,
    /// Last price, ticks.
    pub close: i64,
    /// Lots.
    pub volume: i64,
    /// Ticks times lots.
    pub turnover: i128,
    /// Prints.
    pub trades: i64,
    /// Lots bought by takers.
    pub bought: i64,
    /// Ticks times lots bought by takers.
    pub bought_turnover: i128,
    /// Id of the first print; -1 when there is none.
    pub first: i64,
    /// Id of the last print; -1 when there is none.
    pub last: i64,
}

impl Bar {
    /// A bar without prints at a price.
    pub const fn flat(start: i64, price: i64) -> Self {
        Self {
            start,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            turnover: 0,
            trades: 0,
            bought: 0,
            bought_turnover: 0,
            first: -1,
            last: -1,
        }
    }

    /// Adds a later bar of a shorter interval.
    pub fn absorb(&mut self, next: &Self) {
        if next.trades == 0 {
            return;
        }
        if self.trades == 0 {
            let start = self.start;
            *self = Self { start, ..*next };
            return;
        }
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume += next.volume;
        self.turnover += next.turnover;
        self.trades += next.trades;
        self.bought += next.bought;
        self.bought_turnover += next.bought_turnover;
        self.last = next.last;
    }
}

/// The bars of one market.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    seconds: VecDeque<Bar>,
    minutes: VecDeque<Bar>,
}

impl Bars {
    /// Adds prints (as a bar; one print is a bar of one), opening bars as time passes.
    pub fn add(&mut self, piece: &Bar) {
        push(&mut self.seconds, SECOND, SECONDS_MAX, piece);
        push(&mut self.minutes, 60 * SECOND, MINUTES_MAX, piece);
    }

    /// Lets time pass: bars without prints are opened at the last close.
    pub fn roll(&mut self, now: i64) {
        let Some(close) = self.seconds.back().map(|b| b.close) else { return };
        self.add(&Bar::flat(now, close));
    }

    /// Bars of an interval that start in `from..=to`, oldest first, the open one included.
    ///
    /// Bars are summed from the kept ones, so the oldest may begin in the middle.
    pub fn range(&self, interval: Interval, from: i64, to: i64) -> Vec<Bar> {
        let source = if interval.nanos() < 60 * SECOND { &self.seconds } else { &self.minutes };
        let from = interval.floor(from.max(0));
        let begin = source.partition_point(|b| b.start < from);
        let mut out: Vec<Bar> = Vec::new();
        for bar in source.iter().skip(begin) {
            let start = interval.floor(bar.start);
            if start > to {
                break;
            }
            match out.last_mut() {
                Some(last) if last.start == start => last.absorb(bar),
                _ => out.push(Bar { start, ..*bar }),
            }
        }
        out
    }

    /// Start of the oldest kept bar that serves an interval.
    pub fn oldest(&self, interval: Interval) -> Option<i64> {
        let source = if interval.nanos() < 60 * SECOND { &self.seconds } else { &self.minutes };
        source.front().map(|b| b.start)
    }

    /// The bar of an interval that is open at this time.
    pub fn current(&self, interval: Interval, now: i64) -> Option<Bar> {
        let start = interval.floor(now);
        self.range(interval, start, start).pop()
    }
}

fn push(bars: &mut VecDeque<Bar>, length: i64, most: usize, piece: &Bar) {
    let start = piece.start - piece.start.rem_euclid(length);
    let Some(last) = bars.back_mut() else {
        bars.push_back(Bar { start, ..*piece });
        return;
    };
    if start <= last.start {
        last.absorb(piece);
        return;
    }
    let (mut next, close) = (last.start + length, last.close);
    // A long pause (a machine asleep) must not turn into millions of empty bars.
    next = next.max(start - length * most as i64);
    while next < start {
        bars.push_back(Bar::flat(next, close));
        next += length;
    }
    let mut bar = Bar::flat(start, close);
    bar.absorb(piece);
    bars.push_back(bar);
    let excess = bars.len().saturating_sub(most);
    bars.drain(..excess);
}

/// An interval of bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interval {
    /// This many seconds, aligned to the epoch.
    Seconds(u32),
    /// Weeks that start on Monday.
    Week,
    /// Calendar months.
    Month,
}

impl Interval {
    /// Length in nanoseconds (a month counts 30 days).
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Seconds(n) => n as i64 * SECOND,
            Self::Week => 7 * 86_400 * SECOND,
            Self::Month => 30 * 86_400 * SECOND,
        }
    }

    /// Start of the bar that holds a time.
    pub const fn floor(self, at: i64) -> i64 {
        const DAY: i64 = 86_400 * SECOND;
        match self {
            Self::Seconds(_) => at - at.rem_euclid(self.nanos()),
            // The epoch was a Thursday.
            Self::Week => at - (at - 4 * DAY).rem_euclid(7 * DAY),
            Self::Month => at - (civil(at.div_euclid(DAY)).2 - 1) * DAY - at.rem_euclid(DAY),
        }
    }

    /// Start of the bar after the one that holds a time.
    pub const fn next(self, at: i64) -> i64 {
        match self {
            Self::Month => self.floor(self.floor(at) + 32 * 86_400 * SECOND),
            _ => self.floor(at) + self.nanos(),
        }
    }
}

/// Year, month and day of a day since the epoch (the well-known civil-date algorithm).
pub const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let doe = shifted.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + (month <= 2) as i64, month, day)
}
