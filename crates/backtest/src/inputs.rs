//! Inputs of a running core, kept so that its session can be run again.
//!
//! A session is one life of a process: it begins with the engine's configuration and state rows,
//! and a segment of its own. What came in between two commits is one block, written before the
//! commit that follows from it; the commit carries the number of inputs up to there, so that a
//! replay after a kill knows what had happened and what had not.

use crate::recorded::{Recorded, TapeError};
use crate::tape::{
    Content, EventChunk, Folder, Header, Reader, SEGMENT_BYTES_MAX, Said, Walk, segments, useless,
};
use domain::{InstrumentId, Timestamp};
use engine::{Input, InputKind, StateRow};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How many inputs of which session are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Which session, from 1.
    pub session: u64,
    /// How many of its inputs.
    pub inputs: u64,
}

impl Committed {
    /// As a cursor of the store.
    pub fn text(self) -> String {
        format!("{}:{}", self.session, self.inputs)
    }

    /// From a cursor of the store.
    pub fn parse(text: &str) -> Option<Self> {
        let (session, inputs) = text.split_once(':')?;
        Some(Self { session: session.parse().ok()?, inputs: inputs.parse().ok()? })
    }
}

/// How a session began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The engine's configuration, as its driver writes it.
    pub config: String,
    /// What the store had of the engine.
    pub states: Vec<StateRow>,
}

/// In the note of each segment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    session: u64,
    /// What was committed when it began.
    before: Option<Committed>,
    is_first: bool,
}

#[derive(Serialize, Deserialize)]
enum Block {
    Start(Start),
    Inputs {
        /// How many of the session came before.
        first: u64,
        /// The market's, in order.
        market: EventChunk,
        /// All others, with their place among all of this block.
        others: Vec<(u32, Timestamp, Option<String>)>,
    },
}

/// Inputs that wait for a commit: two seconds of a very busy fleet of markets.
const WAITING_MAX: usize = 16_384;

/// The folder that a running core writes to.
pub struct InputTape {
    folder: Folder,
    place: Place,
    /// Segments before this one are of earlier sessions, and may go.
    begun_at: PathBuf,
    quota_bytes: u64,
    written: u64,
    waiting: Vec<Input>,
    is_full: bool,
}

impl InputTape {
    /// Begins a session. `before` is the store's cursor.
    ///
    /// # Errors
    /// The disk says no.
    pub fn begin(
        dir: &Path,
        start: &Start,
        before: Option<Committed>,
        quota_bytes: u64,
    ) -> Result<Self, TapeError> {
        let last = sessions(dir)?.last().map_or(0, |s| s.number);
        let session = last.max(before.map_or(0, |b| b.session)) + 1;
        let place = Place { session, before, is_first: true };
        let (mut folder, _) = Folder::open(dir, header(dir, place)?)?;
        let block = packed(dir, &Block::Start(start.clone()))?;
        folder.segment().own(&block, Timestamp::EPOCH, 0)?;
        let begun_at = folder.segment().path().to_owned();
        let place = Place { is_first: false, ..place };
        let mut tape = Self {
            folder,
            place,
            begun_at,
            quota_bytes,
            written: 0,
            waiting: Vec::new(),
            is_full: false,
        };
        tape.bound()?;
        Ok(tape)
    }

    /// Takes an input that was applied.
    pub fn take(&mut self, input: Input) {
        if !self.is_full {
            self.waiting.push(input);
        }
    }

    /// So much waits that it has to be written, also where nothing is to be committed yet.
    pub fn is_heavy(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// Writes what was taken since the last time; what it returns is committed with whatever
    /// followed from it.
    ///
    /// # Errors
    /// The disk says no, or an input cannot be kept exactly.
    pub fn write(&mut self) -> Result<Committed, TapeError> {
        let (session, first) = (self.place.session, self.written);
        let Some(last) = self.waiting.last().map(|i| i.at) else {
            return Ok(Committed { session, inputs: first });
        };
        let waiting = std::mem::take(&mut self.waiting);
        let dir = self.begun_at.clone();
        let block = packed(&dir, &block(&dir, first, &waiting)?)?;
        self.written += waiting.len() as u64;
        self.folder.segment().own(&block, last, waiting.len() as u64)?;
        if self.folder.segment().bytes() >= SEGMENT_BYTES_MAX.min(self.quota_bytes / 4) {
            self.folder.rotate(header(&dir, self.place)?)?;
            self.bound()?;
        }
        Ok(Committed { session, inputs: self.written })
    }

    /// Its own session alone is over the quota: nothing more is kept of it.
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Earlier sessions go first. What is kept of a session has to begin with its beginning, so
    /// when this one alone is too large, it is not kept further.
    fn bound(&mut self) -> Result<(), TapeError> {
        let left = self.folder.keep_within(self.quota_bytes, &self.begun_at)?;
        self.is_full = left > self.quota_bytes;
        Ok(())
    }

    /// Ends the session in order.
    ///
    /// # Errors
    /// The disk says no.
    pub fn close(self) -> Result<(), TapeError> {
        self.folder.close()
    }
}

fn header(dir: &Path, place: Place) -> Result<Header, TapeError> {
    let note = serde_json::to_string(&place).map_err(|e| useless(dir, e.to_string()))?;
    let origin = format!("inputs of session {}", place.session);
    Ok(Header { content: Content::Inputs, instruments: Vec::new(), origin, note })
}

fn packed(dir: &Path, block: &Block) -> Result<Vec<u8>, TapeError> {
    postcard::to_stdvec(block).map_err(|e| useless(dir, e.to_string()))
}

fn block(dir: &Path, first: u64, inputs: &[Input]) -> Result<Block, TapeError> {
    let (mut market, mut others) = (Vec::new(), Vec::new());
    for (place, input) in inputs.iter().enumerate() {
        match &input.kind {
            InputKind::Market { instrument, event } => {
                let instrument = instrument.0 as usize;
                market.push(Recorded { at: input.at, instrument, event: event.clone() });
            }
            kind => {
                let text = text(kind).map_err(|problem| useless(dir, problem))?;
                others.push((u32::try_from(place).unwrap_or(u32::MAX), input.at, text));
            }
        }
    }
    Ok(Block::Inputs { first, market: EventChunk::pack(&market), others })
}

/// Rare inputs are kept as JSON, and read back at once: one that comes back otherwise would make
/// a replay that only looks like one.
fn text(kind: &InputKind) -> Result<Option<String>, String> {
    if *kind == InputKind::Timer {
        return Ok(None);
    }
    let text = serde_json::to_string(kind).map_err(|e| e.to_string())?;
    match serde_json::from_str::<InputKind>(&text) {
        Ok(back) if back == *kind => Ok(Some(text)),
        Ok(_) => Err(format!("an input is not kept exactly as JSON: {text}")),
        Err(error) => Err(format!("an input does not come back from JSON: {error}: {text}")),
    }
}

/// A session that is on the disk from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// From 1.
    pub number: u64,
    /// What was committed when it began.
    pub before: Option<Committed>,
    paths: Vec<PathBuf>,
}

/// Every whole session of a folder, in order.
///
/// # Errors
/// A segment cannot be read.
pub fn sessions(dir: &Path) -> Result<Vec<Session>, TapeError> {
    let mut found: Vec<Session> = Vec::new();
    if !dir.is_dir() {
        return Ok(found);
    }
    for path in segments(dir)? {
        // One that was begun and never written to says nothing.
        let Ok(reader) = Reader::open(&path) else { continue };
        let place: Place = serde_json::from_str(&reader.header().note)
            .map_err(|e| useless(&path, format!("holds no inputs of a core: {e}")))?;
        let (number, before) = (place.session, place.before);
        if place.is_first {
            found.push(Session { number, before, paths: vec![path] });
        } else if let Some(session) = found.last_mut().filter(|s| s.number == number) {
            session.paths.push(path);
        }
    }
    Ok(found)
}

/// Reads a session's inputs, at most as many as were committed.
pub struct InputReader {
    paths: std::vec::IntoIter<PathBuf>,
    reader: Option<Reader>,
    walk: Walk,
    left: u64,
    read: u64,
}

impl Session {
    /// How it began, and its inputs: at most `limit` of them.
    ///
    /// # Errors
    /// Its beginning cannot be read.
    pub fn open(&self, limit: u64) -> Result<(Start, InputReader), TapeError> {
        let paths = self.paths.clone().into_iter();
        let walk = Walk::default();
        let mut reader = InputReader { paths, reader: None, walk, left: limit, read: 0 };
        match reader.block()? {
            Some(Block::Start(start)) => Ok((start, reader)),
            _ => Err(useless(&self.paths[0], "does not begin with a state")),
        }
    }
}

impl InputReader {
    /// What came in between two commits; `None` at the end.
    ///
    /// # Errors
    /// A segment is damaged, or inputs are missing in its middle.
    pub fn next_batch(&mut self) -> Result<Option<Vec<Input>>, TapeError> {
        let Some(Block::Inputs { first, market, others }) =
            (if self.left > 0 { self.block()? } else { None })
        else {
            return Ok(None);
        };
        if first != self.read {
            let (read, path) = (self.read, self.path());
            return Err(useless(&path, format!("goes on at input {first} after {read}")));
        }
        let mut inputs = self.merged(&market, others)?;
        inputs.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= inputs.len() as u64;
        self.read += inputs.len() as u64;
        Ok(Some(inputs))
    }

    /// How many inputs were read.
    pub const fn read(&self) -> u64 {
        self.read
    }

    fn merged(
        &mut self,
        market: &EventChunk,
        others: Vec<(u32, Timestamp, Option<String>)>,
    ) -> Result<Vec<Input>, TapeError> {
        let path = self.path();
        if !self.walk.enter(market, u32::MAX as usize) {
            return Err(useless(&path, "columns do not fit together"));
        }
        let mut inputs = Vec::with_capacity(market.count() + others.len());
        for (place, at, text) in others {
            while inputs.len() < place as usize {
                let Some(event) = self.walk.next(market) else { break };
                inputs.push(market_input(event));
            }
            let kind = match text {
                None => InputKind::Timer,
                Some(text) => serde_json::from_str(&text)
                    .map_err(|e| useless(&path, format!("an input of another version: {e}")))?,
            };
            inputs.push(Input { at, kind });
        }
        while let Some(event) = self.walk.next(market) {
            inputs.push(market_input(event));
        }
        Ok(inputs)
    }

    fn path(&self) -> PathBuf {
        self.reader.as_ref().map_or_else(PathBuf::new, |r| r.path().to_owned())
    }

    fn block(&mut self) -> Result<Option<Block>, TapeError> {
        loop {
            let Some(reader) = &mut self.reader else {
                let Some(path) = self.paths.next() else { return Ok(None) };
                self.reader = Some(Reader::open(&path)?);
                continue;
            };
            match reader.next_block()? {
                Some(Said::Own(bytes)) => {
                    let block = postcard::from_bytes(&bytes);
                    let wrong = |e| useless(reader.path(), format!("a block says nothing: {e}"));
                    return block.map(Some).map_err(wrong);
                }
                Some(_) => {}
                None => self.reader = None,
            }
        }
    }
}

fn market_input(event: Recorded) -> Input {
    let instrument = InstrumentId(event.instrument as u32);
    Input { at: event.at, kind: InputKind::Market { instrument, event: event.event } }
}
