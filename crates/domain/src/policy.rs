//! All limits in one versioned value.

use crate::{Amount, Rate, RiskMode, Span, StrategyKind};
use serde::{Deserialize, Serialize};

/// Most bots per account and exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Caps {
    pub binance: u32,
    pub kucoin: u32,
    pub luno: u32,
}

/// Every limit of the product. Shares are percent; the unit is in each name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Most paper bots per exchange.
    pub paper_bots_max: Caps,
    /// Most live bots per exchange.
    pub live_bots_max: Caps,
    /// Widest spread at which prices are used, per mille of ten: basis points of mid.
    pub spread_collar_bp: u32,
    /// Farthest an order's price may be from the touch, in basis points.
    pub price_collar_bp: u32,
    /// Largest order's value in percent of the bot's equity (fat finger).
    pub order_size_max_percent: Amount,
    /// Largest order in percent of the visible depth inside the price collar.
    pub depth_share_max_percent: Amount,
    /// An equal order within this time is a duplicate.
    pub duplicate_window_ms: u32,
    /// Entries a UTC day: directional strategies.
    pub entries_per_day_directional: u32,
    /// Entries a UTC day: grid and DCA.
    pub entries_per_day_grid_dca: u32,
    /// Entries a UTC day: market making.
    pub entries_per_day_market_making: u32,
    /// Orders a second per exchange for all paper bots of an account; 30 % are kept for exits.
    pub orders_per_second_max: u32,
    /// Loss of the day's opening equity that stops entries until the next UTC day.
    pub daily_loss_max_percent: Amount,
    /// Position and open buys of a bot, `safe`, in percent of its equity.
    pub position_max_percent_safe: Amount,
    /// The same, `balanced`.
    pub position_max_percent_balanced: Amount,
    /// The same, `risky`.
    pub position_max_percent_risky: Amount,
    /// The same, `aggressive`.
    pub position_max_percent_aggressive: Amount,
    /// One base asset's share of open exposure (live; paper warns).
    pub asset_exposure_max_percent: Amount,
    /// One exchange's share of open exposure (live; paper warns).
    pub exchange_exposure_max_percent: Amount,
    /// Drawdown from the equity peak that stops a `safe` bot.
    pub drawdown_max_percent_safe: Amount,
    /// The same, `balanced`.
    pub drawdown_max_percent_balanced: Amount,
    /// The same, `risky`.
    pub drawdown_max_percent_risky: Amount,
    /// The same, `aggressive`.
    pub drawdown_max_percent_aggressive: Amount,
    /// A paper bot stopped for drawdown re-arms itself after this time.
    pub rearm_after_s: u32,
    /// At most this often a UTC day.
    pub rearms_per_day_max: u32,
    /// No entry for this long after a trade.
    pub cooldown_after_trade_s: u32,
    /// Losses in a row after which a bot cools down.
    pub consecutive_losses_max: u32,
    /// …for this long.
    pub consecutive_losses_pause_s: u32,
    /// Loss on capital that breaks a bot's circuit.
    pub breaker_bot_percent: Amount,
    /// Loss of the day that breaks an account's circuit.
    pub breaker_account_day_percent: Amount,
    /// Loss of the day that breaks the fleet's circuit.
    pub breaker_fleet_day_percent: Amount,
    /// A currency rate older than this is not used for limits.
    pub rate_age_max_s: u32,
}

impl Default for Policy {
    fn default() -> Self {
        let percent = Amount::from_int;
        Self {
            paper_bots_max: Caps { binance: 100, kucoin: 100, luno: 100 },
            live_bots_max: Caps { binance: 10, kucoin: 10, luno: 5 },
            spread_collar_bp: 40,
            price_collar_bp: 200,
            order_size_max_percent: percent(100),
            depth_share_max_percent: percent(50),
            duplicate_window_ms: 500,
            entries_per_day_directional: 50,
            entries_per_day_grid_dca: 500,
            entries_per_day_market_making: 5_000,
            orders_per_second_max: 5,
            daily_loss_max_percent: percent(5),
            position_max_percent_safe: percent(25),
            position_max_percent_balanced: percent(35),
            position_max_percent_risky: percent(45),
            position_max_percent_aggressive: percent(60),
            asset_exposure_max_percent: percent(35),
            exchange_exposure_max_percent: percent(60),
            drawdown_max_percent_safe: percent(15),
            drawdown_max_percent_balanced: percent(20),
            drawdown_max_percent_risky: percent(22),
            drawdown_max_percent_aggressive: percent(25),
            rearm_after_s: 1_800,
            rearms_per_day_max: 3,
            cooldown_after_trade_s: 0,
            consecutive_losses_max: 5,
            consecutive_losses_pause_s: 900,
            breaker_bot_percent: percent(20),
            breaker_account_day_percent: percent(10),
            breaker_fleet_day_percent: percent(15),
            rate_age_max_s: 86_400,
        }
    }
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
    pub allowed: &'static str,
}

impl Policy {
    /// Checks every limit's range.
    ///
    /// # Errors
    /// Names the first key out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let hundred = Amount::from_int(100);
        let shares = [
            ("order_size_max_percent", self.order_size_max_percent),
            ("depth_share_max_percent", self.depth_share_max_percent),
            ("daily_loss_max_percent", self.daily_loss_max_percent),
            ("position_max_percent_safe", self.position_max_percent_safe),
            ("position_max_percent_balanced", self.position_max_percent_balanced),
            ("position_max_percent_risky", self.position_max_percent_risky),
            ("position_max_percent_aggressive", self.position_max_percent_aggressive),
            ("asset_exposure_max_percent", self.asset_exposure_max_percent),
            ("exchange_exposure_max_percent", self.exchange_exposure_max_percent),
            ("drawdown_max_percent_safe", self.drawdown_max_percent_safe),
            ("drawdown_max_percent_balanced", self.drawdown_max_percent_balanced),
            ("drawdown_max_percent_risky", self.drawdown_max_percent_risky),
            ("drawdown_max_percent_aggressive", self.drawdown_max_percent_aggressive),
            ("breaker_bot_percent", self.breaker_bot_percent),
            ("breaker_account_day_percent", self.breaker_account_day_percent),
            ("breaker_fleet_day_percent", self.breaker_fleet_day_percent),
        ];
        for (key, value) in shares {
            if !value.is_positive() || value > hundred {
                let allowed = "a percentage above 0, at most 100";
                return Err(PolicyError { key, value: value.to_string(), allowed });
            }
        }
        let counts = [
            ("spread_collar_bp", self.spread_collar_bp, 10_000),
            ("price_collar_bp", self.price_collar_bp, 10_000),
            ("orders_per_second_max", self.orders_per_second_max, 1_000_000),
        ];
        for (key, value, max) in counts {
            if value == 0 || value > max {
                let allowed = "a whole number above 0, at most 10000 (orders: 1000000)";
                return Err(PolicyError { key, value: value.to_string(), allowed });
            }
        }
        Ok(())
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

    /// See [`Policy::duplicate_window_ms`].
    pub fn duplicate_window(&self) -> Span {
        Span::from_millis(i64::from(self.duplicate_window_ms))
    }
}

/// A percentage as a share; validated to fit.
fn rate(percent: Amount) -> Rate {
    Rate::from_percent_amount(percent).unwrap_or(Rate::ZERO)
}
