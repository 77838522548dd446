//! Everything that reaches the core. What is not in an [`Input`] does not exist for it.

use crate::command::Command;
use crate::live::LiveNews;
use domain::{
    AccountId, Actor, Amount, Bar, Currency, Exchange, Instrument, InstrumentId, MarketEvent, Span,
    Timeframe, Timestamp,
};
use serde::{Deserialize, Serialize};

/// One thing that happened, with our time of receipt. Input time never goes back: the driver
/// clamps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Local time of receipt.
    pub at: Timestamp,
    /// What.
    pub kind: InputKind,
}

/// See [`Input`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum InputKind {
    /// A feed delivered something.
    Market {
        /// About this instrument.
        instrument: InstrumentId,
        /// What.
        event: MarketEvent,
    },
    /// Time passed: what is due happens.
    Timer,
    /// An instrument is new or its filters, fees or status changed.
    Instrument(Instrument),
    /// Closed bars from before, oldest first, to warm indicators.
    History {
        /// Of this instrument.
        instrument: InstrumentId,
        /// At this timeframe.
        timeframe: Timeframe,
        /// The bars.
        bars: Vec<Bar>,
    },
    /// One unit of `base` is worth this much `quote`.
    Rate {
        /// From.
        base: Currency,
        /// To.
        quote: Currency,
        /// Worth.
        rate: Amount,
        /// Where it was seen.
        source: String,
    },
    /// A measured round trip to an exchange.
    RoundTrip {
        /// Which.
        exchange: Exchange,
        /// How long.
        span: Span,
    },
    /// Bounds of an exchange's clock minus ours.
    Clock {
        /// Which.
        exchange: Exchange,
        /// At least.
        offset_lower: Span,
        /// At most.
        offset_upper: Span,
    },
    /// The flags, sent at start.
    Switches(Switches),
    /// The private side of an exchange told something.
    Live(Box<LiveNews>),
    /// Somebody orders something.
    Command(Envelope),
}

/// A command with who sent it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The reply carries it back.
    pub id: u64,
    /// Who.
    pub actor: Actor,
    /// Within this account; a bot of another account is not found. `None`: the whole fleet.
    pub account: Option<AccountId>,
    /// What.
    pub command: Command,
}

/// The product's flags as far as the core obeys them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// Off: no entries, paper or live.
    pub trading: bool,
    /// Off: paper bots are held with `MODE_DISABLED`.
    pub paper_trading: bool,
    /// Off: drawdown and loss guards do not act; health says so.
    pub bodyguard: bool,
    /// Live trading is on.
    #[serde(default)]
    pub live_trading: bool,
    /// Covered days of paper before live.
    #[serde(default)]
    pub training_days: u32,
    /// Live needs money on the exchange.
    #[serde(default)]
    pub wallet_required: bool,
    /// Live needs a tested key.
    #[serde(default)]
    pub key_required: bool,
    /// Names of exchanges on which paper bots may work.
    pub paper_exchanges: Vec<String>,
}

impl Default for Switches {
    fn default() -> Self {
        let paper_exchanges = Exchange::ALL.map(|e| e.name().to_owned()).to_vec();
        Self {
            trading: true,
            paper_trading: true,
            bodyguard: true,
            live_trading: false,
            training_days: 7,
            wallet_required: true,
            key_required: true,
            paper_exchanges,
        }
    }
}
