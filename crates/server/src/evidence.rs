//! What a bot was judged by when it became live, and at each change since, as one file that needs
//! nothing but itself: every condition with its figure, the policy's version, the configuration and
//! its hash, who confirmed it and when.
//!
//! Each entry carries a hash of its text, and the file one of all of it. They show that nobody changed
//! the file since it was made, and where; not who made it: whoever can make files can make hashes.

use crate::seal::{BLANK, digest, is_whole, sealed};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt::Write;
use storage::AuditRow;

/// What the file calls itself.
const KIND: &str = "amarktai-evidence";
/// Before the file's hash.
const MARK: &str = "\"file_sha256\": \"";

/// Whose evidence it is, and when it was made.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) made_at: domain::Timestamp,
    pub(crate) account_id: domain::AccountId,
    pub(crate) bot_id: domain::BotId,
    pub(crate) name: String,
    /// There was more than the file holds.
    pub(crate) is_cut: bool,
}

/// What `amarktai verify FILE` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceVerified {
    /// Entries of the file; zero where it cannot be read any more.
    pub entries: usize,
    /// What is wrong; empty: it is as it was made.
    pub problems: Vec<String>,
}

/// One line of the audit as an entry, or why it cannot be one.
fn entry(row: &AuditRow) -> Result<Value, String> {
    let broken = || format!("audit row {} cannot be read", row.id);
    // `ACTION: {measured} of {config}`, as it is stored.
    let (action, rest) = row.detail.split_once(": ").ok_or_else(broken)?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Box<RawValue>>();
    let measured = values.next().and_then(Result::ok).ok_or_else(broken)?;
    let config = rest.get(values.byte_offset()..).and_then(|text| text.strip_prefix(" of "));
    let config =
        config.and_then(|text| serde_json::from_str::<Value>(text).ok().map(|c| (text, c)));
    let (config_text, config) = config.ok_or_else(broken)?;
    let measured: Value = serde_json::from_str(measured.get()).map_err(|_| broken())?;
    Ok(json!({
        "audit_id": row.id,
        "at": row.at,
        "action": action,
        "by": row.actor,
        "policy_version": measured["policy_version"],
        "config_sha256": digest(config_text),
        "config": config,
        "measured": measured,
    }))
}

/// The file, oldest entry first.
///
/// # Errors
/// Names the audit row that cannot be read.
pub(crate) fn file(head: &Head, rows: &[AuditRow]) -> Result<String, String> {
    let mut lines = Vec::new();
    for row in rows {
        let record = entry(row)?.to_string();
        lines.push(format!("  {{\"sha256\":\"{}\",\"record\":{record}}}", digest(&record)));
    }
    let name = Value::from(head.name.as_str());
    let mut text = format!(
        "{{\n\"kind\": \"{KIND}\",\n\"version\": 1,\n{MARK}{BLANK}\",\n\"made_at\": \"{}\",\n\
         \"account_id\": {},\n\"bot_id\": {},\n\"name\": {name},\n\"is_cut\": {},\n\"entries\": [\n",
        head.made_at, head.account_id.0, head.bot_id.0, head.is_cut,
    );
    // Writing to a text cannot fail.
    let _ = write!(text, "{}\n]\n}}\n", lines.join(",\n"));
    Ok(sealed(&text))
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    sha256: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// Is this file as it was made? `None`: it is no evidence of ours.
pub fn verify_evidence(text: &str) -> Option<EvidenceVerified> {
    if !text.starts_with('{') || !text.contains(KIND) {
        return None;
    }
    let read: Read<'_> = match serde_json::from_str(text) {
        Ok(read) => read,
        Err(error) => {
            let problems = vec![format!("it is no JSON of evidence any more: {error}")];
            return Some(EvidenceVerified { entries: 0, problems });
        }
    };
    let mut problems: Vec<String> =
        read.entries.iter().enumerate().filter_map(|(at, entry)| changed(at, entry)).collect();
    if problems.is_empty() && is_whole(text, MARK) != Some(true) {
        problems.push("something outside the entries was changed, or an entry is missing".into());
    }
    Some(EvidenceVerified { entries: read.entries.len(), problems })
}

fn changed(at: usize, entry: &Entry<'_>) -> Option<String> {
    let text = entry.record.get();
    if digest(text) == entry.sha256 {
        return None;
    }
    let record: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |key: &str| record[key].as_str().unwrap_or("?").to_owned();
    Some(format!("entry {} ({}, {}) was changed", at + 1, word("action"), word("at")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, BotId, Timestamp};

    fn row(id: i64, action: &str) -> AuditRow {
        let measured = r#"{"policy_version":3,"conditions":[{"name":"a: of {b}","pass":true}]}"#;
        AuditRow {
            id,
            account_id: Some(AccountId(1)),
            bot_id: Some(BotId(2)),
            at: Timestamp(1_000_000_000),
            action: "live_gate".to_owned(),
            actor: "thandi".to_owned(),
            detail: format!("{action}: {measured} of {{\"name\":\"x\",\"odd\":0.1}}"),
        }
    }

    fn head() -> Head {
        let (account_id, bot_id) = (AccountId(1), BotId(2));
        let name = "a \"quoted\" bot".to_owned();
        Head { made_at: Timestamp(0), account_id, bot_id, name, is_cut: false }
    }

    #[test]
    fn evidence_proves_itself_and_says_who_when_and_by_which_policy() {
        let text = file(&head(), &[row(7, "promoted"), row(9, "lost")]).unwrap();
        let whole = EvidenceVerified { entries: 2, problems: vec![] };
        assert_eq!(verify_evidence(&text), Some(whole));
        let json: Value = serde_json::from_str(&text).unwrap();
        let record = &json["entries"][0]["record"];
        assert_eq!((&record["action"], &record["by"]), (&json!("promoted"), &json!("thandi")));
        assert_eq!(record["policy_version"], 3);
        assert_eq!(record["config_sha256"], digest(r#"{"name":"x","odd":0.1}"#));
        assert_eq!(verify_evidence("{\"items\": []}"), None);
        assert_eq!(verify_evidence("<!doctype html>"), None);
    }

    /// Every byte of the file, one after the other.
    #[test]
    fn whatever_byte_is_changed_it_shows_and_is_named() {
        let text = file(&head(), &[row(7, "promoted"), row(9, "lost")]).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // A file that does not call itself evidence any more is none.
            if let Some(verified) = verify_evidence(&changed) {
                assert!(!verified.problems.is_empty(), "byte {at} of {text}");
            }
        }
        let edited = verify_evidence(&text.replacen("thandi", "nobody", 1)).unwrap();
        assert!(edited.problems[0].starts_with("entry 1 (promoted, 1970"), "{edited:?}");
        let renamed = verify_evidence(&text.replacen("quoted", "better", 1)).unwrap();
        assert!(renamed.problems[0].contains("outside the entries"), "{renamed:?}");
        let last = text.rfind(",\n  {").unwrap();
        let cut = format!("{}\n]\n}}\n", &text[..last]);
        assert!(!verify_evidence(&cut).unwrap().problems.is_empty(), "an entry is missing");
    }

    #[test]
    fn an_audit_row_that_is_none_is_named() {
        let row = AuditRow { detail: "promoted by hand".to_owned(), ..row(7, "promoted") };
        assert_eq!(file(&head(), &[row]), Err("audit row 7 cannot be read".to_owned()));
    }
}
