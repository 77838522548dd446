//! Between the engine's wants and the exchanges' connectors.
//!
//! Events of markets do not come by here: the connectors put them into the engine's own queue, as
//! each task in between would be one more to wake. What comes by is rare: lists, clocks, history.

use crate::config::{Config, Feed};
use crate::core_loop::{Catalogue, now};
use crate::watched::Watched;
use domain::{Exchange, Instrument, InstrumentId, InstrumentStatus, Span, Symbol, Timeframe};
use engine::{Input, InputKind, Want};
use exchanges::{Connector, ConnectorConfig, ConnectorStatus, Delivery, DeliveryKind, Resume};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Lists and clocks of the connectors that wait to be passed on: one each, and some more.
const NEWS_MAX: usize = 64;
/// Tries to fetch history before a bot warms up on live bars.
const HISTORY_TRIES: u32 = 3;

/// Between two answers to a want of the same name: each answer lets the core look at its wants.
const TOLD_AGAIN: Duration = Duration::from_secs(5);

/// Between two looks at markets that nobody looks at any more.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// What is known of the exchanges, for health.
#[derive(Default)]
pub struct FeedsStatus {
    connectors: Mutex<BTreeMap<Exchange, Arc<Connector>>>,
    clocks: Mutex<BTreeMap<Exchange, (i64, i64)>>,
}

impl FeedsStatus {
    /// How each connector stands.
    pub fn connectors(&self) -> Vec<ConnectorStatus> {
        let connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors.values().map(|c| c.status()).collect()
    }

    /// The connector of an exchange, while it is at work.
    pub fn connector(&self, exchange: Exchange) -> Option<Arc<Connector>> {
        let connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors.get(&exchange).cloned()
    }

    /// Bounds of each exchange's clock minus ours, in nanoseconds.
    pub fn clocks(&self) -> BTreeMap<Exchange, (i64, i64)> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// See the module.
pub struct Feeds {
    inputs: mpsc::Sender<Input>,
    news: mpsc::Receiver<(Exchange, Delivery)>,
    catalogue: Catalogue,
    status: Arc<FeedsStatus>,
    watched: Arc<Watched>,
    wants: mpsc::Receiver<Vec<Want>>,
    /// Wants of before the exchange's list is here: a market that a start restores is wanted once.
    waiting: BTreeMap<(Exchange, Symbol), Want>,
    connectors: BTreeMap<Exchange, Arc<Connector>>,
    ids: HashMap<(Exchange, Symbol), InstrumentId>,
    wanted: HashSet<(Exchange, Symbol)>,
    /// When the core was last told of a market that it asked for by name.
    told: HashMap<(Exchange, Symbol), Instant>,
    fetching: Arc<Mutex<BTreeSet<(InstrumentId, Timeframe)>>>,
    tasks: JoinSet<()>,
}

impl Feeds {
    /// Starts the connectors of the enabled exchanges.
    ///
    /// # Errors
    /// Where a connector cannot be built, in its words.
    pub fn start(
        config: &Config,
        inputs: mpsc::Sender<Input>,
        catalogue: Catalogue,
        status: Arc<FeedsStatus>,
        watched: Arc<Watched>,
        markets: &mpsc::Sender<Delivery>,
        wants: mpsc::Receiver<Vec<Want>>,
    ) -> Result<Self, String> {
        let mut connectors = BTreeMap::new();
        let mut tasks = JoinSet::new();
        let mut wanted = HashSet::new();
        let (news_sink, news) = mpsc::channel(NEWS_MAX);
        for exchange in Exchange::ALL {
            let settings = config.exchanges.get(exchange);
            if !settings.is_enabled {
                continue;
            }
            let (sink, mut source) = mpsc::channel(NEWS_MAX);
            let settings_of = connector_config(config, exchange);
            let connector = Connector::start_apart(settings_of, markets.clone(), sink)
                .map_err(|e| format!("{exchange}: {e}"))?;
            connectors.insert(exchange, Arc::new(connector));
            wanted.extend(settings.symbols.iter().map(|s| (exchange, *s)));
            let news_sink = news_sink.clone();
            tasks.spawn(async move {
                while let Some(delivery) = source.recv().await {
                    if news_sink.send((exchange, delivery)).await.is_err() {
                        return;
                    }
                }
            });
        }
        *status.connectors.lock().unwrap_or_else(PoisonError::into_inner) = connectors.clone();
        let (ids, fetching) = (HashMap::new(), Arc::default());
        Ok(Self {
            inputs,
            news,
            catalogue,
            status,
            watched,
            wants,
            waiting: BTreeMap::new(),
            connectors,
            ids,
            wanted,
            told: HashMap::new(),
            fetching,
            tasks,
        })
    }

    /// Passes news on and answers wants until either side ends. Where it was cut off it may be
    /// called again: what it knows is kept.
    pub async fn run(&mut self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                _ = sweep.tick() => self.watched.sweep(),
                some = self.wants.recv() => match some {
                    Some(some) => self.answer(some).await,
                    None => break,
                },
                news = self.news.recv() => match news {
                    Some((exchange, delivery)) => self.deliver(exchange, delivery).await,
                    None => break,
                },
            }
        }
        self.close().await;
    }

    /// An exchange that errs at closing is only worth a warning.
    async fn close(&mut self) {
        self.tasks.abort_all();
        self.status.connectors.lock().unwrap_or_else(PoisonError::into_inner).clear();
        while self.tasks.join_next().await.is_some() {}
        for (exchange, connector) in std::mem::take(&mut self.connectors) {
            let Ok(connector) = Arc::try_unwrap(connector) else { continue };
            match tokio::time::timeout(Duration::from_secs(1), connector.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%exchange, %error, "closing the connector failed"),
                Err(_) => tracing::warn!(%exchange, "closing the connector took too long"),
            }
        }
    }

    async fn deliver(&mut self, exchange: Exchange, delivery: Delivery) {
        let kind = match delivery.kind {
            // Goes to the engine's own queue: it never comes by here.
            DeliveryKind::Market { .. } => return,
            DeliveryKind::RoundTrip(span) => InputKind::RoundTrip { exchange, span },
            DeliveryKind::Clock { offset_lower_ns, offset_upper_ns } => {
                let mut clocks = self.status.clocks.lock().unwrap_or_else(PoisonError::into_inner);
                clocks.insert(exchange, (offset_lower_ns, offset_upper_ns));
                InputKind::Clock {
                    exchange,
                    offset_lower: Span(offset_lower_ns),
                    offset_upper: Span(offset_upper_ns),
                }
            }
            DeliveryKind::Instruments(list) => return self.list(exchange, list).await,
        };
        let _ = self.inputs.send(Input { at: delivery.received_at, kind }).await;
    }

    /// A new list: changed instruments are told, missing ones are delisted, wanted ones defined.
    async fn list(&mut self, exchange: Exchange, list: Vec<Instrument>) {
        let listed: HashMap<Symbol, Instrument> = list.into_iter().map(|i| (i.symbol, i)).collect();
        let mut tell = Vec::new();
        {
            let mut catalogue = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
            let is_first = !catalogue.keys().any(|(e, _)| *e == exchange);
            for (symbol, known) in catalogue.iter_mut().filter(|(key, _)| key.0 == exchange) {
                if !listed.contains_key(&symbol.1) {
                    known.status = InstrumentStatus::Delisted;
                    tell.push(known.clone());
                }
            }
            for (symbol, instrument) in listed {
                let key = (exchange, symbol);
                let instrument = match catalogue.get(&key).filter(|_| self.ids.contains_key(&key)) {
                    Some(known) => at_scales_of(known, instrument),
                    None => instrument,
                };
                let is_ours = self.ids.contains_key(&key) || self.wanted.contains(&key);
                let is_changed = catalogue.get(&key) != Some(&instrument);
                if is_ours && (is_changed || is_first) {
                    tell.push(instrument.clone());
                }
                catalogue.insert(key, instrument);
            }
        }
        for instrument in tell {
            // The engine first: its queue hands out inputs before events of markets, so events at
            // a new scale find the engine knowing it.
            let kind = InputKind::Instrument(instrument.clone());
            let _ = self.inputs.send(Input { at: now(), kind }).await;
            let key = (instrument.exchange, instrument.symbol);
            if let (Some(id), Some(connector)) =
                (self.ids.get(&key), self.connectors.get(&instrument.exchange))
            {
                connector.subscribe(*id, instrument, None);
            }
        }
        let (now_listed, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(key, _)| key.0 == exchange);
        self.waiting = waiting;
        let now_listed: BTreeMap<_, Want> = now_listed;
        self.answer(now_listed.into_values().collect()).await;
    }

    fn listed(&self, key: &(Exchange, Symbol)) -> Option<Instrument> {
        let catalogue = self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        catalogue.get(key).cloned()
    }

    async fn answer(&mut self, wants: Vec<Want>) {
        for want in wants {
            let key = (want.exchange, want.symbol);
            self.wanted.insert(key);
            let Some(instrument) = self.listed(&key) else {
                if want.id.is_some() {
                    self.waiting.insert(key, want);
                }
                continue;
            };
            match want.id {
                // Told a moment ago: who asks again so soon would go round and round.
                None if self.told.get(&key).is_some_and(|at| at.elapsed() < TOLD_AGAIN) => {}
                None => {
                    self.told.insert(key, Instant::now());
                    let kind = InputKind::Instrument(instrument);
                    let _ = self.inputs.send(Input { at: now(), kind }).await;
                }
                Some(id) => {
                    if let Some(instrument) = self.keep_scales(key, instrument, want.scales) {
                        self.serve(id, instrument, want);
                    }
                }
            }
        }
    }

    /// The engine keeps a market at the scale at which its orders and lots are: so does the feed.
    fn keep_scales(
        &self,
        key: (Exchange, Symbol),
        listed: Instrument,
        scales: Option<(u8, u8)>,
    ) -> Option<Instrument> {
        let Some((price, quantity)) = scales else { return Some(listed) };
        let Some(kept) = listed.at_scales(price, quantity) else {
            // Prices at another scale than the engine's would be worse than none.
            tracing::warn!(exchange = %key.0, symbol = %key.1, "steps too fine: not subscribed");
            return None;
        };
        let mut catalogue = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
        catalogue.insert(key, kept.clone());
        Some(kept)
    }

    fn serve(&mut self, id: InstrumentId, instrument: Instrument, want: Want) {
        let Some(connector) = self.connectors.get(&want.exchange) else { return };
        if self.ids.insert((want.exchange, want.symbol), id).is_none() {
            self.watched.leave_to_core(want.exchange, want.symbol);
            let resume = want
                .resume
                .map(|(last_print_id, last_print_at)| Resume { last_print_id, last_print_at });
            connector.subscribe(id, instrument.clone(), resume);
        }
        for (timeframe, bars) in want.history {
            let fetching = Arc::clone(&self.fetching);
            let is_new =
                fetching.lock().unwrap_or_else(PoisonError::into_inner).insert((id, timeframe));
            if is_new {
                let (connector, inputs) = (Arc::clone(connector), self.inputs.clone());
                let instrument = instrument.clone();
                self.tasks.spawn(async move {
                    let bars = history(&connector, &instrument, timeframe, bars).await;
                    let kind = InputKind::History { instrument: id, timeframe, bars };
                    let _ = inputs.send(Input { at: now(), kind }).await;
                    fetching
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&(id, timeframe));
                });
            }
        }
        // Finished fetches are not kept.
        while self.tasks.try_join_next().is_some() {}
    }
}

/// A changed instrument as the engine and the connector know it; halted where that cannot be.
fn at_scales_of(known: &Instrument, changed: Instrument) -> Instrument {
    changed.at_scales(known.price_scale, known.quantity_scale).unwrap_or_else(|| {
        let (exchange, symbol) = (changed.exchange, changed.symbol);
        tracing::warn!(%exchange, %symbol, "steps finer than what is kept: halted");
        Instrument { status: InstrumentStatus::Halted, ..known.clone() }
    })
}

/// Closed bars from before; none where they cannot be had, then bots warm up on live ones.
async fn history(
    connector: &Connector,
    instrument: &Instrument,
    timeframe: Timeframe,
    bars: usize,
) -> Vec<domain::Bar> {
    let market = format!("{} {}", instrument.exchange, instrument.symbol);
    for attempt in 1..=HISTORY_TRIES {
        match connector.history(instrument, timeframe, bars).await {
            Ok(bars) => return bars,
            Err(exchanges::ExchangeError::Unsupported(reason)) => {
                tracing::info!(%market, %timeframe, %reason, "no history: warming up live");
                return Vec::new();
            }
            Err(error) => {
                tracing::warn!(%market, %timeframe, %error, attempt, "history not fetched");
                tokio::time::sleep(Duration::from_secs(u64::from(attempt) * 2)).await;
            }
        }
    }
    Vec::new()
}

/// How an exchange's connector is set up, for `run` and for recording alike.
pub(crate) fn connector_config(config: &Config, exchange: Exchange) -> ConnectorConfig {
    let settings = config.exchanges.get(exchange);
    let mut connector = ConnectorConfig::new(exchange);
    connector.rest_url.clone_from(&settings.rest_url);
    connector.stream_url.clone_from(&settings.stream_url);
    connector.feed = match settings.feed {
        Feed::Full => exchanges::FeedMode::Full,
        Feed::Light => exchanges::FeedMode::Light,
    };
    if exchange == Exchange::Luno {
        let interval = config.exchanges.luno_poll_interval_ms;
        connector.poll_interval = Duration::from_millis(u64::from(interval));
        connector.luno_traded_zar = u64::from(config.exchanges.luno_traded_zar);
        connector.luno_key = config.exchanges.luno_key.as_ref().map(|key| exchanges::LunoKey {
            id: key.id.expose().to_owned(),
            secret: key.secret.expose().to_owned(),
        });
    }
    connector
}

/// Returns once everything is told to stop; the sender being gone says the same.
pub async fn stopped(stop: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}
