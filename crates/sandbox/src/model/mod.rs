//! The model market: pure and deterministic given its seed. No clock, no I/O.

pub mod bars;
pub mod book;
pub mod catalogue;
pub mod flow;
pub mod market;
pub mod noise;
pub mod reference;
pub mod world;
