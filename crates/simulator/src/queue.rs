//! The maker's side: our resting orders at the prices of one side, with the queue ahead of each.

use domain::{OrderId, Price, Quantity, Side, Span, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// The queue at a price that the book does not show: longer than any, until it is seen.
pub(crate) const UNKNOWN: Quantity = Quantity(i64::MAX / 4);

/// Shrinkings of a level that are remembered each with its time: prints lag behind quotes by a few
/// updates at most.
const FORESEEN_MAX: usize = 4;

/// What was taken off a queue because its level shrank, and until when the prints of it may still
/// come: the quote is often told before the print that moved it, and must not count twice. Each
/// shrinking has a time of its own, else one that was a cancel would go on to hide prints for as
/// long as the level shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Foreseen([(Quantity, Timestamp); FORESEEN_MAX]);

impl Foreseen {
    fn add(&mut self, shrunk: Quantity, until: Timestamp) {
        if !shrunk.is_positive() {
            return;
        }
        let last = FORESEEN_MAX - 1;
        match self.0.iter().position(|(quantity, at)| !quantity.is_positive() || *at == until) {
            Some(i) => self.0[i] = (self.0[i].0 + shrunk, until),
            // No room: the two newest become one, which hides no less.
            None => self.0[last] = (self.0[last].0 + shrunk, until),
        }
    }

    /// What of a print at an exchange time was not foreseen. Prints come in order, so what was to
    /// come before it will not come any more.
    fn rest_of(&mut self, quantity: Quantity, at: Timestamp) -> Quantity {
        let mut rest = quantity;
        for (foreseen, until) in &mut self.0 {
            if *until < at {
                *foreseen = Quantity::ZERO;
            }
            let told = rest.min(*foreseen);
            *foreseen -= told;
            rest -= told;
        }
        // The oldest stays first.
        self.0.sort_by_key(|(foreseen, until)| (!foreseen.is_positive(), *until));
        rest
    }
}

/// An order of ours that rests, with both counts of the queue before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Open quantity.
    pub remaining: Quantity,
    /// Market quantity ahead of it, as shown; `None`: nobody knows how long the queue is.
    pub ahead: Option<Quantity>,
    /// The same, where every cancel is taken to be ahead of us.
    pub ahead_optimistic: Quantity,
    /// What the optimistic count has filled by now.
    pub filled_optimistic: Quantity,
}

/// An order of ours that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resting {
    pub(crate) id: OrderId,
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
    pub(crate) remaining: Quantity,
    /// Market quantity ahead of it, our own orders apart: the number we show. Only prints and a
    /// level that shows less shorten it.
    pub(crate) ahead: Quantity,
    pub(crate) ahead_at_join: Quantity,
    /// The optimistic count: cancels are taken to be ahead of us.
    pub(crate) ahead_optimistic: Quantity,
    pub(crate) filled_optimistic: Quantity,
    /// What the level showed last, and what was printed and withdrawn there since.
    displayed: Quantity,
    printed: Quantity,
    foreseen: Foreseen,
    pub(crate) joined_at: Timestamp,
    /// The book's update id when it joined: who joined with a later one is behind it.
    #[serde(default)]
    joined_id: u64,
    pub(crate) round_trip: Span,
}

impl Resting {
    pub(crate) fn new(
        id: OrderId,
        price: Price,
        quantity: (Quantity, Quantity),
        ahead: Quantity,
        (joined_at, joined_id): (Timestamp, u64),
        round_trip: Span,
    ) -> Self {
        Self {
            id,
            price,
            quantity: quantity.0,
            remaining: quantity.1,
            ahead,
            ahead_at_join: ahead,
            ahead_optimistic: if ahead == UNKNOWN { Quantity::ZERO } else { ahead },
            filled_optimistic: quantity.0 - quantity.1,
            displayed: ahead,
            printed: Quantity::ZERO,
            foreseen: Foreseen::default(),
            joined_at,
            joined_id,
            round_trip,
        }
    }

    /// The level shows this much now; prints up to `until` may be in that already.
    fn see(&mut self, displayed: Quantity, until: Timestamp) {
        if self.ahead != UNKNOWN {
            self.foreseen.add(self.ahead - displayed, until);
        }
        let gone = self.displayed.0 - displayed.0;
        let cancelled = (gone - self.printed.0).max(0);
        self.ahead_optimistic =
            Quantity((self.ahead_optimistic.0 - cancelled).clamp(0, displayed.0));
        self.ahead = self.ahead.min(displayed);
        (self.displayed, self.printed) = (displayed, Quantity::ZERO);
    }

    /// An order left untraded that had joined with this update id.
    fn withdraw(&mut self, quantity: Quantity, joined_id: u64) {
        // Whoever it was, the level shrinks by it, and nobody has to guess why.
        self.printed += quantity;
        if joined_id > self.joined_id || self.ahead == UNKNOWN {
            return;
        }
        self.ahead = Quantity((self.ahead.0 - quantity.0).max(0));
        self.ahead_optimistic = Quantity((self.ahead_optimistic.0 - quantity.0).max(0));
    }

    /// The book was told anew, order by order: who left meanwhile was perhaps all ahead of us.
    fn lose_sight(&mut self, update_id: u64) {
        self.ahead_optimistic = Quantity::ZERO;
        if update_id < self.joined_id {
            // The exchange counts anew: nobody that it tells of is known to be ahead.
            self.joined_id = 0;
        }
    }

    /// A quote crossed it: no count of any queue says otherwise.
    pub(crate) fn cross(&mut self, filled: Quantity) {
        self.remaining -= filled;
        self.filled_optimistic = (self.filled_optimistic + filled).min(self.quantity);
    }

    fn print_optimistic(&mut self, quantity: Quantity) {
        let eaten = quantity.min(self.ahead_optimistic);
        self.ahead_optimistic -= eaten;
        self.printed += quantity;
        self.filled_optimistic = (self.filled_optimistic + quantity - eaten).min(self.quantity);
    }
}

/// Our resting orders of one side, by price and time. How many there are is counted as they come and
/// go: each order of the account asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Queues {
    #[serde(serialize_with = "as_list")]
    levels: BTreeMap<Price, Level>,
    #[serde(skip)]
    count: u32,
}

/// Mostly one order a price: most bots rest alone, and a vector would make room for four.
type Level = smallvec::SmallVec<[Resting; 1]>;

/// What is stored of them: the rest follows.
#[derive(Deserialize)]
#[serde(rename = "Queues")]
struct Stored {
    levels: Vec<Resting>,
}

impl From<Stored> for Queues {
    fn from(stored: Stored) -> Self {
        let mut queues = Self::default();
        stored.levels.into_iter().for_each(|order| queues.push(order));
        queues
    }
}

fn as_list<S: Serializer>(levels: &BTreeMap<Price, Level>, s: S) -> Result<S::Ok, S::Error> {
    levels.values().flatten().collect::<Vec<_>>().serialize(s)
}

impl Queues {
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn push(&mut self, order: Resting) {
        self.count += 1;
        self.levels.entry(order.price).or_default().push(order);
    }

    pub(crate) fn remove(&mut self, id: OrderId, price: Price) -> Option<Resting> {
        let level = self.levels.get_mut(&price)?;
        let at = level.iter().position(|o| o.id == id)?;
        let order = level.remove(at);
        self.count -= 1;
        if level.is_empty() {
            self.levels.remove(&price);
        }
        Some(order)
    }

    pub(crate) fn find(&self, id: OrderId) -> Option<&Resting> {
        self.levels.values().flatten().find(|o| o.id == id)
    }

    /// The best price: highest of bids, lowest of asks.
    pub(crate) fn best(&self, side: Side) -> Option<Price> {
        match side {
            Side::Buy => self.levels.last_key_value(),
            Side::Sell => self.levels.first_key_value(),
        }
        .map(|(price, _)| *price)
    }

    /// The levels that a taker at `price` reaches, best first.
    pub(crate) fn reached(&self, side: Side, price: Price) -> smallvec::SmallVec<[Price; 4]> {
        match side {
            Side::Buy => self.levels.range(price..).rev().map(|(p, _)| *p).collect(),
            Side::Sell => self.levels.range(..=price).map(|(p, _)| *p).collect(),
        }
    }

    pub(crate) fn at(&mut self, price: Price) -> &mut [Resting] {
        self.levels.get_mut(&price).map_or(&mut [], |level| level.as_mut_slice())
    }

    /// Drops what is filled.
    pub(crate) fn sweep(&mut self, price: Price) {
        if let Some(level) = self.levels.get_mut(&price) {
            let before = level.len();
            level.retain(|o| o.remaining.is_positive());
            self.count -= (before - level.len()) as u32;
            if level.is_empty() {
                self.levels.remove(&price);
            }
        }
    }

    /// A level shows this much now.
    pub(crate) fn see(&mut self, price: Price, displayed: Quantity, until: Timestamp) {
        if let Some(level) = self.levels.get_mut(&price) {
            level.iter_mut().for_each(|o| o.see(displayed, until));
        }
    }

    /// An order left a level untraded.
    pub(crate) fn withdraw(&mut self, price: Price, quantity: Quantity, joined_id: u64) {
        self.at(price).iter_mut().for_each(|o| o.withdraw(quantity, joined_id));
    }

    /// The whole book was told anew, order by order.
    pub(crate) fn lose_sight(&mut self, update_id: u64) {
        self.levels.values_mut().flatten().for_each(|o| o.lose_sight(update_id));
    }

    /// All prices at which we rest.
    pub(crate) fn prices(&self) -> Vec<Price> {
        self.levels.keys().copied().collect()
    }

    /// A print at a level or through it: the queue first, then us, by time. Returns what is left
    /// and what was filled of whom.
    pub(crate) fn print(
        &mut self,
        price: Price,
        print: Reach,
        counts: impl Fn(&Resting) -> bool,
    ) -> (Quantity, smallvec::SmallVec<[(Resting, Quantity); 2]>) {
        let mut rest = print.quantity;
        let mut eaten_before = Quantity::ZERO;
        let mut fills = smallvec::SmallVec::new();
        for order in self.at(price).iter_mut().filter(|o| counts(o)) {
            order.print_optimistic(print.quantity);
            if order.ahead == UNKNOWN {
                // Through the price: whatever was there is gone. At the price: nobody knows.
                if !print.is_through {
                    return (Quantity::ZERO, fills);
                }
                order.ahead = Quantity::ZERO;
            }
            // What is traded through the price says that nobody is left at it; only prints at the
            // price itself may be what the level's shrinking told before.
            if !print.is_through {
                rest = rest.min(order.foreseen.rest_of(print.quantity, print.at));
            }
            // What earlier orders of ours did not have ahead of them, but this one has.
            let ahead = Quantity((order.ahead.0 - eaten_before.0).max(0));
            let eaten = rest.min(ahead);
            rest -= eaten;
            eaten_before += eaten;
            order.ahead = Quantity((order.ahead.0 - eaten_before.0).max(0));
            let filled = rest.min(order.remaining);
            if filled.is_positive() {
                rest -= filled;
                order.remaining -= filled;
                fills.push((*order, filled));
            }
        }
        self.sweep(price);
        (rest, fills)
    }
}

/// What of a print reaches a level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) quantity: Quantity,
    /// Exchange time.
    pub(crate) at: Timestamp,
    /// It was at a worse price than the level's.
    pub(crate) is_through: bool,
}
