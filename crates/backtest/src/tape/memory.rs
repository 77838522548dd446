//! A recording in memory, for many runs over it: packed columns, unpacked a chunk at a time.

use super::events::{EVENTS_PER_CHUNK, EventChunk, Walk};
use crate::recorded::{Recorded, Source, TapeError};
use domain::Instrument;

/// A recording in memory.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    instruments: Vec<Instrument>,
    chunks: Vec<EventChunk>,
    events: u64,
}

impl Loaded {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// The source's.
    pub fn read(source: &mut dyn Source) -> Result<Self, TapeError> {
        let (mut chunks, mut events) = (Vec::new(), 0);
        let mut waiting = Vec::with_capacity(EVENTS_PER_CHUNK);
        while let Some(event) = source.next()? {
            events += 1;
            waiting.push(event);
            if waiting.len() == EVENTS_PER_CHUNK {
                chunks.push(EventChunk::pack(&waiting));
                waiting.clear();
            }
        }
        if !waiting.is_empty() {
            chunks.push(EventChunk::pack(&waiting));
        }
        chunks.shrink_to_fit();
        Ok(Self { instruments: source.instruments().to_vec(), chunks, events })
    }

    /// Everything that it may tell of.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// How many events.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// What they take of memory.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(EventChunk::bytes).sum()
    }

    /// From the beginning, as often as one likes and from several threads at once.
    pub fn play(&self) -> Play<'_> {
        Play { tape: self, chunk: 0, walk: Walk::default() }
    }
}

/// One reading of a [`Loaded`] recording.
pub struct Play<'t> {
    tape: &'t Loaded,
    /// The next to enter.
    chunk: usize,
    walk: Walk,
}

impl Iterator for Play<'_> {
    type Item = Recorded;

    fn next(&mut self) -> Option<Recorded> {
        loop {
            let current = self.chunk.checked_sub(1).map(|at| &self.tape.chunks[at]);
            if let Some(event) = current.and_then(|chunk| self.walk.next(chunk)) {
                return Some(event);
            }
            let next = self.tape.chunks.get(self.chunk)?;
            let is_whole = self.walk.enter(next, self.tape.instruments.len());
            debug_assert!(is_whole, "we packed it ourselves");
            self.chunk += 1;
        }
    }
}

impl Source for Play<'_> {
    fn instruments(&self) -> &[Instrument] {
        &self.tape.instruments
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        Ok(Iterator::next(self))
    }
}
