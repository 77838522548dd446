//! A print's way through its market: of all events the one that comes by the million.
//!
//! Each step is small and touches only what a print changes; what few markets have (bars by time, an
//! average for a band of prices) is kept out of the way.

use super::{Change, Market, Series};
use domain::{Bar, DataGrade, Level, Print, Timeframe, Timestamp};
use smallvec::SmallVec;

impl Market {
    /// Takes a print in: bars, figures, and the touch where prints are all that is known. Has one
    /// caller, and what it saves and restores for it is a tenth of its work.
    #[inline(always)]
    pub(crate) fn on_print(&mut self, print: &Print, now: Timestamp, change: &mut Change) {
        self.last_event_at = Some(now);
        self.last_priced_at = Some(now);
        self.prints += 1;
        if let Some(average) = &mut self.average {
            average.add(print);
        }
        for (at, series) in self.series.iter_mut().enumerate() {
            if series.timeframe == Timeframe::Trade {
                // The bar is the print, and goes straight to the figures.
                if series.builder.on_single(print) {
                    series.indicators.update(&Bar::of(print));
                    change.of_print = Some(at);
                }
            } else {
                series.take(print, at, change);
            }
        }
        if self.last_print.is_none_or(|last| print.id > last.id) {
            self.last_print = Some(*print);
        }
        let is_fresh = self.feed.is_fresh();
        // A live book is never overwritten by prints of before.
        if print.backfilled != is_fresh && (print.backfilled || self.grade == DataGrade::Trades) {
            self.make_touch(print);
        }
        if is_fresh && let Some((bid, ask)) = self.book.quote() {
            self.last_quote = Some((bid, ask, now));
        }
    }

    /// Prints alone: a buyer's print is an ask, a seller's a bid; the other side stays where it
    /// was, but never on the wrong side of it.
    #[inline]
    fn make_touch(&mut self, print: &Print) {
        if !self.is_made_of_prints {
            self.book.clear();
            self.is_made_of_prints = true;
        }
        let level = Level { price: print.price, quantity: print.quantity };
        self.book.lay_print(print.taker_side, level, self.instrument.tick_size);
    }
}

impl Series {
    /// A print for bars of a length of time. Not inlined: its values would crowd those of the loop
    /// out of the registers.
    #[inline(never)]
    fn take(&mut self, print: &Print, at: usize, change: &mut Change) {
        let mut closed: SmallVec<[Bar; 2]> = SmallVec::new();
        self.builder.on_print(print, &mut |bar| closed.push(bar));
        for bar in closed {
            if self.close(bar) {
                change.closed.push((at, bar));
            }
        }
    }
}

impl Change {
    /// The bars that closed, that of the print itself among them, in the order of their series.
    pub(crate) fn with_print(&mut self, print: &Print) {
        let Some(series) = self.of_print else { return };
        let at = self.closed.partition_point(|(other, _)| *other < series);
        // Once, however many accounts ask.
        if self.closed.get(at).is_none_or(|(other, _)| *other != series) {
            self.closed.insert(at, (series, Bar::of(print)));
        }
    }
}
