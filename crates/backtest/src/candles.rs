//! Candles of one market for a backtest: whatever `data import` reads, by the same reader.
//!
//! Nothing is repaired that could be wrong: rows out of order are sorted and equal ones taken once,
//! both said; rows that are no candle or contradict each other are named by file and line.

use crate::gaps::Gap;
use crate::import::{self, ImportError};
use domain::{Bar, Exchange, Symbol, Timeframe};
use std::path::PathBuf;

/// Bars of one instrument as they stand in files, in order, with the scales that they need.
#[derive(Clone, Debug, PartialEq)]
pub struct Candles {
    /// At the two scales.
    pub bars: Vec<Bar>,
    /// Length of each.
    pub timeframe: Timeframe,
    /// Decimal places of prices and of quantities; the bars are at the scales that
    /// [`domain::Instrument::scale_for`] makes of them.
    pub places: (u8, u8),
    /// Bars that are missing between others.
    pub gaps: Vec<Gap>,
    /// Where they were read.
    pub files: Vec<PathBuf>,
    /// What was odd and let pass.
    pub notes: Vec<String>,
}

/// Reads files of one instrument.
///
/// # Errors
/// Unreadable files; rows that are no candle or absurd, by file and line.
pub fn read(files: &[PathBuf], exchange: Exchange, symbol: Symbol) -> Result<Candles, ImportError> {
    import::candles(files, exchange, symbol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Price, Quantity};
    use std::io::Write;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        if name.ends_with(".gz") {
            let file = std::fs::File::create(&path).unwrap();
            let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            gz.write_all(text.as_bytes()).unwrap();
        } else {
            std::fs::write(&path, text).unwrap();
        }
        (directory, path)
    }

    fn read(path: PathBuf) -> Result<Candles, ImportError> {
        super::read(&[path], Exchange::Binance, "BTC/USDT".parse().unwrap())
    }

    const GOOD: &str = "ts_ms,open,high,low,close,volume\n\
        1606780800000,19695.87,19720.0,19578.96,19607.03,794.500517\n\
        1606781100000,19607.02,19607.02,19505.9,19537.95,710.9\n\
        1606781400000,19607.02,19607.02,19505.9,19537.95,710.9\n\
        1606782300000,19600,19700,19500,19650,1\n";

    #[test]
    fn bars_are_exact_at_the_finest_scales_and_gaps_are_named() {
        for name in ["a.csv", "a.csv.gz"] {
            let (_directory, path) = file(name, GOOD);
            let candles = read(path).unwrap();
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
            ("1606781100000,1,2,1,1", "5 columns where the rows before have 6"),
            ("x,1,2,1,1,1", "\"x\""),
            ("1606781100000,1,2,1,NaN,1", "close \"NaN\""),
            ("1606781100000,5,4,1,2,1", "open 5 is outside"),
            ("1606781100000,1,2,-1,1,1", "low -1 is below zero"),
            ("1606780800000,1,2,1,2,1", "contradicts"),
            ("1606781100,1,2,1,1,1", "1606781100"),
        ] {
            let text = format!("1606780800000,1,2,1,1,1\n{row}\n");
            let (_directory, path) = file("a.csv", &text);
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains("a.csv:2: "), "{error}");
            assert!(error.contains(problem), "{error} lacks {problem}");
        }
    }

    #[test]
    fn rows_out_of_order_are_sorted_and_doubles_taken_once_and_both_are_said() {
        let minutes = [2, 1, 2, 3].map(|n| 1_704_067_200_000 + n * 60_000i64);
        let text: String = minutes.iter().map(|at| format!("{at},1,2,1,1,1\n")).collect();
        let (_directory, path) = file("a.csv", &text);
        let candles = read(path).unwrap();
        assert_eq!((candles.bars.len(), candles.timeframe), (3, Timeframe::M1));
        assert_eq!(candles.notes.len(), 2, "{:?}", candles.notes);
    }

    #[test]
    fn one_bar_odd_distances_or_trades_are_no_series_of_candles() {
        for text in [
            "1606780800000,1,2,1,1,1\n",
            "",
            "1606780800000,1,2,1,1,1\n1606780807000,1,2,1,1,1\n",
            "1,100.0,0.5,50.0,1606780800000,true,true\n",
        ] {
            let (_directory, path) = file("a.csv", text);
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains("a.csv"), "{text:?}: {error}");
        }
    }
}
