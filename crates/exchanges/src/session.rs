//! Drives one socket: connect with backoff, pace what is sent, judge, replace it before its end.

use crate::config::tap;
use crate::delivery::now;
use crate::pace::{Backoff, jittered};
use crate::shard::{Changes, End, Flow, Shard};
use crate::socket::{ConnectError, Frame, Socket};
use domain::{Exchange, InstrumentId, Timestamp};
use std::future::Future;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What an exchange's stream speaks.
pub(crate) trait Protocol: Send + 'static {
    /// State of a book's sequence.
    type Book: Default + Send + 'static;
    /// Result of a call made beside the stream.
    type Job: Send + 'static;

    /// Where to connect.
    fn url(&self, shard: &Shard<Self::Book, Self::Job>) -> String;

    /// A socket was opened, the first or a replacement: introduce ourselves, subscribe.
    fn opened(&mut self, shard: &mut Shard<Self::Book, Self::Job>);

    /// The wishes changed while connected.
    fn changed(&mut self, shard: &mut Shard<Self::Book, Self::Job>, changes: Changes);

    /// A data frame.
    fn frame(
        &mut self,
        shard: &mut Shard<Self::Book, Self::Job>,
        frame: &[u8],
        at: Timestamp,
    ) -> impl Future<Output = Flow> + Send;

    /// A call made beside the stream has ended.
    fn job(
        &mut self,
        shard: &mut Shard<Self::Book, Self::Job>,
        id: InstrumentId,
        job: Self::Job,
    ) -> impl Future<Output = Flow> + Send;

    /// Time has passed.
    fn tick(
        &mut self,
        shard: &mut Shard<Self::Book, Self::Job>,
        now: Instant,
    ) -> impl Future<Output = Flow> + Send;
}

/// Works until the sink is closed or the exchange blocks us.
pub(crate) async fn drive<P: Protocol>(
    mut shard: Shard<P::Book, P::Job>,
    mut protocol: P,
    mut wishes: watch::Receiver<u64>,
) {
    let timings = shard.shared.config.timings.clone();
    let mut backoff = Backoff::new(timings.backoff_min, timings.backoff_max);
    loop {
        wishes.mark_unchanged();
        shard.take_changes();
        if shard.judge_all().await.is_err() {
            return;
        }
        if shard.feeds.is_empty() || shard.shared.stats.fatal_reason().is_some() {
            if wishes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let started = Instant::now();
        let end = match connect(&shard, &protocol).await {
            Ok(socket) => session(&mut shard, &mut protocol, socket, &mut wishes).await,
            Err(end) => end,
        };
        if started.elapsed() >= timings.stable_after {
            backoff.reset();
        }
        let why = match end {
            End::Sink => return,
            End::Reconnect(why) => why,
            End::Replace(why) => why.to_owned(),
            End::Fatal(why) => {
                shard.shared.stats.fatal(&why);
                why
            }
        };
        shard.shared.stats.ended(&why);
        if shard.unlinked(why).await.is_err() {
            return;
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

async fn connect<P: Protocol>(shard: &Shard<P::Book, P::Job>, protocol: &P) -> Result<Socket, End> {
    if let Err(wait) = shard.shared.take_connect() {
        tokio::time::sleep(wait).await;
        return Err(End::Reconnect("too many connections in five minutes".into()));
    }
    let url = protocol.url(shard);
    Socket::connect(&url, &shard.shared.config).await.map_err(|e| match e {
        ConnectError::Retry(why) => End::Reconnect(why),
        ConnectError::Fatal(why) => End::Fatal(why),
    })
}

/// Counts an open socket for as long as it lives.
struct Open(std::sync::Arc<crate::status::Stats>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.socket_closed();
    }
}

async fn session<P: Protocol>(
    shard: &mut Shard<P::Book, P::Job>,
    protocol: &mut P,
    socket: Socket,
    wishes: &mut watch::Receiver<u64>,
) -> End {
    shard.shared.stats.socket_opened();
    let _open = Open(std::sync::Arc::clone(&shard.shared.stats));
    shard.linked();
    protocol.opened(shard);
    match turn(shard, protocol, socket, wishes).await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

enum Never {}

/// The loop of one connection, and of its replacements.
async fn turn<P: Protocol>(
    shard: &mut Shard<P::Book, P::Job>,
    protocol: &mut P,
    mut socket: Socket,
    wishes: &mut watch::Receiver<u64>,
) -> Result<Never, End> {
    let timings = shard.shared.config.timings.clone();
    // KuCoin takes one symbol a frame but a hundred frames in ten seconds.
    let spacing = match shard.exchange() {
        Exchange::Kucoin => timings.control_interval / 2,
        Exchange::Binance | Exchange::Luno => timings.control_interval,
    };
    let mut tick = tokio::time::interval(timings.tick);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut replace_at = Instant::now() + jittered(timings.max_socket_age);
    let mut next_send = tokio::time::Instant::now();
    let mut replacement: JoinSet<Result<Socket, ConnectError>> = JoinSet::new();
    loop {
        let flow = tokio::select! {
            frame = socket.next() => {
                let at = now();
                let frame = frame.map_err(End::Reconnect)?;
                match frame {
                    Frame::Data(bytes) => {
                        shard.alive();
                        let to = shard.shared.config.tap.as_ref();
                        tap(to, at, "stream", || bytes.clone()).await;
                        protocol.frame(shard, &bytes, at).await
                    }
                    Frame::Ping => {
                        shard.alive();
                        Ok(())
                    }
                    Frame::Pong => {
                        shard.answered();
                        Ok(())
                    }
                }
            }
            Some(done) = shard.jobs.join_next() => match done {
                Ok((id, version, job)) if is_current(shard, id, version) => {
                    protocol.job(shard, id, job).await
                }
                _ => Ok(()),
            },
            () = tokio::time::sleep_until(next_send), if shard.has_to_send() => {
                next_send = tokio::time::Instant::now() + spacing;
                match shard.outgoing.pop_front() {
                    Some(text) => socket.send(text).await.map_err(End::Reconnect),
                    None => {
                        shard.probe.sent(Instant::now());
                        socket.ping().await.map_err(End::Reconnect)
                    }
                }
            }
            done = wishes.changed() => {
                done.map_err(|_| End::Sink)?;
                let changes = shard.take_changes();
                protocol.changed(shard, changes);
                if shard.feeds.is_empty() {
                    return Err(End::Reconnect("nothing subscribed".into()));
                }
                shard.judge_all().await
            }
            done = shard.outlet.flush_one(), if shard.outlet.has_pending() => {
                done.map_err(|_| End::Sink)
            }
            Some(fresh) = replacement.join_next() => {
                if let Ok(Ok(fresh)) = fresh {
                    std::mem::replace(&mut socket, fresh).close().await;
                    shard.shared.stats.ended("replaced in time");
                    shard.outgoing.clear();
                    shard.shared.stats.socket_opened();
                    shard.shared.stats.socket_closed();
                    protocol.opened(shard);
                    replace_at = Instant::now() + jittered(timings.max_socket_age);
                }
                Ok(())
            }
            _ = tick.tick() => {
                let at = Instant::now();
                if shard.link_is_silent(at) {
                    return Err(End::Reconnect("silent".into()));
                }
                if shard.probe.unanswered(at, timings.probe_limit) {
                    return Err(End::Reconnect("no answer to a ping".into()));
                }
                shard.ask_for_life(at);
                if shard.drips_too_long(at) {
                    return Err(End::Reconnect("dripping".into()));
                }
                let flow = protocol.tick(shard, at).await;
                shard.judge_all().await?;
                if at >= replace_at { Err(End::Replace("near its 24 hours")) } else { flow }
            }
        };
        match flow {
            Ok(()) => {}
            Err(End::Replace(why)) => {
                if replacement.is_empty() && shard.shared.take_connect().is_ok() {
                    tracing::info!(exchange = shard.exchange().name(), why, "replacing socket");
                    let (url, config) = (protocol.url(shard), shard.shared.config.clone());
                    replacement.spawn(async move { Socket::connect(&url, &config).await });
                }
                // If it fails, the old one is asked to go again in a while, or ends by itself.
                replace_at = Instant::now() + timings.backoff_max;
            }
            Err(end) => return Err(end),
        }
    }
}

fn is_current<B, J>(shard: &Shard<B, J>, id: InstrumentId, version: u64) -> bool {
    shard.feeds.get(&id).is_some_and(|f| f.version == version)
}
