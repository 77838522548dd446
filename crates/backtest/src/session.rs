//! A paper session as a tape: everything that its core was told, but what people ordered.
//!
//! It brings its own clock: time passed for the core when something came, and at the instants that
//! are kept, so a backtest over it lets time pass at those alone. The same bots, ordered by a plan
//! rather than by people, then trade as they did.

use crate::decoded::{Filling, Tape, Told};
use crate::inputs::{Session, sessions};
use crate::recorded::{Recorded, TapeError};
use crate::tape::{Content, Reader, segments, useless};
use domain::{FeedGrade, FeedState, Instrument, InstrumentId, MarketEvent, Policy, Timestamp};
use engine::{Engine, EngineConfig, Input, InputKind, StateRow};
use std::path::Path;

/// What is no market event of a session: a week of timers, and room.
const TOLD_MAX: usize = 4_000_000;

/// Is it the folder of inputs that a running core kept?
///
/// # Errors
/// Its first segment cannot be read.
pub fn is_session(dir: &Path) -> Result<bool, TapeError> {
    if !dir.is_dir() {
        return Ok(false);
    }
    let Some(first) = segments(dir)?.into_iter().next() else { return Ok(false) };
    Ok(Reader::open(&first)?.header().content == Content::Inputs)
}

/// Reads every session of a folder as one tape; in between nothing of any market is known.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn read(dir: &Path) -> Result<Tape, TapeError> {
    let files = vec![dir.display().to_string()];
    let mut reading = Reading::new(dir, &files);
    for session in sessions(dir)? {
        reading.session(&session)?;
    }
    let Reading { filling, instruments, told, .. } = reading;
    let tape = filling.finish(instruments, told, &files);
    match tape.is_of_bars() {
        true => Err(useless(dir, "no market event in it: nothing was recorded, or nothing traded")),
        false => Ok(tape),
    }
}

struct Reading<'a> {
    dir: &'a Path,
    files: &'a [String],
    filling: Filling,
    instruments: Vec<Instrument>,
    told: Vec<Told>,
    /// Place among ours of each market, by the core's id.
    places: Vec<usize>,
    last_at: Option<Timestamp>,
}

impl<'a> Reading<'a> {
    fn new(dir: &'a Path, files: &'a [String]) -> Self {
        let (filling, instruments, told) = Default::default();
        Self { dir, files, filling, instruments, told, places: Vec::new(), last_at: None }
    }

    fn session(&mut self, session: &Session) -> Result<(), TapeError> {
        // What was written is what was applied, committed or not.
        let (start, mut inputs) = session.open(u64::MAX)?;
        let mut core = core(start.states).map_err(|problem| useless(self.dir, problem))?;
        self.places.clear();
        self.meet(&core);
        let mut before = self.last_at;
        while let Some(batch) = inputs.next_batch()? {
            for input in batch {
                if let Some(from) = before.take() {
                    self.gap(from, input.at.max(from))?;
                }
                self.last_at = self.last_at.max(Some(input.at));
                self.take(input, &mut core)?;
            }
        }
        Ok(())
    }

    /// Learns the markets that the core knows and we do not.
    fn meet(&mut self, core: &Engine) {
        while let Some(new) = core.instrument(InstrumentId(self.places.len() as u32)) {
            let is_it = |i: &Instrument| (i.exchange, i.symbol) == (new.exchange, new.symbol);
            let known = self.instruments.iter().position(is_it);
            self.places.push(known.unwrap_or(self.instruments.len()));
            if known.is_none() {
                self.instruments.push(new.clone());
            }
        }
    }

    /// The process was not there: what is open over it says so, and no old book counts.
    fn gap(&mut self, from: Timestamp, at: Timestamp) -> Result<(), TapeError> {
        for instrument in 0..self.instruments.len() {
            let state = FeedState::Resyncing("not recorded".to_owned());
            let grade = FeedGrade::L1Trades;
            let feed = MarketEvent::Feed { state, grade };
            for event in [MarketEvent::Gap { from }, feed] {
                self.filling.push(Recorded { at, instrument, event }, self.files)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, input: Input, core: &mut Engine) -> Result<(), TapeError> {
        let Input { at, kind } = input;
        let kind = match kind {
            InputKind::Market { instrument, event } => {
                // One that the core did not know either, it did not hear.
                let Some(place) = self.places.get(instrument.0 as usize) else { return Ok(()) };
                let event = Recorded { at, instrument: *place, event };
                return self.filling.push(event, self.files);
            }
            InputKind::History { instrument, timeframe, bars } => {
                let Some(place) = self.places.get(instrument.0 as usize) else { return Ok(()) };
                let instrument = InstrumentId(*place as u32);
                InputKind::History { instrument, timeframe, bars }
            }
            InputKind::Instrument(instrument) => {
                core.define(&instrument);
                self.meet(core);
                InputKind::Instrument(instrument)
            }
            InputKind::Command(_) => InputKind::Timer,
            other => other,
        };
        if self.told.len() == TOLD_MAX {
            let problem = format!("more than {TOLD_MAX} inputs beside the market's");
            return Err(useless(self.dir, problem));
        }
        self.told.push(Told { after: self.filling.events(), input: Input { at, kind } });
        Ok(())
    }
}

/// A core as it was, to know its markets by their ids; it does not work.
fn core(states: Vec<StateRow>) -> Result<Engine, String> {
    let policy = Policy::default();
    let config = EngineConfig { seed: 1, latency_ms_p50: 60.0, latency_ms_p99: 250.0, policy };
    Engine::restore(config, states).map_err(|e| format!("of another version: {e}"))
}
