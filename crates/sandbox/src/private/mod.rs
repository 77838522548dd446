//! The private side: accounts with money, keys with rights, orders on the same matching engine.
//!
//! [`desk`] is pure: what an order does to book and balances. What the exchanges make of it, with
//! their signatures, codes and words, is in the modules of each. [`lie`] is for answers that are
//! none: the truth is then at the [`desk`], where tests look it up.

pub(crate) mod access;
pub(crate) mod config;
pub(crate) mod desk;
pub(crate) mod entry;
pub(crate) mod funds;
pub(crate) mod lie;
pub(crate) mod order;

pub(crate) use access::{Access, Grant};
pub(crate) use desk::{Deeds, Desk};
pub(crate) use entry::{Asked, Kind, Refusal};
pub(crate) use order::{Event, Fill, News, Order, Status};
