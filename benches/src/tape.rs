//! A made-up tape: a random walk of single prints, the same for ever.

use domain::{Price, Print, Quantity, Side, Span, Timestamp};

/// Monday noon, far from midnight.
pub(crate) const START: Timestamp = Timestamp(1_767_614_400_000_000_000);

/// Prints of one symbol, a millisecond apart on average.
pub(crate) struct Tape {
    state: u64,
    print: Print,
    mid: i64,
    step: Span,
}

impl Tape {
    pub(crate) fn new(seed: u64, step: Span) -> Self {
        let print = Print {
            id: 0,
            price: Price(0),
            quantity: Quantity(0),
            taker_side: Side::Buy,
            at: START,
            backfilled: false,
        };
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { state, print, mid: 6_000_000, step }
    }

    /// Best bid and ask around the walk's middle.
    pub(crate) fn touch(&self) -> (Price, Price) {
        (Price(self.mid - 1), Price(self.mid + 1))
    }

    /// Goes on from this time.
    pub(crate) fn set_time(&mut self, at: Timestamp) {
        self.print.at = at;
    }

    fn dice(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state >> 8
    }

    /// The next print.
    pub(crate) fn next(&mut self) -> Print {
        let dice = self.dice();
        let is_buy = dice & 1 == 0;
        // Mostly still, now and then a run of a dozen ticks; pulled back to where it began.
        let stride = if dice & 0xF0 == 0 { 24 } else { 2 };
        let pull = (6_000_000 - self.mid) / 20_000;
        self.mid += (dice >> 8) as i64 % (2 * stride + 1) - stride + pull;
        self.print.id += 1;
        self.print.price = Price(self.mid + if is_buy { 1 } else { -1 });
        self.print.quantity = Quantity(100_000 + ((dice >> 20) % 50_000_000) as i64);
        self.print.taker_side = if is_buy { Side::Buy } else { Side::Sell };
        let wait = self.step.0 / 2 + (dice >> 40) as i64 % self.step.0.max(1);
        self.print.at = self.print.at + Span(wait);
        self.print
    }
}
