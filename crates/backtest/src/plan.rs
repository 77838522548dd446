//! What is to be run, as people write it: bots, their data, and what is assumed of it.

use crate::candles;
use crate::decoded::{Market, Tape};
use crate::gaps::{Gap, bar_gaps};
use crate::import::{self, ImportError};
use crate::market::{FeeRates, half_spread_bp, instrument, with_rates};
use crate::raw;
use crate::recorded::TapeError;
use crate::run::Job;
use crate::session;
use crate::tape::{self, Content};
use domain::{Exchange, Instrument, Symbol, Timeframe, Timestamp};
use engine::{EngineConfig, NewBot};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// Bots of one plan: as many as an account may have on an exchange.
const BOTS_MAX: usize = 100;
/// Files of one plan: years of daily archives of some markets.
const FILES_MAX: usize = 4_096;
/// Gaps that a refusal names.
const GAPS_NAMED: usize = 5;

/// A backtest to be run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Where the markets come from.
    pub data: Vec<PlanData>,
    /// Who trades on them.
    pub bots: Vec<NewBot>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Not after this.
    pub to: Option<Timestamp>,
    /// Run although bars are missing.
    pub accept_gaps: bool,
}

/// Files of one market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanData {
    /// Whose fees and filters.
    pub exchange: Exchange,
    /// Of what.
    pub symbol: Symbol,
    /// In order of time.
    pub files: Vec<PathBuf>,
    /// Other fees than the exchange's entry tier.
    #[serde(default)]
    pub fees: FeeRates,
    /// Half the spread to assume of bars, in basis points; without it the exchange's usual one.
    #[serde(default)]
    pub half_spread_bp: Option<u32>,
}

/// A plan cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Its data.
    #[error(transparent)]
    Data(#[from] TapeError),
    /// Rows of it.
    #[error(transparent)]
    Rows(#[from] ImportError),
    /// Bars are missing.
    #[error(
        "{symbol}: {total} gaps, the first: {named}; accept them with --accept-gaps \
         (accept_gaps = true), what is open over one is graded so"
    )]
    Gaps {
        /// Where.
        symbol: Symbol,
        /// How many.
        total: usize,
        /// The first ones.
        named: String,
    },
    /// What it says.
    #[error("{0}")]
    Plan(String),
}

impl Plan {
    /// Reads the data and makes the job. With `root` files are names inside that folder, and
    /// nothing else is opened.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn prepare(
        &self,
        engine: EngineConfig,
        root: Option<&Path>,
    ) -> Result<(Tape, Job), PlanError> {
        self.check()?;
        let tape = match self.events(root)? {
            Some(tape) => tape,
            None => {
                let markets = self.data.iter().map(|data| market(data, root));
                Tape::of_bars(markets.collect::<Result<_, _>>()?)
            }
        };
        for market in tape.markets.iter().filter(|_| !self.accept_gaps) {
            let gaps: Vec<&Gap> = market.gaps.iter().filter(|g| self.covers(g)).collect();
            if !gaps.is_empty() {
                return Err(refused(market.instrument.symbol, &gaps));
            }
        }
        let bots = self.bots.iter().map(|bot| on_tape(bot, &tape));
        let bots = bots.collect::<Result<Vec<_>, _>>()?;
        let (from, to) = (self.from, self.to);
        Ok((tape, Job { bots, from, to, engine, keeps_everything: true }))
    }

    /// A recorded tape of events, where the plan names one: alone, as it has all its markets in one
    /// order of receipt.
    fn events(&self, root: Option<&Path>) -> Result<Option<Tape>, PlanError> {
        let files = self.data.iter().flat_map(|data| &data.files);
        let files = files.map(|f| inside(f, root)).collect::<Result<Vec<_>, _>>()?;
        let mut tape = if all_recordings(&files)? {
            let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            Tape::of_source(&mut raw::Tape::open(&files)?, &names)?
        } else if let Some(dir) = session_alone(&files)? {
            session::read(&dir)?
        } else if let Some(file) = segments_of_events(&files)? {
            Tape::of_source(&mut tape::open(&file)?, &[file.display().to_string()])?
        } else {
            return Ok(None);
        };
        for market in &mut tape.markets {
            let of = |i: &Instrument| (i.exchange, i.symbol);
            let is_it = |d: &&PlanData| (d.exchange, d.symbol) == of(&market.instrument);
            if let Some(data) = self.data.iter().find(is_it) {
                market.instrument = with_rates(market.instrument.clone(), data.fees);
            }
        }
        Ok(Some(tape))
    }

    fn covers(&self, gap: &Gap) -> bool {
        self.from.is_none_or(|from| gap.until > from) && self.to.is_none_or(|to| gap.from < to)
    }

    /// What can be said without reading any data.
    ///
    /// # Errors
    /// [`PlanError::Plan`].
    pub fn check(&self) -> Result<(), PlanError> {
        let problem = |text: &str| Err(PlanError::Plan(text.to_owned()));
        if self.bots.is_empty() || self.bots.len() > BOTS_MAX {
            return problem("a plan has 1 to 100 bots");
        }
        let files = self.data.iter().map(|d| d.files.len()).sum::<usize>();
        if files == 0 || files > FILES_MAX || self.data.iter().any(|d| d.files.is_empty()) {
            return problem("a plan names 1 to 4096 files of data, at least one a market");
        }
        let is_same = |a: &PlanData, b: &PlanData| (a.exchange, a.symbol) == (b.exchange, b.symbol);
        let twice = self.data.iter().enumerate();
        let mut twice = twice.flat_map(|(i, a)| self.data[..i].iter().map(move |b| is_same(a, b)));
        if twice.any(|same| same) {
            return problem("a market has its data once: put all files into one entry");
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
            return problem("from must be before to");
        }
        Ok(())
    }
}

fn is_tape(file: &Path) -> bool {
    file.is_dir() || file.extension().is_some_and(|e| e == tape::EXTENSION)
}

/// Are they recordings as their makers wrote them, by what is in them? Beside candles, one is a
/// mistake.
fn all_recordings(files: &[PathBuf]) -> Result<bool, PlanError> {
    let mut is_recording = Vec::new();
    for file in files {
        is_recording.push(!is_tape(file) && import::is_recording(file)?);
    }
    match is_recording.iter().position(|is| *is) {
        Some(at) if is_recording.contains(&false) => {
            let problem = "is a recording of events, and other files are none: run it alone";
            Err(PlanError::Plan(format!("{}: {problem}", files[at].display())))
        }
        found => Ok(found.is_some()),
    }
}

/// The one folder of what a core was told, where the plan names one.
fn session_alone(files: &[PathBuf]) -> Result<Option<PathBuf>, PlanError> {
    let is_any =
        files.iter().map(|file| session::is_session(file)).collect::<Result<Vec<_>, _>>()?;
    match files {
        _ if !is_any.contains(&true) => Ok(None),
        [file] => Ok(Some(file.clone())),
        _ => Err(PlanError::Plan("a session is run alone: name its folder, no other data".into())),
    }
}

/// The one segment or folder of events, where the plan names one.
fn segments_of_events(files: &[PathBuf]) -> Result<Option<PathBuf>, PlanError> {
    let mut is_of_events = false;
    for file in files.iter().filter(|file| is_tape(file)) {
        is_of_events |= first_content(file)? == Content::Events;
    }
    match files {
        [file] if is_of_events => Ok(Some(file.clone())),
        _ if is_of_events => {
            let problem = "a tape of events is run alone: name one segment or one folder";
            Err(PlanError::Plan(problem.to_owned()))
        }
        _ => Ok(None),
    }
}

fn first_content(file: &Path) -> Result<Content, PlanError> {
    if !file.is_dir() {
        return Ok(tape::Reader::open(file)?.header().content);
    }
    let Some(first) = tape::segments(file)?.into_iter().next() else {
        let problem = "is a folder without tapes: name the files that are to be read";
        return Err(PlanError::Plan(format!("{}: {problem}", file.display())));
    };
    Ok(tape::Reader::open(&first)?.header().content)
}

/// A market of bars: candles as CSV, or segments of our own.
fn market(data: &PlanData, root: Option<&Path>) -> Result<Market, PlanError> {
    let files = data.files.iter().map(|f| inside(f, root)).collect::<Result<Vec<_>, _>>()?;
    let half = data.half_spread_bp.unwrap_or(half_spread_bp(data.exchange));
    if !files.iter().any(|file| is_tape(file)) {
        let candles = candles::read(&files, data.exchange, data.symbol)?;
        let instrument = instrument(data.exchange, data.symbol, candles.places, data.fees);
        return Ok(Market::of_candles(candles, instrument, half));
    }
    let read = tapes_of_bars(&files, (data.exchange, data.symbol))?;
    Ok(Market {
        gaps: bar_gaps(&read.bars, read.timeframe.span().unwrap_or_default()),
        bars: read.bars,
        instrument: with_rates(read.instrument, data.fees),
        timeframe: read.timeframe,
        half_spread_bp: half,
        files: files.iter().map(|file| file.display().to_string()).collect(),
        notes: read.cut.into_iter().collect(),
    })
}

/// Tapes of bars of one market as one: fetched bit by bit, they lie side by side.
fn tapes_of_bars(files: &[PathBuf], of: (Exchange, Symbol)) -> Result<tape::BarFile, PlanError> {
    let mut whole: Option<tape::BarFile> = None;
    for file in files {
        let problem = |what: String| PlanError::Plan(format!("{}: {what}", file.display()));
        let read = tape::read_bars(file)?;
        let found = (read.instrument.exchange, read.instrument.symbol);
        if found != of {
            return Err(problem(format!("is of {} on {}", found.1, found.0)));
        }
        let Some(whole) = &mut whole else {
            whole = Some(read);
            continue;
        };
        let scales = |f: &tape::BarFile| (f.instrument.price_scale, f.instrument.quantity_scale);
        if (scales(&read), read.timeframe) != (scales(whole), whole.timeframe) {
            return Err(problem("has other steps or bars than the tape before it".to_owned()));
        }
        whole.bars.extend(read.bars);
        whole.cut = whole.cut.take().or(read.cut);
    }
    let mut whole = whole.ok_or_else(|| PlanError::Plan("no tape is named".to_owned()))?;
    whole.bars.sort_by_key(|bar| bar.open_at);
    // Where two overlap, both tell of the same bar.
    whole.bars.dedup_by_key(|bar| bar.open_at);
    Ok(whole)
}

fn refused(symbol: Symbol, gaps: &[&Gap]) -> PlanError {
    let name = |g: &&Gap| match g.missing {
        Some(missing) => format!("{} to {} ({missing} bars)", g.from, g.until),
        None => format!("{} to {}", g.from, g.until),
    };
    let named: Vec<String> = gaps.iter().take(GAPS_NAMED).map(name).collect();
    PlanError::Gaps { symbol, total: gaps.len(), named: named.join(", ") }
}

/// The file, where it may be opened.
fn inside(file: &Path, root: Option<&Path>) -> Result<PathBuf, PlanError> {
    let Some(root) = root else { return Ok(file.to_owned()) };
    let is_plain = file.components().all(|c| matches!(c, Component::Normal(_)));
    let path = root.join(file);
    // A link could lead out of the folder: the real place is what counts.
    let real = path.canonicalize().ok().zip(root.canonicalize().ok());
    match real {
        Some((real, root)) if is_plain && real.starts_with(&root) => Ok(real),
        _ => Err(PlanError::Plan(format!("{}: no such file in the data folder", file.display()))),
    }
}

/// The bot as it can trade on the tape: its market is there, its bars are not shorter than the
/// data's and made of whole ones.
fn on_tape(bot: &NewBot, tape: &Tape) -> Result<NewBot, PlanError> {
    let wrong = |problem: String| PlanError::Plan(format!("bot {}: {problem}", bot.name));
    let is_it = |m: &&Market| {
        m.instrument.symbol == bot.symbol && m.instrument.exchange.name() == bot.exchange
    };
    let market =
        tape.markets.iter().find(is_it).ok_or_else(|| {
            wrong(format!("there is no data of {} on {}", bot.symbol, bot.exchange))
        })?;
    let own = market.timeframe;
    let default = strategy::schema(bot.strategy.kind).default_timeframe;
    let fits = |t: Timeframe| {
        let spans = t.span().zip(own.span());
        spans.is_none_or(|(t, own)| t >= own && t.0 % own.0 == 0)
    };
    let timeframe = bot.timeframe.unwrap_or(if fits(default) { default } else { own });
    if !fits(timeframe) || (timeframe == Timeframe::Trade && tape.is_of_bars()) {
        let problem = format!("bars of {timeframe} cannot be made of bars of {own}");
        return Err(wrong(problem));
    }
    Ok(NewBot { timeframe: Some(timeframe), ..bot.clone() })
}
