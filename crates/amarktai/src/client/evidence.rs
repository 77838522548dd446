//! What the live gate measured of a bot, as a file.

use super::answer::Answer;
use super::api::Api;
use super::bots;
use super::failure::Failure;
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// `evidence …`
pub(crate) async fn evidence(api: &Api, bot: &str, out: Option<&Path>) -> Result<Answer, Failure> {
    let id = bots::id_of(api, bot).await?;
    let bytes = api.file(&format!("/api/bots/{id}/evidence")).await?;
    let no_text = |e| Failure::could_not(format!("the server's answer is no text: {e}"));
    let text = String::from_utf8(bytes).map_err(no_text)?;
    let verified = server::verify_evidence(&text).filter(|v| v.problems.is_empty());
    let entries = verified.map(|v| v.entries).ok_or_else(|| {
        Failure::could_not("what the server answers is no whole evidence; ask it again")
    })?;
    let Some(file) = out else {
        let json = serde_json::from_str(&text).unwrap_or_default();
        return Ok(Answer::new(json, text));
    };
    keep(file, &text).map_err(|e| Failure::could_not(format!("{}: {e}", file.display())))?;
    let json = json!({ "file": file, "entries": entries });
    Ok(Answer::new(json, format!("{}: {entries} entries\n", file.display())))
}

/// Evidence is never written over: the older file may be the one that counts.
fn keep(file: &Path, text: &str) -> std::io::Result<()> {
    let mut kept = std::fs::File::create_new(file)?;
    kept.write_all(text.as_bytes())?;
    kept.sync_all()
}
