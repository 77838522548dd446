//! Copies of the store: made while it is used, proven before anybody relies on them, and put back
//! without losing what was there.
//!
//! A copy holds everything that the store holds, and so no master key: that is a file of its own.

use crate::lock::DirLock;
use crate::read::{EventsVerified, LedgerVerified};
use crate::{ReadPool, SCHEMA_VERSION, StoreError, schema};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What a copy was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupVerified {
    /// It can be restored.
    pub ok: bool,
    /// Its size.
    pub bytes: u64,
    /// Its schema version.
    pub schema_version: u32,
    /// What SQLite says of the file: `ok`, or its first fault.
    pub integrity: String,
    /// Its books.
    pub ledger: LedgerVerified,
    /// Its events.
    pub events: EventsVerified,
}

/// Where things are after a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The store.
    pub store: PathBuf,
    /// What was there before; `None`: nothing was.
    pub kept: Option<PathBuf>,
    /// What was put there.
    pub verified: BackupVerified,
}

impl ReadPool {
    /// Writes a consistent copy of the store into a new file while it goes on being used. The file
    /// appears under its name when it is whole and on the disk.
    ///
    /// # Errors
    /// The file exists, or the disk says no.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        // The name is claimed by its maker: two copies never write the same file.
        schema::private(File::options().write(true).create_new(true), to)?;
        let part = beside(to, ".part");
        let written = self.copy(&part).and_then(|()| {
            fs::rename(&part, to).and_then(|()| sync_dir(to)).map_err(|e| StoreError::io(to, e))
        });
        if written.is_err() {
            // Nobody shall take half a copy, or the empty name, for a whole one.
            let _ = fs::remove_file(&part);
            let _ = fs::remove_file(to);
        }
        written
    }

    fn copy(&self, part: &Path) -> Result<(), StoreError> {
        let _ = fs::remove_file(part);
        // SQLite fills an empty file; made here, it is private from its first byte.
        schema::private(File::options().write(true).create_new(true), part)?;
        let target = part.to_string_lossy();
        self.with(|connection| {
            connection.execute("VACUUM INTO ?1", [&*target])?;
            Ok(())
        })?;
        let file = File::open(part).map_err(|e| StoreError::io(part, e))?;
        file.sync_all().map_err(|e| StoreError::io(part, e))
    }
}

/// Reads a copy whole: the file, the books, the chain of events.
///
/// # Errors
/// It is no store, or newer than this program, or cannot be read.
pub fn verify_backup(path: &Path) -> Result<BackupVerified, StoreError> {
    let file = fs::metadata(path).map_err(|e| StoreError::io(path, e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|e| schema::damaged(path, e))?;
    let found = schema::version(&connection, path).map_err(|e| named(path, e))?;
    if found > SCHEMA_VERSION {
        let (path, known) = (path.to_owned(), SCHEMA_VERSION);
        return Err(StoreError::NewerSchema { path, found, known });
    }
    if found == 0 {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let check = "PRAGMA integrity_check(1)";
    let integrity: String =
        connection.query_row(check, [], |row| row.get(0)).map_err(|e| schema::damaged(path, e))?;
    drop(connection);
    let reader = ReadPool::open(path, 1)?;
    let ledger = reader.ledger_verify(None).map_err(|e| named(path, e))?;
    let events = reader.events_verify().map_err(|e| named(path, e))?;
    let ok = integrity == "ok" && ledger.ok && events.ok;
    let (bytes, schema_version) = (file.len(), found);
    Ok(BackupVerified { ok, bytes, schema_version, integrity, ledger, events })
}

fn named(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Sqlite(e) => schema::damaged(path, e),
        other => other,
    }
}

/// Puts a copy in the store's place. Nothing is touched before the copy is proven, and what was
/// there is kept beside, named by `stamp`.
///
/// # Errors
/// The data directory is in use; the copy does not prove; the disk says no.
pub fn restore(from: &Path, store: &Path, stamp: &str) -> Result<Restored, StoreError> {
    let dir = store.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    let _lock = DirLock::take(dir)?;
    let verified = verify_backup(from)?;
    if !verified.ok {
        let detail = match verified.integrity.as_str() {
            "ok" => "its books or its events do not add up".to_owned(),
            fault => fault.to_owned(),
        };
        return Err(StoreError::Corrupt { path: from.to_owned(), detail });
    }
    let fresh = beside(store, ".restoring");
    copy_private(from, &fresh)?;
    let kept = set_aside(store, stamp)?;
    fs::rename(&fresh, store)
        .and_then(|()| sync_dir(store))
        .map_err(|e| StoreError::io(store, e))?;
    Ok(Restored { store: store.to_owned(), kept, verified })
}

fn copy_private(from: &Path, to: &Path) -> Result<(), StoreError> {
    let _ = fs::remove_file(to);
    let mut source = File::open(from).map_err(|e| StoreError::io(from, e))?;
    schema::private(File::options().write(true).create_new(true), to)?;
    let mut target = File::options().write(true).open(to).map_err(|e| StoreError::io(to, e))?;
    std::io::copy(&mut source, &mut target).map_err(|e| StoreError::io(to, e))?;
    target.sync_all().map_err(|e| StoreError::io(to, e))
}

/// The store and its log under a name of their own; the log first, so that it is never found beside
/// a store that it does not belong to. The store itself stays until the new one replaces it.
fn set_aside(store: &Path, stamp: &str) -> Result<Option<PathBuf>, StoreError> {
    if !store.exists() {
        return Ok(None);
    }
    // Folded in where the file can be read; a damaged one keeps its log beside it.
    if let Ok(connection) = Connection::open(store) {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let _ = connection.query_row(checkpoint, [], |_| Ok(()));
    }
    let kept = beside(store, &format!(".before-restore-{stamp}"));
    fs::hard_link(store, &kept).map_err(|e| StoreError::io(&kept, e))?;
    for suffix in ["-wal", "-shm"] {
        let log = beside(store, suffix);
        if log.exists() {
            let target = beside(&kept, suffix);
            fs::rename(&log, &target).map_err(|e| StoreError::io(&target, e))?;
        }
    }
    Ok(Some(kept))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// A new name is on the disk when its directory is.
fn sync_dir(path: &Path) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}
