//! One segment: written block by block, read block by block.

use super::bars::{BARS_PER_CHUNK, BarChunk};
use super::block::{self, Content, End, Found, Header, Kind, MAGIC};
use super::events::{EVENTS_PER_CHUNK, EventChunk};
use crate::recorded::{Recorded, TapeError};
use domain::{Bar, Span, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of raw frames that wait to become a block: they compress well from here on.
const HEARD_BYTES: usize = 1 << 20;

/// Something received that is no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Local time of receipt.
    pub at: Timestamp,
    /// What.
    pub heard: Heard,
}

/// See [`Note`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heard {
    /// A frame or an answer as it came over the wire.
    Frame {
        /// `stream`, or the path that was asked for.
        from: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A measured round trip.
    RoundTrip(Span),
    /// Bounds of the exchange's clock minus ours.
    Clock {
        /// At least.
        lower: Span,
        /// At most.
        upper: Span,
    },
}

/// What a block of a segment says.
pub enum Said {
    /// A run of events, still packed.
    Events(Packed),
    /// A run of bars.
    Bars(Vec<Bar>),
    /// Raw frames and measurements.
    Heard(Vec<Note>),
    /// Whatever the segment's owner wrote.
    Own(Vec<u8>),
}

/// Events that are unpacked when they are walked.
pub struct Packed(pub(crate) EventChunk);

impl Packed {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.count()
    }
}

pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> TapeError {
    TapeError::Unreadable { path: path.to_owned(), source }
}

pub(crate) fn useless(path: &Path, problem: impl Into<String>) -> TapeError {
    TapeError::File { path: path.to_owned(), problem: problem.into() }
}

/// Does a file begin as a segment does?
pub(crate) fn is_segment(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == MAGIC
}

/// A segment in the making. Rows become blocks in runs; what was not flushed dies with us.
pub struct Segment {
    file: File,
    path: PathBuf,
    header: Header,
    events: Vec<Recorded>,
    bars: Vec<Bar>,
    notes: Vec<Note>,
    notes_bytes: usize,
    end: End,
    bytes: u64,
}

impl Segment {
    /// A new file; one that is there already is left alone.
    ///
    /// # Errors
    /// It is there, or the disk says no.
    pub fn create(path: &Path, header: Header) -> Result<Self, TapeError> {
        let file = File::options().write(true).create_new(true).open(path);
        let file = file.map_err(|e| unreadable(path, e))?;
        let end = End { rows: 0, first_at: None, last_at: None };
        let mut segment = Self::around(file, path, header, end, 0);
        let header = segment.packed(&segment.header)?;
        segment.write(MAGIC)?;
        segment.put(Kind::Header, &header)?;
        Ok(segment)
    }

    /// Goes on with a segment that has no end: what is torn behind its last whole block is cut
    /// off. Returns what was cut, in words; `None` instead of a segment where it has its end.
    ///
    /// # Errors
    /// It is damaged before its last block, or the disk says no.
    pub fn resume(path: &Path) -> Result<(Option<Self>, Option<String>), TapeError> {
        let mut reader = Reader::open(path)?;
        while reader.next_block()?.is_some() {}
        if reader.is_sealed() {
            return Ok((None, None));
        }
        let length = std::fs::metadata(path).map_err(|e| unreadable(path, e))?.len();
        let lost = length - reader.offset;
        let said = (lost > 0).then(|| format!("{}: cut {lost} torn bytes", path.display()));
        let file = File::options().write(true).open(path).map_err(|e| unreadable(path, e))?;
        file.set_len(reader.offset).map_err(|e| unreadable(path, e))?;
        let mut segment = Self::around(file, path, reader.header, reader.seen, reader.offset);
        let to_end = segment.file.seek(SeekFrom::End(0));
        to_end.map_err(|e| unreadable(path, e))?;
        Ok((Some(segment), said))
    }

    fn around(file: File, path: &Path, header: Header, end: End, bytes: u64) -> Self {
        let (events, bars, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            file,
            path: path.to_owned(),
            header,
            events,
            bars,
            notes,
            notes_bytes: 0,
            end,
            bytes,
        }
    }

    /// What it is about.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Written so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows so far, those that wait included.
    pub const fn rows(&self) -> u64 {
        self.end.rows
    }

    /// Takes an event.
    ///
    /// # Errors
    /// The disk says no.
    pub fn event(&mut self, event: Recorded) -> Result<(), TapeError> {
        self.count(event.at, 1);
        self.events.push(event);
        if self.events.len() >= EVENTS_PER_CHUNK { self.flush_events() } else { Ok(()) }
    }

    /// Takes a bar.
    ///
    /// # Errors
    /// The disk says no.
    pub fn bar(&mut self, bar: Bar) -> Result<(), TapeError> {
        self.count(bar.open_at, 1);
        self.bars.push(bar);
        if self.bars.len() >= BARS_PER_CHUNK { self.flush_bars() } else { Ok(()) }
    }

    /// Takes a frame or a measurement.
    ///
    /// # Errors
    /// The disk says no.
    pub fn hear(&mut self, note: Note) -> Result<(), TapeError> {
        self.notes_bytes += size_of::<Note>();
        if let Heard::Frame { bytes, .. } = &note.heard {
            self.notes_bytes += bytes.len();
        }
        self.notes.push(note);
        if self.notes_bytes >= HEARD_BYTES { self.flush_notes() } else { Ok(()) }
    }

    /// Writes a block of the owner's own, that tells of so many rows up to this time.
    ///
    /// # Errors
    /// The disk says no.
    pub fn own(&mut self, bytes: &[u8], at: Timestamp, rows: u64) -> Result<(), TapeError> {
        self.count(at, rows);
        self.put(Kind::Own, bytes)
    }

    fn count(&mut self, at: Timestamp, rows: u64) {
        self.end.rows += rows;
        self.end.first_at.get_or_insert(at);
        self.end.last_at = self.end.last_at.max(Some(at));
    }

    /// Hands everything to the system: from here on a kill loses nothing of it.
    ///
    /// # Errors
    /// The disk says no.
    pub fn flush(&mut self) -> Result<(), TapeError> {
        self.flush_events()?;
        self.flush_bars()?;
        self.flush_notes()
    }

    /// Hands everything to the disk: from here on a power cut loses nothing of it.
    ///
    /// # Errors
    /// The disk says no.
    pub fn sync(&mut self) -> Result<(), TapeError> {
        self.flush()?;
        self.file.sync_data().map_err(|e| unreadable(&self.path, e))
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// The disk says no.
    pub fn seal(mut self) -> Result<End, TapeError> {
        self.flush()?;
        let end = self.packed(&self.end)?;
        self.put(Kind::End, &end)?;
        self.sync()?;
        Ok(self.end)
    }

    fn flush_events(&mut self) -> Result<(), TapeError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let bytes = self.packed(&EventChunk::pack(&self.events))?;
        self.events.clear();
        self.put(Kind::Events, &bytes)
    }

    fn flush_bars(&mut self) -> Result<(), TapeError> {
        if self.bars.is_empty() {
            return Ok(());
        }
        let bytes = self.packed(&BarChunk::pack(&self.bars))?;
        self.bars.clear();
        self.put(Kind::Bars, &bytes)
    }

    fn flush_notes(&mut self) -> Result<(), TapeError> {
        if self.notes.is_empty() {
            return Ok(());
        }
        let bytes = self.packed(&self.notes)?;
        self.notes.clear();
        self.notes_bytes = 0;
        self.put(Kind::Heard, &bytes)
    }

    fn packed(&self, what: &impl Serialize) -> Result<Vec<u8>, TapeError> {
        postcard::to_stdvec(what).map_err(|e| useless(&self.path, e.to_string()))
    }

    fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), TapeError> {
        let mut block = Vec::new();
        block::put(kind, bytes, &mut block).map_err(|e| unreadable(&self.path, e))?;
        self.write(&block)
    }

    /// One write a block: a kill comes before or after it, or leaves a beginning that is cut.
    fn write(&mut self, bytes: &[u8]) -> Result<(), TapeError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|e| unreadable(&self.path, e))
    }
}

/// A segment that is read from its beginning.
pub struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    header: Header,
    /// Behind the last whole block.
    offset: u64,
    seen: End,
    sealed: Option<End>,
    cut: Option<String>,
    is_over: bool,
}

impl Reader {
    /// Opens it and reads what it is about.
    ///
    /// # Errors
    /// It is no segment, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, TapeError> {
        let file = File::open(path).map_err(|e| unreadable(path, e))?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut magic = [0; MAGIC.len()];
        let read = file.read_exact(&mut magic);
        if read.is_err() || &magic != MAGIC {
            let other = "is no tape of ours, or of another version; see `amarktai data import`";
            return Err(useless(path, other));
        }
        let (found, took) = block::take(&mut file).map_err(|e| unreadable(path, e))?;
        let Found::Block(Kind::Header, bytes) = found else {
            return Err(useless(path, "ends before it says what it is about"));
        };
        let header = decoded(path, &bytes)?;
        let seen = End { rows: 0, first_at: None, last_at: None };
        let offset = MAGIC.len() as u64 + took;
        let path = path.to_owned();
        Ok(Self { file, path, header, offset, seen, sealed: None, cut: None, is_over: false })
    }

    /// What it is about.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was read so far; after the last block, the whole.
    pub const fn seen(&self) -> End {
        self.seen
    }

    /// Its writer ended in order. Known after the last block.
    pub const fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Why less is there than its writer had, where that is so. Known after the last block.
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// The next block; `None` behind the last whole one.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn next_block(&mut self) -> Result<Option<Said>, TapeError> {
        while !self.is_over {
            let (found, took) = block::take(&mut self.file).map_err(|e| self.torn(e))?;
            let (kind, bytes) = match found {
                Found::Block(kind, bytes) => (kind, bytes),
                Found::Damaged(why) => {
                    return Err(useless(&self.path, format!("byte {}: {why}", self.offset)));
                }
                Found::Nothing => return Ok(self.over("its writer was killed, or is at work")),
                Found::Torn => return Ok(self.over("its last block is torn and left out")),
            };
            self.offset += took;
            match kind {
                Kind::Events => {
                    return self.counted(&bytes).map(|chunk| Some(Said::Events(Packed(chunk))));
                }
                Kind::Bars => return self.bars(&bytes).map(|bars| Some(Said::Bars(bars))),
                Kind::Heard => return Ok(Some(Said::Heard(decoded(&self.path, &bytes)?))),
                Kind::Own => return Ok(Some(Said::Own(bytes))),
                Kind::End => {
                    self.sealed = Some(self.ended(&bytes)?);
                    self.is_over = true;
                }
                Kind::Header => return Err(useless(&self.path, "begins twice")),
            }
        }
        Ok(None)
    }

    fn torn(&self, error: std::io::Error) -> TapeError {
        useless(&self.path, format!("byte {}: {error}", self.offset))
    }

    fn over(&mut self, why: &str) -> Option<Said> {
        self.is_over = true;
        self.cut = Some(format!("{}: {why}", self.path.display()));
        None
    }

    fn counted(&mut self, bytes: &[u8]) -> Result<EventChunk, TapeError> {
        let chunk: EventChunk = decoded(&self.path, bytes)?;
        let Some((first, last)) = chunk.span() else {
            return Err(useless(&self.path, format!("byte {}: no columns", self.offset)));
        };
        self.seen.rows += chunk.count() as u64;
        self.seen.first_at.get_or_insert(first);
        self.seen.last_at = self.seen.last_at.max(Some(last));
        Ok(chunk)
    }

    fn bars(&mut self, bytes: &[u8]) -> Result<Vec<Bar>, TapeError> {
        let chunk: BarChunk = decoded(&self.path, bytes)?;
        let mut bars = Vec::new();
        if !chunk.unpack(&mut bars) {
            return Err(useless(&self.path, format!("byte {}: no columns", self.offset)));
        }
        self.seen.rows += bars.len() as u64;
        if let (Some(first), Some(last)) = (bars.first(), bars.last()) {
            self.seen.first_at.get_or_insert(first.open_at);
            self.seen.last_at = self.seen.last_at.max(Some(last.open_at));
        }
        Ok(bars)
    }

    /// The writer counted; where we count otherwise, something in between is gone.
    fn ended(&mut self, bytes: &[u8]) -> Result<End, TapeError> {
        let end: End = decoded(&self.path, bytes)?;
        let counts_rows = self.header.content != Content::Inputs;
        if counts_rows && end.rows != self.seen.rows {
            let (said, found) = (end.rows, self.seen.rows);
            return Err(useless(&self.path, format!("says {said} rows and holds {found}")));
        }
        self.seen = end;
        Ok(end)
    }
}

fn decoded<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, TapeError> {
    postcard::from_bytes(bytes).map_err(|e| useless(path, format!("a block says nothing: {e}")))
}
