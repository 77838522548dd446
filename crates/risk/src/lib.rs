//! Pre-trade checks: the only place where an [`ApprovedOrder`] can be made.
//!
//! `simulator` and `exchanges` take approved orders and nothing else, so no order can reach a
//! market unchecked. Main types: [`OrderIntent`], [`Snapshot`], [`ApprovedOrder`], [`check`], and
//! the table [`permission`] of what each state of a bot lets through. A real order also needs a
//! [`Permit`], and passes the [`WireGate`] last. Deliberately absent: state, but for that gate's
//! two counters and the [`EmergencyLatch`]. Every figure that a check needs is handed in.

mod approve;
mod checks;
mod exposure;
mod figures;
mod permission;
mod permit;
mod wire;

pub use approve::{ApprovedOrder, OrderIntent, Refused, Snapshot, check};
pub use checks::{CHECKS, Check, Rule};
pub use exposure::{AccountRisk, Exposure};
pub use figures::Figures;
pub use permission::{Condition, Permission, Wish, permission, table};
pub use permit::{EntryPermit, Permit, PermitMisfit, ReducePermit};
pub use wire::{EmergencyLatch, OrderCounts, WireGate, WirePass, WireStop};
