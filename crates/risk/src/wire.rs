//! The last step before the wire: the emergency latch, and orders out against orders approved.
//!
//! It knows nothing else, so nothing else can break it. The latch is a single word that whoever
//! stops sets and whoever sends reads, with no queue, lock or store in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// The emergency stop as a switch: effective with the next order, whatever else hangs.
///
/// Clones share it. It stops entries; sales of what is owned still go out.
#[derive(Clone, Debug, Default)]
pub struct EmergencyLatch(Arc<AtomicBool>);

impl EmergencyLatch {
    /// Stops entries from now on.
    pub fn stop(&self) {
        self.0.store(true, SeqCst);
    }

    /// Lets entries pass again: a person cleared the stop.
    pub fn clear(&self) {
        self.0.store(false, SeqCst);
    }

    /// Is it on?
    pub fn is_on(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// Orders of one account that were approved and stored, and that were let out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounts {
    /// Counted by whoever stored the approved order.
    pub approved: u64,
    /// Counted by the gate.
    pub out: u64,
}

/// Why an order does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireStop {
    /// The emergency stop of the account or the fleet is on.
    #[error("the emergency stop is on")]
    Emergency,
    /// More would be out than was ever approved: something sends twice.
    #[error("{} orders are out and {} approved", .0.out, .0.approved)]
    Unapproved(OrderCounts),
}

/// Proof that the gate let one order out; sending takes it.
#[derive(Debug)]
pub struct WirePass(());

/// The gate of one account. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct WireGate {
    fleet: EmergencyLatch,
    account: EmergencyLatch,
    counts: Arc<(AtomicU64, AtomicU64)>,
}

impl WireGate {
    /// A gate that reads these two latches.
    pub fn new(fleet: EmergencyLatch, account: EmergencyLatch) -> Self {
        Self { fleet, account, counts: Arc::default() }
    }

    /// One more order was approved, and its intent is stored.
    pub fn approve(&self) {
        self.counts.0.fetch_add(1, SeqCst);
    }

    /// An approved order will not be sent after all: its approval must not let another one out.
    pub fn forfeit(&self) {
        let less = |approved: u64| approved.checked_sub(1);
        // None left to give back: nothing was approved, and nothing can go out either.
        let _ = self.counts.0.fetch_update(SeqCst, SeqCst, less);
    }

    /// Lets one order out, or says why not. The emergency stop holds entries alone: a position can
    /// always be sold.
    ///
    /// # Errors
    /// See [`WireStop`].
    pub fn pass(&self, is_entry: bool) -> Result<WirePass, WireStop> {
        if is_entry && (self.fleet.is_on() || self.account.is_on()) {
            return Err(WireStop::Emergency);
        }
        let approved = self.counts.0.load(SeqCst);
        let more = |out: u64| (out < approved).then_some(out + 1);
        match self.counts.1.fetch_update(SeqCst, SeqCst, more) {
            Ok(_) => Ok(WirePass(())),
            Err(out) => Err(WireStop::Unapproved(OrderCounts { approved, out })),
        }
    }

    /// How many were approved and let out.
    pub fn counts(&self) -> OrderCounts {
        OrderCounts { approved: self.counts.0.load(SeqCst), out: self.counts.1.load(SeqCst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_approval_lets_one_order_out() {
        let gate = WireGate::default();
        let none = OrderCounts { approved: 0, out: 0 };
        assert_eq!(gate.pass(true).err(), Some(WireStop::Unapproved(none)));
        gate.approve();
        assert!(gate.pass(true).is_ok());
        let spent = OrderCounts { approved: 1, out: 1 };
        assert_eq!(gate.clone().pass(false).err(), Some(WireStop::Unapproved(spent)));
    }

    #[test]
    fn an_approval_given_back_lets_nothing_out() {
        let gate = WireGate::default();
        gate.approve();
        gate.forfeit();
        gate.forfeit();
        assert!(gate.pass(true).is_err());
        gate.approve();
        assert!(gate.pass(true).is_ok());
    }

    #[test]
    fn either_latch_stops_entries_and_no_sales() {
        for which in 0..2 {
            let latches = [EmergencyLatch::default(), EmergencyLatch::default()];
            let gate = WireGate::new(latches[0].clone(), latches[1].clone());
            gate.approve();
            gate.approve();
            latches[which].stop();
            assert_eq!(gate.pass(true).err(), Some(WireStop::Emergency));
            assert!(gate.pass(false).is_ok());
            latches[which].clear();
            assert!(gate.pass(true).is_ok());
        }
    }

    #[test]
    fn racing_senders_never_exceed_what_was_approved() {
        let gate = WireGate::default();
        for _ in 0..1_000 {
            gate.approve();
        }
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let gate = gate.clone();
                std::thread::spawn(move || (0..1_000).filter(|_| gate.pass(true).is_ok()).count())
            })
            .collect();
        let out: usize = senders.into_iter().map(|s| s.join().unwrap()).sum();
        assert_eq!(out, 1_000);
    }
}
