//! The checks, in the order in which the first failing one names the refusal.
//!
//! Exits and reductions skip flags, holds, counts, daily loss, edge and exposure; never collar,
//! size, duplicate and freshness.

use crate::figures::Figures;
use crate::{LiveStanding, OrderIntent, Snapshot};
use domain::{
    Amount, InstrumentStatus, Lifecycle, Mode, OrderKind, Price, Rate, Refusal, Round, Side, Span,
    StrategyKind,
};
use market::Book;

/// What a check is: what is wanted, what is known, what follows from both.
pub type Rule = fn(&OrderIntent, &Snapshot<'_>, &Figures) -> Result<(), Refusal>;

/// One check.
pub struct Check {
    /// Its name in logs and documentation.
    pub name: &'static str,
    /// Skipped by exits and reductions?
    pub entries_only: bool,
    /// The check.
    pub check: Rule,
}

const fn always(name: &'static str, check: Rule) -> Check {
    Check { name, entries_only: false, check }
}

const fn entries(name: &'static str, check: Rule) -> Check {
    Check { name, entries_only: true, check }
}

/// All checks, first one first.
pub const CHECKS: &[Check] = &[
    entries("emergency_stop", emergency_stop),
    entries("flags", flags),
    entries("lifecycle", lifecycle),
    entries("holds", holds),
    entries("breaker", breaker),
    always("fresh", fresh),
    entries("spread", spread),
    entries("clock", clock),
    always("status", status),
    always("price_filter", price_filter),
    always("lot_size", lot_size),
    always("percent_price", percent_price),
    always("max_open_orders", max_open_orders),
    always("order_size", order_size),
    always("price_collar", price_collar),
    entries("depth_share", depth_share),
    entries("chasing", chasing),
    always("held", held),
    always("funds", funds),
    always("duplicate", duplicate),
    always("self_match", self_match),
    entries("order_rate", order_rate),
    entries("entries_per_day", entries_per_day),
    entries("rates", rates),
    entries("daily_loss", daily_loss),
    entries("position", position),
    entries("exposure", exposure),
    always("min_notional", min_notional),
    always("max_notional", max_notional),
    entries("edge", edge),
    entries("live_gate", live_gate),
    entries("live_size", live_size),
];

fn failed(check: &'static str, reason: &'static str) -> Refusal {
    Refusal::CheckFailed { check: check.to_owned(), reason: reason.to_owned() }
}

fn emergency_stop(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    if s.emergency_stop { Err(Refusal::EmergencyStop {}) } else { Ok(()) }
}

fn flags(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    match s.flag_off {
        Some(flag) => Err(Refusal::FlagOff { flag: flag.to_owned() }),
        None => Ok(()),
    }
}

fn lifecycle(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    match s.lifecycle {
        Lifecycle::Active => Ok(()),
        lifecycle => Err(Refusal::NotActive { lifecycle }),
    }
}

fn holds(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    match s.holds.iter().next() {
        Some(hold) if !s.holds.is_empty() => Err(Refusal::Held { hold }),
        _ => Ok(()),
    }
}

fn breaker(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let Some((scope, loss_percent, maximum_percent)) = s.breaker else { return Ok(()) };
    Err(Refusal::CircuitBreaker { scope: scope.to_owned(), loss_percent, maximum_percent })
}

fn fresh(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    if s.feed.is_fresh() && s.book.is_two_sided() && !s.book.is_crossed() {
        return Ok(());
    }
    let state = if s.feed.is_fresh() { "one-sided or crossed book" } else { s.feed.name() };
    Err(Refusal::NotFresh { state: state.to_owned() })
}

fn spread(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let collar_bp = s.policy.spread_collar_bp;
    match s.book.spread_bp() {
        Some(spread_bp) if spread_bp > f64::from(collar_bp) => {
            Err(Refusal::SpreadTooWide { spread_bp, collar_bp })
        }
        // A book without a spread is refused as not fresh.
        _ => Ok(()),
    }
}

/// What comes late, or seems to come from the future, is not what the market is. Simulated orders
/// only ask where it was measured: a tape has no clock to compare.
fn clock(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let maximum_ms = s.policy.clock_offset_max_ms;
    match s.clock_off {
        Some(off) if off > Span::from_millis(i64::from(maximum_ms)) => {
            Err(Refusal::ClockSkew { off_ms: off.0 / 1_000_000, maximum_ms })
        }
        None if intent.mode == Mode::Live => {
            Err(Refusal::ClockUnknown { exchange: s.instrument.exchange })
        }
        _ => Ok(()),
    }
}

/// How far two clocks surely are from one another, by the bounds of their difference: only as far as
/// both bounds say so.
pub fn surely_off(lower: Span, upper: Span) -> Span {
    let zero = Span::ZERO;
    if lower > zero { lower } else { Span(upper.min(zero).0.saturating_neg()) }
}

fn status(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let is_post_only = matches!(intent.kind, OrderKind::Limit { post_only: true, .. });
    match s.instrument.status {
        InstrumentStatus::Trading => Ok(()),
        InstrumentStatus::PostOnly if is_post_only => Ok(()),
        status => Err(Refusal::InstrumentHalted { status }),
    }
}

fn price_filter(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let OrderKind::Limit { price, .. } = intent.kind else { return Ok(()) };
    let i = s.instrument;
    let is_inside =
        i.min_price.is_none_or(|min| price >= min) && i.max_price.is_none_or(|max| price <= max);
    if price.0 > 0 && is_inside && i.on_tick(price, Side::Buy) == price {
        return Ok(());
    }
    let (price, tick_size) = (i.price_amount(price), i.price_amount(i.tick_size));
    Err(Refusal::PriceFilter { price, tick_size })
}

fn lot_size(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let i = s.instrument;
    let maximum = match (intent.kind, i.max_market_quantity) {
        (OrderKind::Market, Some(market)) => market.min(i.max_quantity),
        _ => i.max_quantity,
    };
    let is_inside = intent.quantity >= i.min_quantity && intent.quantity <= maximum;
    if intent.quantity.is_positive() && is_inside && i.on_lot(intent.quantity) == intent.quantity {
        return Ok(());
    }
    Err(Refusal::LotSize {
        quantity: i.quantity_amount(intent.quantity),
        lot_size: i.quantity_amount(i.lot_size),
        minimum: i.quantity_amount(i.min_quantity),
        maximum: i.quantity_amount(maximum),
    })
}

fn percent_price(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let (Some(band), OrderKind::Limit { price, .. }) = (s.instrument.percent_band, intent.kind)
    else {
        return Ok(());
    };
    let reference = s.reference.ok_or_else(|| failed("percent_price", "no reference price"))?;
    let (low, high) = band.limits(intent.side, reference);
    if price >= low && price <= high {
        return Ok(());
    }
    let [price, lowest, highest] = [price, low, high].map(|p| s.instrument.price_amount(p));
    Err(Refusal::PercentPrice { price, lowest, highest })
}

fn max_open_orders(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    match s.instrument.max_open_orders {
        Some(maximum) if s.open_orders >= maximum && intent.kind != OrderKind::Market => {
            Err(Refusal::MaxOpenOrders { open: s.open_orders, maximum })
        }
        _ => Ok(()),
    }
}

fn part_of(amount: Amount, percent: Amount) -> Amount {
    amount.times(Rate::from_percent_amount(percent).unwrap_or(Rate::ZERO), Round::Down)
}

fn order_size(intent: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    // A sell is bounded by what is held; its value may well have outgrown the equity limit.
    if intent.side == Side::Sell {
        return Ok(());
    }
    let unknown = || failed("order_size", "price or equity unknown");
    let notional = figures.notional.ok_or_else(unknown)?;
    let equity = s.equity.ok_or_else(unknown)?;
    let maximum = part_of(equity, s.policy.order_size_max_percent);
    if notional <= maximum { Ok(()) } else { Err(Refusal::OrderTooLarge { notional, maximum }) }
}

fn price_collar(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let OrderKind::Limit { price, .. } = intent.kind else { return Ok(()) };
    // Only a price that gives something away is dangerous; a passive one just waits.
    let Some(touch) = s.book.best(intent.side.opposite()) else { return Ok(()) };
    let room = i128::from(touch.price.0) * i128::from(s.policy.price_collar_bp) / 10_000;
    let (worst, is_outside) = match intent.side {
        Side::Buy => {
            let worst = i128::from(touch.price.0) + room;
            (worst, i128::from(price.0) > worst)
        }
        // Exits go out at the collar when the spread is wide, so theirs is twice as far.
        Side::Sell => {
            let worst = i128::from(touch.price.0) - 2 * room;
            (worst, i128::from(price.0) < worst)
        }
    };
    if !is_outside {
        return Ok(());
    }
    let limit = s.instrument.price_amount(Price(i64::try_from(worst).unwrap_or_default()));
    Err(Refusal::PriceCollar { price: s.instrument.price_amount(price), limit })
}

fn depth_share(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    if intent.kind != OrderKind::Market {
        return Ok(());
    }
    let maximum_percent = s.policy.depth_share_max_percent;
    let needed = Rate::from_percent_amount(maximum_percent).filter(|r| r.0 > 0);
    let share = needed.ok_or_else(|| failed("depth_share", "limit is not a share"))?;
    // All of what is seen is mostly the limit, or it fits 64 bits: no division of 128.
    let enough = match intent.quantity.0.checked_mul(Rate::ONE.0) {
        Some(whole) => i128::from(whole / share.0),
        None if share == Rate::ONE => i128::from(intent.quantity.0),
        None => i128::from(intent.quantity.0) * i128::from(Rate::ONE.0) / i128::from(share.0),
    };
    let mut visible = 0i128;
    let mut limit = None;
    for level in s.book.levels(intent.side.opposite()) {
        let first = *limit.get_or_insert(level.price);
        let distance = (i128::from(level.price.0) - i128::from(first.0)).abs();
        if distance * 10_000 > i128::from(first.0) * i128::from(s.policy.price_collar_bp) {
            break;
        }
        visible += i128::from(level.quantity.0);
        if visible >= enough {
            return Ok(());
        }
    }
    let i = s.instrument;
    Err(Refusal::DepthShare {
        quantity: i.quantity_amount(intent.quantity),
        visible: Amount::from_scaled(visible, i.quantity_scale, Round::Down),
        maximum_percent,
    })
}

/// Each single order may be inside the price collar while a row of them climbs with a price that
/// runs away: the first price wanted bounds them all for a while. Exits never ask: they have to get
/// out, and are re-priced at the collar.
fn chasing(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let Some(price) = taking_price(intent, s.book) else { return Ok(()) };
    let window = s.policy.chase_window();
    let running =
        s.first_entry.filter(|(side, _, at)| *side == intent.side && intent.at - *at < window);
    let Some((_, first, _)) = running else { return Ok(()) };
    let worse = match intent.side {
        Side::Buy => i128::from(price.0) - i128::from(first.0),
        Side::Sell => i128::from(first.0) - i128::from(price.0),
    };
    let maximum_bp = s.policy.chase_max_bp;
    if worse * 10_000 <= i128::from(first.0) * i128::from(maximum_bp) {
        return Ok(());
    }
    Err(Refusal::Chasing {
        price: s.instrument.price_amount(price),
        first: s.instrument.price_amount(first),
        worse_bp: worse as f64 * 1e4 / first.0 as f64,
        maximum_bp,
        window_s: s.policy.chase_window_s,
    })
}

/// At what an order would take right now; `None`: it rests, or there is nothing to take. Resting
/// orders wait for the price to come to them: they chase nothing.
pub fn taking_price(intent: &OrderIntent, book: &Book) -> Option<Price> {
    let touch = book.best(intent.side.opposite())?.price;
    match (intent.kind, intent.side) {
        (OrderKind::Market, _) => Some(touch),
        (OrderKind::Limit { post_only: true, .. }, _) => None,
        (OrderKind::Limit { price, .. }, Side::Buy) => (price >= touch).then_some(price),
        (OrderKind::Limit { price, .. }, Side::Sell) => (price <= touch).then_some(price),
    }
}

fn held(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    if intent.side == Side::Buy || intent.quantity <= s.held {
        return Ok(());
    }
    let quantity = s.instrument.quantity_amount(intent.quantity);
    Err(Refusal::NotHeld { quantity, held: s.instrument.quantity_amount(s.held) })
}

fn funds(intent: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    if intent.side == Side::Sell {
        return Ok(());
    }
    let needed = figures.worst_cost.ok_or_else(|| failed("funds", "no price"))?;
    let available = s.cash;
    if needed <= available { Ok(()) } else { Err(Refusal::InsufficientFunds { needed, available }) }
}

fn duplicate(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let Some((side, price, quantity, at)) = s.last_order else { return Ok(()) };
    let limit = match intent.kind {
        OrderKind::Limit { price, .. } => Some(price),
        OrderKind::Market => None,
    };
    let age = intent.at - at;
    let is_equal = (side, price, quantity) == (intent.side, limit, intent.quantity);
    if is_equal && age < s.policy.duplicate_window() {
        let (age_ms, window_ms) = (age.0 / 1_000_000, s.policy.duplicate_window_ms);
        return Err(Refusal::Duplicate { age_ms, window_ms });
    }
    Ok(())
}

fn self_match(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let (Some(own), Some(limit)) = (s.own_opposite, crossing_price(intent)) else { return Ok(()) };
    let crosses = match intent.side {
        Side::Buy => limit >= own,
        Side::Sell => limit <= own,
    };
    if crosses { Err(Refusal::SelfMatch { price: s.instrument.price_amount(own) }) } else { Ok(()) }
}

/// How far an order reaches; a market order is matched against the book's own liquidity first, and
/// the simulated exchange prevents the rest.
fn crossing_price(intent: &OrderIntent) -> Option<Price> {
    match intent.kind {
        OrderKind::Limit { price, .. } => Some(price),
        OrderKind::Market => None,
    }
}

fn order_rate(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    // 30 % are kept for exits.
    let maximum = (s.policy.orders_per_second_max * 7 / 10).max(1);
    let in_last_second = s.orders_last_second;
    if in_last_second < maximum {
        Ok(())
    } else {
        Err(Refusal::OrderRate { in_last_second, maximum })
    }
}

fn entries_per_day(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let (today, maximum) = (s.entries_today, s.policy.entries_per_day(s.strategy));
    if today < maximum { Ok(()) } else { Err(Refusal::EntriesPerDay { today, maximum }) }
}

fn rates(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    s.rate_unknown.map_or(Ok(()), |currency| Err(Refusal::RateUnknown { currency }))
}

/// Live counts the whole account's day; paper the bot's, and the account is warned.
fn daily_loss(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let maximum_percent = s.policy.daily_loss_max_percent;
    let lost = match intent.mode {
        Mode::Paper => s.daily_loss_percent,
        Mode::Live => s.account.map(|account| account.daily_loss_percent),
    };
    let loss_percent = lost.ok_or_else(|| failed("daily_loss", "no mark"))?;
    if loss_percent < maximum_percent {
        Ok(())
    } else {
        Err(Refusal::DailyLoss { loss_percent, maximum_percent })
    }
}

fn position(_: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    let unknown = || failed("position", "price or equity unknown");
    let order = figures.notional.ok_or_else(unknown)?;
    let equity = s.equity.ok_or_else(unknown)?;
    let maximum = equity.times(s.policy.position_max(s.risk_mode), Round::Down);
    let all = s.position_cost + s.open_buys + order;
    // Grid, DCA and market making build a position of many orders: each is bounded by the mode,
    // the sum by the capital.
    let (would_be, maximum) = match s.strategy.is_directional() {
        true => (all, maximum),
        false if order > maximum => (order, maximum),
        false => (all, s.capital.max(equity)),
    };
    if would_be <= maximum { Ok(()) } else { Err(Refusal::PositionLimit { would_be, maximum }) }
}

/// Live refuses; paper is warned when it is over, so that training goes on.
fn exposure(intent: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    if intent.mode == Mode::Paper {
        return Ok(());
    }
    let unknown = || failed("exposure", "the account's exposure is not known");
    let account = s.account.ok_or_else(unknown)?;
    let order = figures.notional.and_then(|n| n.product(account.quote_rate, Round::Up));
    let (asset, exchange) = (s.instrument.symbol.base, s.instrument.exchange);
    let mut with_order = account.exposure.clone();
    with_order.add(asset, exchange, order.ok_or_else(unknown)?);
    with_order.check(asset, exchange, s.policy)
}

/// Simulated orders do not ask.
fn live_standing<'a>(
    intent: &OrderIntent,
    s: &'a Snapshot<'_>,
) -> Option<Result<LiveStanding<'a>, Refusal>> {
    let unknown = || failed("live_gate", "the gate was not asked");
    (intent.mode == Mode::Live).then(|| s.live.ok_or_else(unknown))
}

fn live_gate(intent: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let Some(standing) = live_standing(intent, s) else { return Ok(()) };
    match standing?.missing {
        Some(missing) => Err(Refusal::LiveGate { missing: missing.to_owned() }),
        None => Ok(()),
    }
}

fn live_size(intent: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    let Some(standing) = live_standing(intent, s) else { return Ok(()) };
    let unknown = || failed("live_size", "the size or the price is not known");
    let maximum = standing?.size.ok_or_else(unknown)?;
    let would_be = s.position_cost + s.open_buys + figures.notional.ok_or_else(unknown)?;
    if would_be <= maximum { Ok(()) } else { Err(Refusal::LiveSize { would_be, maximum }) }
}

fn min_notional(intent: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    let unknown = || failed("min_notional", "no price");
    let mut notional = figures.notional.ok_or_else(unknown)?;
    let minimum = s.instrument.min_notional;
    // A market order is valued at the exchange's reference price, not at what it will pay.
    if let (OrderKind::Market, Some(price)) = (intent.kind, s.reference) {
        notional = notional.min(s.instrument.notional(price, intent.quantity, Round::Up));
    }
    if notional >= minimum {
        Ok(())
    } else {
        Err(Refusal::NotionalBelowMinimum { notional, minimum })
    }
}

fn max_notional(_: &OrderIntent, s: &Snapshot<'_>, figures: &Figures) -> Result<(), Refusal> {
    let Some(maximum) = s.instrument.max_notional else { return Ok(()) };
    match figures.notional {
        Some(notional) if notional > maximum => {
            Err(Refusal::NotionalAboveMaximum { notional, maximum })
        }
        _ => Ok(()),
    }
}

fn edge(_: &OrderIntent, s: &Snapshot<'_>, _: &Figures) -> Result<(), Refusal> {
    let Some(edge_bp) = s.edge_bp else { return Ok(()) };
    let round_trip_bp = |rate: Rate| rate.max(Rate::ZERO).to_f64() * 2e4;
    let cost_bp = match s.strategy {
        // These rest on both sides: they earn the spread rather than pay it.
        StrategyKind::Grid | StrategyKind::MarketMaking => round_trip_bp(s.instrument.fees.maker),
        _ => round_trip_bp(s.instrument.fees.taker) + s.book.spread_bp().unwrap_or_default(),
    };
    if edge_bp > cost_bp { Ok(()) } else { Err(Refusal::EdgeTooSmall { edge_bp, cost_bp }) }
}
