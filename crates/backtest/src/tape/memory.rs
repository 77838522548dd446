//! A recording in memory, for many runs over it: packed columns, unpacked a chunk at a time.

use super::events::{EVENTS_PER_CHUNK, EventChunk, Walk};
use crate::recorded::{Recorded, Source, TapeError};
use domain::{Instrument, Timestamp};

/// A recording in memory.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    instruments: Vec<Instrument>,
    chunks: Vec<EventChunk>,
    /// First and last receipt of each chunk.
    spans: Vec<(Timestamp, Timestamp)>,
    events: u64,
    bytes: usize,
}

/// Makes a [`Loaded`] of events that come one after the other.
#[derive(Debug, Default)]
pub struct Packer {
    loaded: Loaded,
    waiting: Vec<Recorded>,
}

impl Packer {
    /// Takes the next event.
    pub fn push(&mut self, event: Recorded) {
        self.loaded.events += 1;
        self.waiting.push(event);
        if self.waiting.len() == EVENTS_PER_CHUNK {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let ends = self.waiting.first().zip(self.waiting.last());
        let Some((first, last)) = ends.map(|(first, last)| (first.at, last.at)) else { return };
        let chunk = EventChunk::pack(&self.waiting);
        self.loaded.bytes += chunk.bytes();
        self.loaded.chunks.push(chunk);
        self.loaded.spans.push((first, last));
        self.waiting.clear();
    }

    /// How many events were taken.
    pub const fn events(&self) -> u64 {
        self.loaded.events
    }

    /// What those that are packed take of memory.
    pub const fn bytes(&self) -> usize {
        self.loaded.bytes
    }

    /// The recording; `instruments` are those that its events speak of.
    pub fn finish(mut self, instruments: Vec<Instrument>) -> Loaded {
        self.pack();
        self.loaded.chunks.shrink_to_fit();
        Loaded { instruments, ..self.loaded }
    }
}

impl Loaded {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// The source's.
    pub fn read(source: &mut dyn Source) -> Result<Self, TapeError> {
        let mut packer = Packer::default();
        while let Some(event) = source.next()? {
            packer.push(event);
        }
        Ok(packer.finish(source.instruments().to_vec()))
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
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// First and last receipt.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.spans.first()?.0, self.spans.last()?.1))
    }

    /// From the beginning, as often as one likes and from several threads at once.
    pub fn play(&self) -> Play<'_> {
        Play { tape: self, chunk: 0, walk: Walk::default() }
    }

    /// From the first chunk that holds something at or after `at`; a few events before it come too.
    pub fn play_near(&self, at: Timestamp) -> Play<'_> {
        let chunk = self.spans.partition_point(|(_, last)| *last < at);
        Play { chunk, ..self.play() }
    }

    /// What is neither print nor touch, from the beginning up to where [`Self::play_near`] begins:
    /// what is known of books and feeds by then. Chunks without any of it cost nothing.
    pub fn others_before(&self, at: Timestamp) -> impl Iterator<Item = Recorded> + '_ {
        let end = self.spans.partition_point(|(_, last)| *last < at);
        let with = (0..end).filter(|chunk| self.chunks[*chunk].has_others());
        with.flat_map(|chunk| self.chunk(chunk)).filter(|event| !event.is_quote_or_print())
    }

    /// The newest event that `wanted` makes something of; chunks are looked at from the end.
    pub fn newest<T>(&self, mut wanted: impl FnMut(&Recorded) -> Option<T>) -> Option<T> {
        (0..self.chunks.len())
            .rev()
            .find_map(|at| self.chunk(at).filter_map(|event| wanted(&event)).last())
    }

    /// The same with every event as `change` makes it.
    #[must_use]
    pub fn changed(&self, change: impl FnMut(Recorded) -> Recorded) -> Self {
        let mut packer = Packer::default();
        self.play().map(change).for_each(|event| packer.push(event));
        packer.finish(self.instruments.clone())
    }

    fn chunk(&self, at: usize) -> impl Iterator<Item = Recorded> + '_ {
        let (chunk, mut walk) = (&self.chunks[at], Walk::default());
        let is_whole = walk.enter(chunk, self.instruments.len());
        debug_assert!(is_whole, "we packed it ourselves");
        std::iter::from_fn(move || walk.next(chunk))
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

    #[inline]
    fn next(&mut self) -> Option<Recorded> {
        loop {
            let current = self.chunk.checked_sub(1).and_then(|at| self.tape.chunks.get(at));
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
