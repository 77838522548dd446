//! Tables of numbers with commas: Binance's public archives and plain candles.

use super::lines::{Line, each_line, line_error};
use super::row::{BarRow, PrintRow, Row, What, figure, instant, quoted};
use super::{Found, Scan};
use crate::recorded::TapeError;
use domain::Side;
use std::ops::ControlFlow;
use std::path::Path;

/// Most columns that any of these tables has.
const COLUMNS_MAX: usize = 12;

/// What the columns mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Places of time, open, high, low, close, volume and, where there is one, the count.
    Bars([usize; 6], Option<usize>),
    /// Places of id, price, quantity, time and "the buyer was the maker".
    Prints([usize; 5]),
}

const PLAIN: Layout = Layout::Bars([0, 1, 2, 3, 4, 5], None);
const KLINES: Layout = Layout::Bars([0, 1, 2, 3, 4, 5], Some(8));

const ALLOWED: &str = "allowed are Binance's klines (12 columns), trades (6 or 7) and aggTrades \
                       (7 or 8), and ts_ms,open,high,low,close,volume";

type Cells<'a> = [&'a str; COLUMNS_MAX];

/// Reads a table.
pub(crate) fn scan(path: &Path, take: &mut Scan<'_>) -> Result<Vec<String>, TapeError> {
    let (mut layout, mut columns) = (None, 0);
    let (mut notes, mut named, mut unknown) = (Vec::new(), None, None);
    each_line(path, |line| {
        let mut cells: Cells<'_> = Default::default();
        let count = split(line.text, &mut cells);
        if line.number == 1 && is_header(cells[0]) {
            named = by_name(&cells[..count.min(COLUMNS_MAX)]);
            return ControlFlow::Continue(());
        }
        let Some(known) = *layout.get_or_insert_with(|| {
            columns = count;
            named.or_else(|| by_columns(&cells, count))
        }) else {
            let problem = format!("{count} columns of {}: {ALLOWED}", quoted(line.text));
            unknown = Some(line_error(path, line.number, problem));
            return ControlFlow::Break(());
        };
        if !line.has_end && count == columns {
            notes.push(format!(
                "{}:{}: the last line has no line end; kept, as its columns are complete",
                path.display(),
                line.number
            ));
        }
        take(row(line, &cells, count, columns, known).map_err(|p| line_error(path, line.number, p)))
    })?;
    unknown.map_or(Ok(notes), Err)
}

/// Cells without quotes; says how many there are, also beyond those that are kept.
fn split<'a>(text: &'a str, cells: &mut Cells<'a>) -> usize {
    let mut count = 0;
    for cell in text.split(',') {
        if let Some(place) = cells.get_mut(count) {
            *place = cell.trim().trim_matches('"');
        }
        count += 1;
    }
    count
}

fn is_header(first: &str) -> bool {
    first.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '#')
}

/// Candles whose columns are named may stand in any order.
fn by_name(names: &[&str]) -> Option<Layout> {
    let place = |allowed: &[&str]| {
        names.iter().position(|n| {
            let name = n.trim_start_matches('#').trim().to_lowercase();
            allowed.contains(&name.as_str())
        })
    };
    let time = ["ts_ms", "timestamp", "time", "date", "datetime", "open_time", "unix"];
    let places = [
        place(&time)?,
        place(&["open"])?,
        place(&["high"])?,
        place(&["low"])?,
        place(&["close"])?,
        place(&["volume"])?,
    ];
    Some(Layout::Bars(places, place(&["count", "trades", "number_of_trades"])))
}

fn by_columns(cells: &Cells<'_>, count: usize) -> Option<Layout> {
    let is_flag = |at: usize| flag(cells[at]).is_some();
    match count {
        12 => Some(KLINES),
        8 if is_flag(6) => Some(Layout::Prints([0, 1, 2, 5, 6])), // aggTrades, spot
        7 if is_flag(5) => Some(Layout::Prints([0, 1, 2, 4, 5])), // trades, spot
        7 if is_flag(6) => Some(Layout::Prints([0, 1, 2, 5, 6])), // aggTrades, futures
        6 if is_flag(5) => Some(Layout::Prints([0, 1, 2, 4, 5])), // trades, futures
        6 => Some(PLAIN),
        _ => None,
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn row(line: &Line<'_>, cells: &Cells<'_>, count: usize, columns: usize, layout: Layout) -> Found {
    if count != columns {
        let end = if line.has_end { "" } else { ", and no line end: the file is cut off" };
        return Err(format!("{count} columns where the rows before have {columns}{end}"));
    }
    let what = match layout {
        Layout::Bars(places, prints) => What::Bar(bar(cells, places, prints)?),
        Layout::Prints(places) => What::Print(print(cells, places)?),
    };
    Ok(Row { line: line.number, what })
}

fn bar(cells: &Cells<'_>, places: [usize; 6], prints: Option<usize>) -> Result<BarRow, String> {
    let [time, open, high, low, close, volume] = places.map(|at| cells[at]);
    let count =
        |text: &str| text.parse().map_err(|_| format!("{} is no count of trades", quoted(text)));
    Ok(BarRow {
        open_at: instant(time)?,
        prices: [
            figure("open", open)?,
            figure("high", high)?,
            figure("low", low)?,
            figure("close", close)?,
        ],
        volume: figure("volume", volume)?,
        prints: prints.map(|at| count(cells[at])).transpose()?,
    })
}

fn print(cells: &Cells<'_>, places: [usize; 5]) -> Result<PrintRow, String> {
    let [id, price, quantity, time, maker] = places.map(|at| cells[at]);
    let is_buyer_maker =
        flag(maker).ok_or_else(|| format!("{} is not true or false", quoted(maker)))?;
    Ok(PrintRow {
        id: id.parse().map_err(|_| format!("{} is no trade id", quoted(id)))?,
        price: figure("price", price)?,
        quantity: figure("quantity", quantity)?,
        taker_side: if is_buyer_maker { Side::Sell } else { Side::Buy },
        at: instant(time)?,
    })
}
