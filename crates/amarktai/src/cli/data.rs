//! The verbs of recorded data.

use super::client::{exchange, timeframe};
use clap::{Args, Subcommand, ValueEnum};
use domain::{Exchange, Symbol, Timeframe, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

/// `data …`
#[derive(Clone, Debug, Args)]
pub struct Data {
    /// What to do.
    #[command(subcommand)]
    pub verb: DataVerb,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with recorded data.
#[derive(Clone, Debug, Subcommand)]
pub enum DataVerb {
    /// Download candles; goes on where an earlier run ended
    Fetch(Fetch),
    /// Take in files of others: Binance's archives, freqtrade's candles, CSV; zip and gz too
    Import(Import),
    /// Write a tape as CSV or Parquet
    Export(Export),
    /// Span, rows, gaps and grade of tapes
    Info {
        /// Tapes or folders of them [default: all below the data directory]
        paths: Vec<PathBuf>,
    },
}

/// `data fetch …`
#[derive(Clone, Debug, Args)]
pub struct Fetch {
    /// binance, kucoin or luno
    #[arg(value_parser = exchange)]
    pub exchange: Exchange,
    /// BASE/QUOTE, as BTC/USDT
    pub symbol: Symbol,
    /// Length of the candles, as 1m
    #[arg(value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// First day or instant, as 2024-01-01
    #[arg(long, value_parser = instant)]
    pub from: Timestamp,
    /// Up to this day or instant, itself left out [default: now]
    #[arg(long, value_parser = instant)]
    pub to: Option<Timestamp>,
}

/// `data import …`
#[derive(Clone, Debug, Args)]
pub struct Import {
    /// Where it was traded
    #[arg(long, value_parser = exchange)]
    pub exchange: Option<Exchange>,
    /// What: BASE/QUOTE, as BTC/USDT
    #[arg(long)]
    pub symbol: Option<Symbol>,
    /// Length of the candles; found out where it is not given
    #[arg(long, value_parser = timeframe)]
    pub timeframe: Option<Timeframe>,
    /// Take the place of tapes that tell of the same time
    #[arg(long)]
    pub replace: bool,
    /// All of one series
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Which rows of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportRows {
    /// Candles: those of the tape, or made of its trades
    Bars,
    /// Public trades
    Trades,
    /// Best bids and asks
    Quotes,
}

/// Form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Text with commas
    Csv,
    /// Columns
    Parquet,
}

/// `data export …`
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// A tape, or the folder of a recording
    pub tape: PathBuf,
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Its form [default: by the file's ending]
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Which rows [default: bars of a tape of bars, else trades]
    #[arg(long, value_enum)]
    pub rows: Option<ExportRows>,
    /// Length of the candles that are made of trades [default: 1m]
    #[arg(long, value_parser = timeframe)]
    pub timeframe: Option<Timeframe>,
    /// Which market, where the tape has several
    #[arg(long)]
    pub symbol: Option<Symbol>,
}

/// `record …`
#[derive(Clone, Debug, Args)]
pub struct Record {
    /// binance, kucoin or luno
    #[arg(long, value_parser = exchange)]
    pub exchange: Exchange,
    /// BASE/QUOTE; may be given often
    #[arg(long = "symbol", required = true, value_name = "SYMBOL", num_args = 1..)]
    pub symbols: Vec<Symbol>,
    /// The folder; goes on in one that is there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// End after so long, as 30s, 10m, 2h, 1d [default: when told to]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub length: Option<Duration>,
    /// Leave out the frames as they came, for a third of the size
    #[arg(long)]
    pub no_raw: bool,
}

/// `replay …`
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// Compare from this day or instant on [default: all]
    #[arg(long, value_parser = instant)]
    pub from: Option<Timestamp>,
    /// Compare up to this day or instant [default: all]
    #[arg(long, value_parser = instant)]
    pub to: Option<Timestamp>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// A day, meaning its first instant in UTC, or an instant in RFC 3339.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let day = Timestamp::parse(&format!("{text}T00:00:00Z"));
    let at = day.or_else(|| Timestamp::parse(text));
    at.ok_or_else(|| "allowed: 2024-01-31, or 2024-01-31T12:00:00Z".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let allowed = || "allowed: 30s, 10m, 2h, 1d".to_owned();
    let last = text.chars().last().ok_or_else(allowed)?;
    let unit_s = match last {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(allowed()),
    };
    let digits = &text[..text.len() - last.len_utf8()];
    let count: u64 = digits.parse().map_err(|_| allowed())?;
    count.checked_mul(unit_s).filter(|s| *s > 0).map(Duration::from_secs).ok_or_else(allowed)
}
