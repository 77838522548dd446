//! `export trades|tax`: what an accountant asks for, read from the store beside whoever uses it.

mod tax;
#[cfg(test)]
mod tests;

use crate::cli::{BooksFormat, BooksOut, BooksVerb};
use crate::client::Failure;
use crate::config::Config;
use domain::{AccountId, FillRecord, Mode, Timestamp};
use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;
use server::csv;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use storage::{FillFilter, PAGE_ROWS_MAX, Page, ReadPool, StoreError, TradeFilter};

/// Rows of one export: what one machine keeps in memory without a thought.
const ROWS_MAX: usize = 2_000_000;

/// `export …`
pub(crate) fn export(config: &Config, asked: &BooksVerb) -> Result<ExitCode, Failure> {
    let path = config.database_path();
    if !path.exists() {
        let dir = config.data_dir.display();
        return Err(Failure::could_not(format!("there is no store in {dir}; see --data-dir")));
    }
    let told = |e: StoreError| Failure::could_not(e.to_string());
    let reader = ReadPool::open(&path, 1).map_err(told)?;
    let (columns, rows, out) = match asked {
        BooksVerb::Trades { from, to, out } => {
            let rows = trades(&reader, (*from, *to), out).map_err(told)?;
            (csv::TRADE_COLUMNS, rows, out)
        }
        BooksVerb::Tax { year, out } => {
            let zone = TimeZone::get(&config.account.timezone).unwrap_or(TimeZone::UTC);
            let span = tax_year(*year, &zone);
            let fills = fills(&reader, out).map_err(told)?;
            let rows = tax::rows(&reader, &fills, span, &zone).map_err(told)?;
            (tax::COLUMNS, rows, out)
        }
    };
    write(columns, &rows, out).map_err(|e| Failure::could_not(e.to_string()))?;
    let money = if out.paper { "paper" } else { "live" };
    eprintln!("{} rows of {money} money of account {}", rows.len(), out.account);
    Ok(ExitCode::SUCCESS)
}

/// From 1 March of the year before to the end of February, in the account's own days.
fn tax_year(year: i16, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let march = |year: i16| {
        let first = civil::date(year, 3, 1).at(0, 0, 0, 0);
        let at = zone.to_ambiguous_timestamp(first).compatible().unwrap_or_default();
        Timestamp(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX))
    };
    (march(year - 1), march(year))
}

fn trades(
    reader: &ReadPool,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    out: &BooksOut,
) -> Result<Vec<Value>, StoreError> {
    let filter = TradeFilter { is_paper: Some(out.paper), from, to, ..TradeFilter::default() };
    let account = Some(AccountId(out.account));
    let mut all = pages(|page| {
        let found = reader.trades(account, &filter, page)?;
        Ok((found.items, found.next))
    })?;
    all.reverse();
    Ok(all.iter().map(|trade| serde_json::to_value(trade).unwrap_or_default()).collect())
}

/// Every fill from the first one on: what was bought years ago is sold today.
fn fills(reader: &ReadPool, out: &BooksOut) -> Result<Vec<FillRecord>, StoreError> {
    let mode = if out.paper { Mode::Paper } else { Mode::Live };
    let account = Some(AccountId(out.account));
    let mut all = pages(|page| {
        let found = reader.fills(account, &FillFilter::default(), page)?;
        Ok((found.items, found.next))
    })?;
    all.retain(|fill| fill.mode == mode);
    all.reverse();
    Ok(all)
}

/// All rows of a list, newest first.
fn pages<T>(
    read: impl Fn(&Page) -> Result<(Vec<T>, Option<String>), StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut page = Page { limit: PAGE_ROWS_MAX, after: None };
    let mut all = Vec::new();
    loop {
        let (items, next) = read(&page)?;
        all.extend(items);
        if next.is_none() || all.len() >= ROWS_MAX {
            return Ok(all);
        }
        page.after = next;
    }
}

fn write(columns: &str, rows: &[Value], out: &BooksOut) -> std::io::Result<()> {
    let mut target: Box<dyn Write> = match &out.out {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    match out.format {
        BooksFormat::Json => {
            serde_json::to_writer_pretty(&mut target, rows)?;
            target.write_all(b"\n")?;
        }
        BooksFormat::Csv => {
            target.write_all(csv::header(columns).as_bytes())?;
            for row in rows {
                target.write_all(csv::line(columns, row).as_bytes())?;
            }
        }
    }
    target.flush()
}
