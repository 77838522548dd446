//! How true the simulated exchange is, measured on a recorded market.
//!
//! Taker: every aggressive order of the tape is sent again, so that it meets the state that was
//! known LAG before the first frame that tells of it. Passive: an order that joins the touch each
//! half second. Bars: the same orders on bars made of the tape. All through the very
//! [`simulator::Venue`] that trades; nothing here fills an order itself.

mod aggressors;
mod bars;
mod figures;
#[cfg(test)]
mod invariants;
mod order;
mod passive;
mod taker;
mod view;

pub use figures::{Bars, Fidelity, Passive, Taker};

use crate::raw::Tape;
use crate::{Recorded, Source};
use domain::{Amount, Instrument, InstrumentStatus, MarketEvent, Quantity, Span, Timestamp};
use std::collections::BTreeMap;

/// How long before an order was told of it is sent, in milliseconds.
pub const LAGS_MS: [i64; 5] = [0, 2, 5, 20, 100];
/// Within how many seconds a passive order is looked for.
pub const HORIZONS_S: [i64; 3] = [1, 5, 30];

/// One instrument of a tape.
#[derive(Clone, Copy, Debug)]
struct Market<'a> {
    instrument: &'a Instrument,
    records: &'a [&'a Recorded],
    /// Nothing before this is judged.
    settled_at: Timestamp,
    /// What the exchange's clock says when a message is received, less what ours says.
    clock: Clock,
}

/// The exchange's clock against the recorder's, by the times in messages.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// No message tells of anything later than its time of receipt plus this.
    latest: Span,
    /// Half of the messages tell of something later than that, half of something before.
    usual: Span,
}

/// Measures a tape; where it tells of several instruments, all their orders count.
pub fn measure(tape: &Tape) -> Fidelity {
    let settled_at = tape.settled_at().unwrap_or(Timestamp(i64::MIN));
    let mut taker: BTreeMap<i64, Vec<taker::Sample>> = BTreeMap::new();
    let mut passive = Vec::new();
    let mut bars = Vec::new();
    let mut violations = 0;
    for (at, instrument) in tape.instruments().iter().enumerate() {
        let records: Vec<&Recorded> =
            tape.records().iter().filter(|r| r.instrument == at).collect();
        let clock = Clock::of(&records);
        let instrument = &unlimited(instrument);
        let market = Market { instrument, records: &records, settled_at, clock };
        let orders = aggressors::all(&market);
        for lag in LAGS_MS {
            let samples = taker::run(&market, &orders, Span::from_millis(lag));
            taker.entry(lag).or_default().extend(samples);
        }
        bars.extend(bars::run(&market, &orders));
        let (watched, broken) = passive::run(&market);
        passive.extend(watched);
        violations += broken;
    }
    Fidelity::of(&taker, &passive, &bars, violations)
}

/// Orders of the tape passed the exchange's filters when they were sent; today's list and the parts
/// of an order that are measured here need not fit each other.
fn unlimited(instrument: &Instrument) -> Instrument {
    Instrument {
        min_quantity: instrument.lot_size,
        max_quantity: Quantity(i64::MAX / 4),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::ZERO,
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        status: InstrumentStatus::Trading,
        ..instrument.clone()
    }
}

impl Clock {
    fn of(records: &[&Recorded]) -> Self {
        let told = |r: &&Recorded| match &r.event {
            MarketEvent::Print(print) => Some(print.at - r.at),
            MarketEvent::Book(update) => update.at.map(|at| at - r.at),
            _ => None,
        };
        let mut all: Vec<Span> = records.iter().filter_map(told).collect();
        all.sort_unstable();
        let at = |i: usize| all.get(i).copied().unwrap_or_default();
        Self { latest: at(all.len().saturating_sub(1)), usual: at(all.len() / 2) }
    }
}
