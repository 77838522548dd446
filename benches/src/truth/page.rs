//! What is published of known truth, and what of it does not hold.

use super::score::{Cell, Gain};
use super::{BOUNDS_BP, FILLS_PER_RUN, Placed, TRADED_PERCENT};
use domain::StrategyKind;
use sandbox::model::catalogue::Spec;
use sandbox::model::reference::Regime;
use std::fmt::Write;

const fn regime_name(regime: Regime) -> &'static str {
    match regime {
        Regime::Calm => "calm",
        Regime::Trend => "trend",
        Regime::Crash => "crash",
    }
}

/// A figure, or a dash where there is none: never the name of no number.
fn shown(value: Option<f64>, places: usize) -> String {
    value.map_or("–".to_owned(), |v| format!("{v:+.places$}"))
}

/// Why a cell says too little; `None` where it says enough.
fn thin(cell: &Cell, seeds: u64) -> Option<String> {
    let (runs, fills) = (cell.runs.len() as u64, cell.fills());
    let least = seeds as usize * FILLS_PER_RUN;
    if runs * 100 < seeds * TRADED_PERCENT {
        return Some(format!("only {runs} of {seeds} runs traded"));
    }
    (fills < least).then(|| format!("only {fills} fills, {least} are needed"))
}

/// One line of the table.
pub(super) fn row(kind: StrategyKind, regime: Regime, cell: &Cell, seeds: u64) -> String {
    let gain = cell.gain();
    let (missed, invented) = cell.missed_and_invented();
    let percent = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{:.1} %", v * 100.0));
    let mut row = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        kind.name(),
        regime_name(regime),
        cell.runs.len(),
        cell.fills(),
        shown(gain.map(|g| g.mean), 3),
        shown(gain.map(Gain::upper), 3),
        shown(cell.price_bp(), 3),
        shown(cell.late_s(), 2),
        percent(missed),
        percent(invented),
    );
    if let Some(why) = thin(cell, seeds) {
        let _infallible = write!(row, " too thin: {why}");
    }
    row
}

/// Everything that does not hold, in words.
pub(super) fn broken(cells: &[Placed], seeds: u64) -> Vec<String> {
    let mut broken = Vec::new();
    for (kind, regime, cell) in cells {
        let name = format!("{} {}", kind.name(), regime_name(*regime));
        if let Some(why) = thin(cell, seeds) {
            broken.push(format!("{name}: {why}"));
        } else if !cell.gain().is_some_and(|g| g.upper() <= BOUNDS_BP.1) {
            broken.push(format!("{name}: over {} bp", BOUNDS_BP.1));
        }
    }
    if !whole(cells).gain().is_some_and(|g| g.upper() <= BOUNDS_BP.0) {
        broken.push(format!("all cells together: over {} bp", BOUNDS_BP.0));
    }
    broken
}

/// All runs as one cell.
fn whole(cells: &[Placed]) -> Cell {
    let mut all = Cell::default();
    cells.iter().for_each(|(_, _, cell)| all.runs.extend(&cell.runs));
    all
}

/// What the figures are.
fn head(symbol: &str, seeds: u64) -> String {
    format!(
        "# Known truth\n\n\
         Written by `cargo run --release -p bench -- truth {seeds}`; run it again to check it. It \
         fails where a\nbound is broken, a cell has fewer than {FILLS_PER_RUN} fills a run, or \
         fewer than {TRADED_PERCENT} % of its runs traded.\n\n\
         A bot trades on paper and sees the public feed of a market alone. Each of its orders \
         goes, after the\nsame round trip, as a real order into a matching engine with the same \
         flow ({symbol} on the sandbox;\none order in twenty hides half of itself). Both profits \
         are marked at one price at the end; fees are\nthe same on both sides and left out.\n\n\
         - gain: (paper profit − true profit) / turnover, mean over the runs; above zero paper \
         flatters.\n\
         - bound: upper end of its 95 % interval.\n\
         - price: how much worse paper's prices were where both filled.\n\
         - late: how much later paper's passive fills were; –: the kind has none.\n\
         - missed: orders that only the truth filled; invented: that only paper did.\n\n"
    )
}

/// The page.
pub(super) fn page(spec: &Spec, cells: &[Placed], seeds: u64) -> String {
    let all = whole(cells).gain();
    let upper = |cell: &Cell| cell.gain().map(Gain::upper);
    let worst = cells.iter().filter_map(|(_, _, c)| upper(c)).reduce(f64::max);
    let over = cells.iter().filter(|(_, _, c)| upper(c).is_none_or(|u| u > BOUNDS_BP.1)).count();
    let mut page = head(&spec.symbol.to_string(), seeds);
    let _infallible = write!(
        page,
        "**Over the {} cells: {} bp, bound {} bp (allowed {} bp). Worst cell: bound {} bp (allowed\n\
         {} bp); {over} of {} cells over it.**\n\n\
         | strategy | regime | runs | fills | gain bp | bound bp | price bp | late s | missed | \
         invented |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        cells.len(),
        shown(all.map(|g| g.mean), 3),
        shown(all.map(Gain::upper), 3),
        BOUNDS_BP.0,
        shown(worst, 3),
        BOUNDS_BP.1,
        cells.len(),
    );
    for (kind, regime, cell) in cells {
        let _infallible = writeln!(page, "{}", row(*kind, *regime, cell, seeds));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::score::Outcome;

    fn cell(runs: usize, gain_bp: f64, fills: usize) -> Cell {
        // Not all the same, so that there is an interval.
        let run = |i: usize| {
            let off = if i.is_multiple_of(2) { 0.01 } else { -0.01 };
            Outcome { gain_bp: gain_bp + off, fills, ..Outcome::default() }
        };
        Cell { runs: (0..runs).map(run).collect() }
    }

    fn said(cell: Cell) -> Vec<String> {
        broken(&[(StrategyKind::Dca, Regime::Calm, cell)], 200)
    }

    #[test]
    fn empty_thin_and_flattering_cells_are_named_and_good_ones_are_not() {
        assert_eq!(said(cell(200, 0.0, 50)), [""; 0]);
        assert_eq!(said(cell(200, 0.0, 9))[0], "dca calm: only 1800 fills, 2000 are needed");
        assert_eq!(said(cell(100, 0.0, 50))[0], "dca calm: only 100 of 200 runs traded");
        assert_eq!(said(cell(0, 0.0, 0))[0], "dca calm: only 0 of 200 runs traded");
        assert_eq!(said(cell(200, 1.5, 50))[0], "dca calm: over 1 bp");
        assert_eq!(said(cell(200, 0.5, 50)), ["all cells together: over 0.1 bp"]);
    }

    #[test]
    fn nothing_that_is_printed_is_no_number() {
        for cell in [cell(0, 0.0, 0), cell(1, 0.0, 1), cell(200, 0.0, 50)] {
            let row = row(StrategyKind::EmaCross, Regime::Trend, &cell, 200);
            assert!(!row.contains("NaN") && !row.contains("inf"), "{row}");
        }
    }
}
