//! What a tape holds: span, rows, gaps, grade.

use crate::gaps::{Gap, bar_gaps};
use crate::recorded::{Source, TapeError};
use crate::tape::{Content, Reader, open, read_bars, segments};
use domain::{DataGrade, FeedState, MarketEvent, Symbol, Timestamp};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Gaps that are listed of one tape; all are counted.
const GAPS_MAX: usize = 1_000;

/// One tape, or one folder of segments that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info {
    /// Where.
    pub path: PathBuf,
    /// `bars`, `events` or `inputs`.
    pub content: &'static str,
    /// Of bars.
    pub timeframe: Option<&'static str>,
    /// How much is known of the market in it; `None` where it is not about one.
    pub grade: Option<DataGrade>,
    /// `exchange:BASE/QUOTE`, each.
    pub markets: Vec<String>,
    /// Time of the first row.
    pub from: Option<Timestamp>,
    /// Time of the last row; of bars, its end.
    pub until: Option<Timestamp>,
    /// Rows in all.
    pub rows: u64,
    /// Public trades among them.
    pub prints: u64,
    /// Best bids and asks among them.
    pub touches: u64,
    /// Books and their changes among them.
    pub books: u64,
    /// Gaps in all.
    pub gap_count: u64,
    /// Rows that are missing in them, where that can be counted.
    pub missing: u64,
    /// The first thousand.
    pub gaps: Vec<Gap>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Where it comes from.
    pub origin: String,
    /// What its writer did not end, and what was cut for it.
    pub cuts: Vec<String>,
}

impl Info {
    fn of(path: &Path, content: &'static str, bytes: u64) -> Self {
        Self {
            path: path.to_owned(),
            content,
            timeframe: None,
            grade: None,
            markets: Vec::new(),
            from: None,
            until: None,
            rows: 0,
            prints: 0,
            touches: 0,
            books: 0,
            gap_count: 0,
            missing: 0,
            gaps: Vec::new(),
            bytes,
            origin: String::new(),
            cuts: Vec::new(),
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.gap_count += 1;
        self.missing += gap.missing.unwrap_or_default();
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(gap);
        }
    }
}

/// Everything that there is below a path: each tape, each folder of a recording.
///
/// # Errors
/// A folder cannot be read.
pub fn tapes_below(path: &Path) -> Result<Vec<PathBuf>, TapeError> {
    /// Exchange, symbol, series, and a folder around them.
    const DEPTH_MAX: usize = 6;
    let mut found = Vec::new();
    walk(path, DEPTH_MAX, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), TapeError> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let here = segments(path)?;
    let is_recording = here.iter().any(|p| is_number(p));
    if is_recording {
        found.push(path.to_owned());
    } else {
        found.extend(here);
    }
    if depth == 0 {
        return Ok(());
    }
    let unreadable = |source| TapeError::Unreadable { path: path.to_owned(), source };
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let below = entry.map_err(unreadable)?.path();
        if below.is_dir() {
            walk(&below, depth - 1, found)?;
        }
    }
    Ok(())
}

/// Segments of a recording are numbered; imported tapes are named by their time.
fn is_number(path: &Path) -> bool {
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    stem.len() == 8 && stem.bytes().all(|b| b.is_ascii_digit())
}

/// Reads a tape or a folder of segments through and says what it holds.
///
/// # Errors
/// It is damaged, or none.
pub fn info(path: &Path) -> Result<Info, TapeError> {
    let paths = if path.is_dir() { segments(path)? } else { vec![path.to_owned()] };
    let bytes = paths.iter().filter_map(|p| std::fs::metadata(p).ok()).map(|m| m.len()).sum();
    let first = paths.first().map_or(path, PathBuf::as_path);
    match Reader::open(first)?.header().content {
        Content::Bars(_) => bars(first, bytes),
        Content::Events => events(path, first, bytes),
        Content::Inputs => inputs(path, &paths, bytes),
    }
}

fn market(exchange: domain::Exchange, symbol: Symbol) -> String {
    format!("{exchange}:{symbol}")
}

fn bars(path: &Path, bytes: u64) -> Result<Info, TapeError> {
    let file = read_bars(path)?;
    let mut info = Info::of(path, "bars", bytes);
    info.grade = Some(DataGrade::Bars);
    info.timeframe = Some(file.timeframe.name());
    info.markets = vec![market(file.instrument.exchange, file.instrument.symbol)];
    info.rows = file.bars.len() as u64;
    info.origin = file.origin;
    info.cuts = file.cut.into_iter().collect();
    info.from = file.bars.first().map(|b| b.open_at);
    if let Some(span) = file.timeframe.span() {
        info.until = file.bars.last().map(|b| b.open_at + span);
        bar_gaps(&file.bars, span).into_iter().for_each(|gap| info.gap(gap));
    }
    Ok(info)
}

fn events(path: &Path, first: &Path, bytes: u64) -> Result<Info, TapeError> {
    let mut tape = open(path)?;
    let mut info = Info::of(path, "events", bytes);
    info.origin = Reader::open(first)?.header().origin.clone();
    info.markets = tape.instruments().iter().map(|i| market(i.exchange, i.symbol)).collect();
    let mut down: Vec<Option<Timestamp>> = vec![None; tape.instruments().len()];
    while let Some(event) = tape.next()? {
        info.rows += 1;
        info.from.get_or_insert(event.at);
        info.until = info.until.max(Some(event.at));
        match &event.event {
            MarketEvent::Print(_) => info.prints += 1,
            MarketEvent::Touch(_) => info.touches += 1,
            MarketEvent::Book(_) => info.books += 1,
            // A tape of events is of what feeds say, and they say no bars.
            MarketEvent::Bar(_) => {}
            // Part of the depth that follows it.
            MarketEvent::Withdrawn(_) => {}
            MarketEvent::Gap { from } => {
                info.gap(Gap { from: *from, until: event.at, missing: None });
            }
            MarketEvent::Feed { state: FeedState::Fresh, grade } => {
                info.grade = Some(info.grade.map_or(*grade, |g| g.max(*grade)));
                if let Some(from) = down[event.instrument].take() {
                    info.gap(Gap { from, until: event.at, missing: None });
                }
            }
            MarketEvent::Feed { .. } => {
                // Before it was fresh for the first time nothing was missed.
                let was_fresh = info.grade.is_some();
                if was_fresh {
                    down[event.instrument].get_or_insert(event.at);
                }
            }
        }
    }
    let seen = match (info.books, info.touches) {
        (0, 0) => DataGrade::Trades,
        (0, _) => DataGrade::L1Trades,
        _ => DataGrade::L2Trades,
    };
    info.grade.get_or_insert(seen);
    info.cuts = tape.cuts().to_vec();
    Ok(info)
}

fn inputs(path: &Path, paths: &[PathBuf], bytes: u64) -> Result<Info, TapeError> {
    let mut info = Info::of(path, "inputs", bytes);
    for path in paths {
        let mut reader = Reader::open(path)?;
        while reader.next_block()?.is_some() {}
        let seen = reader.seen();
        info.origin.clone_from(&reader.header().origin);
        info.rows += seen.rows;
        info.from = info.from.or(seen.first_at);
        info.until = info.until.max(seen.last_at);
        info.cuts.extend(reader.cut().map(str::to_owned));
    }
    Ok(info)
}
