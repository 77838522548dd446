//! Bitstamp's order-by-order log: `<local_ms> <event> {json}` a line.
//!
//! Orders that were alive before the log began are seen only as a sum, in the aggregate books that
//! it also has; they go when a book does not show them any more. A taker is logged like any other
//! new order: it is no part of the book while it crosses it.

use super::lines::Lines;
use super::recorder::Recorder;
use crate::TapeError;
use domain::{
    BookUpdate, DataGrade, Exchange, Level, Price, Print, Quantity, Side, Span, Timestamp,
    Withdrawn, parse_scaled,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// Until orders from before the log have gone, the book is not whole.
const WARM_UP: Span = Span::from_secs(1_800);
/// A trade is told milliseconds after the orders that it changed; more than this are old.
const REDUCTIONS_MAX: usize = 64;
/// Decimals of its texts.
const SCALE: u8 = 8;
/// The exchange that numbers orders one by one as Bitstamp does, for its profile.
const EXCHANGE: Exchange = Exchange::Luno;

#[derive(Deserialize)]
struct WireOrder<'a> {
    price: &'a str,
    amount: &'a str,
    id: u64,
    order_type: u8,
}

#[derive(Deserialize)]
struct WireTrade<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    amount: &'a RawValue,
    id: u64,
}

#[derive(Deserialize)]
struct WireBook<'a> {
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    side: Side,
    price: i64,
    quantity: i64,
    created_at: Timestamp,
    /// The update with which it joined the book.
    joined_id: u64,
    /// It crosses the book: it is on its way through, nobody sees it rest.
    is_taking: bool,
}

/// An order that became less.
#[derive(Clone, Copy, Debug)]
struct Reduction {
    quantity: i64,
    order: Order,
}

type Levels = BTreeMap<i64, i64>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    begun_at: Option<Timestamp>,
    orders: BTreeMap<u64, Order>,
    levels: [Levels; 2],
    /// Part of the levels that nobody's known order is.
    unknown: Option<[Levels; 2]>,
    reductions: VecDeque<Reduction>,
    taking: Vec<u64>,
    changed: Vec<(Side, i64)>,
    withdrawn: Option<Withdrawn>,
    update_id: u64,
}

/// A number's text, rounded at eight places: trades are printed from a float.
fn rounded(text: &str) -> Result<i64, String> {
    let text = text.trim_matches('"');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let cut = fraction.get(..usize::from(SCALE)).unwrap_or(fraction);
    let digits = if cut.is_empty() { whole.to_owned() } else { format!("{whole}.{cut}") };
    let up = fraction.as_bytes().get(usize::from(SCALE)).is_some_and(|d| *d >= b'5');
    parse_scaled(&digits, SCALE).map(|v| v + i64::from(up)).map_err(|e| e.to_string())
}

fn of<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

const fn index(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Log {
    /// When the book can be trusted to be whole.
    pub(super) fn settled_at(&self) -> Option<Timestamp> {
        self.begun_at.map(|at| at + WARM_UP)
    }

    pub(super) fn read(&mut self, path: &Path, out: &mut Recorder) -> Result<(), TapeError> {
        Lines::open(path)?.each(|line| self.line(line, out))
    }

    fn line(&mut self, line: &str, out: &mut Recorder) -> Result<(), String> {
        let mut parts = line.splitn(3, ' ');
        let (Some(at), Some(event), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("not `MILLISECONDS EVENT {json}`".to_owned());
        };
        let ms = at.parse().map_err(|e| format!("{at}: {e}"))?;
        let at = Timestamp::from_millis(ms).ok_or("no time in milliseconds")?;
        self.begun_at.get_or_insert(at);
        let i = out.place(EXCHANGE, "BTCUSD");
        match event {
            "order_created" => {
                self.settle(None);
                self.create(at, &of(json)?)?;
            }
            "order_changed" => self.change(at, &of(json)?, true)?,
            "order_deleted" => self.change(at, &of(json)?, false)?,
            "order_book" => self.reconcile(&of(json)?)?,
            "trade" => {
                let print = self.print(at, &of(json)?)?;
                out.print(at, i, print, None);
            }
            _ => return Ok(()),
        }
        if !self.changed.is_empty() {
            out.grade(at, i, DataGrade::L3);
            if let Some(withdrawn) = self.withdrawn.take() {
                out.withdrawn(at, i, withdrawn);
            }
            let update = self.update();
            out.book(at, i, update);
        }
        Ok(())
    }

    fn best(&self, side: Side) -> Option<i64> {
        let levels = &self.levels[index(side)];
        match side {
            Side::Buy => levels.last_key_value(),
            Side::Sell => levels.first_key_value(),
        }
        .map(|(price, _)| *price)
    }

    fn crosses(&self, side: Side, price: i64) -> bool {
        self.best(side.opposite()).is_some_and(|best| match side {
            Side::Buy => price >= best,
            Side::Sell => price <= best,
        })
    }

    /// Of the update that the line at hand becomes.
    const fn next_id(&self) -> u64 {
        self.update_id + 1
    }

    fn add(&mut self, side: Side, price: i64, quantity: i64) {
        let levels = &mut self.levels[index(side)];
        let level = levels.entry(price).or_default();
        *level += quantity;
        if *level <= 0 {
            levels.remove(&price);
        }
        self.changed.push((side, price));
    }

    fn create(&mut self, at: Timestamp, wire: &WireOrder<'_>) -> Result<(), String> {
        let side = if wire.order_type == 0 { Side::Buy } else { Side::Sell };
        let (price, quantity) = (rounded(wire.price)?, rounded(wire.amount)?);
        let is_taking = self.crosses(side, price);
        if is_taking {
            self.taking.push(wire.id);
        } else {
            self.add(side, price, quantity);
        }
        let joined_id = self.next_id();
        let order = Order { side, price, quantity, created_at: at, joined_id, is_taking };
        self.orders.insert(wire.id, order);
        Ok(())
    }

    /// An order is less now, elsewhere, or gone.
    fn change(&mut self, at: Timestamp, wire: &WireOrder<'_>, stays: bool) -> Result<(), String> {
        // A taker's last trade leaves nothing to cross before its own line says so.
        self.settle(Some(wire.id));
        let (price, left) = (rounded(wire.price)?, rounded(wire.amount)?);
        let Some(before) = self.orders.remove(&wire.id) else {
            return self.forget(wire);
        };
        if !before.is_taking {
            self.add(before.side, before.price, -before.quantity);
        }
        // Withdrawn with what it says is left, else it traded.
        if before.quantity > left {
            self.reduce(Reduction { quantity: before.quantity - left, order: before });
        }
        // One that moves to another price begins anew there.
        let has_moved = price != before.price;
        if (!stays || has_moved) && left > 0 && !before.is_taking {
            let (price, quantity) = (Price(before.price), Quantity(left.min(before.quantity)));
            let (side, joined_id) = (before.side, before.joined_id);
            self.withdrawn = Some(Withdrawn { side, price, quantity, joined_id });
        }
        if !stays || left == 0 {
            return Ok(());
        }
        let is_taking = if has_moved { self.crosses(before.side, price) } else { before.is_taking };
        let created_at = if has_moved { at } else { before.created_at };
        let joined_id = if has_moved { self.next_id() } else { before.joined_id };
        let order = Order { price, quantity: left, created_at, joined_id, is_taking, ..before };
        if !is_taking {
            self.add(order.side, price, left);
        } else if !self.taking.contains(&wire.id) {
            self.taking.push(wire.id);
        }
        self.orders.insert(wire.id, order);
        Ok(())
    }

    fn reduce(&mut self, reduction: Reduction) {
        if self.reductions.len() == REDUCTIONS_MAX {
            self.reductions.pop_front();
        }
        self.reductions.push_back(reduction);
    }

    /// An order from before the log went.
    fn forget(&mut self, wire: &WireOrder<'_>) -> Result<(), String> {
        let side = if wire.order_type == 0 { Side::Buy } else { Side::Sell };
        let (price, quantity) = (rounded(wire.price)?, rounded(wire.amount)?);
        self.lose_unknown(side, price, quantity);
        Ok(())
    }

    fn lose_unknown(&mut self, side: Side, price: i64, quantity: i64) {
        let Some(unknown) = &mut self.unknown else { return };
        let Some(level) = unknown[index(side)].get_mut(&price) else { return };
        let lost = quantity.min(*level);
        *level -= lost;
        if *level == 0 {
            unknown[index(side)].remove(&price);
        }
        if lost > 0 {
            self.add(side, price, -lost);
        }
    }

    /// The first aggregate book shows what unknown orders there are, later ones which are left.
    fn reconcile(&mut self, wire: &WireBook<'_>) -> Result<(), String> {
        let rows = |rows: &[[&str; 2]]| -> Result<Levels, String> {
            rows.iter().map(|[p, q]| Ok((rounded(p)?, rounded(q)?))).collect()
        };
        let shown = [rows(&wire.bids)?, rows(&wire.asks)?];
        if self.unknown.is_none() {
            self.unknown = Some([Levels::new(), Levels::new()]);
            for side in [Side::Buy, Side::Sell] {
                for (price, quantity) in &shown[index(side)] {
                    self.find_unknown(side, *price, *quantity);
                }
            }
            return Ok(());
        }
        for side in [Side::Buy, Side::Sell] {
            self.compare(side, &shown[index(side)]);
        }
        Ok(())
    }

    fn find_unknown(&mut self, side: Side, price: i64, shown: i64) {
        let known = self.levels[index(side)].get(&price).copied().unwrap_or_default();
        if shown <= known || self.crosses(side, price) {
            return;
        }
        if let Some(unknown) = &mut self.unknown {
            unknown[index(side)].insert(price, shown - known);
        }
        self.add(side, price, shown - known);
    }

    /// Unknown orders that a book should show and does not have gone unseen.
    fn compare(&mut self, side: Side, shown: &Levels) {
        let worst = match side {
            Side::Buy => shown.first_key_value(),
            Side::Sell => shown.last_key_value(),
        };
        let Some((worst, _)) = worst else { return };
        let is_inside = |price: i64| match side {
            Side::Buy => price >= *worst,
            Side::Sell => price <= *worst,
        };
        let unknown = self.unknown.as_ref().map(|u| u[index(side)].clone()).unwrap_or_default();
        for (price, quantity) in unknown.into_iter().filter(|(p, _)| is_inside(*p)) {
            let now = self.levels[index(side)].get(&price).copied().unwrap_or_default();
            let seen = shown.get(&price).copied().unwrap_or_default();
            self.lose_unknown(side, price, (now - seen).clamp(0, quantity));
        }
    }

    /// Takers that cross nothing any more rest.
    fn settle(&mut self, except: Option<u64>) {
        for id in std::mem::take(&mut self.taking) {
            let order = self.orders.get(&id).copied().filter(|o| o.is_taking);
            let Some(order) = order else { continue };
            if Some(id) == except || self.crosses(order.side, order.price) {
                self.taking.push(id);
                continue;
            }
            self.add(order.side, order.price, order.quantity);
            let joined_id = self.next_id();
            if let Some(order) = self.orders.get_mut(&id) {
                (order.is_taking, order.joined_id) = (false, joined_id);
            }
        }
    }

    fn update(&mut self) -> BookUpdate {
        self.update_id += 1;
        let changed = std::mem::take(&mut self.changed);
        let of_side = |side: Side| -> Vec<Level> {
            let mine = changed.iter().filter(|(s, _)| *s == side);
            let level = |(_, price): &(Side, i64)| Level {
                price: Price(*price),
                quantity: Quantity(
                    self.levels[index(side)].get(price).copied().unwrap_or_default(),
                ),
            };
            mine.map(level).collect()
        };
        BookUpdate {
            is_snapshot: self.update_id == 1,
            update_id: self.update_id,
            at: None,
            requested_at: None,
            bids: of_side(Side::Buy),
            asks: of_side(Side::Sell),
        }
    }

    /// A trade with the side of its taker: of the two orders that became less by its amount, the
    /// one that came later. Its time is when the taker came, so that all its trades share it.
    fn print(&self, at: Timestamp, wire: &WireTrade<'_>) -> Result<Print, String> {
        let (price, quantity) = (rounded(wire.price.get())?, rounded(wire.amount.get())?);
        let parts = || self.reductions.iter().rev().filter(|r| r.quantity == quantity);
        let of_side = |side: Side| parts().find(|r| r.order.side == side).map(|r| r.order);
        let (taker_side, at) = match (of_side(Side::Buy), of_side(Side::Sell)) {
            (Some(buy), Some(sell)) if buy.created_at > sell.created_at => {
                (Side::Buy, buy.created_at)
            }
            (Some(_), Some(sell)) => (Side::Sell, sell.created_at),
            (Some(one), None) | (None, Some(one)) if one.is_taking => (one.side, one.created_at),
            (Some(maker), None) | (None, Some(maker)) => (maker.side.opposite(), at),
            (None, None) => (self.side_by_touch(price), at),
        };
        let (price, quantity) = (Price(price), Quantity(quantity.max(1)));
        Ok(Print { id: wire.id, price, quantity, taker_side, at, backfilled: false })
    }

    fn side_by_touch(&self, price: i64) -> Side {
        match (self.best(Side::Buy), self.best(Side::Sell)) {
            (Some(bid), Some(ask)) if price - bid < ask - price => Side::Sell,
            _ => Side::Buy,
        }
    }
}
