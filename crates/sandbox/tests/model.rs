//! The pure market: the matcher beside a naive one, the flow's statistics, determinism.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use domain::{Exchange, Side};
use proptest::prelude::*;
use sandbox::model::book::{Book, NewOrder, Owner, Standing};
use sandbox::model::catalogue::{self, ASSETS};
use sandbox::model::market::{Change, Market};
use sandbox::model::world::World;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A matcher too simple to be wrong: a list, searched whole each time.
#[derive(Default)]
struct Naive {
    /// Id, side, price, quantity, in order of arrival.
    resting: Vec<(u64, Side, i64, i64)>,
}

impl Naive {
    fn submit(&mut self, order: &NewOrder) -> (Vec<(u64, i64, i64)>, i64) {
        let reaches = |price: i64| match (order.price, order.side) {
            (None, _) => true,
            (Some(limit), Side::Buy) => price <= limit,
            (Some(limit), Side::Sell) => price >= limit,
        };
        let open = |r: &&(u64, Side, i64, i64)| r.1 != order.side && r.3 > 0 && reaches(r.2);
        let available: i64 = self.resting.iter().filter(open).map(|r| r.3).sum();
        let refused = match order.standing {
            Standing::Fok => available < order.quantity,
            Standing::PostOnly => available > 0,
            Standing::Gtc | Standing::Ioc => false,
        };
        if refused {
            return (Vec::new(), 0);
        }
        let (mut left, mut hits) = (order.quantity, Vec::new());
        while left > 0 {
            let eager = |r: &&mut (u64, Side, i64, i64)| match order.side {
                Side::Buy => r.2,
                Side::Sell => -r.2,
            };
            // `min_by_key` returns the first of equals: the oldest.
            let candidates = self.resting.iter_mut().filter(|r| open(&&**r));
            let Some(best) = candidates.min_by_key(eager) else { break };
            let quantity = left.min(best.3);
            best.3 -= quantity;
            left -= quantity;
            hits.push((best.0, best.2, quantity));
        }
        self.resting.retain(|r| r.3 > 0);
        let stays = matches!(order.standing, Standing::Gtc | Standing::PostOnly);
        let rested = if stays && order.price.is_some() { left } else { 0 };
        if rested > 0 {
            self.resting.push((order.id, order.side, order.price.unwrap(), rested));
        }
        (hits, rested)
    }

    fn levels(&self, side: Side) -> BTreeMap<i64, i64> {
        let mut out = BTreeMap::new();
        for (_, s, price, quantity) in &self.resting {
            if *s == side {
                *out.entry(*price).or_default() += quantity;
            }
        }
        out
    }
}

#[derive(Clone, Debug)]
enum Act {
    Submit { buy: bool, price: Option<i64>, quantity: i64, standing: Standing },
    Cancel { nth: usize },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let standing = prop_oneof![
        6 => Just(Standing::Gtc),
        1 => Just(Standing::Ioc),
        1 => Just(Standing::Fok),
        1 => Just(Standing::PostOnly),
    ];
    let price = prop_oneof![8 => (90_i64..110).prop_map(Some), 1 => Just(None)];
    let submit =
        (any::<bool>(), price, 1_i64..50, standing).prop_map(|(buy, price, quantity, standing)| {
            Act::Submit { buy, price, quantity, standing }
        });
    let act = prop_oneof![4 => submit, 1 => (0_usize..200).prop_map(|nth| Act::Cancel { nth })];
    proptest::collection::vec(act, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_book_matches_as_the_naive_one(acts in acts()) {
        let (mut book, mut naive) = (Book::default(), Naive::default());
        for (id, act) in (1_u64..).zip(acts) {
            match act {
                Act::Cancel { nth } => {
                    let Some(id) = naive.resting.get(nth).map(|r| r.0) else {
                        prop_assert!(book.cancel(id + 1_000_000).is_none());
                        continue;
                    };
                    let (_, side, price, quantity) = naive.resting.remove(nth);
                    let (s, p, order) = book.cancel(id).expect("it rests");
                    prop_assert_eq!((s, p, order.remaining), (side, price, quantity));
                }
                Act::Submit { buy, price, quantity, standing } => {
                    let side = if buy { Side::Buy } else { Side::Sell };
                    let owner = Owner::Account(1);
                    let client_id = None;
                    let order = NewOrder { id, owner, client_id, side, price, quantity, standing };
                    let (hits, rested) = naive.submit(&order);
                    let outcome = book.submit(order);
                    let done: i64 = outcome.matches.iter().map(|m| m.quantity).sum();
                    prop_assert_eq!(done + outcome.rested + outcome.expired, quantity);
                    let seen: Vec<_> =
                        outcome.matches.iter().map(|m| (m.maker, m.price, m.quantity)).collect();
                    prop_assert_eq!(seen, hits);
                    prop_assert_eq!(outcome.rested, rested);
                }
            }
            for side in [Side::Buy, Side::Sell] {
                let shown: BTreeMap<i64, i64> =
                    book.levels(side).map(|(p, l)| (p, l.total())).collect();
                prop_assert_eq!(shown, naive.levels(side));
                let count = naive.resting.iter().filter(|r| r.1 == side).count();
                prop_assert_eq!(book.count(side), count);
            }
            let touch = book.best(Side::Buy).zip(book.best(Side::Sell));
            let crossed = touch.is_some_and(|(bid, ask)| bid >= ask);
            prop_assert!(!crossed);
        }
    }
}

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;

fn world(seed: u64) -> World {
    World::new(seed, catalogue::all(), &ASSETS.map(|(_, usd)| usd), START, 600 * SECOND)
}

/// Everything that happens in some seconds, in steps of this length.
fn run(
    world: &mut World,
    from: i64,
    seconds: i64,
    step: i64,
    see: &mut dyn FnMut(&Market, &Change),
) {
    let mut at = from;
    while at < from + seconds * SECOND {
        at = (at + step).min(from + seconds * SECOND);
        world.advance(at, &mut |_, m, c| see(m, c));
    }
}

fn digest(seed: u64, step: i64) -> u64 {
    let mut hashes: BTreeMap<String, DefaultHasher> = BTreeMap::new();
    run(&mut world(seed), START, 20, step, &mut |m, c| {
        let name = format!("{} {}", m.spec.exchange, m.spec.native);
        c.hash(hashes.entry(name).or_default());
    });
    let mut all = DefaultHasher::new();
    for (name, hash) in hashes {
        (name, hash.finish()).hash(&mut all);
    }
    all.finish()
}

#[test]
fn the_same_seed_gives_the_same_market_however_time_is_cut() {
    let one = digest(1, SECOND);
    assert_eq!(one, digest(1, SECOND));
    assert_eq!(one, digest(1, 7_000_000));
    assert_ne!(one, digest(2, SECOND));
}

/// An exogenous order's id and what it wanted, for orders that joined the book or took.
#[test]
fn orders_of_ours_change_no_exogenous_id() {
    let ids = |with_ours: bool| {
        let mut world = world(3);
        let index = world.find(Exchange::Binance, "BTCUSDT").unwrap();
        if with_ours {
            let market = world.market_mut(index).unwrap();
            let mut order = NewOrder::market(u64::MAX, Side::Buy, 200_000);
            order.owner = Owner::Account(1);
            let (outcome, _) = market.submit(START, order);
            assert!(!outcome.matches.is_empty());
        }
        let (mut takers, mut prices) = (Vec::new(), BTreeMap::new());
        run(&mut world, START, 30, SECOND, &mut |m, c| {
            if m.spec.exchange == Exchange::Binance && m.spec.native == "BTCUSDT" {
                takers.extend(c.prints.first().map(|p| p.taker_order));
                prices.extend(c.created.map(|o| (o.id, o.price)));
            }
        });
        (takers, prices)
    };
    let (alone, ours) = (ids(false), ids(true));
    for (id, price) in &ours.1 {
        assert!(alone.1.get(id).is_none_or(|p| p == price), "order {id} moved");
    }
    let same = ours.0.iter().filter(|id| alone.0.contains(id)).count();
    assert!(same * 100 >= ours.0.len() * 95, "{same} of {}", ours.0.len());
}

#[derive(Default)]
struct Tally {
    spreads_bp: Vec<f64>,
    /// Nanoseconds with a spread of one tick, and in all.
    tight: i64,
    time: i64,
    last: Option<(i64, i64)>,
    prints: usize,
    takers: usize,
    multi: usize,
}

impl Tally {
    fn add(&mut self, market: &Market, change: &Change) {
        let (Some(bid), Some(ask)) = (market.book.best(Side::Buy), market.book.best(Side::Sell))
        else {
            return;
        };
        assert!(bid < ask, "never crossed");
        self.spreads_bp.push((ask - bid) as f64 / bid as f64 * 1e4);
        if let Some((at, ticks)) = self.last {
            self.time += change.at - at;
            self.tight += if ticks == 1 { change.at - at } else { 0 };
        }
        self.last = Some((change.at, ask - bid));
        self.prints += change.prints.len();
        self.takers += usize::from(!change.prints.is_empty());
        let several = change.prints.windows(2).any(|w| w[0].price != w[1].price);
        self.multi += usize::from(several);
    }

    fn quantile(&mut self, share: f64) -> f64 {
        self.spreads_bp.sort_by(f64::total_cmp);
        self.spreads_bp[(self.spreads_bp.len() as f64 * share) as usize]
    }
}

fn tally(seed: u64, exchange: Exchange, native: &str, seconds: i64) -> Tally {
    let mut tally = Tally::default();
    run(&mut world(seed), START, seconds, SECOND, &mut |m, c| {
        if m.spec.exchange == exchange && m.spec.native == native {
            tally.add(m, c);
        }
    });
    tally
}

/// The recorded tape: one tick wide most of the time, 11 aggressive orders and 30 prints a second,
/// 14 to 18 % of them over several prices.
#[test]
fn binance_btc_looks_like_the_tape() {
    let tally = tally(11, Exchange::Binance, "BTCUSDT", 120);
    let seen = tally.spreads_bp.len();
    let share = |n: usize, of: usize| n as f64 / of as f64;
    println!(
        "changes/s {:.0} tight {:.2} takers/s {:.1} prints/s {:.1} multi {:.3}",
        share(seen, 120),
        tally.tight as f64 / tally.time as f64,
        share(tally.takers, 120),
        share(tally.prints, 120),
        share(tally.multi, tally.takers)
    );
    assert!((0.75..0.99).contains(&(tally.tight as f64 / tally.time as f64)));
    assert!((6.0..22.0).contains(&share(tally.takers, 120)));
    assert!((12.0..60.0).contains(&share(tally.prints, 120)));
    assert!((0.10..0.22).contains(&share(tally.multi, tally.takers)));
}

/// The recorded ticker: spread p5/p50/p95 of 0/5/19 basis points, few trades.
#[test]
fn luno_btc_looks_like_the_recorded_ticker() {
    let mut tally = tally(11, Exchange::Luno, "XBTZAR", 600);
    let [low, middle, high] = [0.05, 0.5, 0.95].map(|q| tally.quantile(q));
    println!("spread {low:.2}/{middle:.2}/{high:.2} bp, takers {}", tally.takers);
    assert!(low < 1.0);
    assert!((2.0..9.0).contains(&middle));
    assert!((8.0..30.0).contains(&high));
    assert!((30..600).contains(&tally.takers));
}
