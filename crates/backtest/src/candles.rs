//! Candles from CSV: `ts_ms,open,high,low,close,volume`, plain or gzipped, time = bar start, UTC.
//!
//! Prices and volumes are read as exact decimals; the scales of the instrument are the finest that
//! the file shows. Nothing is repaired: a wrong row ends the reading with its file and line.

use crate::gaps::{Gap, bar_gaps};
use crate::recorded::TapeError;
use domain::{Bar, Instrument, Price, Quantity, Span, Timeframe, Timestamp};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A year of one-second bars and some: more does not fit a research machine's patience anyway.
const ROWS_MAX: usize = 40_000_000;
/// A row of six numbers; longer is no candle.
const LINE_MAX: u64 = 512;
/// Decimal places of a price or volume that are kept apart.
const PLACES_MAX: u8 = 10;

/// Bars of one instrument as they stand in files, in order, with the scales that they need.
#[derive(Clone, Debug, PartialEq)]
pub struct Candles {
    /// At the two scales.
    pub bars: Vec<Bar>,
    /// Length of each.
    pub timeframe: Timeframe,
    /// Decimal places of prices and of quantities; the bars are at the scales that
    /// [`Instrument::scale_for`] makes of them.
    pub places: (u8, u8),
    /// Bars that are missing between others.
    pub gaps: Vec<Gap>,
    /// Where they were read.
    pub files: Vec<PathBuf>,
}

/// A decimal as an integer with so many places.
#[derive(Clone, Copy, Debug, Default)]
struct Decimal {
    digits: i64,
    places: u8,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let places = u8::try_from(fraction.len()).ok().filter(|p| *p <= PLACES_MAX)?;
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let mut digits = 0i64;
        for digit in whole.bytes().chain(fraction.bytes()) {
            digits = digits.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        }
        Some(Self { digits, places })
    }

    fn at(self, scale: u8) -> Option<i64> {
        let factor = 10i64.checked_pow(u32::from(scale.saturating_sub(self.places)))?;
        // Room to add and double without overflow.
        self.digits.checked_mul(factor).filter(|v| *v < i64::MAX / 8)
    }
}

#[derive(Clone, Copy, Debug)]
struct Row {
    open_at: Timestamp,
    /// Open, high, low, close, volume.
    figures: [Decimal; 5],
}

/// Reads files of one instrument, each going on where the one before ended.
///
/// # Errors
/// Unreadable files; rows that are no candle, absurd, unsorted or repeated, by file and line.
pub fn read(files: &[PathBuf]) -> Result<Candles, TapeError> {
    let mut rows: Vec<Row> = Vec::new();
    for file in files {
        read_file(file, &mut rows)?;
    }
    let whole = |problem: String| TapeError::File {
        path: files.first().cloned().unwrap_or_default(),
        problem,
    };
    let timeframe = timeframe(&rows).map_err(whole)?;
    let span = timeframe.span().unwrap_or(Span::from_secs(60));
    let finest = |figures: std::ops::Range<usize>| {
        let places = rows.iter().flat_map(|r| r.figures[figures.clone()].iter().map(|d| d.places));
        places.max().unwrap_or(0)
    };
    let places = (finest(0..4), finest(4..5).max(fine_enough(&rows)).min(PLACES_MAX));
    let (price_scale, quantity_scale) =
        (Instrument::scale_for(places.0), Instrument::scale_for(places.1));
    let mut bars = Vec::with_capacity(rows.len());
    for row in &rows {
        let bar = row.bar(price_scale, quantity_scale);
        bars.push(bar.ok_or_else(|| whole(format!("figures at {} are too large", row.open_at)))?);
    }
    aligned(&bars, span).map_err(whole)?;
    let gaps = bar_gaps(&bars, span);
    Ok(Candles { bars, timeframe, places, gaps, files: files.to_vec() })
}

/// Places of a quantity that is worth little, where the file's volumes are rounded to whole coins.
fn fine_enough(rows: &[Row]) -> u8 {
    let whole = |d: &Decimal| d.digits / 10i64.pow(u32::from(d.places));
    let dearest = rows.iter().map(|r| whole(&r.figures[1])).max().unwrap_or(1);
    let digits = dearest.max(1).ilog10() as u8 + 1;
    (digits + 2).min(8)
}

impl Row {
    fn bar(&self, price_scale: u8, quantity_scale: u8) -> Option<Bar> {
        let price = |i: usize| self.figures[i].at(price_scale).map(Price);
        let volume = Quantity(self.figures[4].at(quantity_scale)?);
        Some(Bar {
            open_at: self.open_at,
            open: price(0)?,
            high: price(1)?,
            low: price(2)?,
            close: price(3)?,
            volume,
            prints: u32::from(volume.is_positive()),
        })
    }
}

fn read_file(path: &Path, rows: &mut Vec<Row>) -> Result<(), TapeError> {
    let unreadable = |source| TapeError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let is_gzip = path.extension().is_some_and(|e| e == "gz");
    let bytes: Box<dyn Read> =
        if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut lines = BufReader::with_capacity(1 << 18, bytes);
    let mut text = String::new();
    let wrong = |line, problem: String| TapeError::Line { path: path.to_owned(), line, problem };
    for number in 1u64.. {
        text.clear();
        let read = lines.by_ref().take(LINE_MAX).read_line(&mut text).map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        let line = text.trim();
        let is_header = number == 1 && !line.starts_with(|c: char| c.is_ascii_digit());
        if is_header || line.is_empty() {
            continue;
        }
        let row = parse(line).map_err(|problem| wrong(number, problem))?;
        if rows.last().is_some_and(|last| row.open_at <= last.open_at) {
            let problem = "is not after the row before it: sort the file, drop repeated rows";
            return Err(wrong(number, problem.to_owned()));
        }
        if rows.len() == ROWS_MAX {
            return Err(wrong(number, format!("more than {ROWS_MAX} bars")));
        }
        rows.push(row);
    }
    Ok(())
}

fn parse(line: &str) -> Result<Row, String> {
    let mut fields = line.split(',');
    let mut field = |name: &str| fields.next().ok_or(format!("{name} is missing")).map(str::trim);
    let time = field("ts_ms")?;
    let open_at = time.parse().ok().and_then(Timestamp::from_millis);
    let open_at = open_at.filter(|at| at.0 > 0).ok_or(format!("{time:?} is no time in ms"))?;
    let mut figures = [Decimal::default(); 5];
    for (figure, name) in figures.iter_mut().zip(["open", "high", "low", "close", "volume"]) {
        let text = field(name)?;
        let allowed = "is no plain decimal number with at most 10 places";
        *figure = Decimal::parse(text).ok_or_else(|| format!("{name} {text:?} {allowed}"))?;
    }
    let row = Row { open_at, figures };
    let bar = row.bar(PLACES_MAX, PLACES_MAX).or_else(|| row.bar(6, 6)).or_else(|| row.bar(3, 3));
    let Some(bar) = bar else { return Ok(row) };
    let is_sane = bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close);
    if !is_sane || bar.low.0 <= 0 {
        return Err("low and high do not enclose open and close, or a price is zero".to_owned());
    }
    Ok(row)
}

/// The distance of most rows.
fn timeframe(rows: &[Row]) -> Result<Timeframe, String> {
    let least = rows.windows(2).map(|w| w[1].open_at - w[0].open_at).min();
    let least = least.ok_or("holds fewer than two bars")?;
    let found = Timeframe::ALL.into_iter().find(|t| t.span() == Some(least));
    found.ok_or_else(|| {
        format!("bars are {} s apart; allowed: 1s 5s 15s 1m 5m 15m 1h 4h 1d", least.as_secs())
    })
}

/// Every bar starts where its timeframe does.
fn aligned(bars: &[Bar], span: Span) -> Result<(), String> {
    match bars.iter().map(|bar| bar.open_at).find(|at| at.floor(span) != *at) {
        Some(at) => Err(format!("the bar at {at} does not start on its timeframe")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        if name.ends_with(".gz") {
            let file = File::create(&path).unwrap();
            let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            gz.write_all(text.as_bytes()).unwrap();
        } else {
            std::fs::write(&path, text).unwrap();
        }
        (directory, path)
    }

    const GOOD: &str = "ts_ms,open,high,low,close,volume\n\
        1606780800000,19695.87,19720.0,19578.96,19607.03,794.500517\n\
        1606781100000,19607.02,19607.02,19505.9,19537.95,710.9\n\
        1606782000000,19600,19700,19500,19650,1\n";

    #[test]
    fn bars_are_exact_at_the_finest_scales_and_gaps_are_named() {
        for name in ["a.csv", "a.csv.gz"] {
            let (_directory, path) = file(name, GOOD);
            let candles = read(&[path]).unwrap();
            assert_eq!(candles.timeframe, Timeframe::M5);
            assert_eq!(candles.places, (2, 7));
            assert_eq!(candles.bars[0].high, Price(19_720_000_000));
            assert_eq!(candles.bars[1].volume, Quantity(71_090_000_000));
            assert_eq!((candles.gaps.len(), candles.gaps[0].missing), (1, Some(2)));
        }
    }

    #[test]
    fn wrong_rows_are_named_by_file_and_line() {
        for (row, problem) in [
            ("1606781100000,1,2,1,1", "volume is missing"),
            ("x,1,2,1,1,1", "is no time"),
            ("1606781100000,1,2,1,NaN,1", "close \"NaN\""),
            ("1606781100000,1e5,2,1,1,1", "open \"1e5\""),
            ("1606781100000,5,4,1,2,1", "do not enclose"),
            ("1606781100000,1,2,-1,1,1", "low \"-1\""),
            ("1606780800000,1,2,1,1,1", "not after the row before"),
            ("1606700000000,1,2,1,1,1", "not after the row before"),
        ] {
            let text = format!("1606780800000,1,2,1,1,1\n{row}\n");
            let (_directory, path) = file("a.csv", &text);
            let error = read(&[path]).unwrap_err().to_string();
            assert!(error.contains("a.csv:2: "), "{error}");
            assert!(error.contains(problem), "{error} lacks {problem}");
        }
    }

    #[test]
    fn one_bar_or_odd_distances_are_no_series() {
        for text in ["1606780800000,1,2,1,1,1\n", "", "60000,1,2,1,1,1\n67000,1,2,1,1,1\n"] {
            let (_directory, path) = file("a.csv", text);
            assert!(matches!(read(&[path]), Err(TapeError::File { .. })), "{text:?}");
        }
    }
}
