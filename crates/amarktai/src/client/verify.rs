//! The proof over what is stored: the ledger adds up and the event log was not changed.
//!
//! It reads the whole store on a read-only connection of its own, also beside a running server:
//! figures that the server itself would tell prove less, and its pool stays free for others.

use super::answer::Answer;
use super::failure::Failure;
use super::session::{Need, Session};
use crate::config::Config;
use serde_json::json;
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use storage::{EventsVerified, LedgerVerified, ReadPool, StoreError, verify_backup};

/// A shared page has some tens of kilobytes, and a thousand entries of evidence a few megabytes.
const SHARED_BYTES_MAX: u64 = 16 << 20;

/// `verify`
pub(crate) async fn verify(config: &Config, backup: Option<&Path>) -> Result<Answer, Failure> {
    if let Some(file) = backup {
        return match shared(file)? {
            Some(answer) => Ok(answer),
            None => copy(file),
        };
    }
    let session = Session::open(config, Need::Look).await?;
    let path = config.database_path();
    let answer = match &session.here {
        Some(here) => prove(&here.store().reader()),
        None if path.exists() => ReadPool::open(&path, 1).and_then(|reader| prove(&reader)),
        None => return from_far(&session).await,
    };
    session.close().await?;
    answer.map_err(|e| Failure::could_not(format!("{}: {e}", path.display())))
}

/// A page that a bot's owner shared, or exported evidence; `None`: it is neither.
fn shared(file: &Path) -> Result<Option<Answer>, Failure> {
    let failed = |e: std::io::Error| Failure::could_not(format!("{}: {e}", file.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(SHARED_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).ok();
    if let Some(verified) = text.and_then(server::verify_evidence) {
        return Ok(Some(evidence(file, &verified)));
    }
    let page = text.filter(|text| text.starts_with("<!doctype html>"));
    Ok(page.and_then(server::verify_share).map(|ok| {
        let word = if ok { "ok: as it was made" } else { "NOT OK: it was changed" };
        let text = format!("{}: a shared page\n{word}\n", file.display());
        let json = json!({ "ok": ok, "kind": "share" });
        Answer { exit: u8::from(!ok), ..Answer::new(json, text) }
    }))
}

fn evidence(file: &Path, verified: &server::EvidenceVerified) -> Answer {
    let server::EvidenceVerified { entries, problems } = verified;
    let ok = problems.is_empty();
    let mut text = format!("{}: evidence of the live gate, {entries} entries\n", file.display());
    for problem in problems {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {problem}");
    }
    text.push_str(if ok { "ok: as it was made\n" } else { "NOT OK: it was changed\n" });
    let json = json!({ "ok": ok, "kind": "evidence", "entries": entries, "problems": problems });
    Answer { exit: u8::from(!ok), ..Answer::new(json, text) }
}

/// A backup: the file itself, too.
fn copy(file: &Path) -> Result<Answer, Failure> {
    let verified = verify_backup(file).map_err(|e| Failure::could_not(e.to_string()))?;
    let mut text = format!(
        "{}: {} bytes, schema version {}, file {}\n",
        file.display(),
        verified.bytes,
        verified.schema_version,
        verified.integrity
    );
    let _ = books(&mut text, &verified.ledger);
    let _ = chain(&mut text, &verified.events);
    text.push_str(if verified.ok { "ok\n" } else { "NOT OK\n" });
    let exit = u8::from(!verified.ok);
    Ok(Answer { exit, ..Answer::new(json!(verified), text) })
}

fn prove(reader: &ReadPool) -> Result<Answer, StoreError> {
    let (ledger, events) = (reader.ledger_verify(None)?, reader.events_verify()?);
    let ok = ledger.ok && events.ok;
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = books(&mut text, &ledger);
    let _ = chain(&mut text, &events);
    text.push_str(if ok { "ok\n" } else { "NOT OK\n" });
    let json = json!({ "ok": ok, "ledger": ledger, "events": events });
    Ok(Answer { exit: u8::from(!ok), ..Answer::new(json, text) })
}

fn books(text: &mut String, ledger: &LedgerVerified) -> std::fmt::Result {
    let LedgerVerified { transfers, postings, incomplete, .. } = ledger;
    writeln!(text, "ledger: {transfers} transfers, {postings} postings")?;
    for sum in &ledger.currencies {
        writeln!(text, "  {}: debits and credits differ by {}", sum.currency, sum.sum)?;
    }
    for fault in &ledger.unbalanced {
        let (transfer, account) = (fault.transfer_seq, fault.account_id.0);
        let difference = format!("{} {}", fault.sum, fault.currency);
        writeln!(text, "  transfer {transfer} of account {account} is off by {difference}")?;
    }
    if *incomplete > 0 {
        writeln!(text, "  {incomplete} transfers are incomplete")?;
    }
    for profit in &ledger.realized_equals_trades {
        let relation = if profit.ok { "equals" } else { "DIFFERS FROM" };
        writeln!(
            text,
            "  {} {}: profit in the books {} {relation} the trades' {}",
            profit.exchange, profit.currency, profit.ledger, profit.trades
        )?;
    }
    Ok(())
}

fn chain(text: &mut String, events: &EventsVerified) -> std::fmt::Result {
    let chain = if events.ok { "in an unbroken chain" } else { "in a chain that is BROKEN" };
    writeln!(text, "events: {} {chain}", events.events)?;
    for fault in &events.faults {
        let stream = fault.account_id.map_or("the fleet".into(), |a| format!("account {}", a.0));
        writeln!(text, "  event {} of {stream}: {}", fault.seq, fault.problem)?;
    }
    Ok(())
}

/// A server whose files are not here proves its ledger only.
async fn from_far(session: &Session) -> Result<Answer, Failure> {
    let ledger = session.api.get("/api/ledger/verify").await?;
    let ok = ledger["ok"] == true;
    let word = if ok { "ok" } else { "NOT OK" };
    let (transfers, postings) = (&ledger["transfers"], &ledger["postings"]);
    let text = format!(
        "ledger: {transfers} transfers, {postings} postings\nevents: only provable where the \
         data directory is\n{word}\n"
    );
    let json = json!({ "ok": ok, "ledger": ledger, "events": null });
    Ok(Answer { exit: u8::from(!ok), ..Answer::new(json, text) })
}
