//! The market as a recording tells it, record by record.

use super::{Known, Market};
use crate::Recorded;
use domain::{DataGrade, FeedState, MarketEvent};
use market::Book;
use simulator::{Changed, MarketState};

/// See the module.
#[derive(Debug)]
pub(super) struct View<'a> {
    market: &'a Market<'a>,
    pub(super) book: Book,
    is_fresh: bool,
    grade: DataGrade,
    is_polled: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(market: &'a Market<'a>) -> Self {
        let Known { book, is_fresh, grade, is_polled } = market.known.clone();
        Self { market, book, is_fresh, grade, is_polled }
    }

    /// What is known after everything.
    pub(super) fn after(market: &'a Market<'a>) -> Known {
        let mut view = Self::new(market);
        for record in market.records {
            let _changed = view.apply(record);
        }
        let Self { book, is_fresh, grade, is_polled, .. } = view;
        Known { book, is_fresh, grade, is_polled }
    }

    /// Takes a record; says what of the book it changed.
    pub(super) fn apply<'r>(&mut self, record: &'r Recorded) -> Option<Changed<'r>> {
        match &record.event {
            MarketEvent::Touch(touch) => {
                self.book.apply_touch(touch).then_some(Changed::Touch(touch))
            }
            MarketEvent::Book(update) => {
                self.book.apply(update);
                self.is_polled = update.requested_at.is_some();
                Some(match update.is_snapshot {
                    true => Changed::All,
                    false => Changed::Levels { bids: &update.bids, asks: &update.asks },
                })
            }
            MarketEvent::Feed { state, grade } => self.feed(state, *grade),
            _ => None,
        }
    }

    fn feed<'r>(&mut self, state: &FeedState, grade: DataGrade) -> Option<Changed<'r>> {
        let was_fresh = self.is_fresh;
        (self.is_fresh, self.grade) = (state.is_fresh(), grade);
        // Prices of a broken sequence are worth nothing.
        if !self.is_fresh {
            self.book.clear();
        }
        // A book comes before the word that it may be used.
        (self.is_fresh && !was_fresh).then_some(Changed::All)
    }

    pub(super) fn is_valid(&self) -> bool {
        self.is_fresh && self.book.quote().is_some()
    }

    /// What the simulated exchange sees.
    pub(super) fn state(&self) -> MarketState<'_> {
        let clock = self.market.clock;
        MarketState {
            instrument: self.market.instrument,
            book: &self.book,
            is_valid: self.is_valid(),
            grade: self.grade,
            // A recording brings no percent bands to be relative to them.
            last_price: None,
            average: None,
            requested_at: None,
            // A quote tells of what happened when a usual message's time says, not the fastest one's:
            // by the bound a cancel would hide the trades of the milliseconds after it. What was
            // asked for has no such order: by the bound.
            clock_upper: if self.is_polled { clock.latest } else { clock.usual },
        }
    }

    /// The same for a print: a polled one may be older than the order that it would fill.
    pub(super) fn state_of_print(&self, at: domain::Timestamp) -> MarketState<'_> {
        let requested_at = self.is_polled.then_some(at);
        MarketState { requested_at, ..self.state() }
    }
}
