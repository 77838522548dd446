//! KuCoin spot over the keyless UTA stream: `obu` and `trade` per symbol, pings of our own.

pub mod book;

use crate::codec::kucoin::{self as codec, StreamEvent};
use crate::error::ExchangeError;
use crate::prints::Fetched;
use crate::rest::Reply;
use crate::session::Protocol;
use crate::shard::{Changes, End, Flow, Shard, Shared};
use book::{RangeSync, Step};
use domain::{Instrument, InstrumentId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 200 topics per connection is the stricter of the documented limits, two for each symbol.
pub(crate) const SYMBOLS_PER_SOCKET: usize = 100;

/// Pings more often than this get the connection dropped.
const PING_LEAST: Duration = Duration::from_secs(1);

/// Least distance of two fetches for prints that were refused.
const REPAIR_SPACING: Duration = Duration::from_secs(2);

type KucoinShard = Shard<RangeSync, Prints>;

/// Trades fetched after a reconnect.
pub(crate) struct Prints(Result<Fetched, ExchangeError>);

/// See the module.
#[derive(Default)]
pub(crate) struct Kucoin {
    next_id: u64,
    welcomed: bool,
    ping_every: Option<Duration>,
    pinged_at: Option<Instant>,
    ponged: bool,
    waiting: BTreeMap<String, (InstrumentId, &'static str)>,
    /// When prints were last fetched for a refused one; bounded by the subscriptions.
    repaired_at: BTreeMap<InstrumentId, Instant>,
}

impl Kucoin {
    fn subscribe(&mut self, shard: &mut KucoinShard, ids: &[InstrumentId]) {
        if !self.welcomed {
            return;
        }
        for id in ids {
            let Some(feed) = shard.feeds.get_mut(id) else { continue };
            feed.asked_at = Instant::now();
            feed.tape.owe();
            for channel in ["trade", "obu"] {
                self.next_id += 1;
                let key = format!("s{}", self.next_id);
                let native = &feed.instrument.native;
                shard.outgoing.push_back(codec::control("SUBSCRIBE", channel, native, &key));
                self.waiting.insert(key, (*id, channel));
            }
        }
    }

    fn unsubscribe(&mut self, shard: &mut KucoinShard, native: &str) {
        if !self.welcomed {
            return;
        }
        for channel in ["trade", "obu"] {
            self.next_id += 1;
            let key = format!("u{}", self.next_id);
            shard.outgoing.push_back(codec::control("UNSUBSCRIBE", channel, native, &key));
        }
    }

    fn acked(&mut self, shard: &mut KucoinShard, key: &str) {
        match self.waiting.remove(key) {
            Some((id, "trade")) => repair(shard, id),
            Some((id, _)) => {
                if let Some(feed) = shard.feeds.get_mut(&id) {
                    feed.is_acked = true;
                    feed.asked_at = Instant::now();
                }
            }
            None => {}
        }
    }

    async fn book(
        &mut self,
        shard: &mut KucoinShard,
        obu: codec::Obu<'_>,
        is_snapshot: bool,
        at: Timestamp,
    ) -> Flow {
        let Some(id) = shard.id_of(&obu.symbol) else { return Ok(()) };
        let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
        let decoded = obu.range().and_then(|r| Ok((r, obu.update(&feed.instrument, is_snapshot)?)));
        let ((first, last), update) = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                shard.refused(Some(id), &error);
                return self.resync(shard, id, "a book frame was refused").await;
            }
        };
        let was_synced = feed.book.is_synced();
        let step = if is_snapshot {
            feed.book.snapshot(last);
            Step::Apply
        } else {
            feed.book.delta(first, last)
        };
        if let Some(event_at) = update.at {
            shard.timed(id, event_at, at);
        }
        match step {
            Step::Ignored => Ok(()),
            // Deltas of a subscription that is being renewed: its snapshot is on the way.
            Step::Gap if !was_synced => Ok(()),
            Step::Gap => {
                shard.shared.stats.count(|c| c.book_gaps += 1);
                self.resync(shard, id, "gap in the book's sequence").await
            }
            Step::Apply if shard.book(id, at, update).await? => Ok(()),
            Step::Apply => self.resync(shard, id, "book crossed").await,
        }
    }

    /// There is no snapshot on request: subscribing again sends one.
    async fn resync(&mut self, shard: &mut KucoinShard, id: InstrumentId, why: &str) -> Flow {
        shard.resyncing(id, why).await?;
        self.renew(shard, id);
        Ok(())
    }

    fn renew(&mut self, shard: &mut KucoinShard, id: InstrumentId) {
        let Some(feed) = shard.feeds.get_mut(&id) else { return };
        feed.book = RangeSync::default();
        feed.is_acked = false;
        let native = feed.instrument.native.clone();
        self.unsubscribe(shard, &native);
        self.subscribe(shard, &[id]);
    }

    async fn trade(
        &mut self,
        shard: &mut KucoinShard,
        trade: codec::Trade<'_>,
        at: Timestamp,
    ) -> Flow {
        let Some(id) = shard.id_of(&trade.symbol) else { return Ok(()) };
        let Some(feed) = shard.feeds.get(&id) else { return Ok(()) };
        match trade.print(&feed.instrument) {
            Ok(print) => {
                shard.timed(id, print.at, at);
                shard.print(id, at, print).await.map(|_| ())
            }
            Err(error) => {
                shard.refused(Some(id), &error);
                // Ids have holes here, so nothing would show that one is missing: ask, once a
                // while, for a stream of them would eat the budget of all others.
                let now = Instant::now();
                let last = self.repaired_at.get(&id).copied();
                if last.is_none_or(|at| now.saturating_duration_since(at) >= REPAIR_SPACING) {
                    self.repaired_at.insert(id, now);
                    repair(shard, id);
                }
                Ok(())
            }
        }
    }

    fn ping(&mut self, shard: &mut KucoinShard, now: Instant) -> Flow {
        let timings = &shard.shared.config.timings;
        let every = self.ping_every.unwrap_or(timings.ping_every).min(timings.ping_every);
        let since = self.pinged_at.map(|at| now.saturating_duration_since(at));
        if since.is_some_and(|s| !self.ponged && s > timings.pong_timeout) {
            return Err(End::Reconnect("no pong".into()));
        }
        // A silent link is asked at once; it answers, or it is dead.
        let every = if self.ponged && shard.is_quiet(now) { timings.probe_after } else { every };
        if self.welcomed && since.is_none_or(|s| s >= every.max(PING_LEAST)) {
            shard.probe.sent(now);
            self.next_id += 1;
            self.pinged_at = Some(now);
            self.ponged = false;
            // Before everything that waits: a long list of subscriptions must not delay it.
            shard.outgoing.push_front(codec::ping(self.next_id));
        }
        Ok(())
    }
}

impl Protocol for Kucoin {
    type Book = RangeSync;
    type Job = Prints;

    fn url(&self, shard: &KucoinShard) -> String {
        shard.shared.config.stream_url.clone()
    }

    fn opened(&mut self, _: &mut KucoinShard) {
        *self = Self { next_id: self.next_id, ..Self::default() };
    }

    fn changed(&mut self, shard: &mut KucoinShard, changes: Changes) {
        for native in &changes.removed {
            self.unsubscribe(shard, native);
        }
        self.subscribe(shard, &changes.added);
    }

    async fn frame(&mut self, shard: &mut KucoinShard, frame: &[u8], at: Timestamp) -> Flow {
        match codec::decode_stream(frame) {
            Ok(StreamEvent::Delta(obu)) => self.book(shard, obu, false, at).await,
            Ok(StreamEvent::Snapshot(obu)) => self.book(shard, obu, true, at).await,
            Ok(StreamEvent::Trade(trade)) => self.trade(shard, trade, at).await,
            Ok(StreamEvent::Pong) => {
                self.ponged = true;
                shard.probe.answered();
                Ok(())
            }
            Ok(StreamEvent::Welcome { ping_interval_ms }) => {
                self.welcomed = true;
                self.ping_every = ping_interval_ms.map(|ms| Duration::from_millis(ms / 6 * 5));
                let ids: Vec<_> = shard.feeds.keys().copied().collect();
                self.subscribe(shard, &ids);
                Ok(())
            }
            Ok(StreamEvent::Ack { id }) => {
                self.acked(shard, &id);
                Ok(())
            }
            Ok(StreamEvent::Refused { id, message }) => match self.waiting.remove(&id) {
                Some((id, _)) => shard.broken(id, format!("subscription refused: {message}")).await,
                None => Ok(()),
            },
            Ok(StreamEvent::Other(_)) => Ok(()),
            // A change that was in it shows as a gap in its sequence.
            Err(error) => {
                shard.refused(None, &error);
                Ok(())
            }
        }
    }

    async fn job(&mut self, shard: &mut KucoinShard, id: InstrumentId, job: Prints) -> Flow {
        shard.repaired(id, job.0).await
    }

    async fn tick(&mut self, shard: &mut KucoinShard, now: Instant) -> Flow {
        self.ping(shard, now)?;
        let alarm = shard.shared.config.timings.snapshot_alarm;
        let is_late = |asked: Instant| now.saturating_duration_since(asked) >= alarm;
        // Not even acknowledged counts too, once everything that waits has been sent.
        let all_sent = self.welcomed && shard.outgoing.is_empty();
        let late: Vec<_> = shard
            .feeds
            .iter()
            .filter(|(_, f)| f.is_acked || all_sent)
            .filter(|(_, f)| {
                // A trade channel that was never acknowledged is asked for again, too.
                let is_unasked = f.tape.is_owed() && !f.tape.is_repairing();
                (!f.book.is_synced() || is_unasked) && is_late(f.asked_at)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            // Unknown symbols are acknowledged too, and silent for ever.
            let has_book = shard.feeds.get(&id).is_some_and(|feed| feed.book.is_synced());
            let what = if has_book { "acknowledgement of trades" } else { "book" };
            shard.broken(id, format!("subscribed, but no {what} arrives")).await?;
            self.renew(shard, id);
        }
        Ok(())
    }
}

/// Fetches the prints since the last one known: KuCoin gives the last hundred, no more.
fn repair(shard: &mut KucoinShard, id: InstrumentId) {
    let Some(feed) = shard.feeds.get_mut(&id) else { return };
    let Some((last, _)) = feed.tape.last() else { return };
    if !feed.tape.begin_repair() {
        return;
    }
    let (shared, version) = (Arc::clone(&shard.shared), feed.version);
    let instrument = Arc::clone(&feed.instrument);
    shard.jobs.spawn(async move {
        let prints = histories(&shared, &instrument).await.map(|prints| Fetched {
            is_complete: prints.first().is_some_and(|p| p.id <= last),
            prints,
        });
        (id, version, Prints(prints))
    });
}

/// The last hundred trades, oldest first.
pub(crate) async fn histories(
    shared: &Shared,
    of: &Instrument,
) -> Result<Vec<domain::Print>, ExchangeError> {
    let name = crate::binance::encoded(&of.native);
    let path = format!("/api/v1/market/histories?symbol={name}");
    let reply = shared.rest.get_quick(&path, 3).await?;
    Ok(codec::decode_histories(&reply.body, of)?)
}

/// The list of instruments.
pub(crate) async fn instruments(
    shared: &Shared,
) -> Result<crate::codec::InstrumentList, ExchangeError> {
    let reply = shared.rest.get("/api/v2/symbols", 4).await?;
    Ok(codec::decode_symbols(&reply.body)?)
}

/// One instrument.
pub(crate) async fn instrument_of(
    shared: &Shared,
    name: &str,
) -> Result<crate::codec::InstrumentList, ExchangeError> {
    let reply = shared.rest.get_quick(&format!("/api/v2/symbols/{name}"), 4).await?;
    Ok(codec::decode_symbol(&reply.body)?)
}

/// The exchange's time in nanoseconds, known to the millisecond.
pub(crate) async fn time(shared: &Shared) -> Result<(Reply, i64), ExchangeError> {
    let reply = shared.rest.get_quick("/api/v1/timestamp", 3).await?;
    let ms = codec::decode_time(&reply.body)?;
    Ok((reply, ms.saturating_mul(1_000_000)))
}
