//! Indicators of one instrument and timeframe, shared by everyone who asks for the same figures.
//!
//! Each [`IndicatorSpec`] is computed once per bar however many bots read it. The definitions are
//! those of TA-Lib, proved by golden vectors, with two deviations that are named at their place
//! ([`IndicatorSpec::Rsi`] of a flat market, [`IndicatorSpec::Highest`] without the current bar).
//! Figures are binary floats of the integer price at the instrument's scale: they decide, they
//! are never money. State is saved bit by bit, so a run over a stop equals one without it.

mod bits;
mod column;
mod ema;
mod extreme;
mod macd;
mod wilder;
mod window;

use column::Column;
use domain::Bar;
use ema::EmaColumn;
use extreme::Extreme;
use macd::{Line, Signal};
use serde::{Deserialize, Serialize};
use wilder::{Atr, Rsi};
use window::{Mean, Spread};

/// Which figure. A period of zero counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorSpec {
    /// Exponential mean of closes, seeded by their simple mean.
    Ema {
        /// Bars.
        period: u16,
    },
    /// Simple mean of closes.
    Sma {
        /// Bars.
        period: u16,
    },
    /// Wilder's relative strength index of closes, 0 to 100. A market that never moved is 50:
    /// TA-Lib says 0 there, and a dead market would look like a crash to buy.
    Rsi {
        /// Bars.
        period: u16,
    },
    /// Standard deviation of closes over the population, as in Bollinger's bands.
    StdDev {
        /// Bars.
        period: u16,
    },
    /// Highest high of the bars before the current one, as in Donchian's channel: with the
    /// current bar in it no close could ever be above.
    Highest {
        /// Bars.
        period: u16,
    },
    /// Lowest low of the bars before the current one.
    Lowest {
        /// Bars.
        period: u16,
    },
    /// Fast minus slow exponential mean; both seeded at the slow one's first bar.
    MacdLine {
        /// Bars of the fast mean.
        fast: u16,
        /// Bars of the slow mean.
        slow: u16,
    },
    /// Exponential mean of the MACD line.
    MacdSignal {
        /// Bars of the fast mean.
        fast: u16,
        /// Bars of the slow mean.
        slow: u16,
        /// Bars of the mean over the line.
        signal: u16,
    },
    /// Wilder's average true range.
    Atr {
        /// Bars.
        period: u16,
    },
}

impl IndicatorSpec {
    /// Bars until the first value.
    pub fn bars_needed(self) -> u32 {
        let one = |period: u16| u32::from(period.max(1));
        match self {
            Self::Ema { period } | Self::Sma { period } | Self::StdDev { period } => one(period),
            Self::Rsi { period }
            | Self::Atr { period }
            | Self::Highest { period }
            | Self::Lowest { period } => one(period) + 1,
            Self::MacdLine { fast, slow } => one(fast.max(slow)),
            Self::MacdSignal { fast, slow, signal } => one(fast.max(slow)) + one(signal) - 1,
        }
    }
}

/// Where a figure is kept in its [`IndicatorSet`]; stays valid as long as the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    family: Family,
    row: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Family {
    Ema,
    Mean,
    Rsi,
    Spread,
    Extreme,
    Line,
    Signal,
    Atr,
}

/// All figures of one instrument and timeframe, updated bar by bar.
///
/// ```
/// use market::{IndicatorSet, IndicatorSpec};
/// let mut set = IndicatorSet::default();
/// let slot = set.slot(IndicatorSpec::Ema { period: 20 });
/// assert_eq!(slot, set.slot(IndicatorSpec::Ema { period: 20 }));
/// assert_eq!((set.value(slot), set.progress(slot)), (None, (0, 20)));
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct IndicatorSet {
    /// Sorted by spec: found by bisection, and the saved form does not depend on a hash.
    slots: Vec<(IndicatorSpec, Slot)>,
    ema: EmaColumn,
    mean: Column<Mean>,
    rsi: Column<Rsi>,
    spread: Column<Spread>,
    extreme: Column<Extreme>,
    line: Column<Line>,
    signal: Column<Signal>,
    atr: Column<Atr>,
}

/// The same call on the column that a slot lives in.
macro_rules! in_column {
    ($set:expr, $slot:expr, $column:ident => $call:expr) => {{
        let (set, slot) = ($set, $slot);
        match slot.family {
            Family::Ema => {
                let $column = &set.ema;
                $call
            }
            Family::Mean => {
                let $column = &set.mean;
                $call
            }
            Family::Rsi => {
                let $column = &set.rsi;
                $call
            }
            Family::Spread => {
                let $column = &set.spread;
                $call
            }
            Family::Extreme => {
                let $column = &set.extreme;
                $call
            }
            Family::Line => {
                let $column = &set.line;
                $call
            }
            Family::Signal => {
                let $column = &set.signal;
                $call
            }
            Family::Atr => {
                let $column = &set.atr;
                $call
            }
        }
    }};
}

impl IndicatorSet {
    /// The place of this figure; made where nobody asked for it yet.
    pub fn slot(&mut self, spec: IndicatorSpec) -> Slot {
        match self.slots.binary_search_by_key(&spec, |(s, _)| *s) {
            Ok(at) => self.slots[at].1,
            Err(at) => {
                let slot = self.add(spec);
                self.slots.insert(at, (spec, slot));
                slot
            }
        }
    }

    /// The place of this figure; where it is new it is warmed with past bars, oldest first, while
    /// the figures of others stay as they are.
    pub fn slot_warmed<'a>(
        &mut self,
        spec: IndicatorSpec,
        history: impl IntoIterator<Item = &'a Bar>,
    ) -> Slot {
        let is_new = self.slots.binary_search_by_key(&spec, |(s, _)| *s).is_err();
        let slot = self.slot(spec);
        if is_new {
            for bar in history {
                self.update_one(slot, bar);
            }
        }
        slot
    }

    /// Takes a closed bar into every figure; one with volume 0 counts like any other.
    #[inline]
    pub fn update(&mut self, bar: &Bar) {
        self.ema.update(bar);
        self.mean.update(bar);
        self.rsi.update(bar);
        self.spread.update(bar);
        self.extreme.update(bar);
        self.line.update(bar);
        self.signal.update(bar);
        self.atr.update(bar);
    }

    /// The figure at the last bar; `None` until warm.
    pub fn value(&self, slot: Slot) -> Option<f64> {
        Some(self.value_or_nan(slot)).filter(|v| !v.is_nan())
    }

    /// The figure at the last bar; not a number until warm.
    #[inline]
    pub fn value_or_nan(&self, slot: Slot) -> f64 {
        // The figure most asked for first.
        if slot.family == Family::Ema {
            return self.ema.value(slot.row as usize);
        }
        self.other_value_or_nan(slot)
    }

    #[inline(never)]
    fn other_value_or_nan(&self, slot: Slot) -> f64 {
        in_column!(self, slot, c => c.value(slot.row as usize))
    }

    /// The figure one bar earlier; `None` where it was not warm then.
    pub fn previous(&self, slot: Slot) -> Option<f64> {
        let value = in_column!(self, slot, c => c.previous(slot.row as usize));
        Some(value).filter(|v| !v.is_nan())
    }

    /// Bars seen of bars needed.
    pub fn progress(&self, slot: Slot) -> (u32, u32) {
        in_column!(self, slot, c => c.progress(slot.row as usize))
    }

    /// Different figures kept.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Nobody asked for anything.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn add(&mut self, spec: IndicatorSpec) -> Slot {
        use IndicatorSpec as S;
        let need = spec.bars_needed();
        let (family, row) = match spec {
            S::Ema { period } => (Family::Ema, self.ema.add(period)),
            S::Sma { period } => (Family::Mean, self.mean.add(Mean::new(period), need)),
            S::Rsi { period } => (Family::Rsi, self.rsi.add(Rsi::new(period), need)),
            S::StdDev { period } => (Family::Spread, self.spread.add(Spread::new(period), need)),
            S::Highest { period } => {
                (Family::Extreme, self.extreme.add(Extreme::highest(period), need))
            }
            S::Lowest { period } => {
                (Family::Extreme, self.extreme.add(Extreme::lowest(period), need))
            }
            S::MacdLine { fast, slow } => {
                (Family::Line, self.line.add(Line::new(fast, slow), need))
            }
            S::MacdSignal { fast, slow, signal } => {
                (Family::Signal, self.signal.add(Signal::new(fast, slow, signal), need))
            }
            S::Atr { period } => (Family::Atr, self.atr.add(Atr::new(period), need)),
        };
        Slot { family, row }
    }

    fn update_one(&mut self, slot: Slot, bar: &Bar) {
        let row = slot.row as usize;
        match slot.family {
            Family::Ema => self.ema.update_row(row, bar),
            Family::Mean => self.mean.update_row(row, bar),
            Family::Rsi => self.rsi.update_row(row, bar),
            Family::Spread => self.spread.update_row(row, bar),
            Family::Extreme => self.extreme.update_row(row, bar),
            Family::Line => self.line.update_row(row, bar),
            Family::Signal => self.signal.update_row(row, bar),
            Family::Atr => self.atr.update_row(row, bar),
        }
    }
}

/// An integer price as a figure.
fn figure(price: domain::Price) -> f64 {
    price.0 as f64
}
