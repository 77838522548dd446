//! Luno: with a read-only key its order-by-order stream, without one its REST, polled.

pub mod book;
pub(crate) mod poll;

use crate::codec::luno::{self as codec, StreamEvent};
use crate::error::ExchangeError;
use crate::prints::Fetched;
use crate::rest::Reply;
use crate::session::Protocol;
use crate::shard::{Changes, End, Flow, Shard, Shared};
use book::{BookError, OrderBook};
use domain::{Instrument, InstrumentId, MarketEvent, Print, Timestamp};
use std::sync::Arc;
use std::time::Instant;

/// Trades in one answer.
const TRADES_PER_PAGE: usize = 100;

/// `since` further back is an error; a minute of margin for clocks.
const TRADES_BACK_NS: i64 = (86_400 - 60) * 1_000_000_000;

type LunoShard = Shard<OrderBook, Prints>;

/// Trades fetched after a reconnect.
pub(crate) struct Prints(Result<Fetched, ExchangeError>);

/// One socket for one pair.
#[derive(Default)]
pub(crate) struct Luno {
    /// The pair of this socket is not wanted any more, another one is.
    is_turned: bool,
    has_repaired: bool,
}

impl Luno {
    async fn snapshot(
        &mut self,
        shard: &mut LunoShard,
        id: InstrumentId,
        wire: &codec::Snapshot<'_>,
        at: Timestamp,
    ) -> Flow {
        let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
        feed.is_acked = true;
        let result = feed.book.snapshot(wire, &feed.instrument);
        match result {
            Ok(update) => self.deliver(shard, id, at, update).await?,
            Err(error) => return broken(shard, id, error),
        }
        if !std::mem::replace(&mut self.has_repaired, true) {
            repair(shard, id);
        }
        Ok(())
    }

    async fn update(
        &mut self,
        shard: &mut LunoShard,
        id: InstrumentId,
        wire: &codec::Update<'_>,
        at: Timestamp,
    ) -> Flow {
        if wire.status_update.is_some() {
            // The instruments tell everyone; circuit breakers switch to post-only for minutes.
            shard.shared.reload.notify_one();
        }
        let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
        let applied = match feed.book.update(wire, &feed.instrument) {
            Ok(Some(applied)) => applied,
            Ok(None) => return Ok(()),
            Err(error) => return broken(shard, id, error),
        };
        if let Some(event_at) = applied.book.at {
            shard.timed(id, event_at, at);
        }
        for print in applied.prints {
            shard.print(id, at, print).await?;
        }
        if let Some(withdrawn) = applied.withdrawn {
            shard.emit(id, at, MarketEvent::Withdrawn(withdrawn)).await?;
        }
        if applied.book.bids.is_empty() && applied.book.asks.is_empty() {
            return Ok(());
        }
        self.deliver(shard, id, at, applied.book).await
    }

    async fn deliver(
        &mut self,
        shard: &mut LunoShard,
        id: InstrumentId,
        at: Timestamp,
        update: domain::BookUpdate,
    ) -> Flow {
        if shard.book(id, at, update).await? {
            return Ok(());
        }
        Err(End::Reconnect("book crossed".into()))
    }
}

fn broken(shard: &LunoShard, id: InstrumentId, error: BookError) -> Flow {
    match &error {
        BookError::Decode(why) => shard.refused(Some(id), why),
        _ => shard.shared.stats.count(|c| c.book_gaps += 1),
    }
    Err(End::Reconnect(error.to_string()))
}

impl Protocol for Luno {
    type Book = OrderBook;
    type Job = Prints;

    fn url(&self, shard: &LunoShard) -> String {
        let native = shard.feeds.values().next().map_or("", |f| f.instrument.native.as_str());
        let base = shard.shared.config.stream_url.trim_end_matches('/');
        format!("{base}/api/1/stream/{native}")
    }

    fn opened(&mut self, shard: &mut LunoShard) {
        *self = Self::default();
        if let Some(key) = &shard.shared.config.luno_key {
            shard.outgoing.push_back(codec::credentials(&key.id, &key.secret));
        }
    }

    fn changed(&mut self, _: &mut LunoShard, changes: Changes) {
        self.is_turned |= !changes.added.is_empty();
    }

    async fn frame(&mut self, shard: &mut LunoShard, frame: &[u8], at: Timestamp) -> Flow {
        // No frame names its pair: the connection does.
        let Some(id) = shard.feeds.keys().next().copied() else { return Ok(()) };
        match codec::decode_stream(frame) {
            Ok(StreamEvent::Update(update)) => self.update(shard, id, &update, at).await,
            Ok(StreamEvent::Snapshot(snapshot)) => self.snapshot(shard, id, &snapshot, at).await,
            Ok(StreamEvent::KeepAlive | StreamEvent::Other) => Ok(()),
            Ok(StreamEvent::Error { code, message }) => {
                Err(End::Reconnect(format!("{code}: {message}")))
            }
            // An update that was in it shows as a gap.
            Err(error) => {
                shard.refused(Some(id), &error);
                Ok(())
            }
        }
    }

    async fn job(&mut self, shard: &mut LunoShard, id: InstrumentId, job: Prints) -> Flow {
        shard.repaired(id, job.0).await
    }

    async fn tick(&mut self, _: &mut LunoShard, _: Instant) -> Flow {
        if self.is_turned {
            return Err(End::Reconnect("another pair is wanted".into()));
        }
        Ok(())
    }
}

fn repair(shard: &mut LunoShard, id: InstrumentId) {
    let Some(feed) = shard.feeds.get_mut(&id) else { return };
    let Some((last, at)) = feed.tape.last() else { return };
    if !feed.tape.begin_repair() {
        return;
    }
    let (shared, version) = (Arc::clone(&shard.shared), feed.version);
    let instrument = Arc::clone(&feed.instrument);
    shard.jobs.spawn(async move {
        let fetched = trades_since(&shared, &instrument, at, Some(last)).await;
        (id, version, Prints(fetched))
    });
}

/// Trades since an instant, oldest first; complete if there is room for more on the page, or if it
/// reaches back to the last one known.
pub(crate) async fn trades_since(
    shared: &Shared,
    of: &Instrument,
    since: Timestamp,
    last: Option<u64>,
) -> Result<Fetched, ExchangeError> {
    let oldest = Timestamp(crate::delivery::now().0.saturating_sub(TRADES_BACK_NS));
    let from = since.max(oldest).as_millis();
    let name = crate::binance::encoded(&of.native);
    let path = format!("/api/1/trades?pair={name}&since={from}");
    let reply = shared.rest.get_quick(&path, 1).await?;
    let prints: Vec<Print> = codec::decode_trades(&reply.body, of)?;
    let has_room = since >= oldest && prints.len() < TRADES_PER_PAGE;
    let reaches_back = prints.first().is_some_and(|p| last.is_some_and(|last| p.id <= last));
    Ok(Fetched { is_complete: has_room || reaches_back, prints })
}

/// The list of instruments.
pub(crate) async fn instruments(
    shared: &Shared,
) -> Result<crate::codec::InstrumentList, ExchangeError> {
    let reply = shared.rest.get("/api/exchange/1/markets", 1).await?;
    Ok(codec::decode_markets_for(&reply.body, shared.config.luno_traded_zar)?)
}

/// There is no time endpoint: the `Date` header, known to the second, of the cheapest call.
pub(crate) async fn time(shared: &Shared) -> Result<(Reply, i64), ExchangeError> {
    let reply = shared.rest.get_quick("/api/1/tickers?pair=XBTZAR", 1).await?;
    let date = reply.date.ok_or_else(|| ExchangeError::Unavailable("no Date header".into()))?;
    Ok((reply, date.0))
}
