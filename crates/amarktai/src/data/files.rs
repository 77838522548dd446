//! `data import`, `data export`, `data info`: work on files alone.

use super::{answer, gap_text, place};
use crate::cli::{Export, ExportFormat, ExportRows, Import};
use crate::client::{Answer, Failure};
use crate::config::Config;
use crate::core_loop::now;
use backtest::export::{self, Format, Rows};
use backtest::import::{self, Order};
use backtest::info::{Info, info as read_info, tapes_below};
use backtest::tape::{Content, Reader};
use backtest::{Source, raw};
use domain::Span;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Clocks differ; more than a day ahead is a wrong unit.
const AHEAD_MAX: Span = Span::from_secs(86_400);

pub(super) fn import(config: &Config, asked: &Import) -> Result<Answer, Failure> {
    let failed = |e: backtest::TapeError| Failure::could_not(format!("nothing was imported: {e}"));
    if let Some(first) = asked.files.first()
        && import::is_recording(first).map_err(failed)?
    {
        return recording(config, asked);
    }
    let (Some(exchange), Some(symbol)) = (asked.exchange, asked.symbol) else {
        let usage = "say --exchange and --symbol: these files do not name their market";
        return Err(Failure::Usage(usage.to_owned()));
    };
    let order = Order {
        exchange,
        symbol,
        timeframe: asked.timeframe,
        latest: now() + AHEAD_MAX,
        replaces: asked.replace,
    };
    let done = import::import(&asked.files, &order, &place(config));
    done.map(|written| answer(&[written])).map_err(|e| refused(&e))
}

fn refused(error: &import::ImportError) -> Failure {
    Failure::could_not(format!("nothing was imported: {error}"))
}

/// Recordings of others name their instruments themselves.
fn recording(config: &Config, asked: &Import) -> Result<Answer, Failure> {
    let failed = |e: backtest::TapeError| Failure::could_not(format!("nothing was imported: {e}"));
    let mut tape = raw::Tape::open(&asked.files).map_err(failed)?;
    let others = tape.instruments().iter().find(|i| {
        asked.exchange.is_some_and(|e| e != i.exchange)
            || asked.symbol.is_some_and(|s| tape.instruments().iter().all(|i| i.symbol != s))
    });
    if let Some(other) = others {
        let found = format!("it is of {} {}", other.exchange, other.symbol);
        return Err(Failure::Usage(format!("{found}; leave --exchange and --symbol away")));
    }
    let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned());
    let names: Vec<String> = asked.files.iter().filter_map(name).collect();
    let origin = format!("imported from {}", names.join(", "));
    let done = import::copy(&mut tape, origin, asked.replace, &place(config));
    done.map(|written| answer(&[written])).map_err(|e| refused(&e))
}

pub(super) fn export(asked: &Export) -> Result<Answer, Failure> {
    let failed = |e: backtest::TapeError| Failure::could_not(e.to_string());
    let format = format(asked)?;
    let rows = rows(asked).map_err(failed)?;
    let order = export::Order { tape: asked.tape.clone(), symbol: asked.symbol, rows, format };
    let taken = |e: std::io::Error| Failure::could_not(format!("{}: {e}", asked.out.display()));
    let file = File::create_new(&asked.out).map_err(taken)?;
    let count = export::export(&order, file).map_err(|e| {
        // Half a file would be taken for a whole one.
        let _ = std::fs::remove_file(&asked.out);
        failed(e)
    })?;
    let json = serde_json::json!({ "path": asked.out, "rows": count });
    Ok(Answer::new(json, format!("{}: {count} rows\n", asked.out.display())))
}

fn format(asked: &Export) -> Result<Format, Failure> {
    let ending = asked.out.extension().and_then(|e| e.to_str());
    match (asked.format, ending) {
        (Some(ExportFormat::Csv), _) | (None, Some("csv")) => Ok(Format::Csv),
        (Some(ExportFormat::Parquet), _) | (None, Some("parquet")) => Ok(Format::Parquet),
        _ => Err(Failure::Usage("say --format csv or parquet".to_owned())),
    }
}

fn rows(asked: &Export) -> Result<Rows, backtest::TapeError> {
    Ok(match asked.rows {
        Some(ExportRows::Bars) => Rows::Bars(asked.timeframe),
        Some(ExportRows::Trades) => Rows::Trades,
        Some(ExportRows::Quotes) => Rows::Quotes,
        None if asked.timeframe.is_some() || holds_bars(&asked.tape)? => {
            Rows::Bars(asked.timeframe)
        }
        None => Rows::Trades,
    })
}

fn holds_bars(tape: &Path) -> Result<bool, backtest::TapeError> {
    // Folders are recordings of events.
    if tape.is_dir() {
        return Ok(false);
    }
    Ok(matches!(Reader::open(tape)?.header().content, Content::Bars(_)))
}

pub(super) fn info(config: &Config, paths: &[PathBuf]) -> Result<Answer, Failure> {
    let failed = |e: backtest::TapeError| Failure::could_not(e.to_string());
    let root = place(config).root;
    let mut tapes = Vec::new();
    for path in paths {
        tapes.extend(tapes_below(path).map_err(failed)?);
    }
    if paths.is_empty() && root.is_dir() {
        tapes = tapes_below(&root).map_err(failed)?;
        tapes.retain(|t| t.extension().is_none_or(|e| e == backtest::tape::EXTENSION));
    }
    let mut infos = Vec::new();
    let mut wrong = Vec::new();
    for tape in &tapes {
        match read_info(tape) {
            Ok(info) => infos.push(info),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    let mut text: String = infos.iter().map(text).collect();
    if tapes.is_empty() {
        text = format!("no tape in {}\n", root.display());
    }
    let json = serde_json::to_value(&infos).map_err(|e| Failure::could_not(e.to_string()))?;
    let mut answer = Answer::new(json, text);
    if !wrong.is_empty() {
        answer.note = Some(wrong.join("\n"));
        answer.exit = 1;
    }
    Ok(answer)
}

fn text(info: &Info) -> String {
    let grade = info.grade.and_then(|g| serde_json::to_value(g).ok());
    let grade = grade.as_ref().and_then(|g| g.as_str()).unwrap_or("-");
    let kind = info.timeframe.map_or_else(|| info.content.to_owned(), |t| format!("{t} bars"));
    let span = match (info.from, info.until) {
        (Some(from), Some(until)) => format!("{from} to {until}"),
        _ => "empty".to_owned(),
    };
    let mut text = format!("{}\n", info.path.display());
    text += &format!("  {} {kind}, grade {grade}, {}\n", info.markets.join(" "), info.origin);
    text += &format!("  {span}\n");
    text += &format!("  {} rows in {} bytes", info.rows, info.bytes);
    if info.content == "events" {
        let (prints, touches, books) = (info.prints, info.touches, info.books);
        text += &format!(": {prints} trades, {touches} quotes, {books} books");
    }
    text += &format!("\n  gaps: {} ({} rows missing)\n", info.gap_count, info.missing);
    for gap in info.gaps.iter().take(super::GAPS_SHOWN) {
        text += &format!("    {}\n", gap_text(gap));
    }
    for cut in &info.cuts {
        text += &format!("  {cut}\n");
    }
    text
}
