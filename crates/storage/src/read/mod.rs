//! Queries on read-only connections. They block: call them where blocking is allowed.

mod balances;
mod equity;
mod explain;
mod list;
mod lists;
mod rows;
mod verify;

pub use equity::{EQUITY_DAYS_MAX, EQUITY_POINTS_MAX, EquityDays};
pub use explain::TradeExplained;
pub use list::{Page, Paged};
pub use lists::{
    FillFilter, OrderFilter, PostingFilter, RefusalFilter, TRADE_PROFITS_MAX, TradeFilter,
};
pub use rows::{AuditRow, OrderRow, PolicyRow, PostingRow, TradeProfit};
pub use verify::{
    ChainFault, CurrencySum, EventsVerified, LedgerVerified, Realized, Spent, Unbalanced,
};

use crate::StoreError;
use crate::cells::Cells;
use rusqlite::{Connection, OpenFlags, Params};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Largest page of a list.
pub const PAGE_ROWS_MAX: usize = 500;

/// Longest wait for a free connection: a page that comes later is of no use to anybody.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Read-only connections, shared; clones are the same pool.
#[derive(Clone)]
pub struct ReadPool {
    shared: Arc<Shared>,
}

struct Shared {
    free: Mutex<Vec<Connection>>,
    returned: Condvar,
    connections: usize,
}

impl ReadPool {
    /// Opens `connections` (at least one) read-only connections to an existing store; needs no
    /// lock on the data directory.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path, connections: usize) -> Result<Self, StoreError> {
        let connections = connections.max(1);
        let free = (0..connections).map(|_| connect(path)).collect::<Result<Vec<_>, _>>()?;
        let shared = Shared { free: Mutex::new(free), returned: Condvar::new(), connections };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs a query on a free connection, in one read transaction's view at a time.
    pub(crate) fn with<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lease = Lease { connection: Some(self.take()?), shared: &self.shared };
        match &lease.connection {
            Some(connection) => query(connection),
            None => Err(StoreError::Closed),
        }
    }

    /// The first row of a query.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, params, read)?.into_iter().next())
    }

    /// All rows of a query: for what is few by nature.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|connection| collect(connection, sql, params, read))
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let shared = &self.shared;
        let free = shared.free.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut free, _) = shared
            .returned
            .wait_timeout_while(free, WAIT_MAX, |free| free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        free.pop().ok_or(StoreError::Busy {
            connections: shared.connections,
            waited_s: WAIT_MAX.as_secs(),
        })
    }
}

/// Gives its connection back, also when the query panics.
struct Lease<'p> {
    connection: Option<Connection>,
    shared: &'p Shared,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.connection.take());
        self.shared.returned.notify_one();
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // A checkpoint or recovery may hold the file for a moment.
    connection.busy_timeout(WAIT_MAX)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(crate) fn collect<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Cells<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(&Cells(row))?);
    }
    Ok(items)
}
