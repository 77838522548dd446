//! A series of bars that is downloaded page by page, over as many runs as it takes.

use super::place::{Place, Written, publish, unstamp};
use crate::gaps::bar_gaps;
use crate::recorded::TapeError;
use crate::tape::{Content, Header, Segment, read_bars, segments, unreadable, useless};
use domain::{Bar, Instrument, Span, Timeframe, Timestamp};
use std::fs;
use std::path::PathBuf;

/// A time, its end excluded.
pub type Stretch = (Timestamp, Timestamp);

impl Place {
    /// What of this time no bar tape of this series covers yet.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn missing(
        &self,
        instrument: &Instrument,
        timeframe: Timeframe,
        (from, until): Stretch,
    ) -> Result<Vec<Stretch>, TapeError> {
        let dir = self.series(instrument, Content::Bars(timeframe));
        let mut missing = Vec::new();
        let mut next = from;
        if dir.is_dir() {
            // Sorted by name, which is by time.
            for path in segments(&dir)? {
                let Some((begin, end)) = unstamp(&path) else { continue };
                if begin > next && begin < until {
                    missing.push((next, begin));
                }
                next = next.max(end);
            }
        }
        if next < until {
            missing.push((next, until));
        }
        Ok(missing)
    }

    /// Begins to download a stretch, or goes on where an earlier run ended.
    ///
    /// # Errors
    /// The disk says no, or what is there is damaged or about another instrument.
    pub fn grow(
        &self,
        instrument: &Instrument,
        timeframe: Timeframe,
        origin: &str,
        stretch: Stretch,
    ) -> Result<Growing, TapeError> {
        let span = timeframe.span().ok_or_else(|| useless(&self.root, "such bars have no span"))?;
        let content = Content::Bars(timeframe);
        let dir = self.series(instrument, content);
        fs::create_dir_all(&dir).map_err(|e| unreadable(&dir, e))?;
        let part = dir.join(format!("fetch_{}.part", stretch.0.as_millis()));
        let (instruments, note) = (vec![instrument.clone()], String::new());
        let header = Header { content, instruments, origin: origin.to_owned(), note };
        let mut growing =
            Growing { dir, part, segment: None, next: stretch.0, until: stretch.1, span };
        growing.enter(header)?;
        Ok(growing)
    }
}

/// See the module.
pub struct Growing {
    dir: PathBuf,
    part: PathBuf,
    segment: Option<Segment>,
    next: Timestamp,
    until: Timestamp,
    span: Span,
}

impl Growing {
    fn enter(&mut self, header: Header) -> Result<(), TapeError> {
        if self.part.exists() {
            // A page that a kill tore is fetched again; a file without a header is made anew, and
            // so is one whose instrument has other scales by now.
            let old = read_bars(&self.part).ok();
            let is_same = |of: &Instrument| {
                let new = &header.instruments[0];
                (of.price_scale, of.quantity_scale) == (new.price_scale, new.quantity_scale)
            };
            if let Some(old) = old.filter(|o| is_same(&o.instrument)) {
                self.next = old.bars.last().map_or(self.next, |b| b.open_at + self.span);
                let (segment, _) = Segment::resume(&self.part)?;
                if segment.is_some() {
                    self.segment = segment;
                    return Ok(());
                }
                return Ok(()); // sealed, and killed before it got its name
            }
            fs::remove_file(&self.part).map_err(|e| unreadable(&self.part, e))?;
        }
        self.segment = Some(Segment::create(&self.part, header)?);
        Ok(())
    }

    /// Start of the first bar that is still to come.
    pub const fn next(&self) -> Timestamp {
        self.next
    }

    /// Everything is there.
    pub fn is_complete(&self) -> bool {
        self.segment.is_none() || self.next >= self.until
    }

    /// Takes the bars up to `end`; what is known already is left out. A kill from here on does not
    /// lose them.
    ///
    /// # Errors
    /// A bar is none that we want, or the disk says no.
    pub fn page(&mut self, bars: &[Bar], end: Timestamp) -> Result<(), TapeError> {
        for bar in bars {
            if bar.open_at < self.next {
                continue;
            }
            check(bar, self.span, end).map_err(|p| useless(&self.part, p))?;
            if let Some(segment) = &mut self.segment {
                segment.bar(*bar)?;
            }
            self.next = bar.open_at + self.span;
        }
        // Also where the exchange has nothing: it was asked.
        self.next = self.next.max(end);
        self.segment.as_mut().map_or(Ok(()), Segment::flush)
    }

    /// Gives the tape its name; `None` where the exchange had not one bar.
    ///
    /// # Errors
    /// The disk says no.
    pub fn publish(mut self) -> Result<Option<Written>, TapeError> {
        if let Some(segment) = self.segment.take() {
            segment.seal()?;
        }
        let file = read_bars(&self.part)?;
        let Some((first, last)) = file.bars.first().zip(file.bars.last()) else {
            fs::remove_file(&self.part).map_err(|e| unreadable(&self.part, e))?;
            return Ok(None);
        };
        let (from, until) = (first.open_at, last.open_at + self.span);
        let path = publish(&self.dir, &self.part, from, until, false)?;
        let gaps = bar_gaps(&file.bars, self.span);
        let rows = file.bars.len() as u64;
        Ok(Some(Written { path, rows, from, until, gaps, notes: Vec::new() }))
    }
}

/// An exchange's own bar has to be one, too.
fn check(bar: &Bar, span: Span, end: Timestamp) -> Result<(), String> {
    let at = bar.open_at;
    if at.floor(span) != at || at >= end {
        return Err(format!("the exchange sent a bar of {at}, which was not asked for"));
    }
    let (low, high) = (bar.open.min(bar.close), bar.open.max(bar.close));
    if bar.low.0 <= 0 || bar.low > low || bar.high < high || bar.volume.0 < 0 {
        return Err(format!("the exchange sent a bar of {at} that contradicts itself"));
    }
    Ok(())
}
