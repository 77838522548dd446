//! The client of one key: questions, cancels, and what its parts share.

use super::budget::OrderUsage;
use super::http::{Answer, Ask, Http};
use super::stream::{self, LiveStream};
use super::types::{
    Balance, Cancellation, ClockReading, FeeRates, KeyPermissions, LiveEvent, LiveFill, OrderKey,
    OrderState, Reaction,
};
use super::venue::{self, Context, Listed, Meaning, Page};
use super::{LiveConfig, binance_account, kucoin, luno};
use crate::error::ExchangeError;
use domain::{Currency, Exchange, Instrument, InstrumentId, OrderId, Span, Timestamp};
use risk::WireGate;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Pages of fills in one go: fifty thousand on Binance and Luno, five thousand on KuCoin.
const PAGES_MAX: usize = 50;

/// One key at one exchange. Clones share everything.
#[derive(Clone)]
pub struct LiveClient {
    pub(super) inner: Arc<Inner>,
}

/// What the parts of one client share.
pub(super) struct Inner {
    pub(super) config: LiveConfig,
    pub(super) http: Http,
    pub(super) gate: WireGate,
    listed: RwLock<Listed>,
    /// Luno's accounts and what they hold.
    accounts: RwLock<HashMap<String, Currency>>,
}

impl std::fmt::Debug for LiveClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveClient({})", self.inner.config.exchange)
    }
}

impl Inner {
    pub(super) fn listed(&self) -> RwLockReadGuard<'_, Listed> {
        // Two maps that are only added to; whoever died while adding left them whole.
        self.listed.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_accounts(&self, accounts: Vec<(String, Currency)>) {
        let mut known = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        *known = accounts.into_iter().collect();
    }

    pub(super) fn account(&self, id: &str) -> Option<Currency> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// Runs a decoder with what it looks things up in.
    pub(super) fn with<T>(&self, decode: impl FnOnce(Context<'_>) -> T) -> T {
        decode(Context { listed: &self.listed(), ids: &self.config.ids })
    }

    pub(super) const fn exchange(&self) -> Exchange {
        self.config.exchange
    }

    fn native(&self, instrument: InstrumentId) -> Result<String, ExchangeError> {
        let found = self.listed().get(instrument).map(|i| i.native.clone());
        found.ok_or_else(|| ExchangeError::Unsupported("an instrument never told of".into()))
    }

    /// Asks for data. A clock that is off is measured again, and the question asked once more:
    /// questions may be repeated.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Vec<u8>, ExchangeError> {
        if ask.is_signed {
            self.ensure_clock().await;
        }
        match self.http.read(ask).await {
            Err(ExchangeError::Refused { code, message }) if self.is_clock(&code, &message) => {
                self.read_clock().await?;
                self.http.read(ask).await.map(|(body, _)| body)
            }
            other => other.map(|(body, _)| body),
        }
    }

    fn is_clock(&self, code: &str, text: &str) -> bool {
        venue::meaning(self.exchange(), code, text) == Meaning::Refused(Reaction::Clock)
    }

    /// Before the first signature. Where it fails, the signature shows how far off we are.
    pub(super) async fn ensure_clock(&self) {
        if !self.http.is_timed()
            && let Err(error) = self.read_clock().await
        {
            let exchange = self.exchange().name();
            tracing::warn!(exchange, %error, "the exchange's clock could not be read");
        }
    }

    pub(super) async fn read_clock(&self) -> Result<ClockReading, ExchangeError> {
        let (body, timing) = self.http.read(&venue::time(self.exchange())).await?;
        let half = Span(i64::try_from(timing.round_trip.as_nanos() / 2).unwrap_or(i64::MAX));
        let middle = timing.received_at - half;
        // A header knows the second only; its middle is the best guess.
        let (at, grain) = match venue::time_ms(self.exchange(), &body)? {
            Some(ms) => (Timestamp::from_millis(ms), Span::from_millis(1)),
            None => (timing.date.map(|d| d + Span::from_millis(500)), Span::from_millis(500)),
        };
        let missing = || ExchangeError::Unsupported("an answer without a time".into());
        let ahead = at.ok_or_else(missing)? - middle;
        self.http.set_ahead(ahead.0);
        let round_trip = timing.received_at - timing.asked_at;
        Ok(ClockReading { ahead, error: Span(half.0 + grain.0), round_trip })
    }

    pub(super) async fn state(&self, key: &OrderKey) -> Result<Option<OrderState>, ExchangeError> {
        let native = self.native(key.instrument)?;
        match self.ask(&venue::query(self.exchange(), key, &native)).await {
            Ok(body) => Ok(self.with(|c| venue::order(self.exchange(), &body, c))?),
            Err(ExchangeError::Refused { code, message }) => {
                match venue::meaning(self.exchange(), &code, &message) {
                    Meaning::NotFound | Meaning::Gone => Ok(None),
                    _ => Err(ExchangeError::Refused { code, message }),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn open_of(
        &self,
        native: Option<&str>,
    ) -> Result<Vec<OrderState>, ExchangeError> {
        let body = self.ask(&venue::open_orders(self.exchange(), native)).await?;
        Ok(self.with(|c| venue::orders(self.exchange(), &body, c))?)
    }

    async fn pages(&self, native: &str, since: Timestamp) -> Result<Vec<LiveFill>, ExchangeError> {
        let (mut page, mut all) = (Page::Since(since), Vec::new());
        for _ in 0..PAGES_MAX {
            let body = self.ask(&venue::fills(self.exchange(), native, &page)).await?;
            let decode = |c: Context<'_>| venue::filled(self.exchange(), &body, native, &page, c);
            let (fills, next) = self.with(decode)?;
            all.extend(fills);
            match next {
                Some(next) => page = next,
                None => return Ok(all),
            }
        }
        Err(ExchangeError::Unsupported(format!("more than {PAGES_MAX} pages of fills")))
    }

    /// Luno's stream names a fill by what its order had executed, so each order's fills are needed
    /// from its first on.
    async fn luno_fills(
        &self,
        native: &str,
        since: Timestamp,
    ) -> Result<Vec<LiveFill>, ExchangeError> {
        let mut orders: BTreeMap<String, Vec<LiveFill>> = BTreeMap::new();
        for fill in self.pages(native, since).await? {
            orders.entry(fill.exchange_id.clone()).or_default().push(fill);
        }
        let mut all = Vec::new();
        for (id, mut fills) in orders {
            let ask = Ask::get("/api/exchange/3/order", 1).with("id", id.as_str());
            let body = self.ask(&ask).await?;
            let order = self.with(|c| luno::order(&body, c))?;
            let created_at = order.and_then(|o| o.created_at).filter(|at| *at < since);
            if let Some(created_at) = created_at {
                let older = self.pages(native, created_at).await?;
                fills = older.into_iter().filter(|f| f.exchange_id == id).collect();
            }
            luno::number(&mut fills);
            all.extend(fills);
        }
        Ok(all)
    }
}

impl LiveClient {
    /// A client of this key whose orders pass this gate.
    ///
    /// # Errors
    /// Where an address is none, or plain text outside loopback.
    pub fn new(config: LiveConfig, gate: WireGate) -> Result<Self, ExchangeError> {
        config.check().map_err(|e| ExchangeError::Internal(e.to_string()))?;
        let http = Http::new(&config)?;
        let (listed, accounts) = (RwLock::default(), RwLock::default());
        Ok(Self { inner: Arc::new(Inner { config, http, gate, listed, accounts }) })
    }

    /// Which exchange.
    pub fn exchange(&self) -> Exchange {
        self.inner.exchange()
    }

    /// Tells of an instrument, or of its change; orders go to no other.
    pub fn list(&self, id: InstrumentId, instrument: Arc<Instrument>) {
        self.inner.listed.write().unwrap_or_else(PoisonError::into_inner).insert(id, instrument);
    }

    /// How an order of ours is named at the exchange.
    pub fn client_id(&self, id: OrderId) -> String {
        self.inner.config.ids.name(id)
    }

    /// Cancels. Stopped by nothing of ours: neither latch nor budget. May be repeated.
    pub async fn cancel(&self, key: &OrderKey) -> Cancellation {
        let inner = &self.inner;
        let Ok(native) = inner.native(key.instrument) else {
            return Cancellation::Unknown { why: "an instrument never told of".into() };
        };
        inner.ensure_clock().await;
        let ask = match venue::cancel(inner.exchange(), key, &native) {
            Some(ask) => ask,
            None => match self.named(key).await {
                Ok(Some(ask)) => ask,
                Ok(None) => return Cancellation::Gone,
                Err(why) => return Cancellation::Unknown { why: why.to_string() },
            },
        };
        if let Err(retry_after) = inner.http.budgets().take_cancel(Instant::now()) {
            return Cancellation::RateLimited { retry_after };
        }
        let answer = inner.http.send(&ask, inner.config.timings.read_timeout).await;
        self.cancelled(answer).await
    }

    /// A cancel by the exchange's name of the order, which has to be asked for.
    async fn named(&self, key: &OrderKey) -> Result<Option<Ask>, ExchangeError> {
        let Some(state) = self.inner.state(key).await? else { return Ok(None) };
        let key = OrderKey { exchange_id: Some(state.exchange_id), ..key.clone() };
        Ok(venue::cancel(self.inner.exchange(), &key, &state.native))
    }

    async fn cancelled(&self, answer: Answer) -> Cancellation {
        match answer {
            Answer::Good(body, _) => {
                let decode = |c: Context<'_>| venue::cancelled(self.inner.exchange(), &body, c);
                match self.inner.with(decode) {
                    Ok(state) => Cancellation::Done { state },
                    Err(why) => Cancellation::Unknown { why: why.to_string() },
                }
            }
            Answer::Limited(retry_after) => Cancellation::RateLimited { retry_after },
            Answer::Refused { meaning: Meaning::Gone | Meaning::NotFound, .. } => {
                Cancellation::Gone
            }
            Answer::Refused { meaning, code, text } => {
                if meaning == Meaning::Refused(Reaction::Clock) {
                    self.resync_clock().await;
                }
                Cancellation::Unknown { why: format!("{code} {text}") }
            }
            Answer::Unclear { why, .. } => Cancellation::Unknown { why },
        }
    }

    pub(super) async fn resync_clock(&self) {
        let exchange = self.exchange().name();
        match self.inner.read_clock().await {
            Ok(reading) => {
                let ahead_ms = reading.ahead.0 / 1_000_000;
                tracing::warn!(exchange, ahead_ms, "our clock was off, and was measured again");
            }
            Err(error) => tracing::warn!(exchange, %error, "our clock is off, by how much unknown"),
        }
    }

    /// How an order stands; `None`: the exchange knows of none, at the moment.
    ///
    /// # Errors
    /// As every question: [`ExchangeError`].
    pub async fn query(&self, key: &OrderKey) -> Result<Option<OrderState>, ExchangeError> {
        self.inner.state(key).await
    }

    /// All open orders of the account, foreign ones included.
    ///
    /// # Errors
    /// As every question.
    pub async fn open_orders(&self) -> Result<Vec<OrderState>, ExchangeError> {
        if self.exchange() != Exchange::Kucoin {
            return self.inner.open_of(None).await;
        }
        let body = self.inner.ask(&kucoin::open_orders(None)).await?;
        let mut all = Vec::new();
        for native in kucoin::active(&body)? {
            all.extend(self.inner.open_of(Some(&native)).await?);
        }
        Ok(all)
    }

    /// What was executed on an instrument since then, with the ids that the stream gives.
    ///
    /// # Errors
    /// As every question; and where there are more than can be listed.
    pub async fn fills(
        &self,
        instrument: InstrumentId,
        since: Timestamp,
    ) -> Result<Vec<LiveFill>, ExchangeError> {
        let native = self.inner.native(instrument)?;
        let mut fills = match self.exchange() {
            Exchange::Luno => self.inner.luno_fills(&native, since).await?,
            _ => self.inner.pages(&native, since).await?,
        };
        fills.retain(|fill| fill.at >= since);
        fills.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.trade_id.cmp(&b.trade_id)));
        Ok(fills)
    }

    /// What the account has.
    ///
    /// # Errors
    /// As every question.
    pub async fn balances(&self) -> Result<Vec<Balance>, ExchangeError> {
        let body = self.inner.ask(&venue::balances(self.exchange())).await?;
        Ok(venue::balance_list(self.exchange(), &body)?)
    }

    /// What the account pays on an instrument.
    ///
    /// # Errors
    /// As every question.
    pub async fn fee_rates(&self, instrument: InstrumentId) -> Result<FeeRates, ExchangeError> {
        let native = self.inner.native(instrument)?;
        let body = self.inner.ask(&venue::fee_rates(self.exchange(), &native)).await?;
        Ok(venue::rates(self.exchange(), &body, &native)?)
    }

    /// What the key may do. Where it can be asked, this proves the key as well; Luno's is proven
    /// by [`Self::balances`] alone.
    ///
    /// # Errors
    /// As every question: a key that is not accepted is [`ExchangeError::Refused`].
    pub async fn key_permissions(&self) -> Result<KeyPermissions, ExchangeError> {
        let body = match venue::permissions(self.exchange()) {
            Some(ask) => self.inner.ask(&ask).await?,
            None => Vec::new(),
        };
        Ok(venue::permitted(self.exchange(), &body)?)
    }

    /// Measures the exchange's clock, and signs by it from now on.
    ///
    /// # Errors
    /// As every question.
    pub async fn clock(&self) -> Result<ClockReading, ExchangeError> {
        self.inner.read_clock().await
    }

    /// Reads how many orders the exchange permits (Binance); the others do not tell.
    ///
    /// # Errors
    /// As every question.
    pub async fn read_limits(&self, instrument: InstrumentId) -> Result<(), ExchangeError> {
        if self.exchange() != Exchange::Binance {
            return Ok(());
        }
        let native = self.inner.native(instrument)?;
        let ask = Ask::get("/api/v3/exchangeInfo", 20).with("symbol", native).public();
        let body = self.inner.ask(&ask).await?;
        for (secs, limit) in binance_account::order_limits(&body)? {
            self.inner.http.budgets().permitted_orders(secs, limit);
        }
        Ok(())
    }

    /// Orders sent and allowed.
    pub fn order_usage(&self) -> Vec<OrderUsage> {
        self.inner.http.budgets().usage()
    }

    /// Connects the user stream, and keeps it. Events wait for room in the channel: none is
    /// dropped. Dropping what is returned ends it.
    pub fn stream(&self, sink: mpsc::Sender<LiveEvent>) -> LiveStream {
        stream::start(Arc::clone(&self.inner), sink)
    }

    pub(super) fn settle(&self) -> Duration {
        self.inner.config.timings.settle
    }
}
