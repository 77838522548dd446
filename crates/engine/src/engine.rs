//! The core's outside.

use crate::output::StateRow;
use crate::view::{
    BarView, BookView, BotView, EvaluationView, FleetView, HoldView, MarketView, PortfolioView,
    PositionView, WalletView,
};
use crate::{AccountRecord, EmergencyRecord, Input, Output};
use domain::{AccountId, BotId, Exchange, InstrumentId, Policy, Symbol, Timeframe, Timestamp};

/// What the core is started with and never changes while it runs.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Seed of the latency draws.
    pub seed: u64,
    /// Median round trip to an exchange, until measured.
    pub latency_ms_p50: f64,
    /// 99th percentile of it.
    pub latency_ms_p99: f64,
    /// The fleet's policy, version 1; afterwards the store wins.
    pub policy: Policy,
}

/// All accounts, their bots and the markets they trade.
pub struct Engine {
    config: EngineConfig,
}

#[allow(missing_docs, clippy::unused_self)]
impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        Self { config }
    }
    pub fn restore(config: EngineConfig, _rows: Vec<StateRow>) -> Result<Self, String> {
        Ok(Self { config })
    }
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }
    pub fn apply(&mut self, _input: Input, _out: &mut Vec<Output>) {}
    /// When a `Timer` input is due.
    pub fn next_deadline(&self) -> Timestamp {
        Timestamp::MAX
    }
    /// State rows of everything that changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<StateRow> {
        Vec::new()
    }
    pub fn instrument_id(&self, _exchange: Exchange, _symbol: Symbol) -> Option<InstrumentId> {
        None
    }
    pub fn accounts(&self) -> Vec<AccountRecord> {
        Vec::new()
    }
    pub fn account(&self, _id: AccountId) -> Option<AccountRecord> {
        None
    }
    pub fn bots(&self, _account: Option<AccountId>) -> Vec<BotView> {
        Vec::new()
    }
    /// `None` where it is not a bot of this account (any account: `None`).
    pub fn bot(&self, _account: Option<AccountId>, _id: BotId) -> Option<BotView> {
        None
    }
    pub fn bot_by_name(&self, _account: AccountId, _name: &str) -> Option<BotId> {
        None
    }
    pub fn holds(&self, _id: BotId) -> Vec<HoldView> {
        Vec::new()
    }
    pub fn evaluations(&self, _id: BotId) -> Vec<EvaluationView> {
        Vec::new()
    }
    pub fn wallets(&self, _account: AccountId) -> Vec<WalletView> {
        Vec::new()
    }
    pub fn positions(&self, _account: AccountId) -> Vec<PositionView> {
        Vec::new()
    }
    pub fn portfolio(&self, _account: AccountId) -> Option<PortfolioView> {
        None
    }
    pub fn markets(&self) -> Vec<MarketView> {
        Vec::new()
    }
    pub fn market(&self, _exchange: Exchange, _symbol: Symbol) -> Option<MarketView> {
        None
    }
    pub fn book(&self, _exchange: Exchange, _symbol: Symbol, _depth: usize) -> Option<BookView> {
        None
    }
    pub fn bars(
        &self,
        _exchange: Exchange,
        _symbol: Symbol,
        _timeframe: Timeframe,
        _limit: usize,
    ) -> Option<Vec<BarView>> {
        None
    }
    /// Version and policy in force for an account; `None`: the fleet's.
    pub fn policy(&self, _account: Option<AccountId>) -> (u32, Policy) {
        (1, self.config.policy.clone())
    }
    /// The account's stop; `None`: the fleet's.
    pub fn emergency_stop(&self, _account: Option<AccountId>) -> Option<EmergencyRecord> {
        None
    }
    pub fn fleet(&self) -> FleetView {
        FleetView::default()
    }
}
