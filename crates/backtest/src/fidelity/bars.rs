//! The same orders on bars made of the tape and on the tape itself: who only has bars must not come
//! out cheaper.
//!
//! Each time and size is drawn once and bought as well as sold, so that what the price did until the
//! next bar opened cancels out, and only what trading costs is left.

use super::Market;
use super::aggressors::Aggressor;
use super::order::{AT_ONCE, ID, approve};
use super::view::View;
use domain::{
    Bar, ClosedBar, DataGrade, MarketEvent, OrderKind, Price, Quantity, Side, Timeframe, Timestamp,
};
use market::{BarBuilder, Book, PrintIds};
use simulator::{MarketState, SimEvent, Venue};

/// A buy and a sell each.
const PAIRS: usize = 500;
/// Fewer bars would be one story told often.
const BARS_MIN: i64 = 8;
/// Longest first.
const TIMEFRAMES: [Timeframe; 4] = [Timeframe::M1, Timeframe::S15, Timeframe::S5, Timeframe::S1];

/// When and how much.
#[derive(Clone, Copy, Debug)]
struct Draw {
    at: Timestamp,
    quantity: Quantity,
}

/// What the orders cost more on bars, in basis points, one by one.
pub(super) fn run(market: &Market<'_>, orders: &[Aggressor]) -> Vec<f64> {
    let Some((timeframe, bars)) = bars(market) else { return Vec::new() };
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Vec::new() };
    let (from, until) = (first.open_at - market.clock.usual, last.open_at - market.clock.usual);
    let draws = draws(orders, from, until);
    let mut view = View::new(market);
    let mut next = 0;
    let mut differences = Vec::new();
    for draw in &draws {
        while market.records.get(next).is_some_and(|r| r.at <= draw.at) {
            view.apply(market.records[next]);
            next += 1;
        }
        let opens = bars.partition_point(|b| b.open_at < draw.at + market.clock.usual);
        let Some((bid, ask)) = view.book.quote().filter(|_| view.is_valid()) else { continue };
        let half_spread = Price((ask.0 - bid.0 + 1) / 2);
        let Some(bar) = bars.get(opens).map(|bar| ClosedBar { timeframe, bar: *bar, half_spread })
        else {
            continue;
        };
        let mid = (bid.0 + ask.0) as f64 / 2.0;
        let sides = [Side::Buy, Side::Sell].map(|side| {
            let tape = on_tape(market, &view, side, *draw)?;
            let bars = on_bars(market, &bar, side, *draw)?;
            Some(worse(side, bars - tape) / mid * 10_000.0)
        });
        if let [Some(buy), Some(sell)] = sides {
            differences.extend([buy, sell]);
        }
    }
    differences
}

/// Bars of the longest timeframe of which the tape has enough.
fn bars(market: &Market<'_>) -> Option<(Timeframe, Vec<Bar>)> {
    TIMEFRAMES.into_iter().find_map(|timeframe| {
        let since = market.records.first()?.at + market.clock.latest;
        let mut builder = BarBuilder::new(timeframe, PrintIds::Rising, since);
        let mut bars = Vec::new();
        for record in market.records {
            if let MarketEvent::Print(print) = &record.event {
                builder.on_print(print, &mut |bar| bars.push(bar));
            }
        }
        bars.retain(|b| b.open_at - market.clock.usual >= market.settled_at);
        (bars.len() as i64 >= BARS_MIN).then_some((timeframe, bars))
    })
}

/// Times evenly at random, sizes as the tape's own orders have them.
fn draws(orders: &[Aggressor], from: Timestamp, until: Timestamp) -> Vec<Draw> {
    let span = (until - from).0.max(1).unsigned_abs();
    if orders.is_empty() {
        return Vec::new();
    }
    let mut state = 1_u64;
    let mut draws: Vec<Draw> = (0..PAIRS)
        .map(|_| Draw {
            at: from + domain::Span((random(&mut state) % span) as i64),
            quantity: orders[random(&mut state) as usize % orders.len()].quantity,
        })
        .collect();
    draws.sort_by_key(|d| d.at);
    draws
}

/// SplitMix64: the same orders at each measurement.
pub(super) const fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn worse(side: Side, difference: f64) -> f64 {
    match side {
        Side::Buy => difference,
        Side::Sell => -difference,
    }
}

fn on_tape(market: &Market<'_>, view: &View<'_>, side: Side, draw: Draw) -> Option<f64> {
    let near = view.book.best(side.opposite())?.price;
    let approved = approve(market, ID, side, OrderKind::Market, draw.quantity, near, draw.at)?;
    let (mut venue, mut events) = (Venue::default(), Vec::new());
    venue.submit(approved, AT_ONCE);
    venue.advance(draw.at, &view.state(), &mut events);
    average(&events)
}

fn on_bars(market: &Market<'_>, bar: &ClosedBar, side: Side, draw: Draw) -> Option<f64> {
    let approved =
        approve(market, ID, side, OrderKind::Market, draw.quantity, bar.bar.open, bar.bar.open_at)?;
    let (mut venue, mut events) = (Venue::default(), Vec::new());
    venue.submit(approved, AT_ONCE);
    let state = MarketState {
        instrument: market.instrument,
        book: &Book::default(),
        is_valid: true,
        grade: DataGrade::Bars,
        last_price: None,
        average: None,
        requested_at: None,
        clock_upper: domain::Span::ZERO,
    };
    venue.open_bar(bar, &state, &mut events);
    average(&events)
}

/// Volume-weighted price of what was filled.
fn average(events: &[SimEvent]) -> Option<f64> {
    let fills = events.iter().filter_map(|e| match e {
        SimEvent::Filled(fill, _) => Some((fill.price.0 as f64, fill.quantity.0 as f64)),
        _ => None,
    });
    let (value, quantity) = fills.fold((0.0, 0.0), |(v, q), (p, n)| (v + p * n, q + n));
    (quantity > 0.0).then(|| value / quantity)
}
