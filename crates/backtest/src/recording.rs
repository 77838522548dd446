//! Recordings of whoever made them as one [`Source`]: the raw files of others, and our own tapes,
//! several of one kind in the order of their time.

use crate::raw;
use crate::recorded::{Recorded, Source, TapeError};
use crate::tape::{TapeFile, is_segment, open, useless};
use domain::{Instrument, MarketEvent, Timestamp};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// See the module.
pub struct Recording {
    kind: Kind,
    gaps: u64,
}

enum Kind {
    /// Decoded whole: others write their scales nowhere, they are known at the end.
    Raw(raw::Tape),
    /// Read block by block.
    Own(Own),
}

impl Recording {
    /// Opens files, or folders of segments of ours.
    ///
    /// # Errors
    /// Files that cannot be read or do not belong together, by name.
    pub fn open(paths: &[PathBuf]) -> Result<Self, TapeError> {
        let is_own = |path: &Path| path.is_dir() || is_segment(path);
        let own: Vec<bool> = paths.iter().map(|p| is_own(p)).collect();
        let kind = match (own.contains(&true), own.contains(&false)) {
            (true, false) => Kind::Own(Own::open(paths)?),
            (false, _) => Kind::Raw(raw::Tape::open(paths)?),
            (true, true) => {
                let at = own.iter().position(|is_own| !is_own).unwrap_or_default();
                let problem = "a raw recording among tapes; `amarktai data import` makes it one";
                return Err(useless(&paths[at], problem));
            }
        };
        let gaps = if let Kind::Raw(tape) = &kind { tape.gaps() } else { 0 };
        Ok(Self { kind, gaps })
    }

    /// Places where something is missing; of our own tapes those that were read so far.
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// What was cut from segments whose writer was killed; known after they were read.
    pub fn cuts(&self) -> Vec<String> {
        match &self.kind {
            Kind::Raw(_) => Vec::new(),
            Kind::Own(own) => own.cuts.clone(),
        }
    }
}

impl Source for Recording {
    fn instruments(&self) -> &[Instrument] {
        match &self.kind {
            Kind::Raw(tape) => tape.instruments(),
            Kind::Own(own) => &own.instruments,
        }
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        let own = match &mut self.kind {
            Kind::Raw(tape) => return Source::next(tape),
            Kind::Own(own) => own,
        };
        let next = own.next()?;
        let is_gap = |r: &Recorded| matches!(r.event, MarketEvent::Gap { .. });
        self.gaps += u64::from(next.as_ref().is_some_and(is_gap));
        Ok(next)
    }

    fn settled_at(&self) -> Option<Timestamp> {
        match &self.kind {
            Kind::Raw(tape) => Source::settled_at(tape),
            Kind::Own(_) => None,
        }
    }
}

/// Tapes of ours, one behind the other.
struct Own {
    instruments: Vec<Instrument>,
    /// With the first thing that each tells.
    waiting: VecDeque<Part>,
    cuts: Vec<String>,
    last_at: Timestamp,
}

struct Part {
    path: PathBuf,
    file: TapeFile,
    /// Place among all instruments of each of its own.
    places: Vec<usize>,
    first: Option<Recorded>,
}

impl Own {
    fn open(paths: &[PathBuf]) -> Result<Self, TapeError> {
        let mut instruments: Vec<Instrument> = Vec::new();
        let mut parts = Vec::new();
        for path in paths {
            let mut file = open(path)?;
            let places = file.instruments().iter().map(|i| place(&mut instruments, i, path));
            let places = places.collect::<Result<Vec<_>, _>>()?;
            let first = file.next()?;
            parts.push(Part { path: path.clone(), file, places, first });
        }
        parts.sort_by_key(|part| part.first.as_ref().map(|r| r.at));
        let last_at = Timestamp(i64::MIN);
        Ok(Self { instruments, waiting: parts.into(), cuts: Vec::new(), last_at })
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        while let Some(part) = self.waiting.front_mut() {
            let next = match part.first.take() {
                Some(first) => Some(first),
                None => part.file.next()?,
            };
            let Some(record) = next else {
                self.cuts.extend(part.file.cuts().iter().cloned());
                self.waiting.pop_front();
                // Two tapes of one time would be one market told twice.
                let overlap = self
                    .waiting
                    .front()
                    .filter(|p| p.first.as_ref().is_some_and(|first| first.at < self.last_at));
                if let Some(part) = overlap {
                    return Err(useless(&part.path, "begins before the tape before it ends"));
                }
                continue;
            };
            self.last_at = self.last_at.max(record.at);
            let instrument = part.places[record.instrument];
            return Ok(Some(Recorded { instrument, ..record }));
        }
        Ok(None)
    }
}

/// Where an instrument stands among all; the first tape's scales are everybody's.
fn place(all: &mut Vec<Instrument>, new: &Instrument, path: &Path) -> Result<usize, TapeError> {
    let is_it = |i: &Instrument| (i.exchange, i.symbol) == (new.exchange, new.symbol);
    let Some(at) = all.iter().position(is_it) else {
        all.push(new.clone());
        return Ok(all.len() - 1);
    };
    let scales = |i: &Instrument| (i.price_scale, i.quantity_scale);
    match scales(&all[at]) == scales(new) {
        true => Ok(at),
        false => Err(useless(path, format!("{}: scales changed; read it alone", new.symbol))),
    }
}
