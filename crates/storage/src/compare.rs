//! Two stores side by side: what a replay made against what had happened, to the byte.

use crate::StoreError;
use domain::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use serde::Serialize;
use std::path::Path;

/// Differences that are listed; all are counted.
const LISTED_MAX: usize = 100;

/// What is compared: table, the column of its time, columns that are not the core's.
const TABLES: [(&str, &str, &[&str]); 6] = [
    ("orders", "updated_at", &[]),
    ("fills", "at", &[]),
    // The season is looked up when the row is stored.
    ("trades", "timestamp", &["season"]),
    ("transfers", "at", &[]),
    // Their ids count the rows of a store.
    ("postings", "at", &["id"]),
    ("decisions", "at", &[]),
];

/// A row that only one of them has, or that they have otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of which table.
    pub table: &'static str,
    /// `stored` or `replayed`: who has it.
    pub only: &'static str,
    /// The row, `column=value` each.
    pub row: String,
}

/// What came of comparing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Rows that were compared, by table.
    pub rows: Vec<(&'static str, u64)>,
    /// How many rows differ.
    pub different: u64,
    /// The first hundred.
    pub differences: Vec<Difference>,
}

/// Compares orders, fills, trades, the ledger and decisions of these times, ends included.
///
/// # Errors
/// SQLite's.
pub fn compare(
    stored: &Path,
    replayed: &Path,
    times: &[(Timestamp, Timestamp)],
) -> Result<Compared, StoreError> {
    let connection = Connection::open_with_flags(stored, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute("ATTACH DATABASE ?1 AS replayed", [replayed.to_string_lossy()])?;
    let mut compared = Compared::default();
    for (table, time, left_out) in TABLES {
        let columns = columns(&connection, table, left_out)?;
        let within = within(time, times);
        let rows = format!("SELECT count(*) FROM main.{table} WHERE {within}");
        let count: i64 = connection.query_row(&rows, [], |r| r.get(0))?;
        compared.rows.push((table, count.unsigned_abs()));
        let list = columns.join(", ");
        // Counted, as equal rows are no sets.
        let side = |name: &str| {
            format!(
                "SELECT {list}, count(*) AS times FROM {name}.{table} WHERE {within} GROUP BY {list}"
            )
        };
        for (only, mine, other) in
            [("stored", "main", "replayed"), ("replayed", "replayed", "main")]
        {
            let sql = format!("{} EXCEPT {}", side(mine), side(other));
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                compared.different += 1;
                if compared.differences.len() < LISTED_MAX {
                    let row = text(row, &columns)?;
                    compared.differences.push(Difference { table, only, row });
                }
            }
        }
    }
    Ok(compared)
}

fn columns(
    connection: &Connection,
    table: &str,
    left_out: &[&str],
) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names: Vec<String> =
        statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names.into_iter().filter(|n| !left_out.contains(&n.as_str())).collect())
}

/// Times are texts of one width, so they compare as they are; they are ours, not a person's.
fn within(column: &str, times: &[(Timestamp, Timestamp)]) -> String {
    let one = |(from, to): &(Timestamp, Timestamp)| format!("{column} BETWEEN '{from}' AND '{to}'");
    let all: Vec<String> = times.iter().map(one).collect();
    if all.is_empty() { "0".to_owned() } else { format!("({})", all.join(" OR ")) }
}

fn text(row: &Row<'_>, columns: &[String]) -> Result<String, StoreError> {
    let mut cells = Vec::new();
    for (at, name) in columns.iter().enumerate() {
        let value = match row.get_ref(at)? {
            ValueRef::Null => continue,
            ValueRef::Integer(n) => n.to_string(),
            ValueRef::Real(n) => n.to_string(),
            ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
        };
        cells.push(format!("{name}={value}"));
    }
    Ok(cells.join(" "))
}
