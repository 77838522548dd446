//! Rates of the moment, kept for whoever has to value a fill later.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError};
use crate::{ReadPool, StoreError};
use domain::{Amount, Currency, Timestamp};
use rusqlite::Connection;

/// What one unit of a currency was worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateRow {
    /// Of this.
    pub currency: Currency,
    /// In this.
    pub reporting: Currency,
    /// Then.
    pub at: Timestamp,
    /// So much.
    pub rate: Amount,
    /// Says who.
    pub source: String,
    /// How old it was then, in seconds.
    pub age_s: i64,
}

/// Keeps rates.
pub(crate) fn keep(
    connection: &Connection,
    rates: &[RateRow],
) -> Result<Result<ControlAnswer, ControlError>, StoreError> {
    let sql = "INSERT OR IGNORE INTO rates (currency, reporting, at, rate, source, age_s)
               VALUES (?, ?, ?, ?, ?, ?)";
    for row in rates {
        connection.prepare_cached(sql)?.execute((
            row.currency.as_str(),
            row.reporting.as_str(),
            row.at.to_string(),
            row.rate.to_string(),
            &row.source,
            row.age_s.max(0),
        ))?;
    }
    Ok(Ok(ControlAnswer::Done))
}

impl ReadPool {
    /// The last rate that was known at a moment.
    ///
    /// # Errors
    /// SQLite's, or a cell that is no rate.
    pub fn rate_at(
        &self,
        currency: Currency,
        reporting: Currency,
        at: Timestamp,
    ) -> Result<Option<RateRow>, StoreError> {
        let sql = "SELECT * FROM rates WHERE currency = ? AND reporting = ? AND at <= ?
                   ORDER BY at DESC LIMIT 1";
        let read = |cells: &Cells<'_>| {
            Ok(RateRow {
                currency: cells.parsed("currency")?,
                reporting: cells.parsed("reporting")?,
                at: cells.time("at")?,
                rate: cells.amount("rate")?,
                source: cells.text("source")?,
                age_s: cells.int("age_s")?,
            })
        };
        self.one(sql, (currency.as_str(), reporting.as_str(), at.to_string()), read)
    }
}
