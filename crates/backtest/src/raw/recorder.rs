//! Collects what a recording says, instrument by instrument, and what it says of their scales.

use crate::Recorded;
use crate::tape::assumed_instrument;
use domain::{
    Amount, BookUpdate, DataGrade, Exchange, FeeSchedule, FeedState, Instrument, Level,
    MarketEvent, Price, Print, Quantity, Rate, Symbol, Timestamp, Touch, Withdrawn,
};

/// Scale of instruments that only the tape tells of: the decimals of the exchanges' texts.
const SCALE: u8 = 8;
/// Quote currencies by which a name without a separator is taken apart; longer ones first.
const QUOTES: [&str; 18] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY",
    "BRL", "ZAR", "DAI", "TRX", "XRP", "USD",
];

/// What is known of one instrument while reading.
#[derive(Debug)]
struct Feed {
    /// The exchange's own list told its scale.
    is_listed: bool,
    /// Largest power of ten that divides every price, and every quantity.
    price_step: i64,
    quantity_step: i64,
    grade: Option<DataGrade>,
    last_print: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    instruments: Vec<Instrument>,
    feeds: Vec<Feed>,
    records: Vec<Recorded>,
    /// The exchange's own instruments, used where the tape speaks of them.
    listed: Vec<Instrument>,
    gaps: u64,
}

impl Recorder {
    /// The exchange's list, where the recording has it.
    pub(super) fn list(&mut self, instruments: Vec<Instrument>) {
        self.listed = instruments;
    }

    /// Place of an instrument; made where it was not heard of.
    pub(super) fn place(&mut self, exchange: Exchange, native: &str) -> usize {
        let is_it = |i: &Instrument| i.exchange == exchange && i.native == native;
        if let Some(at) = self.instruments.iter().position(is_it) {
            return at;
        }
        let listed = self.listed.iter().find(|i| is_it(i)).cloned();
        self.feeds.push(Feed {
            is_listed: listed.is_some(),
            price_step: 10_i64.pow(u32::from(SCALE)),
            quantity_step: 10_i64.pow(u32::from(SCALE)),
            grade: None,
            last_print: None,
        });
        self.instruments.push(listed.unwrap_or_else(|| unlisted(exchange, native)));
        self.instruments.len() - 1
    }

    pub(super) fn instrument(&self, at: usize) -> &Instrument {
        &self.instruments[at]
    }

    /// How many instruments were heard of.
    pub(super) fn count(&self) -> usize {
        self.instruments.len()
    }

    /// How much is known of an instrument from now on; told once for each change.
    pub(super) fn grade(&mut self, at: Timestamp, instrument: usize, grade: DataGrade) {
        if self.feeds[instrument].grade != Some(grade) {
            self.feeds[instrument].grade = Some(grade);
            let state = FeedState::Fresh;
            self.push(at, instrument, MarketEvent::Feed { state, grade });
        }
    }

    /// Something is missing: nothing of the book counts until the next grade.
    pub(super) fn lost_book(&mut self, at: Timestamp, instrument: usize, why: &str) {
        self.gaps += 1;
        self.feeds[instrument].grade = None;
        let state = FeedState::Resyncing(why.to_owned());
        self.push(at, instrument, MarketEvent::Feed { state, grade: DataGrade::L1Trades });
    }

    pub(super) fn has_grade(&self, instrument: usize) -> bool {
        self.feeds[instrument].grade.is_some()
    }

    pub(super) fn touch(&mut self, at: Timestamp, instrument: usize, touch: Touch) {
        self.see(instrument, &[touch.bid, touch.ask]);
        self.push(at, instrument, MarketEvent::Touch(touch));
    }

    pub(super) fn book(&mut self, at: Timestamp, instrument: usize, update: BookUpdate) {
        self.see(instrument, &update.bids);
        self.see(instrument, &update.asks);
        self.push(at, instrument, MarketEvent::Book(update));
    }

    pub(super) fn withdrawn(&mut self, at: Timestamp, instrument: usize, withdrawn: Withdrawn) {
        self.push(at, instrument, MarketEvent::Withdrawn(withdrawn));
    }

    /// A print, or several in one that begin with the id `first`; `None`: ids have no order here.
    pub(super) fn print(
        &mut self,
        at: Timestamp,
        instrument: usize,
        print: Print,
        first: Option<u64>,
    ) {
        let level = Level { price: print.price, quantity: print.quantity };
        self.see(instrument, &[level]);
        let last = self.feeds[instrument].last_print.replace(print.id);
        if let (Some(last), Some(first)) = (last, first)
            && first > last + 1
        {
            self.gaps += 1;
            let from = self.records.last().map_or(at, |r| r.at);
            self.push(at, instrument, MarketEvent::Gap { from });
        }
        self.push(at, instrument, MarketEvent::Print(print));
    }

    fn push(&mut self, at: Timestamp, instrument: usize, event: MarketEvent) {
        self.records.push(Recorded { at, instrument, event });
    }

    fn see(&mut self, instrument: usize, levels: &[Level]) {
        let feed = &mut self.feeds[instrument];
        for level in levels.iter().filter(|_| !feed.is_listed) {
            while level.price.0 % feed.price_step != 0 {
                feed.price_step /= 10;
            }
            while level.quantity.0 % feed.quantity_step != 0 {
                feed.quantity_step /= 10;
            }
        }
    }

    /// Instruments with the scales that were seen, records by time of receipt, and gaps.
    pub(super) fn finish(mut self) -> (Vec<Instrument>, Vec<Recorded>, u64) {
        for (instrument, feed) in self.instruments.iter_mut().zip(&self.feeds) {
            if !feed.is_listed {
                instrument.tick_size = Price(feed.price_step);
                instrument.lot_size = Quantity(feed.quantity_step);
                instrument.min_quantity = Quantity(feed.quantity_step);
            }
        }
        // Stable: what was received in one instant stays as it was written.
        self.records.sort_by_key(|r| r.at);
        (self.instruments, self.records, self.gaps)
    }
}

/// `BTCUSDT`, `BTC-USDT` or anything else as base and quote.
fn symbol(native: &str) -> Option<Symbol> {
    let (base, quote) = native.split_once('-').or_else(|| {
        let fits = |q: &&&str| native.len() > q.len() && native.ends_with(**q);
        let quote = QUOTES.iter().find(fits)?;
        Some(native.split_at(native.len() - quote.len()))
    })?;
    Some(Symbol { base: base.parse().ok()?, quote: quote.parse().ok()? })
}

/// An instrument without filters: eight decimals until the tape is read.
fn unlisted(exchange: Exchange, native: &str) -> Instrument {
    let unknown = || "UNKNOWN/UNKNOWN".parse().expect("two currency codes with a slash");
    let fees = FeeSchedule {
        maker: Rate::from_bp(10),
        taker: Rate::from_bp(10),
        in_received: exchange == Exchange::Binance,
        places: 8,
        source: "assumed 0.1 %: the recording names no fee".to_owned(),
    };
    let symbol = symbol(native).unwrap_or_else(unknown);
    Instrument {
        native: native.to_owned(),
        min_notional: Amount::ZERO,
        fees,
        ..assumed_instrument(exchange, symbol, SCALE, SCALE)
    }
}
