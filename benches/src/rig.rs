//! An engine with an account, and a sink for what it says.

use domain::{
    AccountId, Actor, Amount, BotId, DataGrade, Exchange, FeeSchedule, FeedState, Instrument,
    InstrumentId, InstrumentStatus, MarketEvent, OrderKind, Policy, Price, Print, Quantity, Rate,
    Refusal, RiskMode, Sizing, StrategyConfig, StrategyKind, Timeframe, Timestamp,
};
use engine::{
    Command, Engine, EngineConfig, Envelope, Input, InputKind, NewBot, Output, Reply, WalletMove,
};
use xxhash_rust::xxh3::Xxh3Default;

/// Longest serialised output; ours are under a kilobyte.
const OUTPUT_MAX: usize = 16 * 1024;
/// Small enough to stay in the second cache until it is hashed.
const BUFFER: usize = 64 * 1024;

/// Serialises into one buffer and hashes.
pub(crate) struct Sink {
    buffer: Vec<u8>,
    hasher: Xxh3Default,
    pub(crate) outputs: u64,
    pub(crate) orders: u64,
    pub(crate) trades: u64,
    pub(crate) refusals: u64,
    /// Set: outputs are kept here instead.
    pub(crate) kept: Option<Vec<Output>>,
}

impl Sink {
    fn new() -> Self {
        let (buffer, hasher) = (vec![0; BUFFER], Xxh3Default::new());
        Self { buffer, hasher, outputs: 0, orders: 0, trades: 0, refusals: 0, kept: None }
    }

    fn take(&mut self, out: &mut Vec<Output>) {
        if let Some(kept) = &mut self.kept {
            return kept.append(out);
        }
        // Side by side in the buffer, and hashed at once: the hash does not know the pieces.
        let mut used = 0;
        for output in &*out {
            self.outputs += 1;
            match output {
                Output::Decision(_) => self.orders += 1,
                Output::Trade(_) => self.trades += 1,
                Output::Refusal(_) => self.refusals += 1,
                _ => {}
            }
            if self.buffer.len() - used < OUTPUT_MAX {
                self.hasher.update(&self.buffer[..used]);
                used = 0;
            }
            match postcard::to_slice(output, &mut self.buffer[used..]) {
                Ok(bytes) => used += bytes.len(),
                // Flattened records have no binary form; they are told only at the start.
                Err(_) => {
                    self.hasher.update(&self.buffer[..used]);
                    self.hasher.update(format!("{output:?}").as_bytes());
                    used = 0;
                }
            }
        }
        self.hasher.update(&self.buffer[..used]);
        out.clear();
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.digest()
    }
}

/// See the module.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) sink: Sink,
    out: Vec<Output>,
    /// Outputs are taken every so many inputs.
    chunk: usize,
    since: usize,
    now: Timestamp,
    pub(crate) account: AccountId,
    command: u64,
    input: Input,
}

/// Limits that never bind: what is measured is the work, not the refusals.
pub(crate) fn policy() -> Policy {
    let hundred = Amount::from_int(100);
    let caps = domain::Caps { binance: 1_000_000, kucoin: 1_000_000, luno: 1_000_000 };
    Policy {
        paper_bots_max: caps,
        spread_collar_bp: 10_000,
        price_collar_bp: 10_000,
        depth_share_max_percent: hundred,
        duplicate_window_ms: 0,
        chase_max_bp: 10_000,
        execution_throttle_directional: 0,
        execution_throttle_grid_dca: 0,
        execution_throttle_market_making: 0,
        entries_per_day_directional: u32::MAX,
        entries_per_day_grid_dca: u32::MAX,
        entries_per_day_market_making: u32::MAX,
        orders_per_second_max: 1_000_000,
        daily_loss_max_percent: hundred,
        drawdown_max_percent_safe: hundred,
        drawdown_max_percent_balanced: hundred,
        drawdown_max_percent_risky: hundred,
        drawdown_max_percent_aggressive: hundred,
        breaker_bot_percent: hundred,
        breaker_account_day_percent: hundred,
        breaker_fleet_day_percent: hundred,
        consecutive_losses_max: 0,
        stoploss_guard_trades_max: 0,
        low_profit_trades_min: 0,
        max_drawdown_percent: Amount::ZERO,
        anomaly_trades_min: 0,
        // Fees of a million orders an hour are a fifth of the capital: no bot is rogue for that.
        rogue_loss_percent: hundred,
        ..Policy::default()
    }
}

fn instrument(symbol: &str) -> Instrument {
    Instrument {
        exchange: Exchange::Binance,
        symbol: symbol.parse().expect("our own symbols parse"),
        native: symbol.replace('/', ""),
        status: InstrumentStatus::Trading,
        price_scale: 2,
        quantity_scale: 8,
        tick_size: Price(1),
        lot_size: Quantity(1_000),
        min_quantity: Quantity(1_000),
        max_quantity: Quantity(900_000_000_000),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::from_int(5),
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: FeeSchedule {
            maker: Rate::from_bp(10),
            taker: Rate::from_bp(10),
            in_received: true,
            places: 8,
            source: "bench".to_owned(),
        },
    }
}

impl Rig {
    /// An account with money; outputs are taken every `chunk` inputs.
    pub(crate) fn new(chunk: usize) -> Self {
        let config =
            EngineConfig { seed: 1, latency_ms_p50: 0.05, latency_ms_p99: 0.05, policy: policy() };
        let mut rig = Self {
            engine: Engine::new(config),
            sink: Sink::new(),
            out: Vec::with_capacity(1_024),
            chunk,
            since: 0,
            now: super::tape::START,
            account: AccountId(1),
            command: 0,
            input: Input { at: super::tape::START, kind: InputKind::Timer },
        };
        let reporting_currency = "USDT".parse().expect("a currency");
        rig.order(None, Command::CreateAccount { name: "bench".to_owned(), reporting_currency });
        let amount = Amount::from_int(1_000_000_000_000);
        let (exchange, currency) = (Exchange::Binance, reporting_currency);
        let account = Some(rig.account);
        rig.order(account, Command::Deposit(WalletMove { exchange, currency, amount }));
        rig
    }

    /// One input, now.
    pub(crate) fn apply(&mut self, kind: InputKind) {
        let input = Input { at: self.now, kind };
        self.engine.apply(&input, &mut self.out);
        self.flush();
    }

    /// Serialises and hashes what is there.
    pub(crate) fn flush(&mut self) {
        self.since = 0;
        self.sink.take(&mut self.out);
    }

    /// Gives back the room of what was said, which is not the engine's.
    pub(crate) fn shrink(&mut self) {
        self.flush();
        self.out.shrink_to(1_024);
    }

    /// A command, which must succeed.
    pub(crate) fn order(&mut self, account: Option<AccountId>, command: Command) -> Option<Reply> {
        self.command += 1;
        let actor = Actor::Person("bench".to_owned());
        let envelope = Envelope { id: self.command, actor, account, command };
        let input = Input { at: self.now, kind: InputKind::Command(envelope) };
        self.engine.apply(&input, &mut self.out);
        let reply = match self.out.last() {
            Some(Output::Reply { result: Ok(reply), .. }) => reply.clone(),
            other => panic!("the bench's own command failed: {other:?}"),
        };
        self.flush();
        Some(reply)
    }

    /// A market that nothing was heard of.
    pub(crate) fn define(&mut self, instrument: Instrument) -> InstrumentId {
        let (exchange, symbol) = (instrument.exchange, instrument.symbol);
        self.apply(InputKind::Instrument(instrument));
        self.engine.instrument_id(exchange, symbol).expect("just defined")
    }

    /// A market that is fresh, at this grade.
    pub(crate) fn market(&mut self, symbol: &str, grade: DataGrade) -> InstrumentId {
        let id = self.define(instrument(symbol));
        let event = MarketEvent::Feed { state: FeedState::Fresh, grade };
        self.apply(InputKind::Market { instrument: id, event });
        id
    }

    /// A bot that is active at once.
    pub(crate) fn bot(
        &mut self,
        symbol: &str,
        kind: StrategyKind,
        params: &str,
        timeframe: Timeframe,
    ) -> BotId {
        let bot = NewBot {
            name: format!("bot {}", self.command),
            exchange: "binance".to_owned(),
            symbol: symbol.parse().expect("our own symbols parse"),
            strategy: StrategyConfig {
                kind,
                params: serde_json::from_str(params).expect("our own parameters parse"),
            },
            timeframe: Some(timeframe),
            risk_mode: RiskMode::Balanced,
            capital: Amount::from_int(100_000),
            sizing: Some(Sizing::FixedQuote(Amount::from_int(20))),
            exits: None,
            managed: false,
        };
        let made = self.order(Some(self.account), Command::CreateBot { bot, start: true });
        let Some(Reply::Bot(id)) = made else { panic!("a bot is answered with its id: {made:?}") };
        for want in self.engine.wants() {
            let Some(instrument) = self.engine.instrument_id(want.exchange, want.symbol) else {
                continue;
            };
            for (timeframe, _) in want.history {
                self.apply(InputKind::History { instrument, timeframe, bars: vec![] });
            }
        }
        id
    }

    /// What the pre-trade checks say of an entry, which nobody sends.
    pub(crate) fn try_entry(
        &mut self,
        bot: BotId,
        kind: OrderKind,
        quantity: Quantity,
    ) -> Option<Result<(), Refusal>> {
        self.engine.try_entry(self.account, bot, kind, quantity)
    }

    /// One print, with outputs taken in chunks.
    pub(crate) fn print(&mut self, instrument: InstrumentId, print: &Print) {
        // In place: a driver reuses its buffers too.
        let is_same = match &mut self.input.kind {
            InputKind::Market { instrument: of, event: MarketEvent::Print(old) } => {
                (*of, *old) = (instrument, *print);
                true
            }
            _ => false,
        };
        if !is_same {
            let event = MarketEvent::Print(*print);
            self.input.kind = InputKind::Market { instrument, event };
        }
        self.told(print.at);
    }

    /// Something from a connector, applied as it is.
    #[cfg(feature = "shell")]
    pub(crate) fn live(&mut self, input: &Input) {
        self.now = self.now.max(input.at);
        self.engine.apply(input, &mut self.out);
        self.sink.take(&mut self.out);
    }

    /// One event of a market.
    pub(crate) fn event(&mut self, instrument: InstrumentId, at: Timestamp, event: MarketEvent) {
        self.input.kind = InputKind::Market { instrument, event };
        self.told(at);
    }

    fn told(&mut self, at: Timestamp) {
        self.now = at;
        self.input.at = at;
        self.engine.apply(&self.input, &mut self.out);
        self.since += 1;
        if self.since >= self.chunk {
            self.flush();
        }
    }
}
