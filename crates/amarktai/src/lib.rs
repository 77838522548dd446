//! The parts of the binary: configuration, command line, logs, and the wiring of all rooms.
//!
//! Nothing depends on this crate. It is a library beside its `main` only so that its parts can be
//! tested and documented like those of every other room; it knows all rooms and none knows it.

mod announce;
pub mod backups;
mod books;
pub mod cli;
pub mod client;
pub mod config;
pub mod core_loop;
mod data;
pub mod demo;
pub mod disk;
mod emergency;
pub mod feeds;
pub mod fidelity;
mod healing;
mod live;
pub mod logging;
pub mod notify;
pub mod offline;
mod operator;
pub mod parts;
mod recording;
pub mod research;
pub mod run;
pub mod signals;
pub mod supervise;
pub mod systemd;
pub mod vault;
pub mod watched;
