//! The operator's verbs: backups, keys, exports for the books, updates.

use super::client::{Client, exchange};
use super::data::instant;
use clap::{Args, Subcommand, ValueEnum};
use domain::{Exchange, Timestamp};
use std::net::IpAddr;
use std::path::PathBuf;

/// `backup …`
#[derive(Clone, Debug, Args)]
pub struct Backup {
    /// Into this file; without it into the configured directory
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `restore …`
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// A backup; proven before it replaces anything
    pub file: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `evidence …`
#[derive(Clone, Debug, Args)]
pub struct EvidenceOf {
    /// The bot's name or id
    pub name: String,
    /// Into this file, which must not be there yet; without it to stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// `verify …`
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// A backup, a shared page or exported evidence; without it the store itself
    pub file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `check …`
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// Only whether a server answers: for containers and load balancers
    #[arg(long)]
    pub live: bool,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `resume-entries …`
#[derive(Clone, Debug, Args)]
pub struct ResumeEntries {
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// `keys …`
#[derive(Clone, Debug, Args)]
pub struct Keys {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<KeysVerb>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with exchange keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysVerb {
    /// All of them, without their secrets
    List,
    /// Store a key; its parts are asked for, never arguments
    Set {
        /// binance, kucoin or luno
        #[arg(value_parser = exchange)]
        exchange: Exchange,
        /// Vouch that the key cannot withdraw, where the exchange cannot be asked (luno)
        #[arg(long)]
        attest_no_withdrawal: bool,
        /// An address that the key is bound to at the exchange; may be given often
        #[arg(long = "ip", value_name = "ADDR", requires = "attest_no_withdrawal")]
        ips: Vec<IpAddr>,
    },
    /// Remove a key
    Delete {
        /// binance, kucoin or luno
        #[arg(value_parser = exchange)]
        exchange: Exchange,
    },
    /// Ask the exchange what a key may do
    Test {
        /// binance, kucoin or luno
        #[arg(value_parser = exchange)]
        exchange: Exchange,
    },
    /// Seal all keys under a new master key
    RotateMaster,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BooksFormat {
    /// Comma-separated values with a heading
    Csv,
    /// A list of objects
    Json,
}

/// `export …`
#[derive(Clone, Debug, Args)]
pub struct Books {
    /// What to write.
    #[command(subcommand)]
    pub verb: BooksVerb,
}

/// What to write for the books.
#[derive(Clone, Debug, Subcommand)]
pub enum BooksVerb {
    /// Closed round trips
    Trades {
        /// From this day or instant
        #[arg(long, value_parser = instant)]
        from: Option<Timestamp>,
        /// Up to this day or instant, itself left out
        #[arg(long, value_parser = instant)]
        to: Option<Timestamp>,
        /// How and where.
        #[command(flatten)]
        out: BooksOut,
    },
    /// Every fill of a tax year with its value in rand, and gains by FIFO and by average cost
    Tax {
        /// The year in which it ends: 2027 is 1 March 2026 to 28 February 2027
        #[arg(long, value_parser = clap::value_parser!(i16).range(2010..=2100))]
        year: i16,
        /// How and where.
        #[command(flatten)]
        out: BooksOut,
    },
}

/// How and where an export is written.
#[derive(Clone, Debug, Args)]
pub struct BooksOut {
    /// Of paper money, to try it; live money without
    #[arg(long)]
    pub paper: bool,
    /// Of this account, by its number
    #[arg(long, default_value_t = 1)]
    pub account: u32,
    /// csv or json
    #[arg(long, value_enum, default_value = "csv")]
    pub format: BooksFormat,
    /// Into this file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `update …`
#[derive(Clone, Debug, Args)]
pub struct Update {
    /// A release tarball or a binary; FILE.sha256 beside it is checked
    pub file: PathBuf,
    /// The installed binary [default: this one]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Restarts the service
    #[arg(long, default_value = "systemctl restart amarktai-api.service", value_name = "COMMAND")]
    pub restart: String,
    /// Stops the service and what would start it by itself
    #[arg(
        long,
        default_value = "systemctl stop amarktai-api.socket amarktai-api.service",
        value_name = "COMMAND"
    )]
    pub stop: String,
    /// Seconds until the new one has to be ready
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(5..=600))]
    pub ready_within: u16,
}
