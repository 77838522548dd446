//! The fleet's limits: shown, compared with a file, replaced by a file.
//!
//! A file says all limits: what it leaves away is its default, as when the fleet was started. So
//! `diff` shows what `apply` does, whatever was in force before.

use super::answer::Answer;
use super::api::Api;
use super::failure::Failure;
use super::table::{cell, fields, lines};
use crate::cli::PolicyVerb;
use crate::config::{Config, FileText, Sources};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// A page or two of limits: a larger file is another kind of file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files seed the fleet's policy; accounts only tighten theirs.
const ROUTE: &str = "/api/policy?scope=fleet";

/// `policy …`
pub(crate) async fn policy(api: &Api, verb: Option<&PolicyVerb>) -> Result<Answer, Failure> {
    // Read first: a file that cannot be used needs no server to say so.
    let wanted = match verb {
        None => None,
        Some(PolicyVerb::Diff { file } | PolicyVerb::Apply { file }) => Some(wanted(file)?),
    };
    let now = api.get(ROUTE).await?;
    match (verb, wanted) {
        (Some(PolicyVerb::Apply { .. }), Some(wanted)) => {
            let changes = changes(&now["policy"], &wanted);
            if changes.is_empty() {
                let text = format!("no change: version {} stays\n", now["version"]);
                return Ok(Answer::new(now, text));
            }
            let then = api.put(ROUTE, &wanted).await?;
            let text = format!("{}version {} is in force\n", shown(&changes), then["version"]);
            Ok(Answer::new(then, text))
        }
        (_, Some(wanted)) => {
            let changes = changes(&now["policy"], &wanted);
            let list =
                changes.iter().map(|(key, now, new)| json!({"key": key, "now": now, "file": new}));
            Ok(Answer::new(list.collect(), shown(&changes)))
        }
        (_, None) => {
            let flat: serde_json::Map<String, Value> = flat(&now["policy"]).into_iter().collect();
            let text = format!("version  {}\n{}", now["version"], fields(&Value::Object(flat)));
            Ok(Answer::new(now, text))
        }
    }
}

/// The limits of a file, checked as at a start, each problem with its line.
fn wanted(path: &Path) -> Result<Value, Failure> {
    let shown = path.display().to_string();
    let text = read(path).map_err(|e| Failure::Usage(format!("{shown}: cannot be read: {e}")))?;
    let has_policy = text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("policy"));
    let file = Some(FileText { path: shown.clone(), text });
    let sources = Sources { file, ..Sources::default() };
    let config = Config::load(&sources).map_err(|e| Failure::Usage(e.to_string()))?;
    if !has_policy {
        return Err(Failure::Usage(format!("{shown}: has no [policy] section")));
    }
    serde_json::to_value(&config.policy).map_err(|e| Failure::could_not(e.to_string()))
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("it is over {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

type Change = (String, Value, Value);

/// What differs, by key.
fn changes(now: &Value, wanted: &Value) -> Vec<Change> {
    let now = flat(now);
    let differing = |(key, new): (String, Value)| {
        let old = now.get(&key).cloned().unwrap_or_default();
        (old != new).then_some((key, old, new))
    };
    flat(wanted).into_iter().filter_map(differing).collect()
}

/// Limits by dotted key: some are per exchange.
fn flat(policy: &Value) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (key, value) in policy.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(parts) => {
                all.extend(parts.iter().map(|(part, v)| (format!("{key}.{part}"), v.clone())));
            }
            None => drop(all.insert(key.clone(), value.clone())),
        }
    }
    all
}

fn shown(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "no change\n".to_owned();
    }
    let rows = changes.iter().map(|(key, now, new)| vec![key.clone(), cell(now), cell(new)]);
    lines(&["LIMIT", "NOW", "FILE"].map(str::to_owned), &rows.collect::<Vec<_>>())
}
