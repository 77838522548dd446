//! The connector: supervised tasks, and the wishes of who uses it.

use crate::binance::{self, Binance};
use crate::codec::InstrumentList;
use crate::config::{ConnectorConfig, FeedMode, install_tls};
use crate::delivery::{Delivery, DeliveryKind, Outlet, Resume, now};
use crate::error::ExchangeError;
use crate::kucoin::{self, Kucoin};
use crate::luno::{self, Luno};
use crate::pace::Backoff;
use crate::rest::Reply;
use crate::session;
use crate::shard::{Shard, Shared, Wanted};
use crate::status::ConnectorStatus;
use domain::{
    Bar, DataGrade, Exchange, Instrument, InstrumentId, InstrumentStatus, Timeframe, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// One exchange's public side, at work until it is closed or dropped.
pub struct Connector {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Connector {
    /// Starts the tasks; needs a tokio runtime around it. Deliveries go to the bounded `sink`.
    ///
    /// # Errors
    /// Where the HTTP client cannot be built.
    pub fn start(
        config: ConnectorConfig,
        sink: mpsc::Sender<Delivery>,
    ) -> Result<Self, ExchangeError> {
        Self::start_apart(config, sink.clone(), sink)
    }

    /// The same with a sink of their own for the events of markets, the one that is in a hurry;
    /// lists of instruments, round trips and clocks go to `rest`. Between the two there is no order.
    ///
    /// # Errors
    /// Where the HTTP client cannot be built.
    pub fn start_apart(
        config: ConnectorConfig,
        markets: mpsc::Sender<Delivery>,
        rest: mpsc::Sender<Delivery>,
    ) -> Result<Self, ExchangeError> {
        install_tls();
        let shared = Arc::new(Shared::new(config)?);
        let mut tasks = JoinSet::new();
        let outlet = Outlet::new(rest);
        for part in [Part::Instruments, Part::Clock, Part::Listing] {
            let (shared, outlet) = (Arc::clone(&shared), outlet.clone());
            tasks.spawn(supervise(Arc::clone(&shared), move || {
                run_part(part, Arc::clone(&shared), outlet.clone())
            }));
        }
        tasks.spawn(streams(Arc::clone(&shared), Outlet::new(markets)));
        Ok(Self { shared, tasks })
    }

    /// Wants this instrument from now on. Idempotent; with `resume` the prints missed since are
    /// delivered first, as backfilled, or a gap where they cannot be had. An instrument that
    /// changed its scales starts anew; other changes only take effect.
    pub fn subscribe(&self, id: InstrumentId, instrument: Instrument, resume: Option<Resume>) {
        let mut wanted = self.shared.wanted();
        let old = wanted.get(&id);
        let is_same = old.is_some_and(|w| is_same_feed(&w.instrument, &instrument));
        if is_same && old.is_some_and(|w| *w.instrument == instrument) {
            return;
        }
        let (shard, version, resume) = match old {
            Some(w) if is_same => (w.shard, w.version, w.resume),
            Some(w) => (w.shard, w.version + 1, resume),
            None => {
                let version = *self.shared.changed.borrow() + 1;
                (free_shard(&wanted, &self.shared.config), version, resume)
            }
        };
        let instrument = Arc::new(instrument);
        wanted.insert(id, Wanted { instrument, resume, shard, version });
        drop(wanted);
        self.shared.changed.send_modify(|n| *n += 1);
    }

    /// Does not want it any more. Idempotent.
    pub fn unsubscribe(&self, id: InstrumentId) {
        if self.shared.wanted().remove(&id).is_some() {
            self.shared.changed.send_modify(|n| *n += 1);
        }
    }

    /// Up to `bars` closed bars before now, oldest first.
    ///
    /// # Errors
    /// [`ExchangeError::Unsupported`] says what would help where an exchange has no such history.
    pub async fn history(
        &self,
        instrument: &Instrument,
        timeframe: Timeframe,
        bars: usize,
    ) -> Result<Vec<Bar>, ExchangeError> {
        crate::history::fetch(&self.shared, instrument, timeframe, bars, now()).await
    }

    /// The closed bars that start in `from..until`, oldest first, at most [`crate::BARS_MAX`] of
    /// them. Where Binance has none its machines stood still: that hole stays. Elsewhere a bar
    /// without a trade is missing on the wire: the previous close is carried on.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn bars(
        &self,
        instrument: &Instrument,
        timeframe: Timeframe,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Bar>, ExchangeError> {
        crate::history::between(&self.shared, instrument, timeframe, from, until).await
    }

    /// How it stands.
    pub fn status(&self) -> ConnectorStatus {
        self.shared.stats.snapshot(self.shared.rest.usage())
    }

    /// Leaves so many keys their part of what the exchange permits an address.
    pub fn share_with(&self, keys: u32) {
        self.shared.rest.share_with(keys);
    }

    /// Fetches the instrument list again, soon.
    pub fn reload(&self) {
        self.shared.reload.notify_one();
    }

    /// Ends every task and its connections.
    ///
    /// # Errors
    /// Where a task had ended badly.
    pub async fn close(mut self) -> Result<(), ExchangeError> {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            if let Some(panic) = ended.err().filter(|e| e.is_panic()) {
                return Err(ExchangeError::Internal(panic.to_string()));
            }
        }
        Ok(())
    }
}

fn is_same_feed(a: &Instrument, b: &Instrument) -> bool {
    (&a.native, a.price_scale, a.quantity_scale) == (&b.native, b.price_scale, b.quantity_scale)
}

/// Luno's limit of stream sessions; what is wanted beyond it is polled.
const LUNO_SESSIONS: usize = 50;

fn shard_size(config: &ConnectorConfig, shard: usize) -> usize {
    match config.exchange {
        Exchange::Binance => binance::SYMBOLS_PER_SOCKET,
        Exchange::Kucoin => kucoin::SYMBOLS_PER_SOCKET,
        Exchange::Luno if config.luno_key.is_some() && shard < LUNO_SESSIONS => 1,
        Exchange::Luno => usize::MAX,
    }
}

fn free_shard(wanted: &BTreeMap<InstrumentId, Wanted>, config: &ConnectorConfig) -> usize {
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for w in wanted.values() {
        *taken.entry(w.shard).or_default() += 1;
    }
    let is_free =
        |shard: &usize| taken.get(shard).copied().unwrap_or_default() < shard_size(config, *shard);
    // There is one more shard than subscriptions, so one of these is free.
    (0..=wanted.len()).find(is_free).unwrap_or_default()
}

/// Starts a task for each shard in use, and starts it again should it end badly.
async fn streams(shared: Arc<Shared>, outlet: Outlet) {
    let mut wishes = shared.changed.subscribe();
    let mut running = BTreeSet::new();
    let mut tasks = JoinSet::new();
    loop {
        let used: BTreeSet<usize> = shared.wanted().values().map(|w| w.shard).collect();
        for shard in used {
            if running.insert(shard) {
                let (shared, outlet) = (Arc::clone(&shared), outlet.clone());
                tasks.spawn(supervise(Arc::clone(&shared), move || {
                    run_shard(shard, Arc::clone(&shared), outlet.clone())
                }));
            }
        }
        if wishes.changed().await.is_err() {
            return;
        }
    }
}

/// Restarts what panics, with backoff; ends with what ends by itself.
async fn supervise<F, T>(shared: Arc<Shared>, make: F)
where
    F: Fn() -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let timings = &shared.config.timings;
    let mut backoff = Backoff::new(timings.backoff_min, timings.backoff_max);
    loop {
        // A set of one: it is aborted with us.
        let mut task = JoinSet::new();
        task.spawn(make());
        match task.join_next().await {
            Some(Err(e)) if e.is_panic() => {
                shared.stats.count(|c| c.restarts += 1);
                tracing::error!(exchange = shared.config.exchange.name(), error = %e, "restarted");
                tokio::time::sleep(backoff.next_wait()).await;
            }
            _ => return,
        }
    }
}

#[derive(Clone, Copy)]
enum Part {
    Instruments,
    Clock,
    Listing,
}

async fn run_part(part: Part, shared: Arc<Shared>, outlet: Outlet) {
    match part {
        Part::Instruments => keep_instruments(&shared, &outlet).await,
        Part::Listing => crate::listing::watch(&shared).await,
        Part::Clock => keep_clock(&shared, &outlet).await,
    }
}

async fn run_shard(index: usize, shared: Arc<Shared>, outlet: Outlet) {
    let wishes = shared.changed.subscribe();
    let timings = shared.config.timings.clone();
    match shared.config.exchange {
        Exchange::Binance => {
            let grade = match shared.config.feed {
                FeedMode::Full => DataGrade::L2Trades,
                FeedMode::Light => DataGrade::L1Trades,
            };
            let shard = Shard::new(shared, index, grade, timings.silence, outlet);
            session::drive(shard, Binance::default(), wishes).await;
        }
        Exchange::Kucoin => {
            // Pongs and frames are its proof of life; both come within one ping and its timeout.
            let silence = (timings.ping_every + timings.pong_timeout).min(timings.silence);
            let shard = Shard::new(shared, index, DataGrade::L2Trades, silence, outlet);
            session::drive(shard, Kucoin::default(), wishes).await;
        }
        Exchange::Luno if shared.config.luno_key.is_some() && index < LUNO_SESSIONS => {
            let shard = Shard::new(shared, index, DataGrade::L3, timings.silence, outlet);
            session::drive(shard, Luno::default(), wishes).await;
        }
        Exchange::Luno => {
            let shard = Shard::new(shared, index, DataGrade::Polled, timings.silence, outlet);
            luno::poll::drive(shard, wishes).await;
        }
    }
}

async fn fetch_list(shared: &Shared) -> Result<InstrumentList, ExchangeError> {
    match shared.config.exchange {
        Exchange::Binance => binance::instruments(shared).await,
        Exchange::Kucoin => kucoin::instruments(shared).await,
        Exchange::Luno => luno::instruments(shared).await,
    }
}

async fn keep_instruments(shared: &Shared, outlet: &Outlet) {
    let timings = &shared.config.timings;
    let mut backoff = Backoff::new(timings.backoff_min, timings.backoff_max);
    let mut known: BTreeMap<String, Instrument> = BTreeMap::new();
    loop {
        let wait = match fetch_list(shared).await {
            // A list that lost half of itself is a fault of theirs, not a mass delisting.
            Ok(list) if list.instruments.len() < known.len() / 2 => {
                let (exchange, count) = (shared.config.exchange.name(), list.instruments.len());
                tracing::warn!(exchange, count, "instrument list shrank by half: not believed");
                backoff.next_wait()
            }
            Ok(list) => {
                backoff.reset();
                for error in &list.refused {
                    shared.stats.refused(error, "-");
                }
                let merged = with_delisted(&mut known, list.instruments);
                shared.stats.instruments(merged.len());
                if outlet.say(DeliveryKind::Instruments(merged)).await.is_err() {
                    return;
                }
                timings.instruments_every
            }
            Err(ExchangeError::Fatal(why)) => {
                shared.stats.fatal(&why);
                shared.changed.send_modify(|n| *n += 1);
                return;
            }
            Err(error) => {
                let exchange = shared.config.exchange.name();
                tracing::warn!(exchange, %error, "instruments not refreshed");
                shared.stats.unreachable(error.to_string());
                backoff.next_wait()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.reload.notified() => {}
        }
    }
}

/// What vanished from the list is kept as delisted: somebody may hold it.
fn with_delisted(
    known: &mut BTreeMap<String, Instrument>,
    listed: Vec<Instrument>,
) -> Vec<Instrument> {
    for old in known.values_mut() {
        old.status = InstrumentStatus::Delisted;
    }
    for instrument in listed {
        known.insert(instrument.native.clone(), instrument);
    }
    known.values().cloned().collect()
}

/// The exchange's time, and to what it is rounded down.
async fn fetch_time(shared: &Shared) -> Result<(Reply, i64, i64), ExchangeError> {
    match shared.config.exchange {
        Exchange::Binance => binance::time(shared).await.map(|(r, t)| (r, t, 1_000_000)),
        Exchange::Kucoin => kucoin::time(shared).await.map(|(r, t)| (r, t, 1_000_000)),
        // The Date header is cut to the second.
        Exchange::Luno => luno::time(shared).await.map(|(r, t)| (r, t, 1_000_000_000)),
    }
}

/// A measurement that failed is made again after this.
const CLOCK_RETRY: Duration = Duration::from_secs(5);

/// Measurements that feeds ask for are at least this far apart.
const CLOCK_LEAST: Duration = Duration::from_secs(2);

async fn keep_clock(shared: &Shared, outlet: &Outlet) {
    let mut bounds: Option<(i64, i64)> = None;
    let mut doubt = ClockDoubt::default();
    loop {
        let mut wait = shared.config.timings.clock_every.min(CLOCK_RETRY);
        if let Ok((reply, time, unit)) = fetch_time(shared).await {
            wait = shared.config.timings.clock_every;
            let now_bounds =
                (time - reply.received_at.0, time.saturating_add(unit) - reply.asked_at.0);
            let jump = doubt.judge(bounds, now_bounds, reply.received_at, Instant::now());
            shared.set_clock_off(jump);
            if jump != 0 {
                tracing::warn!(exchange = shared.config.exchange.name(), jump, "clock jumped");
                tokio::time::sleep(CLOCK_LEAST).await;
                continue;
            }
            let (lower, upper) = narrowed(bounds, now_bounds, shared.config.timings.clock_every);
            bounds = Some((lower, upper));
            shared.set_clock(lower, upper);
            let clock = DeliveryKind::Clock { offset_lower_ns: lower, offset_upper_ns: upper };
            let trip = DeliveryKind::RoundTrip(reply.round_trip);
            if outlet.say(trip).await.is_err() || outlet.say(clock).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.measure.notified() => tokio::time::sleep(CLOCK_LEAST).await,
        }
    }
}

/// A jump of the exchange's clock by more than this is not believed at once.
const JUMP_MAX_NS: i64 = 5_000_000_000;

/// What is measured for this long is believed after all.
const DOUBT_MAX: Duration = Duration::from_secs(600);

/// Which clock jumped? Bars follow the exchange's: taken an hour ahead by mistake, they would stand
/// still for an hour. Our own clock is judged by the one that nobody can set.
#[derive(Default)]
struct ClockDoubt {
    last: Option<(domain::Timestamp, Instant)>,
    since: Option<Instant>,
}

impl ClockDoubt {
    /// Seconds of a jump that is not believed; 0: these bounds are.
    fn judge(
        &mut self,
        before: Option<(i64, i64)>,
        bounds: (i64, i64),
        at: domain::Timestamp,
        mono: Instant,
    ) -> i64 {
        let jump = before.map_or(0, |b| (bounds.0 - b.1).max(0) - (b.0 - bounds.1).max(0));
        let ours = self.last.map_or(0, |(wall, then)| {
            let passed = i64::try_from((mono - then).as_nanos()).unwrap_or(i64::MAX);
            (at - wall).0.saturating_sub(passed)
        });
        if jump.abs() <= JUMP_MAX_NS || ours.abs() > JUMP_MAX_NS / 2 {
            (self.last, self.since) = (Some((at, mono)), None);
            return 0;
        }
        let since = *self.since.get_or_insert(mono);
        if mono - since >= DOUBT_MAX {
            (self.last, self.since) = (Some((at, mono)), None);
            return 0;
        }
        jump / 1_000_000_000
    }
}

/// Clocks may drift apart by this much: 100 µs a second is more than any we have met.
const DRIFT_PER_SECOND_NS: i64 = 100_000;

/// What is known now, narrowed by what was known before, widened by the drift since. Bounds that
/// contradict each other mean that a clock was set: only the new ones count.
fn narrowed(before: Option<(i64, i64)>, now: (i64, i64), since: Duration) -> (i64, i64) {
    let Some((lower, upper)) = before else { return now };
    let drift = i64::try_from(since.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
    let drift = drift.saturating_mul(DRIFT_PER_SECOND_NS);
    let both = (now.0.max(lower.saturating_sub(drift)), now.1.min(upper.saturating_add(drift)));
    if both.0 <= both.1 { both } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_bounds_narrow_and_start_anew_when_a_clock_was_set() {
        let second = Duration::ZERO;
        assert_eq!(narrowed(None, (0, 1_000), second), (0, 1_000));
        assert_eq!(
            narrowed(Some((0, 1_000_000)), (500_000, 9_000_000), second),
            (500_000, 1_100_000)
        );
        assert_eq!(narrowed(Some((0, 10)), (9_000_000, 9_000_001), second), (9_000_000, 9_000_001));
    }

    #[test]
    fn jump_of_the_exchanges_clock_is_doubted_and_one_of_ours_is_not() {
        let (start, hour) = (Instant::now(), 3_600_000_000_000);
        let after = |s: u64| start + Duration::from_secs(s);
        let wall = |s: i64| domain::Timestamp(s * 1_000_000_000);
        let mut doubt = ClockDoubt::default();
        assert_eq!(doubt.judge(None, (0, 1), wall(0), after(0)), 0);
        let theirs = (hour, hour + 1);
        assert_eq!(doubt.judge(Some((0, 1)), theirs, wall(2), after(2)), 3_599);
        assert_eq!(doubt.judge(Some((0, 1)), (0, 1), wall(4), after(4)), 0);
        assert_eq!(doubt.judge(Some((0, 1)), theirs, wall(6), after(6)), 3_599);
        assert_eq!(doubt.judge(Some((0, 1)), theirs, wall(606), after(606)), 0, "in the end");
        let mut doubt = ClockDoubt::default();
        assert_eq!(doubt.judge(None, (0, 1), wall(4_000), after(0)), 0);
        assert_eq!(doubt.judge(Some((0, 1)), theirs, wall(402), after(2)), 0, "ours was set back");
    }

    fn wanted_on(shards: &[usize]) -> BTreeMap<InstrumentId, Wanted> {
        let body = br#"{"markets":[{"market_id":"XBTZAR","trading_status":"ACTIVE","base_currency":"XBT","counter_currency":"ZAR","min_volume":"1","max_volume":"9","volume_scale":4,"min_price":"1","max_price":"9","price_scale":0}]}"#;
        let list = crate::codec::luno::decode_markets(body).unwrap();
        let instrument = Arc::new(list.instruments[0].clone());
        let want = |(i, shard): (usize, &usize)| {
            let instrument = Arc::clone(&instrument);
            let wanted = Wanted { instrument, resume: None, shard: *shard, version: 1 };
            (InstrumentId(i as u32), wanted)
        };
        shards.iter().enumerate().map(want).collect()
    }

    #[test]
    fn keyed_luno_has_a_socket_a_pair_up_to_its_limit_and_polls_the_rest() {
        let mut config = ConnectorConfig::new(Exchange::Luno);
        assert_eq!(free_shard(&wanted_on(&[0, 0, 0]), &config), 0);
        config.luno_key = Some(crate::LunoKey { id: String::new(), secret: String::new() });
        assert_eq!(free_shard(&wanted_on(&[0, 2]), &config), 1);
        let full: Vec<_> = (0..LUNO_SESSIONS).collect();
        assert_eq!(free_shard(&wanted_on(&full), &config), LUNO_SESSIONS);
        let binance = ConnectorConfig::new(Exchange::Binance);
        let full = vec![0; binance::SYMBOLS_PER_SOCKET];
        assert_eq!(free_shard(&wanted_on(&full), &binance), 1);
    }

    #[test]
    fn vanished_instrument_is_told_as_delisted_and_comes_back() {
        let one = wanted_on(&[0])[&InstrumentId(0)].instrument.as_ref().clone();
        let mut known = BTreeMap::new();
        let status = |list: Vec<Instrument>| list[0].status;
        assert_eq!(status(with_delisted(&mut known, vec![one.clone()])), InstrumentStatus::Trading);
        assert_eq!(status(with_delisted(&mut known, vec![])), InstrumentStatus::Delisted);
        assert_eq!(status(with_delisted(&mut known, vec![one])), InstrumentStatus::Trading);
    }
}
