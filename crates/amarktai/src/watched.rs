//! Markets that a page looks at and no bot trades: subscribed for as long as somebody asks, kept
//! beside the core, so that what people look at changes nothing of what bots do.
//!
//! A market that a bot comes to trade is the core's from then on.

use crate::core_loop::{Catalogue, now};
use crate::feeds::FeedsStatus;
use domain::{
    DataGrade, Exchange, FeedState, Instrument, InstrumentId, MarketEvent, Print, Symbol,
    Timeframe, Timestamp,
};
use engine::view::{BarView, BookView, MarketSeen, MarketView};
use exchanges::ExchangeError;
use futures_util::future::{BoxFuture, FutureExt};
use market::Book;
use server::{Watch, WatchError};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Ids from here on are ours; the core interns from zero and never gets this far.
const FIRST_ID: u32 = 1 << 24;
/// Subscriptions that no bot needs, of an exchange that pushes: one socket carries them.
const PUSHED_MAX: usize = 20;
/// Luno is polled inside its limit, so each one slows the quotes of the bots.
const POLLED_MAX: usize = 4;
/// A page asks every few seconds; a minute without it has been closed.
const KEPT: Duration = Duration::from_secs(60);
/// For the first quote: a snapshot takes a second or two.
const FIRST_QUOTE_WAIT: Duration = Duration::from_secs(4);
/// History is fetched for so many pages at once; the limits of the exchange are for bots.
const FETCHES_MAX: usize = 2;
/// For history, waiting for a turn included; below the server's own limit.
const FETCH_TIME: Duration = Duration::from_secs(15);
/// History that was fetched is shown this long.
const FETCHED_KEPT: Duration = Duration::from_secs(5);
/// Fetched histories in memory, of 1,000 bars at most.
const FETCHED_MAX: usize = 64;

type Key = (Exchange, Symbol);

/// See the module.
pub struct Watched {
    feeds: Arc<FeedsStatus>,
    catalogue: Catalogue,
    inner: Mutex<Inner>,
    news: Notify,
    fetches: Semaphore,
}

#[derive(Default)]
struct Inner {
    next_id: u32,
    markets: HashMap<InstrumentId, Market>,
    /// The core's, for good.
    taken: HashSet<Key>,
    fetched: HashMap<(Key, Timeframe), Fetched>,
}

struct Market {
    instrument: Instrument,
    feed: FeedState,
    grade: DataGrade,
    book: Book,
    last_print: Option<Print>,
    last_event_at: Option<Timestamp>,
    prints: u64,
    asked_at: Instant,
}

struct Fetched {
    at: Instant,
    limit: usize,
    bars: Vec<BarView>,
}

impl Watched {
    /// Nothing is watched yet.
    pub fn new(feeds: Arc<FeedsStatus>, catalogue: Catalogue) -> Self {
        let fetches = Semaphore::new(FETCHES_MAX);
        Self { feeds, catalogue, inner: Mutex::default(), news: Notify::new(), fetches }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event of one of our subscriptions; says whether it was ours.
    pub fn take(&self, id: InstrumentId, event: &MarketEvent, at: Timestamp) -> bool {
        if id.0 < FIRST_ID {
            return false;
        }
        // One that has just been given up still speaks for a moment.
        let is_news =
            self.inner().markets.get_mut(&id).is_some_and(|market| market.take(event, at));
        if is_news {
            self.news.notify_waiters();
        }
        true
    }

    /// The core subscribes to it now: ours ends first, as a connector knows each market once.
    pub fn leave_to_core(&self, exchange: Exchange, symbol: Symbol) {
        let mut inner = self.inner();
        inner.taken.insert((exchange, symbol));
        let is_it = |m: &Market| m.instrument.exchange == exchange && m.instrument.symbol == symbol;
        self.end(&mut inner, is_it);
        drop(inner);
        self.news.notify_waiters();
    }

    /// Gives up what nobody asked for any more; to be called every few seconds.
    pub fn sweep(&self) {
        let mut inner = self.inner();
        self.end(&mut inner, |market| market.asked_at.elapsed() >= KEPT);
        inner.fetched.retain(|_, fetched| fetched.at.elapsed() < FETCHED_KEPT);
    }

    fn end(&self, inner: &mut Inner, is_over: impl Fn(&Market) -> bool) {
        inner.markets.retain(|id, market| {
            let is_over = is_over(market);
            if is_over && let Some(connector) = self.feeds.connector(market.instrument.exchange) {
                connector.unsubscribe(*id);
            }
            !is_over
        });
    }

    /// The subscription of this market, made where there is none.
    fn subscribe(&self, key: Key) -> Result<InstrumentId, WatchError> {
        let instrument = self.listed(key)?;
        let connector = self.feeds.connector(key.0).ok_or(WatchError::NotListed)?;
        let mut inner = self.inner();
        let known = inner.markets.iter_mut().find(|(_, market)| market.key() == key);
        if let Some((id, market)) = known {
            market.asked_at = Instant::now();
            return Ok(*id);
        }
        if inner.taken.contains(&key) {
            return Err(WatchError::Taken);
        }
        let limit = if key.0 == Exchange::Luno { POLLED_MAX } else { PUSHED_MAX };
        if inner.markets.values().filter(|m| m.instrument.exchange == key.0).count() >= limit {
            return Err(WatchError::Full { exchange: key.0, limit });
        }
        let id = InstrumentId(FIRST_ID + inner.next_id);
        inner.next_id = (inner.next_id + 1) % FIRST_ID;
        inner.markets.insert(id, Market::new(instrument.clone()));
        connector.subscribe(id, instrument, None);
        Ok(id)
    }

    fn listed(&self, key: Key) -> Result<Instrument, WatchError> {
        let catalogue = self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        catalogue.get(&key).cloned().ok_or(WatchError::NotListed)
    }

    /// What `show` makes of the market, after a moment for its first quote.
    async fn look<T>(&self, key: Key, show: impl Fn(&Market) -> T) -> Result<T, WatchError> {
        let id = self.subscribe(key)?;
        let deadline = Instant::now() + FIRST_QUOTE_WAIT;
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let inner = self.inner();
                let market = inner.markets.get(&id).ok_or(WatchError::Taken)?;
                if market.is_quoted() || Instant::now() >= deadline {
                    return Ok(show(market));
                }
            }
            let _late = tokio::time::timeout_at(deadline, news).await;
        }
    }

    async fn history(
        &self,
        key: Key,
        timeframe: Timeframe,
        limit: usize,
    ) -> Result<Vec<BarView>, WatchError> {
        let instrument = self.listed(key)?;
        if let Some(bars) = self.fetched(key, timeframe, limit) {
            return Ok(bars);
        }
        let connector = self.feeds.connector(key.0).ok_or(WatchError::NotListed)?;
        let fetch = async {
            let _turn = self.fetches.acquire().await;
            // Somebody before us in the row may have asked for the same.
            if let Some(bars) = self.fetched(key, timeframe, limit) {
                return Ok(bars);
            }
            let bars = connector.history(&instrument, timeframe, limit).await.map_err(refused)?;
            let bars: Vec<BarView> = bars.iter().map(|bar| BarView::of(&instrument, bar)).collect();
            self.keep((key, timeframe), limit, bars.clone());
            Ok(bars)
        };
        let late = |_| WatchError::Unreachable(format!("{} does not answer in time", key.0));
        tokio::time::timeout(FETCH_TIME, fetch).await.map_err(late)?
    }

    fn fetched(&self, key: Key, timeframe: Timeframe, limit: usize) -> Option<Vec<BarView>> {
        let inner = self.inner();
        let found = inner.fetched.get(&(key, timeframe))?;
        let is_fit = found.at.elapsed() < FETCHED_KEPT && found.limit >= limit;
        is_fit.then(|| found.bars[found.bars.len().saturating_sub(limit)..].to_vec())
    }

    fn keep(&self, key: (Key, Timeframe), limit: usize, bars: Vec<BarView>) {
        let mut inner = self.inner();
        if inner.fetched.len() >= FETCHED_MAX {
            inner.fetched.clear();
        }
        inner.fetched.insert(key, Fetched { at: Instant::now(), limit, bars });
    }
}

impl Watch for Watched {
    fn market(
        &self,
        exchange: Exchange,
        symbol: Symbol,
    ) -> BoxFuture<'_, Result<MarketView, WatchError>> {
        self.look((exchange, symbol), |market| market.seen().view(now())).boxed()
    }

    fn book(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        depth: usize,
    ) -> BoxFuture<'_, Result<BookView, WatchError>> {
        self.look((exchange, symbol), move |market| market.seen().book(depth)).boxed()
    }

    fn bars(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        timeframe: Timeframe,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<BarView>, WatchError>> {
        self.history((exchange, symbol), timeframe, limit).boxed()
    }
}

fn refused(error: ExchangeError) -> WatchError {
    match error {
        ExchangeError::Unsupported(reason) => WatchError::Unsupported(reason),
        other => WatchError::Unreachable(other.to_string()),
    }
}

impl Market {
    fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            feed: FeedState::Resyncing("subscribing".to_owned()),
            grade: DataGrade::L2Trades,
            book: Book::default(),
            last_print: None,
            last_event_at: None,
            prints: 0,
            asked_at: Instant::now(),
        }
    }

    const fn key(&self) -> Key {
        (self.instrument.exchange, self.instrument.symbol)
    }

    fn is_quoted(&self) -> bool {
        self.feed.is_fresh() && self.book.quote().is_some()
    }

    /// Says whether it is the first quote, for which somebody may wait.
    fn take(&mut self, event: &MarketEvent, at: Timestamp) -> bool {
        let was_quoted = self.is_quoted();
        self.last_event_at = Some(at);
        match event {
            MarketEvent::Print(print) => {
                self.prints += 1;
                self.last_print = Some(*print);
            }
            MarketEvent::Touch(touch) => drop(self.book.apply_touch(touch)),
            MarketEvent::Book(update) => self.book.apply(update),
            MarketEvent::Feed { state, grade } => {
                self.feed = state.clone();
                self.grade = *grade;
                // No price of a broken sequence is shown.
                if !state.is_fresh() {
                    self.book.clear();
                }
            }
            // Connectors deliver no bars as events; only backtests do.
            MarketEvent::Gap { .. } | MarketEvent::Bar(_) | MarketEvent::Withdrawn(_) => {}
        }
        !was_quoted && self.is_quoted()
    }

    fn seen(&self) -> MarketSeen<'_> {
        MarketSeen {
            instrument: &self.instrument,
            feed: &self.feed,
            grade: self.grade,
            book: &self.book,
            last_print: self.last_print,
            last_priced_at: self.last_event_at,
            prints: self.prints,
        }
    }
}
