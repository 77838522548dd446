//! The server over real sockets: one binary, so that it links once.

#![allow(clippy::unwrap_used)] // the rule knows no support code of tests

mod access;
mod autopilot;
mod backtests;
mod common;
mod dashboard;
mod operator;
mod real;
mod realtime;
mod requests;
mod second_factor;
mod shapes;
