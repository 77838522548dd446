//! What a feed delivered once, in the order of its receipt.

use domain::{Instrument, MarketEvent, Timestamp};
use std::path::PathBuf;

/// One thing that was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Local time of receipt, as the recorder's clock had it.
    pub at: Timestamp,
    /// Place in [`Source::instruments`].
    pub instrument: usize,
    /// What.
    pub event: MarketEvent,
}

/// A recording that is read once, from its beginning.
pub trait Source {
    /// Everything it may tell of.
    fn instruments(&self) -> &[Instrument];

    /// The next thing, `None` at the end.
    ///
    /// # Errors
    /// Bytes that cannot be read, and lines that say nothing sensible, by file and line.
    fn next(&mut self) -> Result<Option<Recorded>, TapeError>;

    /// Before this the recording did not know the whole book: nothing is to be judged there.
    fn settled_at(&self) -> Option<Timestamp> {
        None
    }
}

/// A recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line says nothing sensible.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The file as a whole.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong and what would do.
        problem: String,
    },
}
