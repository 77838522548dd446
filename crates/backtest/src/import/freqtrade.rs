//! Candles as freqtrade keeps them: JSON rows, or feather (Arrow) files.
//!
//! Both hold binary floating point. A price is taken as the shortest decimal that stands for the
//! float, which is what the exchange had printed; a volume, a sum that carries noise, is rounded to
//! eight places.

use super::lines::{line_error, with_text};
use super::row::{BarRow, Row, What};
use super::{Found, Scan};
use crate::recorded::TapeError;
use crate::tape::{unreadable, useless};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use domain::{Amount, Timestamp};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Milliseconds, open, high, low, close, volume.
type JsonRow = (f64, f64, f64, f64, f64, f64);

/// Reads `[[ms, open, high, low, close, volume], …]`; rows are counted from 1.
pub(crate) fn scan_json(path: &Path, take: &mut Scan<'_>) -> Result<(), TapeError> {
    with_text(path, |text| {
        let mut json = serde_json::Deserializer::from_reader(BufReader::new(text));
        let rows = Rows { path, take };
        json.deserialize_seq(rows).and_then(|()| json.end()).map_err(|e| {
            let line = u64::try_from(e.line()).unwrap_or_default();
            line_error(path, line, format!("column {}: {e}", e.column()))
        })
    })
}

struct Rows<'a, 's> {
    path: &'a Path,
    take: &'a mut Scan<'s>,
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows [ms, open, high, low, close, volume]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut line = 0;
        let mut is_done = false;
        while let Some((ms, open, high, low, close, volume)) = seq.next_element::<JsonRow>()? {
            line += 1;
            if is_done {
                continue; // the reader wants its end
            }
            let row = candle(line, ms as i64 * 1_000_000, [open, high, low, close], volume);
            let named = row.map_err(|p| line_error(self.path, line, p));
            is_done = (self.take)(named).is_break();
        }
        Ok(())
    }
}

fn candle(line: u64, at_ns: i64, prices: [f64; 4], volume: f64) -> Found {
    let [open, high, low, close] = prices;
    let prices = [
        shortest("open", open)?,
        shortest("high", high)?,
        shortest("low", low)?,
        shortest("close", close)?,
    ];
    if !volume.is_finite() || volume.abs() > 1e18 {
        return Err(format!("volume {volume} is no figure"));
    }
    let volume = format!("{volume:.8}").parse().map_err(|e| format!("volume: {e}"))?;
    let bar = BarRow { open_at: Timestamp(at_ns), prices, volume, prints: None };
    Ok(Row { line, what: What::Bar(bar) })
}

/// The shortest decimal of a float; beyond twelve places it is rounded.
fn shortest(name: &str, value: f64) -> Result<Amount, String> {
    if !value.is_finite() || value.abs() > 1e18 {
        return Err(format!("{name} {value} is no figure"));
    }
    let text = format!("{value}");
    let text = match text.split_once('.') {
        Some((_, fraction)) if fraction.len() > 12 => format!("{value:.12}"),
        _ => text,
    };
    text.parse().map_err(|e| format!("{name}: {e}"))
}

/// Reads an Arrow file with the columns date, open, high, low, close, volume.
pub(crate) fn scan_feather(path: &Path, take: &mut Scan<'_>) -> Result<(), TapeError> {
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    let broken = |e: &dyn fmt::Display| useless(path, format!("is no whole feather file: {e}"));
    let reader = arrow_ipc::reader::FileReader::try_new_buffered(file, None);
    let mut line = 0;
    for batch in reader.map_err(|e| broken(&e))? {
        let batch = batch.map_err(|e| broken(&e))?;
        let columns = Columns::of(&batch).map_err(|p| useless(path, p))?;
        for at in 0..batch.num_rows() {
            line += 1;
            let row = columns.row(at, line).map_err(|p| line_error(path, line, p));
            if take(row).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

struct Columns {
    /// Start of each bar, in nanoseconds.
    date: Vec<Option<i64>>,
    /// Open, high, low, close, volume.
    figures: [ArrayRef; 5],
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, String> {
        let column = |name: &str| {
            batch.column_by_name(name).cloned().ok_or_else(|| format!("has no column {name:?}"))
        };
        let float = |name: &str| {
            let column = column(name)?;
            let is_float = *column.data_type() == DataType::Float64;
            is_float.then_some(column).ok_or_else(|| format!("column {name:?} is not of float64"))
        };
        let figures =
            [float("open")?, float("high")?, float("low")?, float("close")?, float("volume")?];
        Ok(Self { date: dates(&column("date")?)?, figures })
    }

    fn row(&self, at: usize, line: u64) -> Found {
        let mut figures = [0.0; 5];
        for (figure, column) in figures.iter_mut().zip(&self.figures) {
            let column = column.as_primitive::<Float64Type>();
            if column.is_null(at) {
                return Err("a figure is missing".to_owned());
            }
            *figure = column.value(at);
        }
        let date = self.date[at].ok_or("its date is missing or beyond any")?;
        let [open, high, low, close, volume] = figures;
        candle(line, date, [open, high, low, close], volume)
    }
}

fn dates(column: &ArrayRef) -> Result<Vec<Option<i64>>, String> {
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            Ok(scaled::<TimestampSecondType>(column, 1_000_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Ok(scaled::<TimestampMillisecondType>(column, 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(scaled::<TimestampMicrosecondType>(column, 1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Ok(scaled::<TimestampNanosecondType>(column, 1))
        }
        other => Err(format!("column \"date\" is of {other}, not of times")),
    }
}

fn scaled<T: ArrowPrimitiveType<Native = i64>>(column: &ArrayRef, unit: i64) -> Vec<Option<i64>> {
    column.as_primitive::<T>().iter().map(|at| at?.checked_mul(unit)).collect()
}
