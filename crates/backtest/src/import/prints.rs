//! Trades: they have to rise by id; what is missing between two ids is said.

use super::bars::origin;
use super::lines::line_error;
use super::row::PrintRow;
use super::{ImportError, Order, Place, Row, Survey, What, Written, scan};
use crate::gaps::Gap;
use crate::recorded::{Recorded, Source, TapeError};
use crate::tape::{Content, Header, Segment};
use domain::{DataGrade, FeedState, Instrument, MarketEvent, Print, Round, Timestamp};
use std::ops::ControlFlow;

/// Gaps that are listed; their number is told beyond it.
const GAPS_MAX: usize = 10_000;

pub(crate) fn import(
    surveys: &[Survey],
    instrument: Instrument,
    order: &Order,
    place: &Place,
) -> Result<Written, ImportError> {
    let notes: Vec<String> = surveys.iter().flat_map(|s| s.notes.clone()).collect();
    let header = Header {
        content: Content::Events,
        instruments: vec![instrument.clone()],
        origin: origin(surveys),
        note: String::new(),
    };
    let mut writing = place.begin(header, order.replaces)?;
    let mut line = Prints { of: &instrument, last: None, notes, gaps: Vec::new(), doubles: 0 };
    for survey in surveys {
        let mut wrong: Option<ImportError> = None;
        let segment = writing.segment();
        scan(&survey.path, &mut |row| {
            let taken = row.and_then(|row| line.take(survey, &row, segment));
            wrong = taken.err().map(ImportError::from);
            if wrong.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if let Some(error) = wrong {
            return Err(error);
        }
    }
    let Prints { last, mut notes, gaps, doubles, .. } = line;
    if doubles > 0 {
        notes.push(format!("{doubles} rows stood there twice: taken once"));
    }
    let until = last.map_or(Timestamp::EPOCH, |p| p.at);
    let mut written = writing.finish(until)?;
    // The word about the feed is ours, not a row of the file.
    written.rows -= 1 + gaps.len() as u64;
    Ok(Written { gaps, notes, ..written })
}

struct Prints<'a> {
    of: &'a Instrument,
    last: Option<Print>,
    notes: Vec<String>,
    gaps: Vec<Gap>,
    doubles: u64,
}

impl Prints<'_> {
    fn take(&mut self, from: &Survey, row: &Row, to: &mut Segment) -> Result<(), TapeError> {
        let named = |problem: String| line_error(&from.path, row.line, problem);
        let What::Print(wanted) = &row.what else {
            return Err(named("a candle among trades".to_owned()));
        };
        let mut print = self.print(wanted).map_err(named)?;
        let Some(last) = self.last else {
            let state = FeedState::Fresh;
            to.event(said(print.at, MarketEvent::Feed { state, grade: DataGrade::Trades }))?;
            return self.write(print, to);
        };
        if print.id == last.id && print == last {
            self.doubles += 1;
            return Ok(());
        }
        if print.id <= last.id {
            let (new, old) = (print.id, last.id);
            return Err(named(format!("trade id {new} after {old}: sort the file by id")));
        }
        // Times of one id to the next may step back by the exchange's own disorder.
        print.at = print.at.max(last.at);
        if print.id > last.id + 1 {
            let missing = print.id - last.id - 1;
            if self.gaps.len() < GAPS_MAX {
                self.gaps.push(Gap { from: last.at, until: print.at, missing: Some(missing) });
                to.event(said(print.at, MarketEvent::Gap { from: last.at }))?;
            }
        }
        self.write(print, to)
    }

    fn write(&mut self, print: Print, to: &mut Segment) -> Result<(), TapeError> {
        self.last = Some(print);
        to.event(said(print.at, MarketEvent::Print(print)))
    }

    fn print(&self, row: &PrintRow) -> Result<Print, String> {
        let too_large = || "a figure does not fit its scale".to_owned();
        Ok(Print {
            id: row.id,
            price: self.of.price(row.price, Round::Down).ok_or_else(too_large)?,
            quantity: self.of.quantity(row.quantity, Round::Down).ok_or_else(too_large)?,
            taker_side: row.taker_side,
            at: row.at,
            backfilled: false,
        })
    }
}

/// An archive does not say when its rows were received: it is taken that they came at once.
fn said(at: Timestamp, event: MarketEvent) -> Recorded {
    Recorded { at, instrument: 0, event }
}

/// See [`super::copy`].
pub(crate) fn copy(
    source: &mut dyn Source,
    origin: String,
    replaces: bool,
    place: &Place,
) -> Result<Written, ImportError> {
    let instruments = source.instruments().to_vec();
    let header = Header { content: Content::Events, instruments, origin, note: String::new() };
    let mut writing = place.begin(header, replaces)?;
    let mut last = Timestamp::EPOCH;
    let mut gaps = Vec::new();
    while let Some(event) = source.next()? {
        last = last.max(event.at);
        if let MarketEvent::Gap { from } = &event.event
            && gaps.len() < GAPS_MAX
        {
            gaps.push(Gap { from: *from, until: event.at, missing: None });
        }
        writing.segment().event(event)?;
    }
    Ok(Written { gaps, ..writing.finish(last)? })
}
