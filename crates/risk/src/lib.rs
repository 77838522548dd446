//! Pre-trade checks: the only place where an [`ApprovedOrder`] can be made.
//!
//! `simulator` and `exchanges` take approved orders and nothing else, so no order can reach a
//! market unchecked. Main types: [`OrderIntent`], [`Snapshot`], [`ApprovedOrder`], [`check`], and
//! the table [`permission`] of what each state of a bot lets through. A real order also needs a
//! [`Permit`], and passes the [`WireGate`] last. Deliberately absent: state, but for that gate's
//! two counters and the [`EmergencyLatch`]. Every figure that a check needs is handed in.

mod anomaly;
mod approve;
mod checks;
mod exposure;
mod figures;
mod gate;
mod permission;
mod permit;
mod protections;
mod throttle;
pub mod unlimited;
mod wire;

pub use anomaly::{
    Change, FREQUENCY_FALSE_ALARMS_PER_HOUR, HISTORY_MIN, Slippage, Verdict, frequency,
    trades_an_hour_max,
};
pub use approve::{ApprovedOrder, LiveStanding, OrderIntent, Refused, Snapshot, check};
pub use checks::{CHECKS, Check, Rule, surely_off, taking_price};
pub use exposure::{ASSETS_MIN, AccountRisk, Exposure};
pub use figures::Figures;
pub use gate::{
    Condition as GateCondition, Evidence, KeyState, Size, Standing, Verdict as GateVerdict, judge,
    judge_briefly, reduce_permit,
};
pub use permission::{Condition, Permission, Wish, permission, table};
pub use permit::{EntryPermit, Permit, PermitMisfit, ReducePermit};
pub use protections::{Closed, Peaks, Protection, Recent, percent_of};
pub use throttle::{Executions, Throttled};
pub use wire::{EmergencyLatch, OrderCounts, WireGate, WirePass, WireStop};
