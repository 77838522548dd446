//! A real client with an account at the sandbox: orders as the program sends them, with a permit of
//! the live gate, and the user stream, each event with the time at which it came.

use domain::{
    AccountId, Amount, BookUpdate, BotId, Exchange, Holds, Instrument, InstrumentId, Level, Mode,
    OrderId, OrderKind, OrderPurpose, Policy, Price, Quantity, Round, Side, Span, TimeInForce,
    Timestamp,
};
use exchanges::codec;
use exchanges::live::{
    ClientIds, Credentials, LiveClient, LiveConfig, LiveEvent, LiveStream, OrderKey,
};
use market::Book;
use risk::{
    AccountRisk, ApprovedOrder, EmergencyLatch, Evidence, Exposure, KeyState, LiveStanding,
    OrderIntent, Permit, Snapshot, Standing, WireGate,
};
use sandbox::Sandbox;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

const ACCOUNT: AccountId = AccountId(1);
const INSTRUMENT: InstrumentId = InstrumentId(3);
/// Bought each time, in base: above every exchange's least.
const QUANTITY: &str = "0.001";
/// For what must come; long, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events that may wait to be looked at.
const EVENTS: usize = 1_024;

type Fault = Box<dyn Error + Send + Sync>;

/// See the module.
pub(crate) struct Trader {
    exchange: Exchange,
    bot: BotId,
    seq: u32,
    pub(crate) client: LiveClient,
    gate: WireGate,
    instrument: Arc<Instrument>,
    events: mpsc::Receiver<(Instant, LiveEvent)>,
    _stream: LiveStream,
}

pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
}

/// The sandbox's name of the market that is traded.
const fn native(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Binance => "BTCUSDT",
        Exchange::Kucoin => "BTC-USDT",
        Exchange::Luno => "XBTZAR",
    }
}

impl Trader {
    /// With the key of this name, once its user stream stands.
    pub(crate) async fn start(
        sandbox: &Sandbox,
        instrument: Arc<Instrument>,
        name: &str,
        bot: BotId,
    ) -> Result<Self, Fault> {
        let exchange = instrument.exchange;
        let part = |kind: &str| format!("{name}-{kind}").into();
        let key =
            Credentials::new(exchange, part("key"), part("secret"), Some(part("passphrase")))?;
        let urls = sandbox.urls(exchange);
        let mut config = LiveConfig::new(exchange, key, ClientIds::new("bench")?);
        (config.rest_url, config.stream_url) = (urls.rest_url, urls.stream_url);
        let gate = WireGate::new(EmergencyLatch::default(), EmergencyLatch::default());
        let client = LiveClient::new(config, gate.clone())?;
        client.list(INSTRUMENT, Arc::clone(&instrument));
        let (sink, mut told) = mpsc::channel(EVENTS);
        let stream = client.stream(sink);
        let (stamped, events) = mpsc::channel(EVENTS);
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                if stamped.send((Instant::now(), event)).await.is_err() {
                    return;
                }
            }
        });
        let seq = 0;
        let mut trader =
            Self { exchange, bot, seq, client, gate, instrument, events, _stream: stream };
        trader.told(|event| matches!(event, LiveEvent::Resync { .. })).await?;
        Ok(trader)
    }

    /// When an event of this kind came, of those not looked at yet.
    pub(crate) async fn told(
        &mut self,
        is_it: impl Fn(&LiveEvent) -> bool,
    ) -> Result<Instant, Fault> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let next = next.map_err(|_| "the user stream says nothing of it")?;
            let (at, event) = next.ok_or("the user stream ended")?;
            if is_it(&event) {
                return Ok(at);
            }
        }
    }

    /// A buy that takes what is there, or one that rests far below; and its name.
    pub(crate) fn order(
        &mut self,
        sandbox: &Sandbox,
        rests: bool,
    ) -> Result<(OrderKey, ApprovedOrder), Fault> {
        self.seq += 1;
        let i = &self.instrument;
        let (bid, ask) = sandbox.touch(self.exchange, native(self.exchange)).ok_or("no touch")?;
        let ticks = |value: Amount| i.price(value, Round::Down).ok_or("no such price");
        let (bid, ask) = (ticks(bid)?, ticks(ask)?);
        let low = i.on_tick(Price(bid.0 / 100 * 95), Side::Buy);
        let kind = match rests {
            true => OrderKind::Limit { price: low, post_only: false },
            false => OrderKind::Market,
        };
        let quantity = i.quantity(QUANTITY.parse()?, Round::Down).ok_or("no such quantity")?;
        let id = OrderId { bot: self.bot, seq: self.seq };
        let intent = OrderIntent {
            id,
            account: ACCOUNT,
            bot: self.bot,
            instrument: INSTRUMENT,
            mode: Mode::Live,
            side: Side::Buy,
            kind,
            time_in_force: if rests { TimeInForce::Gtc } else { TimeInForce::Ioc },
            quantity,
            purpose: OrderPurpose::Entry,
            at: now(),
        };
        let client_id = self.client.client_id(id);
        let key = OrderKey { instrument: INSTRUMENT, client_id, exchange_id: None };
        Ok((key, approved(i, intent, bid, ask)?))
    }

    /// Lets one entry out, and counts it as approved.
    pub(crate) fn permit(&self) -> Result<Permit, Fault> {
        self.gate.approve();
        Ok(permit(self.bot).ok_or("the live gate is closed")?)
    }
}

/// What the gate gives a bot of which everything is well.
fn permit(bot: BotId) -> Option<Permit> {
    let part = Amount::from_int(100);
    let evidence = Evidence {
        covered: Span::from_secs(30 * 86_400),
        trades: 1_000,
        wins: 600,
        won: part + part,
        lost: part,
        drawdown_percent: Amount::ONE,
        probability: Some(0.99),
        deflated: Some(0.99),
    };
    let standing = Standing {
        is_live: true,
        trading_enabled: true,
        live_enabled: true,
        bodyguard_enabled: true,
        training_days: 7,
        wallet_required: true,
        wallet: Some(risk::unlimited::RICH),
        key_required: true,
        key: KeyState::Good,
        evidence,
        emergency_stop: false,
        holds: Holds::NONE,
        confirmed: true,
        capital: risk::unlimited::RICH,
        minimum: part,
        live_for: Some(Span::from_secs(2 * 86_400)),
    };
    risk::judge((ACCOUNT, bot), &standing, &Policy::default()).entry_permit(now())
}

/// Through the checks, against the touch and more than enough of it.
fn approved(
    i: &Instrument,
    intent: OrderIntent,
    bid: Price,
    ask: Price,
) -> Result<ApprovedOrder, Fault> {
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
    risk::check(intent, &snapshot).map_err(|refused| format!("{refused:?}").into())
}

/// The market as the exchange lists it.
pub(crate) fn instrument(sandbox: &Sandbox, exchange: Exchange) -> Result<Arc<Instrument>, Fault> {
    let path = match exchange {
        Exchange::Binance => "/api/v3/exchangeInfo",
        Exchange::Kucoin => "/api/v2/symbols",
        Exchange::Luno => "/api/exchange/1/markets",
    };
    let body = get(&sandbox.urls(exchange).rest_url, path)?;
    let list = match exchange {
        Exchange::Binance => codec::binance::decode_exchange_info(&body)?,
        Exchange::Kucoin => codec::kucoin::decode_symbols(&body)?,
        Exchange::Luno => codec::luno::decode_markets(&body)?,
    };
    let found = list.instruments.into_iter().find(|i| i.native == native(exchange));
    Ok(Arc::new(found.ok_or("the market is not listed")?))
}

/// A plain GET of the sandbox, which says how long its bodies are.
fn get(base: &str, path: &str) -> Result<Vec<u8>, Fault> {
    let host = base.strip_prefix("http://").ok_or("the sandbox speaks plain HTTP")?;
    let mut socket = TcpStream::connect(host)?;
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    socket.take(32 << 20).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no HTTP")?;
    Ok(answer.split_off(end + 4))
}
