//! Pre-trade checks: the only place where an [`ApprovedOrder`] can be made.
//!
//! `simulator` and `exchanges` take approved orders and nothing else, so no order can reach a
//! market unchecked. Main types: [`OrderIntent`], [`Snapshot`], [`ApprovedOrder`], [`check`], and
//! the table [`permission`] of what each state of a bot lets through. Deliberately absent: state.
//! Every figure that a check needs is handed in.

mod approve;
mod checks;
mod exposure;
mod permission;

pub use approve::{ApprovedOrder, OrderIntent, Refused, Snapshot, check};
pub use checks::CHECKS;
pub use exposure::{AccountRisk, Exposure};
pub use permission::{Condition, Permission, Wish, permission, table};
