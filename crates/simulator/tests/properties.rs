//! Invariants of the simulated exchange under random markets and orders.
#![allow(clippy::unwrap_used)] // the naive bookkeeper panics where it is wrong

mod common;
use common::*;
use domain::*;
use proptest::prelude::*;
use simulator::SimEvent;
use std::collections::BTreeMap;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Depth(bool, i64, i64),
    Snapshot(i64),
    Touch(i64, i64, i64),
    Print(bool, i64, i64),
    Order(bool, i64, i64, u8),
    Cancel(usize),
    Pass(i64),
    Stale,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), 1i64..15, 0i64..60).prop_map(|(b, d, q)| Step::Depth(b, d, q)),
        1 => (90i64..110).prop_map(Step::Snapshot),
        2 => (90i64..110, 1i64..40, 1i64..40).prop_map(|(p, b, a)| Step::Touch(p, b, a)),
        4 => (any::<bool>(), -4i64..5, 1i64..80).prop_map(|(b, d, q)| Step::Print(b, d, q)),
        4 => (any::<bool>(), -6i64..7, 1i64..60, 0u8..6).prop_map(|(b, d, q, k)| Step::Order(b, d, q, k)),
        1 => (0usize..40).prop_map(Step::Cancel),
        2 => (1i64..200).prop_map(Step::Pass),
        1 => Just(Step::Stale),
    ]
}

/// What a naive bookkeeper knows of one order.
#[derive(Debug)]
struct Known {
    wish: Wish,
    filled: i64,
    maker: i64,
    is_final: bool,
    /// Most that makers could have got: prints at or through, and crossing size displayed.
    reachable: i64,
}

struct World {
    bench: Bench,
    mid: i64,
    known: BTreeMap<OrderId, Known>,
    /// What we took of a level that still stands: side of the book, price.
    taken: BTreeMap<(Side, i64), i64>,
    ahead: BTreeMap<u64, (i64, i64)>,
    /// Resting orders that gained in the step at hand.
    gained: Vec<OrderId>,
}

fn price_of(wish: &Wish) -> Option<i64> {
    match wish.kind {
        OrderKind::Limit { price, .. } => Some(price.0),
        OrderKind::Market => None,
    }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            bench: Bench::new(Exchange::Kucoin),
            mid: 100,
            known: BTreeMap::new(),
            taken: BTreeMap::new(),
            ahead: BTreeMap::new(),
            gained: vec![],
        };
        world.snapshot(100);
        world
    }

    fn snapshot(&mut self, mid: i64) {
        self.mid = mid;
        let side = |sign: i64| -> Vec<(i64, i64)> {
            (1..12).map(|n| (mid + sign * n, 5 + n * 7 % 30)).collect()
        };
        self.bench.feed = FeedState::Fresh;
        self.bench.depth(true, &side(-1), &side(1));
    }

    fn act(&mut self, step: &Step) {
        let best = |side| self.bench.book.best(side).map_or(self.mid, |l: Level| l.price.0);
        let (bid, ask) = (best(Side::Buy), best(Side::Sell));
        match *step {
            Step::Depth(true, d, q) => self.bench.depth(false, &[(bid + 1 - d, q)], &[]),
            Step::Depth(false, d, q) => self.bench.depth(false, &[], &[(ask - 1 + d, q)]),
            Step::Snapshot(mid) => self.snapshot(mid),
            Step::Touch(mid, b, a) => {
                self.mid = mid;
                self.bench.touch((mid - 1, b), (mid + 1, a));
            }
            Step::Print(is_buy, d, quantity) => {
                let (side, price) =
                    if is_buy { (Side::Buy, ask + d) } else { (Side::Sell, bid - d) };
                if self.bench.feed.is_fresh() {
                    self.reach(side.opposite(), price, quantity);
                }
                self.bench.print(side, price, quantity);
            }
            Step::Order(is_buy, d, quantity, kind) => self.order(is_buy, d, quantity, kind),
            Step::Cancel(n) => {
                if let Some(id) = self.known.keys().nth(n).copied() {
                    self.bench.cancel(id, Span::from_millis(20));
                }
            }
            Step::Pass(ms) => self.bench.pass(ms),
            Step::Stale => self.bench.feed = FeedState::Stale("silent".to_owned()),
        }
    }

    fn order(&mut self, is_buy: bool, d: i64, quantity: i64, kind: u8) {
        let side = if is_buy { Side::Buy } else { Side::Sell };
        let limit = Wish::limit(side, self.mid + d, quantity);
        let wish = match kind {
            0 => Wish::market(side, quantity),
            1 => limit.lasting(TimeInForce::Ioc),
            2 => limit.lasting(TimeInForce::Fok),
            3 => limit.post_only(),
            _ => limit,
        };
        let (id, approved) = self.bench.approve(wish);
        let known = Known { wish, filled: 0, maker: 0, is_final: false, reachable: 0 };
        self.known.insert(id, known);
        self.bench.venue.submit(approved, Span::from_millis(i64::from(kind) * 10));
        self.bench.advance();
    }

    /// Everything that this trade or quote could have given to our resting orders.
    fn reach(&mut self, side: Side, price: i64, quantity: i64) {
        for known in self.known.values_mut().filter(|k| k.wish.side == side && !k.is_final) {
            let is_reached = price_of(&known.wish).is_some_and(|own| match side {
                Side::Buy => own >= price,
                Side::Sell => own <= price,
            });
            known.reachable += if is_reached { quantity } else { 0 };
        }
    }

    /// Sizes that the opposite side shows at prices which cross our resting orders.
    fn reach_crossing(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            let levels: Vec<Level> = self.bench.book.levels(side.opposite()).collect();
            for level in levels {
                self.reach(side, level.price.0, level.quantity.0);
            }
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        for event in self.bench.take() {
            match event {
                SimEvent::Filled(fill, is_last) => self.check_fill(&fill, is_last)?,
                SimEvent::Accepted(id, _) => prop_assert!(!self.known[&id].is_final),
                SimEvent::Rejected(id, ..) => {
                    prop_assert_eq!(self.known[&id].filled, 0, "rejected after a fill");
                    self.end(id)?;
                }
                SimEvent::Expired(id, ..) | SimEvent::Cancelled(id, ..) => self.end(id)?,
            }
        }
        let is_valid = self.bench.state().is_valid;
        let book = &self.bench.book;
        self.taken.retain(|(side, price), taken| {
            if is_valid && book.knows(*side, Price(*price)) {
                *taken = (*taken).min(book.displayed(*side, Price(*price)).0);
            }
            *taken > 0
        });
        self.check_queues()
    }

    fn end(&mut self, id: OrderId) -> Result<(), TestCaseError> {
        let known = self.known.get_mut(&id).unwrap();
        prop_assert!(!std::mem::replace(&mut known.is_final, true), "ended twice");
        Ok(())
    }

    fn check_fill(&mut self, fill: &simulator::Fill, is_last: bool) -> Result<(), TestCaseError> {
        let (price, quantity) = (fill.price.0, fill.quantity.0);
        let known = self.known.get_mut(&fill.order).unwrap();
        prop_assert!(!known.is_final, "a fill after the end");
        prop_assert!(quantity > 0 && price > 0 && !fill.fee.is_negative());
        let wish = known.wish;
        if let Some(limit) = price_of(&wish) {
            let is_inside = if wish.side == Side::Buy { price <= limit } else { price >= limit };
            prop_assert!(is_inside, "beyond its limit");
        }
        known.filled += quantity;
        prop_assert!(known.filled <= wish.quantity);
        prop_assert_eq!(is_last, known.filled == wish.quantity);
        known.is_final |= is_last;
        if fill.liquidity == Liquidity::Maker {
            known.maker += quantity;
            prop_assert!(known.maker <= known.reachable, "{:?} got more than traded", known);
            prop_assert!(fill.optimistic_filled >= Some(Quantity(known.maker)));
            self.gained.push(fill.order);
            return Ok(());
        }
        let side = wish.side.opposite();
        let displayed = self.bench.book.displayed(side, fill.price).0;
        let taken = self.taken.entry((side, price)).or_default();
        *taken += quantity;
        prop_assert!(displayed > 0, "no such level was displayed");
        prop_assert!(*taken <= displayed, "took {} of {displayed}", *taken);
        Ok(())
    }

    /// Looks into the stored form: the queue ahead never grows, is never below zero, and the
    /// optimistic count is never longer than the one that is shown.
    fn check_queues(&mut self) -> Result<(), TestCaseError> {
        let stored = serde_json::to_value(&self.bench.venue).unwrap();
        let mut now = BTreeMap::new();
        for side in ["bids", "asks"] {
            let mut level = None;
            for order in stored[side]["levels"].as_array().unwrap() {
                let id = OrderId::from(order["id"].as_u64().unwrap());
                let is_first =
                    level.replace(order["price"].clone()) != Some(order["price"].clone());
                let has_gained = self.gained.contains(&id);
                prop_assert!(is_first || !has_gained, "filled before one that came earlier");
                let figure = |name: &str| order[name].as_i64().unwrap();
                let (id, ahead) = (order["id"].as_u64().unwrap(), figure("ahead"));
                let before = self.ahead.get(&id).map_or(i64::MAX, |(ahead, _)| *ahead);
                prop_assert!((0..=before).contains(&ahead), "the queue grew");
                prop_assert!((0..=ahead).contains(&figure("ahead_optimistic")));
                now.insert(id, (ahead, figure("remaining")));
                let known = &self.known[&OrderId::from(id)];
                prop_assert_eq!(figure("remaining"), known.wish.quantity - known.filled);
                prop_assert!(!known.is_final);
            }
        }
        self.ahead = now;
        self.gained.clear();
        let open = self.known.values().filter(|known| !known.is_final).count();
        prop_assert_eq!(self.bench.venue.live_count() as usize, open);
        // A copy that went through the store is the same exchange.
        let copy: simulator::Venue = serde_json::from_value(stored).unwrap();
        prop_assert!(copy == self.bench.venue);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn invariants_hold_under_any_market(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            // Orders may arrive within a step: what crosses before and after it both count.
            world.reach_crossing();
            world.act(step);
            world.reach_crossing();
            world.check()?;
        }
    }

    #[test]
    fn two_halves_never_beat_one_whole(
        levels in prop::collection::vec((1i64..5, 1i64..50), 1..10),
        half in 1i64..100,
    ) {
        let mut price = 1_000;
        let asks: Vec<_> = levels.iter().map(|(d, q)| { price += d; (price, *q) }).collect();
        let run = |sizes: &[i64]| {
            let mut bench = Bench::with(Exchange::Binance, &[(1_000, 1)], &asks);
            for quantity in sizes {
                bench.send(Wish::market(Side::Buy, *quantity));
            }
            sums(&fills(&bench.take()))
        };
        prop_assert_eq!(run(&[half, half]), run(&[2 * half]));
    }

    #[test]
    fn a_larger_order_never_pays_less_a_unit(
        levels in prop::collection::vec((1i64..5, 1i64..50), 1..10),
        small in 1i64..100,
        more in 1i64..100,
    ) {
        let mut price = 1_000;
        let asks: Vec<_> = levels.iter().map(|(d, q)| { price += d; (price, *q) }).collect();
        let run = |quantity| {
            let mut bench = Bench::with(Exchange::Binance, &[(1_000, 1)], &asks);
            bench.send(Wish::market(Side::Buy, quantity));
            sums(&fills(&bench.take()))
        };
        let ((q1, v1), (q2, v2)) = (run(small), run(small + more));
        prop_assert!(v1 * i128::from(q2) <= v2 * i128::from(q1));
    }

    #[test]
    fn repeated_messages_change_nothing(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.act(step);
            world.bench.take();
            let (book, venue) = (world.bench.book.clone(), world.bench.venue.clone());
            // The connector delivers a touch that is already in the book once more.
            if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
                let touch = Touch { update_id: book.update_id(), bid, ask };
                prop_assert!(!world.bench.book.apply_touch(&touch));
            }
            prop_assert!(world.bench.book == book);
            world.bench.advance();
            prop_assert!(world.bench.venue == venue && world.bench.take().is_empty());
        }
    }
}
