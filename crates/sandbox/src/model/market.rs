//! One market: its book, its prints and bars, and the flow that feeds it.

use super::bars::{Bar, Bars};
use super::book::{Book, NewOrder, Outcome, Resting};
use super::catalogue::Spec;
use super::flow::{Arrivals, Command};
use domain::Side;
use std::collections::VecDeque;

/// Prints kept for the REST answers: a busy market's last minutes.
const PRINTS_MAX: usize = 20_000;

/// One execution as the public sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Print {
    /// Dense: each is one more than the one before.
    pub id: i64,
    /// Nanoseconds since the epoch.
    pub at: i64,
    /// Ticks.
    pub price: i64,
    /// Lots.
    pub quantity: i64,
    /// Who took.
    pub taker: Side,
    /// The resting order.
    pub maker_order: u64,
    /// The incoming order.
    pub taker_order: u64,
    /// Prints of one taker at one price share this; dense.
    pub aggregate: i64,
}

impl Print {
    /// The print as a bar of one.
    pub const fn bar(&self) -> Bar {
        let turnover = self.price as i128 * self.quantity as i128;
        let bought = matches!(self.taker, Side::Buy);
        Bar {
            start: self.at,
            open: self.price,
            high: self.price,
            low: self.price,
            close: self.price,
            volume: self.quantity,
            turnover,
            trades: 1,
            bought: if bought { self.quantity } else { 0 },
            bought_turnover: if bought { turnover } else { 0 },
            first: self.id,
            last: self.id,
        }
    }
}

/// An order that joined or left the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placed {
    /// Its id.
    pub id: u64,
    /// Its side.
    pub side: Side,
    /// Ticks.
    pub price: i64,
    /// Lots that joined, or that were still open when it left.
    pub quantity: i64,
}

/// Everything one command did to the public state: applied whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    /// Nanoseconds since the epoch.
    pub at: i64,
    /// Sequence number of the market; consecutive.
    pub seq: u64,
    /// Executions, in order.
    pub prints: Vec<Print>,
    /// The order, or its rest, that joined the book.
    pub created: Option<Placed>,
    /// The order that was cancelled.
    pub deleted: Option<Placed>,
}

impl Change {
    /// Price levels whose size may have changed.
    pub fn touched(&self) -> impl Iterator<Item = (Side, i64)> + '_ {
        let makers = self.prints.iter().map(|p| (p.taker.opposite(), p.price));
        makers.chain(self.created.iter().chain(&self.deleted).map(|o| (o.side, o.price)))
    }
}

/// What the public may know besides the book: prints, bars, counters.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// Sequence number of the last change.
    pub seq: u64,
    /// Time of the last change.
    pub changed_at: i64,
    /// Id of the first print, of before it opened.
    pub first_print: i64,
    /// Id the next print gets.
    pub next_print: i64,
    /// Aggregate id the next aggressive order gets.
    pub next_aggregate: i64,
    /// The last prints, oldest first.
    pub prints: VecDeque<Print>,
    /// Its bars.
    pub bars: Bars,
}

impl Board {
    /// Adds a print.
    pub fn push(&mut self, print: Print) {
        self.bars.add(&print.bar());
        self.next_print = print.id + 1;
        self.next_aggregate = print.aggregate + 1;
        if self.prints.len() == PRINTS_MAX {
            self.prints.pop_front();
        }
        self.prints.push_back(print);
    }
}

/// A market with its own matching engine.
#[derive(Clone, Debug)]
pub struct Market {
    /// What trades here.
    pub spec: Spec,
    /// The book that the public sees, our own orders included.
    pub book: Book,
    /// Prints, bars, counters.
    pub board: Board,
    /// The book without our orders, once there was one: what the flow looks at, so that its
    /// draws, ids and prices stay what they would have been without us.
    shadow: Option<Book>,
    /// A recording drives it, not the flow.
    taped: bool,
    /// Id of the last order that shows a level of a recording.
    shown: u64,
    arrivals: Arrivals,
    next_at: i64,
}

impl Market {
    /// A market with an empty book.
    pub fn new(spec: Spec, arrivals: Arrivals, board: Board, at: i64) -> Self {
        Self {
            spec,
            book: Book::default(),
            board,
            shadow: None,
            taped: false,
            shown: 0,
            arrivals,
            next_at: at,
        }
    }

    /// Fills the book around the fair price, without telling anybody.
    pub fn open(&mut self, fair: f64) {
        let centre = fair.round() as i64;
        for side in [Side::Buy, Side::Sell] {
            let from = if side == Side::Buy { centre } else { centre + 1 };
            for _ in 0..self.spec.flow.resting {
                let command = self.arrivals.behind(side, from, fair);
                if let Command::Submit(order) = command {
                    self.book.submit(order);
                }
            }
        }
    }

    /// Hands the market over to a recording: the flow stops, the book is empty.
    pub fn hand_over(&mut self) {
        self.taped = true;
        self.book = Book::default();
        self.board.prints.clear();
    }

    /// Sets levels to absolute sizes, as a recording says.
    pub fn show(&mut self, side: Side, rows: &[(i64, i64)]) {
        for (price, quantity) in rows {
            self.shown += 1;
            self.book.show(side, *price, *quantity, self.shown);
        }
    }

    /// Whether a recording drives it.
    pub const fn is_taped(&self) -> bool {
        self.taped
    }

    /// Lets the flow act until a time (exclusive).
    pub fn advance(
        &mut self,
        to: i64,
        fair: f64,
        activity: f64,
        sink: &mut impl FnMut(&Self, &Change),
    ) {
        while self.next_at < to && !self.taped {
            let at = self.next_at;
            let commands = self.arrivals.decide(self.shadow.as_ref().unwrap_or(&self.book), fair);
            for command in commands {
                if let Some(change) = self.exogenous(at, command) {
                    sink(self, &change);
                }
            }
            self.next_at = at + ((self.arrivals.wait(activity) * 1e9) as i64).max(1);
        }
    }

    /// An order of the private side. From the first one on the flow sees a book of its own.
    pub fn submit(&mut self, at: i64, order: NewOrder) -> (Outcome, Option<Change>) {
        self.shadow.get_or_insert_with(|| self.book.clone());
        self.place(at, order)
    }

    /// A cancel of the private side.
    pub fn cancel(&mut self, at: i64, id: u64) -> Option<(Resting, Change)> {
        self.withdraw(at, id)
    }

    /// A cancel of the private side that crosses a fill: this much was executed before it, at the
    /// order's own price, against nobody who rests.
    pub fn cancel_late(&mut self, at: i64, id: u64, quantity: i64) -> Option<(Resting, Change)> {
        let (side, price, order) = self.book.cancel(id)?;
        let quantity = quantity.min(order.remaining);
        let print = Print {
            id: self.board.next_print,
            at,
            price,
            quantity,
            taker: side.opposite(),
            maker_order: id,
            taker_order: 0,
            aggregate: self.board.next_aggregate,
        };
        self.board.push(print);
        let left = order.remaining - quantity;
        let deleted = Some(Placed { id, side, price, quantity: left }).filter(|_| left > 0);
        let change = self.stamp(Change { at, prints: vec![print], deleted, ..Change::default() });
        Some((order, change))
    }

    fn exogenous(&mut self, at: i64, command: Command) -> Option<Change> {
        match command {
            Command::Submit(order) => {
                if let Some(shadow) = &mut self.shadow {
                    shadow.submit(order.clone());
                }
                self.place(at, order).1
            }
            Command::Cancel(id) => {
                if let Some(shadow) = &mut self.shadow {
                    shadow.cancel(id);
                }
                self.withdraw(at, id).map(|(_, change)| change)
            }
        }
    }

    fn place(&mut self, at: i64, order: NewOrder) -> (Outcome, Option<Change>) {
        let (id, side, price) = (order.id, order.side, order.price);
        let outcome = self.book.submit(order);
        if outcome.matches.is_empty() && outcome.rested == 0 {
            return (outcome, None);
        }
        let prints = self.print(at, id, side, &outcome);
        let created = price.filter(|_| outcome.rested > 0).map(|price| Placed {
            id,
            side,
            price,
            quantity: outcome.rested,
        });
        let change = self.stamp(Change { at, prints, created, ..Change::default() });
        (outcome, Some(change))
    }

    fn withdraw(&mut self, at: i64, id: u64) -> Option<(Resting, Change)> {
        let (side, price, order) = self.book.cancel(id)?;
        let deleted = Some(Placed { id, side, price, quantity: order.remaining });
        let change = self.stamp(Change { at, deleted, ..Change::default() });
        Some((order, change))
    }

    fn print(&mut self, at: i64, taker_order: u64, taker: Side, outcome: &Outcome) -> Vec<Print> {
        let mut prints: Vec<Print> = Vec::with_capacity(outcome.matches.len());
        for hit in &outcome.matches {
            let same = prints.last().filter(|p| p.price == hit.price).map(|p| p.aggregate);
            let print = Print {
                id: self.board.next_print,
                at,
                price: hit.price,
                quantity: hit.quantity,
                taker,
                maker_order: hit.maker,
                taker_order,
                aggregate: same.unwrap_or(self.board.next_aggregate),
            };
            self.board.push(print);
            prints.push(print);
        }
        prints
    }

    fn stamp(&mut self, change: Change) -> Change {
        self.board.seq += 1;
        self.board.changed_at = change.at;
        Change { seq: self.board.seq, ..change }
    }
}
