//! The product's flags, set in the environment or `.env` under their own names.
//!
//! Each has one accessor, and each accessor exactly one reader in the product: `cargo xtask lint`
//! counts them. Whoever wants to show flags takes [`super::Config::settings`],
//! which decides nothing.

use super::kind;
use super::reader::Reader;
use domain::Exchange;

/// Every flag's name, in the order in which they are shown.
pub const NAMES: [&str; 11] = [
    "ENABLE_TRADING",
    "ENABLE_PAPER_TRADING",
    "ENABLE_LIVE_TRADING",
    "ENABLE_AUTOPILOT",
    "ENABLE_BODYGUARD",
    "ENABLE_REALTIME",
    "ENABLE_SELF_HEALING",
    "PAPER_TRAINING_DAYS",
    "REQUIRE_WALLET_FUNDED",
    "REQUIRE_API_KEYS_FOR_LIVE",
    "PAPER_SUPPORTED_EXCHANGES",
];

/// Longest training that is not a slip of the finger.
const TRAINING_DAYS_MAX: u32 = 365;

pub(super) fn is_flag(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The flag that a misspelt name probably means.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|flag| strsim::osa_distance(flag, name) <= 2)
}

/// The flags, private so that each is read through its one accessor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    trading: bool,
    paper_trading: bool,
    live_trading: bool,
    autopilot: bool,
    bodyguard: bool,
    realtime: bool,
    self_healing: bool,
    paper_training_days: u32,
    wallet_funded: bool,
    api_keys_for_live: bool,
    paper_exchanges: Vec<Exchange>,
}

impl Flags {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let yes_no = kind::boolean();
        let days = kind::whole32(" of days", 1, TRAINING_DAYS_MAX);
        let mut flag = |name, about, default| reader.flag(name, about, &yes_no, default);
        Self {
            trading: flag(NAMES[0], "Off: no entries, paper or live.", true),
            paper_trading: flag(NAMES[1], "Off: paper bots take no entries.", true),
            live_trading: flag(
                NAMES[2],
                "On: bots that the live gate lets pass may trade real money.",
                false,
            ),
            autopilot: flag(NAMES[3], "Off: the autopilot does nothing.", true),
            bodyguard: flag(NAMES[4], "Off: paper says so, live refuses to run.", true),
            realtime: flag(NAMES[5], "Off: no event streams, pages poll.", true),
            self_healing: flag(NAMES[6], "Off: faults are reported, not repaired.", true),
            wallet_funded: flag(NAMES[8], "Live needs a funded wallet on the exchange.", true),
            api_keys_for_live: flag(NAMES[9], "Live needs a tested key.", true),
            paper_training_days: reader.flag(
                NAMES[7],
                "Covered days of paper trading before live.",
                &days,
                7,
            ),
            paper_exchanges: reader.flag(
                NAMES[10],
                "Exchanges on which paper bots may run.",
                &kind::exchanges(),
                vec![Exchange::Luno, Exchange::Binance, Exchange::Kucoin],
            ),
        }
    }

    /// `ENABLE_TRADING`: off stops every entry, paper and live.
    pub const fn is_trading_enabled(&self) -> bool {
        self.trading
    }

    /// `ENABLE_PAPER_TRADING`: off stops entries of paper bots.
    pub const fn is_paper_trading_enabled(&self) -> bool {
        self.paper_trading
    }

    /// `ENABLE_LIVE_TRADING`.
    pub const fn is_live_trading_enabled(&self) -> bool {
        self.live_trading
    }

    /// `ENABLE_AUTOPILOT`: off stops the autopilot.
    pub const fn is_autopilot_enabled(&self) -> bool {
        self.autopilot
    }

    /// `ENABLE_BODYGUARD`: off leaves paper unguarded, and says so.
    pub const fn is_bodyguard_enabled(&self) -> bool {
        self.bodyguard
    }

    /// `ENABLE_REALTIME`: off closes SSE and WebSocket; pages poll.
    pub const fn is_realtime_enabled(&self) -> bool {
        self.realtime
    }

    /// `ENABLE_SELF_HEALING`: off reports faults without repairing them.
    pub const fn is_self_healing_enabled(&self) -> bool {
        self.self_healing
    }

    /// `PAPER_TRAINING_DAYS`: days of covered paper trading before live.
    pub const fn paper_training_days(&self) -> u32 {
        self.paper_training_days
    }

    /// `REQUIRE_WALLET_FUNDED`: live needs money on the exchange.
    pub const fn is_wallet_funding_required(&self) -> bool {
        self.wallet_funded
    }

    /// `REQUIRE_API_KEYS_FOR_LIVE`: live needs a tested key.
    pub const fn are_live_api_keys_required(&self) -> bool {
        self.api_keys_for_live
    }

    /// `PAPER_SUPPORTED_EXCHANGES`: where paper bots may run.
    pub fn paper_supported_exchanges(&self) -> &[Exchange] {
        &self.paper_exchanges
    }
}
