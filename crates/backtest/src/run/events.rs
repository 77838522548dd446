//! A run over a tape of events: what was known before it starts, then event by event.

use super::{Drive, MARK_EVERY, RunError};
use crate::decoded::Tape;
use crate::recorded::Recorded;
use crate::tape::Play;
use domain::{InstrumentId, Timestamp};
use engine::{Input, InputKind};
use std::ops::ControlFlow;

/// Events of a tape, and what else a core was told where it was told.
pub(super) struct Steps<'a> {
    tape: &'a Tape,
    play: Play<'a>,
    /// Events given so far.
    given: u64,
    /// The next that was told.
    told: usize,
}

pub(super) enum Step<'a> {
    Event(Recorded),
    Told(&'a Input),
}

impl Step<'_> {
    const fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.at,
            Self::Told(input) => input.at,
        }
    }
}

impl<'a> Steps<'a> {
    pub(super) fn of(tape: &'a Tape) -> Self {
        Self { tape, play: tape.events.play(), given: 0, told: 0 }
    }

    /// From near that instant, where nothing else was told whose place would have to be known.
    fn near(tape: &'a Tape, at: Timestamp) -> Self {
        Self { play: tape.events.play_near(at), ..Self::of(tape) }
    }

    fn done(&self) -> f64 {
        self.given as f64 / self.tape.events.events().max(1) as f64
    }
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    #[inline]
    fn next(&mut self) -> Option<Step<'a>> {
        if let Some(told) = self.tape.told.get(self.told)
            && told.after <= self.given
        {
            self.told += 1;
            return Some(Step::Told(&told.input));
        }
        self.given += 1;
        self.play.next().map(Step::Event)
    }
}

impl<'a> Drive<'a> {
    /// Tells what happened before the start, to a core without bots. Of a tape without anything
    /// but events: books and feeds whole, and the newest quotes and prints, as older ones are
    /// forgotten anyway.
    pub(super) fn before_start(&mut self) {
        let tape = self.tape;
        if tape.told.is_empty() {
            for event in tape.events.others_before(self.started) {
                self.step(Step::Event(event));
            }
            self.steps = Steps::near(tape, self.started);
        }
        while let Some(step) = self.steps.next() {
            if step.at() >= self.started {
                self.pending = Some(step);
                break;
            }
            self.step(step);
        }
        self.outputs.clear();
    }

    pub(super) fn events(
        &mut self,
        watch: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        let has_own_clock = !self.tape.told.is_empty();
        let mut marked = self.started;
        while let Some(step) = self.pending.take().or_else(|| self.steps.next()) {
            let at = step.at();
            if at > self.until {
                break;
            }
            while !has_own_clock && self.engine.next_deadline() <= at {
                let due = self.engine.next_deadline();
                self.apply(due, InputKind::Timer);
            }
            self.step(step);
            self.take();
            if at >= marked + MARK_EVERY {
                marked = at.floor(MARK_EVERY);
                self.mark(at);
            }
            self.look(watch, |drive| drive.steps.done())?;
        }
        self.mark(self.until);
        Ok(())
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Event(Recorded { at, instrument, event }) => {
                let instrument = self.ids[instrument];
                self.apply(at, InputKind::Market { instrument, event });
            }
            Step::Told(input) => {
                if let Some(kind) = self.told(&input.kind) {
                    self.apply(input.at, kind);
                }
            }
        }
    }

    /// The same with our ids; `None` where it is known. Fees are those that the plan has.
    fn told(&self, kind: &InputKind) -> Option<InputKind> {
        match kind {
            InputKind::Instrument(told) => {
                let is_it =
                    |i: &domain::Instrument| (i.exchange, i.symbol) == (told.exchange, told.symbol);
                let mut markets = self.tape.markets.iter().map(|market| &market.instrument);
                let known = markets.find(|i| is_it(i))?;
                let new = domain::Instrument { fees: known.fees.clone(), ..told.clone() };
                (new != *known).then_some(InputKind::Instrument(new))
            }
            InputKind::History { instrument: InstrumentId(place), timeframe, bars } => {
                let instrument = *self.ids.get(*place as usize)?;
                Some(InputKind::History { instrument, timeframe: *timeframe, bars: bars.clone() })
            }
            other => Some(other.clone()),
        }
    }
}
