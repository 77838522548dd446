//! The server over real sockets: one binary, so that it links once.

mod access;
mod common;
mod realtime;
mod requests;
