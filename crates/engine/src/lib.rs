//! The deterministic core: `apply(Input) -> Outputs`.
//!
//! No clock, no randomness, no thread, no I/O: the same inputs give the same outputs, byte for
//! byte, whatever the chunking and over a stop at a snapshot. `storage`, `server`, `backtest` and
//! the binary may depend on it; it knows none of them. Main types: [`Engine`], [`Input`],
//! [`Output`], [`Command`], the read models in [`view`].

mod approve;
mod attach;
mod autopilot;
mod bot;
mod capital;
mod closed;
mod command;
mod commands;
mod day_sum;
mod decide;
mod engine;
mod entries;
mod equity;
mod exits;
mod fills;
mod guard;
mod input;
mod instrument;
mod live;
mod markets;
mod orders;
mod output;
mod pass;
mod print;
mod rates;
mod read;
mod sentence;
mod shard;
mod snapshot;
mod tighter;
mod training;
mod trigger;
pub mod view;
mod watch;

pub use autopilot::{
    AutopilotAction, AutopilotKind, AutopilotOutcome, AutopilotPlan, AutopilotPool,
    AutopilotRecord, AutopilotRun, AutopilotScore, AutopilotView,
};
pub use command::{
    BotPatch, BreakerScope, Command, CommandError, NewBot, ProfitShare, Reply, WalletMove, cap,
};
pub use engine::{Engine, EngineConfig, Want};
pub use input::{Envelope, Input, InputKind, Switches};
pub use live::{
    LiveAction, LiveExecution, LiveGateRecord, LiveNews, LiveOpen, LiveReport, News, Shadowed,
};
pub use output::{
    AccountRecord, BotChange, BotRecord, BreakerRecord, DecisionRecord, EmergencyRecord,
    EquityRecord, EventData, EventDraft, EventHead, FeedRecord, Output, PolicyRecord,
    RefusalRecord, RiskStopRecord, StateRow, TradeOpened, WalletRecord,
};
pub use snapshot::RestoreError;
