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
mod invariants_tests;
mod order;
mod passive;
mod taker;
mod view;

pub use figures::{Bars, Fidelity, Passive, Taker};

use crate::{Recorded, Source, TapeError};
use domain::{
    Amount, DataGrade, Instrument, InstrumentStatus, MarketEvent, Quantity, Span, Timestamp,
};
use market::Book;
use std::collections::BTreeMap;
use view::View;

/// How long before an order was told of it is sent, in milliseconds.
pub const LAGS_MS: [i64; 5] = [0, 2, 5, 20, 100];
/// Within how many seconds a passive order is looked for.
pub const HORIZONS_S: [i64; 3] = [1, 5, 30];

/// Records that are looked at together: some hundred megabytes with their books. A longer tape is
/// measured piece by piece; where two meet, orders are watched no further than the first goes.
const PIECE: usize = 400_000;
/// Longest of [`LAGS_MS`]: so long into a piece its first state is no longer ahead of the lag.
const LAG_MAX: Span = Span::from_millis(LAGS_MS[LAGS_MS.len() - 1]);

/// One instrument of a piece of a tape.
#[derive(Clone, Copy, Debug)]
struct Market<'a> {
    instrument: &'a Instrument,
    records: &'a [&'a Recorded],
    /// What was known before the first of them.
    known: &'a Known,
    /// Nothing before this is judged.
    settled_at: Timestamp,
    /// What the exchange's clock says when a message is received, less what ours says.
    clock: Clock,
}

/// What is known of a market between two records.
#[derive(Clone, Debug)]
struct Known {
    book: Book,
    is_fresh: bool,
    grade: DataGrade,
    /// The book was asked for, and is no stream's.
    is_polled: bool,
}

impl Default for Known {
    fn default() -> Self {
        let (is_fresh, is_polled) = (false, false);
        Self { book: Book::default(), is_fresh, grade: DataGrade::L1Trades, is_polled }
    }
}

/// The exchange's clock against the recorder's, by the times in messages.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// No message tells of anything later than its time of receipt plus this.
    latest: Span,
    /// Half of the messages tell of something later than that, half of something before.
    usual: Span,
}

/// What was measured so far.
#[derive(Debug, Default)]
struct Measured {
    taker: BTreeMap<i64, Vec<taker::Sample>>,
    passive: Vec<passive::Watched>,
    bars: Vec<f64>,
    violations: u64,
}

/// Measures a tape; where it tells of several instruments, all their orders count.
///
/// # Errors
/// What cannot be read of it.
pub fn measure(source: &mut dyn Source) -> Result<Fidelity, TapeError> {
    in_pieces(source, PIECE)
}

fn in_pieces(source: &mut dyn Source, length: usize) -> Result<Fidelity, TapeError> {
    let instruments: Vec<Instrument> = source.instruments().iter().map(unlimited).collect();
    let mut known = vec![Known::default(); instruments.len()];
    let mut settled_at = source.settled_at().unwrap_or(Timestamp(i64::MIN));
    let mut measured = Measured::default();
    loop {
        let piece = piece(source, length)?;
        let Some(last) = piece.last() else { return Ok(measured.close()) };
        for (at, instrument) in instruments.iter().enumerate() {
            let records: Vec<&Recorded> = piece.iter().filter(|r| r.instrument == at).collect();
            let (known, clock) = (&mut known[at], Clock::of(&records));
            let market = Market { instrument, records: &records, known, settled_at, clock };
            *known = measured.take(&market);
        }
        settled_at = settled_at.max(last.at + LAG_MAX);
    }
}

fn piece(source: &mut dyn Source, length: usize) -> Result<Vec<Recorded>, TapeError> {
    let mut piece = Vec::new();
    while piece.len() < length {
        match source.next()? {
            Some(record) => piece.push(record),
            None => break,
        }
    }
    Ok(piece)
}

impl Measured {
    /// Measures a piece of one market; what is known after it.
    fn take(&mut self, market: &Market<'_>) -> Known {
        let orders = aggressors::all(market);
        for lag in LAGS_MS {
            let samples = taker::run(market, &orders, Span::from_millis(lag));
            self.taker.entry(lag).or_default().extend(samples);
        }
        self.bars.extend(bars::run(market, &orders));
        let (watched, broken) = passive::run(market);
        self.passive.extend(watched);
        self.violations += broken;
        View::after(market)
    }

    fn close(mut self) -> Fidelity {
        for lag in LAGS_MS {
            self.taker.entry(lag).or_default();
        }
        Fidelity::of(&self.taker, &self.passive, &self.bars, self.violations)
    }
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
