//! Does anything know the future? The same run over data whose future was changed must say the same
//! about everything before.

use crate::decoded::Tape;
use crate::recorded::Recorded;
use crate::run::{Job, Outcome, RunError, run};
use domain::{Amount, Bar, MarketEvent, Price, Quantity, Timestamp};
use std::ops::ControlFlow;

/// Places at which the future is changed.
const PLACES: i64 = 8;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Places that were tried.
    pub places: usize,
    /// What differed before one of them, in words.
    pub differences: Vec<String>,
}

/// Changes the future at several places, and compares what happened before each.
///
/// # Errors
/// As [`run`] does.
pub fn check(tape: &Tape, job: &Job) -> Result<Found, RunError> {
    let job = Job { keeps_everything: true, ..job.clone() };
    let mut go_on = |_| ControlFlow::Continue(());
    let whole = run(tape, &job, &mut go_on)?;
    let (from, to) = whole.span;
    let mut found = Found::default();
    let longest = tape.markets.iter().filter_map(|m| m.timeframe.span()).max();
    for place in 1..=PLACES {
        let cut = Timestamp(from.0 + (to.0 - from.0) / (PLACES + 1) * place);
        // Where a bar ends: one that is open then is the future, its first price too.
        let cut = longest.map_or(cut, |span| cut.floor(span));
        let other = run(&changed(tape, cut), &job, &mut go_on)?;
        found.places += 1;
        found.differences.extend(difference(&whole, &other, cut));
    }
    Ok(found)
}

/// What differs before a time. What is filled at that very instant is filled at the open of a bar
/// that lies after it.
fn difference(a: &Outcome, b: &Outcome, cut: Timestamp) -> Option<String> {
    let fills = |o: &Outcome| o.fills.iter().filter(|f| f.at < cut).cloned().collect::<Vec<_>>();
    let trades =
        |o: &Outcome| o.trades.iter().filter(|t| t.exit_at < cut).cloned().collect::<Vec<_>>();
    let equity = |o: &Outcome| -> Vec<(Timestamp, Amount)> {
        o.equity.iter().copied().filter(|(at, _)| *at <= cut).collect()
    };
    let what = if fills(a) != fills(b) {
        "fills"
    } else if trades(a) != trades(b) {
        "trades"
    } else if equity(a) != equity(b) {
        "equity"
    } else {
        return None;
    };
    Some(format!("{what} before {cut}"))
}

/// The tape with every price after `cut` turned over: what rose falls, and volumes are others.
pub fn changed(tape: &Tape, cut: Timestamp) -> Tape {
    let mut tape = tape.clone();
    for market in &mut tape.markets {
        let span = market.timeframe.span().unwrap_or_default();
        // A bar that closes later is the future, whole.
        let first = market.bars.partition_point(|bar| bar.open_at + span <= cut);
        let pivot = market.bars.get(first.saturating_sub(1)).map_or(Price(1), |bar| bar.close);
        market.bars[first..].iter_mut().for_each(|bar| *bar = turned(bar, pivot));
    }
    if !tape.is_of_bars() {
        tape.events = tape.events.changed(|event| louder(event, cut));
    }
    tape
}

/// What comes after `cut` with other quantities.
fn louder(mut event: Recorded, cut: Timestamp) -> Recorded {
    match &mut event.event {
        _ if event.at <= cut => {}
        MarketEvent::Print(print) => print.quantity = Quantity(print.quantity.0 * 3),
        MarketEvent::Touch(touch) => {
            touch.bid.quantity = Quantity(touch.bid.quantity.0 * 2);
            touch.ask.quantity = Quantity(touch.ask.quantity.0 * 3);
        }
        _ => {}
    }
    event
}

fn turned(bar: &Bar, pivot: Price) -> Bar {
    let over = |price: Price| {
        let square = i128::from(pivot.0) * i128::from(pivot.0);
        Price(i64::try_from(square / i128::from(price.0.max(1))).unwrap_or(i64::MAX / 8).max(1))
    };
    let (open, high, low, close) = (over(bar.open), over(bar.low), over(bar.high), over(bar.close));
    let volume = Quantity(bar.volume.0 / 2 + 1);
    Bar { open, high, low, close, volume, ..*bar }
}
