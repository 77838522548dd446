//! From the driver to the sockets of one exchange: frames are built once, for streams that
//! somebody wants, and every socket picks its own.

use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::broadcast;

/// Batches a socket may fall behind before it is cut off, as the exchanges do.
const BATCHES_MAX: usize = 4_096;

/// One message for those who subscribed to its stream.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The stream's name, the key of subscriptions.
    pub(crate) key: Arc<str>,
    /// The exchange's name of the symbol.
    pub(crate) symbol: Arc<str>,
    /// The market's sequence number after this frame.
    pub(crate) seq: u64,
    /// Whether it changes a book that clients keep (what `gap` and `crossed` look for).
    pub(crate) book: bool,
    /// The payload.
    pub(crate) body: String,
}

/// The frames of one step.
pub(crate) type Batch = Arc<Vec<Frame>>;

/// The distribution point.
#[derive(Debug)]
pub(crate) struct Hub {
    batches: broadcast::Sender<Batch>,
    wanted: RwLock<FxHashMap<String, usize>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { batches: broadcast::Sender::new(BATCHES_MAX), wanted: RwLock::default() }
    }

    /// A socket's view, from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Batch> {
        self.batches.subscribe()
    }

    /// How many sockets listen.
    pub(crate) fn listeners(&self) -> usize {
        self.batches.receiver_count()
    }

    /// Sends a batch; nobody listening is no fault.
    pub(crate) fn send(&self, frames: Vec<Frame>) {
        if !frames.is_empty() {
            let _ = self.batches.send(Arc::new(frames));
        }
    }

    /// Whether anybody wants this stream.
    pub(crate) fn wants(&self, key: &str) -> bool {
        self.wanted.read().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// All wanted streams.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.wanted.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn add(&self, key: &str) {
        let mut wanted = self.wanted.write().unwrap_or_else(PoisonError::into_inner);
        *wanted.entry(key.to_owned()).or_default() += 1;
    }

    fn drop_one(&self, key: &str) {
        let mut wanted = self.wanted.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = wanted.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(key);
            }
        }
    }
}

/// What one socket is subscribed to; taken back when it is dropped.
pub(crate) struct Subscriptions {
    hub: Arc<Hub>,
    /// Stream and the sequence number up to which the socket needs no frame (its snapshot's).
    keys: FxHashMap<String, u64>,
}

impl Subscriptions {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, keys: FxHashMap::default() }
    }

    /// Adds a stream; frames up to `after` are skipped.
    pub(crate) fn add(&mut self, key: &str, after: u64) {
        if self.keys.insert(key.to_owned(), after).is_none() {
            self.hub.add(key);
        }
    }

    /// Ends a stream.
    pub(crate) fn remove(&mut self, key: &str) {
        if self.keys.remove(key).is_some() {
            self.hub.drop_one(key);
        }
    }

    /// Whether the socket gets this frame.
    pub(crate) fn wants(&self, frame: &Frame) -> bool {
        self.keys.get(&*frame.key).is_some_and(|after| frame.seq > *after)
    }

    /// The streams, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.keys.keys().cloned().collect();
        names.sort();
        names
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for key in self.keys.keys() {
            self.hub.drop_one(key);
        }
    }
}
