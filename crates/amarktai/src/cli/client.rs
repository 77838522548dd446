//! The verbs that ask a running server: thin, so that nothing can be done here alone.

use clap::{Args, Subcommand, ValueEnum};
use domain::{Amount, Currency, Exchange, RiskMode, StrategyKind, Symbol, Timeframe};
use std::path::PathBuf;

/// How to ask and answer.
#[derive(Clone, Debug, Default, Args)]
pub struct Client {
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// How much of a list.
#[derive(Clone, Debug, Args)]
pub struct Page {
    /// At most so many rows (1 to 500)
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
    /// Go on after this cursor
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

/// What happens to open positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Positions {
    /// Keep their stops and targets armed
    KeepGuarding,
    /// Sell them now
    Sell,
}

/// `bots …`
#[derive(Clone, Debug, Args)]
pub struct Bots {
    /// What to do.
    #[command(subcommand)]
    pub verb: BotsVerb,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with bots. A bot is named by its name or id.
#[derive(Clone, Debug, Subcommand)]
pub enum BotsVerb {
    /// All bots with what each is doing
    List(Page),
    /// One bot, whole
    Show {
        /// Its name or id
        bot: String,
    },
    /// A new paper bot
    Create(Creation),
    /// Let it open positions
    Start {
        /// Its name or id
        bot: String,
    },
    /// Open no positions until resumed
    Pause {
        /// Its name or id
        bot: String,
    },
    /// Take back one's own pause
    Resume {
        /// Its name or id
        bot: String,
    },
    /// End it, to be started again by a person
    Stop {
        /// Its name or id
        bot: String,
        /// What happens to its position
        #[arg(long, value_enum, default_value = "keep_guarding")]
        positions: Positions,
    },
    /// End it for good; its history stays
    Retire {
        /// Its name or id
        bot: String,
    },
    /// Let it open positions again after a risk stop or the execution throttle; what they measured
    /// starts anew
    Rearm {
        /// Its name or id
        bot: String,
    },
    /// Sell its position now
    Flatten {
        /// Its name or id
        bot: String,
    },
    /// A new bot with the same settings
    Clone {
        /// The name or id of the one to copy
        bot: String,
        /// The new one's name
        name: String,
    },
}

/// `bots create …`
#[derive(Clone, Debug, Args)]
pub struct Creation {
    /// Unique in the account
    #[arg(long)]
    pub name: String,
    /// binance, kucoin or luno; a bot on another one is kept on hold
    #[arg(long)]
    pub exchange: String,
    /// BASE/QUOTE, as BTC/USDT
    #[arg(long)]
    pub symbol: Symbol,
    /// Its kind, as ema_cross
    #[arg(long, value_parser = strategy)]
    pub strategy: StrategyKind,
    /// The strategy's parameters as a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub params: Option<serde_json::Value>,
    /// Length of its bars
    #[arg(long, value_parser = timeframe, default_value = "1m")]
    pub timeframe: Timeframe,
    /// safe, balanced, risky or aggressive
    #[arg(long, value_parser = risk_mode, default_value = "balanced")]
    pub risk_mode: RiskMode,
    /// In the quote currency, taken from the paper wallet
    #[arg(long, value_parser = positive)]
    pub capital: Amount,
    /// Exits as a JSON object; without it those of the strategy's kind
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub exits: Option<serde_json::Value>,
    /// Do not start it yet
    #[arg(long)]
    pub no_start: bool,
}

/// `trades …`
#[derive(Clone, Debug, Args)]
pub struct Trades {
    /// Only paper trades
    #[arg(long, conflicts_with = "live")]
    pub paper: bool,
    /// Only live trades
    #[arg(long)]
    pub live: bool,
    /// Only of this bot
    #[arg(long)]
    pub bot: Option<String>,
    /// Only on this exchange
    #[arg(long, value_parser = exchange)]
    pub exchange: Option<Exchange>,
    /// How much.
    #[command(flatten)]
    pub page: Page,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// `orders …`
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Orders {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<OrdersVerb>,
    /// Only of this bot
    #[arg(long)]
    pub bot: Option<String>,
    /// Only those that still rest
    #[arg(long)]
    pub open: bool,
    /// How much.
    #[command(flatten)]
    pub page: Page,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with orders.
#[derive(Clone, Debug, Subcommand)]
pub enum OrdersVerb {
    /// Cancel one; needs no permission
    Cancel {
        /// Its id
        order: String,
    },
}

/// `events …`
#[derive(Clone, Debug, Args)]
pub struct Events {
    /// Stay and print events as they happen
    #[arg(long)]
    pub follow: bool,
    /// How much.
    #[command(flatten)]
    pub page: Page,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// `wallet …`
#[derive(Clone, Debug, Args)]
pub struct Wallet {
    /// What to do; without it, show.
    #[command(subcommand)]
    pub verb: Option<WalletVerb>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with paper money.
#[derive(Clone, Debug, Subcommand)]
pub enum WalletVerb {
    /// Put paper money in
    Deposit(WalletMove),
    /// Take paper money out
    Withdraw(WalletMove),
}

/// How much of what, where.
#[derive(Clone, Debug, Args)]
pub struct WalletMove {
    /// binance, kucoin or luno
    #[arg(long, value_parser = exchange)]
    pub exchange: Exchange,
    /// As ZAR or USDT
    #[arg(long)]
    pub currency: Currency,
    /// Above zero
    #[arg(long, value_parser = positive)]
    pub amount: Amount,
}

/// `policy …`
#[derive(Clone, Debug, Args)]
pub struct Policies {
    /// What to do; without it, show.
    #[command(subcommand)]
    pub verb: Option<PolicyVerb>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with the limits.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyVerb {
    /// What a file would change
    Diff {
        /// TOML with a `[policy]` section
        file: PathBuf,
    },
    /// Make a file's limits the next version
    Apply {
        /// TOML with a `[policy]` section
        file: PathBuf,
    },
}

/// `autopilot …`
#[derive(Clone, Debug, Args)]
pub struct Autopilot {
    /// What to show; without it, status.
    #[command(subcommand)]
    pub verb: Option<AutopilotVerb>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to show of the autopilot.
#[derive(Clone, Debug, Subcommand)]
pub enum AutopilotVerb {
    /// What it did, and when it looks again
    Status,
    /// What it would do now, with reasons and figures; it does nothing
    Plan,
}

/// What someone may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything, in all accounts
    Admin,
    /// Trade in the own account
    Trader,
    /// Look at the own account
    Viewer,
}

/// `users …`
#[derive(Clone, Debug, Args)]
pub struct Users {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<UsersVerb>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with people.
#[derive(Clone, Debug, Subcommand)]
pub enum UsersVerb {
    /// Everyone
    List,
    /// Someone new; the password is asked for, never an argument
    Create {
        /// Unique
        #[arg(long)]
        name: String,
        /// What they may do
        #[arg(long, value_enum)]
        role: Role,
        /// Whose money and bots; the own account without it
        #[arg(long)]
        account: Option<String>,
    },
    /// Turn off the second factor of somebody who lost telephone and recovery codes
    ResetSecondFactor {
        /// Their name
        name: String,
    },
}

/// `tokens …`
#[derive(Clone, Debug, Args)]
pub struct Tokens {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<TokensVerb>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with API tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokensVerb {
    /// All of them, without their secrets
    List,
    /// A new one, printed once as the last word
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Role,
        /// Whose money and bots; the own account without it
        #[arg(long)]
        account: Option<String>,
    },
    /// Make one useless at once
    Revoke {
        /// Its id
        token: String,
    },
}

/// Who is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// One account
    Account,
    /// Everyone; needs an admin
    Fleet,
}

/// `emergency-stop …`
#[derive(Clone, Debug, Args)]
pub struct Stop {
    /// Take the stop back; bots stay paused
    #[arg(long, conflicts_with_all = ["positions", "reason"])]
    pub clear: bool,
    /// Who is stopped
    #[arg(long, value_enum, default_value = "account")]
    pub scope: Scope,
    /// What happens to open positions [default: keep_guarding]
    #[arg(long, value_enum)]
    pub positions: Option<Positions>,
    /// Why, for the record
    #[arg(long)]
    pub reason: Option<String>,
    /// How to ask and answer.
    #[command(flatten)]
    pub client: Client,
}

pub(super) fn exchange(text: &str) -> Result<Exchange, String> {
    Exchange::parse(text).ok_or_else(|| "supported are binance, kucoin and luno".to_owned())
}

pub(super) fn strategy(text: &str) -> Result<StrategyKind, String> {
    let names = StrategyKind::ALL.map(StrategyKind::name);
    let found = StrategyKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| format!("kinds are {}", names.join(", ")))
}

/// By the word that the domain's own JSON uses.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|e| e.to_string())
}

pub(super) fn timeframe(text: &str) -> Result<Timeframe, String> {
    word(text)
}

pub(super) fn risk_mode(text: &str) -> Result<RiskMode, String> {
    word(text)
}

pub(super) fn positive(text: &str) -> Result<Amount, String> {
    let amount: Amount = text.parse().map_err(|e| format!("{e}"))?;
    amount.is_positive().then_some(amount).ok_or_else(|| "has to be above zero".to_owned())
}

pub(super) fn object(text: &str) -> Result<serde_json::Value, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    value.is_object().then_some(value).ok_or_else(|| "has to be a JSON object".to_owned())
}
