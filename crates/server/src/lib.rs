//! The outside of the product: HTTP, SSE, WebSocket, sign-in, metrics and the dashboard.
//!
//! Only the binary depends on this crate. It asks the core ([`Core`]) and reads the store; it never
//! writes state: what people order becomes a command, answered after its commit. The one
//! exception is access control (users, tokens, sessions), which is no business of the core.
//! Main types: [`AppState`], [`router`], [`serve`]. Deliberately absent: TLS (a reverse proxy's
//! work), CORS (no foreign origin is welcome), any rule about trading.

mod access;
mod auth;
pub mod core;
pub mod csv;
mod curve;
mod effects;
mod evidence;
mod extract;
mod health;
mod idempotency;
mod listener;
mod openapi;
pub mod operator;
mod page;
mod performance;
mod problem;
mod read;
mod realtime;
mod research;
mod routes;
pub mod schema;
mod seal;
mod serve;
mod share;
mod state;
mod strict;
mod watch;

pub use auth::{
    Credential, Principal, Role,
    secret::{digest as token_digest, token as new_token},
};
pub use core::{Core, CoreError, CoreRequest, Question, Release};
pub use evidence::{EvidenceVerified, verify_evidence};
pub use health::{FeedCheck, HealthReport, Part, RateUse, Status};
pub use openapi::document;
pub use problem::Problem;
pub use research::{Course, Finding, Research, StudyKind, StudyRecord};
pub use serve::{router, serve};
pub use share::verify_share;
pub use state::{AppState, Emergency, Pulled, ServerConfig};
pub use watch::{Watch, WatchError};
