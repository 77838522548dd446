//! Verbs of recorded data: what is downloaded, taken in, recorded, handed out, looked at.

mod exchange;
mod fetch;
mod files;
mod progress;
mod record;
mod replay;

use crate::cli::{DataVerb, Record, Replay};
use crate::client::{Answer, Failure};
use crate::config::Config;
use backtest::import::{Place, Written};
use serde_json::json;

/// Tapes lie here, in the data directory.
const TAPES: &str = "tapes";

fn place(config: &Config) -> Place {
    Place { root: config.data_dir.join(TAPES) }
}

/// `data …`
pub(crate) async fn data(config: &Config, verb: &DataVerb) -> Result<Answer, Failure> {
    match verb {
        DataVerb::Fetch(asked) => fetch::fetch(config, asked).await,
        DataVerb::Import(asked) => files::import(config, asked),
        DataVerb::Export(asked) => files::export(asked),
        DataVerb::Info { paths } => files::info(config, paths),
    }
}

/// `record …`
pub(crate) async fn record(config: &Config, asked: &Record) -> Result<Answer, Failure> {
    record::record(config, asked).await
}

/// `replay …`
pub(crate) fn replay(config: &Config, asked: &Replay) -> Result<Answer, Failure> {
    replay::replay(config, asked)
}

/// Gaps that are printed; JSON has them all.
const GAPS_SHOWN: usize = 10;

fn answer(written: &[Written]) -> Answer {
    let mut text = String::new();
    for one in written {
        let (path, rows) = (one.path.display(), one.rows);
        text += &format!("{path}: {rows} rows, {} to {}\n", one.from, one.until);
        for gap in one.gaps.iter().take(GAPS_SHOWN) {
            text += &format!("  gap: {}\n", gap_text(gap));
        }
        if one.gaps.len() > GAPS_SHOWN {
            text += &format!("  and {} more gaps\n", one.gaps.len() - GAPS_SHOWN);
        }
        for note in &one.notes {
            text += &format!("  {note}\n");
        }
    }
    let items: Vec<_> = written
        .iter()
        .map(|one| {
            json!({
                "path": one.path, "rows": one.rows, "from": one.from, "to": one.until,
                "gaps": one.gaps, "notes": one.notes,
            })
        })
        .collect();
    Answer::new(items.into(), text)
}

fn gap_text(gap: &backtest::Gap) -> String {
    let missing = gap.missing.map(|n| format!(" ({n} missing)")).unwrap_or_default();
    format!("{} to {}{missing}", gap.from, gap.until)
}
