//! Luno without a key: quotes of all pairs, books and trades of those that are wanted, inside the
//! documented 300 calls a minute.

use super::trades_since;
use crate::codec::luno as codec;
use crate::delivery::now;
use crate::error::ExchangeError;
use crate::pace::Backoff;
use crate::prints::Fetched;
use crate::rest::Reply;
use crate::shard::{End, Flow, Shard};
use domain::{InstrumentId, InstrumentStatus, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Of the calls that a minute permits, what the rounds plan with; the rest is for histories.
const PLANNED: f64 = 6.0 / 7.0;

/// Luno may answer from a cache of this age, so a book is known to be no older than the request
/// only if it counts as requested that much earlier.
const CACHED_NS: i64 = 1_000_000_000;

/// Longest pause after faults. A round costs three calls of the 300 a minute, asked or not; what
/// the exchange orders by 429 is obeyed elsewhere.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// State of one pair.
#[derive(Default)]
pub(crate) struct Pair {
    /// Trades were asked for once: from where on is known.
    has_trades: bool,
    is_resumed: bool,
}

/// Results of calls.
pub(crate) enum Poll {
    Tickers(Result<Reply, ExchangeError>),
    Book(Result<Reply, ExchangeError>),
    Trades(Result<Fetched, ExchangeError>),
}

type PolledShard = Shard<Pair, Poll>;

/// Works until the sink is closed.
pub(crate) async fn drive(mut shard: PolledShard, mut wishes: watch::Receiver<u64>) {
    let timings = shard.shared.config.timings.clone();
    // A panic in a round restarts the task; faults of calls only make the pairs stale.
    let mut backoff = Backoff::new(timings.backoff_min, timings.backoff_max.min(PAUSE_MAX));
    shard.linked();
    loop {
        match rounds(&mut shard, &mut wishes, &mut backoff).await {
            Ok(()) | Err(End::Sink) => return,
            Err(_) => {}
        }
    }
}

async fn rounds(
    shard: &mut PolledShard,
    wishes: &mut watch::Receiver<u64>,
    backoff: &mut Backoff,
) -> Flow {
    let interval = shard.shared.config.poll_interval.max(Duration::from_millis(20));
    let mut poll = tokio::time::interval(interval);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tick = tokio::time::interval(shard.shared.config.timings.tick);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0;
    let mut pause_until = Instant::now();
    adopt(shard, interval);
    loop {
        tokio::select! {
            done = wishes.changed() => {
                done.map_err(|_| End::Sink)?;
                adopt(shard, interval);
                shard.judge_all().await?;
            }
            _ = poll.tick() => {
                let is_idle = shard.jobs.is_empty() && Instant::now() >= pause_until;
                if is_idle && shard.shared.stats.fatal_reason().is_none() {
                    start_round(shard, interval, &mut turn);
                }
            }
            Some(done) = shard.jobs.join_next() => {
                if let Ok((id, version, result)) = done {
                    let is_fault = is_fault(&result);
                    if shard.feeds.get(&id).is_some_and(|f| f.version == version) {
                        take(shard, id, result).await?;
                    }
                    // A round's calls fail together: it is one fault.
                    if is_fault && Instant::now() >= pause_until {
                        pause_until = Instant::now() + backoff.next_wait();
                    } else if !is_fault {
                        backoff.reset();
                    }
                }
            }
            done = shard.outlet.flush_one(), if shard.outlet.has_pending() => {
                done.map_err(|_| End::Sink)?;
            }
            _ = tick.tick() => shard.judge_all().await?,
        }
    }
}

/// Calls of one round, the tickers' one counted: at least a book and its trades.
fn calls_per_round(interval: Duration, a_minute: u32) -> usize {
    (interval.as_secs_f64() / 60.0 * f64::from(a_minute) * PLANNED) as usize
}

fn pairs_per_round(shard: &PolledShard, interval: Duration) -> usize {
    let calls = calls_per_round(interval, shard.shared.rest.usage().1);
    (calls.saturating_sub(1) / 2).max(1)
}

/// With more pairs than a round carries each one's turn comes less often.
fn adopt_silence(shard: &mut PolledShard, interval: Duration) {
    let rounds = shard.feeds.len().div_ceil(pairs_per_round(shard, interval)).max(1);
    shard.set_silence(interval * 3 * u32::try_from(rounds).unwrap_or(u32::MAX));
}

fn adopt(shard: &mut PolledShard, interval: Duration) {
    shard.take_changes();
    for feed in shard.feeds.values_mut() {
        feed.book.is_resumed |= feed.tape.last().is_some() && !feed.book.has_trades;
    }
    adopt_silence(shard, interval);
}

fn start_round(shard: &mut PolledShard, interval: Duration, turn: &mut usize) {
    let ids: Vec<_> = shard.feeds.keys().copied().collect();
    let Some(first) = ids.first().copied() else { return };
    spawn(shard, first, |shared, _, _| async move {
        Poll::Tickers(shared.rest.get_quick("/api/1/tickers", 1).await)
    });
    // A key that came or went changed what a round carries.
    adopt_silence(shard, interval);
    let count = pairs_per_round(shard, interval).min(ids.len());
    for i in 0..count {
        let id = ids[(*turn + i) % ids.len()];
        spawn(shard, id, |shared, of, _| async move {
            let name = crate::binance::encoded(&of.native);
            Poll::Book(shared.rest.get_quick(&format!("/api/1/orderbook_top?pair={name}"), 1).await)
        });
        let last = shard.feeds.get(&id).and_then(|f| f.tape.last()).map(|(last, _)| last);
        spawn(shard, id, move |shared, of, since| async move {
            Poll::Trades(trades_since(&shared, &of, since, last).await)
        });
    }
    *turn = (*turn + count) % ids.len();
}

fn spawn<F, T>(shard: &mut PolledShard, id: InstrumentId, call: F)
where
    F: FnOnce(Arc<crate::shard::Shared>, Arc<domain::Instrument>, Timestamp) -> T,
    T: Future<Output = Poll> + Send + 'static,
{
    let Some(feed) = shard.feeds.get(&id) else { return };
    // Without a last print: all of the last day, of which only the newest number is of use.
    let since =
        feed.tape.last().map_or(Timestamp(now().0 - super::TRADES_BACK_NS / 2), |(_, at)| at);
    let version = feed.version;
    let work = call(Arc::clone(&shard.shared), Arc::clone(&feed.instrument), since);
    shard.jobs.spawn(async move { (id, version, work.await) });
}

const fn is_fault(result: &Poll) -> bool {
    match result {
        Poll::Tickers(Err(e)) | Poll::Book(Err(e)) | Poll::Trades(Err(e)) => e.is_transient(),
        _ => false,
    }
}

async fn take(shard: &mut PolledShard, id: InstrumentId, result: Poll) -> Flow {
    match result {
        Poll::Tickers(Ok(reply)) => {
            shard.alive();
            tickers(shard, &reply);
            Ok(())
        }
        Poll::Book(Ok(reply)) => {
            shard.alive();
            book(shard, id, &reply).await
        }
        Poll::Trades(Ok(fetched)) => {
            shard.alive();
            trades(shard, id, fetched).await
        }
        Poll::Book(Err(error)) if !error.is_transient() => {
            shard.broken(id, format!("no book: {error}")).await
        }
        Poll::Trades(Err(ExchangeError::Decode(error))) => {
            shard.refused(Some(id), &error);
            Ok(())
        }
        // The pair falls silent, and says so with its cause when its time is up.
        Poll::Book(Err(error)) => {
            if let Some(feed) = shard.feeds.get_mut(&id) {
                feed.watch.problem.get_or_insert_with(|| error.to_string());
            }
            Ok(())
        }
        Poll::Tickers(Err(_)) | Poll::Trades(Err(_)) => Ok(()),
    }
}

/// A status other than the known one: the instrument list is fetched now, not in an hour.
fn tickers(shard: &PolledShard, reply: &Reply) {
    let lines = match codec::decode_tickers(&reply.body) {
        Ok(lines) => lines,
        Err(error) => return shard.refused(None, &error),
    };
    for line in lines {
        let known = shard.id_of(&line.pair).and_then(|id| shard.feeds.get(&id));
        let is_new = known.is_some_and(|f| {
            let known = f.instrument.status;
            known != InstrumentStatus::Delisted && codec::status(&line.status) != known
        });
        if is_new {
            shard.shared.reload.notify_one();
        }
    }
}

async fn book(shard: &mut PolledShard, id: InstrumentId, reply: &Reply) -> Flow {
    let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
    let requested_at = Timestamp(reply.asked_at.0.saturating_sub(CACHED_NS));
    match codec::decode_book(&reply.body, &feed.instrument, requested_at) {
        Ok(update) => {
            feed.watch.alive_at = Some(Instant::now());
            feed.watch.problem = None;
            shard.book(id, reply.received_at, update).await.map(|_| ())
        }
        Err(error) => {
            shard.refused(Some(id), &error);
            shard.broken(id, "a book was refused".into()).await
        }
    }
}

async fn trades(shard: &mut PolledShard, id: InstrumentId, fetched: Fetched) -> Flow {
    let Some(feed) = shard.feeds.get_mut(&id) else { return Ok(()) };
    let is_first = !std::mem::replace(&mut feed.book.has_trades, true);
    if is_first && feed.book.is_resumed {
        feed.tape.begin_repair();
        return shard.repaired(id, Ok(fetched)).await;
    }
    if is_first {
        // From here on: what was traded before the subscription is nobody's news.
        if let Some(newest) = fetched.prints.last() {
            feed.tape.start_after(newest);
        } else {
            feed.tape.start_at(now());
        }
        return Ok(());
    }
    if !fetched.is_complete && feed.tape.begin_repair() {
        shard.repaired(id, Ok(Fetched::default())).await?;
    }
    let at = now();
    for print in fetched.prints {
        shard.print(id, at, print).await?;
    }
    Ok(())
}
