//! Invariants of the simulated exchange over recorded markets: one account sends random orders into
//! the tape, and everything that it is told is checked. Skipped where there is no recording.
#![allow(clippy::unwrap_used)] // a test may panic

use super::order::approve;
use super::view::View;
use super::{Clock, Known as KnownMarket, Market, bars::random, unlimited};
use crate::raw::Tape;
use crate::{Recorded, Source};
use domain::{
    BotId, CancelReason, Level, Liquidity, MarketEvent, OrderId, OrderKind, Price, Quantity, Side,
    Span, Timestamp,
};
use simulator::{Fill, SimEvent, Venue};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Records that are played: a minute and a half of the tape.
const PLAYED: usize = 12_000;
/// Records between two orders.
const BETWEEN: usize = 15;
const ROUND_TRIP: Span = Span::from_millis(60);

fn tape() -> Option<Tape> {
    let name = "binance_spot_btcusdt_20240808.raw.gz";
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let beside = ["../../../shared/data", "../../../../shared/data"].map(|p| root.join(p));
    let shared = std::env::var_os("AMARKTAI_SHARED").map(|r| PathBuf::from(r).join("data"));
    let tapes = std::env::var_os("AMARKTAI_TAPES").map(PathBuf::from);
    let found = beside.into_iter().chain(shared).chain(tapes).map(|f| f.join(name));
    let Some(path) = found.into_iter().find(|p| p.exists()) else {
        println!("SKIPPED: {name} is not here; set AMARKTAI_SHARED or AMARKTAI_TAPES");
        return None;
    };
    Some(Tape::open(&[path]).unwrap())
}

/// What an order was and what became of it.
#[derive(Debug)]
struct Known {
    side: Side,
    limit: Option<Price>,
    quantity: Quantity,
    filled: Quantity,
    maker: Quantity,
    reachable: Quantity,
    is_final: bool,
    ahead: Option<Quantity>,
    /// It rests, and so many of ours joined before it.
    joined: Option<usize>,
}

/// How the tape is played.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    seed: u64,
    /// The venue goes through the store at each so many records.
    stored_each: Option<usize>,
    /// Touches and depth are delivered twice.
    is_repeated: bool,
}

struct Play<'a> {
    market: &'a Market<'a>,
    view: View<'a>,
    venue: Venue,
    known: BTreeMap<OrderId, Known>,
    taken: BTreeMap<(Side, Price), Quantity>,
    said: Vec<SimEvent>,
    joins: usize,
    draws: u64,
}

fn play(market: &Market<'_>, way: Way) -> Vec<SimEvent> {
    let mut play = Play {
        market,
        view: View::new(market),
        venue: Venue::default(),
        known: BTreeMap::new(),
        taken: BTreeMap::new(),
        said: Vec::new(),
        joins: 0,
        draws: way.seed,
    };
    for (i, record) in market.records.iter().enumerate() {
        play.record(record, way.is_repeated);
        if i % BETWEEN == 0 && play.view.is_valid() {
            play.order(i, record.at);
        }
        if way.stored_each.is_some_and(|n| i % n == 0) {
            let stored = postcard::to_stdvec(&play.venue).unwrap();
            play.venue = postcard::from_bytes(&stored).unwrap();
        }
    }
    play.said
}

impl Play<'_> {
    fn record(&mut self, record: &Recorded, is_repeated: bool) {
        let mut events = Vec::new();
        self.venue.advance(record.at, &self.view.state(), &mut events);
        self.check(std::mem::take(&mut events));
        self.reach_crossing();
        for _ in 0..if is_repeated { 2 } else { 1 } {
            if let Some(changed) = self.view.apply(record) {
                self.reach_crossing();
                self.venue.on_book(changed, record.at, &self.view.state(), &mut events);
            }
        }
        if let MarketEvent::Print(print) = &record.event {
            self.reach(print.taker_side.opposite(), print.price, print.quantity);
            self.venue.on_print(print, record.at, &self.view.state(), &mut events);
        }
        self.check(events);
        self.shrink_taken();
        self.check_queues();
    }

    fn order(&mut self, i: usize, at: Timestamp) {
        let id = OrderId { bot: BotId(1), seq: i as u32 + 1 };
        let side = if random(&mut self.draws).is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let own = self.view.book.best(side).unwrap().price;
        let tick = self.market.instrument.tick_size.0;
        let away = (random(&mut self.draws) % 40) as i64 - 8;
        let price = match side {
            Side::Buy => Price(own.0 - away * tick),
            Side::Sell => Price(own.0 + away * tick),
        };
        let kind = match random(&mut self.draws) % 4 {
            0 => OrderKind::Market,
            n => OrderKind::Limit { price, post_only: n == 1 },
        };
        let lots = (random(&mut self.draws) % 200_000) as i64 + 1;
        let quantity = Quantity(lots * self.market.instrument.lot_size.0);
        let approved = approve(self.market, id, side, kind, quantity, own, at).unwrap();
        let limit = matches!(kind, OrderKind::Limit { .. }).then_some(price);
        let (filled, maker, reachable) = Default::default();
        let known = Known {
            side,
            limit,
            quantity,
            filled,
            maker,
            reachable,
            is_final: false,
            ahead: None,
            joined: None,
        };
        self.known.insert(id, known);
        self.venue.submit(approved, ROUND_TRIP);
        // An older one is taken back.
        let open: Vec<OrderId> =
            self.known.iter().filter(|(_, k)| !k.is_final).map(|(id, _)| *id).collect();
        if open.len() > 20 {
            let id = open[random(&mut self.draws) as usize % open.len()];
            self.venue.cancel(id, CancelReason::Strategy, at, ROUND_TRIP);
        }
    }

    fn reach(&mut self, side: Side, price: Price, quantity: Quantity) {
        for known in self.known.values_mut().filter(|k| k.side == side && !k.is_final) {
            let is_reached = known.limit.is_some_and(|own| match side {
                Side::Buy => own >= price,
                Side::Sell => own <= price,
            });
            known.reachable += if is_reached { quantity } else { Quantity::ZERO };
        }
    }

    /// Sizes that the other side shows at prices which cross our resting orders.
    fn reach_crossing(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            let Some(own) = self.venue.own_best(side) else { continue };
            let crosses = |l: &Level| match side {
                Side::Buy => l.price <= own,
                Side::Sell => l.price >= own,
            };
            let levels: Vec<Level> =
                self.view.book.levels(side.opposite()).take_while(crosses).collect();
            for level in levels {
                self.reach(side, level.price, level.quantity);
            }
        }
    }

    fn check(&mut self, events: Vec<SimEvent>) {
        for event in &events {
            match event {
                SimEvent::Filled(fill, is_last) => self.check_fill(fill, *is_last),
                SimEvent::Accepted(id, _) => {
                    let known = self.known.get_mut(id).unwrap();
                    assert!(!known.is_final && known.joined.is_none());
                    self.joins += 1;
                    known.joined = Some(self.joins);
                }
                SimEvent::Rejected(id, ..)
                | SimEvent::Expired(id, ..)
                | SimEvent::Cancelled(id, ..) => {
                    let known = self.known.get_mut(id).unwrap();
                    assert!(!std::mem::replace(&mut known.is_final, true), "ended twice");
                }
            }
        }
        for event in &events {
            if let SimEvent::Filled(fill, _) = event
                && fill.liquidity == Liquidity::Maker
            {
                self.check_priority(fill.order);
            }
        }
        self.said.extend(events);
    }

    /// Who of ours rests at a better price, or joined earlier at the same, was filled whole before.
    fn check_priority(&self, filled: OrderId) {
        let of = &self.known[&filled];
        for (id, other) in self.known.iter().filter(|(_, k)| k.side == of.side && !k.is_final) {
            let (Some(rank), Some(own)) = (other.joined, of.joined) else { continue };
            let (theirs, ours) = (other.limit.unwrap(), of.limit.unwrap());
            let is_better = match of.side {
                Side::Buy => theirs > ours,
                Side::Sell => theirs < ours,
            };
            let is_before = is_better || theirs == ours && rank < own;
            assert!(!is_before, "{filled:?} was filled before {id:?}: {of:?} {other:?}");
        }
    }

    fn check_fill(&mut self, fill: &Fill, is_last: bool) {
        let i = self.market.instrument;
        assert!(!fill.fee.is_negative() && fill.quantity.is_positive());
        let known = self.known.get_mut(&fill.order).unwrap();
        assert!(!known.is_final, "a fill after the end");
        known.filled += fill.quantity;
        assert!(known.filled <= known.quantity);
        assert_eq!(is_last, known.filled == known.quantity);
        known.is_final = is_last;
        let is_inside = known.limit.is_none_or(|limit| match known.side {
            Side::Buy => fill.price <= limit,
            Side::Sell => fill.price >= limit,
        });
        assert!(is_inside, "beyond its limit");
        assert_eq!(i.on_tick(fill.price, known.side), fill.price);
        if fill.liquidity == Liquidity::Maker {
            known.maker += fill.quantity;
            assert!(known.maker <= known.reachable, "more than was traded: {known:?}");
            assert!(fill.optimistic_filled >= Some(known.maker));
            return;
        }
        let side = known.side.opposite();
        let best = self.view.book.best(side).unwrap().price;
        assert!(
            side == Side::Sell && fill.price >= best || side == Side::Buy && fill.price <= best
        );
        let displayed = self.view.book.displayed(side, fill.price);
        let taken = self.taken.entry((side, fill.price)).or_default();
        *taken += fill.quantity;
        assert!(*taken <= displayed, "took more than was displayed");
    }

    /// Our takes shrink only when the level goes or shows less.
    fn shrink_taken(&mut self) {
        if !self.view.is_valid() {
            return;
        }
        let book = &self.view.book;
        self.taken.retain(|(side, price), taken| {
            if book.knows(*side, *price) {
                *taken = (*taken).min(book.displayed(*side, *price));
            }
            taken.is_positive()
        });
    }

    fn check_queues(&mut self) {
        for (id, known) in self.known.iter_mut().filter(|(_, k)| !k.is_final) {
            let Some(waiting) = self.venue.waiting(*id) else { continue };
            assert_eq!(waiting.remaining + known.filled, known.quantity);
            let Some(ahead) = waiting.ahead else { continue };
            assert!(known.ahead.is_none_or(|before| ahead <= before), "the queue grew");
            assert!(
                Quantity::ZERO <= waiting.ahead_optimistic && waiting.ahead_optimistic <= ahead
            );
            known.ahead = Some(ahead);
        }
    }
}

/// The tape's first records as a market.
fn played<T>(change: impl Fn(&mut [Recorded]), then: impl FnOnce(&Market<'_>) -> T) -> Option<T> {
    let tape = tape()?;
    let mut records = tape.records()[..PLAYED].to_vec();
    change(&mut records);
    let records: Vec<&Recorded> = records.iter().collect();
    let instrument = unlimited(&tape.instruments()[0]);
    let clock = Clock::of(&records);
    let settled_at = Timestamp(i64::MIN);
    let known = &KnownMarket::default();
    let market = Market { instrument: &instrument, records: &records, known, settled_at, clock };
    Some(then(&market))
}

fn unchanged(_: &mut [Recorded]) {}

#[test]
fn invariants_hold_over_a_recorded_market() {
    for seed in 1..=3 {
        let Some(said) = played(unchanged, |m| play(m, Way { seed, ..Way::default() })) else {
            return;
        };
        let of = |liquidity| {
            let is_it =
                |e: &&SimEvent| matches!(e, SimEvent::Filled(f, _) if f.liquidity == liquidity);
            said.iter().filter(is_it).count()
        };
        let (makers, takers) = (of(Liquidity::Maker), of(Liquidity::Taker));
        assert!(makers > 50 && takers > 100, "{makers} makers, {takers} takers");
    }
}

#[test]
fn same_tape_says_the_same_through_the_store_and_told_twice() {
    let way = Way { seed: 4, ..Way::default() };
    let Some(plain) = played(unchanged, |m| play(m, way)) else { return };
    let stored = played(unchanged, |m| play(m, Way { stored_each: Some(37), ..way }));
    assert!(stored.unwrap() == plain);
    let twice = played(unchanged, |m| play(m, Way { is_repeated: true, ..way }));
    assert!(twice.unwrap() == plain);
}

#[test]
fn another_future_changes_nothing_before_it() {
    let way = Way { seed: 5, ..Way::default() };
    let Some(plain) = played(unchanged, |m| play(m, way)) else { return };
    let cut = PLAYED / 2;
    let other = played(|records| records[cut..].iter_mut().for_each(disturb), |m| play(m, way));
    let turn = tape().unwrap().records()[cut].at;
    let until = |said: &[SimEvent]| -> Vec<SimEvent> {
        said.iter().filter(|e| at(e) < turn).cloned().collect()
    };
    let (plain_before, other) = (until(&plain), other.unwrap());
    assert!(plain_before.len() > 100 && plain_before == until(&other));
    assert!(plain != other, "the change was none");
}

/// Everything is traded at other prices, and much more of it.
fn disturb(record: &mut Recorded) {
    const UP: Price = Price(5_000_000_000);
    let shift = |l: &mut Level| (l.price, l.quantity) = (l.price + UP, Quantity(l.quantity.0 * 3));
    match &mut record.event {
        MarketEvent::Print(print) => {
            (print.price, print.quantity) = (print.price + UP, Quantity(print.quantity.0 * 3));
        }
        MarketEvent::Touch(touch) => [&mut touch.bid, &mut touch.ask].into_iter().for_each(shift),
        MarketEvent::Book(book) => book.bids.iter_mut().chain(&mut book.asks).for_each(shift),
        _ => {}
    }
}

/// A tape that is too long for one piece says the same but for what lies where two meet.
#[test]
fn pieces_of_a_tape_say_what_the_whole_says() {
    let Some(mut tape) = tape() else { return };
    let whole = super::measure(&mut tape).unwrap();
    let pieces = super::in_pieces(&mut self::tape().unwrap(), 9_000).unwrap();
    let near = |a: Option<f64>, b: Option<f64>, by: f64| (a.unwrap() - b.unwrap()).abs() <= by;
    for lag in super::LAGS_MS {
        let (a, b) = (whole.taker[&lag], pieces.taker[&lag]);
        assert!(a.n.abs_diff(b.n) * 100 <= a.n, "{} {}", a.n, b.n);
        assert!(near(a.signed_bp, b.signed_bp, 0.01), "{a:?} {b:?}");
        assert!(near(a.abs_bp, b.abs_bp, 0.01), "{a:?} {b:?}");
    }
    let (a, b) = (whole.passive[&1], pieces.passive[&1]);
    assert!(a.n.abs_diff(b.n) * 20 <= a.n && near(a.shown, b.shown, 0.02), "{a:?} {b:?}");
    assert_eq!((whole.violations, pieces.violations), (0, 0));
}

const fn at(event: &SimEvent) -> Timestamp {
    match event {
        SimEvent::Filled(fill, _) => fill.at,
        SimEvent::Accepted(_, at)
        | SimEvent::Rejected(_, _, at)
        | SimEvent::Expired(_, _, at)
        | SimEvent::Cancelled(_, _, at) => *at,
    }
}
