//! Bars: boundaries, gaps, late prints, a stop in between, and a naive model.
#![allow(clippy::unwrap_used)] // a panic is how a test says no

use domain::{Bar, Price, Print, Quantity, Side, Span, Timeframe, Timestamp};
use market::{BarBuilder, PrintIds};
use proptest::prelude::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms).unwrap()
}

fn print(id: u64, ms: i64, price: i64) -> Print {
    Print {
        id,
        price: Price(price),
        quantity: Quantity(10),
        taker_side: Side::Buy,
        at: at(ms),
        backfilled: false,
    }
}

/// A builder of seconds, and what it delivered as (start in ms, open, high, low, close, prints).
struct Rig {
    builder: BarBuilder,
    bars: Vec<Bar>,
}

impl Rig {
    fn new(ids: PrintIds, since_ms: i64) -> Self {
        Self { builder: BarBuilder::new(Timeframe::S1, ids, at(since_ms)), bars: vec![] }
    }

    fn print(&mut self, id: u64, ms: i64, price: i64) {
        self.builder.on_print(&print(id, ms, price), &mut |b| self.bars.push(b));
    }

    fn time(&mut self, ms: i64) {
        self.builder.on_time(at(ms), &mut |b| self.bars.push(b));
    }

    fn give_up(&mut self) {
        self.builder.give_up(&mut |b| self.bars.push(b));
    }

    fn seen(&self) -> Vec<(i64, [i64; 4], u32)> {
        let figures = |b: &Bar| [b.open.0, b.high.0, b.low.0, b.close.0];
        self.bars.iter().map(|b| (b.open_at.as_millis(), figures(b), b.prints)).collect()
    }
}

#[test]
fn a_later_print_closes_the_bar() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    for (id, ms, price) in [(1, 100, 50), (2, 300, 55), (3, 500, 45), (4, 999, 52)] {
        rig.print(id, ms, price);
    }
    assert_eq!(rig.seen(), []);
    rig.print(5, 1_000, 60);
    assert_eq!(rig.seen(), [(0, [50, 55, 45, 52], 4)]);
    assert_eq!(rig.bars[0].volume, Quantity(40));
}

#[test]
fn the_timer_closes_it_half_a_second_after_the_boundary_and_not_before() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    assert_eq!(rig.builder.next_deadline(), None);
    rig.print(1, 100, 50);
    assert_eq!(rig.builder.next_deadline(), Some(at(1_500)));
    rig.time(1_499);
    assert_eq!(rig.seen(), []);
    rig.time(1_500);
    assert_eq!(rig.seen(), [(0, [50; 4], 1)]);
    assert_eq!(rig.builder.next_deadline(), Some(at(2_500)));
}

#[test]
fn without_prints_the_previous_close_is_carried_on_with_volume_zero() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    rig.print(1, 100, 50);
    rig.print(2, 200, 53);
    rig.time(2_500);
    rig.print(3, 3_100, 60);
    let want = [(0, [50, 53, 50, 53], 2), (1_000, [53; 4], 0), (2_000, [53; 4], 0)];
    assert_eq!(rig.seen(), want);
    assert_eq!(rig.bars[1].volume, Quantity::ZERO);
}

#[test]
fn the_bar_that_had_begun_before_we_watched_is_dropped() {
    let mut rig = Rig::new(PrintIds::Rising, 500);
    rig.print(1, 600, 50);
    rig.print(7, 1_200, 51);
    rig.print(9, 2_100, 52);
    assert_eq!(rig.seen(), [(1_000, [51; 4], 1)]);
    assert_eq!(rig.builder.counts().incomplete, 1);
}

#[test]
fn a_missing_id_holds_the_bar_and_those_after_it_until_it_is_backfilled() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    rig.print(1, 100, 50);
    rig.print(4, 900, 51); // 2 and 3 are missing
    rig.print(5, 1_100, 52);
    rig.print(6, 2_100, 53);
    assert_eq!(rig.seen(), []);
    assert_eq!(rig.builder.missing().collect::<Vec<_>>(), [(2, 3)]);
    rig.print(3, 800, 70);
    assert_eq!(rig.seen(), []);
    rig.print(2, 700, 40);
    assert_eq!(rig.seen(), [(0, [50, 70, 40, 51], 4), (1_000, [52; 4], 1)]);
    assert_eq!(rig.builder.missing().count(), 0);
    assert_eq!(rig.builder.counts().incomplete, 0);
}

#[test]
fn an_id_missing_across_a_boundary_may_belong_to_either_bar() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    rig.print(1, 100, 50);
    rig.print(3, 2_100, 53); // 2 may be in any of three bars
    rig.time(3_600);
    assert_eq!(rig.seen(), []);
    rig.print(2, 1_500, 58);
    let want = [(0, [50; 4], 1), (1_000, [58; 4], 1), (2_000, [53; 4], 1)];
    assert_eq!(rig.seen(), want);
}

#[test]
fn given_up_bars_are_dropped_counted_and_the_next_ones_flow() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    rig.print(1, 100, 50);
    rig.print(3, 200, 51);
    rig.print(4, 1_100, 52);
    rig.print(5, 2_100, 53);
    rig.give_up();
    assert_eq!(rig.seen(), [(1_000, [52; 4], 1)]);
    rig.print(6, 3_000, 54);
    assert_eq!(rig.seen().len(), 2);
    assert_eq!((rig.builder.counts().incomplete, rig.builder.counts().gaps), (1, 1));
}

#[test]
fn prints_that_the_connector_lost_drop_every_bar_of_that_time() {
    let mut rig = Rig::new(PrintIds::Rising, 0);
    rig.print(10, 100, 50);
    rig.builder.lost(at(400), at(2_300));
    rig.print(90, 2_400, 51);
    rig.print(91, 3_100, 52);
    rig.print(99, 4_000, 53);
    assert_eq!(rig.seen(), [(3_000, [52; 4], 1)]);
    assert_eq!(rig.builder.counts().incomplete, 3);
}

#[test]
fn late_and_repeated_prints_are_counted_and_change_nothing() {
    let mut rig = Rig::new(PrintIds::Rising, 0);
    rig.print(1, 100, 50);
    rig.print(2, 1_100, 51);
    rig.print(3, 900, 99); // of a bar that was delivered
    rig.print(2, 1_100, 98);
    rig.print(4, 2_000, 52);
    assert_eq!(rig.seen(), [(0, [50; 4], 1), (1_000, [51; 4], 1)]);
    let counts = rig.builder.counts();
    assert_eq!((counts.late_prints, counts.repeated_prints, counts.delivered), (1, 1, 2));
}

#[test]
fn every_print_is_a_bar_of_the_trade_timeframe() {
    let mut builder = BarBuilder::new(Timeframe::Trade, PrintIds::Contiguous, at(0));
    let mut bars = vec![];
    for p in [print(1, 5, 50), print(2, 5, 51), print(2, 5, 51), print(9, 7, 52)] {
        builder.on_print(&p, &mut |b| bars.push((b.open_at, b.close.0, b.prints)));
    }
    assert_eq!(bars, [(at(5), 50, 1), (at(5), 51, 1), (at(7), 52, 1)]);
    assert_eq!((builder.counts().gaps, builder.counts().repeated_prints), (1, 1));
    assert_eq!(builder.next_deadline(), None);
}

#[test]
fn a_broken_feed_cannot_make_it_grow() {
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    for n in 0..20_000 {
        rig.print(2 * n, n as i64 * 500, 50); // every other id is missing
    }
    assert!(rig.builder.missing().count() <= 16);
    assert!(serde_json::to_string(&rig.builder).unwrap().len() < 8_000);
    let mut rig = Rig::new(PrintIds::Contiguous, 0);
    rig.print(1, 0, 50);
    rig.print(3, 100, 51);
    for n in 4..10_000 {
        rig.print(n, n as i64 * 1_000, 50); // one hole that nobody repairs
    }
    assert!(rig.seen().len() > 1_000);
    assert_eq!(rig.builder.missing().count(), 0);
}

#[test]
fn a_jump_over_more_than_a_day_of_seconds_makes_no_empty_bars() {
    let mut rig = Rig::new(PrintIds::Rising, 0);
    rig.print(1, 0, 50);
    rig.print(2, 86_500_000, 51);
    rig.print(3, 86_501_000, 52);
    assert_eq!(rig.seen(), [(86_500_000, [51; 4], 1)]);
    assert_eq!(rig.builder.counts().incomplete, 86_500);
}

/// Bars by grouping all prints afterwards.
fn naive(prints: &[Print]) -> Vec<(i64, [i64; 4], u32)> {
    let (first, last) = (prints[0].at.as_millis() / 1_000, prints.last().unwrap().at.as_millis());
    let mut close = 0;
    let mut bars = vec![];
    for second in first..last / 1_000 {
        let prices: Vec<i64> = prints
            .iter()
            .filter(|p| p.at.as_millis() / 1_000 == second)
            .map(|p| p.price.0)
            .collect();
        let open = *prices.first().unwrap_or(&close);
        close = *prices.last().unwrap_or(&close);
        let high = *prices.iter().max().unwrap_or(&close);
        let low = *prices.iter().min().unwrap_or(&close);
        bars.push((second * 1_000, [open, high, low, close], prices.len() as u32));
    }
    bars
}

proptest! {
    #[test]
    fn bars_agree_with_grouping_afterwards(
        steps in prop::collection::vec((0i64..2_500, 1i64..100), 1..60),
        hidden in prop::collection::btree_set(1usize..58, 0..6),
        stop in 0usize..60,
    ) {
        let mut ms = 0;
        let prints: Vec<Print> = (1..).zip(&steps).map(|(id, (step, price))| {
            ms += step;
            print(id, ms, *price)
        }).collect();
        let mut rig = Rig::new(PrintIds::Contiguous, 0);
        let hidden: Vec<&Print> = hidden.iter().filter_map(|n| prints.get(*n)).collect();
        for (n, p) in prints.iter().enumerate() {
            if n == stop {
                let saved = serde_json::to_string(&rig.builder).unwrap();
                rig.builder = serde_json::from_str(&saved).unwrap();
            }
            if n + 1 == prints.len() || !hidden.contains(&p) {
                rig.builder.on_print(p, &mut |b| rig.bars.push(b));
            }
        }
        for p in hidden {
            rig.builder.on_print(p, &mut |b| rig.bars.push(b));
        }
        prop_assert_eq!(rig.seen(), naive(&prints));
        prop_assert_eq!(rig.builder.counts().late_prints, 0);
    }

    #[test]
    fn prints_in_any_disorder_never_panic_and_bars_rise_in_time(
        prints in prop::collection::vec((0u64..200, -5_000i64..100_000, 1i64..9), 1..200),
        contiguous: bool,
    ) {
        let ids = if contiguous { PrintIds::Contiguous } else { PrintIds::Rising };
        let mut rig = Rig::new(ids, 0);
        for (n, (id, ms, price)) in prints.into_iter().enumerate() {
            rig.print(id, ms, price);
            if n % 7 == 0 {
                rig.time(ms + 3_000);
            }
        }
        rig.give_up();
        let bars = &rig.bars;
        prop_assert!(bars.windows(2).all(|w| w[0].open_at < w[1].open_at));
        let second = |b: &Bar| b.open_at == b.open_at.floor(Span::from_secs(1));
        prop_assert!(bars.iter().all(second));
        let whole = |b: &Bar| b.low <= b.open.min(b.close) && b.high >= b.open.max(b.close);
        prop_assert!(bars.iter().all(whole));
    }
}
