//! `update`: a new binary in the old one's place, and the old one back where the new one does not
//! become ready.
//!
//! The running process keeps its own file until the restart, so the swap itself is not seen. A
//! store that the new one has migrated is of no use to the old one: then the backup of before is
//! put back, too.

use super::answer::Answer;
use super::api::Api;
use super::failure::Failure;
use super::session::Session;
use crate::backups::{directory, make, name_at};
use crate::cli::Update;
use crate::config::Config;
use crate::offline::now;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use storage::{ReadPool, StoreError, restore, verify_backup};

/// Between two looks whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The new one's answer to `--version` may not be longer.
const VERSION_CHARS_MAX: usize = 100;

fn failed(what: impl std::fmt::Display) -> Failure {
    Failure::could_not(what.to_string())
}

/// `update FILE`
pub(crate) async fn update(config: &Config, asked: &Update) -> Result<Answer, Failure> {
    check_sum(&asked.file)?;
    let work = tempfile::tempdir().map_err(failed)?;
    let fresh = unpack(&asked.file, work.path())?;
    let version = version(&fresh)?;
    let binary = match &asked.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe().map_err(failed)?,
    };
    let backup = back_up(config)?;
    say(format!("{version}: backed up to {}", backup.display()));
    let previous = swap(&fresh, &binary)?;
    let began = Instant::now();
    let restarted = run(&asked.restart);
    let outcome = match restarted {
        Ok(()) => ready(config, began, u64::from(asked.ready_within)).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => {
            let text = format!("{version} runs; the one before is {}\n", previous.display());
            let json = json!({ "version": version, "backup": backup, "previous": previous });
            Ok(Answer::new(json, text))
        }
        Err(why) => {
            say(format!("{why}; going back"));
            let back = go_back(config, asked, (&binary, &previous), &backup).await;
            let told = match back {
                Ok(text) => text,
                Err(worse) => format!("GOING BACK FAILED, TOO: {worse}"),
            };
            Err(Failure::could_not(format!("{version} did not become ready: {why}; {told}")))
        }
    }
}

/// To people, while it goes on.
fn say(text: String) {
    eprintln!("amarktai: {text}");
}

/// `FILE.sha256`, as `sha256sum` writes it, has to fit where it is there.
fn check_sum(file: &Path) -> Result<(), Failure> {
    let mut name = file.as_os_str().to_owned();
    name.push(".sha256");
    let Ok(text) = fs::read_to_string(&name) else {
        say(format!("there is no {}: the file is not checked", Path::new(&name).display()));
        return Ok(());
    };
    let mut reader =
        fs::File::open(file).map_err(|e| failed(format!("{}: {e}", file.display())))?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut reader, &mut hasher).map_err(failed)?;
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if text.split_whitespace().next() == Some(&*found) {
        return Ok(());
    }
    Err(failed(format!("{} is not what its .sha256 says; nothing was changed", file.display())))
}

/// A binary, or the one of a release tarball.
fn unpack(file: &Path, to: &Path) -> Result<PathBuf, Failure> {
    let name = file.to_string_lossy();
    if !(name.ends_with(".tar.gz") || name.ends_with(".tgz")) {
        let binary = to.join("amarktai");
        fs::copy(file, &binary).map_err(|e| failed(format!("{}: {e}", file.display())))?;
        make_executable(&binary)?;
        return Ok(binary);
    }
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(file).arg("-C").arg(to).arg("--strip-components=1");
    let is_ok = tar.status().map_err(|e| failed(format!("tar: {e}")))?.success();
    let binary = to.join("bin/amarktai");
    let is_whole = is_ok && binary.is_file();
    is_whole.then_some(binary).ok_or_else(|| failed(format!("{name} is no release")))
}

fn make_executable(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed)
}

/// Runs here at all?
fn version(binary: &Path) -> Result<String, Failure> {
    let asked = Command::new(binary).arg("--version").output();
    let output = asked.map_err(|e| failed(format!("the new binary does not run here: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || !text.starts_with("amarktai ") {
        return Err(failed("the new binary does not say which version it is"));
    }
    Ok(text.chars().take(VERSION_CHARS_MAX).collect())
}

fn back_up(config: &Config) -> Result<PathBuf, Failure> {
    let reader = ReadPool::open(&config.database_path(), 1).map_err(failed)?;
    let to = directory(config).join(name_at(now()));
    make(&reader, &to).map_err(failed)?;
    Ok(to)
}

/// The new one under the old one's name, at no moment nothing; the old one beside it.
fn swap(fresh: &Path, binary: &Path) -> Result<PathBuf, Failure> {
    let beside = |suffix: &str| {
        let mut name = binary.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let trouble = |e: std::io::Error| {
        failed(format!("{}: {e}; run it as who may write there", binary.display()))
    };
    let (next, previous) = (beside(".next"), beside(".previous"));
    let _ = fs::remove_file(&next);
    fs::copy(fresh, &next).map_err(trouble)?;
    make_executable(&next)?;
    fs::File::open(&next).and_then(|file| file.sync_all()).map_err(trouble)?;
    let _ = fs::remove_file(&previous);
    fs::hard_link(binary, &previous).map_err(trouble)?;
    fs::rename(&next, binary).map_err(trouble)?;
    Ok(previous)
}

fn run(command: &str) -> Result<(), Failure> {
    let status = Command::new("sh").args(["-c", command]).status().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(failed(format!("{command:?} ended with {status}"))) }
}

/// A server that started after `began` says that it is ready.
async fn ready(config: &Config, began: Instant, within_s: u64) -> Result<(), Failure> {
    let within = Duration::from_secs(within_s);
    loop {
        if is_ready(config, began).await {
            return Ok(());
        }
        if began.elapsed() > within {
            return Err(failed(format!("not ready within {within_s} s")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn is_ready(config: &Config, began: Instant) -> bool {
    let Ok(session) = Session::running(config) else { return false };
    let Ok(_) = session.api.get("/api/health/ready").await else { return false };
    // The old one may still be ending: it has been up for longer.
    let uptime = uptime_s(&session.api).await;
    uptime.is_some_and(|uptime| uptime <= began.elapsed().as_secs() + 1)
}

async fn uptime_s(api: &Api) -> Option<u64> {
    let response = api.send(api.request(reqwest::Method::GET, "/api/health")).await.ok()?;
    api.body(response).await.ok()?["uptime_s"].as_u64()
}

async fn go_back(
    config: &Config,
    asked: &Update,
    (binary, previous): (&Path, &Path),
    backup: &Path,
) -> Result<String, Failure> {
    run(&asked.stop)?;
    fs::rename(previous, binary).map_err(failed)?;
    let mut told = "the one before runs again".to_owned();
    if is_migrated(config, backup)? {
        let stamp: String = now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let done = put_back(backup, config, &stamp).await?;
        told.push_str(&format!(" over the backup; what the new one wrote is {}", done.display()));
    }
    let began = Instant::now();
    run(&asked.restart)?;
    ready(config, began, u64::from(asked.ready_within)).await?;
    Ok(told)
}

/// Is the store of another schema than before?
fn is_migrated(config: &Config, backup: &Path) -> Result<bool, Failure> {
    let before = verify_backup(backup).map_err(failed)?.schema_version;
    match verify_backup(&config.database_path()) {
        Ok(now) => Ok(now.schema_version != before),
        // Newer than this program, or spoilt: either way of no use to the old one.
        Err(_) => Ok(true),
    }
}

/// The one that was stopped may hold the lock for a moment.
async fn put_back(backup: &Path, config: &Config, stamp: &str) -> Result<PathBuf, Failure> {
    let began = Instant::now();
    loop {
        match restore(backup, &config.database_path(), stamp) {
            Ok(done) => return Ok(done.kept.unwrap_or(done.store)),
            Err(StoreError::Locked { .. }) if began.elapsed() < Duration::from_secs(10) => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(error) => return Err(failed(error)),
        }
    }
}
