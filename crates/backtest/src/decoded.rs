//! One decoded recording in memory: read once, run many times.

use crate::candles::Candles;
use crate::gaps::Gap;
use crate::recorded::{Recorded, Source, TapeError};
use crate::tape::{Loaded, Packer};
use domain::{
    ClosedBar, DataGrade, FeedState, Instrument, MarketEvent, Price, Rate, Round, Timeframe,
    Timestamp,
};
use engine::Input;

/// Memory that the events of one tape may take: fifty million prints, or half as many frames.
pub const BYTES_MAX: usize = 1 << 30;

/// What happened to some markets.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Which markets.
    pub markets: Vec<Market>,
    /// Of all of them, in order of receipt; empty where there are bars alone.
    pub events: Loaded,
    /// What else a core was told, in order; none but of a recorded session.
    pub told: Vec<Told>,
    /// The worst that is known of any market.
    grade: Option<DataGrade>,
}

/// Something that a core was told beside the events of markets.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// How many events came before.
    pub after: u64,
    /// What: never a command. Where somebody ordered something, time passed, and that is kept.
    pub input: Input,
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
    /// What was odd about it and let pass.
    pub notes: Vec<String>,
}

impl Market {
    /// Of candles.
    pub fn of_candles(candles: Candles, instrument: Instrument, half_spread_bp: u32) -> Self {
        let Candles { bars, timeframe, gaps, files, notes, .. } = candles;
        let files = files.iter().map(|f| f.display().to_string()).collect();
        Self { instrument, bars, timeframe, half_spread_bp, gaps, files, notes }
    }

    /// A bar as it is told to the core.
    pub fn closed(&self, at: usize) -> ClosedBar {
        let bar = self.bars[at];
        // Up: the assumed spread is never nothing where one is asked for.
        let half = bar.close.times(Rate::from_bp(i64::from(self.half_spread_bp)), Round::Up);
        let half_spread = half.unwrap_or(Price(i64::MAX / 8));
        ClosedBar { timeframe: self.timeframe, bar, half_spread }
    }

    /// When its bar closed.
    pub fn closed_at(&self, at: usize) -> Timestamp {
        self.bars[at].open_at + self.timeframe.span().unwrap_or_default()
    }
}

/// A tape of events in the making.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    packer: Packer,
    gaps: Vec<(usize, Gap)>,
    grade: Option<DataGrade>,
}

impl Filling {
    pub(crate) const fn events(&self) -> u64 {
        self.packer.events()
    }

    pub(crate) fn push(&mut self, event: Recorded, files: &[String]) -> Result<(), TapeError> {
        if self.packer.bytes() > BYTES_MAX {
            let path = files.first().cloned().unwrap_or_default().into();
            let (events, most) = (self.packer.events(), BYTES_MAX >> 20);
            let problem = format!("more than {events} events, {most} MB: choose a shorter time");
            return Err(TapeError::File { path, problem });
        }
        match &event.event {
            MarketEvent::Gap { from } => {
                let gap = Gap { from: *from, until: event.at, missing: None };
                self.gaps.push((event.instrument, gap));
            }
            MarketEvent::Feed { state: FeedState::Fresh, grade } => {
                self.grade = self.grade.max(Some(*grade));
            }
            _ => {}
        }
        self.packer.push(event);
        Ok(())
    }

    pub(crate) fn finish(
        self,
        instruments: Vec<Instrument>,
        told: Vec<Told>,
        files: &[String],
    ) -> Tape {
        let market = |instrument: &Instrument| Market {
            instrument: instrument.clone(),
            bars: Vec::new(),
            timeframe: Timeframe::Trade,
            half_spread_bp: 0,
            gaps: Vec::new(),
            files: files.to_vec(),
            notes: Vec::new(),
        };
        let mut markets: Vec<Market> = instruments.iter().map(market).collect();
        for (place, gap) in self.gaps {
            if let Some(market) = markets.get_mut(place) {
                market.gaps.push(gap);
            }
        }
        Tape { markets, events: self.packer.finish(instruments), told, grade: self.grade }
    }
}

impl Tape {
    /// Of bars alone.
    pub fn of_bars(markets: Vec<Market>) -> Self {
        Self { markets, ..Self::default() }
    }

    /// Reads a recording whole.
    ///
    /// # Errors
    /// Where it cannot be read, or would take more than [`BYTES_MAX`].
    pub fn of_source(source: &mut dyn Source, files: &[String]) -> Result<Self, TapeError> {
        let mut filling = Filling::default();
        while let Some(event) = source.next()? {
            filling.push(event, files)?;
        }
        Ok(filling.finish(source.instruments().to_vec(), Vec::new(), files))
    }

    /// Bars alone?
    pub const fn is_of_bars(&self) -> bool {
        self.events.events() == 0
    }

    /// The worst that is known of any market.
    pub fn grade(&self) -> DataGrade {
        match self.is_of_bars() {
            true => DataGrade::Bars,
            false => self.grade.unwrap_or(DataGrade::Trades),
        }
    }

    /// The first instant and the last.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        if !self.is_of_bars() {
            let told = self.told.first().zip(self.told.last());
            let (first, last) = self.events.span()?;
            return Some(
                told.map_or((first, last), |(a, b)| (first.min(a.input.at), last.max(b.input.at))),
            );
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
