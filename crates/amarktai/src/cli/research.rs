//! The verbs that work on recorded data, without a server.

use super::client::{exchange, object, positive, strategy, timeframe};
use clap::{Args, ValueEnum};
use domain::{Amount, Exchange, Rate, RiskMode, StrategyKind, Symbol, Timeframe, Timestamp};
use std::path::PathBuf;

/// One bot and its data, or a file that names several (`--config FILE`).
#[derive(Clone, Debug, Args)]
pub struct Study {
    /// The strategy's kind, as ema_cross
    #[arg(long, value_parser = strategy)]
    pub strategy: Option<StrategyKind>,
    /// Its parameters as a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub params: Option<serde_json::Value>,
    /// Whose fees and filters: binance, kucoin or luno
    #[arg(long, value_parser = exchange)]
    pub exchange: Option<Exchange>,
    /// BASE/QUOTE, as BTC/USDT
    #[arg(long)]
    pub symbol: Option<Symbol>,
    /// Length of the bars that it decides on [default: the strategy's]
    #[arg(long, value_parser = timeframe)]
    pub timeframe: Option<Timeframe>,
    /// In the quote currency [default: 10000]
    #[arg(long, value_parser = positive, allow_negative_numbers = true)]
    pub capital: Option<Amount>,
    /// safe, balanced, risky or aggressive
    #[arg(long, value_parser = super::client::risk_mode, default_value = "balanced")]
    pub risk_mode: RiskMode,
    /// Size of an entry, as {"percent_of_equity":"20"} or {"fixed_quote":"500"}
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub sizing: Option<serde_json::Value>,
    /// Exits as a JSON object; without it those of the strategy's kind
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub exits: Option<serde_json::Value>,
    /// Fee of resting fills as a share, as 0.001 [default: the exchange's entry tier]
    #[arg(long, value_name = "RATE", value_parser = rate, allow_negative_numbers = true)]
    pub fee_maker: Option<Rate>,
    /// Fee of aggressive fills as a share
    #[arg(long, value_name = "RATE", value_parser = rate, allow_negative_numbers = true)]
    pub fee_taker: Option<Rate>,
    /// Half the spread to assume of bars, in basis points [default: the exchange's usual one]
    #[arg(long, value_name = "BP", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub half_spread_bp: Option<u32>,
    /// Recorded data: folders of tapes, raw recordings, or candles as CSV
    /// (ts_ms,open,high,low,close,volume), plain or .gz
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Not before this, as 2024-01-01 or in RFC 3339; earlier bars warm the indicators
    #[arg(long, value_parser = instant)]
    pub from: Option<Timestamp>,
    /// Not after this
    #[arg(long, value_parser = instant)]
    pub to: Option<Timestamp>,
    /// Run although data is missing
    #[arg(long)]
    pub accept_gaps: bool,
    /// Write a page here, and JSON and CSV beside it
    #[arg(long, value_name = "FILE.html", value_parser = page)]
    pub report: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `backtest …`
#[derive(Clone, Debug, Args)]
pub struct Backtest {
    /// What to run.
    #[command(flatten)]
    pub study: Study,
    /// How many variants were tried before this one: the probability is corrected for them
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub variants: u64,
    /// Change the future of the data at several places and see that nothing before changes
    #[arg(long)]
    pub check_look_ahead: bool,
}

/// Who chooses the variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sampling {
    /// All of them
    #[default]
    Grid,
    /// Any of them
    Random,
    /// Tree-structured Parzen estimator: near those that did well
    Tpe,
}

/// What a variant is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Judged {
    /// Sharpe ratio of daily returns
    #[default]
    Sharpe,
    /// Growth
    Return,
    /// Growth over the deepest daily drawdown
    Calmar,
}

/// `sweep …`
#[derive(Clone, Debug, Args)]
pub struct Sweep {
    /// What to run.
    #[command(flatten)]
    pub study: Study,
    /// A parameter and its values, as fast=5,9,12 or fast=5..50:5; exits as exits.stop_percent=2,4
    #[arg(long = "vary", value_name = "NAME=VALUES", required = true)]
    pub vary: Vec<String>,
    /// Who chooses the variants
    #[arg(long, value_enum, default_value = "grid")]
    pub sampler: Sampling,
    /// How many, where not all are run
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub runs: u32,
    /// Parts of equal length that the time is cut into; each but the first is also judged unseen
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=60))]
    pub windows: u16,
    /// What a variant is judged by
    #[arg(long, value_enum, default_value = "sharpe")]
    pub score: Judged,
    /// Seed of the sampler: the same seed, the same variants
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads [default: all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Keep results here and go on where they end
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
}

fn rate(text: &str) -> Result<Rate, String> {
    let rate = Rate::parse(text).map_err(|e| e.to_string())?;
    let allowed = -10_000_000..=100_000_000;
    let is_sane = allowed.contains(&rate.0);
    is_sane.then_some(rate).ok_or_else(|| "a share between -0.01 and 0.1, as 0.001".to_owned())
}

/// Where a page can be written: told before the work, not after it.
fn page(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_none_or(|kind| kind != "html") {
        return Err("a file that ends in .html: JSON and CSV are written beside it".to_owned());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            Err(format!("there is no folder {}: make it first", folder.display()))
        }
        _ if path.is_dir() => Err("it is a folder: name a file in it".to_owned()),
        _ => Ok(path),
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let day = format!("{text}T00:00:00Z");
    let found = Timestamp::parse(text).or_else(|| Timestamp::parse(&day));
    found.ok_or_else(|| "a day as 2024-01-01, or RFC 3339".to_owned())
}
