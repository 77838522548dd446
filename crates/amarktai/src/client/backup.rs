//! `backup` and `restore`: copies of the store beside a running server, and put back without one.

use super::answer::Answer;
use super::failure::Failure;
use super::session::{Need, Session};
use crate::backups::{directory, list, make, name_at};
use crate::config::Config;
use crate::offline::now;
use serde_json::json;
use std::path::Path;
use storage::{ReadPool, StoreError, restore as put_back};

/// `backup`: straight from the store's file, whoever else uses it; where it is not here, by the
/// server that has it.
pub(crate) async fn backup(config: &Config, to: Option<&Path>) -> Result<Answer, Failure> {
    let path = config.database_path();
    if !path.exists() {
        return from_far(config, to).await;
    }
    let directory = directory(config);
    let to = to.map_or_else(|| directory.join(name_at(now())), Path::to_owned);
    let reader = ReadPool::open(&path, 1).map_err(|e| Failure::could_not(e.to_string()))?;
    let bytes = make(&reader, &to).map_err(Failure::could_not)?;
    let text = format!("{}: {bytes} bytes, proven\n", to.display());
    Ok(Answer::new(json!({ "file": to, "bytes": bytes, "ok": true }), text))
}

async fn from_far(config: &Config, to: Option<&Path>) -> Result<Answer, Failure> {
    if to.is_some() {
        let why = "the store is not here; without --to its server makes a backup where it runs";
        return Err(Failure::could_not(why));
    }
    let session = Session::open(config, Need::Look).await?;
    let made = session.api.post("/api/backups", None).await?;
    let text = format!("{}: {} bytes, proven\n", made["name"], made["bytes"]);
    Ok(Answer::new(made, text))
}

/// `restore`
pub(crate) fn restore(config: &Config, file: &Path) -> Result<Answer, Failure> {
    let store = config.database_path();
    let stamp: String = now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let done = put_back(file, &store, &stamp).map_err(|error| match error {
        StoreError::Io { .. } if !file.exists() => {
            let known = list(&directory(config)).unwrap_or_default();
            let names: Vec<String> = known.into_iter().take(5).map(|one| one.name).collect();
            let dir = directory(config).display().to_string();
            Failure::could_not(format!(
                "there is no {}; {dir} has {}",
                file.display(),
                if names.is_empty() { "no backup".to_owned() } else { names.join(", ") }
            ))
        }
        error => Failure::could_not(format!("{error}; nothing was replaced")),
    })?;
    let events = done.verified.events.events;
    let mut text = format!("{} holds the backup's {events} events now\n", store.display());
    if let Some(kept) = &done.kept {
        text.push_str(&format!("what was there is kept as {}\n", kept.display()));
    }
    Ok(Answer::new(json!(done), text))
}
