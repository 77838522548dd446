//! An account's policy may only tighten the fleet's.

use crate::command::CommandError;
use domain::Policy;

/// Refuses a policy that is looser anywhere, naming the first such limit.
pub(crate) fn check(fleet: &Policy, own: &Policy) -> Result<(), CommandError> {
    let caps = |c: &domain::Caps| [c.binance, c.kucoin, c.luno];
    let counts = [
        ("spread_collar_bp", fleet.spread_collar_bp, own.spread_collar_bp),
        ("price_collar_bp", fleet.price_collar_bp, own.price_collar_bp),
        (
            "entries_per_day_directional",
            fleet.entries_per_day_directional,
            own.entries_per_day_directional,
        ),
        ("entries_per_day_grid_dca", fleet.entries_per_day_grid_dca, own.entries_per_day_grid_dca),
        (
            "entries_per_day_market_making",
            fleet.entries_per_day_market_making,
            own.entries_per_day_market_making,
        ),
        ("orders_per_second_max", fleet.orders_per_second_max, own.orders_per_second_max),
        ("rearms_per_day_max", fleet.rearms_per_day_max, own.rearms_per_day_max),
        ("consecutive_losses_max", fleet.consecutive_losses_max, own.consecutive_losses_max),
        ("rate_age_max_s", fleet.rate_age_max_s, own.rate_age_max_s),
        // Longer is tighter.
        ("duplicate_window_ms", own.duplicate_window_ms, fleet.duplicate_window_ms),
        ("rearm_after_s", own.rearm_after_s, fleet.rearm_after_s),
        ("cooldown_after_trade_s", own.cooldown_after_trade_s, fleet.cooldown_after_trade_s),
        (
            "consecutive_losses_pause_s",
            own.consecutive_losses_pause_s,
            fleet.consecutive_losses_pause_s,
        ),
    ];
    let shares = [
        ("order_size_max_percent", fleet.order_size_max_percent, own.order_size_max_percent),
        ("depth_share_max_percent", fleet.depth_share_max_percent, own.depth_share_max_percent),
        ("daily_loss_max_percent", fleet.daily_loss_max_percent, own.daily_loss_max_percent),
        (
            "position_max_percent_safe",
            fleet.position_max_percent_safe,
            own.position_max_percent_safe,
        ),
        (
            "position_max_percent_balanced",
            fleet.position_max_percent_balanced,
            own.position_max_percent_balanced,
        ),
        (
            "position_max_percent_risky",
            fleet.position_max_percent_risky,
            own.position_max_percent_risky,
        ),
        (
            "position_max_percent_aggressive",
            fleet.position_max_percent_aggressive,
            own.position_max_percent_aggressive,
        ),
        (
            "asset_exposure_max_percent",
            fleet.asset_exposure_max_percent,
            own.asset_exposure_max_percent,
        ),
        (
            "exchange_exposure_max_percent",
            fleet.exchange_exposure_max_percent,
            own.exchange_exposure_max_percent,
        ),
        (
            "drawdown_max_percent_safe",
            fleet.drawdown_max_percent_safe,
            own.drawdown_max_percent_safe,
        ),
        (
            "drawdown_max_percent_balanced",
            fleet.drawdown_max_percent_balanced,
            own.drawdown_max_percent_balanced,
        ),
        (
            "drawdown_max_percent_risky",
            fleet.drawdown_max_percent_risky,
            own.drawdown_max_percent_risky,
        ),
        (
            "drawdown_max_percent_aggressive",
            fleet.drawdown_max_percent_aggressive,
            own.drawdown_max_percent_aggressive,
        ),
        ("breaker_bot_percent", fleet.breaker_bot_percent, own.breaker_bot_percent),
        (
            "breaker_account_day_percent",
            fleet.breaker_account_day_percent,
            own.breaker_account_day_percent,
        ),
        (
            "breaker_fleet_day_percent",
            fleet.breaker_fleet_day_percent,
            own.breaker_fleet_day_percent,
        ),
    ];
    let looser = |key: &str, value: String, limit: String| CommandError::PolicyInvalid {
        key: key.to_owned(),
        value,
        allowed: format!("no looser than the fleet's {limit}"),
    };
    for (key, limit, value) in counts {
        if value > limit {
            return Err(looser(key, value.to_string(), limit.to_string()));
        }
    }
    for (key, limit, value) in shares {
        if value > limit {
            return Err(looser(key, value.to_string(), limit.to_string()));
        }
    }
    for (key, limit, value) in [
        ("paper_bots_max", caps(&fleet.paper_bots_max), caps(&own.paper_bots_max)),
        ("live_bots_max", caps(&fleet.live_bots_max), caps(&own.live_bots_max)),
    ] {
        if value.iter().zip(limit).any(|(v, l)| *v > l) {
            return Err(looser(key, format!("{value:?}"), format!("{limit:?}")));
        }
    }
    Ok(())
}
