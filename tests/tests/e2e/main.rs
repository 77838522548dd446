//! End-to-end: the built program as its own process, against local exchange servers that speak the
//! real protocols. Everything is seen from outside: exit codes, files, log lines, HTTP, the store.

// Helpers of tests are tests: what is not there fails them.
#![allow(clippy::unwrap_used)]

mod autopilot;
mod checklist;
mod demo;
mod deploy;
mod emergency;
mod evidence;
mod exits;
mod faults;
mod flags;
mod gate_fuzz;
mod harness;
mod healing;
mod health;
mod kill;
mod live;
mod live_lies;
mod market;
mod nginx;
mod operator;
mod realtime;
mod research;
mod service;
mod start_and_end;
mod tape;
mod update;
mod watched;
mod witness;
