//! Candles: put in order, doubles taken out, contradictions named, then written.

use super::lines::line_error;
use super::{ImportError, Order, Place, Row, Survey, What, Written, scan};
use crate::gaps::{Gap, bar_gaps};
use crate::recorded::TapeError;
use crate::tape::{Content, Header, useless};
use domain::{Bar, Instrument, Round, Span, Timeframe, Timestamp};
use std::ops::ControlFlow;
use std::path::Path;

/// Candles of one import: they are put in order in memory. Ten years of minutes have a quarter.
const BARS_MAX: u64 = 20_000_000;

/// A bar with its place: which file, which line.
struct Placed {
    bar: Bar,
    file: u32,
    line: u32,
}

/// Candles in order, none twice.
pub(crate) struct Ordered {
    pub(crate) bars: Vec<Bar>,
    pub(crate) timeframe: Timeframe,
    pub(crate) gaps: Vec<Gap>,
    /// What was odd and let pass.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn import(
    surveys: &[Survey],
    instrument: Instrument,
    order: &Order,
    place: &Place,
) -> Result<Written, ImportError> {
    let found = ordered(surveys, &instrument, order.timeframe)?;
    let Ordered { bars, timeframe, gaps, notes } = found;
    let origin = origin(surveys);
    let content = Content::Bars(timeframe);
    let header = Header { content, instruments: vec![instrument], origin, note: String::new() };
    let last = bars.last().map_or(Timestamp::EPOCH, |b| b.open_at);
    let mut writing = place.begin(header, order.replaces)?;
    for bar in bars {
        writing.segment().bar(bar)?;
    }
    let until = timeframe.span().map_or(last, |span| last + span);
    Ok(Written { gaps, notes, ..writing.finish(until)? })
}

/// Reads candles and puts them in order.
pub(crate) fn ordered(
    surveys: &[Survey],
    instrument: &Instrument,
    asked: Option<Timeframe>,
) -> Result<Ordered, ImportError> {
    let all: u64 = surveys.iter().map(|s| s.rows).sum();
    if all > BARS_MAX {
        let problem = format!("{all} candles at once; at most {BARS_MAX}: take fewer files");
        return Err(useless(&surveys[0].path, problem).into());
    }
    let mut notes: Vec<String> = surveys.iter().flat_map(|s| s.notes.clone()).collect();
    let mut bars = read(surveys, instrument)?;
    let steps_back = bars.windows(2).filter(|w| w[1].bar.open_at < w[0].bar.open_at).count();
    if steps_back > 0 {
        notes.push(format!("rows were not in order of time ({steps_back} steps back): sorted"));
        bars.sort_by_key(|b| b.bar.open_at);
    }
    let before = bars.len();
    without_doubles(surveys, &mut bars)?;
    if bars.len() < before {
        notes.push(format!("{} rows stood there twice: taken once", before - bars.len()));
    }
    let timeframe = timeframe(surveys, &bars, asked)?;
    let bars: Vec<Bar> = bars.into_iter().map(|b| b.bar).collect();
    let gaps = timeframe.span().map(|span| bar_gaps(&bars, span)).unwrap_or_default();
    Ok(Ordered { bars, timeframe, gaps, notes })
}

/// Names of the files, as far as they are of use to people.
pub(crate) fn origin(surveys: &[Survey]) -> String {
    let name = |s: &Survey| s.path.file_name().map(|n| n.to_string_lossy().into_owned());
    let names: Vec<String> = surveys.iter().filter_map(name).take(3).collect();
    let rest = surveys.len().saturating_sub(3);
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("imported from {}{more}", names.join(", "))
}

fn read(surveys: &[Survey], of: &Instrument) -> Result<Vec<Placed>, ImportError> {
    let mut bars = Vec::new();
    for (file, survey) in surveys.iter().enumerate() {
        let mut wrong: Option<TapeError> = None;
        scan(&survey.path, &mut |row| {
            let placed = row.and_then(|row| placed(&survey.path, file, &row, of));
            match placed {
                Ok(bar) => bars.push(bar),
                Err(error) => wrong = Some(error),
            }
            if wrong.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if let Some(error) = wrong {
            return Err(error.into());
        }
    }
    Ok(bars)
}

fn placed(path: &Path, file: usize, row: &Row, of: &Instrument) -> Result<Placed, TapeError> {
    let too_large = || line_error(path, row.line, "a figure does not fit its scale".to_owned());
    let What::Bar(b) = &row.what else {
        return Err(line_error(path, row.line, "a trade among candles".to_owned()));
    };
    let [open, high, low, close] = b.prices.map(|p| of.price(p, Round::Down));
    let bar = Bar {
        open_at: b.open_at,
        open: open.ok_or_else(too_large)?,
        high: high.ok_or_else(too_large)?,
        low: low.ok_or_else(too_large)?,
        close: close.ok_or_else(too_large)?,
        volume: of.quantity(b.volume, Round::Down).ok_or_else(too_large)?,
        // Where nobody counted, a bar with volume had a print at least.
        prints: b.prints.unwrap_or_else(|| u32::from(b.volume.is_positive())),
    };
    let line = u32::try_from(row.line).unwrap_or(u32::MAX);
    Ok(Placed { bar, file: u32::try_from(file).unwrap_or(u32::MAX), line })
}

/// Equal rows become one; two that contradict each other are named, as nobody knows the right one.
fn without_doubles(surveys: &[Survey], bars: &mut Vec<Placed>) -> Result<(), ImportError> {
    let pairs = bars.windows(2).filter(|w| w[0].bar.open_at == w[1].bar.open_at);
    let wrong: Vec<TapeError> = pairs
        .filter(|w| w[0].bar != w[1].bar)
        .take(super::WRONG_MAX)
        .map(|w| {
            let first = &surveys[w[0].file as usize].path;
            let problem = format!(
                "contradicts {}:{}: both tell of {}",
                first.display(),
                w[0].line,
                w[0].bar.open_at
            );
            line_error(&surveys[w[1].file as usize].path, u64::from(w[1].line), problem)
        })
        .collect();
    if !wrong.is_empty() {
        return Err(ImportError::Wrong(wrong));
    }
    bars.dedup_by_key(|b| b.bar.open_at);
    Ok(())
}

/// The timeframe that was asked for, or the one whose length is the usual distance; every bar has
/// to begin at a multiple of it.
fn timeframe(
    surveys: &[Survey],
    bars: &[Placed],
    asked: Option<Timeframe>,
) -> Result<Timeframe, ImportError> {
    let whole = |problem: String| useless(&surveys[0].path, problem);
    let timeframe = match asked {
        Some(timeframe) => timeframe,
        None => usual(bars).ok_or_else(|| {
            let allowed: Vec<_> = Timeframe::ALL.iter().skip(1).map(|t| t.name()).collect();
            whole(format!(
                "holds fewer than two bars, or bars of another length than {}; say --timeframe",
                allowed.join(" ")
            ))
        })?,
    };
    let Some(span) = timeframe.span() else {
        return Err(whole("candles have a length; \"trade\" is none".to_owned()).into());
    };
    match bars.iter().find(|b| b.bar.open_at.floor(span) != b.bar.open_at) {
        None => Ok(timeframe),
        Some(bar) => {
            let problem = format!("{} is no start of a {timeframe} bar", bar.bar.open_at);
            let path = &surveys[bar.file as usize].path;
            Err(line_error(path, u64::from(bar.line), problem).into())
        }
    }
}

fn usual(bars: &[Placed]) -> Option<Timeframe> {
    let mut steps: Vec<Span> =
        bars.windows(2).map(|w| w[1].bar.open_at - w[0].bar.open_at).collect();
    steps.sort_unstable();
    let usual = *steps.get(steps.len() / 2)?;
    Timeframe::ALL.into_iter().find(|t| t.span() == Some(usual))
}
