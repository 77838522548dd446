//! The paper side: an engine with one bot, which sees the public feed alone.

use domain::{
    AccountId, Actor, Amount, BotId, DataGrade, Exchange, Exits, FeeSchedule, FeedState,
    FillRecord, Instrument, InstrumentId, InstrumentStatus, MarketEvent, OrderRecord, Price,
    Quantity, Rate, RiskMode, Sizing, Span, StrategyConfig, StrategyKind, Timeframe, Timestamp,
};
use engine::{
    Command, Engine, EngineConfig, Envelope, Input, InputKind, NewBot, Output, WalletMove,
};
use sandbox::model::catalogue::Spec;
use simulator::{LatencyModel, Leg, draw};
use std::error::Error;

/// Round trips as they are assumed where none was measured.
const LATENCY_MS: (f64, f64) = (60.0, 250.0);
/// Of quote, each entry.
const ORDER: i64 = 500;
const ACCOUNT: AccountId = AccountId(1);

/// See the module.
pub(super) struct Paper {
    engine: Engine,
    instrument: InstrumentId,
    seed: u64,
    latency: LatencyModel,
    out: Vec<Output>,
    commands: u64,
}

/// What a bot did, as the store would have it.
pub(super) enum Said {
    Order(OrderRecord),
    Fill(FillRecord),
}

pub(super) fn instrument(spec: &Spec) -> Instrument {
    Instrument {
        exchange: Exchange::Binance,
        symbol: spec.symbol,
        native: spec.native.clone(),
        status: InstrumentStatus::Trading,
        price_scale: spec.price_places,
        quantity_scale: spec.quantity_places,
        tick_size: Price(1),
        lot_size: Quantity(1),
        min_quantity: Quantity(1),
        max_quantity: Quantity(i64::MAX / 1_000_000),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::ONE,
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: FeeSchedule {
            // The same on both sides, so left out: strategies with little edge would not trade.
            maker: Rate::from_bp(0),
            taker: Rate::from_bp(0),
            in_received: false,
            places: 8,
            source: "truth".to_owned(),
        },
    }
}

/// A target alone is seldom reached within a minute: DCA leaves by the clock too.
fn exits(kind: StrategyKind) -> Option<Exits> {
    let target_percent = "0.1".parse().ok();
    match kind {
        StrategyKind::Dca => {
            Some(Exits { target_percent, time_limit_s: Some(5), ..Exits::default() })
        }
        _ => None,
    }
}

impl Paper {
    pub(super) fn new(
        seed: u64,
        spec: &Spec,
        kind: StrategyKind,
        params: &str,
        begin: Timestamp,
    ) -> Result<Self, Box<dyn Error>> {
        let (latency_ms_p50, latency_ms_p99) = LATENCY_MS;
        let policy = crate::rig::policy();
        let config = EngineConfig { seed, latency_ms_p50, latency_ms_p99, policy };
        let mut paper = Self {
            engine: Engine::new(config),
            instrument: InstrumentId(0),
            seed,
            latency: LatencyModel::new(latency_ms_p50, latency_ms_p99),
            out: Vec::new(),
            commands: 0,
        };
        paper.open(spec, begin)?;
        paper.bot(spec, kind, params, begin)?;
        Ok(paper)
    }

    fn open(&mut self, spec: &Spec, begin: Timestamp) -> Result<(), Box<dyn Error>> {
        let reporting_currency = spec.symbol.quote;
        let name = "truth".to_owned();
        self.order(None, Command::CreateAccount { name, reporting_currency }, begin)?;
        let amount = Amount::from_int(1_000_000);
        let money =
            WalletMove { exchange: Exchange::Binance, currency: reporting_currency, amount };
        self.order(Some(ACCOUNT), Command::Deposit(money), begin)?;
        self.input(begin, InputKind::Instrument(instrument(spec)));
        let id = self.engine.instrument_id(Exchange::Binance, spec.symbol);
        self.instrument = id.ok_or("the instrument is unknown")?;
        let feed = MarketEvent::Feed { state: FeedState::Fresh, grade: DataGrade::L2Trades };
        self.tell(begin, feed);
        Ok(())
    }

    fn bot(
        &mut self,
        spec: &Spec,
        kind: StrategyKind,
        params: &str,
        begin: Timestamp,
    ) -> Result<(), Box<dyn Error>> {
        let bot = NewBot {
            name: kind.name().to_owned(),
            exchange: Exchange::Binance.name().to_owned(),
            symbol: spec.symbol,
            strategy: StrategyConfig { kind, params: serde_json::from_str(params)? },
            timeframe: Some(Timeframe::Trade),
            risk_mode: RiskMode::Aggressive,
            capital: Amount::from_int(100_000),
            sizing: Some(Sizing::FixedQuote(Amount::from_int(ORDER))),
            exits: exits(kind),
            managed: false,
        };
        self.order(Some(ACCOUNT), Command::CreateBot { bot, start: true }, begin)
    }

    fn order(
        &mut self,
        account: Option<AccountId>,
        command: Command,
        at: Timestamp,
    ) -> Result<(), Box<dyn Error>> {
        self.commands += 1;
        let actor = Actor::Person("truth".to_owned());
        let envelope = Envelope { id: self.commands, actor, account, command };
        self.input(at, InputKind::Command(envelope));
        match self.out.last() {
            Some(Output::Reply { result: Ok(_), .. }) => Ok(()),
            other => Err(format!("a command failed: {other:?}").into()),
        }
    }

    fn input(&mut self, at: Timestamp, kind: InputKind) {
        self.engine.apply(&Input { at, kind }, &mut self.out);
    }

    pub(super) fn tell(&mut self, at: Timestamp, event: MarketEvent) {
        self.input(at, InputKind::Market { instrument: self.instrument, event });
    }

    pub(super) fn pass(&mut self, at: Timestamp) {
        self.input(at, InputKind::Timer);
    }

    /// Orders and fills since the last call.
    pub(super) fn said(&mut self) -> Vec<Said> {
        let said = |output| match output {
            Output::Order(order) => Some(Said::Order(order)),
            Output::Fill(fill) => Some(Said::Fill(fill)),
            _ => None,
        };
        self.out.drain(..).filter_map(said).collect()
    }

    /// How long an order takes to the exchange, as the engine draws it.
    pub(super) fn round_trip(&self, order: &OrderRecord) -> Span {
        draw(&self.latency, self.seed, ACCOUNT, order.id, Leg::Send)
    }
}

/// The bot's own number is the first.
pub(super) const BOT: BotId = BotId(1);
