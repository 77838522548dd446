//! Invariant 5 where the exchange tells order by order: beside a naive matcher that knows every order
//! by its id, the queue ahead of ours is exact, and after a gap it lies between the two counts.
#![allow(clippy::unwrap_used)] // the naive matcher panics where it is wrong

mod common;
use common::*;
use domain::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Create(bool, i64, i64),
    Delete(usize),
    Take(bool, i64),
    Join(bool, i64, i64),
    /// The stream breaks: so many steps of others pass unseen.
    Gap(Vec<(bool, i64, i64)>),
}

fn steps(has_gaps: bool) -> impl Strategy<Value = Vec<Step>> {
    let unseen = prop::collection::vec((any::<bool>(), 0i64..4, 1i64..30), 0..8);
    let step = prop_oneof![
        6 => (any::<bool>(), 0i64..4, 1i64..30).prop_map(|(b, d, q)| Step::Create(b, d, q)),
        5 => (0usize..40).prop_map(Step::Delete),
        3 => (any::<bool>(), 1i64..60).prop_map(|(b, q)| Step::Take(b, q)),
        2 => (any::<bool>(), 0i64..4, 1i64..20).prop_map(|(b, d, q)| Step::Join(b, d, q)),
        u32::from(has_gaps) => unseen.prop_map(Step::Gap),
    ];
    prop::collection::vec(step, 1..80)
}

#[derive(Clone, Copy, Debug)]
struct Theirs {
    side: Side,
    price: i64,
    quantity: i64,
    joined_id: u64,
}

/// An order of ours, and who is before it.
#[derive(Debug)]
struct Ours {
    id: OrderId,
    side: Side,
    price: i64,
    rest: i64,
    ahead: BTreeSet<u64>,
}

/// Bids rest at 96..=99, asks at 101..=104: nothing crosses but takers.
struct World {
    bench: Bench,
    /// Ids rise, so that their order is that of time.
    theirs: BTreeMap<u64, Theirs>,
    ours: Vec<Ours>,
    next: u64,
    has_gap: bool,
}

const fn price(side: Side, distance: i64) -> i64 {
    match side {
        Side::Buy => 99 - distance,
        Side::Sell => 101 + distance,
    }
}

const fn side(is_buy: bool) -> Side {
    if is_buy { Side::Buy } else { Side::Sell }
}

impl World {
    fn new() -> Self {
        let mut bench = Bench::with(Exchange::Luno, &[(90, 1_000)], &[(110, 1_000)]);
        bench.grade = DataGrade::L3;
        Self { bench, theirs: BTreeMap::new(), ours: vec![], next: 0, has_gap: false }
    }

    fn displayed(&self, side: Side, price: i64) -> i64 {
        let here = |o: &&Theirs| o.side == side && o.price == price;
        self.theirs.values().filter(here).map(|o| o.quantity).sum()
    }

    fn tell(&mut self, side: Side, price: i64) {
        let level = [(price, self.displayed(side, price))];
        match side {
            Side::Buy => self.bench.depth(false, &level, &[]),
            Side::Sell => self.bench.depth(false, &[], &level),
        }
    }

    fn create(&mut self, side: Side, price: i64, quantity: i64) {
        self.next += 1;
        let joined_id = self.bench.update_id() + 1;
        self.theirs.insert(self.next, Theirs { side, price, quantity, joined_id });
    }

    fn act(&mut self, step: &Step) {
        self.bench.pass(1);
        match *step {
            Step::Create(is_buy, distance, quantity) => {
                let (side, price) = (side(is_buy), price(side(is_buy), distance));
                self.create(side, price, quantity);
                self.tell(side, price);
            }
            Step::Delete(n) => {
                let Some(id) = self.theirs.keys().nth(n).copied() else { return };
                let o = self.theirs.remove(&id).unwrap();
                self.bench.withdraw(o.side, o.price, o.quantity, o.joined_id);
                self.tell(o.side, o.price);
            }
            Step::Take(is_buy, quantity) => self.take(side(is_buy), quantity),
            Step::Join(is_buy, distance, quantity) => {
                let (side, price) = (side(is_buy), price(side(is_buy), distance));
                // One a side: what reaches a second one hangs from what the first took of it.
                if self.ours.iter().any(|o| o.side == side) {
                    return;
                }
                let here = |(_, o): &(&u64, &Theirs)| o.side == side && o.price == price;
                let ahead = self.theirs.iter().filter(here).map(|(id, _)| *id).collect();
                let id = self.bench.send(Wish::limit(side, price, quantity));
                self.ours.push(Ours { id, side, price, rest: quantity, ahead });
            }
            Step::Gap(ref unseen) => self.gap(unseen),
        }
    }

    /// Somebody takes from the book as it is without us; what reaches us is what they would have
    /// taken of us.
    fn take(&mut self, taker: Side, quantity: i64) {
        let side = taker.opposite();
        let before: Vec<i64> = self.ours.iter().map(|o| self.ahead(o)).collect();
        let mut makers: Vec<u64> =
            self.theirs.iter().filter(|(_, o)| o.side == side).map(|(id, _)| *id).collect();
        makers.sort_by_key(|id| match side {
            Side::Buy => -self.theirs[id].price,
            Side::Sell => self.theirs[id].price,
        });
        let (mut rest, mut traded) = (quantity, Vec::new());
        for id in makers {
            let maker = self.theirs.get_mut(&id).unwrap();
            let part = rest.min(maker.quantity);
            maker.quantity -= part;
            rest -= part;
            if part > 0 {
                traded.push((maker.price, part));
            }
        }
        self.theirs.retain(|_, o| o.quantity > 0);
        for (price, part) in &traded {
            self.bench.print(taker, *price, *part);
        }
        for (price, _) in &traded {
            self.tell(side, *price);
        }
        for (order, ahead) in self.ours.iter_mut().zip(before).filter(|(o, _)| o.side == side) {
            let reaches = |price: i64| match side {
                Side::Buy => price <= order.price,
                Side::Sell => price >= order.price,
            };
            let sum: i64 = traded.iter().filter(|(p, _)| reaches(*p)).map(|(_, q)| q).sum();
            order.rest -= (sum - ahead).clamp(0, order.rest);
        }
    }

    fn gap(&mut self, unseen: &[(bool, i64, i64)]) {
        self.has_gap = true;
        self.bench.feed = FeedState::Resyncing("gap".into());
        for (is_new, distance, quantity) in unseen {
            let side = side(quantity % 2 == 0);
            if *is_new {
                self.create(side, price(side, *distance), *quantity);
            } else if let Some(id) = self.theirs.keys().nth(*quantity as usize).copied() {
                self.theirs.remove(&id);
            }
        }
        // The stream begins anew: nothing tells any more which order joined when.
        let joined_id = self.bench.update_id() + 1;
        self.theirs.values_mut().for_each(|o| o.joined_id = joined_id);
        self.bench.feed = FeedState::Fresh;
        let rows = |side| -> Vec<(i64, i64)> {
            let levels = (0..4).map(|d| (price(side, d), self.displayed(side, price(side, d))));
            levels.filter(|(_, q)| *q > 0).collect()
        };
        let far = |mut rows: Vec<(i64, i64)>, price| {
            rows.push((price, 1_000));
            rows
        };
        let (bids, asks) = (far(rows(Side::Buy), 90), far(rows(Side::Sell), 110));
        self.bench.depth(true, &bids, &asks);
    }

    fn ahead(&self, order: &Ours) -> i64 {
        order.ahead.iter().filter_map(|id| self.theirs.get(id)).map(|o| o.quantity).sum()
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        for order in &self.ours {
            let truth = self.ahead(order);
            let Some(waiting) = self.bench.venue.waiting(order.id) else {
                prop_assert!(order.rest == 0, "filled what was not: {:?}", order);
                continue;
            };
            let shown = waiting.ahead.unwrap().0;
            let optimistic = waiting.ahead_optimistic.0;
            // Rests only on paper: what is ahead of it in truth is nothing that can be compared.
            if order.rest > 0 {
                prop_assert!(optimistic <= truth && truth <= shown, "{optimistic} {truth} {shown}");
            }
            prop_assert!(waiting.remaining.0 >= order.rest, "filled more than the truth");
            if !self.has_gap {
                prop_assert_eq!(
                    (optimistic, shown, waiting.remaining.0),
                    (truth, truth, order.rest)
                );
            }
        }
        let venue = &self.bench.venue;
        self.ours.retain(|o| venue.waiting(o.id).is_some());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn queue_told_order_by_order_is_that_of_a_matcher_that_knows_every_id(steps in steps(false)) {
        let mut world = World::new();
        for step in &steps {
            world.act(step);
            world.check()?;
        }
    }

    #[test]
    fn after_a_gap_the_truth_lies_between_the_optimistic_count_and_the_one_shown(
        steps in steps(true)
    ) {
        let mut world = World::new();
        for step in &steps {
            world.act(step);
            world.check()?;
        }
    }
}

#[test]
fn a_cancel_behind_us_moves_nothing_and_one_ahead_all_of_it() {
    let mut bench = Bench::with(Exchange::Luno, &[(100, 70)], &[(101, 100)]);
    bench.grade = DataGrade::L3;
    let id = bench.send(Wish::limit(Side::Buy, 100, 50));
    let ahead = |bench: &Bench| bench.venue.waiting(id).map(|w| (w.ahead, w.ahead_optimistic));
    bench.depth(false, &[(100, 100)], &[]);
    let behind = bench.update_id();
    bench.withdraw(Side::Buy, 100, 30, behind);
    bench.depth(false, &[(100, 70)], &[]);
    assert_eq!(ahead(&bench), Some((Some(Quantity(70)), Quantity(70))));
    // Without being told whose it was, the number shown does not move at all.
    bench.depth(false, &[(100, 120)], &[]);
    bench.withdraw(Side::Buy, 100, 40, 1);
    bench.depth(false, &[(100, 80)], &[]);
    assert_eq!(ahead(&bench), Some((Some(Quantity(30)), Quantity(30))));
}

#[test]
fn an_exchange_that_counts_anew_leaves_nobody_known_to_be_ahead() {
    let mut bench = Bench::with(Exchange::Luno, &[(100, 70)], &[(101, 100)]);
    bench.grade = DataGrade::L3;
    for _ in 0..5 {
        bench.depth(false, &[(100, 70)], &[]);
    }
    let id = bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.restart_numbers();
    bench.depth(true, &[(100, 90)], &[(101, 100)]);
    bench.withdraw(Side::Buy, 100, 20, bench.update_id());
    bench.depth(false, &[(100, 70)], &[]);
    let waiting = bench.venue.waiting(id).unwrap();
    assert_eq!((waiting.ahead, waiting.ahead_optimistic), (Some(Quantity(70)), Quantity(0)));
}
