//! The one sentence: what a bot is doing right now.

use crate::instrument::status_word;
use crate::shard::{Shard, World, feed_reason, loss_percent};
use domain::{Hold, Lifecycle, Side, Timeframe, Timestamp};

/// State and sentence of a bot.
pub(crate) fn of(shard: &Shard, slot: usize, world: &World<'_>) -> (&'static str, String) {
    let bot = &shard.bots[slot];
    match bot.record.lifecycle {
        Lifecycle::Retired => return ("archived", "Archived.".to_owned()),
        Lifecycle::Stopped => return ("stopped", stopped(shard, slot)),
        Lifecycle::Active => {}
    }
    let loud = bot.record.holds.iter().find(|h| !h.is_silent());
    if let Some(hold) = loud {
        return ("paused", paused(shard, slot, hold, world));
    }
    if shard.stop_choice(world).is_some() {
        return ("paused", "Paused by the emergency stop.".to_owned());
    }
    if let Some((scope, tripped)) = shard.breaker_of(slot, world) {
        return ("paused", breaker(scope, tripped, bot.live.is_some()));
    }
    if !world.switches.trading {
        return ("paused", "Paused: ENABLE_TRADING is off; exits stay armed.".to_owned());
    }
    if world.switches.restart_stop {
        let words = "Paused: the process was restarted too often; exits stay armed; a person lets \
                     entries again with `amarktai resume-entries`.";
        return ("paused", words.to_owned());
    }
    active(shard, slot, world)
}

fn breaker(scope: &str, tripped: crate::watch::Tripped, is_live: bool) -> String {
    let (lost, limit) = (tripped.loss_percent.to_f64(), tripped.maximum_percent);
    let closes =
        if is_live { "a person closes it" } else { "closes on the next UTC day or by hand" };
    format!(
        "Paused by the {scope}'s circuit breaker: lost {lost:.1} % of the day's equity, limit \
         {limit} %; {closes}."
    )
}

fn stopped(shard: &Shard, slot: usize) -> String {
    match shard.bots[slot].fixed.position.is_flat() {
        true => "Stopped.".to_owned(),
        false => "Stopped; its position is guarded.".to_owned(),
    }
}

fn hour(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or("--:--").to_owned()
}

fn paused(shard: &Shard, slot: usize, hold: Hold, world: &World<'_>) -> String {
    let bot = &shard.bots[slot];
    match hold {
        Hold::UserPaused => "Paused by hand; resume it when you like.".to_owned(),
        Hold::EmergencyStop => {
            "Paused by the emergency stop; clear it, then resume the bot.".to_owned()
        }
        Hold::UnsupportedExchange => format!(
            "Paused: {} is not in PAPER_SUPPORTED_EXCHANGES or not known.",
            bot.config().exchange
        ),
        Hold::ModeDisabled => "Paused: ENABLE_PAPER_TRADING is off.".to_owned(),
        Hold::RiskStop => {
            let policy = shard.policy(world).1;
            let limit = policy.drawdown_max(bot.config().risk_mode).to_percent();
            let drawdown = shard
                .equity(slot, world)
                .map(|equity| loss_percent(bot.equity_peak, equity).to_f64());
            let shown = drawdown.map_or("–".to_owned(), |d| format!("{d:.1}"));
            let rearm =
                bot.rearm_at.map_or(String::new(), |at| format!("; may re-arm {} UTC", hour(at)));
            format!("Paused by bodyguard: drawdown {shown} % > {limit} %{rearm}.")
        }
        Hold::CircuitBreaker => {
            "Paused by its circuit breaker; closes on the next UTC day or by hand.".to_owned()
        }
        Hold::ExecutionThrottle => crate::entries::throttled(bot, shard.policy(world).1),
        Hold::BudgetExhausted => format!(
            "Paused: needs {} {} available on {}; deposit it.",
            bot.config().capital,
            bot.config().symbol.quote,
            bot.config().exchange
        ),
        Hold::InstrumentHalted => {
            let status = bot.fixed.instrument.map(|id| world.markets.get(id).instrument.status);
            let word = status.map_or("halted", status_word);
            format!("Paused: {} is {word} on {}.", bot.config().symbol, bot.config().exchange)
        }
        other => format!("Paused: {}.", other.name()),
    }
}

fn active(shard: &Shard, slot: usize, world: &World<'_>) -> (&'static str, String) {
    let bot = &shard.bots[slot];
    let Some(id) = bot.fixed.instrument else {
        let text = format!("Waiting: {} is not loaded yet.", bot.config().symbol);
        return ("waiting", text);
    };
    let market = world.markets.get(id);
    if let Some(since) = bot.unguarded_since {
        return (
            "waiting",
            format!("UNGUARDED since {} UTC: {}.", hour(since), feed_reason(&market.feed)),
        );
    }
    if !market.feed.is_fresh() {
        return ("waiting", format!("Waiting: feed {}.", feed_reason(&market.feed)));
    }
    if let Some(since) = bot.stuck_since {
        let text = format!("STUCK since {} UTC: its market moves, no decision.", hour(since));
        return ("waiting", text);
    }
    if let Some(reason) = bot.exit_wanted {
        return ("trading", format!("Selling: {reason:?}."));
    }
    if let Some(warming) = warming(shard, slot, world) {
        return ("waiting", warming);
    }
    if let Some(r) = bot.refusal.as_ref().filter(|r| world.now - r.last_at < RECENT) {
        let wish = if r.side == Side::Buy { "buy" } else { "sell" };
        let figures = refusal_figures(&r.refusal);
        let text = format!("Wants to {wish}, refused {}×: {figures}.", r.count);
        return ("waiting", text);
    }
    if let Some(until) = bot.cooldown_until.filter(|until| *until > world.now) {
        return ("waiting", format!("Waiting: cooldown until {} UTC.", hour(until)));
    }
    let explained = shard.explain(slot, world).unwrap_or_else(|| "no bar yet".to_owned());
    let position = bot.fixed.position;
    if position.is_flat() {
        let word = if bot.open.is_empty() { "waiting" } else { "trading" };
        let prefix = if bot.open.is_empty() { "Waiting" } else { "Orders resting" };
        return (word, format!("{prefix}: {explained}{}.", next_bar(shard, slot, world)));
    }
    let quantity = market.instrument.quantity_amount(position.quantity);
    let base = bot.config().symbol.base;
    ("trading", format!("Holds {quantity} {base}; {explained}{}.", next_bar(shard, slot, world)))
}

/// A refusal older than this says nothing about now.
const RECENT: domain::Span = domain::Span::from_secs(120);

fn next_bar(shard: &Shard, slot: usize, world: &World<'_>) -> String {
    let bot = &shard.bots[slot];
    match bot.config().timeframe.span() {
        Some(span) if span.as_secs() >= 60 => {
            format!("; next bar {} UTC", hour(world.now.floor(span) + span))
        }
        _ => String::new(),
    }
}

fn warming(shard: &Shard, slot: usize, world: &World<'_>) -> Option<String> {
    let bot = &shard.bots[slot];
    let market = world.markets.get(bot.fixed.instrument?);
    let series = &market.series[bot.fixed.series];
    let progress = bot.fixed.slots.iter().map(|s| series.indicators.progress(*s));
    let (have, need) = progress.max_by_key(|(have, need)| need.saturating_sub(*have))?;
    if have >= need {
        return None;
    }
    let ready = bot
        .config()
        .timeframe
        .span()
        .map(|span| world.now.floor(span) + domain::Span(span.0 * i64::from(need - have)));
    let when = ready.map_or(String::new(), |at| format!(", ready {} UTC", hour(at)));
    let hint = match market.instrument.exchange {
        domain::Exchange::Luno if bot.config().timeframe >= Timeframe::M1 => {
            "; add a read-only Luno key to skip"
        }
        _ => "",
    };
    Some(format!("Warming up {have}/{need} bars{when}{hint}."))
}

/// The figures of a refusal in words.
pub(crate) fn refusal_figures(refusal: &domain::Refusal) -> String {
    use domain::Refusal as R;
    match refusal {
        R::EmergencyStop {} => "the emergency stop is on".to_owned(),
        R::FlagOff { flag } => format!("{flag} is off"),
        R::NotActive { lifecycle } => format!("the bot is {lifecycle:?}").to_lowercase(),
        R::Held { hold } => format!("hold {}", hold.name()),
        R::CircuitBreaker { scope, loss_percent, maximum_percent } => {
            format!("{scope} breaker open: lost {loss_percent} %, limit {maximum_percent} %")
        }
        R::AssetExposure { asset, share_percent, maximum_percent } => {
            format!("{asset} would be {share_percent} % of what is open > {maximum_percent} %")
        }
        R::ExchangeExposure { exchange, share_percent, maximum_percent } => {
            format!("{exchange} would be {share_percent} % of what is open > {maximum_percent} %")
        }
        R::NotFresh { state } => format!("no price: {state}"),
        R::SpreadTooWide { spread_bp, collar_bp } => {
            format!("spread {spread_bp:.1} bp > {collar_bp} bp")
        }
        R::InstrumentHalted { status } => format!("instrument is {}", status_word(*status)),
        R::PriceFilter { price, tick_size } => format!("price {price} against tick {tick_size}"),
        R::LotSize { quantity, lot_size, minimum, maximum } => {
            format!("quantity {quantity} against lot {lot_size}, {minimum} to {maximum}")
        }
        R::PercentPrice { price, lowest, highest } => {
            format!("price {price} outside the exchange's {lowest} to {highest}")
        }
        R::MaxOpenOrders { open, maximum } => format!("{open} open orders of {maximum}"),
        R::OrderTooLarge { notional, maximum } => format!("order {notional} > {maximum}"),
        R::PriceCollar { price, limit } => format!("price {price} beyond {limit}"),
        R::DepthShare { quantity, visible, maximum_percent } => {
            format!("{quantity} > {maximum_percent} % of the visible {visible}")
        }
        R::Chasing { price, first, worse_bp, maximum_bp, window_s } => format!(
            "would chase: {price} is {worse_bp:.1} bp worse than {first} within {window_s} s, \
             limit {maximum_bp} bp"
        ),
        R::ClockSkew { off_ms, maximum_ms } => {
            format!("clock {off_ms} ms off the exchange's, limit {maximum_ms} ms: check NTP")
        }
        R::ClockUnknown { exchange } => format!("{exchange}'s clock was not measured yet"),
        R::NotHeld { quantity, held } => format!("sells {quantity}, holds {held}"),
        R::InsufficientFunds { needed, available } => {
            format!("needs {needed}, has {available}")
        }
        R::Duplicate { age_ms, window_ms } => {
            format!("equal order {age_ms} ms ago, window {window_ms} ms")
        }
        R::SelfMatch { price } => format!("would meet its own order at {price}"),
        R::OrderRate { in_last_second, maximum } => {
            format!("{in_last_second} orders in the last second, limit {maximum}")
        }
        R::EntriesPerDay { today, maximum } => format!("{today} entries today of {maximum}"),
        R::DailyLoss { loss_percent, maximum_percent } => {
            format!("lost {loss_percent} % today, limit {maximum_percent} %")
        }
        R::PositionLimit { would_be, maximum } => format!("position {would_be} > {maximum}"),
        R::NotionalBelowMinimum { notional, minimum } => format!("order {notional} < {minimum}"),
        R::NotionalAboveMaximum { notional, maximum } => format!("order {notional} > {maximum}"),
        R::EdgeTooSmall { edge_bp, cost_bp } => {
            format!("edge {edge_bp:.1} bp, costs {cost_bp:.1} bp")
        }
        R::RateUnknown { currency } => format!("no rate for {currency}"),
        R::LiveGate { missing } => format!("the live gate is closed: {missing}"),
        R::LiveSize { would_be, maximum } => {
            format!("{would_be} > {maximum}, for which its evidence is good")
        }
        R::CheckFailed { check, reason } => format!("check {check}: {reason}"),
    }
}
