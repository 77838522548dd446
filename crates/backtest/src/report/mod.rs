//! A backtest's result for people and programs: figures, JSON, CSV and a page that needs nothing
//! but itself.

mod chart;
mod csv;
mod figures;
mod html;
mod months;
mod page;
mod thin;

pub use figures::{BuyAndHold, Data, Figures, headline};
pub use html::html;
pub use page::{Page, escape};

use crate::decoded::Tape;
use crate::run::Outcome;
use domain::{Amount, Timestamp};
use serde_json::{Value, json};

/// Points of equity in JSON and on a page: more than a screen has, few enough to be read.
pub const POINTS_MAX: usize = 2_000;

/// A result with everything that is shown of it.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Of what.
    pub title: String,
    /// The data.
    pub data: Data,
    /// What came out.
    pub outcome: &'a Outcome,
    /// What it was run over.
    pub tape: &'a Tape,
    /// Its figures.
    pub figures: Figures,
}

impl<'a> Report<'a> {
    /// Of an outcome, picked among `variants`.
    pub fn new(title: String, tape: &'a Tape, outcome: &'a Outcome, variants: u64) -> Self {
        let data = Data::of(tape, outcome);
        let figures = Figures::of(tape, outcome, variants, None);
        Self { title, data, outcome, tape, figures }
    }

    /// `{data, trades, statistics, equity}`.
    pub fn json(&self) -> Value {
        let equity = |(at, equity): &(Timestamp, Amount)| json!({ "at": at, "equity": equity });
        let points = thin::points(&self.outcome.equity, POINTS_MAX);
        json!({
            "data": self.data,
            "trades": self.outcome.trades,
            "statistics": self.figures,
            "equity": points.iter().map(equity).collect::<Vec<_>>(),
        })
    }

    /// Trades as CSV.
    pub fn trades_csv(&self) -> String {
        csv::trades(&self.outcome.trades)
    }

    /// Every point of equity as CSV.
    pub fn equity_csv(&self) -> String {
        csv::equity(&self.outcome.equity)
    }

    /// What is said in a terminal.
    pub fn text(&self) -> String {
        self.figures.text(&self.data)
    }
}
