//! A bot: one strategy on one instrument with its own capital.

use crate::{Amount, ParamSet, Symbol, Timeframe};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The shipped strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // documented with their parameters in `strategy`
pub enum StrategyKind {
    EmaCross,
    RsiReversion,
    BollingerReversion,
    DonchianBreakout,
    MacdTrend,
    Grid,
    Dca,
    MarketMaking,
}

impl StrategyKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::EmaCross,
        Self::RsiReversion,
        Self::BollingerReversion,
        Self::DonchianBreakout,
        Self::MacdTrend,
        Self::Grid,
        Self::Dca,
        Self::MarketMaking,
    ];

    /// Its name outside.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmaCross => "ema_cross",
            Self::RsiReversion => "rsi_reversion",
            Self::BollingerReversion => "bollinger_reversion",
            Self::DonchianBreakout => "donchian_breakout",
            Self::MacdTrend => "macd_trend",
            Self::Grid => "grid",
            Self::Dca => "dca",
            Self::MarketMaking => "market_making",
        }
    }

    /// One position at a time, entered and left whole.
    pub const fn is_directional(self) -> bool {
        !matches!(self, Self::Grid | Self::Dca | Self::MarketMaking)
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which strategy, with which parameters; what is not named takes its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyConfig {
    /// Which.
    pub kind: StrategyKind,
    /// By name.
    #[serde(default)]
    pub params: ParamSet,
}

/// How much of its equity a bot may put into a position.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RiskMode {
    Safe,
    #[default]
    Balanced,
    Risky,
    Aggressive,
}

/// Size of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sizing {
    /// This many percent of the bot's equity.
    PercentOfEquity(Amount),
    /// This much quote currency.
    FixedQuote(Amount),
}

/// Protective exits; what is `None` is not armed. Percent of the average entry price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exits {
    /// Sell when the best bid is this far below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_percent: Option<Amount>,
    /// Sell when the best bid is this far above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_percent: Option<Amount>,
    /// Sell when the best bid is this far below its high since entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail_percent: Option<Amount>,
    /// Sell after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u32>,
}

/// What a person or the autopilot orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotConfig {
    /// Unique in the account.
    pub name: String,
    /// As typed: may be one that we do not support.
    pub exchange: String,
    /// Canonical.
    pub symbol: Symbol,
    /// Strategy and parameters.
    pub strategy: StrategyConfig,
    /// Bars that it decides on.
    pub timeframe: Timeframe,
    /// Limits of its positions.
    pub risk_mode: RiskMode,
    /// Quote currency reserved from the wallet.
    pub capital: Amount,
    /// `None`: the mode's limit divided by the strategy's maximum entries.
    pub sizing: Option<Sizing>,
    /// As resolved from the kind's defaults and the request.
    pub exits: Exits,
    /// May the autopilot act on it?
    pub managed: bool,
}

/// Stored state of a bot; `paused` is derived: active with a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Works.
    Active,
    /// Ended by a person; its position is kept guarded or sold.
    Stopped,
    /// Archived; flat.
    Retired,
}

/// What happens to a position when its bot is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopChoice {
    /// Protective exits stay armed.
    #[default]
    KeepGuarding,
    /// Sell now.
    Sell,
}

/// A reason why a bot may not open positions, released only by its own rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
#[allow(missing_docs)] // behaviour.md's words
pub enum Hold {
    UserPaused,
    EmergencyStop,
    UnsupportedExchange,
    ModeDisabled,
    RiskStop,
    CircuitBreaker,
    Rogue,
    BudgetExhausted,
    NoExchangeKeys,
    InstrumentHalted,
    Cooldown,
    DailyLimit,
    ExecutionThrottle,
}

impl Hold {
    /// All holds, in the order in which they are named.
    pub const ALL: [Self; 13] = [
        Self::UserPaused,
        Self::EmergencyStop,
        Self::UnsupportedExchange,
        Self::ModeDisabled,
        Self::RiskStop,
        Self::CircuitBreaker,
        Self::Rogue,
        Self::BudgetExhausted,
        Self::NoExchangeKeys,
        Self::InstrumentHalted,
        Self::ExecutionThrottle,
        Self::Cooldown,
        Self::DailyLimit,
    ];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserPaused => "USER_PAUSED",
            Self::EmergencyStop => "EMERGENCY_STOP",
            Self::UnsupportedExchange => "UNSUPPORTED_EXCHANGE",
            Self::ModeDisabled => "MODE_DISABLED",
            Self::RiskStop => "RISK_STOP",
            Self::CircuitBreaker => "CIRCUIT_BREAKER",
            Self::Rogue => "ROGUE",
            Self::BudgetExhausted => "BUDGET_EXHAUSTED",
            Self::NoExchangeKeys => "NO_EXCHANGE_KEYS",
            Self::InstrumentHalted => "INSTRUMENT_HALTED",
            Self::Cooldown => "COOLDOWN",
            Self::DailyLimit => "DAILY_LIMIT",
            Self::ExecutionThrottle => "EXECUTION_THROTTLE",
        }
    }

    /// Only skips entries; the bot is not called paused and no event is sent.
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::Cooldown | Self::DailyLimit)
    }
}

/// A set of holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds(u16);

impl Holds {
    /// No hold.
    pub const NONE: Self = Self(0);

    /// Adds one; says whether it was new.
    pub fn insert(&mut self, hold: Hold) -> bool {
        let was = self.0;
        self.0 |= 1 << hold as u8;
        was != self.0
    }

    /// Releases one; says whether it was there.
    pub fn remove(&mut self, hold: Hold) -> bool {
        let was = self.0;
        self.0 &= !(1 << hold as u8);
        was != self.0
    }

    /// Is it there?
    pub const fn contains(self, hold: Hold) -> bool {
        self.0 & (1 << hold as u8) != 0
    }

    /// No hold at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are there.
    pub fn iter(self) -> impl Iterator<Item = Hold> {
        Hold::ALL.into_iter().filter(move |h| self.contains(*h))
    }

    /// Is there one that makes the bot paused?
    pub fn is_paused(self) -> bool {
        self.iter().any(|h| !h.is_silent())
    }
}

impl FromIterator<Hold> for Holds {
    fn from_iter<I: IntoIterator<Item = Hold>>(holds: I) -> Self {
        let mut set = Self::default();
        for hold in holds {
            set.insert(hold);
        }
        set
    }
}

impl Serialize for Holds {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Holds {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Vec::<Hold>::deserialize(d).map(Self::from_iter)
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A signed-in person or token, by name.
    Person(String),
    /// The product itself: rules of the engine, the bodyguard, the autopilot.
    Rule(std::borrow::Cow<'static, str>),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => f.pad(name),
            Self::Rule(name) => f.pad(name),
        }
    }
}
