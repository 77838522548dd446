//! What a sandbox is told, and what can go wrong with it.

use crate::faults::FaultSpec;
use crate::private::config::AccountSpec;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// TCP ports; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Binance, REST and streams.
    pub binance: u16,
    /// KuCoin, REST and streams.
    pub kucoin: u16,
    /// Luno, REST and streams.
    pub luno: u16,
    /// Faults and status.
    pub control: u16,
}

/// A sandbox to be.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxConfig {
    /// The market follows from it.
    pub seed: u64,
    /// How many times faster than the wall its clock runs; times on the wire follow that clock.
    pub speed: f64,
    /// A recorded Binance stream to replay on the Binance server.
    pub tape: Option<PathBuf>,
    /// Whether the tape begins anew at its end.
    pub looped: bool,
    /// Where it listens: a loopback address, nothing else.
    pub listen: IpAddr,
    /// Its ports.
    pub ports: Ports,
    /// How much history the bars have at the start.
    pub history: Duration,
    /// Pace of protocol pings and keepalives; three unanswered ones end a Binance socket.
    pub heartbeat: Duration,
    /// Faults from the start.
    pub faults: Vec<FaultSpec>,
    /// Accounts of the private side.
    pub accounts: Vec<AccountSpec>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 1.0,
            tape: None,
            looped: false,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: Ports::default(),
            history: Duration::from_secs(12 * 3_600),
            heartbeat: Duration::from_secs(20),
            faults: Vec::new(),
            accounts: AccountSpec::demos(),
        }
    }
}

/// The fastest clock: beyond it the market would be built faster than it can be read.
pub const SPEED_MAX: f64 = 1_000.0;
/// The longest history: what the one-minute bars keep.
pub const HISTORY_MAX: Duration = Duration::from_secs(10 * 86_400);

impl SandboxConfig {
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        if !self.listen.is_loopback() {
            return Err(SandboxError::NotLoopback(self.listen));
        }
        if !(self.speed > 0.0 && self.speed <= SPEED_MAX) {
            return Err(SandboxError::Speed(self.speed));
        }
        if self.history > HISTORY_MAX {
            return Err(SandboxError::History(self.history));
        }
        Ok(())
    }
}

/// Why a sandbox does not start. All ask for another configuration.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It has no sign-in, so it talks to this machine only.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(IpAddr),
    /// No such speed.
    #[error("speed must be above 0 and at most {SPEED_MAX}, not {0}")]
    Speed(f64),
    /// Too much.
    #[error("history is at most {HISTORY_MAX:?}, not {0:?}")]
    History(Duration),
    /// The port is taken, most likely.
    #[error("cannot listen on {address} for {server}: {source}")]
    Listen {
        /// Whose port.
        server: &'static str,
        /// Which address.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The tape cannot be played.
    #[error("tape {0}")]
    Tape(#[from] crate::tape::TapeError),
    /// The tape's symbol is none of the Binance server's.
    #[error("the tape is of {0}, which is not among the sandbox's Binance symbols")]
    TapeSymbol(String),
    /// A fault of the configuration is none.
    #[error(transparent)]
    Fault(#[from] crate::faults::FaultError),
}
