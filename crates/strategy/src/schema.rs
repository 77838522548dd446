//! The parameters of each kind with range, default and description: one source for UI, API, docs
//! and [`crate::resolve`].

use domain::{Amount, StrategyKind, Timeframe};
use serde::Serialize;

/// A kind of strategy, as shown to people.
#[derive(Debug, Serialize)]
pub struct Schema {
    /// Which.
    pub kind: StrategyKind,
    /// Its name in words.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its parameters in the order in which they are asked for.
    pub params: &'static [ParamSpec],
    /// Bars it is made for, where nobody says otherwise.
    pub default_timeframe: Timeframe,
}

/// One parameter.
#[derive(Debug, Serialize)]
pub struct ParamSpec {
    /// As typed.
    pub name: &'static str,
    /// In words.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its unit; empty for plain numbers.
    pub unit: &'static str,
    /// What it may be.
    pub kind: ParamKind,
}

/// What a parameter may be; limits are inclusive.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs)] // min, max, default and allowed say it all
pub enum ParamKind {
    /// A whole number.
    Integer { min: i64, max: i64, default: i64 },
    /// A decimal number.
    Decimal { min: Amount, max: Amount, default: Amount },
    /// A decimal number that may be left out.
    OptionalDecimal { min: Amount, max: Amount },
    /// Yes or no.
    Flag { default: bool },
    /// One of these words.
    Word { allowed: &'static [&'static str], default: &'static str },
}

const fn integer(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    [min, max, default]: [i64; 3],
    description: &'static str,
) -> ParamSpec {
    ParamSpec { name, title, description, unit, kind: ParamKind::Integer { min, max, default } }
}

/// Limits and default in hundredths.
const fn decimal(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    [min, max, default]: [i64; 3],
    description: &'static str,
) -> ParamSpec {
    let kind = ParamKind::Decimal {
        min: hundredths(min),
        max: hundredths(max),
        default: hundredths(default),
    };
    ParamSpec { name, title, description, unit, kind }
}

const fn hundredths(n: i64) -> Amount {
    Amount::from_atoms(n as i128 * 10_000_000_000)
}

const fn price(name: &'static str, title: &'static str, description: &'static str) -> ParamSpec {
    let (min, max) = (Amount::from_atoms(1), Amount::from_int(1_000_000_000_000));
    let kind = ParamKind::OptionalDecimal { min, max };
    ParamSpec { name, title, description, unit: "quote", kind }
}

static EMA_CROSS: Schema = Schema {
    kind: StrategyKind::EmaCross,
    title: "EMA cross",
    description: "Buys when the fast exponential mean crosses over the slow one and sells when it \
                  falls under it again.",
    params: &[
        integer("fast", "Fast period", "bars", [2, 1_000, 9], "Length of the fast mean."),
        integer(
            "slow",
            "Slow period",
            "bars",
            [3, 2_000, 21],
            "Length of the slow mean; longer than the fast one.",
        ),
    ],
    default_timeframe: Timeframe::M5,
};

static RSI_REVERSION: Schema = Schema {
    kind: StrategyKind::RsiReversion,
    title: "RSI reversion",
    description: "Buys when the relative strength index falls under a threshold and sells when it \
                  has risen over another. After an exit it waits until the index was back over \
                  the first.",
    params: &[
        integer("period", "Period", "bars", [2, 200, 14], "Length of the index."),
        decimal("buy_below", "Buy below", "", [100, 9_900, 3_000], "Index under which it buys."),
        decimal(
            "sell_above",
            "Sell above",
            "",
            [100, 9_900, 5_500],
            "Index over which it sells; higher than the other.",
        ),
    ],
    default_timeframe: Timeframe::M5,
};

static BOLLINGER_REVERSION: Schema = Schema {
    kind: StrategyKind::BollingerReversion,
    title: "Bollinger reversion",
    description: "Buys when a bar closes under the lower Bollinger band and sells when one closes \
                  at the middle. After an exit it waits until the price was back over the band.",
    params: &[
        integer("period", "Period", "bars", [2, 500, 20], "Length of the mean and of the band."),
        decimal(
            "deviations",
            "Deviations",
            "",
            [50, 500, 200],
            "Distance of the band from the middle, in standard deviations.",
        ),
    ],
    default_timeframe: Timeframe::M5,
};

static DONCHIAN_BREAKOUT: Schema = Schema {
    kind: StrategyKind::DonchianBreakout,
    title: "Donchian breakout",
    description: "Buys when a bar closes over the highest high of the bars before it and sells \
                  when one closes under the lowest low.",
    params: &[
        integer("entry_period", "Entry period", "bars", [2, 500, 20], "Bars of the highest high."),
        integer(
            "exit_period",
            "Exit period",
            "bars",
            [2, 500, 10],
            "Bars of the lowest low; not more than those of the high.",
        ),
    ],
    default_timeframe: Timeframe::M15,
};

static MACD_TREND: Schema = Schema {
    kind: StrategyKind::MacdTrend,
    title: "MACD trend",
    description: "Buys when the MACD line crosses over its signal and sells when it falls under it \
                  again.",
    params: &[
        integer("fast", "Fast period", "bars", [2, 200, 12], "Length of the fast mean."),
        integer(
            "slow",
            "Slow period",
            "bars",
            [3, 500, 26],
            "Length of the slow mean; longer than the fast one.",
        ),
        integer("signal", "Signal period", "bars", [2, 200, 9], "Length of the signal's mean."),
    ],
    default_timeframe: Timeframe::M5,
};

static GRID: Schema = Schema {
    kind: StrategyKind::Grid,
    title: "Grid",
    description: "Rests buys at levels under the price; what a level bought rests for sale one \
                  level higher. Leaving the range downwards is its exit.",
    params: &[
        price("lower", "Lower price", "Lowest buy; with the upper price, instead of a range."),
        price("upper", "Upper price", "Highest sell; with the lower price, instead of a range."),
        decimal(
            "range_percent",
            "Range",
            "%",
            [10, 5_000, 500],
            "Half width of the range around the price at the start, where no prices are given.",
        ),
        integer("levels", "Levels", "", [2, 50, 8], "Buys that may be open."),
        ParamSpec {
            name: "spacing",
            title: "Spacing",
            description: "Equal distances (arithmetic) or equal ratios (geometric).",
            unit: "",
            kind: ParamKind::Word { allowed: &["arithmetic", "geometric"], default: "geometric" },
        },
        decimal(
            "stop_margin_percent",
            "Stop margin",
            "%",
            [0, 5_000, 100],
            "How far under the range its stop is.",
        ),
    ],
    default_timeframe: Timeframe::M1,
};

static DCA: Schema = Schema {
    kind: StrategyKind::Dca,
    title: "DCA",
    description: "Buys at the market when flat and buys more at resting orders under it; sells \
                  everything at a target on the average price.",
    params: &[
        integer(
            "interval_bars",
            "Interval",
            "bars",
            [1, 10_000, 1],
            "Bars from the end of one round to the next base order.",
        ),
        integer("safety_orders", "Safety orders", "", [0, 20, 5], "Resting buys under the base."),
        decimal(
            "deviation_percent",
            "Deviation",
            "%",
            [5, 2_000, 100],
            "How far under the base price the first safety order rests.",
        ),
        decimal(
            "step_scale",
            "Step scale",
            "",
            [50, 300, 120],
            "Each distance to the next is this much longer.",
        ),
        decimal(
            "volume_scale",
            "Volume scale",
            "",
            [50, 300, 130],
            "Each safety order is this much larger.",
        ),
        decimal(
            "target_percent",
            "Target",
            "%",
            [10, 5_000, 150],
            "Sells this far over the average price paid.",
        ),
    ],
    default_timeframe: Timeframe::M15,
};

static MARKET_MAKING: Schema = Schema {
    kind: StrategyKind::MarketMaking,
    title: "Market making",
    description: "Rests a buy at the best bid up to its inventory limit, and what it holds at the \
                  best ask. Time is the exit of what nobody takes.",
    params: &[
        integer("behind_ticks", "Behind", "ticks", [0, 1_000, 0], "Distance behind the touch."),
        decimal(
            "min_spread_bp",
            "Least spread",
            "bp",
            [0, 100_000, 2_500],
            "Buys only where the spread is at least this; its stated edge.",
        ),
        integer("max_entries", "Inventory", "entries", [1, 20, 3], "Entries that it may hold."),
        integer("requote_bars", "Requote", "bars", [1, 1_000, 1], "Bars between two quotes."),
        integer("max_hold_s", "Longest hold", "s", [1, 604_800, 900], "Then it sells at once."),
    ],
    default_timeframe: Timeframe::S1,
};

/// The schema of a kind.
pub fn schema(kind: StrategyKind) -> &'static Schema {
    match kind {
        StrategyKind::EmaCross => &EMA_CROSS,
        StrategyKind::RsiReversion => &RSI_REVERSION,
        StrategyKind::BollingerReversion => &BOLLINGER_REVERSION,
        StrategyKind::DonchianBreakout => &DONCHIAN_BREAKOUT,
        StrategyKind::MacdTrend => &MACD_TREND,
        StrategyKind::Grid => &GRID,
        StrategyKind::Dca => &DCA,
        StrategyKind::MarketMaking => &MARKET_MAKING,
    }
}

/// All schemas.
pub fn schemas() -> impl Iterator<Item = &'static Schema> {
    StrategyKind::ALL.into_iter().map(schema)
}
