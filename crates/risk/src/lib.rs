//! Pre-trade checks: the only place where an [`ApprovedOrder`] can be made.
//!
//! `simulator` and `exchanges` take approved orders and nothing else, so no order can reach a
//! market unchecked. Main types: [`OrderIntent`], [`Snapshot`], [`ApprovedOrder`], [`check`], and
//! the table [`permission`] of what each state of a bot lets through. Deliberately absent: state.
//! Every figure that a check needs is handed in.

mod approve;
mod checks;
mod exposure;
mod figures;
mod permission;

pub use approve::{ApprovedOrder, OrderIntent, Refused, Snapshot, check};
pub use checks::{CHECKS, Check, Rule};
pub use exposure::{ASSETS_MIN, AccountRisk, Exposure};
pub use figures::Figures;
pub use permission::{Condition, Permission, Wish, permission, table};
