//! The first reading of a file: every row judged, nothing kept but what the second one needs.

use super::row::{Row, What, places};
use super::{ImportError, WRONG_MAX, scan};
use crate::recorded::TapeError;
use crate::tape::useless;
use domain::{Amount, Timestamp};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a file is like.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) path: PathBuf,
    pub(crate) is_bars: bool,
    pub(crate) rows: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) price_places: u8,
    pub(crate) quantity_places: u8,
    pub(crate) most_quantity: Amount,
    pub(crate) most_price: Amount,
    /// What was odd and let pass.
    pub(crate) notes: Vec<String>,
}

/// From one row to the next a price does not change by more than this factor: the worst minute of
/// October 2025 was a factor of 25 on a thin market. Beyond it, it is another market or unit.
const LEAP_MAX: i128 = 100;

/// Reads a file and judges its rows.
pub(crate) fn survey(path: &Path, latest: Timestamp) -> Result<Survey, ImportError> {
    let mut judge = Judge { path, latest, wrong: Vec::new(), state: None, last: None };
    let notes = scan(path, &mut |row| judge.take(row))?;
    if !judge.wrong.is_empty() {
        return Err(ImportError::Wrong(judge.wrong));
    }
    let found = judge.state.ok_or_else(|| useless(path, "holds no row of data"))?;
    Ok(Survey { notes, ..found })
}

struct Judge<'a> {
    path: &'a Path,
    latest: Timestamp,
    wrong: Vec<TapeError>,
    state: Option<Survey>,
    last: Option<Amount>,
}

impl Judge<'_> {
    fn take(&mut self, row: Result<Row, TapeError>) -> ControlFlow<()> {
        let judged = row.and_then(|row| {
            let named = |problem| super::lines::line_error(self.path, row.line, problem);
            self.judge(&row).map_err(named)
        });
        self.wrong.extend(judged.err());
        let is_enough = self.wrong.len() >= WRONG_MAX;
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn judge(&mut self, row: &Row) -> Result<(), String> {
        let (at, first, last, quantity) = match &row.what {
            What::Bar(bar) => {
                bar.check(self.latest)?;
                (bar.open_at, bar.prices[0], bar.prices[3], bar.volume)
            }
            What::Print(print) => {
                print.check(self.latest)?;
                (print.at, print.price, print.price, print.quantity)
            }
        };
        if let Some(before) = self.last.replace(last) {
            let (low, high) = (before.min(first).atoms(), before.max(first).atoms());
            if high / LEAP_MAX > low {
                return Err(format!("price {first} after {before}: another market or unit?"));
            }
        }
        self.note(row, at, quantity);
        Ok(())
    }

    fn note(&mut self, row: &Row, at: Timestamp, quantity: Amount) {
        let is_bars = matches!(row.what, What::Bar(_));
        let state = self.state.get_or_insert_with(|| Survey {
            path: self.path.to_owned(),
            is_bars,
            rows: 0,
            first_at: at,
            price_places: 0,
            quantity_places: 0,
            most_quantity: Amount::ZERO,
            most_price: Amount::ZERO,
            notes: Vec::new(),
        });
        state.rows += 1;
        state.first_at = state.first_at.min(at);
        state.quantity_places = places(quantity, state.quantity_places);
        state.most_quantity = state.most_quantity.max(quantity);
        let prices: &[Amount] = match &row.what {
            What::Bar(bar) => &bar.prices,
            What::Print(print) => std::slice::from_ref(&print.price),
        };
        for price in prices {
            state.most_price = state.most_price.max(*price);
            state.price_places = places(*price, state.price_places);
        }
    }
}
