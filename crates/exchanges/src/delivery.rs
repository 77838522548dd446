//! What a connector hands over, and how it does so without losing what must not be lost.

use domain::{Instrument, InstrumentId, MarketEvent, Span, Timestamp};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{self, error::TrySendError};

/// One thing that a connector has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Local clock, taken right after the frame or answer was read.
    pub received_at: Timestamp,
    /// What.
    pub kind: DeliveryKind,
}

/// See [`Delivery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// The whole list: at the start, at each refresh, on demand. Status changes show here.
    Instruments(Vec<Instrument>),
    /// A market event of one subscription.
    Market {
        /// Whose, as named at subscription.
        instrument: InstrumentId,
        /// What.
        event: MarketEvent,
    },
    /// A measured round trip of a public REST call.
    RoundTrip(Span),
    /// The exchange's clock minus ours lies between these.
    Clock {
        /// At least.
        offset_lower_ns: i64,
        /// At most.
        offset_upper_ns: i64,
    },
}

/// Where prints were last known, so that the missed ones can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Id of the last print that was applied.
    pub last_print_id: u64,
    /// Its exchange time.
    pub last_print_at: Timestamp,
}

/// The local clock.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
}

/// The receiver is gone: the connector ends.
#[derive(Debug)]
pub(crate) struct SinkClosed;

/// Sends into the bounded sink. Prints, books and judgements wait for room; a touch that finds none
/// is kept aside and replaced by a newer one, and leaves before the next event of its instrument.
#[derive(Clone)]
pub(crate) struct Outlet {
    sink: mpsc::Sender<Delivery>,
    pending: BTreeMap<InstrumentId, Delivery>,
}

impl Outlet {
    pub(crate) const fn new(sink: mpsc::Sender<Delivery>) -> Self {
        Self { sink, pending: BTreeMap::new() }
    }

    pub(crate) async fn say(&self, kind: DeliveryKind) -> Result<(), SinkClosed> {
        let delivery = Delivery { received_at: now(), kind };
        self.sink.send(delivery).await.map_err(|_| SinkClosed)
    }

    pub(crate) async fn send(
        &mut self,
        instrument: InstrumentId,
        received_at: Timestamp,
        event: MarketEvent,
    ) -> Result<(), SinkClosed> {
        let is_touch = matches!(event, MarketEvent::Touch(_));
        let delivery = Delivery { received_at, kind: DeliveryKind::Market { instrument, event } };
        if is_touch {
            return match self.sink.try_send(delivery) {
                Ok(()) => {
                    self.pending.remove(&instrument);
                    Ok(())
                }
                Err(TrySendError::Full(newest)) => {
                    self.pending.insert(instrument, newest);
                    Ok(())
                }
                Err(TrySendError::Closed(_)) => Err(SinkClosed),
            };
        }
        if let Some(touch) = self.pending.remove(&instrument) {
            self.sink.send(touch).await.map_err(|_| SinkClosed)?;
        }
        self.sink.send(delivery).await.map_err(|_| SinkClosed)
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Sends one touch that had to wait. Cancel safe: it is taken out only when there is room.
    pub(crate) async fn flush_one(&mut self) -> Result<(), SinkClosed> {
        let permit = self.sink.reserve().await.map_err(|_| SinkClosed)?;
        if let Some((_, touch)) = self.pending.pop_first() {
            permit.send(touch);
        }
        Ok(())
    }

    pub(crate) fn forget(&mut self, instrument: InstrumentId) {
        self.pending.remove(&instrument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Level, Price, Quantity, Touch};

    fn touch(update_id: u64) -> MarketEvent {
        let level = Level { price: Price(1), quantity: Quantity(1) };
        MarketEvent::Touch(Touch { update_id, bid: level, ask: level })
    }

    #[tokio::test]
    async fn full_sink_keeps_the_newest_touch_and_sends_it_before_the_next_event() {
        let (sink, mut out) = mpsc::channel(1);
        let mut outlet = Outlet::new(sink);
        let id = InstrumentId(7);
        for update in 1..=3 {
            outlet.send(id, Timestamp(0), touch(update)).await.unwrap();
        }
        assert!(outlet.has_pending());
        let gap = MarketEvent::Gap { from: Timestamp(0) };
        let sending = tokio::spawn(async move { outlet.send(id, Timestamp(0), gap).await });
        let mut seen = Vec::new();
        for _ in 0..3 {
            if let DeliveryKind::Market { event, .. } = out.recv().await.unwrap().kind {
                seen.push(event);
            }
        }
        sending.await.unwrap().unwrap();
        assert_eq!(seen, [touch(1), touch(3), MarketEvent::Gap { from: Timestamp(0) }]);
    }
}
