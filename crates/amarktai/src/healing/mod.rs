//! Self-healing: what is repaired, how often it is tried, and that it is said.
//!
//! A repair is never silent: each is a line in the log, a metric and an event `self_healing` with
//! its cause, what was done and what came of it. What cannot be repaired stays in `/health`.

mod begin;
mod desk;
mod entries;
pub(crate) mod faults;
mod journal;
mod memory;
mod port;
mod probe;
mod repairs;
mod starts;
mod tasks;
mod vitals;
mod watchdog;

pub(crate) use begin::Healing;
pub(crate) use desk::Desk;
pub(crate) use entries::Entries;
pub(crate) use journal::{Journal, Repair};
pub(crate) use port::{serve, store_ended};
pub(crate) use repairs::Repairs;
pub(crate) use tasks::Tasks;
pub(crate) use vitals::{QueueWatch, Vitals};
pub(crate) use watchdog::Leash;

/// How the process ends when its core does not advance (`EX_SOFTWARE`): the service manager starts
/// it again.
pub(crate) const EXIT_STALLED: u8 = 70;
/// How it ends when the store cannot be written (`EX_IOERR`).
pub(crate) const EXIT_STORE: u8 = 74;
