//! The subscriptions of one socket (or one poller), and all that is the same for every exchange:
//! judging, delivering, refusing, ordering prints.

use crate::codec::DecodeError;
use crate::delivery::{Outlet, now};
use crate::depth::Depth;
use crate::error::ExchangeError;
use crate::prints::{Fetched, Item, Live, PrintTape};
pub(crate) use crate::shared::{Shared, Wanted};
use crate::watch::{BookHealth, Drip, Life, Probe, Watch};
use domain::{
    BookUpdate, DataGrade, Exchange, FeedState, Instrument, InstrumentId, MarketEvent, Print,
    Timestamp, Touch,
};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Why a task leaves what it does.
#[derive(Debug)]
pub(crate) enum End {
    /// Nobody listens any more.
    Sink,
    /// Connect again: why.
    Reconnect(String),
    /// Connect anew and change over, the old one still works: why.
    Replace(&'static str),
    /// Stop for good: why.
    Fatal(String),
}

pub(crate) type Flow = Result<(), End>;

/// One subscription.
pub(crate) struct Feed<B> {
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) version: u64,
    pub(crate) watch: Watch,
    pub(crate) tape: PrintTape,
    pub(crate) depth: Depth,
    /// The exchange's own rules of sequence.
    pub(crate) book: B,
    /// The exchange accepted the subscription: the socket's life is its life.
    pub(crate) is_acked: bool,
    /// When it was last asked for.
    pub(crate) asked_at: Instant,
    clock_sets: u32,
}

/// Results of calls made beside the stream.
pub(crate) type Jobs<J> = JoinSet<(InstrumentId, u64, J)>;

/// See the module. `B`: sequence state per book; `J`: result of a call made beside the stream.
pub(crate) struct Shard<B, J> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) grade: DataGrade,
    pub(crate) feeds: BTreeMap<InstrumentId, Feed<B>>,
    pub(crate) jobs: Jobs<J>,
    /// Control frames not sent yet; bounded by the subscriptions.
    pub(crate) outgoing: VecDeque<String>,
    pub(crate) outlet: Outlet,
    pub(crate) link: Result<(), String>,
    pub(crate) probe: Probe,
    by_native: FxHashMap<String, InstrumentId>,
    life: Life,
    silence: Duration,
}

/// A connection that drips for this long is given up: another one may be faster.
const DRIP_MAX: Duration = Duration::from_secs(20);

/// What a change of wishes means on the wire.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) added: Vec<InstrumentId>,
    pub(crate) removed: Vec<String>,
}

impl<B: Default, J: Send + 'static> Shard<B, J> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        index: usize,
        grade: DataGrade,
        silence: Duration,
        outlet: Outlet,
    ) -> Self {
        Self {
            shared,
            index,
            grade,
            feeds: BTreeMap::new(),
            jobs: JoinSet::new(),
            outgoing: VecDeque::new(),
            outlet,
            link: Err("connecting".into()),
            probe: Probe::default(),
            by_native: FxHashMap::default(),
            life: Life::default(),
            silence,
        }
    }

    pub(crate) fn id_of(&self, native: &str) -> Option<InstrumentId> {
        self.by_native.get(native).copied()
    }

    pub(crate) fn exchange(&self) -> Exchange {
        self.shared.config.exchange
    }

    /// Brings the feeds in line with what is wanted of this shard.
    pub(crate) fn take_changes(&mut self) -> Changes {
        let wanted: BTreeMap<_, _> = {
            let all = self.shared.wanted();
            let mine = all.iter().filter(|(_, w)| w.shard == self.index);
            mine.map(|(id, w)| (*id, w.clone())).collect()
        };
        let mut changes = Changes::default();
        let is_gone = |id: &InstrumentId, feed: &Feed<B>| {
            wanted.get(id).is_none_or(|w| w.version != feed.version)
        };
        let gone: Vec<_> =
            self.feeds.iter().filter(|(id, f)| is_gone(id, f)).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(feed) = self.feeds.remove(&id) {
                self.by_native.remove(&feed.instrument.native);
                self.outlet.forget(id);
                self.shared.stats.forget(id.0);
                changes.removed.push(feed.instrument.native.clone());
            }
        }
        for (id, want) in wanted {
            match self.feeds.get_mut(&id) {
                Some(feed) => feed.instrument = want.instrument,
                None => {
                    self.by_native.insert(want.instrument.native.clone(), id);
                    self.feeds.insert(id, self.feed(want));
                    changes.added.push(id);
                }
            }
        }
        changes
    }

    fn feed(&self, want: Wanted) -> Feed<B> {
        Feed {
            instrument: want.instrument,
            version: want.version,
            watch: Watch::new(),
            tape: PrintTape::new(self.exchange() == Exchange::Binance, want.resume),
            depth: Depth::default(),
            book: B::default(),
            is_acked: false,
            asked_at: Instant::now(),
            clock_sets: self.shared.clock_sets(),
        }
    }

    /// The exchange said something.
    pub(crate) fn alive(&mut self) {
        self.life.spoke(Instant::now());
        self.probe.alive();
        self.shared.stats.frame(self.index);
    }

    /// It answered a ping of the protocol: no word of the exchange's own.
    pub(crate) fn answered(&mut self) {
        self.life.answered(Instant::now());
        self.probe.answered();
    }

    /// A connection that fell silent, or that has never answered yet, is asked whether it lives.
    /// KuCoin asks with pings of its own: protocol pings are not used there.
    pub(crate) fn ask_for_life(&mut self, now: Instant) {
        if self.exchange() != Exchange::Kucoin && self.outgoing.is_empty() {
            self.probe.ask(self.is_quiet(now));
        }
    }

    /// Has nothing been read for a moment?
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        self.life.is_quiet(now, self.shared.config.timings.probe_after)
    }

    pub(crate) fn has_to_send(&self) -> bool {
        !self.outgoing.is_empty() || self.probe.is_due()
    }

    /// A subscription drips for so long that another connection should be tried.
    pub(crate) fn drips_too_long(&self, now: Instant) -> bool {
        let limit = self.shared.config.timings.drip_limit;
        let is_long = |at: Instant| now.saturating_duration_since(at) > DRIP_MAX;
        self.feeds.values().any(|f| f.watch.drip.since(limit).is_some_and(is_long))
    }

    /// How long a subscription may say nothing; pollers adapt it to their rounds.
    pub(crate) fn set_silence(&mut self, silence: Duration) {
        self.silence = silence;
    }

    pub(crate) fn link_is_silent(&self, now: Instant) -> bool {
        self.life.is_silent(now, self.silence)
    }

    /// The socket stands: nothing received before counts.
    pub(crate) fn linked(&mut self) {
        self.link = Ok(());
        self.probe = Probe::default();
        self.life = Life::begun(Instant::now());
    }

    /// The socket is gone: every subscription is stale at once, and its book starts anew.
    pub(crate) async fn unlinked(&mut self, why: String) -> Flow {
        self.link = Err(format!("disconnected: {why}"));
        self.outgoing.clear();
        self.jobs.abort_all();
        self.jobs = JoinSet::new();
        for feed in self.feeds.values_mut() {
            feed.is_acked = false;
            feed.book = B::default();
            feed.watch.book = BookHealth::Resyncing("waiting for the first book".into());
            feed.watch.drip = Drip::default();
            feed.watch.is_touch_refused = false;
            feed.tape.abandon_repair();
        }
        self.judge_all().await
    }

    pub(crate) async fn emit(
        &mut self,
        id: InstrumentId,
        at: Timestamp,
        event: MarketEvent,
    ) -> Flow {
        self.outlet.send(id, at, event).await.map_err(|_| End::Sink)
    }

    pub(crate) async fn judge_all(&mut self) -> Flow {
        let ids: Vec<_> = self.feeds.keys().copied().collect();
        for id in ids {
            self.judge(id).await?;
        }
        Ok(())
    }

    /// Judges one subscription and tells it if that changed.
    pub(crate) async fn judge(&mut self, id: InstrumentId) -> Flow {
        let (link_alive, now_mono) = (self.life.spoke_at(), Instant::now());
        let Some(feed) = self.feeds.get_mut(&id) else { return Ok(()) };
        if feed.is_acked {
            feed.watch.alive_at = feed.watch.alive_at.max(link_alive);
        }
        let fatal = self.shared.stats.fatal_reason();
        let timings = &self.shared.config.timings;
        let link = match &fatal {
            Some(why) => Err(why.as_str()),
            None if self.probe.unanswered(now_mono, timings.probe_timeout) => {
                Err("silent: no answer to a ping")
            }
            None if self.shared.is_clock_off() => Err("the exchange's clock jumped"),
            None => self.link.as_ref().copied().map_err(String::as_str),
        };
        let drip_limit = timings.drip_limit;
        let state = match feed.watch.judge(link, self.silence, drip_limit, now_mono) {
            // Bars that time closes would lack them.
            FeedState::Fresh if feed.tape.is_owed() => {
                FeedState::Resyncing("trades that were missed are fetched".into())
            }
            state => state,
        };
        let Some(state) = feed.watch.changed(state) else { return Ok(()) };
        let native = feed.instrument.native.clone();
        self.shared.stats.judged(id.0, &native, state.clone());
        if let FeedState::Stale(why) | FeedState::Resyncing(why) = &state {
            tracing::info!(exchange = self.exchange().name(), symbol = native, why, "feed");
        }
        let grade = self.grade;
        self.emit(id, now(), MarketEvent::Feed { state, grade }).await
    }

    /// The book is wrong: says so at once.
    pub(crate) async fn resyncing(&mut self, id: InstrumentId, why: &str) -> Flow {
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.watch.book = BookHealth::Resyncing(why.to_owned());
        }
        self.judge(id).await
    }

    /// The book is wrong and the next one may take a while: says so at once.
    pub(crate) async fn broken(&mut self, id: InstrumentId, why: String) -> Flow {
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.watch.book = BookHealth::Broken(why);
        }
        self.judge(id).await
    }

    /// Counts and names a refused payload. A number too fine means that the filters changed.
    pub(crate) fn refused(&self, id: Option<InstrumentId>, error: &DecodeError) {
        let feed = id.and_then(|id| self.feeds.get(&id));
        let symbol = feed.map_or("-", |f| f.instrument.native.as_str());
        self.shared.stats.refused(error, symbol);
        if error.is_too_precise() {
            self.shared.reload.notify_one();
        }
    }

    /// A touch could not be read: no price until the next one that can be.
    pub(crate) async fn touch_refused(&mut self, id: InstrumentId) -> Flow {
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.watch.is_touch_refused = true;
        }
        self.judge(id).await
    }

    /// An event's exchange time, for the judgement whether the feed drips.
    pub(crate) fn timed(&mut self, id: InstrumentId, event_at: Timestamp, at: Timestamp) {
        let (offset, sets) = (self.shared.clock_bounds(), self.shared.clock_sets());
        let limit = self.shared.config.timings.drip_limit;
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        if std::mem::replace(&mut feed.clock_sets, sets) != sets {
            feed.watch.drip = Drip::default();
        }
        let was_dripping = feed.watch.drip.is_odd(limit);
        feed.watch.drip.observe(event_at, at, offset, Instant::now());
        if !was_dripping && feed.watch.drip.is_odd(limit) {
            // Late events, or a clock that was set? Not to be known a minute from now.
            self.shared.measure.notify_one();
        }
    }

    /// Hands on a contiguous book change. `false`: it crossed the book and was not handed on.
    pub(crate) async fn book(
        &mut self,
        id: InstrumentId,
        at: Timestamp,
        update: BookUpdate,
    ) -> Result<bool, End> {
        let Some(feed) = self.feeds.get_mut(&id) else { return Ok(true) };
        feed.depth.apply(&update);
        if feed.depth.is_crossed() {
            self.broken(id, "book crossed".into()).await?;
            return Ok(false);
        }
        feed.watch.book = BookHealth::Valid;
        self.shared.stats.touched(id.0, true, true);
        self.emit(id, at, MarketEvent::Book(update)).await?;
        self.judge(id).await?;
        Ok(true)
    }

    /// Hands on a touch. `false`: it is crossed and was not.
    pub(crate) async fn touch(
        &mut self,
        id: InstrumentId,
        at: Timestamp,
        touch: Touch,
    ) -> Result<bool, End> {
        if crate::depth::is_crossed(&touch) {
            self.broken(id, "touch crossed".into()).await?;
            return Ok(false);
        }
        self.shared.stats.touched(id.0, true, true);
        let was_refused =
            self.feeds.get_mut(&id).is_some_and(|f| std::mem::take(&mut f.watch.is_touch_refused));
        self.emit(id, at, MarketEvent::Touch(touch)).await?;
        if was_refused {
            self.judge(id).await?;
        }
        Ok(true)
    }

    /// Orders a live print. `true`: ids are missing before it, fetch them.
    pub(crate) async fn print(
        &mut self,
        id: InstrumentId,
        at: Timestamp,
        print: Print,
    ) -> Result<bool, End> {
        let bounds = self.shared.clock_bounds();
        let Some(feed) = self.feeds.get_mut(&id) else { return Ok(false) };
        if crate::watch::is_future(print.at, at, bounds) {
            // Taken for true it would close all bars up to its time, and make all others late.
            let (native, text) = (feed.instrument.native.clone(), print.at.to_string());
            let why = crate::codec::refused(&native, "print.time", &text, "in the future");
            self.refused(Some(id), &why);
            return Ok(false);
        }
        if feed.depth.is_absurd(print.price) {
            let why = absurd(feed, &print);
            self.refused(Some(id), &why);
            return Ok(false);
        }
        match feed.tape.live(print, at) {
            Live::Deliver => self.emit(id, at, MarketEvent::Print(print)).await.map(|()| false),
            Live::Duplicate | Live::Held => Ok(false),
            Live::HeldNeedsRepair => Ok(true),
            Live::Overflow => {
                self.repaired(id, Err(ExchangeError::Unavailable("too many held".into()))).await?;
                Ok(false)
            }
        }
    }

    /// Ends a repair: what was fetched, or a gap, then the held prints.
    pub(crate) async fn repaired(
        &mut self,
        id: InstrumentId,
        fetched: Result<Fetched, ExchangeError>,
    ) -> Flow {
        let Some(feed) = self.feeds.get_mut(&id) else { return Ok(()) };
        let fetched = fetched.unwrap_or_else(|error| {
            let symbol = feed.instrument.native.as_str();
            tracing::warn!(symbol, %error, "missed prints could not be fetched");
            Fetched::default()
        });
        for (item, at) in feed.tape.repaired(fetched, now()) {
            let Some(feed) = self.feeds.get(&id) else { return Ok(()) };
            let event = match item {
                Item::Print(print) if feed.depth.is_absurd(print.price) => {
                    let why = absurd(feed, &print);
                    self.refused(Some(id), &why);
                    self.shared.stats.count(|c| c.print_gaps += 1);
                    MarketEvent::Gap { from: print.at.min(at) }
                }
                Item::Print(print) => {
                    self.shared.stats.count(|c| c.backfilled += u64::from(print.backfilled));
                    MarketEvent::Print(print)
                }
                Item::Gap(from) => {
                    self.shared.stats.count(|c| c.print_gaps += 1);
                    MarketEvent::Gap { from }
                }
            };
            self.emit(id, at, event).await?;
        }
        self.judge(id).await
    }
}

fn absurd<B>(feed: &Feed<B>, print: &Print) -> DecodeError {
    let price = feed.instrument.price_amount(print.price).to_string();
    let why = "a hundredfold off the book";
    crate::codec::refused(&feed.instrument.native, "print.price", &price, why)
}
