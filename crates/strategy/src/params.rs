//! Typed parameters of each kind, and what follows from them alone.

use domain::{Amount, Exits, Rate};
use market::IndicatorSpec;
use smallvec::{SmallVec, smallvec};

/// Parameters as resolved; see [`crate::schema`] for what each means.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Params {
    EmaCross(EmaCross),
    RsiReversion(RsiReversion),
    BollingerReversion(BollingerReversion),
    DonchianBreakout(DonchianBreakout),
    MacdTrend(MacdTrend),
    Grid(Grid),
    Dca(Dca),
    MarketMaking(MarketMaking),
}

/// EMA cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct EmaCross {
    pub fast: u16,
    pub slow: u16,
}

/// RSI reversion.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct RsiReversion {
    pub period: u16,
    pub buy_below: f64,
    pub sell_above: f64,
}

/// Bollinger reversion.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct BollingerReversion {
    pub period: u16,
    pub deviations: f64,
}

/// Donchian breakout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DonchianBreakout {
    pub entry_period: u16,
    pub exit_period: u16,
}

/// MACD trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MacdTrend {
    pub fast: u16,
    pub slow: u16,
    pub signal: u16,
}

/// Grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Where.
    pub range: GridRange,
    /// Buys that may be open.
    pub levels: u16,
    /// How the lines are laid.
    pub spacing: Spacing,
    /// How far under the range the stop is.
    pub stop_margin: Rate,
}

/// Where a grid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridRange {
    /// Between two prices.
    Fixed {
        /// Lowest buy.
        lower: Amount,
        /// Highest sell.
        upper: Amount,
    },
    /// This far to either side of the price at which it starts.
    Around(Rate),
}

/// How the lines of a grid are laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// At equal distances.
    Arithmetic,
    /// At equal ratios.
    Geometric,
}

/// DCA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dca {
    /// Bars from the end of one round to the next base order.
    pub interval_bars: u32,
    /// The base order's share of one entry's size. All shares together are as many entries as
    /// there are orders, so the largest position is the same whatever the volume scale.
    pub base_share: Rate,
    /// Resting buys, nearest first.
    pub safety: Vec<SafetyOrder>,
    /// Over the average price.
    pub target_percent: Amount,
}

/// One resting buy of a DCA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyOrder {
    /// How far under the base price.
    pub below: Rate,
    /// Of one entry's size.
    pub share: Rate,
}

/// Market making.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct MarketMaking {
    pub behind_ticks: u16,
    pub min_spread_bp: f64,
    pub max_entries: u16,
    pub requote_bars: u16,
    pub max_hold_s: u32,
}

/// Protective exits where a bot's owner names none.
pub fn default_exits(params: &Params) -> Exits {
    match params {
        Params::Grid(_) => Exits::default(), // its stop is a price: `stop_price`
        Params::Dca(p) => Exits { target_percent: Some(p.target_percent), ..Exits::default() },
        Params::MarketMaking(p) => Exits { time_limit_s: Some(p.max_hold_s), ..Exits::default() },
        _ => Exits {
            stop_percent: Some(Amount::from_int(2)),
            target_percent: Some(Amount::from_int(5)),
            trail_percent: Some(Amount::from_int(3)),
            time_limit_s: None,
        },
    }
}

/// Most entries of one position: what a risk mode's limit is divided by.
pub fn max_entries(params: &Params) -> u32 {
    match params {
        Params::Grid(p) => u32::from(p.levels),
        Params::Dca(p) => p.safety.len() as u32 + 1,
        Params::MarketMaking(p) => u32::from(p.max_entries),
        _ => 1,
    }
}

/// Closed bars until the first decision. Crosses need one more than their figures: the first warm
/// bar only tells on which side they start.
pub fn warm_up_bars(params: &Params) -> usize {
    let figures = indicators(params).iter().map(|s| s.bars_needed()).max().unwrap_or(0) as usize;
    match params {
        Params::EmaCross(_) | Params::MacdTrend(_) => figures + 1,
        _ => figures,
    }
}

/// What one round trip is meant to earn before costs, in basis points; `None` where the kind
/// states nothing. Grid: the narrowest step. Market making: the least spread that it buys into
/// (nothing stated where that is 0). All others: their target, where one is armed; a target
/// inside the costs can only lose.
pub fn edge_bp(params: &Params, exits: &Exits) -> Option<f64> {
    match params {
        Params::Grid(p) => Some(p.narrowest_step() * 1e4),
        Params::MarketMaking(p) => Some(p.min_spread_bp).filter(|bp| *bp > 0.0),
        _ => exits.target_percent.map(|percent| percent.to_f64() * 100.0),
    }
}

/// The figures that a strategy reads, in the order of [`crate::Context::values`].
pub fn indicators(params: &Params) -> SmallVec<[IndicatorSpec; 4]> {
    use IndicatorSpec as S;
    match *params {
        Params::EmaCross(p) => smallvec![S::Ema { period: p.fast }, S::Ema { period: p.slow }],
        Params::RsiReversion(p) => smallvec![S::Rsi { period: p.period }],
        Params::BollingerReversion(p) => {
            smallvec![S::Sma { period: p.period }, S::StdDev { period: p.period }]
        }
        Params::DonchianBreakout(p) => {
            smallvec![S::Highest { period: p.entry_period }, S::Lowest { period: p.exit_period }]
        }
        Params::MacdTrend(MacdTrend { fast, slow, signal }) => {
            smallvec![S::MacdLine { fast, slow }, S::MacdSignal { fast, slow, signal }]
        }
        Params::Grid(_) | Params::Dca(_) | Params::MarketMaking(_) => smallvec![],
    }
}

impl Grid {
    /// The smallest distance between two lines, as a share of the upper one's price.
    fn narrowest_step(&self) -> f64 {
        let (lower, upper) = match self.range {
            GridRange::Fixed { lower, upper } => (lower.to_f64(), upper.to_f64()),
            GridRange::Around(half) => (1.0 - half.to_f64(), 1.0 + half.to_f64()),
        };
        let levels = f64::from(self.levels);
        match self.spacing {
            Spacing::Arithmetic => (upper - lower) / levels / upper,
            Spacing::Geometric => libm::pow(upper / lower, 1.0 / levels) - 1.0,
        }
    }
}
