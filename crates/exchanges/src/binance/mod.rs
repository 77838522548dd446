//! Binance spot: one combined-stream socket per 300 symbols, REST snapshots, trades by id.

pub mod book;
mod missed;

use crate::codec::binance::{self as codec, StreamEvent};
use crate::config::FeedMode;
use crate::error::ExchangeError;
use crate::prints::Fetched;
use crate::rest::Reply;
use crate::session::Protocol;
use crate::shard::{Changes, End, Flow, Shard, Shared};
use crate::watch::BookHealth;
use book::{DepthSync, Diff, Snapshot, Step};
use domain::{BookUpdate, InstrumentId, Level, Timestamp, Touch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 1,024 streams per connection, three for each symbol, with room.
pub(crate) const SYMBOLS_PER_SOCKET: usize = 300;

/// Streams in one control frame: about 6 KB of text.
const STREAMS_PER_FRAME: usize = 150;

/// Least distance of two snapshots of a symbol; doubles with each fault up to [`spacing_max`]. A
/// delisted symbol or a book that stays crossed must not eat the weight of all the others.
const SNAPSHOT_SPACING: Duration = Duration::from_millis(250);

/// Longest distance, while the symbols in trouble are few: what is mended is soon seen.
const SNAPSHOT_SPACING_MAX: Duration = Duration::from_secs(4);

/// Weight a second that all symbols in trouble may spend together: half of our own 4,800 a minute.
const TROUBLE_WEIGHT: u32 = 40;

/// Snapshots after this many faults are small: depth is worth less than weight then.
const SMALL_AFTER: u32 = 2;

/// A book that stood this long has left its faults behind.
const SOUND_AFTER: Duration = Duration::from_secs(30);

/// Sequence state of one symbol.
#[derive(Default)]
pub(crate) struct SymbolState {
    sync: DepthSync,
    fetching: bool,
    asked_at: Option<Instant>,
    retry_at: Option<Instant>,
    faults: u32,
}

/// Results of calls beside the stream.
pub(crate) enum Job {
    Depth(Result<Reply, ExchangeError>),
    Prints(Result<Fetched, ExchangeError>),
}

type BinanceShard = Shard<SymbolState, Job>;

/// See the module.
#[derive(Default)]
pub(crate) struct Binance {
    next_id: i64,
    /// Control frames not acknowledged: the symbols that each subscribes.
    waiting: BTreeMap<i64, Vec<InstrumentId>>,
    waiting_since: Option<Instant>,
}

fn streams(native: &str, mode: FeedMode) -> Vec<String> {
    let name = native.to_lowercase();
    let mut all = vec![format!("{name}@trade"), format!("{name}@bookTicker")];
    if mode == FeedMode::Full {
        all.push(format!("{name}@depth@100ms"));
    }
    all
}

impl Binance {
    fn subscribe(&mut self, shard: &mut BinanceShard, ids: &[InstrumentId]) {
        let mode = shard.shared.config.feed;
        for some in ids.chunks(STREAMS_PER_FRAME / 3) {
            let natives = some.iter().filter_map(|id| shard.feeds.get(id));
            let all: Vec<_> = natives.flat_map(|f| streams(&f.instrument.native, mode)).collect();
            self.next_id += 1;
            self.waiting.insert(self.next_id, some.to_vec());
            shard.outgoing.push_back(codec::control("SUBSCRIBE", &all, self.next_id));
        }
    }

    fn unsubscribe(&mut self, shard: &mut BinanceShard, natives: &[String]) {
        for some in natives.chunks(STREAMS_PER_FRAME / 3) {
            let mode = shard.shared.config.feed;
            let all: Vec<_> = some.iter().flat_map(|n| streams(n, mode)).collect();
            self.next_id += 1;
            shard.outgoing.push_back(codec::control("UNSUBSCRIBE", &all, self.next_id));
        }
    }

    /// Subscriptions run: now a snapshot cannot miss a change, nor a list of trades a print.
    async fn acked(&mut self, shard: &mut BinanceShard, id: Option<i64>) -> Flow {
        let ids = id.and_then(|id| self.waiting.remove(&id)).unwrap_or_default();
        for id in ids {
            let Some(feed) = shard.feeds.get_mut(&id) else { continue };
            feed.is_acked = true;
            if !feed.book.sync.is_synced() || feed.watch.book != BookHealth::Valid {
                fetch_depth(shard, id);
            }
            repair(shard, id);
            shard.judge(id).await?;
        }
        Ok(())
    }

    async fn refused(&mut self, shard: &mut BinanceShard, id: Option<i64>, why: String) -> Flow {
        tracing::warn!(exchange = "binance", why, "control frame refused");
        let ids = match id {
            Some(id) => self.waiting.remove(&id).unwrap_or_default(),
            // It does not always say which: all that wait may be it.
            None => std::mem::take(&mut self.waiting).into_values().flatten().collect(),
        };
        for id in ids {
            shard.broken(id, format!("subscription refused: {why}")).await?;
        }
        Ok(())
    }

    async fn depth(
        &mut self,
        shard: &mut BinanceShard,
        diff: codec::DepthDiff<'_>,
        at: Timestamp,
    ) -> Flow {
        let Some(id) = shard.id_of(&diff.symbol) else { return Ok(()) };
        let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
        let update = match diff.update(&feed.instrument) {
            Ok(update) => update,
            Err(error) => {
                shard.refused(Some(id), &error);
                return resync(shard, id, "a book frame was refused").await;
            }
        };
        let event_at = update.at;
        let step = feed.book.sync.diff(Diff { first: diff.first, update });
        if let Some(event_at) = event_at {
            shard.timed(id, event_at, at);
        }
        match step {
            Step::Buffered | Step::Ignored => Ok(()),
            Step::Apply(update) => apply(shard, id, at, update).await,
            Step::Gap => {
                shard.shared.stats.count(|c| c.book_gaps += 1);
                shard.resyncing(id, "gap in the book's sequence").await?;
                fetch_soon(shard, id);
                Ok(())
            }
        }
    }

    async fn trade(
        &mut self,
        shard: &mut BinanceShard,
        trade: codec::Trade<'_>,
        at: Timestamp,
    ) -> Flow {
        let Some(id) = shard.id_of(&trade.symbol) else { return Ok(()) };
        let Some(feed) = shard.feeds.get(&id) else { return Ok(()) };
        match trade.print(&feed.instrument) {
            Ok(print) => {
                let event_at = Timestamp::from_millis(trade.event_ms).unwrap_or(print.at);
                shard.timed(id, event_at.max(print.at), at);
                if shard.print(id, at, print).await? {
                    repair(shard, id);
                }
            }
            // The hole that it leaves is fetched when the next print shows it.
            Err(error) => shard.refused(Some(id), &error),
        }
        Ok(())
    }

    async fn touch(
        &mut self,
        shard: &mut BinanceShard,
        ticker: codec::BookTicker<'_>,
        at: Timestamp,
    ) -> Flow {
        let Some(id) = shard.id_of(&ticker.symbol) else { return Ok(()) };
        let Some(feed) = shard.feeds.get(&id) else { return Ok(()) };
        let touch = match ticker.touch(&feed.instrument) {
            Ok(touch) => touch,
            Err(error) => {
                shard.refused(Some(id), &error);
                return shard.touch_refused(id).await;
            }
        };
        if !shard.touch(id, at, touch).await? {
            return resync(shard, id, "touch crossed").await;
        }
        let sync = shard.feeds.get_mut(&id).map(|feed| &mut feed.book.sync);
        if sync.is_some_and(|sync| sync.touched(touch.update_id, at)) {
            return resync(shard, id, "no change of the book while the touch moves").await;
        }
        if shard.shared.config.feed == FeedMode::Light {
            if let Some(feed) = shard.feeds.get_mut(&id) {
                feed.watch.book = BookHealth::Valid;
            }
            shard.judge(id).await?;
        }
        Ok(())
    }
}

async fn apply(
    shard: &mut BinanceShard,
    id: InstrumentId,
    at: Timestamp,
    update: BookUpdate,
) -> Flow {
    if shard.book(id, at, update).await? {
        return Ok(());
    }
    resync(shard, id, "book crossed").await
}

/// Throws the book away and fetches a new one.
async fn resync(shard: &mut BinanceShard, id: InstrumentId, why: &str) -> Flow {
    if let Some(feed) = shard.feeds.get_mut(&id) {
        feed.book.sync.restart();
    }
    shard.resyncing(id, why).await?;
    fetch_soon(shard, id);
    Ok(())
}

/// Fetches a snapshot after a fault: at once after the first, later and later after others.
fn fetch_soon(shard: &mut BinanceShard, id: InstrumentId) {
    let longest = spacing_max(shard.feeds.values().filter(|f| f.book.faults > 0).count());
    let Some(feed) = shard.feeds.get_mut(&id) else { return };
    if feed.book.retry_at.is_some() {
        // Many frames of one burst say the same; counted each, they would cost a minute.
        return;
    }
    let spacing = (SNAPSHOT_SPACING * (1 << feed.book.faults.min(16))).min(longest);
    feed.book.faults = feed.book.faults.saturating_add(1);
    let now = Instant::now();
    feed.book.retry_at = Some(feed.book.asked_at.map_or(now, |at| now.max(at + spacing)));
}

/// The more symbols are in trouble, the less often each may ask.
fn spacing_max(troubled: usize) -> Duration {
    let weight = u32::try_from(troubled).unwrap_or(u32::MAX).saturating_mul(SMALL_WEIGHT);
    Duration::from_secs(u64::from(weight / TROUBLE_WEIGHT)).max(SNAPSHOT_SPACING_MAX)
}

/// Weight of a snapshot of 1,000 levels.
const SMALL_WEIGHT: u32 = 50;

/// 5,000 levels cost 250 of 6,000 a minute: with many symbols a reconnect could not pay that.
const fn depth_limit(symbols: usize, faults: u32, mode: FeedMode) -> (u32, u32) {
    match mode {
        FeedMode::Light => (5, 5),
        FeedMode::Full if symbols <= 10 && faults <= SMALL_AFTER => (5_000, 250),
        FeedMode::Full => (1_000, SMALL_WEIGHT),
    }
}

fn fetch_depth(shard: &mut BinanceShard, id: InstrumentId) {
    let symbols = shard.feeds.len();
    let Some(feed) = shard.feeds.get_mut(&id) else { return };
    let (limit, weight) = depth_limit(symbols, feed.book.faults, shard.shared.config.feed);
    if std::mem::replace(&mut feed.book.fetching, true) {
        return;
    }
    feed.book.asked_at = Some(Instant::now());
    let (shared, version) = (Arc::clone(&shard.shared), feed.version);
    let path = format!("/api/v3/depth?symbol={}&limit={limit}", encoded(&feed.instrument.native));
    shard.jobs.spawn(async move {
        let reply = shared.rest.get_quick(&path, weight).await;
        (id, version, Job::Depth(reply))
    });
}

/// Symbols may be in any script.
pub(crate) fn encoded(native: &str) -> String {
    url::form_urlencoded::byte_serialize(native.as_bytes()).collect()
}

/// Fetches the prints since the last one known, if there is one.
fn repair(shard: &mut BinanceShard, id: InstrumentId) {
    let Some(feed) = shard.feeds.get_mut(&id) else { return };
    let Some((last, at)) = feed.tape.last() else { return };
    if !feed.tape.begin_repair() {
        return;
    }
    let (shared, version) = (Arc::clone(&shard.shared), feed.version);
    let instrument = Arc::clone(&feed.instrument);
    shard.jobs.spawn(async move {
        let fetched = missed::missed_prints(&shared.rest, &instrument, last, at).await;
        (id, version, Job::Prints(fetched))
    });
}

impl Protocol for Binance {
    type Book = SymbolState;
    type Job = Job;

    fn url(&self, shard: &BinanceShard) -> String {
        format!("{}/stream", shard.shared.config.stream_url.trim_end_matches('/'))
    }

    fn opened(&mut self, shard: &mut BinanceShard) {
        self.waiting.clear();
        self.waiting_since = None;
        let ids: Vec<_> = shard.feeds.keys().copied().collect();
        self.subscribe(shard, &ids);
    }

    fn changed(&mut self, shard: &mut BinanceShard, changes: Changes) {
        self.unsubscribe(shard, &changes.removed);
        self.subscribe(shard, &changes.added);
    }

    async fn frame(&mut self, shard: &mut BinanceShard, frame: &[u8], at: Timestamp) -> Flow {
        match codec::decode_stream(frame) {
            Ok(StreamEvent::Touch(ticker)) => self.touch(shard, ticker, at).await,
            Ok(StreamEvent::Trade(trade)) => self.trade(shard, trade, at).await,
            Ok(StreamEvent::Depth(diff)) => self.depth(shard, diff, at).await,
            Ok(StreamEvent::Ack { id }) => self.acked(shard, id).await,
            Ok(StreamEvent::Refused { id, code, message }) => {
                self.refused(shard, id, format!("{code} {message}")).await
            }
            Ok(StreamEvent::ServerShutdown) => Err(End::Replace("the server shuts down")),
            Ok(StreamEvent::AggTrade(_) | StreamEvent::Other(_)) => Ok(()),
            // A change that was in it shows as a gap in its sequence.
            Err(error) => {
                shard.refused(None, &error);
                Ok(())
            }
        }
    }

    async fn job(&mut self, shard: &mut BinanceShard, id: InstrumentId, job: Job) -> Flow {
        match job {
            Job::Prints(fetched) => shard.repaired(id, fetched).await,
            Job::Depth(reply) => {
                if let Some(feed) = shard.feeds.get_mut(&id) {
                    feed.book.fetching = false;
                }
                match reply {
                    Ok(reply) => snapshot(shard, id, &reply).await,
                    Err(error) => {
                        fetch_soon(shard, id);
                        shard.broken(id, format!("no snapshot: {error}")).await
                    }
                }
            }
        }
    }

    async fn tick(&mut self, shard: &mut BinanceShard, now: Instant) -> Flow {
        // A SUBSCRIBE that nobody answers: this socket will not do.
        let is_asking = !self.waiting.is_empty() && shard.outgoing.is_empty();
        self.waiting_since = self.waiting_since.filter(|_| is_asking).or(is_asking.then_some(now));
        let alarm = shard.shared.config.timings.snapshot_alarm;
        if self.waiting_since.is_some_and(|at| now.saturating_duration_since(at) > alarm) {
            return Err(End::Reconnect("subscription not acknowledged".into()));
        }
        for feed in shard.feeds.values_mut() {
            let is_old = |at: Instant| now.saturating_duration_since(at) > SOUND_AFTER;
            if feed.watch.book == BookHealth::Valid && feed.book.asked_at.is_some_and(is_old) {
                feed.book.faults = 0;
            }
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let due: Vec<_> = shard
            .feeds
            .iter()
            .filter(|(_, f)| is_due(f.book.retry_at))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some(feed) = shard.feeds.get_mut(&id) {
                feed.book.retry_at = None;
            }
            fetch_depth(shard, id);
        }
        Ok(())
    }
}

async fn snapshot(shard: &mut BinanceShard, id: InstrumentId, reply: &Reply) -> Flow {
    let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
    let update = match codec::decode_depth(&reply.body, &feed.instrument) {
        Ok(update) => update,
        Err(error) => {
            shard.refused(Some(id), &error);
            fetch_soon(shard, id);
            return shard.broken(id, format!("no snapshot: {error}")).await;
        }
    };
    if shard.shared.config.feed == FeedMode::Light {
        return first_touch(shard, id, reply.received_at, &update).await;
    }
    match feed.book.sync.snapshot(update) {
        Snapshot::Ready(updates) => {
            for update in updates {
                apply(shard, id, reply.received_at, update).await?;
            }
            Ok(())
        }
        // The next one is newer.
        Snapshot::TooOld | Snapshot::Broken => {
            fetch_soon(shard, id);
            Ok(())
        }
    }
}

/// Without depth the stream only tells of changes: the first touch is read from a small snapshot.
async fn first_touch(
    shard: &mut BinanceShard,
    id: InstrumentId,
    at: Timestamp,
    book: &BookUpdate,
) -> Flow {
    let none = Level { price: domain::Price::ZERO, quantity: domain::Quantity::ZERO };
    let best = |side: &[Level]| side.first().copied().unwrap_or(none);
    let touch = Touch { update_id: book.update_id, bid: best(&book.bids), ask: best(&book.asks) };
    let is_sound = shard.touch(id, at, touch).await?;
    if let Some(feed) = shard.feeds.get_mut(&id).filter(|_| is_sound) {
        feed.watch.book = BookHealth::Valid;
    }
    shard.judge(id).await
}

/// The list of instruments.
pub(crate) async fn instruments(
    shared: &Shared,
) -> Result<crate::codec::InstrumentList, ExchangeError> {
    let reply = shared.rest.get("/api/v3/exchangeInfo", 20).await?;
    Ok(codec::decode_exchange_info(&reply.body)?)
}

/// Some instruments, by names encoded for a query.
pub(crate) async fn instruments_of(
    shared: &Shared,
    names: &str,
) -> Result<crate::codec::InstrumentList, ExchangeError> {
    let path = format!("/api/v3/exchangeInfo?symbols={names}");
    let reply = shared.rest.get_quick(&path, 20).await?;
    Ok(codec::decode_exchange_info(&reply.body)?)
}

/// The exchange's time in nanoseconds, known to the millisecond.
pub(crate) async fn time(shared: &Shared) -> Result<(Reply, i64), ExchangeError> {
    let reply = shared.rest.get_quick("/api/v3/time", 1).await?;
    let ms = codec::decode_time(&reply.body)?;
    Ok((reply, ms.saturating_mul(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_in_trouble_come_soon_and_never_eat_more_than_half_the_weight() {
        assert_eq!(spacing_max(1), Duration::from_secs(4));
        for troubled in [3usize, 10, 40, 300] {
            let a_minute = troubled as u64 * u64::from(SMALL_WEIGHT) * 60;
            let spent = a_minute / spacing_max(troubled).as_secs();
            assert!(spent <= 2_500, "{troubled} symbols spend {spent} a minute");
        }
        assert_eq!(depth_limit(3, SMALL_AFTER + 1, FeedMode::Full).1, SMALL_WEIGHT);
    }
}
