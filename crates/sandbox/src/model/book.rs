//! The order book of one market: every order kept, matched by price, then by time.
//!
//! Prices are whole ticks and quantities whole lots, so nothing here rounds. Exogenous flow and
//! (later) our own accounts use the same entry; an order knows its owner and client id for that.

use domain::Side;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// Who sent an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The seeded order flow.
    Exogenous,
    /// An account of the private side.
    Account(u32),
}

/// How long an order may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Good till cancelled: the rest joins the book.
    Gtc,
    /// The rest expires at once.
    Ioc,
    /// All or nothing, checked before anything trades.
    Fok,
    /// Refused when it would trade.
    PostOnly,
}

/// An order as it reaches the matching engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Unique within the market.
    pub id: u64,
    /// Who sent it.
    pub owner: Owner,
    /// The sender's own name for it.
    pub client_id: Option<String>,
    /// Buy or sell.
    pub side: Side,
    /// Limit in ticks; `None` is a market order.
    pub price: Option<i64>,
    /// Lots.
    pub quantity: i64,
    /// What happens to the part that does not trade.
    pub standing: Standing,
}

impl NewOrder {
    /// A limit order of the exogenous flow.
    pub const fn limit(id: u64, side: Side, price: i64, quantity: i64) -> Self {
        let (owner, standing) = (Owner::Exogenous, Standing::Gtc);
        Self { id, owner, client_id: None, side, price: Some(price), quantity, standing }
    }

    /// A market order of the exogenous flow.
    pub const fn market(id: u64, side: Side, quantity: i64) -> Self {
        let (owner, standing) = (Owner::Exogenous, Standing::Ioc);
        Self { id, owner, client_id: None, side, price: None, quantity, standing }
    }
}

/// An order that rests in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Its id.
    pub id: u64,
    /// Who sent it.
    pub owner: Owner,
    /// The sender's own name for it.
    pub client_id: Option<String>,
    /// Lots still open.
    pub remaining: i64,
}

/// One execution between a resting order and an incoming one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The resting order.
    pub maker: u64,
    /// Its owner.
    pub maker_owner: Owner,
    /// Ticks: always the maker's price.
    pub price: i64,
    /// Lots.
    pub quantity: i64,
    /// What is left of the maker; 0 means it is gone.
    pub maker_left: i64,
}

/// What became of an incoming order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Executions, best price first, oldest first within a price.
    pub matches: Vec<Match>,
    /// Lots that joined the book.
    pub rested: i64,
    /// Lots that expired (market rest, IOC, FOK, refused post-only).
    pub expired: i64,
}

/// All orders at one price, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Level {
    orders: VecDeque<Resting>,
    total: i64,
}

impl Level {
    /// Lots at this price.
    pub const fn total(&self) -> i64 {
        self.total
    }

    /// Orders, oldest first.
    pub fn orders(&self) -> impl Iterator<Item = &Resting> {
        self.orders.iter()
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    side: Side,
    price: i64,
    /// Position in `Ladder::ids`.
    at: usize,
}

#[derive(Clone, Debug, Default)]
struct Ladder {
    levels: BTreeMap<i64, Level>,
    /// Every id of the side, unordered, so that the flow can pick one at random in O(1).
    ids: Vec<u64>,
}

/// An order-by-order book with price-time priority.
#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
    index: FxHashMap<u64, Slot>,
}

impl Book {
    /// Matches an order and rests what may rest.
    pub fn submit(&mut self, order: NewOrder) -> Outcome {
        let crosses = self.crosses(order.side, order.price);
        let refused = match order.standing {
            Standing::PostOnly => crosses,
            Standing::Fok => self.available(order.side, order.price) < order.quantity,
            Standing::Gtc | Standing::Ioc => false,
        };
        if refused || order.quantity <= 0 || self.index.contains_key(&order.id) {
            return Outcome { expired: order.quantity.max(0), ..Outcome::default() };
        }
        let mut left = order.quantity;
        let mut matches = Vec::new();
        while left > 0 && self.crosses(order.side, order.price) {
            let Some(hit) = self.take_front(order.side.opposite(), left) else { break };
            left -= hit.quantity;
            matches.push(hit);
        }
        let rests = order
            .price
            .filter(|_| left > 0 && matches!(order.standing, Standing::Gtc | Standing::PostOnly));
        match rests {
            Some(price) => {
                self.rest(order, price, left);
                Outcome { matches, rested: left, expired: 0 }
            }
            None => Outcome { matches, rested: 0, expired: left },
        }
    }

    /// Takes an order out of the book; `None` when it is not there (filled, cancelled, unknown).
    pub fn cancel(&mut self, id: u64) -> Option<(Side, i64, Resting)> {
        let slot = *self.index.get(&id)?;
        let level = self.ladder_mut(slot.side).levels.get_mut(&slot.price)?;
        let at = level.orders.iter().position(|o| o.id == id)?;
        let order = level.orders.remove(at)?;
        level.total -= order.remaining;
        self.forget(id);
        Some((slot.side, slot.price, order))
    }

    /// Makes a level exactly one order of this size, without matching: how a recording, which
    /// knows no orders, is shown. 0 removes the level.
    pub fn show(&mut self, side: Side, price: i64, quantity: i64, id: u64) {
        let old: Vec<u64> = self
            .level(side, price)
            .map(|level| level.orders.iter().map(|o| o.id).collect())
            .unwrap_or_default();
        for id in old {
            self.cancel(id);
        }
        if quantity > 0 {
            self.rest(NewOrder::limit(id, side, price, quantity), price, quantity);
        }
    }

    /// Best price of a side, in ticks.
    pub fn best(&self, side: Side) -> Option<i64> {
        let levels = &self.ladder(side).levels;
        match side {
            Side::Buy => levels.last_key_value().map(|(p, _)| *p),
            Side::Sell => levels.first_key_value().map(|(p, _)| *p),
        }
    }

    /// Lots at a price.
    pub fn at(&self, side: Side, price: i64) -> i64 {
        self.level(side, price).map_or(0, Level::total)
    }

    /// The orders at a price.
    pub fn level(&self, side: Side, price: i64) -> Option<&Level> {
        self.ladder(side).levels.get(&price)
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = (i64, &Level)> + '_> {
        let levels = self.ladder(side).levels.iter().map(|(p, l)| (*p, l));
        match side {
            Side::Buy => Box::new(levels.rev()),
            Side::Sell => Box::new(levels),
        }
    }

    /// How many orders rest on a side.
    pub fn count(&self, side: Side) -> usize {
        self.ladder(side).ids.len()
    }

    /// An order of the side by position in an unordered list: what the flow draws from.
    pub fn nth(&self, side: Side, n: usize) -> Option<u64> {
        self.ladder(side).ids.get(n).copied()
    }

    /// Whether the order rests in the book.
    pub fn contains(&self, id: u64) -> bool {
        self.index.contains_key(&id)
    }

    fn crosses(&self, side: Side, price: Option<i64>) -> bool {
        let Some(best) = self.best(side.opposite()) else { return false };
        price.is_none_or(|limit| match side {
            Side::Buy => best <= limit,
            Side::Sell => best >= limit,
        })
    }

    fn available(&self, side: Side, price: Option<i64>) -> i64 {
        let inside = |p: i64| {
            price.is_none_or(|limit| match side {
                Side::Buy => p <= limit,
                Side::Sell => p >= limit,
            })
        };
        self.levels(side.opposite()).take_while(|(p, _)| inside(*p)).map(|(_, l)| l.total).sum()
    }

    fn take_front(&mut self, side: Side, most: i64) -> Option<Match> {
        let price = self.best(side)?;
        let level = self.ladder_mut(side).levels.get_mut(&price)?;
        let maker = level.orders.front_mut()?;
        let quantity = most.min(maker.remaining);
        maker.remaining -= quantity;
        level.total -= quantity;
        let (id, owner, left) = (maker.id, maker.owner, maker.remaining);
        if left == 0 {
            level.orders.pop_front();
            self.forget(id);
        }
        Some(Match { maker: id, maker_owner: owner, price, quantity, maker_left: left })
    }

    fn rest(&mut self, order: NewOrder, price: i64, left: i64) {
        let NewOrder { id, owner, client_id, side, .. } = order;
        let ladder = self.ladder_mut(side);
        let level = ladder.levels.entry(price).or_default();
        level.orders.push_back(Resting { id, owner, client_id, remaining: left });
        level.total += left;
        ladder.ids.push(id);
        let at = ladder.ids.len() - 1;
        self.index.insert(id, Slot { side, price, at });
    }

    /// Drops an order's traces, and its level when that is empty.
    fn forget(&mut self, id: u64) {
        let Some(slot) = self.index.remove(&id) else { return };
        let ladder = self.ladder_mut(slot.side);
        if ladder.levels.get(&slot.price).is_some_and(|l| l.orders.is_empty()) {
            ladder.levels.remove(&slot.price);
        }
        ladder.ids.swap_remove(slot.at);
        if let Some(moved) = ladder.ids.get(slot.at).copied()
            && let Some(other) = self.index.get_mut(&moved)
        {
            other.at = slot.at;
        }
    }

    const fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}
