//! Reading tapes: a segment or a folder of them as one [`Source`].

use super::block::Content;
use super::events::Walk;
use super::folder::segments;
use super::segment::{Packed, Reader, Said, useless};
use crate::recorded::{Recorded, Source, TapeError};
use domain::{Bar, Instrument, Timeframe, Timestamp};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Segments of events, read as one recording.
pub struct TapeFile {
    instruments: Vec<Instrument>,
    waiting: VecDeque<PathBuf>,
    reader: Option<Reader>,
    /// Place among all instruments of each of the segment being read.
    places: Vec<usize>,
    chunk: Option<Packed>,
    walk: Walk,
    cuts: Vec<String>,
}

/// Opens a segment, or every segment of a folder in their order.
///
/// # Errors
/// One is no tape of events, or two contradict each other about an instrument.
pub fn open(path: &Path) -> Result<TapeFile, TapeError> {
    let paths = if path.is_dir() { segments(path)? } else { vec![path.to_owned()] };
    if paths.is_empty() {
        return Err(useless(path, "holds no tape"));
    }
    let mut instruments: Vec<Instrument> = Vec::new();
    for path in &paths {
        let reader = Reader::open(path)?;
        if reader.header().content != Content::Events {
            return Err(useless(path, "holds no events"));
        }
        for new in &reader.header().instruments {
            match instruments.iter_mut().find(|i| is_same(i, new)) {
                // Filters change while one records: the newest are what held at the end.
                Some(known) if has_same_scales(known, new) => known.clone_from(new),
                Some(_) => {
                    let problem = format!("{}: scales changed; read it alone", new.symbol);
                    return Err(useless(path, problem));
                }
                None => instruments.push(new.clone()),
            }
        }
    }
    let (places, walk, cuts) = (Vec::new(), Walk::default(), Vec::new());
    let waiting = paths.into();
    Ok(TapeFile { instruments, waiting, reader: None, places, chunk: None, walk, cuts })
}

fn is_same(a: &Instrument, b: &Instrument) -> bool {
    (a.exchange, a.symbol) == (b.exchange, b.symbol)
}

const fn has_same_scales(a: &Instrument, b: &Instrument) -> bool {
    a.price_scale == b.price_scale && a.quantity_scale == b.quantity_scale
}

impl TapeFile {
    /// What was cut from segments whose writer was killed; known after they were read.
    pub fn cuts(&self) -> &[String] {
        &self.cuts
    }

    fn enter(&mut self, path: &Path) -> Result<(), TapeError> {
        let reader = Reader::open(path)?;
        let place = |i: &Instrument| self.instruments.iter().position(|known| is_same(known, i));
        self.places = reader.header().instruments.iter().filter_map(place).collect();
        self.reader = Some(reader);
        Ok(())
    }

    /// The next run of events; `false` at the end of everything.
    fn load(&mut self) -> Result<bool, TapeError> {
        loop {
            let Some(reader) = &mut self.reader else {
                let Some(path) = self.waiting.pop_front() else { return Ok(false) };
                self.enter(&path)?;
                continue;
            };
            match reader.next_block()? {
                Some(Said::Events(packed)) => {
                    if !self.walk.enter(&packed.0, self.places.len()) {
                        return Err(useless(reader.path(), "columns do not fit together"));
                    }
                    self.chunk = Some(packed);
                    return Ok(true);
                }
                Some(_) => {}
                None => {
                    self.cuts.extend(reader.cut().map(str::to_owned));
                    self.reader = None;
                }
            }
        }
    }
}

impl Source for TapeFile {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        loop {
            let next = self.chunk.as_ref().and_then(|chunk| self.walk.next(&chunk.0));
            match next {
                Some(event) => {
                    let instrument = self.places[event.instrument];
                    return Ok(Some(Recorded { instrument, ..event }));
                }
                None if self.load()? => {}
                None => return Ok(None),
            }
        }
    }
}

/// The bars of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct BarFile {
    /// Of what.
    pub instrument: Instrument,
    /// Length of each.
    pub timeframe: Timeframe,
    /// Oldest first, none twice.
    pub bars: Vec<Bar>,
    /// Where they come from.
    pub origin: String,
    /// Why less is there than its writer had, where that is so.
    pub cut: Option<String>,
}

/// Most bars that are read into memory: ten years of seconds would be more, 3 years are not.
const BARS_MAX: usize = 100_000_000;

/// Reads a segment of bars.
///
/// # Errors
/// It is none, it is damaged, or its bars are not in order.
pub fn read_bars(path: &Path) -> Result<BarFile, TapeError> {
    let mut reader = Reader::open(path)?;
    let header = reader.header().clone();
    let (Content::Bars(timeframe), [instrument]) = (header.content, &header.instruments[..]) else {
        return Err(useless(path, "holds no bars"));
    };
    let mut bars: Vec<Bar> = Vec::new();
    while let Some(said) = reader.next_block()? {
        let Said::Bars(more) = said else { continue };
        bars.extend(more);
        if bars.len() > BARS_MAX {
            return Err(useless(path, format!("holds more than {BARS_MAX} bars")));
        }
    }
    if let Some(wrong) = bars.windows(2).find(|w| w[1].open_at <= w[0].open_at) {
        let at: Timestamp = wrong[1].open_at;
        return Err(useless(path, format!("bars are not in order at {at}")));
    }
    let cut = reader.cut().map(str::to_owned);
    Ok(BarFile { instrument: instrument.clone(), timeframe, bars, origin: header.origin, cut })
}
