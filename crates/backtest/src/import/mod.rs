//! Other people's data as tapes of ours: checked whole, then written whole, or not at all.
//!
//! Files are read twice: first to find every wrong row, the order and the decimal places that
//! figures need; then to write. So memory stays bounded, and scales are exact.

mod bars;
mod freqtrade;
mod growing;
mod lines;
mod place;
mod prints;
mod row;
mod survey;
mod table;

pub use growing::{Growing, Stretch};
pub use place::{Place, Written};

use crate::candles::Candles;
use crate::recorded::{Source, TapeError};
use crate::tape::{EXTENSION, assumed_instrument, useless};
use domain::{Amount, Exchange, Instrument, Round, Symbol, Timeframe, Timestamp};
use row::{Row, What};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use survey::{Survey, survey};

/// A row, or what is wrong with it.
type Found = Result<Row, String>;
/// Takes a row or a wrong one, and says whether to go on.
type Scan<'a> = dyn FnMut(Result<Row, TapeError>) -> ControlFlow<()> + 'a;

/// Wrong rows that are named before one gives up: enough to see what they have in common.
const WRONG_MAX: usize = 20;

/// What is to be imported.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where it was traded.
    pub exchange: Exchange,
    /// What.
    pub symbol: Symbol,
    /// Length of candles; found out where it is not given.
    pub timeframe: Option<Timeframe>,
    /// Nothing is later than this.
    pub latest: Timestamp,
    /// Take the place of what overlaps.
    pub replaces: bool,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Rows are wrong; the first of them.
    #[error("wrong rows:\n{}", listed(.0))]
    Wrong(Vec<TapeError>),
    /// A file as a whole.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

fn listed(wrong: &[TapeError]) -> String {
    let lines: Vec<String> = wrong.iter().map(|e| format!("  {e}")).collect();
    lines.join("\n")
}

/// Imports files of one market: all of them, or none.
///
/// # Errors
/// What is wrong, by file and line.
pub fn import(files: &[PathBuf], order: &Order, place: &Place) -> Result<Written, ImportError> {
    let mut surveys = Vec::new();
    for file in files {
        surveys.push(survey(file, order.latest)?);
    }
    surveys.sort_by_key(|s| s.first_at);
    let Some(first) = surveys.first() else {
        let nothing = useless(Path::new("FILE"), "name at least one file");
        return Err(nothing.into());
    };
    if let Some(other) = surveys.iter().find(|s| s.is_bars != first.is_bars) {
        return Err(useless(&other.path, "candles and trades are two imports").into());
    }
    let price = surveys.iter().map(|s| s.price_places).max().unwrap_or_default();
    let quantity = quantity_places(&surveys);
    let instrument = assumed_instrument(order.exchange, order.symbol, price, quantity);
    if surveys[0].is_bars {
        bars::import(&surveys, instrument, order, place)
    } else {
        prints::import(&surveys, instrument, order, place)
    }
}

/// Reads candles of one market into memory.
///
/// # Errors
/// What is wrong, by file and line.
pub(crate) fn candles(
    files: &[PathBuf],
    exchange: Exchange,
    symbol: Symbol,
) -> Result<Candles, ImportError> {
    let mut surveys = Vec::new();
    for file in files {
        surveys.push(survey(file, Timestamp::MAX)?);
    }
    surveys.sort_by_key(|s| s.first_at);
    if let Some(other) = surveys.iter().find(|s| !s.is_bars) {
        let advice = "holds trades: `amarktai data import` makes a tape of them, which can be run";
        return Err(useless(&other.path, advice).into());
    }
    let price = surveys.iter().map(|s| s.price_places).max().unwrap_or_default();
    let quantity = quantity_places(&surveys).max(fine_enough(&surveys)).min(10);
    let instrument = assumed_instrument(exchange, symbol, price, quantity);
    let bars::Ordered { bars, timeframe, gaps, notes } =
        bars::ordered(&surveys, &instrument, None)?;
    Ok(Candles { bars, timeframe, places: (price, quantity), gaps, files: files.to_vec(), notes })
}

/// Places of a quantity that is worth little, where the files' volumes are rounded to whole coins.
fn fine_enough(surveys: &[Survey]) -> u8 {
    let dearest = surveys.iter().map(|s| s.most_price).max().unwrap_or(Amount::ONE);
    let whole = dearest.to_scaled(0, Round::Down).unwrap_or(1).max(1);
    (whole.ilog10() as u8 + 3).min(8)
}

/// The places that quantities need, less those for which the largest one leaves no room: volumes
/// in quote currency with noise in their last places are cut there.
fn quantity_places(surveys: &[Survey]) -> u8 {
    let needed = surveys.iter().map(|s| s.quantity_places).max().unwrap_or_default();
    let most = surveys.iter().map(|s| s.most_quantity).max().unwrap_or_default();
    let fits = |places: &u8| {
        let scaled = most.to_scaled(Instrument::scale_for(*places), Round::Up);
        scaled.is_some_and(|v| v <= i64::MAX / 4)
    };
    (0..=needed).rev().find(fits).unwrap_or_default()
}

/// Is it a recording as [`crate::raw`] reads them, rather than a table of rows?
///
/// # Errors
/// It cannot be read.
pub fn is_recording(path: &Path) -> Result<bool, TapeError> {
    let head = lines::first_bytes(path, 512)?;
    let text = String::from_utf8_lossy(&head);
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let is_line = first.len() >= 13 && first.bytes().all(|b| b.is_ascii_digit());
    let has_json = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    let is_stream = is_line && has_json.trim_start().starts_with('{');
    Ok(is_stream || (text.starts_with('{') && text.contains("\"header\"")))
}

/// Copies any recording into a tape of ours, instruments and all.
///
/// # Errors
/// The source's, and the disk's.
pub fn copy(
    source: &mut dyn Source,
    origin: String,
    replaces: bool,
    place: &Place,
) -> Result<Written, ImportError> {
    prints::copy(source, origin, replaces, place)
}

/// Hands every row of a file to `take`; returns what was odd and let pass.
fn scan(path: &Path, take: &mut Scan<'_>) -> Result<Vec<String>, TapeError> {
    let head = lines::first_bytes(path, 512)?;
    let text = String::from_utf8_lossy(&head);
    match text.trim_start_matches('\u{feff}').trim_start() {
        "" => Err(useless(path, "is empty")),
        t if t.starts_with("ARROW1") => freqtrade::scan_feather(path, take).map(|()| Vec::new()),
        t if t.starts_with("FEA1") => {
            Err(useless(path, "is feather of version 1; write it anew with pandas 1.0 or later"))
        }
        t if t.starts_with('[') => freqtrade::scan_json(path, take).map(|()| Vec::new()),
        t if t.starts_with("AMKTAPE") => {
            Err(useless(path, format!("is a tape already: use the .{EXTENSION} file itself")))
        }
        _ => table::scan(path, take),
    }
}
