//! What can go wrong, named by what the caller does next.

use std::path::PathBuf;
use std::sync::Arc;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Stop: another process owns the data directory.
    #[error(
        "the data directory {dir} is in use by {}; stop it, or choose another with --data-dir",
        owner(*pid)
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The owner, where its lock file says.
        pid: Option<u32>,
    },
    /// Stop: written by a newer version of the product.
    #[error(
        "{path} has schema version {found}, this program knows up to {known}; start the newer \
         program, or restore a backup made before the upgrade"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Stop: a database, but not of this product.
    #[error("{path} is a database of another program (it has no schema_version); nothing changed")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Stop: the file is damaged.
    #[error(
        "{path} is damaged ({detail}); restore a backup with `amarktai restore`, or move the file \
         away to start anew"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Stop: the directory or a file in it cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Stop the process: a commit failed. It is never retried; start-up recovers.
    #[error("the store failed and takes nothing more: {0}")]
    Failed(Arc<str>),
    /// Stop: the store was closed.
    #[error("the store is closed")]
    Closed,
    /// Refuse: the cursor is not one that this store gave for this list.
    #[error("{cursor:?} is no cursor of this list; leave `after` away to begin anew")]
    BadCursor {
        /// As received, shortened.
        cursor: String,
    },
    /// Refuse: events after this cursor were removed by retention.
    #[error(
        "cursor {cursor} is older than what is kept: events up to {removed_until} were removed; \
         begin anew without a cursor"
    )]
    CursorExpired {
        /// As received.
        cursor: String,
        /// Time of the last event that was removed.
        removed_until: String,
    },
    /// Retry later: all read connections were in use for too long.
    #[error("all {connections} read connections are in use for {waited_s} s; try again")]
    Busy {
        /// How many there are.
        connections: usize,
        /// How long we waited.
        waited_s: u64,
    },
    /// Stop trusting the row: a cell is not what was written.
    #[error("column {column} holds {value:?}, which is not what is stored there")]
    BadCell {
        /// Which.
        column: &'static str,
        /// What it holds, shortened.
        value: String,
    },
    /// Stop: SQLite cannot do it.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

impl StoreError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// A cursor that we did not give; long ones are cut, so that the message stays short.
    pub(crate) fn bad_cursor(cursor: &str) -> Self {
        Self::BadCursor { cursor: cursor.chars().take(64).collect() }
    }
}
