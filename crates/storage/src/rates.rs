//! Rates of the moment, kept for whoever has to value a fill later.

use crate::cells::Cells;
use crate::control::{ControlAnswer, ControlError};
use crate::{ReadPool, StoreError};
use domain::{Amount, Currency, Timestamp};
use rusqlite::Connection;

/// Two weeks of minutes.
const RATES_MAX: u32 = 20_160;

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

    /// Rates by time from the last one that was known at `from` on, at most
    /// two weeks of minutes.
    ///
    /// # Errors
    /// SQLite's, or a cell that is no rate.
    pub fn rates_since(
        &self,
        currency: Currency,
        reporting: Currency,
        from: Timestamp,
    ) -> Result<Vec<(Timestamp, Amount)>, StoreError> {
        let sql = "SELECT at, rate FROM rates WHERE currency = ?1 AND reporting = ?2 AND at >=
                   coalesce((SELECT max(at) FROM rates
                             WHERE currency = ?1 AND reporting = ?2 AND at <= ?3), ?3)
                   ORDER BY at LIMIT ?4";
        let read = |cells: &Cells<'_>| Ok((cells.time("at")?, cells.amount("rate")?));
        let params = (currency.as_str(), reporting.as_str(), from.to_string(), RATES_MAX);
        self.all(sql, params, read)
    }
}
