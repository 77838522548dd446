//! What people and the autopilot may order, and what they are answered.

use crate::output::EmergencyRecord;
use domain::{
    AccountId, Amount, BotConfig, BotId, Caps, Currency, Exchange, Exits, OrderId, Policy,
    RiskMode, Sizing, StopChoice, StrategyConfig, Symbol, Timeframe,
};
use serde::{Deserialize, Serialize};

/// An order to the core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Opens an account.
    CreateAccount {
        /// Unique.
        name: String,
        /// Profit is shown in it.
        reporting_currency: Currency,
    },
    /// Creates a paper bot.
    CreateBot {
        /// What.
        bot: NewBot,
        /// Start it at once.
        start: bool,
    },
    /// Changes a bot's settings.
    UpdateBot {
        /// Which.
        bot: BotId,
        /// To what.
        patch: BotPatch,
    },
    /// Makes a stopped bot active.
    Start(BotId),
    /// Adds the hold `USER_PAUSED`.
    Pause(BotId),
    /// Releases the holds that a person may release.
    Resume(BotId),
    /// Ends it until started again.
    Stop {
        /// Which.
        bot: BotId,
        /// What happens to its position.
        positions: StopChoice,
    },
    /// Archives it, once flat.
    Retire(BotId),
    /// Releases a risk stop by hand.
    Rearm(BotId),
    /// Sells its position now.
    Flatten(BotId),
    /// Creates another with the same settings.
    Clone {
        /// Of which.
        bot: BotId,
        /// Its name.
        name: String,
    },
    /// Makes a paper bot trade real money, as far as the live gate lets it.
    Promote {
        /// Which.
        bot: BotId,
        /// Its name, typed by a person.
        confirmation: String,
    },
    /// Takes a live bot back to paper, once it is flat.
    Demote(BotId),
    /// Cancels an open order.
    CancelOrder(OrderId),
    /// Paper money in.
    Deposit(WalletMove),
    /// Paper money out.
    Withdraw(WalletMove),
    /// Closes positions, returns capital, archives the bots' history.
    NewSeason,
    /// Latches the emergency stop of the envelope's account, or of the fleet.
    EmergencyStop {
        /// Why.
        reason: String,
        /// Sell positions rather than guard them.
        sell: bool,
    },
    /// Clears it; bots stay paused.
    ClearEmergencyStop,
    /// Closes a tripped circuit breaker.
    CloseBreaker(BreakerScope),
    /// Replaces the account's policy (may only tighten the fleet's), or the fleet's.
    SetPolicy(Box<Policy>),
    /// Sells a bot's position, and archives the bot as soon as it is flat.
    WindUp(BotId),
    /// Takes realised profit out of bots and gives it to others of the same wallet: the autopilot's.
    Reinvest {
        /// Out of these.
        from: Vec<ProfitShare>,
        /// To these; what is left waits in the wallet.
        to: Vec<ProfitShare>,
    },
    /// Creates a managed bot out of realised profit: the autopilot's.
    Spawn {
        /// Whose variation it is.
        parent: BotId,
        /// What.
        bot: Box<NewBot>,
        /// Profit to take first; the rest of the capital waits in the wallet.
        from: Vec<ProfitShare>,
    },
}

/// A bot's part in a move of profit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ProfitShare {
    pub bot_id: BotId,
    pub amount: Amount,
}

/// Where a circuit breaker sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerScope {
    /// One bot.
    Bot(BotId),
    /// The account.
    Account,
    /// All accounts.
    Fleet,
    /// The account's real money.
    AccountLive,
    /// That of all accounts.
    FleetLive,
}

/// A request for a bot; what is `None` takes its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the fields of `domain::BotConfig`
pub struct NewBot {
    pub name: String,
    pub exchange: String,
    pub symbol: Symbol,
    pub strategy: StrategyConfig,
    #[serde(default)]
    pub timeframe: Option<Timeframe>,
    #[serde(default)]
    pub risk_mode: RiskMode,
    pub capital: Amount,
    #[serde(default)]
    pub sizing: Option<Sizing>,
    #[serde(default)]
    pub exits: Option<Exits>,
    #[serde(default)]
    pub managed: bool,
}

/// Changes to a bot; `None` keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the fields of `domain::BotConfig`
pub struct BotPatch {
    pub name: Option<String>,
    pub strategy: Option<StrategyConfig>,
    pub timeframe: Option<Timeframe>,
    pub risk_mode: Option<RiskMode>,
    pub sizing: Option<Sizing>,
    pub exits: Option<Exits>,
    pub managed: Option<bool>,
}

/// Paper money of one wallet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct WalletMove {
    pub exchange: Exchange,
    pub currency: Currency,
    pub amount: Amount,
}

/// What a command led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// This account is new.
    Account(AccountId),
    /// This bot is new or changed.
    Bot(BotId),
    /// These orders were sent.
    Orders(Vec<OrderId>),
    /// The emergency stop as it is now.
    EmergencyStop(EmergencyRecord),
}

/// Why a command was not carried out; nothing moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)] // the messages say it
pub enum CommandError {
    #[error("there is no such {what}")]
    NotFound { what: String },
    #[error("the name {name:?} is taken or cannot be one; choose another (1 to 64 characters)")]
    NameInvalid { name: String },
    #[error("{exchange} does not list {symbol}, or its instruments are not loaded yet")]
    UnknownInstrument { exchange: String, symbol: Symbol },
    #[error("{exchange}: {in_use} of {cap} {mode} bots are in use")]
    BotCapReached { exchange: String, mode: String, in_use: u32, cap: u32 },
    #[error("{problem}")]
    InvalidStrategy { problem: String },
    #[error("{field} = {value}: allowed is {allowed}")]
    InvalidField { field: String, value: String, allowed: String },
    #[error(
        "capital {capital} is too small: the largest permitted order is {largest_order}, the \
         exchange asks {minimum}; {needed} would do"
    )]
    CapitalTooSmall { capital: Amount, largest_order: Amount, minimum: Amount, needed: Amount },
    #[error("{needed} {currency} needed on {exchange}, {available} available")]
    InsufficientFunds { exchange: String, currency: Currency, needed: Amount, available: Amount },
    #[error("the bot is {state} and cannot {action}")]
    WrongState { state: String, action: String },
    #[error("the bot holds {position}; flatten it first")]
    NotFlat { position: Amount },
    #[error("the emergency stop is on; clear it first")]
    EmergencyStopActive,
    #[error("{key} = {value}: allowed is {allowed}")]
    PolicyInvalid { key: String, value: String, allowed: String },
    #[error("{problem}")]
    NotPossible { problem: String },
    #[error("the live gate is closed: {}", missing.join(", "))]
    GateClosed { missing: Vec<String> },
}

/// The cap of an exchange, `None` for names that are not ours.
pub fn cap(caps: &Caps, exchange: &str) -> Option<u32> {
    Exchange::parse(exchange).map(|e| match e {
        Exchange::Binance => caps.binance,
        Exchange::Kucoin => caps.kucoin,
        Exchange::Luno => caps.luno,
    })
}

impl From<BotConfig> for NewBot {
    fn from(config: BotConfig) -> Self {
        Self {
            name: config.name,
            exchange: config.exchange,
            symbol: config.symbol,
            strategy: config.strategy,
            timeframe: Some(config.timeframe),
            risk_mode: config.risk_mode,
            capital: config.capital,
            sizing: config.sizing,
            exits: Some(config.exits),
            managed: config.managed,
        }
    }
}
