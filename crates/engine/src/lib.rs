//! The deterministic core: `apply(Input) -> Outputs`.
//!
//! No clock, no randomness, no thread, no I/O: the same inputs give the same outputs, byte for
//! byte, whatever the chunking and over a stop at a snapshot. `storage`, `server`, `backtest` and
//! the binary may depend on it; it knows none of them. Main types: [`Engine`], [`Input`],
//! [`Output`], [`Command`], the read models in [`view`].

mod command;
mod engine;
mod input;
mod output;
pub mod view;

pub use command::{BotPatch, BreakerScope, Command, CommandError, NewBot, Reply, WalletMove, cap};
pub use engine::{Engine, EngineConfig};
pub use input::{Envelope, Input, InputKind, Switches};
pub use output::{
    AccountRecord, BotChange, BotRecord, BreakerRecord, DecisionRecord, EmergencyRecord,
    EventDraft, FeedRecord, Output, PolicyRecord, RefusalRecord, RiskStopRecord, StateRow,
    TradeOpened, WalletRecord,
};
