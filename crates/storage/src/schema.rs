//! The schema: forward-only migrations, run at start, each in its own transaction.

use crate::StoreError;
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use std::fs::OpenOptions;
use std::path::Path;

/// Every migration that was ever released, in order; released ones never change.
const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_operator.sql"),
    include_str!("../migrations/0003_autopilot.sql"),
    include_str!("../migrations/0004_second_factor.sql"),
];

/// The schema version of this program.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// Opens the one connection that writes, checks the file and brings it to our version.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    private(OpenOptions::new().append(true).create(true), path)?;
    let mut connection = Connection::open(path).map_err(|e| damaged(path, e))?;
    prepare(&mut connection, path).map_err(|e| match e {
        StoreError::Sqlite(e) => damaged(path, e),
        other => other,
    })?;
    Ok(connection)
}

/// Makes a new file readable by its owner alone: it holds password hashes. SQLite gives the
/// write-ahead log the same rights.
pub(crate) fn private(options: &mut OpenOptions, path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path).map(drop).map_err(|e| StoreError::io(path, e))
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // Versions first: a newer file is left exactly as it is, not even switched to WAL.
    let found = version(connection, path)?;
    if found > SCHEMA_VERSION {
        let (path, known) = (path.to_owned(), SCHEMA_VERSION);
        return Err(StoreError::NewerSchema { path, found, known });
    }
    quick_check(connection, path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
    )?;
    // Batches use about thirty statements; none is ever prepared twice.
    connection.set_prepared_statement_cache_capacity(64);
    migrate(connection, found)?;
    // Names this store's orders at exchanges: in a new store our own ids count from 1 again.
    connection.execute(
        "INSERT OR IGNORE INTO meta (key, value)
         VALUES ('installation', lower(hex(randomblob(4))))",
        [],
    )?;
    Ok(())
}

/// The version of the file, 0 for a new one.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let tables: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table'",
        [],
        |row| row.get(0),
    )?;
    if tables == 0 {
        return Ok(0);
    }
    let ours: Option<String> = connection
        .query_row("SELECT name FROM sqlite_schema WHERE name = 'schema_version'", [], |row| {
            row.get(0)
        })
        .optional()?;
    if ours.is_none() {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let found: Option<u32> =
        connection.query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0))?;
    Ok(found.unwrap_or(0))
}

fn quick_check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let detail: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if detail == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt { path: path.to_owned(), detail })
}

fn migrate(connection: &mut Connection, found: u32) -> Result<(), StoreError> {
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction()?;
        if index == 0 {
            transaction.execute_batch(
                "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT",
            )?;
        }
        transaction.execute_batch(sql)?;
        let version = index as u32 + 1;
        transaction.execute("INSERT INTO schema_version (version) VALUES (?1)", [version])?;
        transaction.commit()?;
        tracing::info!(version, "schema migrated");
    }
    Ok(())
}

/// SQLite tells damage by codes; everything else stays what it is.
pub(crate) fn damaged(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path: path.to_owned(), detail: error.to_string() }
        }
        _ => StoreError::Sqlite(error),
    }
}
