//! Local exchange servers that speak the real protocols of Binance spot, KuCoin spot and Luno,
//! over a market of their own: a price-time-priority matching engine per instrument, fed by
//! seeded order flow whose statistics follow the recorded tapes.
//!
//! Used by the demo, by end-to-end tests, and as the judge of the simulated exchange: what an
//! order of ours would truly have met is known here. Therefore deliberately absent: anything of
//! `simulator` or `engine`. Main types: [`SandboxConfig`], [`Sandbox`], [`Fault`]; the market
//! itself is in [`model`], pure and deterministic. The private side has accounts ([`AccountSpec`])
//! whose orders go to the same books; what truly became of them is asked of [`Sandbox`].
//!
//! All times on the wire come from one clock: the wall's at the start, from there on `speed`
//! times as fast.

mod binance;
mod budget;
mod clock;
mod config;
mod control;
mod core;
mod faults;
mod http;
mod hub;
mod kucoin;
mod link;
mod luno;
pub mod model;
mod player;
mod private;
mod sandbox;
mod tape;
mod text;
mod truth;

pub use config::{HISTORY_MAX, Ports, SPEED_MAX, SandboxConfig, SandboxError};
pub use faults::{ActiveFault, Fault, FaultControl, FaultError, FaultSpec, Lie};
pub use private::config::{AccountSpec, KeySpec};
pub use sandbox::{Addresses, ExchangeUrls, Sandbox, serve, start};
pub use tape::TapeError;
pub use truth::{TrueFill, TrueOrder};
