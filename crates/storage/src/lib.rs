//! Transactions, migrations, outbox: everything that must survive, in one SQLite file.
//!
//! One writer thread takes what the core said, writes it in one transaction, syncs it, and only
//! then tells anybody: tickets, events, log lines, answers. A commit that fails is never retried;
//! the store takes nothing more and start-up recovers. Queries run on read-only connections.
//!
//! `server`, `backtest` and the binary may depend on it. Main types: [`Store`], [`Batch`],
//! [`Ticket`], [`EventHub`], [`ReadPool`]. Deliberately absent: decisions. What is stored was
//! decided by the core; nothing here changes a figure.

mod access;
mod audit;
mod backup;
mod cells;
mod compare;
mod control;
mod error;
mod events;
mod facts;
mod health;
mod idempotency;
mod json;
mod keys;
mod lock;
mod notices;
mod queue;
mod rates;
mod read;
mod retention;
mod schema;
mod second_factor;
mod statements;
mod store;
mod writer;

pub use access::{NewSession, NewToken, NewUser, Role, SessionRow, TokenRow, UserRow, secret_hash};
pub use backup::{BackupVerified, Restored, restore, verify_backup};
pub use compare::{Compared, Difference, compare};
pub use control::{ControlAnswer, ControlError, ControlFailure, ControlWrite, Pending, SecretHash};
pub use error::StoreError;
pub use events::{
    EventHub, EventPage, EventRow, SUBSCRIBER_EVENTS_MAX, Subscription, SubscriptionError,
};
pub(crate) use health::Health;
pub use health::StoreHealth;
pub use idempotency::{Claim, IDEMPOTENCY_KEPT, IdempotencyKey};
pub use keys::{Attestation, KeyPermissions, KeyRow};
pub use lock::{LOCK_FILE, owner};
pub use notices::{
    NOTICES_MERGED, NOTICES_WAITING_MAX, NewNotice, NoticeCounts, NoticeEnd, NoticeRow,
};
pub use queue::{COMMIT_ROWS_MAX, QUEUE_ROWS_MAX, Ticket};
pub use rates::RateRow;
pub use read::{
    AuditRow, ChainFault, CurrencySum, EQUITY_DAYS_MAX, EQUITY_POINTS_MAX, EquityDays,
    EventsVerified, FillFilter, LedgerVerified, OrderFilter, OrderRow, PAGE_ROWS_MAX, Page, Paged,
    PolicyRow, PostingFilter, PostingRow, ReadPool, Realized, RefusalFilter, Spent,
    TRADE_PROFITS_MAX, TradeExplained, TradeFilter, TradeProfit, Unbalanced,
};
pub use retention::{EVENTS_KEPT, Retained};
pub use schema::SCHEMA_VERSION;
pub use second_factor::SecondFactorRow;
pub use store::{Batch, CommitHook, Loaded, Store, StoreOptions};
pub use writer::CommitInfo;
