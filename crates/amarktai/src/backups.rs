//! Copies of the store on a schedule and on demand, each proven before it counts.

use crate::config::Config;
use crate::core_loop::now;
use crate::parts::Parts;
use domain::{Span, Timestamp};
use futures_util::future::{BoxFuture, FutureExt};
use server::Status;
use server::operator::{BackupFile, Backups, BackupsView};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::{ReadPool, verify_backup};
use tokio::sync::{Mutex, watch};

/// Between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The first scheduled one comes after this: a restart is no reason for a copy.
const FIRST_AFTER: Duration = Duration::from_secs(600);
/// After a failure, so that a full disk is not filled again at once.
const AGAIN_AFTER: Span = Span::from_secs(600);
/// Names of ours: other files in the directory are left alone.
const PREFIX: &str = "amarktai-";
const SUFFIX: &str = ".db";

/// See the module.
pub struct Keeper {
    reader: ReadPool,
    directory: PathBuf,
    every_hours: u32,
    keep: u32,
    parts: Arc<Parts>,
    turn: Mutex<()>,
}

/// The directory of the configuration; a relative one is inside the data directory.
pub(crate) fn directory(config: &Config) -> PathBuf {
    config.data_dir.join(&config.backups.directory)
}

/// The name of a copy made at this moment: sorts by time, and is a name on every file system.
pub(crate) fn name_at(at: Timestamp) -> String {
    let digits: String =
        at.to_string().chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    // To the millisecond, so that two by hand do not meet.
    format!("{PREFIX}{}Z{SUFFIX}", &digits[..digits.len().min(18)])
}

/// The moment of a name.
fn made_at(name: &str) -> Option<Timestamp> {
    let stamp = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.strip_suffix('Z')?;
    let is_ours = stamp.len() == 18 && stamp.is_ascii() && stamp.as_bytes()[8] == b'T';
    let part = |from: usize, to: usize| stamp.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}.{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?,
        part(15, 18)?
    );
    Timestamp::parse(&text).filter(|_| is_ours)
}

/// The copies in a directory, newest first.
pub(crate) fn list(directory: &Path) -> std::io::Result<Vec<BackupFile>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut items = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(made_at) = made_at(&name) else { continue };
        let bytes = entry.metadata()?.len();
        // An empty one claims its name while it is being written.
        if bytes > 0 {
            items.push(BackupFile { name, bytes, made_at });
        }
    }
    items.sort_by(|a, b| b.name.cmp(&a.name));
    Ok(items)
}

/// Writes a copy and proves it.
pub(crate) fn make(reader: &ReadPool, to: &Path) -> Result<u64, String> {
    if let Some(parent) = to.parent().filter(|parent| *parent != Path::new("")) {
        private_dir(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
    }
    reader.backup(to).map_err(|e| e.to_string())?;
    let verified = verify_backup(to).map_err(|e| e.to_string())?;
    if !verified.ok {
        let _ = fs::remove_file(to);
        return Err("the copy did not prove and was removed; run `amarktai verify`".to_owned());
    }
    Ok(verified.bytes)
}

fn private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Keeper {
    /// Over this store.
    pub fn new(config: &Config, reader: ReadPool, parts: Arc<Parts>) -> Arc<Self> {
        let (every_hours, keep) = (config.backups.every_hours, config.backups.keep);
        let turn = Mutex::default();
        let directory = directory(config);
        Arc::new(Self { reader, directory, every_hours, keep, parts, turn })
    }

    /// Makes them on time, until told to stop.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let (mut failed_at, began) = (None, Instant::now());
        let mut interval = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = crate::feeds::stopped(&mut stop) => return,
                _ = interval.tick() => {}
            }
            let rests = failed_at.is_some_and(|at| now() < at + AGAIN_AFTER);
            if self.look() && !rests && began.elapsed() >= FIRST_AFTER {
                failed_at = self.make().await.err().map(|_| now());
                self.look();
            }
        }
    }

    /// Notes how backups stand; says whether one is due.
    fn look(&self) -> bool {
        let items = match list(&self.directory) {
            Ok(items) => items,
            Err(e) => {
                let detail = format!("{}: {e}", self.directory.display());
                self.parts.set("backups", Status::Degraded, detail);
                return true;
            }
        };
        let age = items.first().map(|newest| (now() - newest.made_at).0 / 1_000_000_000);
        if let Some(age) = age {
            metrics::gauge!("amarktai_backup_age_seconds").set(age as f64);
        }
        let every_s = i64::from(self.every_hours) * 3_600;
        let is_due = self.every_hours > 0 && age.is_none_or(|age| age >= every_s);
        let text = match age {
            Some(age) => format!("{} kept, the newest {} h old", items.len(), age / 3_600),
            None => "there is none yet".to_owned(),
        };
        // Late by half its time: something keeps it from being made.
        let is_late = age.is_some_and(|age| every_s > 0 && age > every_s + every_s / 2);
        let status = if is_late { Status::Degraded } else { Status::Healthy };
        self.parts.set("backups", status, text);
        is_due
    }

    async fn write(&self) -> Result<BackupFile, String> {
        let _turn = self.turn.lock().await;
        let made_at = now();
        let name = name_at(made_at);
        let (reader, to) = (self.reader.clone(), self.directory.join(&name));
        let work = tokio::task::spawn_blocking(move || make(&reader, &to));
        let bytes = work.await.map_err(|e| e.to_string())??;
        self.prune();
        Ok(BackupFile { name, bytes, made_at })
    }

    /// Only ever our own names, and never the newest.
    fn prune(&self) {
        let items = list(&self.directory).unwrap_or_default();
        for old in items.iter().skip(self.keep.max(1) as usize) {
            if let Err(error) = fs::remove_file(self.directory.join(&old.name)) {
                tracing::warn!(%error, name = %old.name, "an old backup stays");
            }
        }
    }
}

impl Backups for Keeper {
    fn view(&self) -> Result<BackupsView, String> {
        let items = list(&self.directory).map_err(|e| e.to_string())?;
        let (directory, every_hours, keep) = (self.directory.clone(), self.every_hours, self.keep);
        Ok(BackupsView { directory, every_hours, keep, items })
    }

    fn make(&self) -> BoxFuture<'_, Result<BackupFile, String>> {
        async {
            let made = self.write().await;
            match &made {
                Ok(file) => tracing::info!(name = %file.name, bytes = file.bytes, "backup made"),
                Err(reason) => {
                    tracing::error!(%reason, "no backup could be made");
                    self.parts.set("backups", Status::Degraded, reason.clone());
                }
            }
            made
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{Store, StoreOptions};

    #[test]
    fn a_name_tells_its_moment_and_other_names_are_not_ours() {
        let at = Timestamp::parse("2026-11-23T05:53:10.123456Z").unwrap();
        assert_eq!(name_at(at), "amarktai-20261123T055310123Z.db");
        assert_eq!(made_at(&name_at(at)), Timestamp::parse("2026-11-23T05:53:10.123Z"));
        for other in ["amarktai.db", "amarktai-x.db", "notes.txt", "amarktai-20261123T055310Z.db"] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn only_as_many_are_kept_as_asked_for_and_no_other_file_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) =
            Store::open(&dir.path().join("amarktai.db"), StoreOptions::default()).unwrap();
        let flags = vec![("--data-dir", "data_dir", dir.path().display().to_string())];
        let mut config =
            Config::load(&crate::config::Sources { flags, ..Default::default() }).unwrap();
        config.backups.keep = 2;
        let parts = Arc::new(Parts::default());
        let keeper = Keeper::new(&config, store.reader(), parts.clone());
        assert!(keeper.look(), "there is none, so one is due");
        fs::create_dir_all(directory(&config)).unwrap();
        fs::write(directory(&config).join("mine.db"), "x").unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            names.push(keeper.make().await.unwrap().name);
        }
        names.reverse();
        names.pop();
        let found: Vec<String> =
            keeper.view().unwrap().items.into_iter().map(|item| item.name).collect();
        assert_eq!(found, names);
        assert!(directory(&config).join("mine.db").exists());
        assert!(!keeper.look());
        assert_eq!(parts.all()["backups"].status, Status::Healthy);
    }
}
