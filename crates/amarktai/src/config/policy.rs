//! `[policy]`: every limit, with its unit in its name. Seeds version 1; afterwards the store wins.

use super::kind;
use super::reader::Reader;
use domain::{Caps, Exchange, Policy};

/// Most bots of one exchange; above it a shard is no longer one machine's work.
const BOTS_MAX: u32 = 100_000;
const DAY_S: u32 = 86_400;

macro_rules! limits {
    ($reader:ident, $policy:ident, $kind:expr, $($field:ident: $about:literal),+ $(,)?) => {{
        let kind = $kind;
        $($policy.$field = $reader.value(
            concat!("policy.", stringify!($field)), $about, &kind, $policy.$field,
        );)+
    }};
}

/// Reads every limit over its default.
pub(super) fn read(reader: &mut Reader) -> Policy {
    let mut policy = Policy::default();
    policy.paper_bots_max = caps(reader, "paper", policy.paper_bots_max);
    policy.live_bots_max = caps(reader, "live", policy.live_bots_max);
    shares(reader, &mut policy);
    counts(reader, &mut policy);
    policy
}

fn caps(reader: &mut Reader, mode: &str, default: Caps) -> Caps {
    let kind = kind::whole32("", 0, BOTS_MAX);
    let mut cap = |exchange: Exchange, default| {
        let key = format!("policy.{mode}_bots_max.{exchange}");
        reader.value(&key, "Most bots of an account on the exchange.", &kind, default)
    };
    Caps {
        binance: cap(Exchange::Binance, default.binance),
        kucoin: cap(Exchange::Kucoin, default.kucoin),
        luno: cap(Exchange::Luno, default.luno),
    }
}

fn shares(reader: &mut Reader, policy: &mut Policy) {
    limits!(reader, policy, kind::percent(),
        order_size_max_percent: "Largest order, of the bot's equity.",
        depth_share_max_percent: "Largest order, of the visible depth inside the price collar.",
        daily_loss_max_percent: "Loss of the day's opening equity that stops entries.",
        position_max_percent_safe: "Position and open buys of a `safe` bot, of its equity.",
        position_max_percent_balanced: "The same, `balanced`.",
        position_max_percent_risky: "The same, `risky`.",
        position_max_percent_aggressive: "The same, `aggressive`.",
        asset_exposure_max_percent: "One base asset's share of open exposure; paper warns.",
        exchange_exposure_max_percent: "One exchange's share of open exposure; paper warns.",
        drawdown_max_percent_safe: "Drawdown from its equity peak that stops a `safe` bot.",
        drawdown_max_percent_balanced: "The same, `balanced`.",
        drawdown_max_percent_risky: "The same, `risky`.",
        drawdown_max_percent_aggressive: "The same, `aggressive`.",
        breaker_bot_percent: "Loss on capital that breaks a bot's circuit.",
        breaker_account_day_percent: "Loss of the day that breaks an account's circuit.",
        breaker_fleet_day_percent: "Loss of the day that breaks the fleet's circuit.",
    );
}

fn counts(reader: &mut Reader, policy: &mut Policy) {
    limits!(reader, policy, kind::whole32(" of basis points", 1, 10_000),
        spread_collar_bp: "Widest spread at which prices are used.",
        price_collar_bp: "Farthest that an order's price may be from the touch.",
    );
    limits!(reader, policy, kind::whole32(" of milliseconds", 0, 60_000),
        duplicate_window_ms: "An equal order within this time is a duplicate.",
    );
    limits!(reader, policy, kind::whole32("", 1, 1_000_000),
        entries_per_day_directional: "Entries of a bot a UTC day, directional strategies.",
        entries_per_day_grid_dca: "The same, grid and DCA.",
        entries_per_day_market_making: "The same, market making.",
        orders_per_second_max: "Orders a second, all paper bots of an account on an exchange.",
        consecutive_losses_max: "Losses in a row after which a bot cools down.",
    );
    limits!(reader, policy, kind::whole32(" of seconds", 0, DAY_S),
        cooldown_after_trade_s: "No entry for this long after a trade.",
        consecutive_losses_pause_s: "No entry for this long after losses in a row.",
    );
    limits!(reader, policy, kind::whole32(" of seconds", 1, DAY_S),
        rearm_after_s: "A paper bot stopped for drawdown re-arms itself after this time.",
        rate_age_max_s: "A currency rate older than this is not used for limits.",
    );
    limits!(reader, policy, kind::whole32("", 0, 1_000),
        rearms_per_day_max: "It does so at most this often a UTC day.",
    );
}
