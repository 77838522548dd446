//! One decoded recording in memory: read once, run many times.

use crate::candles::Candles;
use crate::gaps::Gap;
use crate::recorded::{Recorded, Source, TapeError};
use domain::{
    ClosedBar, DataGrade, FeedState, Instrument, MarketEvent, Price, Timeframe, Timestamp,
};

/// Events kept at most: some hours of a busy market, 2 GB of them.
pub const EVENTS_MAX: usize = 12_000_000;

/// What happened to some markets.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Which markets.
    pub markets: Vec<Market>,
    /// Of all of them, in order of receipt; empty where there are bars alone.
    pub events: Vec<Recorded>,
}

/// One market of a tape.
#[derive(Clone, Debug)]
pub struct Market {
    /// With its scales, filters and fees.
    pub instrument: Instrument,
    /// Its bars, where it has nothing better.
    pub bars: Vec<domain::Bar>,
    /// Length of those bars.
    pub timeframe: Timeframe,
    /// Half the spread that is assumed of them, in basis points.
    pub half_spread_bp: u32,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// Where it comes from.
    pub files: Vec<String>,
}

impl Market {
    /// Of candles.
    pub fn of_candles(candles: Candles, instrument: Instrument, half_spread_bp: u32) -> Self {
        let Candles { bars, timeframe, gaps, files, .. } = candles;
        let files = files.iter().map(|f| f.display().to_string()).collect();
        Self { instrument, bars, timeframe, half_spread_bp, gaps, files }
    }

    /// A bar as it is told to the core.
    pub fn closed(&self, at: usize) -> ClosedBar {
        let bar = self.bars[at];
        let half = i128::from(bar.close.0) * i128::from(self.half_spread_bp);
        // Up: the assumed spread is never nothing where one is asked for.
        let half_spread = Price(i64::try_from((half + 9_999) / 10_000).unwrap_or(i64::MAX / 8));
        ClosedBar { timeframe: self.timeframe, bar, half_spread }
    }

    /// When its bar closed.
    pub fn closed_at(&self, at: usize) -> Timestamp {
        self.bars[at].open_at + self.timeframe.span().unwrap_or_default()
    }
}

impl Tape {
    /// Of bars alone.
    pub fn of_bars(markets: Vec<Market>) -> Self {
        Self { markets, events: Vec::new() }
    }

    /// Reads a recording whole.
    ///
    /// # Errors
    /// Where it cannot be read, or holds more than [`EVENTS_MAX`] events.
    pub fn of_source(source: &mut dyn Source, files: &[String]) -> Result<Self, TapeError> {
        let mut events = Vec::new();
        while let Some(event) = source.next()? {
            if events.len() == EVENTS_MAX {
                let path = files.first().cloned().unwrap_or_default().into();
                let problem = format!("more than {EVENTS_MAX} events: choose a shorter time");
                return Err(TapeError::File { path, problem });
            }
            events.push(event);
        }
        let market = |instrument: &Instrument| Market {
            instrument: instrument.clone(),
            bars: Vec::new(),
            timeframe: Timeframe::Trade,
            half_spread_bp: 0,
            gaps: Vec::new(),
            files: files.to_vec(),
        };
        let mut markets: Vec<Market> = source.instruments().iter().map(market).collect();
        for event in &events {
            if let MarketEvent::Gap { from } = event.event {
                let gap = Gap { from, until: event.at, missing: None };
                markets[event.instrument].gaps.push(gap);
            }
        }
        Ok(Self { markets, events })
    }

    /// Bars alone?
    pub fn is_of_bars(&self) -> bool {
        self.events.is_empty()
    }

    /// The worst that is known of any market.
    pub fn grade(&self) -> DataGrade {
        if self.is_of_bars() {
            return DataGrade::Bars;
        }
        let grade = |e: &Recorded| match &e.event {
            MarketEvent::Feed { state: FeedState::Fresh, grade } => Some(*grade),
            _ => None,
        };
        self.events.iter().filter_map(grade).max().unwrap_or(DataGrade::Trades)
    }

    /// The first instant and the last.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        if !self.is_of_bars() {
            return Some((self.events.first()?.at, self.events.last()?.at));
        }
        let with_bars = || self.markets.iter().filter(|m| !m.bars.is_empty());
        let first = with_bars().map(|m| m.bars[0].open_at).min()?;
        Some((first, with_bars().map(|m| m.closed_at(m.bars.len() - 1)).max()?))
    }

    /// Everything that is missing, with the market's place.
    pub fn gaps(&self) -> impl Iterator<Item = (usize, &Gap)> {
        self.markets.iter().enumerate().flat_map(|(i, m)| m.gaps.iter().map(move |g| (i, g)))
    }
}
