//! The emergency stop outside of the core: the latches that whoever sends orders reads, the file
//! that a stop which could not be stored leaves for the next start, and the signal.
//!
//! A latch acts at once and is stored after; a stop that cannot be stored is still a stop.

use crate::core_loop::now;
use domain::{AccountId, Actor, Timestamp};
use engine::Command;
use risk::EmergencyLatch;
use serde::{Deserialize, Serialize};
use server::{Core, Pulled};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files in the data directory: this, whose, `.json`.
const MARKER_PREFIX: &str = "emergency-stop.";
const MARKER_SUFFIX: &str = ".json";

/// A stop that no store holds, as its file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// `None`: the fleet's.
    pub(crate) account_id: Option<AccountId>,
    pub(crate) reason: String,
    pub(crate) sell: bool,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
}

impl Marker {
    fn path(dir: &Path, account: Option<AccountId>) -> PathBuf {
        let whose = account.map_or("fleet".to_owned(), |id| format!("account-{id}"));
        dir.join(format!("{MARKER_PREFIX}{whose}{MARKER_SUFFIX}"))
    }

    /// Leaves it for the next start, on the disk before this returns.
    pub(crate) fn leave(&self, dir: &Path) -> io::Result<PathBuf> {
        let path = Self::path(dir, self.account_id);
        let new = path.with_extension("new");
        let file = fs::File::create(&new)?;
        serde_json::to_writer(&file, self)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        // The name, too, must survive.
        fs::File::open(dir)?.sync_all()?;
        Ok(path)
    }

    /// Those that were left. One that cannot be read is a stop of the fleet: somebody wanted one.
    pub(crate) fn left(dir: &Path) -> Vec<(PathBuf, Self)> {
        let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<(PathBuf, Self)> =
            paths.filter(|path| is_marker(path)).map(|path| (path.clone(), read(&path))).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

fn is_marker(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(MARKER_PREFIX) && name.ends_with(MARKER_SUFFIX)
}

fn read(path: &Path) -> Marker {
    let unreadable = |why: String| Marker {
        account_id: None,
        reason: format!("{} cannot be read: {why}", path.display()),
        sell: false,
        by: "a file".to_owned(),
        at: now(),
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|e| unreadable(e.to_string())),
        Err(e) => unreadable(e.to_string()),
    }
}

/// See the module.
pub(crate) struct Emergency {
    dir: PathBuf,
    fleet: EmergencyLatch,
    accounts: Mutex<HashMap<AccountId, EmergencyLatch>>,
}

impl Emergency {
    /// With its files in this directory.
    pub(crate) fn new(dir: &Path) -> Self {
        let (fleet, accounts) = (EmergencyLatch::default(), Mutex::default());
        Self { dir: dir.to_owned(), fleet, accounts }
    }

    /// The latch of an account, or of the fleet; clones share it.
    pub(crate) fn latch(&self, account: Option<AccountId>) -> EmergencyLatch {
        let Some(account) = account else { return self.fleet.clone() };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(account).or_default().clone()
    }

    /// Obeys the stops that were left: before anything is traded, and each is forgotten only when
    /// the store holds it.
    pub(crate) async fn obey(&self, core: &Core) {
        for (path, marker) in Marker::left(&self.dir) {
            let Marker { account_id, reason, sell, by, at } = marker;
            self.latch(account_id).stop();
            tracing::warn!(file = %path.display(), %reason, %by, %at, "emergency stop that was left");
            let command = Command::EmergencyStop { reason, sell };
            match core.command(account_id, Actor::Rule(by.into()), command).await {
                Ok(_) => {
                    if let Err(error) = fs::remove_file(&path) {
                        tracing::warn!(%error, file = %path.display(), "it stays and will be obeyed again");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, file = %path.display(), "it is latched and not stored");
                }
            }
        }
    }

    /// Latches what the store says is stopped: before anything can be sent.
    pub(crate) async fn restore(&self, core: &Core) -> Result<(), server::CoreError> {
        let stopped = |engine: &engine::Engine| -> Vec<Option<AccountId>> {
            let accounts = engine.accounts().into_iter().map(|account| Some(account.id));
            let is_on =
                |of: &Option<AccountId>| engine.emergency_stop(*of).is_some_and(|s| s.active);
            accounts.chain([None]).filter(is_on).collect()
        };
        for account in core.query(stopped).await? {
            self.latch(account).stop();
        }
        Ok(())
    }

    /// Stops the fleet because a signal said so.
    pub(crate) async fn by_signal(&self, core: &Core) {
        let latch = self.latch(None);
        latch.stop();
        tracing::warn!("emergency stop of the fleet by signal");
        let (reason, sell) = ("signal SIGUSR1".to_owned(), false);
        let command = Command::EmergencyStop { reason: reason.clone(), sell };
        let actor = Actor::Rule("signal".into());
        if let Err(error) = core.command(None, actor, command).await {
            let marker =
                Marker { account_id: None, reason, sell, by: "signal".to_owned(), at: now() };
            match marker.leave(&self.dir) {
                Ok(path) => {
                    tracing::error!(%error, file = %path.display(), "stopped, not persisted")
                }
                Err(e) => tracing::error!(%error, marker = %e, "stopped, not persisted anywhere"),
            }
        }
    }
}

impl server::Emergency for Emergency {
    fn latch(&self, account: Option<AccountId>, is_on: bool) {
        let latch = Self::latch(self, account);
        if is_on { latch.stop() } else { latch.clear() }
    }

    fn keep(&self, pulled: &Pulled) -> io::Result<PathBuf> {
        let Pulled { account_id, reason, sell, by } = pulled.clone();
        Marker { account_id, reason, sell, by: by.to_string(), at: now() }.leave(&self.dir)
    }

    fn forget(&self, account: Option<AccountId>) {
        // Mostly there is none.
        let _absent = fs::remove_file(Marker::path(&self.dir, account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Span;

    #[test]
    fn a_stop_that_was_left_is_found_again_and_a_torn_one_stops_the_fleet() {
        let dir = tempfile::tempdir().unwrap();
        let marker = Marker {
            account_id: Some(AccountId(3)),
            reason: "disk full".to_owned(),
            sell: true,
            by: "tom".to_owned(),
            at: now().floor(Span::from_secs(1)),
        };
        let path = marker.leave(dir.path()).unwrap();
        assert_eq!(Marker::left(dir.path()), [(path.clone(), marker)]);
        fs::write(&path, "{\"account_id\":3,\"rea").unwrap();
        let left = Marker::left(dir.path());
        assert_eq!((left.len(), left[0].1.account_id, left[0].1.sell), (1, None, false));
    }
}
