//! The market as a recording tells it, record by record.

use super::Market;
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
}

impl<'a> View<'a> {
    pub(super) fn new(market: &'a Market<'a>) -> Self {
        Self { market, book: Book::default(), is_fresh: false, grade: DataGrade::L1Trades }
    }

    /// Takes a record; says what of the book it changed.
    pub(super) fn apply<'r>(&mut self, record: &'r Recorded) -> Option<Changed<'r>> {
        match &record.event {
            MarketEvent::Touch(touch) => {
                self.book.apply_touch(touch).then_some(Changed::Touch(touch))
            }
            MarketEvent::Book(update) => {
                self.book.apply(update);
                Some(match update.is_snapshot {
                    true => Changed::All,
                    false => Changed::Levels { bids: &update.bids, asks: &update.asks },
                })
            }
            MarketEvent::Feed { state, grade } => {
                self.feed(state, *grade);
                None
            }
            _ => None,
        }
    }

    fn feed(&mut self, state: &FeedState, grade: DataGrade) {
        (self.is_fresh, self.grade) = (state.is_fresh(), grade);
        // Prices of a broken sequence are worth nothing.
        if !self.is_fresh {
            self.book.clear();
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.is_fresh && self.book.quote().is_some()
    }

    /// What the simulated exchange sees.
    pub(super) fn state(&self) -> MarketState<'_> {
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
            // by the bound a cancel would hide the trades of the milliseconds after it.
            clock_upper: self.market.clock.usual,
        }
    }
}
