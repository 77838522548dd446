//! Tapes as files that others read: CSV and Parquet, exact decimals in both.

mod csv;
mod parquet;

use crate::recorded::{Source, TapeError};
use crate::tape::{Content, Reader, open, read_bars};
use domain::{Bar, Instrument, MarketEvent, Print, Symbol, Timeframe, Timestamp, Touch};
use market::{BarBuilder, PrintIds};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text with commas and a header.
    Csv,
    /// Columns, with prices as decimals.
    Parquet,
}

/// Which rows of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Candles: those of the tape, or made of its trades.
    Bars(Option<Timeframe>),
    /// Public trades.
    Trades,
    /// Best bids and asks.
    Quotes,
}

/// What is to be exported.
#[derive(Clone, Debug)]
pub struct Order {
    /// A tape, or a folder of segments.
    pub tape: PathBuf,
    /// Which market of it; not needed where there is one.
    pub symbol: Option<Symbol>,
    /// Which rows.
    pub rows: Rows,
    /// In which form.
    pub format: Format,
}

/// One row of any kind.
pub(crate) enum Row {
    Bar(Bar),
    Trade(Timestamp, Print),
    Quote(Timestamp, Touch),
}

/// Takes rows and makes a file of them.
trait Table {
    fn put(&mut self, row: &Row) -> std::io::Result<()>;
    fn end(self: Box<Self>) -> std::io::Result<()>;
}

/// Writes a tape's rows to `out`; says how many.
///
/// # Errors
/// The tape is none or has no such rows, or the target cannot be written.
pub fn export(order: &Order, out: impl Write + Send + 'static) -> Result<u64, TapeError> {
    let first = first_segment(&order.tape)?;
    let whole = |problem: String| crate::tape::useless(&order.tape, problem);
    let failed = |e: std::io::Error| whole(format!("the export cannot be written: {e}"));
    let mut count = 0;
    if let Content::Bars(timeframe) = Reader::open(&first)?.header().content {
        match order.rows {
            Rows::Bars(asked) if asked.is_none_or(|t| t == timeframe) => {}
            _ => return Err(whole(format!("holds bars of {timeframe} and nothing else"))),
        }
        let file = read_bars(&first)?;
        let mut out = make(order, &file.instrument, Box::new(out)).map_err(failed)?;
        for bar in file.bars {
            count += 1;
            out.put(&Row::Bar(bar)).map_err(failed)?;
        }
        return out.end().map_err(failed).map(|()| count);
    }
    let mut tape = open(&order.tape)?;
    let (at, instrument) = chosen(order, tape.instruments()).map_err(whole)?;
    let mut out = make(order, &instrument, Box::new(out)).map_err(failed)?;
    let mut pick = Pick::new(order.rows, &instrument);
    let mut rows = Vec::new();
    while let Some(event) = tape.next()? {
        if event.instrument != at {
            continue;
        }
        pick.take(event.at, &event.event, &mut rows);
        for row in rows.drain(..) {
            count += 1;
            out.put(&row).map_err(failed)?;
        }
    }
    out.end().map_err(failed).map(|()| count)
}

fn first_segment(tape: &Path) -> Result<PathBuf, TapeError> {
    if !tape.is_dir() {
        return Ok(tape.to_owned());
    }
    let all = crate::tape::segments(tape)?;
    all.into_iter().next().ok_or_else(|| crate::tape::useless(tape, "holds no tape"))
}

fn make(
    order: &Order,
    of: &Instrument,
    out: Box<dyn Write + Send>,
) -> std::io::Result<Box<dyn Table>> {
    Ok(match order.format {
        Format::Csv => Box::new(csv::Csv::new(order.rows, of, out)?),
        Format::Parquet => Box::new(parquet::Columns::new(order.rows, of, out)?),
    })
}

fn chosen(order: &Order, all: &[Instrument]) -> Result<(usize, Instrument), String> {
    let fits = |i: &Instrument| order.symbol.is_none_or(|s| s == i.symbol);
    let mut found = all.iter().enumerate().filter(|(_, i)| fits(i));
    let names: Vec<String> = all.iter().map(|i| i.symbol.to_string()).collect();
    match (found.next(), found.next()) {
        (Some((at, instrument)), None) => Ok((at, instrument.clone())),
        (None, _) => Err(format!("has no such market; it has {}", names.join(", "))),
        _ => Err(format!("say --symbol; it has {}", names.join(", "))),
    }
}

/// Picks rows out of events.
struct Pick {
    rows: Rows,
    bars: Option<BarBuilder>,
    ids: PrintIds,
}

impl Pick {
    fn new(rows: Rows, of: &Instrument) -> Self {
        // Only Binance counts its trades one by one.
        let is_counted = of.exchange == domain::Exchange::Binance;
        let ids = if is_counted { PrintIds::Contiguous } else { PrintIds::Rising };
        Self { rows, bars: None, ids }
    }

    fn take(&mut self, at: Timestamp, event: &MarketEvent, out: &mut Vec<Row>) {
        match (self.rows, event) {
            (Rows::Trades, MarketEvent::Print(print)) => out.push(Row::Trade(at, *print)),
            (Rows::Quotes, MarketEvent::Touch(touch)) => out.push(Row::Quote(at, *touch)),
            (Rows::Bars(timeframe), MarketEvent::Print(print)) => {
                let timeframe = timeframe.unwrap_or(Timeframe::M1);
                let builder =
                    self.bars.get_or_insert_with(|| BarBuilder::new(timeframe, self.ids, print.at));
                builder.on_print(print, &mut |bar| out.push(Row::Bar(bar)));
                // A tape has them in their order: what is missing here does not come later.
                if builder.missing().next().is_some() {
                    builder.give_up(&mut |bar| out.push(Row::Bar(bar)));
                }
            }
            (Rows::Bars(_), MarketEvent::Gap { from }) => {
                if let Some(builder) = &mut self.bars {
                    builder.lost(*from, at);
                }
            }
            _ => {}
        }
    }
}
