//! What is to be run, as people write it: bots, their data, and what is assumed of it.

use crate::candles::{self, Gap};
use crate::decoded::{Market, Tape};
use crate::market::{FeeRates, half_spread_bp, instrument};
use crate::recorded::TapeError;
use crate::run::Job;
use domain::{Exchange, Symbol, Timeframe, Timestamp};
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
        let mut markets = Vec::new();
        for data in &self.data {
            let files = data.files.iter().map(|f| inside(f, root));
            let candles = candles::read(&files.collect::<Result<Vec<_>, _>>()?)?;
            let gaps: Vec<&Gap> = candles.gaps.iter().filter(|g| self.covers(g)).collect();
            if !self.accept_gaps && !gaps.is_empty() {
                return Err(refused(data.symbol, &gaps));
            }
            let scales = (candles.price_scale, candles.quantity_scale);
            let instrument = instrument(data.exchange, data.symbol, scales, data.fees);
            let half = data.half_spread_bp.unwrap_or(half_spread_bp(data.exchange));
            markets.push(Market::of_candles(candles, instrument, half));
        }
        let tape = Tape::of_bars(markets);
        let bots = self.bots.iter().map(|bot| on_tape(bot, &tape));
        let bots = bots.collect::<Result<Vec<_>, _>>()?;
        let (from, to) = (self.from, self.to);
        Ok((tape, Job { bots, from, to, engine, keeps_everything: true }))
    }

    fn covers(&self, gap: &Gap) -> bool {
        self.from.is_none_or(|from| gap.to > from) && self.to.is_none_or(|to| gap.from < to)
    }

    fn check(&self) -> Result<(), PlanError> {
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

fn refused(symbol: Symbol, gaps: &[&Gap]) -> PlanError {
    let name = |g: &&Gap| format!("{} to {} ({} bars)", g.from, g.to, g.bars);
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
