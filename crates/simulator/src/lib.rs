//! The simulated exchange: what the market would have given.
//!
//! An approved order executes against the book as it is one round trip after it was sent; takers
//! walk displayed levels less what the account already took; makers wait in a queue that only
//! prints shorten. Only `engine` drives it. Main types: [`Venue`] (one account on one instrument),
//! [`MarketState`] (what it sees), [`SimEvent`] (what it answers). Deliberately absent: money
//! (`ledger`), permission (`risk`), and any random outcome: latency is a pure function of
//! (seed, account, order, leg).

mod latency;
mod matching;
mod profile;
mod queue;
mod venue;

pub use latency::{LatencyModel, Leg, draw};
pub use matching::{Execution, walk};
pub use profile::{Cause, code};
pub use queue::Waiting;
pub use venue::{Changed, Fill, MarketState, SimEvent, Venue};
