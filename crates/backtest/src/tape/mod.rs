//! Tapes: our own files of what was received.
//!
//! A tape is one segment (a file) or a folder of them. A segment is a row of blocks, each
//! compressed and checksummed by itself, so that whatever a kill leaves is readable up to its last
//! whole block; the block named `End` says that nothing is missing. The same packed columns are
//! the block's content and the form in memory: ten million prints stay under 400 MB.

mod bars;
mod block;
mod bytes;
mod column;
mod events;
mod folder;
mod instrument;
mod memory;
mod segment;
mod source;

pub use block::{BLOCK_BYTES_MAX, Content, End, Header};
pub(crate) use events::{EventChunk, Walk};
pub use folder::{Folder, SEGMENT_BYTES_MAX, segments};
pub use instrument::assumed_instrument;
pub use memory::Loaded;
pub use segment::{Heard, Note, Reader, Said, Segment};
pub(crate) use segment::{is_segment, unreadable, useless};
pub use source::{BarFile, TapeFile, open, read_bars};

/// Ends the name of every segment.
pub const EXTENSION: &str = "tape";
