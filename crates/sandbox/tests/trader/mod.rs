//! A trader with an account at the sandbox: orders with permits, events with deadlines, the truth.
#![allow(dead_code, reason = "each test file uses its own part")]

use domain::*;
use exchanges::codec;
use exchanges::live::{
    ClientIds, Credentials, LiveClient, LiveConfig, LiveEvent, LiveFill, LiveStream, OrderKey,
    OrderState, Placed, Placement,
};
use market::Book;
use risk::{
    AccountRisk, ApprovedOrder, EmergencyLatch, Exposure, LiveStanding, OrderIntent, Permit,
    Snapshot, WireGate,
};
use sandbox::{AccountSpec, Sandbox, SandboxConfig, TrueOrder};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// A deadline for what must come; long, because machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ACCOUNT: AccountId = AccountId(1);
pub(crate) const BOT: BotId = BotId(7);
const INSTRUMENT: InstrumentId = InstrumentId(3);

pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(elapsed.as_nanos() as i64)
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// Two accounts at each exchange, `one` and `two`.
pub(crate) async fn sandbox() -> Sandbox {
    let accounts = ["one", "two"];
    let accounts =
        accounts.iter().flat_map(|name| Exchange::ALL.map(|e| AccountSpec::demo(e, name)));
    let config = SandboxConfig {
        seed: 11,
        history: Duration::from_secs(120),
        accounts: accounts.collect(),
        ..SandboxConfig::default()
    };
    sandbox::start(config).await.unwrap()
}

pub(crate) const fn native(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Binance => "BTCUSDT",
        Exchange::Kucoin => "BTC-USDT",
        Exchange::Luno => "XBTZAR",
    }
}

/// The sandbox's codes of what is bought and what is paid with.
pub(crate) const fn assets(exchange: Exchange) -> [&'static str; 2] {
    match exchange {
        Exchange::Binance | Exchange::Kucoin => ["BTC", "USDT"],
        Exchange::Luno => ["XBT", "ZAR"],
    }
}

async fn instrument(sandbox: &Sandbox, exchange: Exchange) -> Arc<Instrument> {
    let path = match exchange {
        Exchange::Binance => "/api/v3/exchangeInfo",
        Exchange::Kucoin => "/api/v2/symbols",
        Exchange::Luno => "/api/exchange/1/markets",
    };
    exchanges::install_tls();
    let url = format!("{}{path}", sandbox.urls(exchange).rest_url);
    let body = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let list = match exchange {
        Exchange::Binance => codec::binance::decode_exchange_info(&body),
        Exchange::Kucoin => codec::kucoin::decode_symbols(&body),
        Exchange::Luno => codec::luno::decode_markets(&body),
    };
    let all = list.unwrap().instruments;
    Arc::new(all.into_iter().find(|i| i.native == native(exchange)).unwrap())
}

pub(crate) fn config(sandbox: &Sandbox, exchange: Exchange, name: &str) -> LiveConfig {
    let part = |kind: &str| format!("{name}-{kind}").into();
    let key = Credentials::new(exchange, part("key"), part("secret"), Some(part("passphrase")));
    let urls = sandbox.urls(exchange);
    let mut config = LiveConfig::new(exchange, key.unwrap(), ClientIds::new("t1").unwrap());
    (config.rest_url, config.stream_url) = (urls.rest_url, urls.stream_url);
    config.timings.settle = Duration::from_millis(600);
    config.timings.resolve_every = Duration::from_millis(50);
    config.timings.backoff_min = Duration::from_millis(20);
    config
}

/// What is wanted of the market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) side: Side,
    /// In quote; `None`: a market order.
    pub(crate) price: Option<Amount>,
    pub(crate) post_only: bool,
    pub(crate) life: TimeInForce,
    /// In base.
    pub(crate) quantity: Amount,
}

impl Wish {
    pub(crate) fn market(side: Side, quantity: &str) -> Self {
        let quantity = amount(quantity);
        Self { side, price: None, post_only: false, life: TimeInForce::Ioc, quantity }
    }

    pub(crate) fn limit(side: Side, price: Amount, quantity: &str) -> Self {
        let price = Some(price);
        let quantity = amount(quantity);
        Self { side, price, post_only: false, life: TimeInForce::Gtc, quantity }
    }
}

pub(crate) struct Trader {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) exchange: Exchange,
    pub(crate) client: LiveClient,
    pub(crate) gate: WireGate,
    pub(crate) latch: EmergencyLatch,
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) name: String,
    pub(crate) log: Vec<LiveEvent>,
    events: mpsc::Receiver<LiveEvent>,
    _stream: LiveStream,
    seq: u32,
}

impl Trader {
    pub(crate) async fn start(exchange: Exchange) -> Self {
        Self::with(Arc::new(sandbox().await), exchange, "one", |_| {}).await
    }

    /// A trader whose stream stands.
    pub(crate) async fn with(
        sandbox: Arc<Sandbox>,
        exchange: Exchange,
        name: &str,
        change: impl FnOnce(&mut LiveConfig),
    ) -> Self {
        let mut config = config(&sandbox, exchange, name);
        change(&mut config);
        let latch = EmergencyLatch::default();
        let gate = WireGate::new(EmergencyLatch::default(), latch.clone());
        let client = LiveClient::new(config, gate.clone()).unwrap();
        let instrument = instrument(&sandbox, exchange).await;
        client.list(INSTRUMENT, Arc::clone(&instrument));
        let (sink, events) = mpsc::channel(64);
        let stream = client.stream(sink);
        let name = name.to_owned();
        let mut trader = Self {
            sandbox,
            exchange,
            client,
            gate,
            latch,
            instrument,
            name,
            log: Vec::new(),
            events,
            _stream: stream,
            seq: 0,
        };
        trader.find(|e| matches!(e, LiveEvent::Resync { .. }).then_some(())).await;
        trader
    }

    /// Waits for an event, from those not looked at yet.
    pub(crate) async fn find<T>(&mut self, mut pick: impl FnMut(&LiveEvent) -> Option<T>) -> T {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("nothing of the kind in {:?}", self.log));
            let event = event.unwrap();
            let found = pick(&event);
            self.log.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits until an order is final, and returns its last state.
    pub(crate) async fn ended(&mut self, key: &OrderKey) -> OrderState {
        let name = key.client_id.clone();
        self.find(|event| match event {
            LiveEvent::Order(state) if state.client_id == name && state.status.is_final() => {
                Some(state.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits until so much of an order was told as executed, and returns its fills.
    pub(crate) async fn filled(&mut self, key: &OrderKey, whole: Amount) -> Vec<LiveFill> {
        let is_whole = |log: &[LiveEvent]| {
            let fills = fills(log, &key.client_id);
            let sum: Amount = fills.iter().map(|f| f.quantity).sum();
            (sum >= whole).then_some(fills)
        };
        loop {
            if let Some(fills) = is_whole(&self.log) {
                return fills;
            }
            self.find(|event| matches!(event, LiveEvent::Fill(_)).then_some(())).await;
        }
    }

    pub(crate) fn touch(&self) -> (Amount, Amount) {
        self.sandbox.touch(self.exchange, native(self.exchange)).unwrap()
    }

    /// So many percent of the best bid, on the tick.
    pub(crate) fn percent_of_bid(&self, percent: i64) -> Amount {
        let price = self.touch().0.part(percent, 100, Round::Down);
        let ticks = self.instrument.price(price, Round::Down).unwrap();
        self.instrument.price_amount(self.instrument.on_tick(ticks, Side::Buy))
    }

    /// An order that passed the checks, against a book of its own around what it wants.
    pub(crate) fn approve(&mut self, wish: Wish) -> (OrderKey, ApprovedOrder) {
        self.seq += 1;
        let id = OrderId { bot: BOT, seq: self.seq };
        let i = &self.instrument;
        let (bid, ask) = self.touch();
        let ticks = |value: Amount| i.price(value, Round::Down).unwrap();
        let kind = match wish.price {
            None => OrderKind::Market,
            Some(price) => OrderKind::Limit { price: ticks(price), post_only: wish.post_only },
        };
        let (bid, ask) = match wish.price {
            None => (ticks(bid), ticks(ask)),
            Some(price) => (ticks(price), Price(ticks(price).0 + i.tick_size.0)),
        };
        let quantity = i.quantity(wish.quantity, Round::Down).unwrap();
        let intent = OrderIntent {
            id,
            account: ACCOUNT,
            bot: BOT,
            instrument: INSTRUMENT,
            mode: Mode::Live,
            side: wish.side,
            kind,
            time_in_force: wish.life,
            quantity,
            purpose: match wish.side {
                Side::Buy => OrderPurpose::Entry,
                Side::Sell => OrderPurpose::Exit(ExitReason::Signal),
            },
            at: now(),
        };
        let key = OrderKey {
            instrument: INSTRUMENT,
            client_id: self.client.client_id(id),
            exchange_id: None,
        };
        (key, approved(i, intent, bid, ask))
    }

    pub(crate) fn permit(&self, order: &ApprovedOrder) -> Permit {
        let intent = order.intent();
        match intent.side {
            Side::Buy => Permit::entry_for_tests(ACCOUNT, BOT, now()),
            Side::Sell => Permit::reduce_for_tests(ACCOUNT, BOT, INSTRUMENT, intent.quantity),
        }
    }

    pub(crate) async fn place(&mut self, wish: Wish) -> (OrderKey, Placement) {
        let (key, order) = self.approve(wish);
        let permit = self.permit(&order);
        self.gate.approve();
        (key, self.client.place(order, permit).await)
    }

    pub(crate) async fn placed(&mut self, wish: Wish) -> (OrderKey, Placed) {
        match self.place(wish).await {
            (key, Placement::Placed(placed)) => (key, placed),
            (key, other) => panic!("{} {}: {other:?}", self.exchange, key.client_id),
        }
    }

    /// How many real orders a name has made.
    pub(crate) fn truth(&self, key: &OrderKey) -> Vec<TrueOrder> {
        self.sandbox.orders_of(self.exchange, &key.client_id)
    }

    /// What the account truly has: free and held together, of base and quote.
    pub(crate) fn wealth(&self) -> [Amount; 2] {
        assets(self.exchange).map(|asset| {
            let key = format!("{}-key", self.name);
            let (free, held) = self.sandbox.balance(self.exchange, &key, asset);
            free + held
        })
    }
}

pub(crate) fn fills(log: &[LiveEvent], client_id: &str) -> Vec<LiveFill> {
    let fill = |event: &LiveEvent| match event {
        LiveEvent::Fill(fill) if fill.client_id == client_id => Some(fill.clone()),
        _ => None,
    };
    log.iter().filter_map(fill).collect()
}

/// What fills do to base and quote, as we compute it.
pub(crate) fn effect(fills: &[LiveFill], side: Side, symbol: Symbol) -> [Amount; 2] {
    let (mut base, mut quote) = (Amount::ZERO, Amount::ZERO);
    for fill in fills {
        match side {
            Side::Buy => {
                base += fill.quantity;
                quote -= fill.quote;
            }
            Side::Sell => {
                base -= fill.quantity;
                quote += fill.quote;
            }
        }
        for fee in &fill.fees {
            match fee.currency == symbol.base {
                true => base -= fee.amount,
                false => quote -= fee.amount,
            }
        }
    }
    [base, quote]
}

fn approved(i: &Instrument, intent: OrderIntent, bid: Price, ask: Price) -> ApprovedOrder {
    let level = |price| vec![Level { price, quantity: Quantity(i64::MAX / 8) }];
    let mut book = Book::default();
    book.apply(&BookUpdate {
        is_snapshot: true,
        update_id: 1,
        at: None,
        requested_at: None,
        bids: level(bid),
        asks: level(ask),
    });
    let policy = Policy { price_collar_bp: 500, ..risk::unlimited::policy() };
    let account = AccountRisk {
        exposure: Exposure::default(),
        quote_rate: Amount::ONE,
        daily_loss_percent: Amount::ZERO,
    };
    let snapshot = Snapshot {
        live: Some(LiveStanding { missing: None, size: Some(risk::unlimited::RICH) }),
        reference: Some(bid),
        account: Some(&account),
        clock_off: Some(Span::ZERO),
        ..risk::unlimited::snapshot(i, &book, &policy)
    };
    risk::check(intent, &snapshot).unwrap_or_else(|refused| panic!("{refused:?}"))
}
