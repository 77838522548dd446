//! Fidelity on tapes as Luno gives them: order by order with a key, polled without one.
#![allow(clippy::unwrap_used)] // a test may panic

use backtest::Recorded;
use backtest::fidelity::{Fidelity, measure};
use backtest::recording::Recording;
use backtest::tape::{Content, Header, Segment, assumed_instrument};
use domain::*;

/// How the market is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    OrderByOrder,
    /// The same stream, but nobody says who left.
    Levels,
    Polled,
}

/// One price on each side, whose orders stand in a row: who came first is first.
struct Maker {
    dice: u64,
    /// Quantity and the update with which it joined.
    rows: [Vec<(i64, u64)>; 2],
    now: Timestamp,
    update_id: u64,
    print_id: u64,
    way: Way,
    /// Prints of the round that is not over.
    waiting: Vec<Print>,
    told: Vec<Recorded>,
}

const PRICES: [Price; 2] = [Price(1_000_000), Price(1_001_000)];
const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

impl Maker {
    fn new(way: Way) -> Self {
        let rows = [0, 1].map(|_| (1..=8).map(|n| (n * 1_000, 1)).collect());
        let (told, waiting, now) = (Vec::new(), Vec::new(), Timestamp(1_700_000_000_000_000_000));
        let mut maker = Self { dice: 7, rows, now, update_id: 1, print_id: 1, way, waiting, told };
        let grade = match way {
            Way::Polled => DataGrade::Polled,
            _ => DataGrade::L3,
        };
        let book = maker.book(true);
        maker.tell(book);
        maker.tell(MarketEvent::Feed { state: FeedState::Fresh, grade });
        maker
    }

    fn below(&mut self, n: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.dice >> 33) % n
    }

    fn tell(&mut self, event: MarketEvent) {
        self.told.push(Recorded { at: self.now, instrument: 0, event });
    }

    fn book(&self, is_snapshot: bool) -> MarketEvent {
        let [bids, asks] = [0, 1].map(|side| {
            let quantity = Quantity(self.rows[side].iter().map(|(q, _)| q).sum());
            vec![Level { price: PRICES[side], quantity }]
        });
        let requested_at = (self.way == Way::Polled).then(|| self.now - Span::from_millis(80));
        let (update_id, at) = (self.update_id, Some(self.now));
        MarketEvent::Book(BookUpdate { is_snapshot, update_id, at, requested_at, bids, asks })
    }

    fn step(&mut self) {
        self.now = self.now + Span::from_millis(20);
        self.update_id += 1;
        let side = self.below(2) as usize;
        match self.below(8) {
            0..4 => {
                let quantity = self.below(9_000) as i64 + 1;
                self.rows[side].push((quantity, self.update_id));
            }
            4..7 if self.rows[side].len() > 4 => {
                let at = self.below(self.rows[side].len() as u64) as usize;
                let (quantity, joined_id) = self.rows[side].remove(at);
                let (price, quantity) = (PRICES[side], Quantity(quantity));
                let left = Withdrawn { side: SIDES[side], price, quantity, joined_id };
                if self.way == Way::OrderByOrder {
                    self.tell(MarketEvent::Withdrawn(left));
                }
            }
            _ => self.take(side),
        }
        if self.way != Way::Polled {
            let book = self.book(false);
            self.tell(book);
        } else if self.update_id.is_multiple_of(50) {
            let book = self.book(true);
            self.tell(book);
            let prints = std::mem::take(&mut self.waiting);
            prints.into_iter().for_each(|print| self.tell(MarketEvent::Print(print)));
        }
    }

    /// Somebody takes from the front of a row, but never all of it.
    fn take(&mut self, side: usize) {
        let sum: i64 = self.rows[side].iter().map(|(q, _)| q).sum();
        let quantity = (self.below(20_000) as i64 + 1).min(sum - 1);
        let mut rest = quantity;
        for (left, _) in &mut self.rows[side] {
            let part = rest.min(*left);
            (*left, rest) = (*left - part, rest - part);
        }
        self.rows[side].retain(|(left, _)| *left > 0);
        self.print_id += 1;
        let (taker_side, at, backfilled) = (SIDES[1 - side], self.now, false);
        let (price, quantity) = (PRICES[side], Quantity(quantity));
        let print = Print { id: self.print_id, price, quantity, taker_side, at, backfilled };
        match self.way {
            Way::Polled => self.waiting.push(print),
            _ => self.tell(MarketEvent::Print(print)),
        }
    }
}

fn measured(way: Way) -> Fidelity {
    let mut maker = Maker::new(way);
    (0..6_000).for_each(|_| maker.step());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("luno.tape");
    let symbol = "BTC/ZAR".parse().unwrap();
    let header = Header {
        content: Content::Events,
        instruments: vec![assumed_instrument(Exchange::Luno, symbol, 8, 8)],
        origin: String::new(),
        note: String::new(),
    };
    let mut segment = Segment::create(&path, header).unwrap();
    maker.told.into_iter().for_each(|record| segment.event(record).unwrap());
    segment.seal().unwrap();
    measure(&mut Recording::open(&[path]).unwrap()).unwrap()
}

#[test]
fn told_order_by_order_both_counts_of_a_queue_are_one() {
    let (exact, levels) = (measured(Way::OrderByOrder), measured(Way::Levels));
    println!("{exact}\n{levels}");
    for fidelity in [&exact, &levels] {
        assert_eq!(fidelity.violations, 0);
        assert!(fidelity.passive[&1].n > 400 && fidelity.taker[&0].n > 400);
        assert_eq!(fidelity.taker[&0].abs_bp, Some(0.0), "the price never moves");
    }
    // Levels alone leave a width, and the truth lies inside.
    let mut widths = 0;
    for horizon in [1, 5] {
        let (truth, guess) = (&exact.passive[&horizon], &levels.passive[&horizon]);
        assert_eq!(truth.shown, truth.optimistic, "{horizon} s");
        assert!(guess.shown <= truth.shown && truth.shown <= guess.optimistic, "{horizon} s");
        widths += usize::from(guess.shown < guess.optimistic);
    }
    assert!(widths > 0);
}

#[test]
fn a_polled_tape_is_measured_and_breaks_no_bound() {
    let polled = measured(Way::Polled);
    println!("{polled}");
    assert_eq!(polled.violations, 0);
    assert!(polled.passive[&5].n > 300 && polled.taker[&0].n > 400);
    // A print of before an order joined does not fill it: slower than where all is told at once.
    let told = measured(Way::Levels);
    assert!(polled.passive[&1].shown < told.passive[&1].shown);
    assert!(polled.passive[&30].shown > Some(0.0));
}
