//! A run of received events as columns: what a block holds, and what a loaded tape keeps.

use super::column::Column;
use crate::recorded::Recorded;
use domain::{
    BookUpdate, ClosedBar, FeedGrade, FeedState, Level, MarketEvent, Price, Print, Quantity, Side,
    Timestamp, Touch, Withdrawn,
};
use serde::{Deserialize, Serialize};

/// Events of one chunk: large enough that columns pay, small enough to be unpacked in the cache.
pub(crate) const EVENTS_PER_CHUNK: usize = 8_192;

const TOUCH: i64 = 4;
const OTHER: i64 = 5;
const SELL: i64 = 1;
const BACKFILLED: i64 = 2;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventChunk {
    at: Column,
    instrument: Column,
    /// 0 to 3: a print, with its side and origin as bits; [`TOUCH`]; [`OTHER`].
    kind: Column,
    /// Id, price, quantity, exchange time.
    prints: [Column; 4],
    /// Update id, bid price and quantity, ask price and quantity.
    touches: [Column; 5],
    /// Books, judgements and gaps as they are.
    others: Vec<Other>,
}

/// What is neither print nor touch. A feed's state is taken apart: its own form is made for JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Other {
    Book(BookUpdate),
    Fresh(FeedGrade),
    Stale(FeedGrade, String),
    Resyncing(FeedGrade, String),
    Gap(Timestamp),
    Bar(ClosedBar),
    Withdrawn(Withdrawn),
}

impl Other {
    fn event(&self) -> MarketEvent {
        let feed = |grade: &FeedGrade, state| MarketEvent::Feed { state, grade: *grade };
        match self {
            Self::Book(book) => MarketEvent::Book(book.clone()),
            Self::Fresh(grade) => feed(grade, FeedState::Fresh),
            Self::Stale(grade, why) => feed(grade, FeedState::Stale(why.clone())),
            Self::Resyncing(grade, why) => feed(grade, FeedState::Resyncing(why.clone())),
            Self::Gap(from) => MarketEvent::Gap { from: *from },
            Self::Bar(bar) => MarketEvent::Bar(*bar),
            Self::Withdrawn(withdrawn) => MarketEvent::Withdrawn(*withdrawn),
        }
    }

    fn feed(state: &FeedState, grade: FeedGrade) -> Self {
        match state {
            FeedState::Fresh => Self::Fresh(grade),
            FeedState::Stale(why) => Self::Stale(grade, why.clone()),
            FeedState::Resyncing(why) => Self::Resyncing(grade, why.clone()),
        }
    }
}

impl EventChunk {
    pub(crate) fn pack(events: &[Recorded]) -> Self {
        let (mut at, mut instrument, mut kind) = (Vec::new(), Vec::new(), Vec::new());
        let mut prints: [Vec<i64>; 4] = Default::default();
        let mut touches: [Vec<i64>; 5] = Default::default();
        let mut others = Vec::new();
        for event in events {
            at.push(event.at.0);
            instrument.push(event.instrument as i64);
            kind.push(match &event.event {
                MarketEvent::Print(p) => {
                    put(&mut prints, [p.id as i64, p.price.0, p.quantity.0, p.at.0]);
                    let side = if p.taker_side == Side::Sell { SELL } else { 0 };
                    side | if p.backfilled { BACKFILLED } else { 0 }
                }
                MarketEvent::Touch(t) => {
                    let (bid, ask) = (t.bid, t.ask);
                    let sides = [bid.price.0, bid.quantity.0, ask.price.0, ask.quantity.0];
                    put(&mut touches, [t.update_id as i64, sides[0], sides[1], sides[2], sides[3]]);
                    TOUCH
                }
                MarketEvent::Book(book) => other(&mut others, Other::Book(book.clone())),
                MarketEvent::Feed { state, grade } => {
                    other(&mut others, Other::feed(state, *grade))
                }
                MarketEvent::Gap { from } => other(&mut others, Other::Gap(*from)),
                MarketEvent::Bar(bar) => other(&mut others, Other::Bar(*bar)),
                MarketEvent::Withdrawn(left) => other(&mut others, Other::Withdrawn(*left)),
            });
        }
        Self {
            at: Column::pack(&at),
            instrument: Column::pack(&instrument),
            kind: Column::pack(&kind),
            prints: prints.map(|v| Column::pack(&v)),
            touches: touches.map(|v| Column::pack(&v)),
            others,
        }
    }

    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let columns = [&self.at, &self.instrument, &self.kind];
        let columns = columns.into_iter().chain(&self.prints).chain(&self.touches);
        let others: usize = self.others.iter().map(other_bytes).sum();
        columns.map(Column::bytes).sum::<usize>() + others
    }

    pub(crate) const fn count(&self) -> usize {
        self.kind.count()
    }

    /// Earliest and latest receipt; `None` without an event, or where the column is none.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let mut at = Vec::new();
        let is_whole = self.at.unpack(&mut at);
        let (first, last) = (at.iter().min()?, at.iter().max()?);
        is_whole.then_some((Timestamp(*first), Timestamp(*last)))
    }
}

fn put<const N: usize>(columns: &mut [Vec<i64>; N], row: [i64; N]) {
    for (column, value) in columns.iter_mut().zip(row) {
        column.push(value);
    }
}

fn other(others: &mut Vec<Other>, what: Other) -> i64 {
    others.push(what);
    OTHER
}

fn other_bytes(event: &Other) -> usize {
    let levels = match event {
        Other::Book(book) => book.bids.capacity() + book.asks.capacity(),
        _ => 0,
    };
    size_of::<Other>() + levels * size_of::<Level>()
}

/// Walks a chunk; kept between chunks, so that its room is made once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    at: Vec<i64>,
    instrument: Vec<i64>,
    kind: Vec<i64>,
    prints: [Vec<i64>; 4],
    touches: [Vec<i64>; 5],
    next: usize,
    next_print: usize,
    next_touch: usize,
    next_other: usize,
}

impl Walk {
    /// Goes to the beginning of a chunk; `false` where its columns do not fit together.
    pub(crate) fn enter(&mut self, chunk: &EventChunk, instruments: usize) -> bool {
        let fits = fill(&mut self.at, &chunk.at)
            && fill(&mut self.instrument, &chunk.instrument)
            && fill(&mut self.kind, &chunk.kind)
            && self.prints.iter_mut().zip(&chunk.prints).all(|(v, c)| fill(v, c))
            && self.touches.iter_mut().zip(&chunk.touches).all(|(v, c)| fill(v, c));
        (self.next, self.next_print, self.next_touch, self.next_other) = (0, 0, 0, 0);
        let count = |wanted: fn(i64) -> bool| self.kind.iter().filter(|k| wanted(**k)).count();
        let known = 0..instruments as i64;
        let is_whole = fits
            && self.at.len() == self.kind.len()
            && self.instrument.len() == self.kind.len()
            && self.instrument.iter().all(|i| known.contains(i))
            && self.kind.iter().all(|k| (0..=OTHER).contains(k))
            && self.prints.iter().all(|p| p.len() == count(|k| k < TOUCH))
            && self.touches.iter().all(|t| t.len() == count(|k| k == TOUCH))
            && chunk.others.len() == count(|k| k == OTHER);
        if !is_whole {
            self.kind.clear();
        }
        is_whole
    }

    /// The next event of the chunk that was entered.
    pub(crate) fn next(&mut self, chunk: &EventChunk) -> Option<Recorded> {
        let kind = *self.kind.get(self.next)?;
        let at = Timestamp(self.at[self.next]);
        let instrument = self.instrument[self.next] as usize;
        self.next += 1;
        let event = match kind {
            TOUCH => MarketEvent::Touch(self.touch()),
            OTHER => {
                self.next_other += 1;
                chunk.others.get(self.next_other - 1)?.event()
            }
            print => MarketEvent::Print(self.print(print)),
        };
        Some(Recorded { at, instrument, event })
    }

    fn print(&mut self, kind: i64) -> Print {
        let row = self.next_print;
        self.next_print += 1;
        let [id, price, quantity, at] = [0, 1, 2, 3].map(|column| self.prints[column][row]);
        Print {
            id: id as u64,
            price: Price(price),
            quantity: Quantity(quantity),
            taker_side: if kind & SELL == 0 { Side::Buy } else { Side::Sell },
            at: Timestamp(at),
            backfilled: kind & BACKFILLED != 0,
        }
    }

    fn touch(&mut self) -> Touch {
        let row = self.next_touch;
        self.next_touch += 1;
        let value = |column: usize| self.touches[column][row];
        let level =
            |column| Level { price: Price(value(column)), quantity: Quantity(value(column + 1)) };
        Touch { update_id: value(0) as u64, bid: level(1), ask: level(3) }
    }
}

fn fill(values: &mut Vec<i64>, column: &Column) -> bool {
    values.clear();
    column.unpack(values)
}
