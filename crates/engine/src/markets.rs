//! Markets as the core knows them: one writer, read by every account.

mod print;

use crate::rates::ImportedRates;
use crate::view::MarketSeen;
use domain::{
    Amount, Bar, BookUpdate, ClosedBar, DataGrade, Exchange, FeedState, Instrument, InstrumentId,
    InstrumentStatus, MarketEvent, Price, Print, Round, Span, Symbol, Timeframe, Timestamp,
};
use market::{Average, BarBuilder, Book, IndicatorSet, PrintIds};
use risk::surely_off;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// A connector fetches missing prints within seconds; after this they are not waited for.
const REPAIR_TIME: Span = Span::from_secs(20);
/// Bars kept for pages and for indicators that come late.
const BARS_KEPT: usize = 1_000;

/// A timeframe of a market with its shared indicators.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) timeframe: Timeframe,
    builder: BarBuilder,
    pub(crate) indicators: IndicatorSet,
    /// Not stored: history tells them again.
    #[serde(skip)]
    pub(crate) bars: VecDeque<Bar>,
    /// Until history was delivered, live bars wait, so that indicators see bars in order.
    #[serde(skip)]
    pub(crate) awaits_history: bool,
}

impl Series {
    fn new(timeframe: Timeframe, exchange: Exchange, now: Timestamp) -> Self {
        let ids = match exchange {
            Exchange::Binance => PrintIds::Contiguous,
            Exchange::Kucoin | Exchange::Luno => PrintIds::Rising,
        };
        Self {
            timeframe,
            builder: BarBuilder::new(timeframe, ids, now),
            indicators: IndicatorSet::default(),
            bars: VecDeque::new(),
            awaits_history: timeframe != Timeframe::Trade,
        }
    }

    fn keep(&mut self, bar: Bar) {
        if self.bars.len() == BARS_KEPT {
            self.bars.pop_front();
        }
        self.bars.push_back(bar);
    }

    /// Takes a closed bar; says whether strategies may decide on it.
    fn close(&mut self, bar: Bar) -> bool {
        if self.timeframe != Timeframe::Trade {
            self.keep(bar);
        }
        if !self.awaits_history {
            self.indicators.update(&bar);
        }
        !self.awaits_history
    }

    /// Warms the indicators with bars from before, then with those that closed meanwhile.
    pub(crate) fn warm(&mut self, history: &[Bar]) {
        if !self.awaits_history {
            return;
        }
        self.awaits_history = false;
        let waiting = std::mem::take(&mut self.bars);
        let first = waiting.front().map_or(Timestamp::MAX, |b| b.open_at);
        for bar in history.iter().filter(|b| b.open_at < first).chain(&waiting) {
            self.indicators.update(bar);
            self.keep(*bar);
        }
    }

    /// After a restart bars are missing: history comes first and warms the indicators anew, the
    /// time of the stop included. Single prints have no history: theirs go on as they were.
    pub(crate) fn reawait(&mut self) {
        self.awaits_history = self.timeframe != Timeframe::Trade;
        if self.awaits_history {
            self.indicators = IndicatorSet::default();
        }
    }

    pub(crate) fn open_bar(&self) -> Option<Bar> {
        self.builder.open_bar()
    }
}

/// One instrument with everything that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Market {
    pub(crate) instrument: Instrument,
    /// After a restart nothing is fresh until a feed says so.
    #[serde(skip, default = "starting")]
    pub(crate) feed: FeedState,
    /// Since when it is, if it is.
    #[serde(skip)]
    pub(crate) fresh_since: Option<Timestamp>,
    pub(crate) grade: DataGrade,
    #[serde(skip)]
    pub(crate) book: Book,
    /// The book is made of prints alone.
    #[serde(skip)]
    is_made_of_prints: bool,
    #[serde(skip)]
    pub(crate) requested_at: Option<Timestamp>,
    /// Of a polled market: prints up to here have been asked for, and were told.
    #[serde(skip)]
    polled_until: Option<Timestamp>,
    pub(crate) last_print: Option<Print>,
    /// Kept where a filter is relative to it.
    #[serde(default)]
    pub(crate) average: Option<Average>,
    pub(crate) last_event_at: Option<Timestamp>,
    /// When a price was last told: that a feed has died is none.
    #[serde(skip)]
    pub(crate) last_priced_at: Option<Timestamp>,
    pub(crate) prints: u64,
    /// Best bid and ask when last both were known.
    pub(crate) last_quote: Option<(Price, Price, Timestamp)>,
    pub(crate) series: Vec<Series>,
    /// Since when bars wait for prints that are missing.
    #[serde(skip)]
    missing_since: Option<Timestamp>,
    /// Some of its bars close by the clock.
    pub(crate) has_timed_bars: bool,
    #[serde(skip)]
    pub(crate) is_dirty: bool,
}

/// The average that the instrument's percent band is relative to, empty.
fn average_of(instrument: &Instrument) -> Option<Average> {
    let minutes = instrument.percent_band.as_ref()?.average_minutes;
    (minutes > 0).then(|| Average::over(minutes))
}

fn starting() -> FeedState {
    FeedState::Stale("starting".to_owned())
}

/// What an event did to a market.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Bars that closed, with the index of their series.
    pub(crate) closed: SmallVec<[(usize, Bar); 2]>,
    /// The series of single prints, where the print is a bar of it: made one where somebody asks.
    pub(crate) of_print: Option<usize>,
    /// The feed's state changed.
    pub(crate) feed_changed: bool,
    /// Prices are from prints fetched late.
    pub(crate) is_backfill: bool,
}

impl Change {
    /// Forgets what was told; its room is used again.
    pub(crate) fn clear(&mut self) {
        self.closed.clear();
        self.of_print = None;
        self.feed_changed = false;
        self.is_backfill = false;
    }
}

impl Market {
    fn new(instrument: Instrument) -> Self {
        Self {
            average: average_of(&instrument),
            instrument,
            feed: starting(),
            fresh_since: None,
            grade: DataGrade::L2Trades,
            book: Book::default(),
            is_made_of_prints: false,
            requested_at: None,
            polled_until: None,
            last_print: None,
            last_event_at: None,
            last_priced_at: None,
            prints: 0,
            last_quote: None,
            series: Vec::new(),
            missing_since: None,
            has_timed_bars: false,
            is_dirty: true,
        }
    }

    /// Its filters, fees or status are now these.
    fn change(&mut self, instrument: &Instrument) {
        let i = &self.instrument;
        // What is known here stays at its scale. A step too fine for it cannot be priced: that is
        // a halt until the books are empty and the market is made anew.
        let changed = instrument.at_scales(i.price_scale, i.quantity_scale).unwrap_or_else(|| {
            let status = match instrument.status {
                InstrumentStatus::Delisted => InstrumentStatus::Delisted,
                _ => InstrumentStatus::Halted,
            };
            Instrument { status, ..i.clone() }
        });
        self.is_dirty |= self.instrument != changed;
        let average = average_of(&changed);
        if self.average.as_ref().map(Average::minutes) != average.as_ref().map(Average::minutes) {
            self.average = average;
        }
        self.instrument = changed;
    }

    /// What the exchange measures prices of orders against.
    pub(crate) fn reference(&self, now: Timestamp) -> Option<Price> {
        market::reference(self.average.as_ref(), self.last_print.map(|p| p.price), &self.book, now)
    }

    /// May its prices be used?
    pub(crate) fn is_valid(&self) -> bool {
        self.feed.is_fresh() && self.book.quote().is_some()
    }

    /// Halfway between best bid and ask.
    pub(crate) fn mid(&self) -> Option<Amount> {
        let (bid, ask) = (self.book.best_bid()?, self.book.best_ask()?);
        Some(self.halfway(bid.price, ask.price))
    }

    pub(crate) fn halfway(&self, bid: Price, ask: Price) -> Amount {
        let sum = i128::from(bid.0) + i128::from(ask.0);
        let doubled = Amount::from_scaled(sum, self.instrument.price_scale, Round::Down);
        doubled.part(1, 2, Round::Down)
    }

    /// Remembers the quote: currency rates and the collar of late exits come from it.
    pub(crate) fn keep_quote(&mut self, now: Timestamp) {
        if !self.feed.is_fresh() {
            return;
        }
        if let Some((bid, ask)) = self.book.quote() {
            self.last_quote = Some((bid, ask, now));
        }
    }

    /// The timeframe's series; made where nobody asked for it yet.
    pub(crate) fn series(&mut self, timeframe: Timeframe, now: Timestamp) -> usize {
        if let Some(i) = self.series.iter().position(|s| s.timeframe == timeframe) {
            return i;
        }
        self.has_timed_bars |= timeframe.span().is_some();
        self.series.push(Series::new(timeframe, self.instrument.exchange, now));
        self.series.len() - 1
    }

    /// Earliest local time at which a bar closes without a print.
    pub(crate) fn next_deadline(&self, clock: Clock) -> Timestamp {
        let deadlines = self.series.iter().filter_map(|s| s.builder.next_deadline());
        let at = deadlines.min().map_or(Timestamp::MAX, |at| at - clock.lower);
        // Without a poll past it nothing is known of its end: the next one is waited for.
        let is_open = self.polled_until.is_some_and(|until| until < at);
        if is_open { Timestamp::MAX } else { at }
    }

    /// Closes bars that time has closed; only while the feed is fresh.
    pub(crate) fn on_time(&mut self, now: Timestamp, clock: Clock, change: &mut Change) {
        if !self.feed.is_fresh() {
            return;
        }
        let now = self.polled_until.map_or(now, |until| now.min(until));
        for (i, series) in self.series.iter_mut().enumerate() {
            let mut closed: SmallVec<[Bar; 2]> = SmallVec::new();
            series.builder.on_time(now + clock.lower, &mut |bar| closed.push(bar));
            for bar in closed {
                if series.close(bar) {
                    change.closed.push((i, bar));
                }
            }
        }
    }

    pub(crate) fn on_event(&mut self, event: &MarketEvent, now: Timestamp, change: &mut Change) {
        self.last_event_at = Some(now);
        if !matches!(event, MarketEvent::Feed { .. } | MarketEvent::Gap { .. }) {
            self.last_priced_at = Some(now);
        }
        match event {
            // Taken apart by `Engine::on_print`.
            MarketEvent::Print(_) => {}
            MarketEvent::Touch(touch) => {
                self.book.apply_touch(touch);
            }
            MarketEvent::Book(update) => self.on_book(update),
            MarketEvent::Feed { state, grade } => {
                change.feed_changed = self.feed != *state;
                self.is_dirty |= change.feed_changed;
                self.feed = state.clone();
                self.fresh_since = self.fresh_since.or(Some(now)).filter(|_| state.is_fresh());
                self.grade = *grade;
                // Prices of a broken sequence are worth nothing, nor are those of fetched prints
                // once the market speaks again.
                if !state.is_fresh() || (self.is_made_of_prints && *grade != DataGrade::Trades) {
                    self.book.clear();
                    self.is_made_of_prints = false;
                }
            }
            // Taken apart by `Engine::on_closed_bar`.
            MarketEvent::Bar(_) => {}
            // The depth that follows shows it; only queues ask whose it was.
            MarketEvent::Withdrawn(_) => {}
            MarketEvent::Gap { from } => {
                for series in &mut self.series {
                    series.builder.lost(*from, now);
                }
                self.give_up(change);
            }
        }
    }

    /// A closed bar for every series: its own as it is, longer ones by its part in them.
    pub(crate) fn close_series(&mut self, closed: &ClosedBar, change: &mut Change) {
        let length = closed.timeframe.span().unwrap_or_default();
        for (i, series) in self.series.iter_mut().enumerate() {
            if series.timeframe == closed.timeframe {
                if series.close(closed.bar) {
                    change.closed.push((i, closed.bar));
                }
                continue;
            }
            let mut whole: Option<Bar> = None;
            series.builder.on_bar(&closed.bar, length, &mut |bar| whole = Some(bar));
            if let Some(bar) = whole.filter(|bar| series.close(*bar)) {
                change.closed.push((i, bar));
            }
        }
    }

    /// Missing prints will not come any more: their bars are dropped, those behind them go on.
    fn give_up(&mut self, change: &mut Change) {
        self.missing_since = None;
        for (i, series) in self.series.iter_mut().enumerate() {
            let mut closed: SmallVec<[Bar; 2]> = SmallVec::new();
            series.builder.give_up(&mut |bar| closed.push(bar));
            for bar in closed {
                if series.close(bar) {
                    change.closed.push((i, bar));
                }
            }
        }
    }

    /// Looked at now and then: a repair that never ends must not silence the bots for ever.
    pub(crate) fn give_up_overdue(&mut self, now: Timestamp, change: &mut Change) {
        if !self.series.iter().any(|s| s.builder.missing().next().is_some()) {
            self.missing_since = None;
        } else if now - *self.missing_since.get_or_insert(now) >= REPAIR_TIME {
            self.give_up(change);
        }
    }

    fn on_book(&mut self, update: &BookUpdate) {
        if std::mem::take(&mut self.is_made_of_prints) {
            self.book.clear();
        }
        self.book.apply(update);
        // A book and the prints of its round come in any order; those of the round before are here.
        self.polled_until = update.requested_at.and(self.requested_at);
        self.requested_at = update.requested_at;
    }

    /// What of it is shown to people.
    pub(crate) fn seen(&self) -> MarketSeen<'_> {
        MarketSeen {
            instrument: &self.instrument,
            feed: &self.feed,
            grade: self.grade,
            book: &self.book,
            last_print: self.last_print,
            last_priced_at: self.last_priced_at,
            prints: self.prints,
        }
    }

    /// Prints that came after their bar was closed.
    pub(crate) fn late_prints(&self) -> u64 {
        self.series.iter().map(|s| s.builder.counts().late_prints).max().unwrap_or(0)
    }

    /// Is the book a row of prints? Then each print is new liquidity.
    pub(crate) fn is_made_of_prints(&self) -> bool {
        self.is_made_of_prints
    }
}

/// Bounds of an exchange's clock minus ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    pub(crate) lower: Span,
    pub(crate) upper: Span,
    /// Measured since the start.
    pub(crate) is_known: bool,
}

impl Clock {
    /// How far the two clocks surely are from one another; `None`: not measured.
    pub(crate) fn off(self) -> Option<Span> {
        self.is_known.then(|| surely_off(self.lower, self.upper))
    }
}

/// All markets, by the id under which they were interned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markets {
    pub(crate) all: Vec<Market>,
    pub(crate) clocks: [Clock; 3],
    /// Rates that were imported.
    pub(crate) imported: ImportedRates,
}

impl Markets {
    pub(crate) fn id(&self, exchange: Exchange, symbol: Symbol) -> Option<InstrumentId> {
        let is_it = |m: &Market| m.instrument.exchange == exchange && m.instrument.symbol == symbol;
        self.all.iter().position(is_it).map(|i| InstrumentId(i as u32))
    }

    pub(crate) fn get(&self, id: InstrumentId) -> &Market {
        &self.all[id.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, id: InstrumentId) -> &mut Market {
        &mut self.all[id.0 as usize]
    }

    pub(crate) fn clock(&self, exchange: Exchange) -> Clock {
        self.clocks[exchange as usize]
    }

    /// Adds an instrument or changes the one that is known.
    pub(crate) fn define(&mut self, instrument: &Instrument) -> InstrumentId {
        match self.id(instrument.exchange, instrument.symbol) {
            Some(id) => {
                let market = self.get_mut(id);
                market.change(instrument);
                id
            }
            None => {
                self.all.push(Market::new(instrument.clone()));
                InstrumentId(self.all.len() as u32 - 1)
            }
        }
    }
}
