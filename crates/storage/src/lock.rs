//! One process per data directory: an advisory lock on a file that names its owner.

use crate::StoreError;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// The lock file's name in the data directory.
pub const LOCK_FILE: &str = "amarktai.lock";

/// Holds the data directory until dropped; the operating system frees it when the process dies,
/// so that there is never a stale lock to remove by hand.
#[derive(Debug)]
pub(crate) struct DirLock(#[allow(dead_code, reason = "held, not read")] File);

impl DirLock {
    /// Takes the lock.
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(|e| StoreError::io(dir, e))?;
        let path = dir.join(LOCK_FILE);
        let io = |e| StoreError::io(&path, e);
        let mut options = File::options();
        // Not truncated on opening: another owner's pid must stay readable.
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(StoreError::Locked { dir: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self(file))
    }
}

/// The process that owns this data directory; `None`: nobody does, or it left no number.
pub fn owner(dir: &Path) -> Option<u32> {
    let mut file = File::options().read(true).open(dir.join(LOCK_FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_pid(&mut file),
        // Ours for this moment alone: it ends with the file.
        _ => None,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
