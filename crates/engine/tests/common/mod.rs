//! A rig around the core: instruments, accounts, bots by commands, feeds by events.
#![allow(dead_code, unreachable_pub, missing_docs, unused_imports, clippy::unwrap_used)] // each test binary uses its part

mod books;
mod tape;

pub use books::{Balances, audit};
pub use tape::{Tape, Walk};

use domain::*;
use engine::{
    Command, CommandError, Engine, EngineConfig, Envelope, Input, InputKind, NewBot, Output, Reply,
    Switches, WalletMove,
};

/// Monday noon, far from midnight.
pub const START: Timestamp = Timestamp(1_767_614_400_000_000_000);

/// Text as an exact amount.
pub fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// Prices to the cent, lots of 0.00001, 0.1 % fee in what is received.
pub fn binance(symbol: &str) -> Instrument {
    Instrument {
        exchange: Exchange::Binance,
        symbol: symbol.parse().unwrap(),
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
        min_notional: amount("5"),
        max_notional: None,
        percent_band: None,
        max_open_orders: Some(200),
        fees: FeeSchedule {
            maker: Rate::from_bp(10),
            taker: Rate::from_bp(10),
            in_received: true,
            places: 8,
            source: "test".to_owned(),
        },
    }
}

/// The same with fees in quote.
pub fn kucoin(symbol: &str) -> Instrument {
    let mut instrument = binance(symbol);
    instrument.exchange = Exchange::Kucoin;
    instrument.fees.in_received = false;
    instrument
}

/// Limits so wide that strategies are not disturbed by them.
pub fn wide() -> Policy {
    let hundred = Amount::from_int(100);
    Policy {
        spread_collar_bp: 500,
        entries_per_day_directional: 1_000_000,
        entries_per_day_grid_dca: 1_000_000,
        entries_per_day_market_making: 1_000_000,
        orders_per_second_max: 100_000,
        duplicate_window_ms: 0,
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
        ..Policy::default()
    }
}

/// A round trip of exactly this much.
pub fn config(policy: Policy, latency_ms: f64) -> EngineConfig {
    EngineConfig { seed: 7, latency_ms_p50: latency_ms, latency_ms_p99: latency_ms, policy }
}

/// A request for a bot with everything at its default.
pub fn bot(name: &str, exchange: &str, kind: StrategyKind, params: &str) -> NewBot {
    NewBot {
        name: name.to_owned(),
        exchange: exchange.to_owned(),
        symbol: "BTC/USDT".parse().unwrap(),
        strategy: StrategyConfig { kind, params: serde_json::from_str(params).unwrap() },
        timeframe: Some(Timeframe::Trade),
        risk_mode: RiskMode::Balanced,
        capital: Amount::from_int(10_000),
        sizing: None,
        exits: None,
        managed: false,
    }
}

/// An engine, what it was given and what it said.
pub struct Rig {
    pub engine: Engine,
    pub config: EngineConfig,
    pub inputs: Vec<Input>,
    pub out: Vec<Output>,
    pub now: Timestamp,
    next_id: u64,
}

impl Rig {
    pub fn new(policy: Policy) -> Self {
        Self::with(config(policy, 50.0))
    }

    pub fn with(config: EngineConfig) -> Self {
        let engine = Engine::new(config.clone());
        Self { engine, config, inputs: vec![], out: vec![], now: START, next_id: 0 }
    }

    /// An account with 100,000 USDT on Binance and on KuCoin.
    pub fn funded(policy: Policy) -> (Self, AccountId) {
        let mut rig = Self::new(policy);
        rig.define(&binance("BTC/USDT"));
        rig.define(&kucoin("BTC/USDT"));
        let account = rig.account("main");
        for exchange in [Exchange::Binance, Exchange::Kucoin] {
            rig.deposit(account, exchange, "USDT", "100000").unwrap();
        }
        (rig, account)
    }

    pub fn input(&mut self, kind: InputKind) {
        let input = Input { at: self.now, kind };
        self.engine.apply(&input, &mut self.out);
        self.inputs.push(input);
    }

    pub fn define(&mut self, instrument: &Instrument) -> InstrumentId {
        self.input(InputKind::Instrument(instrument.clone()));
        self.engine.instrument_id(instrument.exchange, instrument.symbol).unwrap()
    }

    pub fn switches(&mut self, change: impl FnOnce(&mut Switches)) {
        let mut switches = Switches::default();
        change(&mut switches);
        self.input(InputKind::Switches(switches));
    }

    pub fn order(
        &mut self,
        account: Option<AccountId>,
        command: Command,
    ) -> Result<Reply, CommandError> {
        self.next_id += 1;
        let (id, actor) = (self.next_id, Actor::Person("thandi".to_owned()));
        self.input(InputKind::Command(Envelope { id, actor, account, command }));
        if self.engine.is_stopping() {
            self.input(InputKind::Timer);
        }
        let reply = self.out.iter().rev().find_map(|o| match o {
            Output::Reply { id: answered, result } if *answered == id => Some(result.clone()),
            _ => None,
        });
        reply.expect("every command is answered")
    }

    pub fn account(&mut self, name: &str) -> AccountId {
        let reporting_currency = "USDT".parse().unwrap();
        let name = name.to_owned();
        match self.order(None, Command::CreateAccount { name, reporting_currency }) {
            Ok(Reply::Account(id)) => id,
            other => panic!("no account: {other:?}"),
        }
    }

    pub fn deposit(
        &mut self,
        account: AccountId,
        exchange: Exchange,
        currency: &str,
        sum: &str,
    ) -> Result<Reply, CommandError> {
        let currency = currency.parse().unwrap();
        let money = WalletMove { exchange, currency, amount: amount(sum) };
        self.order(Some(account), Command::Deposit(money))
    }

    pub fn create(&mut self, account: AccountId, bot: NewBot) -> Result<BotId, CommandError> {
        let reply = self.order(Some(account), Command::CreateBot { bot, start: true })?;
        self.answer_wants();
        match reply {
            Reply::Bot(id) => Ok(id),
            other => panic!("not a bot: {other:?}"),
        }
    }

    /// Says that there is no history, for every series that waits for it.
    pub fn answer_wants(&mut self) {
        for want in self.engine.wants() {
            let Some(instrument) = self.engine.instrument_id(want.exchange, want.symbol) else {
                continue;
            };
            for (timeframe, _) in want.history {
                self.input(InputKind::History { instrument, timeframe, bars: vec![] });
            }
        }
    }

    pub fn market(&mut self, instrument: InstrumentId, event: MarketEvent) {
        self.input(InputKind::Market { instrument, event });
    }

    /// Lets time pass as the shell does: a timer at each deadline.
    pub fn pass(&mut self, ms: i64) {
        let until = self.now + Span::from_millis(ms);
        while self.engine.next_deadline() <= until {
            self.now = self.engine.next_deadline().max(self.now + Span(1));
            self.input(InputKind::Timer);
        }
        self.now = until.max(self.now);
        self.input(InputKind::Timer);
    }

    pub fn trades(&self) -> Vec<&Trade> {
        self.out
            .iter()
            .filter_map(|o| if let Output::Trade(t) = o { Some(t) } else { None })
            .collect()
    }

    pub fn fills(&self) -> Vec<&FillRecord> {
        self.out
            .iter()
            .filter_map(|o| if let Output::Fill(f) = o { Some(f) } else { None })
            .collect()
    }

    pub fn orders(&self) -> Vec<&OrderRecord> {
        self.out
            .iter()
            .filter_map(|o| if let Output::Order(r) = o { Some(r) } else { None })
            .collect()
    }

    pub fn refusals(&self) -> Vec<&engine::RefusalRecord> {
        self.out
            .iter()
            .filter_map(|o| if let Output::Refusal(r) = o { Some(r) } else { None })
            .collect()
    }

    /// The newest row of each order, oldest order first.
    pub fn last_orders(&self) -> Vec<&OrderRecord> {
        let mut rows: std::collections::BTreeMap<OrderId, &OrderRecord> = Default::default();
        for order in self.orders() {
            rows.insert(order.id, order);
        }
        rows.into_values().collect()
    }

    pub fn view(&self, bot: BotId) -> engine::view::BotView {
        self.engine.bot(None, bot).unwrap()
    }

    pub fn has_hold(&self, bot: BotId, hold: Hold) -> bool {
        self.view(bot).record.holds.contains(hold)
    }
}

/// The feed of one instrument: update ids and print ids that rise.
pub struct Feed {
    pub id: InstrumentId,
    pub update_id: u64,
    pub print_id: u64,
}

/// A level from price and quantity at the instrument's scale.
pub fn level((price, quantity): (i64, i64)) -> Level {
    Level { price: Price(price), quantity: Quantity(quantity) }
}

impl Feed {
    pub fn new(id: InstrumentId) -> Self {
        Self { id, update_id: 1_000, print_id: 1 }
    }

    pub fn state(&self, rig: &mut Rig, state: FeedState) {
        rig.market(self.id, MarketEvent::Feed { state, grade: DataGrade::L2Trades });
    }

    pub fn stale(&self, rig: &mut Rig) {
        self.state(rig, FeedState::Stale("silent".to_owned()));
    }

    /// Fresh, with this whole book.
    pub fn book(&mut self, rig: &mut Rig, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        self.state(rig, FeedState::Fresh);
        self.depth(rig, true, bids, asks);
    }

    pub fn depth(
        &mut self,
        rig: &mut Rig,
        is_snapshot: bool,
        bids: &[(i64, i64)],
        asks: &[(i64, i64)],
    ) {
        self.update_id += 1;
        let levels = |side: &[(i64, i64)]| side.iter().copied().map(level).collect();
        rig.market(
            self.id,
            MarketEvent::Book(BookUpdate {
                is_snapshot,
                update_id: self.update_id,
                at: None,
                requested_at: None,
                bids: levels(bids),
                asks: levels(asks),
            }),
        );
    }

    pub fn touch(&mut self, rig: &mut Rig, bid: (i64, i64), ask: (i64, i64)) {
        self.update_id += 1;
        let touch = Touch { update_id: self.update_id, bid: level(bid), ask: level(ask) };
        rig.market(self.id, MarketEvent::Touch(touch));
    }

    pub fn print(&mut self, rig: &mut Rig, taker_side: Side, price: i64, quantity: i64) {
        self.print_id += 1;
        let print = Print {
            id: self.print_id,
            price: Price(price),
            quantity: Quantity(quantity),
            taker_side,
            at: rig.now,
            backfilled: false,
        };
        rig.market(self.id, MarketEvent::Print(print));
    }

    /// A simple deep book around a mid: a bid and an ask one cent each side, and ten more levels.
    pub fn around(&mut self, rig: &mut Rig, mid: i64) {
        let side = |sign: i64| -> Vec<(i64, i64)> {
            (1..=10).map(|n| (mid + sign * n, 100_000_000 * n)).collect()
        };
        self.book(rig, &side(-1), &side(1));
    }
}
