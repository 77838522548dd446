//! The command line, as clap understands it. Wrong usage ends with exit code 2.
//!
//! Only what exists is listed: a verb comes here with the code that does it.

mod client;
mod data;
mod operator;
mod research;

pub use client::{
    Autopilot, AutopilotVerb, Bots, BotsVerb, Client, Creation, Events, Orders, OrdersVerb, Page,
    Policies, PolicyVerb, Positions, Role, Scope, Stop, Tokens, TokensVerb, Trades, Users,
    UsersVerb, Wallet, WalletMove, WalletVerb,
};
pub use data::{Data, DataVerb, Export, ExportFormat, ExportRows, Fetch, Import, Record, Replay};
pub use operator::{
    Backup, Books, BooksFormat, BooksOut, BooksVerb, Check, EvidenceOf, Keys, KeysVerb, Restore,
    ResumeEntries, Update, Verify,
};
pub use research::{Backtest, Judged, Sampling, Study, Sweep};

use crate::config::Overrides;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Paper-trades a fleet of bots against live crypto markets, truthfully.
#[derive(Clone, Debug, Parser)]
#[command(name = "amarktai", version, max_term_width = 100)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Configuration file [default: amarktai.toml if present]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything that must survive is kept [default: amarktai-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Address of the server, to be it or to talk to it [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Log lines as text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl Common {
    /// These flags as the topmost layer of configuration, which checks them with all the others.
    pub fn overrides(&self) -> Overrides {
        let values = [
            ("--data-dir", "data_dir", &self.data_dir),
            ("--listen", "server.listen", &self.listen),
            ("--log-format", "log_format", &self.log_format),
        ];
        let given = |(flag, key, value): (_, _, &Option<String>)| Some((flag, key, value.clone()?));
        Overrides {
            config: self.config.clone(),
            values: values.into_iter().filter_map(given).collect(),
        }
    }
}

/// A verb.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Trade on paper against the live markets; no key needed
    Run,
    /// The whole product on local exchange servers, with a funded fleet; no internet needed
    Demo,
    /// Print the code that the first owner signs in with
    SetupCode,
    /// Say in one sentence what a bot is doing
    Why {
        /// The bot's name
        name: String,
        /// How to ask and answer.
        #[command(flatten)]
        client: Client,
    },
    /// The local exchange servers alone
    Sandbox(Sandbox),
    /// Self-test and checklist: exit 0 ok, 1 not ready, 2 could not tell
    Check(Check),
    /// Run bots over recorded data; --config FILE names several bots
    Backtest(Box<Backtest>),
    /// Run many variants of one bot over recorded data
    Sweep(Box<Sweep>),
    /// Measure the simulated exchange on a recorded market
    Fidelity(Fidelity),
    /// Create, list and steer bots
    Bots(Bots),
    /// Closed round trips
    Trades(Trades),
    /// Orders
    Orders(Orders),
    /// The event log, page by page or live
    Events(Events),
    /// Paper money: what there is, deposits and withdrawals
    Wallet(Wallet),
    /// Every limit
    Policy(Policies),
    /// What the autopilot did, and what it would do
    Autopilot(Autopilot),
    /// People
    Users(Users),
    /// API tokens
    Tokens(Tokens),
    /// Stop all new positions now, and cancel open orders
    EmergencyStop(Stop),
    /// Let bots open positions again, after too many restarts stopped that
    ResumeEntries(ResumeEntries),
    /// Export what the live gate measured of a bot, as a file that `verify` checks
    Evidence(EvidenceOf),
    /// Check the ledger and the event log, of the store or of a backup: debits equal credits, and
    /// every figure follows from them
    Verify(Verify),
    /// Copy the store while everything goes on, and prove the copy
    Backup(Backup),
    /// Put a backup in the store's place; what was there is kept
    Restore(Restore),
    /// Exchange keys: stored sealed, never shown again
    Keys(Keys),
    /// Trades and tax figures as CSV or JSON
    Export(Books),
    /// Back up, swap the binary, migrate, check health; back to the old one on failure
    Update(Update),
    /// Recorded data: download, take in, hand out, look at
    Data(Data),
    /// Record what the feeds deliver, until told to end; goes on in a folder that is there
    Record(Record),
    /// Run what a server recorded again, and compare it with the store to the byte
    Replay(Replay),
    /// What is configured, and where each value comes from
    Config {
        /// What to do with it
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Print a script that completes this command line
    Completions {
        /// Of which shell
        shell: clap_complete::Shell,
    },
}

/// `config …`
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print every value and its origin; secrets as ***
    Show {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Only say whether it is valid: exit 0 or 2
    Check,
}

/// `fidelity …`
#[derive(Clone, Debug, Args)]
pub struct Fidelity {
    /// Recordings of one market, which are read as one: tapes of `record` or folders of them, or
    /// Binance's raw stream, a recorded session, Bitstamp's order-by-order log, packed or not
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `sandbox …`
#[derive(Clone, Debug, Args)]
pub struct Sandbox {
    /// Seed of the order flow: the same seed, the same market
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Replay this recorded tape instead of seeded order flow
    #[arg(long, value_name = "FILE")]
    pub tape: Option<PathBuf>,
    /// Times faster than real time
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Begin the tape again at its end
    #[arg(long = "loop", requires = "tape")]
    pub is_looped: bool,
    /// A fault to show, as gap, delay=2s, luno:silence=5s, drop=3x or drop=10%; may be given often
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Port of Binance's server; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub binance_port: u16,
    /// Port of KuCoin's server; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub kucoin_port: u16,
    /// Port of Luno's server; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub luno_port: u16,
    /// Port where faults are switched; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub control_port: u16,
}

/// Fastest market that the sandbox is asked for: beyond it, order is no longer kept up with.
const SPEED_MAX: f64 = 1_000.0;

fn speed(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    let fits = value > 0.0 && value <= SPEED_MAX;
    fits.then_some(value).ok_or_else(|| format!("allowed: above 0, at most {SPEED_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("amarktai").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_documented_line_is_understood() {
        for line in [
            "run",
            "demo --listen 127.0.0.1:0",
            "run --config a.toml --data-dir d --log-format json",
            "setup-code",
            "why scout",
            "sandbox --seed 7 --speed 10 --fault gap --fault silence=5s --luno-port 9103",
            "sandbox --fault luno:drop=10% --control-port 9104",
            "sandbox --tape btc.jsonl.gz --loop",
            "check --json",
            "check --live",
            "backup --to a.db --json",
            "restore a.db",
            "verify a.db --json",
            "evidence scout --out scout.json",
            "keys",
            "keys set luno --attest-no-withdrawal --ip 10.0.0.1",
            "keys test binance --json",
            "keys delete kucoin",
            "keys rotate-master",
            "export trades --from 2026-01-01 --paper --format json",
            "export tax --year 2027 --out tax.csv",
            "update amarktai.tar.gz --binary /usr/bin/amarktai --ready-within 30",
            "backtest --strategy ema_cross --params {\"fast\":5} --exchange binance --symbol BTC/USDT \
             --timeframe 1h --capital 5000 --sizing {\"fixed_quote\":\"500\"} --exits {} \
             --fee-maker 0.001 --fee-taker 0.001 --data a.csv b.csv.gz --from 2024-01-01 \
             --to 2024-02-01T12:00:00Z --report r.html --json",
            "backtest --config plan.toml --accept-gaps",
            "backtest --strategy grid --fee-maker -0.0001",
            "sweep --strategy ema_cross --exchange luno --symbol BTC/ZAR --data a.csv \
             --vary fast=5..20:5 --vary slow=21,34,55 --sampler tpe --runs 50 --windows 4",
            "fidelity a.raw.gz b.raw.gz --json",
            "bots list --json",
            "bots create --name a --exchange luno --symbol BTC/ZAR --strategy ema_cross \
             --capital 1000 --params {\"fast\":5}",
            "bots stop a --positions sell",
            "bots clone a b",
            "bots rearm a",
            "bots create --name a --exchange kraken --symbol BTC/USD --strategy dca --capital 9",
            "trades --paper --limit 1 --json",
            "orders --bot a",
            "orders cancel 17",
            "events --follow",
            "wallet deposit --exchange luno --currency ZAR --amount 1000",
            "policy diff p.toml",
            "autopilot --json",
            "autopilot status",
            "autopilot plan --json",
            "users create --name ann --role trader",
            "users reset-second-factor ann",
            "tokens create --name t --role admin",
            "emergency-stop --scope fleet --positions sell --reason storm",
            "emergency-stop --clear",
            "verify",
            "config show --json",
            "data fetch binance BTC/USDT 1m --from 2024-01-01 --to 2024-02-01T12:00:00Z",
            "data import --exchange binance --symbol BTC/USDT --timeframe 5m a.csv b.zip --json",
            "data export tape --out a.parquet --rows bars --timeframe 1m",
            "data info",
            "data info a.tape b --json",
            "record --exchange luno --symbol BTC/ZAR --symbol ETH/ZAR --out dir --for 10m",
            "replay --from 2024-01-01 --to 2024-01-02 --json",
            "config check",
            "completions bash",
        ] {
            parse(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [
            "",
            "fly",
            "backtest --strategy tea",
            "backtest --fee-taker 5",
            "backtest --from yesterday",
            "backtest --variants 0",
            "backtest --half-spread-bp 1001",
            "backtest --report r.json",
            "backtest --report no/such/folder/r.html",
            "sweep --strategy ema_cross",
            "fidelity",
            "why",
            "autopilot act",
            "run --listen",
            "trades --limit 0",
            "trades --limit 501",
            "trades --paper --live",
            "tokens create --name t --role king",
            "wallet deposit --exchange luno --currency ZAR",
            "wallet deposit --exchange luno --currency ZAR --amount -5",
            "wallet deposit --exchange kraken --currency ZAR --amount 5",
            "sandbox --loop",
            "keys set kraken",
            "keys set luno --ip 10.0.0.1",
            "export tax",
            "restore",
            "update",
            "sandbox --speed 0",
            "data",
            "data import --exchange binance --symbol BTC/USDT",
            "data fetch binance BTC/USDT 2m --from 2024-01-01",
            "data fetch binance BTC/USDT 1m --from yesterday",
            "record --exchange binance --out dir",
            "record --exchange binance --symbol BTC/USDT --out dir --for 5",
            "emergency-stop --clear --positions sell",
            "bots create --name a --exchange luno --symbol XBTZAR --strategy grid --capital 9",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn common_flags_stand_before_or_after_the_verb() {
        for line in ["--listen [::1]:9 config check", "config check --listen [::1]:9"] {
            let values = parse(line).unwrap().common.overrides().values;
            assert_eq!(values, [("--listen", "server.listen", "[::1]:9".to_owned())], "{line}");
        }
    }
}
