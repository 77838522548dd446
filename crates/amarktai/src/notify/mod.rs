//! Notifications: what happened becomes notices in a stored outbox, and each is told on every
//! channel until it arrives.
//!
//! Events are read after their commit, by cursor; the cursor moves in the transaction that stores
//! the notices made of them. So a crash loses none and doubles none; a letter may still arrive
//! twice where its receipt was lost, and carries an id for that.

mod channel;
mod clock;
mod digest;
mod heartbeat;
mod telegram;
#[cfg(test)]
mod tests;
mod words;

use crate::config::Config;
use crate::core_loop::now;
use crate::parts::Parts;
use arc_swap::ArcSwap;
use channel::{Channel, Letter, SendError};
use clock::Clock;
use domain::{Span, Timestamp};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use reqwest::Client;
use server::operator::{ChannelTried, Notifier};
use server::{Core, HealthReport, Status};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use storage::{ControlWrite, NewNotice, NoticeEnd, NoticeRow, ReadPool, Store, StoreError};
use tokio::sync::watch;
use words::Word;

/// Between two looks at the events and the outbox.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The name of our place in the events.
const CURSOR: &str = "notify";
/// Events made into notices in one transaction.
const EVENTS_AT_ONCE: usize = 200;
/// Notices tried in one look.
const NOTICES_AT_ONCE: u32 = 50;
/// A feed that is not fresh for so long is told.
const FEED_DOWN_AFTER: Span = Span::from_secs(300);
/// After a first failure; doubled with each further one …
const AGAIN_AFTER: Span = Span::from_secs(5);
/// … up to this.
const AGAIN_AFTER_MAX: Span = Span::from_secs(1_800);
/// A notice that did not arrive for so long is given up: it is no news any more.
const GIVEN_UP_AFTER: Span = Span::from_secs(24 * 3_600);

/// See the module.
pub struct Notices {
    store: Store,
    core: Core,
    health: Arc<ArcSwap<HealthReport>>,
    parts: Arc<Parts>,
    channels: Vec<Channel>,
    clock: Clock,
    http: Client,
    config: crate::config::NotifyConfig,
}

impl Notices {
    /// Over the channels of the configuration.
    ///
    /// # Errors
    /// A channel that cannot be used, by its key.
    pub fn new(
        config: &Config,
        store: Store,
        core: Core,
        health: Arc<ArcSwap<HealthReport>>,
        parts: Arc<Parts>,
    ) -> Result<Arc<Self>, String> {
        let channels = Channel::all(&config.notify)?;
        let clock = Clock::new(&config.notify, &config.account.timezone);
        let (http, config) = (channel::client()?, config.notify.clone());
        Ok(Arc::new(Self { store, core, health, parts, channels, clock, http, config }))
    }

    /// Until told to stop: makes notices, tells them, answers, and beats outward.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let ended = {
            let mut stop = stop.clone();
            async move { crate::feeds::stopped(&mut stop).await }
        };
        let work = async {
            tokio::join!(self.work(), telegram::answer(&self), heartbeat::beat(&self));
        };
        tokio::select! {
            () = ended => {}
            () = work => {}
        }
    }

    async fn work(&self) {
        let mut feeds = FeedWatch::default();
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if self.channels.is_empty() {
                self.parts.set("notifications", Status::Healthy, "no channel is configured");
                // Nothing will change before the next start.
                return std::future::pending().await;
            }
            let words = feeds.look(&self.health.load(), now());
            let made = self.gather(words).await;
            let told = match made {
                Ok(()) => self.tell().await,
                Err(error) => Err(error),
            };
            match told.and_then(|()| self.store.reader().notice_counts()) {
                Ok(counts) => self.show(&counts),
                // The store's own part says why; here it is only no reason to end.
                Err(error) => tracing::debug!(%error, "notices wait for the store"),
            }
        }
    }

    fn show(&self, counts: &storage::NoticeCounts) {
        metrics::gauge!("amarktai_notices_waiting").set(counts.waiting as f64);
        let names: Vec<&str> = self.channels.iter().map(Channel::name).collect();
        let text = format!("{}: {} wait", names.join(", "), counts.waiting);
        match counts.retrying {
            0 => self.parts.set("notifications", Status::Healthy, text),
            n => {
                let text = format!("{text}, {n} of them were tried in vain");
                self.parts.set("notifications", Status::Degraded, text);
            }
        }
    }

    /// Events and other news into the outbox.
    async fn gather(&self, words: Vec<Word>) -> Result<(), StoreError> {
        self.put(words, None).await?;
        let reader = self.store.reader();
        let after = match reader.cursor(CURSOR)?.and_then(|text| text.parse::<i64>().ok()) {
            Some(after) => after,
            // The first start with a channel: history is no news.
            None => {
                let last = reader.last_cursor()?;
                return self.put(Vec::new(), Some((CURSOR.to_owned(), last))).await;
            }
        };
        let (events, seen) =
            blocking(reader, move |reader| reader.events_of(&words::KINDS, after, EVENTS_AT_ONCE))
                .await?;
        if seen > after {
            let words = events.iter().filter_map(words::word).collect();
            self.put(words, Some((CURSOR.to_owned(), seen.to_string()))).await?;
        }
        digest::digest(self).await
    }

    /// A notice for each channel.
    async fn put(
        &self,
        words: Vec<Word>,
        cursor: Option<(String, String)>,
    ) -> Result<(), StoreError> {
        if words.is_empty() && cursor.is_none() {
            return Ok(());
        }
        let of = |word: &Word, channel: &Channel| NewNotice {
            account_id: word.account_id,
            channel: channel.name().to_owned(),
            kind: word.kind.to_owned(),
            merge_key: word.merge_key.clone(),
            title: word.title.clone(),
            body: word.body.clone(),
            urgent: word.is_urgent,
            at: word.at,
            due_at: if word.is_urgent { word.at } else { self.clock.due(word.at) },
        };
        let notices = words
            .iter()
            .flat_map(|word| self.channels.iter().map(move |channel| of(word, channel)))
            .collect();
        self.write(ControlWrite::Notices { notices, cursor }).await
    }

    async fn write(&self, write: ControlWrite) -> Result<(), StoreError> {
        // What the tables refuse is refused each time: it is not worth the loop.
        if let Err(refused) = self.store.control(write)?.wait_async().await? {
            tracing::warn!(%refused, "a notice was refused");
        }
        Ok(())
    }

    /// Tries what is due; a channel that is down delays no other.
    async fn tell(&self) -> Result<(), StoreError> {
        let (reader, at) = (self.store.reader(), now());
        let due = blocking(reader, move |reader| reader.notices_due(at, NOTICES_AT_ONCE)).await?;
        let mut by_channel: HashMap<String, Vec<NoticeRow>> = HashMap::new();
        for notice in due {
            by_channel.entry(notice.channel.clone()).or_default().push(notice);
        }
        let ends = join_all(by_channel.into_iter().map(|(name, rows)| self.tell_on(name, rows)));
        for (id, how) in ends.await.into_iter().flatten() {
            self.write(ControlWrite::NoticeEnded { id, how, at: now() }).await?;
        }
        Ok(())
    }

    async fn tell_on(&self, name: String, rows: Vec<NoticeRow>) -> Vec<(i64, NoticeEnd)> {
        let Some(channel) = self.channels.iter().find(|c| c.name() == name) else {
            let gone = || NoticeEnd::Failed("the channel is not configured any more".to_owned());
            return rows.into_iter().map(|row| (row.id, gone())).collect();
        };
        let mut ends = Vec::new();
        for row in rows {
            let how = match channel.send(&self.http, &letter(&row)).await {
                Ok(()) => {
                    metrics::counter!("amarktai_notices_sent_total").increment(1);
                    NoticeEnd::Sent
                }
                Err(error) => failed(&row, error, now()),
            };
            let is_down = matches!(how, NoticeEnd::Again { .. });
            ends.push((row.id, how));
            // The others would only wait for the same.
            if is_down {
                break;
            }
        }
        ends
    }
}

fn letter(row: &NoticeRow) -> Letter {
    Letter {
        id: row.id,
        kind: row.kind.clone(),
        title: row.title.clone(),
        body: row.body.clone(),
        is_urgent: row.urgent,
        count: row.count,
        account_id: row.account_id.map(|a| a.0),
        at: row.last_at,
    }
}

fn failed(row: &NoticeRow, error: SendError, at: Timestamp) -> NoticeEnd {
    let reason = error.to_string();
    let pause = match error {
        SendError::Never(_) => None,
        SendError::Again { .. } if at - row.first_at > GIVEN_UP_AFTER => None,
        SendError::Again { after: Some(after), .. } => {
            Some(Span::from_millis(after.as_millis() as i64))
        }
        SendError::Again { after: None, .. } => {
            let doubled = AGAIN_AFTER.0 << row.attempts.min(16);
            Some(Span(doubled.min(AGAIN_AFTER_MAX.0)))
        }
    };
    match pause {
        Some(pause) => NoticeEnd::Again { at: at + pause, error: reason },
        None => {
            tracing::warn!(channel = %row.channel, notice = row.id, %reason, "a notice is given up");
            metrics::counter!("amarktai_notices_failed_total").increment(1);
            NoticeEnd::Failed(reason)
        }
    }
}

/// A query where blocking is allowed.
async fn blocking<T: Send + 'static>(
    reader: ReadPool,
    query: impl FnOnce(&ReadPool) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let work = tokio::task::spawn_blocking(move || query(&reader));
    work.await.unwrap_or(Err(StoreError::Closed))
}

/// Since when each feed is not fresh.
#[derive(Default)]
struct FeedWatch {
    down: HashMap<String, (Timestamp, bool)>,
}

impl FeedWatch {
    /// Feeds that are down for too long, once each, and those that came back after that.
    fn look(&mut self, health: &HealthReport, at: Timestamp) -> Vec<Word> {
        let mut words = Vec::new();
        for feed in &health.feeds {
            let name = format!("{} {}", feed.exchange, feed.symbol);
            if feed.state == "fresh" {
                if let Some((_, true)) = self.down.remove(&name) {
                    words.push(feed_word(&name, "is fresh again", String::new(), at));
                }
                continue;
            }
            let (since, is_told) = self.down.entry(name.clone()).or_insert((at, false));
            if !*is_told && at - *since > FEED_DOWN_AFTER {
                *is_told = true;
                let reason = feed.reason.clone().unwrap_or_default();
                words.push(feed_word(&name, "is down for over 5 minutes", reason, at));
            }
        }
        let known = |name: &str| {
            let mut feeds = health.feeds.iter();
            feeds.any(|feed| format!("{} {}", feed.exchange, feed.symbol) == name)
        };
        // A market that nobody wants any more is not down.
        self.down.retain(|name, _| known(name));
        words
    }
}

fn feed_word(name: &str, what: &str, body: String, at: Timestamp) -> Word {
    Word {
        account_id: None,
        kind: "feed",
        merge_key: format!("feed:{name}:{what}"),
        title: format!("{name} {what}"),
        body,
        is_urgent: true,
        at,
    }
}

impl Notifier for Notices {
    fn channels(&self) -> Vec<String> {
        self.channels.iter().map(|channel| channel.name().to_owned()).collect()
    }

    fn try_all(&self) -> BoxFuture<'_, Vec<ChannelTried>> {
        let letter = Letter {
            id: 0,
            kind: "test".to_owned(),
            title: "A word to try this channel".to_owned(),
            body: "Asked for by a person; nothing happened.".to_owned(),
            is_urgent: false,
            count: 1,
            account_id: None,
            at: now(),
        };
        let one = async |channel: &Channel, letter: &Letter| {
            let error = channel.send(&self.http, letter).await.err().map(|e| e.to_string());
            ChannelTried { channel: channel.name().to_owned(), ok: error.is_none(), error }
        };
        async move { join_all(self.channels.iter().map(|channel| one(channel, &letter))).await }
            .boxed()
    }
}
