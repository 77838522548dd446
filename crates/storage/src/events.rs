//! Events: numbered and chained in the writer's transaction, told when it is durable.

use crate::cells::Cells;
use crate::facts::Rows;
use crate::statements::Sql;
use crate::{ReadPool, StoreError};
use domain::{AccountId, EventKind, Timestamp};
use engine::EventHead;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Events that a subscriber may be behind before it is cut off: some seconds of a busy fleet.
pub const SUBSCRIBER_EVENTS_MAX: usize = 4_096;

/// A stored event.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// Where to go on reading after it; opaque.
    pub cursor: String,
    /// Dense and rising in its stream: the account's, or the fleet's.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// Whose; `None`: the fleet's.
    pub account_id: Option<AccountId>,
    /// Its figures.
    pub data: Box<RawValue>,
}

impl EventRow {
    /// May this account see it? Its own events and the fleet's; `None` sees all.
    pub fn is_for(&self, account: Option<AccountId>) -> bool {
        account.is_none() || self.account_id.is_none() || self.account_id == account
    }

    pub(crate) fn read(cells: &Cells<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            cursor: cells.int("id")?.to_string(),
            seq: cells.id("seq")?,
            at: cells.time("at")?,
            kind: cells.word("type")?,
            account_id: cells.opt("account_id", Cells::small)?.map(AccountId),
            data: cells.json("data")?,
        })
    }
}

/// End of a stream's chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: [u8; 32],
}

/// The chain: each hash covers the one before and every field, with lengths, so that no two
/// contents give the same bytes.
pub(crate) fn link(
    prev: &[u8; 32],
    account_id: Option<AccountId>,
    seq: u64,
    fields: [&str; 3],
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(prev);
    hasher.update(account_id.map_or(-1, |a| i64::from(a.0)).to_be_bytes());
    hasher.update(seq.to_be_bytes());
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

/// The ends of all streams, kept by the writer.
pub(crate) struct Streams {
    heads: BTreeMap<Option<AccountId>, Head>,
    last_id: i64,
}

impl Streams {
    /// Where the last process stopped; what retention removed is in the anchors.
    pub(crate) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut heads = BTreeMap::new();
        let mut last_id: i64 =
            connection.query_row("SELECT ifnull(max(id), 0) FROM events", [], |r| r.get(0))?;
        for anchor in crate::retention::anchors(connection)? {
            last_id = last_id.max(anchor.id);
            heads.insert(anchor.account_id, anchor.head()?);
        }
        let mut statement = connection.prepare(
            "SELECT account_id, seq, hash FROM events WHERE id IN
                 (SELECT max(id) FROM events GROUP BY account_id)",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let account_id: Option<u32> = row.get(0)?;
            let cells = Cells(row);
            let head = Head { seq: cells.id("seq")?, hash: cells.bytes("hash")? };
            heads.insert(account_id.map(AccountId), head);
        }
        Ok(Self { heads, last_id })
    }

    /// Writes an event at the end of its stream; its id and its number there.
    pub(crate) fn append(
        &mut self,
        rows: &mut Rows<'_, '_>,
        event: EventHead,
        data: &str,
    ) -> rusqlite::Result<(i64, u64)> {
        let EventHead { account_id, kind, at } = event;
        let head = self.heads.entry(account_id).or_default();
        let (id, seq) = (self.last_id + 1, head.seq + 1);
        let fields = [rows.ink.stamp(at), kind.name(), data];
        let hash = link(&head.hash, account_id, seq, fields);
        rows.bind(Sql::Event)?
            .put(id)
            .put(account_id.map(|a| a.0))
            .id(seq)
            .time(at)
            .put(kind.name())
            .put(data)
            .put(head.hash)
            .put(hash)
            .run()?;
        *head = Head { seq, hash };
        self.last_id = id;
        Ok((id, seq))
    }
}

/// Events of one transaction: told when it is durable, and only then made into rows of their own,
/// as mostly nobody listens.
#[derive(Default)]
pub(crate) struct Told {
    text: String,
    events: Vec<Noted>,
}

struct Noted {
    event: EventHead,
    id: i64,
    seq: u64,
    data: Range<usize>,
}

/// Text kept between transactions: what a hundred events need. A large one's memory goes back.
const TEXT_KEPT_BYTES: usize = 64 << 10;

impl Told {
    /// Ready for the next transaction.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT_BYTES);
        self.events.clear();
    }

    /// Stores an event.
    pub(crate) fn write(
        &mut self,
        streams: &mut Streams,
        rows: &mut Rows<'_, '_>,
        event: EventHead,
        data: &impl Serialize,
    ) -> rusqlite::Result<()> {
        let buffer = &mut rows.ink.buffer;
        buffer.clear();
        serde_json::to_writer(&mut *buffer, data)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        let start = self.text.len();
        crate::json::sorted(std::str::from_utf8(buffer)?, &mut self.text);
        let data = start..self.text.len();
        let (id, seq) = streams.append(rows, event, &self.text[data.clone()])?;
        self.events.push(Noted { event, id, seq, data });
        Ok(())
    }

    /// The rows as their readers see them.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Arc<EventRow>> {
        self.events.iter().map(|Noted { event, id, seq, data }| {
            let EventHead { account_id, kind, at } = *event;
            let data = RawValue::from_string(self.text[data.clone()].to_owned())
                .expect("text of our own serialiser is JSON");
            Arc::new(EventRow { cursor: id.to_string(), seq: *seq, at, kind, account_id, data })
        })
    }
}

/// What a subscriber gets instead of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// Cut off: it took too long. Read what is missing by cursor, or subscribe anew.
    #[error("too slow: {missed} events behind, at most {SUBSCRIBER_EVENTS_MAX} are kept")]
    Lagged {
        /// How many it will not get.
        missed: u64,
    },
    /// The store ended.
    #[error("the store is closed")]
    Closed,
}

/// Tells committed events to everybody who subscribed.
#[derive(Clone)]
pub struct EventHub {
    sender: broadcast::WeakSender<Arc<EventRow>>,
}

impl EventHub {
    pub(crate) fn new(sender: &broadcast::Sender<Arc<EventRow>>) -> Self {
        // Weak: when the writer ends, subscribers learn it although hubs are still held.
        Self { sender: sender.downgrade() }
    }

    /// All events committed from now on. To miss none: subscribe first, then read what was before
    /// by cursor, then skip what came twice.
    pub fn subscribe(&self) -> Subscription {
        let closed = || broadcast::channel(1).1;
        let receiver = self.sender.upgrade().map_or_else(closed, |sender| sender.subscribe());
        Subscription { receiver }
    }
}

/// One subscriber's place.
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<EventRow>>,
}

impl Subscription {
    /// The next committed event.
    ///
    /// # Errors
    /// It was too slow, or the store ended.
    pub async fn next(&mut self) -> Result<Arc<EventRow>, SubscriptionError> {
        self.receiver.recv().await.map_err(|e| match e {
            broadcast::error::RecvError::Lagged(missed) => SubscriptionError::Lagged { missed },
            broadcast::error::RecvError::Closed => SubscriptionError::Closed,
        })
    }

    /// The next event that is already there; `None` where there is none.
    ///
    /// # Errors
    /// It was too slow, or the store ended.
    pub fn try_next(&mut self) -> Result<Option<Arc<EventRow>>, SubscriptionError> {
        match self.receiver.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::TryRecvError::Empty) => Ok(None),
            Err(broadcast::error::TryRecvError::Closed) => Err(SubscriptionError::Closed),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                Err(SubscriptionError::Lagged { missed })
            }
        }
    }
}

/// A page of events in commit order.
#[derive(Clone, Debug, Serialize)]
pub struct EventPage {
    /// Oldest first.
    pub items: Vec<EventRow>,
    /// Where to go on; the cursor that was given where nothing is new.
    pub next: Option<String>,
}

const AFTER_ALL: &str = "SELECT id, account_id, seq, at, type, data FROM events
    WHERE id > ?1 ORDER BY id LIMIT ?2";
const AFTER: &str = "SELECT id, account_id, seq, at, type, data FROM events
        WHERE account_id = ?3 AND id > ?1
    UNION ALL SELECT id, account_id, seq, at, type, data FROM events
        WHERE account_id IS NULL AND id > ?1
    ORDER BY id LIMIT ?2";

impl ReadPool {
    /// The account's events and the fleet's (`None`: everybody's) after a cursor, in commit order.
    /// Without a cursor from the oldest that is kept.
    ///
    /// # Errors
    /// The cursor is not ours, or older than what is kept.
    pub fn events_after(
        &self,
        account: Option<AccountId>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        let limit = limit.clamp(1, crate::PAGE_ROWS_MAX) as i64;
        self.with(|connection| {
            let after = match cursor {
                Some(cursor) => check_cursor(connection, account, cursor)?,
                None => 0,
            };
            let sql = if account.is_some() { AFTER } else { AFTER_ALL };
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = match account {
                Some(account) => statement.query((after, limit, account.0))?,
                None => statement.query((after, limit))?,
            };
            let mut items = Vec::new();
            while let Some(row) = rows.next()? {
                items.push(EventRow::read(&Cells(row))?);
            }
            let next = items.last().map(|e| e.cursor.clone()).or(cursor.map(str::to_owned));
            Ok(EventPage { items, next })
        })
    }

    /// The cursor of the last event of all, for somebody who wants only what is new.
    ///
    /// # Errors
    /// SQLite's.
    pub fn last_cursor(&self) -> Result<String, StoreError> {
        self.with(|connection| last_id(connection).map(|id| id.to_string()))
    }
}

fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    let kept: Option<i64> =
        connection.query_row("SELECT max(id) FROM events", [], |r| r.get(0)).optional()?.flatten();
    let removed = crate::retention::anchors(connection)?.iter().map(|a| a.id).max();
    Ok(kept.max(removed).unwrap_or(0))
}

fn check_cursor(
    connection: &Connection,
    account: Option<AccountId>,
    cursor: &str,
) -> Result<i64, StoreError> {
    let digits = !cursor.is_empty() && cursor.bytes().all(|b| b.is_ascii_digit());
    let id: Option<i64> = if digits { cursor.parse().ok() } else { None };
    // Ahead of us: from another store, or from this one before a backup was restored.
    let id = id.ok_or_else(|| StoreError::bad_cursor(cursor))?;
    if id > last_id(connection)? {
        return Err(StoreError::bad_cursor(cursor));
    }
    let seen =
        |stream: Option<AccountId>| account.is_none() || stream.is_none() || stream == account;
    let anchors = crate::retention::anchors(connection)?;
    match anchors.into_iter().filter(|a| seen(a.account_id) && a.id > id).max_by_key(|a| a.id) {
        Some(anchor) => {
            Err(StoreError::CursorExpired { cursor: cursor.to_owned(), removed_until: anchor.at })
        }
        None => Ok(id),
    }
}
