//! Recordings as their makers wrote them: Binance's combined streams, recorded sessions of Binance
//! and KuCoin, Bitstamp's order-by-order log. Format by the first line, not by the name.
//!
//! The codecs and sequence rules are those of `exchanges`. Where a recording has no list of
//! instruments, tick and lot are the decimals that were seen.

mod binance;
mod bitstamp;
mod kucoin;
mod lines;
mod recorder;
mod session;

use crate::{Recorded, Source, TapeError};
use domain::{Instrument, Timestamp};
use lines::Lines;
use recorder::Recorder;
use std::path::{Path, PathBuf};

/// A recording, decoded and whole in memory.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    instruments: Vec<Instrument>,
    records: Vec<Recorded>,
    gaps: u64,
    settled_at: Option<Timestamp>,
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    BinanceRaw,
    Session,
    Bitstamp,
}

impl Tape {
    /// Reads files as one tape, in the order of their first lines.
    ///
    /// # Errors
    /// Files that cannot be read, and lines that say nothing sensible, by file and line.
    pub fn open(paths: &[PathBuf]) -> Result<Self, TapeError> {
        let mut files = paths.iter().map(|p| first(p)).collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(|(_, at, _)| *at);
        let mut recorder = Recorder::default();
        let mut open_log = bitstamp::Log::default();
        let mut open_stream = binance::Stream::default();
        for (format, _, path) in &files {
            match format {
                Format::BinanceRaw => open_stream.read(path, &mut recorder)?,
                Format::Bitstamp => open_log.read(path, &mut recorder)?,
                Format::Session => session::read(path, &mut recorder)?,
            }
        }
        let (instruments, records, gaps) = recorder.finish();
        match paths.first() {
            Some(path) if records.is_empty() => {
                let problem = "no market event in it".to_owned();
                Err(TapeError::File { path: path.clone(), problem })
            }
            _ => Ok(Self { instruments, records, gaps, settled_at: open_log.settled_at(), at: 0 }),
        }
    }

    /// Everything, in the order of its receipt.
    pub fn records(&self) -> &[Recorded] {
        &self.records
    }

    /// Holes in the sequences that the exchange numbers.
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }
}

impl Source for Tape {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        let record = self.records.get(self.at).cloned();
        self.at += 1;
        Ok(record)
    }

    fn settled_at(&self) -> Option<Timestamp> {
        self.settled_at
    }
}

/// What a file is, by its first line, and when that line was received.
fn first(path: &Path) -> Result<(Format, i64, &Path), TapeError> {
    let mut lines = Lines::open(path)?;
    let Some(line) = lines.next()? else {
        let problem = "it is empty".to_owned();
        return Err(TapeError::File { path: path.to_owned(), problem });
    };
    if line.starts_with('{') && line.contains("\"header\"") {
        return Ok((Format::Session, session::recorded_at(line).unwrap_or_default(), path));
    }
    let (at, rest) = line.split_once(' ').unwrap_or((line, ""));
    match at.parse() {
        Ok(at) if rest.starts_with('{') => Ok((Format::BinanceRaw, at, path)),
        Ok(at) if rest.contains(" {") => Ok((Format::Bitstamp, at, path)),
        _ => Err(TapeError::File {
            path: path.to_owned(),
            problem: "not a recording that is known: `NANOSECONDS {json}` (Binance), \
                      `{\"t\":\"header\"…}` (a session) or `MILLISECONDS EVENT {json}` (Bitstamp)"
                .to_owned(),
        }),
    }
}
