//! Replaying a tape by the clock: its ids and times are shifted so that they fit the present
//! and never go back, also when it begins anew.

use crate::model::market::{Market, Print};
use crate::tape::{Record, Rows, Tape, Word};
use domain::Side;
use std::collections::BTreeMap;

/// Pause between the end of a tape and its new beginning.
const PAUSE: i64 = 100_000_000;

/// What a record becomes; times in nanoseconds of the sandbox's clock.
pub(crate) enum Played {
    /// A depth event, to be sent as it is.
    Depth { at: i64, first: u64, last: u64, bids: Rows, asks: Rows },
    /// A quote.
    Quote { update: u64, bid: (i64, i64), ask: (i64, i64) },
    /// A print, already on the board.
    Print(Print),
}

/// A position on a tape.
pub(crate) struct Player {
    tape: Tape,
    /// Index of the taped market.
    pub(crate) market: usize,
    looped: bool,
    next: usize,
    /// Clock time of the tape's first record in this round.
    began: i64,
    /// The exchange's clock minus the recorder's, at its largest: no event is from the future.
    skew: i64,
    round: u64,
    ids: Ids,
}

/// First and last ids of a tape, so that rounds can follow each other.
#[derive(Clone, Copy, Default)]
struct Ids {
    updates: u64,
    trades: i64,
    last_update: u64,
}

impl Player {
    /// Begins a tape now; the market shows the tape's snapshot.
    pub(crate) fn new(tape: Tape, market: usize, looped: bool, now: i64) -> Self {
        let event = |r: &Record| match r.word {
            Word::Depth { event_ms, .. } => Some(event_ms * 1_000_000 - r.local),
            Word::Trade { traded_ms, .. } => Some(traded_ms * 1_000_000 - r.local),
            Word::Snapshot { .. } | Word::Quote { .. } => None,
        };
        let skew = tape.records.iter().filter_map(event).max().unwrap_or_default();
        let ids = ids(&tape.records);
        Self { tape, market, looped, next: 0, began: now, skew, round: 0, ids }
    }

    /// Shows the snapshot's book in the market.
    pub(crate) fn open(&self, market: &mut Market) {
        let Some((id, bids, asks)) = self.snapshot() else { return };
        market.show(Side::Buy, bids);
        market.show(Side::Sell, asks);
        market.board.seq = id;
    }

    fn snapshot(&self) -> Option<(u64, &Rows, &Rows)> {
        self.tape.records.iter().find_map(|r| match &r.word {
            Word::Snapshot { id, bids, asks } => Some((*id, bids, asks)),
            _ => None,
        })
    }

    /// Everything until a time.
    pub(crate) fn advance(
        &mut self,
        to: i64,
        market: &mut Market,
        sink: &mut impl FnMut(&Market, Played),
    ) {
        loop {
            let Some(first) = self.tape.records.first().map(|r| r.local) else { return };
            let Some(record) = self.tape.records.get(self.next) else {
                if !self.looped || !self.again(to, market, sink) {
                    return;
                }
                continue;
            };
            if self.began + (record.local - first) > to {
                return;
            }
            let record = record.clone();
            self.next += 1;
            self.play(record, first, market, sink);
        }
    }

    fn play(
        &self,
        record: Record,
        first_local: i64,
        market: &mut Market,
        sink: &mut impl FnMut(&Market, Played),
    ) {
        let shift = self.round * (self.ids.updates + 1);
        let time = |ms: i64| ms * 1_000_000 - self.skew - first_local + self.began;
        let played = match record.word {
            Word::Snapshot { .. } => return,
            Word::Depth { event_ms, first, last, bids, asks } => {
                let (at, first, last) = (time(event_ms), first + shift, last + shift);
                // Events before the snapshot are in it already.
                if last > market.board.seq {
                    market.show(Side::Buy, &bids);
                    market.show(Side::Sell, &asks);
                    market.board.seq = last;
                    market.board.changed_at = at;
                }
                Played::Depth { at, first, last, bids, asks }
            }
            Word::Quote { update, bid, ask } => Played::Quote { update: update + shift, bid, ask },
            Word::Trade { id, traded_ms, price, quantity, taker } => {
                let id = id + self.round as i64 * self.ids.trades;
                let print = print(market, (id, time(traded_ms)), price, quantity, taker);
                market.board.push(print);
                Played::Print(print)
            }
        };
        sink(market, played);
    }

    /// Begins a new round with one event that turns the last book into the first one: clients
    /// that follow the stream see no gap and no lie. False while the pause lasts.
    fn again(
        &mut self,
        to: i64,
        market: &mut Market,
        sink: &mut impl FnMut(&Market, Played),
    ) -> bool {
        let (Some(first), Some(last)) = (self.tape.records.first(), self.tape.records.last())
        else {
            return false;
        };
        let at = self.began + (last.local - first.local) + PAUSE;
        if at > to {
            return false;
        }
        let bridge = self.ids.last_update + self.round * (self.ids.updates + 1) + 1;
        let change = |side, rows: &Rows| difference(market, side, rows);
        let Some((_, bids, asks)) = self.snapshot() else { return false };
        let (bids, asks) = (change(Side::Buy, bids), change(Side::Sell, asks));
        market.show(Side::Buy, &bids);
        market.show(Side::Sell, &asks);
        market.board.seq = bridge;
        self.round += 1;
        (self.next, self.began) = (0, at);
        sink(market, Played::Depth { at, first: bridge, last: bridge, bids, asks });
        true
    }
}

fn ids(records: &[Record]) -> Ids {
    let updates = records.iter().filter_map(|r| match r.word {
        Word::Depth { first, last, .. } => Some((first, last)),
        _ => None,
    });
    let (mut first, mut last) = (u64::MAX, 0);
    for (from, to) in updates {
        (first, last) = (first.min(from), last.max(to));
    }
    let trades = records.iter().filter_map(|r| match r.word {
        Word::Trade { id, .. } => Some(id),
        _ => None,
    });
    let (low, high) = trades.fold((i64::MAX, 0), |(a, b), id| (a.min(id), b.max(id)));
    Ids {
        updates: (last + 1).saturating_sub(first),
        trades: (high + 1).saturating_sub(low).max(0),
        last_update: last,
    }
}

fn print(market: &Market, (id, at): (i64, i64), price: i64, quantity: i64, taker: Side) -> Print {
    let last = market.board.prints.back();
    let same = last.filter(|p| p.at == at && p.price == price && p.taker == taker);
    let aggregate = same.map_or(market.board.next_aggregate, |p| p.aggregate);
    Print { id, at, price, quantity, taker, maker_order: 0, taker_order: 0, aggregate }
}

/// Absolute sizes that turn what a market shows into these rows.
fn difference(market: &Market, side: Side, rows: &Rows) -> Rows {
    let mut out: BTreeMap<i64, i64> = market.book.levels(side).map(|(p, _)| (p, 0)).collect();
    out.extend(rows.iter().copied());
    out.into_iter().collect()
}
