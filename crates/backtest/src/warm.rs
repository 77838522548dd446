//! Closed bars from before the start, at the timeframe of the indicators that they warm.

use crate::decoded::{Market, Tape, Told};
use domain::{Bar, MarketEvent, Timeframe, Timestamp};
use engine::InputKind;
use market::{BarBuilder, PrintIds};

/// The newest `count` bars of a market that had closed by `until`.
pub(crate) fn before(
    tape: &Tape,
    place: usize,
    timeframe: Timeframe,
    count: usize,
    until: Timestamp,
) -> Vec<Bar> {
    if tape.is_of_bars() {
        return of_bars(&tape.markets[place], timeframe, count, until);
    }
    let mut bars = told(tape, place, timeframe, until);
    let known_until = bars.last().map_or(Timestamp(i64::MIN), |bar: &Bar| bar.open_at);
    let made = of_prints(tape, place, timeframe, count, until);
    bars.extend(made.into_iter().filter(|bar| bar.open_at > known_until));
    bars.split_off(bars.len().saturating_sub(count))
}

/// The newest history that a session's core was told by then.
fn told(tape: &Tape, place: usize, timeframe: Timeframe, until: Timestamp) -> Vec<Bar> {
    let of = |told: &Told| match &told.input.kind {
        InputKind::History { instrument, timeframe: of, bars }
            if (instrument.0 as usize, *of) == (place, timeframe) =>
        {
            Some(bars.clone())
        }
        _ => None,
    };
    let before = tape.told.iter().rev().skip_while(|told| told.input.at >= until);
    before.filter_map(of).next().unwrap_or_default()
}

fn of_bars(market: &Market, timeframe: Timeframe, count: usize, until: Timestamp) -> Vec<Bar> {
    let (Some(own), Some(span)) = (market.timeframe.span(), timeframe.span()) else {
        return Vec::new();
    };
    let end = market.bars.partition_point(|b| b.open_at + own <= until);
    let needed = count.saturating_mul((span.0 / own.0.max(1)) as usize + 1);
    let source = &market.bars[end.saturating_sub(needed)..end];
    if own == span {
        return source[source.len().saturating_sub(count)..].to_vec();
    }
    let mut bars = Vec::new();
    let mut builder = BarBuilder::new(timeframe, PrintIds::Rising, Timestamp::EPOCH);
    for bar in source {
        builder.on_bar(bar, own, &mut |whole| bars.push(whole));
    }
    bars.split_off(bars.len().saturating_sub(count))
}

/// Made of the prints of a tape of events.
fn of_prints(
    tape: &Tape,
    place: usize,
    timeframe: Timeframe,
    count: usize,
    until: Timestamp,
) -> Vec<Bar> {
    let Some(span) = timeframe.span() else { return Vec::new() };
    let back = i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1).saturating_mul(span.0);
    let from = Timestamp(until.0.saturating_sub(back));
    let (mut bars, mut builder) = (Vec::new(), None);
    for event in tape.events.play_near(from).take_while(|event| event.at < until) {
        // Of the first bar not every print was seen: it is dropped.
        let builder =
            builder.get_or_insert_with(|| BarBuilder::new(timeframe, PrintIds::Rising, event.at));
        match &event.event {
            MarketEvent::Print(print) if event.instrument == place => {
                builder.on_print(print, &mut |bar| bars.push(bar));
            }
            _ => {}
        }
    }
    bars.retain(|bar| bar.open_at + span <= until);
    bars.split_off(bars.len().saturating_sub(count))
}
