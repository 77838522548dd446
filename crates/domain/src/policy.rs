//! All limits in one versioned value: one table says of each limit what it is, what it may be and
//! which way is looser. Validation, configuration, the rule that an account may only tighten, and
//! the documentation read that table.

mod limit;

use crate::{Amount, Rate, RiskMode, Span, StrategyKind};
use serde::{Deserialize, Serialize};

pub use limit::{Limit, LimitValue, Looser, Unit};

/// Most bots per account and exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Caps {
    pub binance: u32,
    pub kucoin: u32,
    pub luno: u32,
}

trait Field {
    fn show(&self) -> LimitValue;
    fn put(&mut self, value: LimitValue);
}

impl Field for Amount {
    fn show(&self) -> LimitValue {
        LimitValue::Decimal(*self)
    }

    fn put(&mut self, value: LimitValue) {
        if let LimitValue::Decimal(value) = value {
            *self = value;
        }
    }
}

impl Field for u32 {
    fn show(&self) -> LimitValue {
        LimitValue::Whole(*self)
    }

    fn put(&mut self, value: LimitValue) {
        if let LimitValue::Whole(value) = value {
            *self = value;
        }
    }
}

/// A limit's value as written in the table.
macro_rules! initial {
    (Amount, $value:literal) => {
        $value.parse().expect("the table's own decimal")
    };
    (u32, $value:literal) => {
        $value
    };
}

macro_rules! limits {
    ($($(#[doc = $about:literal])+
        $key:ident: $kind:ident = $default:literal, $unit:ident $min:literal..$max:literal $looser:ident;
    )+) => {
        /// Every limit of the product; the unit is in each name. See [`Policy::LIMITS`].
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Policy {
            /// Most paper bots per exchange.
            pub paper_bots_max: Caps,
            /// Most live bots per exchange.
            pub live_bots_max: Caps,
            $($(#[doc = $about])+ pub $key: $kind,)+
        }

        impl Default for Policy {
            fn default() -> Self {
                Self {
                    paper_bots_max: Caps { binance: 100, kucoin: 100, luno: 100 },
                    live_bots_max: Caps { binance: 10, kucoin: 10, luno: 5 },
                    $($key: initial!($kind, $default),)+
                }
            }
        }

        impl Policy {
            /// The table of limits; the caps are apart, as each has three values.
            pub const LIMITS: &'static [Limit] = &[$(Limit {
                key: stringify!($key),
                unit: Unit::$unit,
                min: $min,
                max: $max,
                looser: Looser::$looser,
                about: concat!($($about),+).trim_ascii(),
            }),+];

            /// All values, in the order of the table.
            pub fn values(&self) -> Vec<LimitValue> {
                vec![$(self.$key.show()),+]
            }

            /// Sets a limit by its place in the table; a value of the other kind changes nothing.
            pub fn set(&mut self, at: usize, value: LimitValue) {
                let fields: &mut [&mut dyn Field] = &mut [$(&mut self.$key),+];
                if let Some(field) = fields.get_mut(at) {
                    field.put(value);
                }
            }
        }
    };
}

limits! {
    /// Widest spread at which prices are used, of mid.
    spread_collar_bp: u32 = 40, BasisPoints 1..10_000 Higher;
    /// Farthest that an order's price may be from the touch.
    price_collar_bp: u32 = 200, BasisPoints 1..10_000 Higher;
    /// Largest order, of the bot's equity (fat finger).
    order_size_max_percent: Amount = "100", Percent 0..100 Higher;
    /// Largest order, of the visible depth inside the price collar.
    depth_share_max_percent: Amount = "50", Percent 0..100 Higher;
    /// Chasing: a taking entry may not pay more than this above the first one wanted in its window.
    chase_max_bp: u32 = 100, BasisPoints 1..10_000 Higher;
    /// Chasing: how long the first price wanted counts; then the next one is the first.
    chase_window_s: u32 = 300, Seconds 1..86_400 Lower;
    /// Farthest that our clock may surely be from the exchange's; live also asks that it is known.
    clock_offset_max_ms: u32 = 1_000, Milliseconds 1..60_000 Higher;
    /// An equal order within this time is a duplicate.
    duplicate_window_ms: u32 = 500, Milliseconds 0..60_000 Lower;
    /// Entries of a bot a UTC day, directional strategies.
    entries_per_day_directional: u32 = 50, Count 1..1_000_000_000 Higher;
    /// Entries of a bot a UTC day, grid and DCA.
    entries_per_day_grid_dca: u32 = 500, Count 1..1_000_000_000 Higher;
    /// Entries of a bot a UTC day, market making.
    entries_per_day_market_making: u32 = 5_000, Count 1..1_000_000_000 Higher;
    /// Execution throttle: the window in which a bot's executed entries are counted, in sixths.
    execution_throttle_window_s: u32 = 600, Seconds 60..86_400 Lower;
    /// Executed entries in the window that hold a bot until a person re-arms it, directional.
    execution_throttle_directional: u32 = 40, Count 1..1_000_000_000 HigherOrZero;
    /// The same, grid and DCA.
    execution_throttle_grid_dca: u32 = 300, Count 1..1_000_000_000 HigherOrZero;
    /// The same, market making.
    execution_throttle_market_making: u32 = 1_000, Count 1..1_000_000_000 HigherOrZero;
    /// Orders a second, all paper bots of an account on an exchange; 30 % are kept for exits.
    orders_per_second_max: u32 = 5, Count 1..1_000_000 Higher;
    /// Loss of the day's opening equity that stops entries until the next UTC day.
    daily_loss_max_percent: Amount = "5", Percent 0..100 Higher;
    /// Position and open buys of a `safe` bot, of its equity.
    position_max_percent_safe: Amount = "25", Percent 0..100 Higher;
    /// The same, `balanced`.
    position_max_percent_balanced: Amount = "35", Percent 0..100 Higher;
    /// The same, `risky`.
    position_max_percent_risky: Amount = "45", Percent 0..100 Higher;
    /// The same, `aggressive`.
    position_max_percent_aggressive: Amount = "60", Percent 0..100 Higher;
    /// One base asset's share of open exposure; paper warns.
    asset_exposure_max_percent: Amount = "35", Percent 0..100 Higher;
    /// One exchange's share of open exposure; paper warns.
    exchange_exposure_max_percent: Amount = "60", Percent 0..100 Higher;
    /// Drawdown from its equity peak that stops a `safe` bot.
    drawdown_max_percent_safe: Amount = "15", Percent 0..100 Higher;
    /// The same, `balanced`.
    drawdown_max_percent_balanced: Amount = "20", Percent 0..100 Higher;
    /// The same, `risky`.
    drawdown_max_percent_risky: Amount = "22", Percent 0..100 Higher;
    /// The same, `aggressive`.
    drawdown_max_percent_aggressive: Amount = "25", Percent 0..100 Higher;
    /// A paper bot stopped for drawdown re-arms itself after this time.
    rearm_after_s: u32 = 1_800, Seconds 1..86_400 Lower;
    /// It does so at most this often a UTC day.
    rearms_per_day_max: u32 = 3, Count 0..1_000 Higher;
    /// No entry for this long after a trade.
    cooldown_after_trade_s: u32 = 0, Seconds 0..86_400 Lower;
    /// Losses in a row after which a bot cools down.
    consecutive_losses_max: u32 = 5, Count 1..1_000_000 HigherOrZero;
    /// No entry for this long after losses in a row.
    consecutive_losses_pause_s: u32 = 900, Seconds 0..86_400 Lower;
    /// Stop-loss guard: losing stops of a bot within its lookback after which it cools down.
    stoploss_guard_trades_max: u32 = 4, Count 1..16 HigherOrZero;
    /// How far back the stop-loss guard looks.
    stoploss_guard_lookback_s: u32 = 86_400, Seconds 1..2_592_000 Lower;
    /// No entry for this long after the stop-loss guard acted.
    stoploss_guard_pause_s: u32 = 3_600, Seconds 0..86_400 Lower;
    /// Low-profit pair: trades of a bot within the lookback before it is judged.
    low_profit_trades_min: u32 = 10, Count 1..16 HigherOrZero;
    /// Loss of those trades, of the bot's capital, at which it cools down.
    low_profit_loss_percent: Amount = "3", Percent 0..100 Higher;
    /// How far back it looks.
    low_profit_lookback_s: u32 = 21_600, Seconds 1..2_592_000 Lower;
    /// No entry for this long after it acted.
    low_profit_pause_s: u32 = 3_600, Seconds 0..86_400 Lower;
    /// Maximum drawdown: fall of a bot's equity within the lookback at which it cools down.
    max_drawdown_percent: Amount = "10", Percent 0..100 HigherOrZero;
    /// How far back it looks, in steps of a sixth.
    max_drawdown_lookback_s: u32 = 43_200, Seconds 720..2_592_000 Lower;
    /// No entry for this long after it acted.
    max_drawdown_pause_s: u32 = 14_400, Seconds 0..86_400 Lower;
    /// Closed trades before a bot's frequency and returns are tested for a change.
    anomaly_trades_min: u32 = 30, Count 30..100_000 HigherOrZero;
    /// Loss within an hour that holds a bot as `ROGUE` until a person looks.
    rogue_loss_percent: Amount = "15", Percent 0..100 Higher;
    /// Loss on capital that breaks a bot's circuit.
    breaker_bot_percent: Amount = "20", Percent 0..100 Higher;
    /// Loss of the day that breaks an account's circuit.
    breaker_account_day_percent: Amount = "10", Percent 0..100 Higher;
    /// Loss of the day that breaks the fleet's circuit.
    breaker_fleet_day_percent: Amount = "15", Percent 0..100 Higher;
    /// A currency rate older than this is not used for limits.
    rate_age_max_s: u32 = 86_400, Seconds 1..86_400 Higher;
    /// Live gate: closed trades of the training.
    gate_trades_min: u32 = 25, Count 1..100_000 Lower;
    /// Live gate: profit factor of the training.
    gate_profit_factor_min: Amount = "1.2", Number 0..100 Lower;
    /// A live bot stays while its profit factor is above this.
    gate_stay_profit_factor_min: Amount = "1", Number 0..100 Lower;
    /// Live gate: drawdown of the training.
    gate_drawdown_max_percent: Amount = "15", Percent 0..100 Higher;
    /// A live bot stays while its drawdown is within this.
    gate_stay_drawdown_max_percent: Amount = "20", Percent 0..100 Higher;
    /// Live gate: share of winning trades; 0: shown, not required.
    gate_win_rate_min_percent: Amount = "0", Percent 0..100 LowerOrZero;
    /// Live gate: net profit of the training, of the capital; 0: shown, not required.
    gate_profit_min_percent: Amount = "0", Percent 0..100 LowerOrZero;
    /// Probability that the true Sharpe ratio is above zero, for `gate_small_size_percent`.
    gate_small_probability_percent: Amount = "80", Percent 50..100 Lower;
    /// Size of a live bot on that evidence, of its capital.
    gate_small_size_percent: Amount = "10", Percent 0..100 Higher;
    /// The same probability after correction for every variant tried, for the full size.
    gate_full_probability_percent: Amount = "95", Percent 50..100 Lower;
    /// Size in the first 24 hours live, of the capital; twice the exchange's minimum if that is more.
    gate_first_day_percent: Amount = "1", Percent 0..100 Higher;
    /// And never more than this, of the capital.
    gate_first_day_max_percent: Amount = "10", Percent 0..100 Higher;
    /// Autopilot: time between two runs.
    autopilot_every_s: u32 = 3_600, Seconds 10..86_400 Lower;
    /// It acts on a bot at most once in this time.
    autopilot_cooldown_s: u32 = 86_400, Seconds 0..2_592_000 Lower;
    /// Actions of one run.
    autopilot_actions_max: u32 = 8, Count 1..1_000 Higher;
    /// Closed trades before a bot is scored.
    autopilot_trades_min: u32 = 30, Count 2..100_000 Lower;
    /// Profit from which it reinvests, in the reporting currency.
    autopilot_reinvest_min: Amount = "500", Number 0..1_000_000_000 Lower;
    /// Part of the profit that it gives to the best; the rest waits for a new bot.
    autopilot_reinvest_percent: Amount = "80", Percent 0..100 Higher;
    /// How many the best are.
    autopilot_best_bots: u32 = 3, Count 1..100 Higher;
    /// Profit from which it creates a bot, in the reporting currency.
    autopilot_spawn_min: Amount = "1000", Number 0..1_000_000_000 Lower;
    /// The worst bot is cut when its score is at or below minus this.
    autopilot_cut_score: Amount = "1", Number 0..100 Higher;
    /// Covered time after which a bot that it created must have earned something.
    autopilot_trial_s: u32 = 604_800, Seconds 3_600..31_536_000 Higher;
}

/// A limit that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy.{key} = {value}: allowed is {allowed}")]
pub struct PolicyError {
    /// Which.
    pub key: &'static str,
    /// What was given.
    pub value: String,
    /// What may be given.
    pub allowed: String,
}

impl Policy {
    /// Checks every limit's range.
    ///
    /// # Errors
    /// Names the first key out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let all = Self::LIMITS.iter().zip(self.values());
        match all.into_iter().find(|(limit, value)| !limit.allows(*value)) {
            None => Ok(()),
            Some((limit, value)) => Err(PolicyError {
                key: limit.key,
                value: value.to_string(),
                allowed: limit.allowed(),
            }),
        }
    }

    /// Most of a bot's equity in position and open buys.
    pub fn position_max(&self, mode: RiskMode) -> Rate {
        rate(match mode {
            RiskMode::Safe => self.position_max_percent_safe,
            RiskMode::Balanced => self.position_max_percent_balanced,
            RiskMode::Risky => self.position_max_percent_risky,
            RiskMode::Aggressive => self.position_max_percent_aggressive,
        })
    }

    /// Drawdown that stops a bot.
    pub fn drawdown_max(&self, mode: RiskMode) -> Rate {
        rate(match mode {
            RiskMode::Safe => self.drawdown_max_percent_safe,
            RiskMode::Balanced => self.drawdown_max_percent_balanced,
            RiskMode::Risky => self.drawdown_max_percent_risky,
            RiskMode::Aggressive => self.drawdown_max_percent_aggressive,
        })
    }

    /// Entries a UTC day.
    pub const fn entries_per_day(&self, kind: StrategyKind) -> u32 {
        match kind {
            StrategyKind::Grid | StrategyKind::Dca => self.entries_per_day_grid_dca,
            StrategyKind::MarketMaking => self.entries_per_day_market_making,
            _ => self.entries_per_day_directional,
        }
    }

    /// Executed entries in the window at which a bot is throttled; `None`: never.
    pub const fn execution_throttle(&self, kind: StrategyKind) -> Option<u32> {
        let maximum = match kind {
            StrategyKind::Grid | StrategyKind::Dca => self.execution_throttle_grid_dca,
            StrategyKind::MarketMaking => self.execution_throttle_market_making,
            _ => self.execution_throttle_directional,
        };
        if maximum == 0 { None } else { Some(maximum) }
    }

    /// See [`Policy::execution_throttle_window_s`].
    pub fn execution_throttle_window(&self) -> Span {
        Span::from_secs(i64::from(self.execution_throttle_window_s))
    }

    /// See [`Policy::chase_window_s`].
    pub fn chase_window(&self) -> Span {
        Span::from_secs(i64::from(self.chase_window_s))
    }

    /// See [`Policy::duplicate_window_ms`].
    pub fn duplicate_window(&self) -> Span {
        Span::from_millis(i64::from(self.duplicate_window_ms))
    }
}

/// A percentage as a share; validated to fit.
fn rate(percent: Amount) -> Rate {
    Rate::from_percent_amount(percent).unwrap_or(Rate::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(key: &str) -> (usize, Limit) {
        let at = Policy::LIMITS.iter().position(|l| l.key == key).unwrap();
        (at, Policy::LIMITS[at])
    }

    #[test]
    fn the_defaults_are_allowed_and_each_limit_refuses_what_is_past_its_ends() {
        let policy = Policy::default();
        policy.validate().unwrap();
        for (at, limit) in Policy::LIMITS.iter().enumerate() {
            let past = match limit.is_decimal() {
                true => LimitValue::Decimal(Amount::from_int(i64::from(limit.max) + 1)),
                false => LimitValue::Whole(limit.max + 1),
            };
            let mut wrong = policy.clone();
            wrong.set(at, past);
            let error = wrong.validate().unwrap_err();
            assert_eq!((error.key, error.value), (limit.key, past.to_string()));
        }
    }

    #[test]
    fn a_percentage_of_nothing_is_refused_unless_that_means_off() {
        let zero = LimitValue::Decimal(Amount::ZERO);
        assert!(!limit("daily_loss_max_percent").1.allows(zero));
        assert!(limit("gate_win_rate_min_percent").1.allows(zero));
    }

    #[test]
    fn looser_is_higher_or_lower_or_off_as_the_table_says() {
        let whole = LimitValue::Whole;
        let table = [
            ("spread_collar_bp", 50, 40, true),
            ("spread_collar_bp", 30, 40, false),
            ("cooldown_after_trade_s", 5, 10, true),
            ("cooldown_after_trade_s", 10, 10, false),
            ("consecutive_losses_max", 0, 5, true),
            ("consecutive_losses_max", 6, 5, true),
            ("consecutive_losses_max", 3, 0, false),
            ("consecutive_losses_max", 0, 0, false),
        ];
        for (key, own, fleet, expected) in table {
            let is_looser = limit(key).1.is_looser(whole(own), whole(fleet));
            assert_eq!(is_looser, expected, "{key} {own} {fleet}");
        }
    }
}
