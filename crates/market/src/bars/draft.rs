//! A bar in the making, and a hole in the print ids.

use domain::{Bar, Price, Print, Quantity, Span, Timestamp};
use serde::{Deserialize, Serialize};

/// A bar that is not delivered yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) bar: Bar,
    /// Prints of it are missing for good.
    pub(super) is_lost: bool,
    first_id: u64,
    last_id: u64,
}

impl Draft {
    pub(super) fn new(open_at: Timestamp, is_lost: bool) -> Self {
        let (zero, volume) = (Price::ZERO, Quantity::ZERO);
        let bar =
            Bar { open_at, open: zero, high: zero, low: zero, close: zero, volume, prints: 0 };
        Self { bar, is_lost, first_id: u64::MAX, last_id: 0 }
    }

    /// Takes a print in; by ids, so that backfilled ones may come in any order.
    pub(super) fn take(&mut self, print: &Print) {
        let bar = &mut self.bar;
        if print.id <= self.first_id {
            (bar.open, self.first_id) = (print.price, print.id);
        }
        if print.id >= self.last_id {
            (bar.close, self.last_id) = (print.price, print.id);
        }
        let is_first = bar.prints == 0;
        bar.high = if is_first { print.price } else { bar.high.max(print.price) };
        bar.low = if is_first { print.price } else { bar.low.min(print.price) };
        // Saturates: a hostile feed must not stop the process.
        bar.volume = Quantity(bar.volume.0.saturating_add(print.quantity.0));
        bar.prints = bar.prints.saturating_add(1);
    }

    /// Takes a shorter bar in; they come in order, and one that does not follow the last is a hole.
    pub(super) fn take_bar(&mut self, part: &Bar, length: Span) {
        let end = (part.open_at + length).0.unsigned_abs();
        self.is_lost |= self.last_id != 0 && self.last_id != part.open_at.0.unsigned_abs();
        // A timed draft of bars has no print ids: the end of its last part stands there.
        self.last_id = end;
        let bar = &mut self.bar;
        if bar.prints == 0 {
            let open_at = bar.open_at;
            *bar = Bar { open_at, ..*part };
            bar.prints = part.prints.max(1);
            return;
        }
        bar.high = bar.high.max(part.high);
        bar.low = bar.low.min(part.low);
        bar.close = part.close;
        bar.volume = Quantity(bar.volume.0.saturating_add(part.volume.0));
        bar.prints = bar.prints.saturating_add(part.prints);
    }

    /// The bar; without a print it carries the previous close on.
    pub(super) fn finish(&self, previous_close: Option<Price>) -> Option<Bar> {
        if self.bar.prints > 0 {
            return Some(self.bar);
        }
        let close = previous_close?;
        Some(Bar { open: close, high: close, low: close, close, ..self.bar })
    }
}

/// Missing ids `next..end`, somewhere in the time between the prints around them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gap {
    pub(super) next: u64,
    pub(super) end: u64,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Gap {
    /// May prints of the bar that starts here be missing?
    pub(super) fn touches(&self, open_at: Timestamp, span: Span) -> bool {
        open_at + span > self.from && open_at <= self.to
    }

    pub(super) fn holds(&self, id: u64) -> bool {
        (self.next..self.end).contains(&id)
    }

    /// Takes an id out; what is left before it and after it.
    pub(super) fn split(self, id: u64) -> [Self; 2] {
        let before = Self { end: id, ..self.clone() };
        [before, Self { next: id + 1, ..self }]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next >= self.end
    }
}
