//! End-to-end: the built program as its own process, against local exchange servers that speak the
//! real protocols. Everything is seen from outside: exit codes, files, log lines, HTTP, the store.

mod demo;
mod harness;
mod market;
