//! The vectors of the fidelity design, through the venue itself.

mod common;
use common::*;
use domain::*;
use simulator::SimEvent;

/// Prices and quantities in thousandths.
const THIN: [(i64, i64); 10] = [
    (25_566, 14_270),
    (25_567, 48_484),
    (25_568, 92_349),
    (25_572, 31_480),
    (25_573, 23_000),
    (25_574, 20_000),
    (25_575, 89_606),
    (25_576, 262_016),
    (25_577, 178_557),
    (25_578, 78_614),
];

fn thin() -> Bench {
    Bench::with(Exchange::Binance, &[(25_565, 1_000)], &THIN)
}

#[test]
fn a_hundred_in_a_thin_book_pays_the_weighted_price() {
    let mut bench = thin();
    bench.send(Wish::market(Side::Buy, 100_000));
    let (quantity, value) = sums(&fills(&bench.take()));
    assert_eq!((quantity, value), (100_000, 2_556_722_976)); // 25.56722976
}

#[test]
fn a_thousand_in_a_thin_book_fills_only_what_was_there() {
    let mut bench = thin();
    let id = bench.send(Wish::market(Side::Buy, 1_000_000));
    let events = bench.take();
    let (quantity, value) = sums(&fills(&events));
    assert_eq!(quantity, 838_376);
    assert_eq!(value * 100_000 / i128::from(quantity), 2_557_444_152); // 25.57444152
    let code = "INSUFFICIENT_LIQUIDITY".into();
    assert_eq!(events.last(), Some(&SimEvent::Expired(id, code, bench.now)));
    assert!(bench.venue.is_idle());
    bench.send(Wish::market(Side::Buy, 1));
    assert_eq!(bench.fills(), [], "everything was taken");
}

#[test]
fn two_buys_in_one_instant_do_not_both_get_the_best_level() {
    let mut bench = thin();
    bench.send(Wish::market(Side::Buy, 14_270));
    assert_eq!(bench.fills(), [(25_566, 14_270)]);
    bench.send(Wish::market(Side::Buy, 14_270));
    assert_eq!(bench.fills(), [(25_567, 14_270)]);
}

#[test]
fn prints_eat_the_queue_ahead_before_they_fill_us() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 100)], &[(101, 100)]);
    bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.take();
    for (print, filled) in [(80, vec![]), (30, vec![(100, 10)]), (50, vec![(100, 40)])] {
        bench.print(Side::Sell, 100, print);
        assert_eq!(bench.fills(), filled, "after a print of {print}");
    }
    assert!(bench.venue.is_idle());
}

#[test]
fn what_was_taken_stays_taken_until_the_level_changes() {
    let mut bench = Bench::with(Exchange::Binance, &[(999, 1)], &[(1_000, 100)]);
    let mut taken = vec![];
    for quantity in [30, 50, 50] {
        bench.send(Wish::market(Side::Buy, quantity));
        taken.extend(bench.fills());
    }
    assert_eq!(taken, [(1_000, 30), (1_000, 50), (1_000, 20)]);
    // The level shows less: our takes shrink with it, and stay whole where it shows more.
    bench.depth(false, &[], &[(1_000, 60)]);
    bench.send(Wish::market(Side::Buy, 10));
    assert_eq!(bench.fills(), []);
    bench.depth(false, &[], &[(1_000, 75)]);
    bench.send(Wish::market(Side::Buy, 50));
    assert_eq!(bench.fills(), [(1_000, 15)]);
    bench.depth(false, &[], &[(1_000, 0), (1_001, 5)]);
    bench.depth(false, &[], &[(1_000, 40)]);
    bench.send(Wish::market(Side::Buy, 50));
    assert_eq!(bench.fills(), [(1_000, 40), (1_001, 5)], "a level that went is new liquidity");
}

#[test]
fn a_market_order_for_more_than_the_book_ends_expired() {
    let mut bench = Bench::with(Exchange::Binance, &[(99, 5)], &[(100, 2), (101, 2)]);
    let id = bench.send(Wish::market(Side::Buy, 6));
    let events = bench.take();
    assert_eq!(sums(&fills(&events)).0, 4);
    assert!(matches!(events.last(), Some(SimEvent::Expired(e, _, _)) if *e == id));
}

#[test]
fn a_quote_told_before_its_print_moves_the_queue_once() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 100)], &[(101, 100)]);
    bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.take();
    // 80 traded; the quote says 20, then the print of it comes: 20 are still ahead of us.
    bench.touch((100, 20), (101, 100));
    bench.print(Side::Sell, 100, 80);
    assert_eq!(bench.fills(), []);
    // Later trades are news.
    bench.pass(10);
    bench.print(Side::Sell, 100, 25);
    assert_eq!(bench.fills(), [(100, 5)]);
}

#[test]
fn a_level_beyond_the_known_depth_is_no_empty_queue() {
    let bids = [(100, 10), (99, 10), (98, 10)];
    let mut bench = Bench::with(Exchange::Binance, &bids, &[(101, 10)]);
    bench.send(Wish::limit(Side::Buy, 90, 50));
    bench.print(Side::Sell, 90, 500);
    assert_eq!(bench.fills(), [], "nobody knows how long the queue at 90 is");
    bench.depth(true, &[(90, 40), (89, 10)], &[(91, 10)]);
    bench.pass(10);
    bench.print(Side::Sell, 90, 45);
    assert_eq!(bench.fills(), [(90, 5)], "40 were ahead");
}

#[test]
fn a_crossing_quote_and_its_print_fill_once() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 10)], &[(102, 10)]);
    bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.take();
    // The ask falls to our price: 30 are displayed there, and we are hit for them at our price.
    bench.touch((99, 5), (100, 30));
    assert_eq!(bench.fills(), [(100, 30)]);
    bench.print(Side::Sell, 100, 30);
    assert_eq!(bench.fills(), [], "the print that made the cross was used already");
    bench.pass(10);
    bench.print(Side::Sell, 100, 30);
    assert_eq!(bench.fills(), [(100, 20)]);
}

#[test]
fn a_gap_stops_fills_until_the_book_is_whole_again() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 10)], &[(101, 10)]);
    bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.take();
    bench.feed = FeedState::Resyncing("gap".to_owned());
    bench.print(Side::Sell, 100, 500);
    bench.print(Side::Sell, 90, 500);
    assert_eq!(bench.fills(), []);
    let id = bench.send(Wish::market(Side::Sell, 5));
    let code = "NO_VALID_BOOK".into();
    assert_eq!(bench.take(), [SimEvent::Rejected(id, code, bench.now)]);
    // After it the queue is the shorter of what was ahead and what is shown.
    bench.feed = FeedState::Fresh;
    bench.depth(true, &[(100, 400)], &[(101, 10)]);
    bench.pass(10);
    bench.print(Side::Sell, 100, 15);
    assert_eq!(bench.fills(), [(100, 5)]);
}

#[test]
fn prints_fetched_after_a_gap_fill_what_rested_then() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 10)], &[(101, 10)]);
    bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.take();
    let joined = bench.now;
    bench.pass(10_000);
    bench.feed = FeedState::Resyncing("gap".to_owned());
    bench.print_at(Side::Sell, 100, 500, joined - Span(1), true);
    assert_eq!(bench.fills(), [], "it did not rest yet");
    bench.print_at(Side::Sell, 100, 30, joined + Span::from_millis(1), true);
    let filled = fills(&bench.take());
    assert_eq!(filled[0].quantity, Quantity(20));
    assert_eq!(filled[0].grade, DataGrade::Backfilled);
}

#[test]
fn post_only_ioc_and_fok_end_as_each_exchange_ends_them() {
    let cross = Wish::limit(Side::Buy, 101, 30);
    let book = |exchange| Bench::with(exchange, &[(100, 10)], &[(101, 20)]);
    let end = |exchange, wish: Wish| -> (i64, String) {
        let mut bench = book(exchange);
        bench.send(wish);
        let events = bench.take();
        let word = match events.last() {
            Some(SimEvent::Rejected(_, code, _)) => format!("rejected {code}"),
            Some(SimEvent::Expired(_, code, _)) => format!("expired {code}"),
            Some(SimEvent::Cancelled(_, reason, _)) => format!("cancelled {reason:?}"),
            other => format!("{other:?}"),
        };
        (sums(&fills(&events)).0, word)
    };
    let (ioc, fok) = (cross.lasting(TimeInForce::Ioc), cross.lasting(TimeInForce::Fok));
    let table = [
        (Exchange::Binance, cross.post_only(), (0, "rejected -2010")),
        (Exchange::Kucoin, cross.post_only(), (0, "cancelled PostOnly")),
        (Exchange::Binance, ioc, (20, "expired UNFILLED_IOC_QUANTITY_EXPIRED")),
        (Exchange::Binance, fok, (0, "expired UNFILLED_FOK_ORDER_EXPIRED")),
    ];
    for (exchange, wish, (quantity, word)) in table {
        assert_eq!(end(exchange, wish), (quantity, word.to_owned()), "{exchange} {wish:?}");
    }
}

#[test]
fn a_fill_can_beat_a_cancel_and_nothing_comes_after_the_end() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 0), (99, 10)], &[(101, 10)]);
    let id = bench.send(Wish::limit(Side::Buy, 100, 50));
    bench.take();
    bench.cancel(id, Span::from_millis(60));
    bench.now = bench.now + Span::from_millis(59);
    bench.print(Side::Sell, 100, 20);
    assert_eq!(bench.fills(), [(100, 20)]);
    bench.pass(1);
    let events = bench.take();
    assert!(matches!(events[..], [SimEvent::Cancelled(c, CancelReason::Strategy, _)] if c == id));
    bench.print(Side::Sell, 100, 100);
    bench.cancel(id, Span::ZERO);
    assert_eq!(bench.take(), []);
}

#[test]
fn a_polled_book_executes_only_once_it_was_asked_for_after_the_arrival() {
    let mut bench = Bench::with(Exchange::Luno, &[(100, 10)], &[(101, 10)]);
    let (_, approved) = bench.approve(Wish::market(Side::Buy, 5));
    bench.venue.submit(approved, Span::from_millis(60));
    let due = bench.now + Span::from_millis(60);
    bench.now = due + Span::from_millis(500);
    let mut events = vec![];
    let mut venue = bench.venue.clone();
    let state = simulator::MarketState { requested_at: Some(due - Span(1)), ..bench.state() };
    venue.advance(bench.now, &state, &mut events);
    assert_eq!(events, []);
    let state = simulator::MarketState { requested_at: Some(due), ..bench.state() };
    venue.advance(bench.now, &state, &mut events);
    assert_eq!(fills(&events).len(), 1);
}

#[test]
fn an_order_never_trades_with_one_of_its_own_account() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 10)], &[(102, 10)]);
    let resting = bench.send(Wish::limit(Side::Sell, 101, 5));
    bench.take();
    bench.send(Wish::limit(Side::Buy, 102, 3));
    let events = bench.take();
    let code = "EXPIRED_IN_MATCH".into();
    assert_eq!(events[0], SimEvent::Expired(resting, code, bench.now));
    assert_eq!(sums(&fills(&events)), (3, 306));
}

#[test]
fn a_buy_never_pays_beyond_what_was_held_for_it() {
    let mut bench = Bench::with(Exchange::Binance, &[(999, 1)], &[(1_000, 1)]);
    let (_, approved) = bench.approve(Wish::market(Side::Buy, 10));
    let worst = approved.worst_price().unwrap();
    assert_eq!(worst, Price(2_000), "the touch and a collar of 100 %");
    bench.venue.submit(approved, Span::from_millis(50));
    bench.depth(true, &[(1_998, 1)], &[(1_999, 4), (2_000, 1), (2_001, 100)]);
    bench.pass(50);
    assert_eq!(bench.fills(), [(1_999, 4), (2_000, 1)]);
    assert!(bench.venue.is_idle());
}

#[test]
fn own_orders_that_a_taker_does_not_reach_stay() {
    let mut bench = Bench::with(Exchange::Binance, &[(100, 10)], &[(101, 10), (103, 10)]);
    let behind = bench.send(Wish::limit(Side::Sell, 101, 5));
    let far = bench.send(Wish::limit(Side::Sell, 102, 5));
    bench.take();
    // 4 of the 10 that stand before us at 101: nobody gets to ours, whatever the limit allows.
    bench.send(Wish::limit(Side::Buy, 105, 4));
    assert_eq!(bench.fills(), [(101, 4)]);
    assert_eq!(bench.venue.open_count(), 2);
    // The rest of that level, and one more: ours at both prices would have been hit.
    bench.send(Wish::limit(Side::Buy, 105, 7));
    let events = bench.take();
    let code = "EXPIRED_IN_MATCH";
    assert_eq!(events[0], SimEvent::Expired(behind, code.into(), bench.now));
    assert_eq!(events[1], SimEvent::Expired(far, code.into(), bench.now));
    let took: Vec<_> = fills(&events).iter().map(|f| (f.price.0, f.quantity.0)).collect();
    assert_eq!(took, [(101, 6), (103, 1)]);
}

#[test]
fn a_post_only_order_that_meets_our_own_is_no_maker_either() {
    for (exchange, is_rejected) in [(Exchange::Binance, true), (Exchange::Kucoin, false)] {
        let mut bench = Bench::with(exchange, &[(100, 10)], &[(110, 10)]);
        let resting = bench.send(Wish::limit(Side::Sell, 105, 5));
        bench.take();
        let id = bench.send(Wish::limit(Side::Buy, 106, 5).post_only());
        let said = bench.take();
        match is_rejected {
            true => assert!(matches!(said[..], [SimEvent::Rejected(it, ..)] if it == id)),
            false => assert_eq!(said, [SimEvent::Cancelled(id, CancelReason::PostOnly, bench.now)]),
        }
        assert!(bench.venue.waiting(resting).is_some(), "nothing happened to what rests");
    }
}
