//! The exchange's filters on arrival: what fitted when it was sent need not fit any more.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use proptest::prelude::*;
use simulator::SimEvent;

/// Sends an order that fits, changes the market on its way, and says how it was answered.
fn answered(exchange: Exchange, wish: Wish, change: impl FnOnce(&mut Bench)) -> String {
    let mut bench = Bench::with(exchange, &[(9_990, 5_000)], &[(10_000, 5_000)]);
    let (_, approved) = bench.approve(wish);
    bench.venue.submit(approved, Span::from_millis(50));
    change(&mut bench);
    bench.pass(50);
    match bench.take().remove(0) {
        SimEvent::Rejected(_, code, _) => code.into_owned(),
        other => panic!("not rejected: {other:?}"),
    }
}

fn band(percent: i64) -> PercentBand {
    let (up, down) = (Rate::from_percent(100 + percent), Rate::from_percent(100 - percent));
    PercentBand { bid_up: up, bid_down: down, ask_up: up, ask_down: down, average_minutes: 5 }
}

#[test]
fn a_filter_that_changed_on_the_way_rejects_with_the_exchanges_own_code() {
    type Change = fn(&mut Bench);
    let limit = Wish::limit(Side::Buy, 9_900, 100);
    let market = Wish::market(Side::Buy, 100);
    let table: [(&str, Wish, Change, [&str; 3]); 10] = [
        (
            "tick",
            limit,
            |b| b.instrument.tick_size = Price(7),
            ["-1013", "400100", "ErrPriceDenominationNotAllowed"],
        ),
        (
            "low",
            limit,
            |b| b.instrument.min_price = Some(Price(9_901)),
            ["-1013", "400100", "ErrPriceTooLow"],
        ),
        (
            "high",
            limit,
            |b| b.instrument.max_price = Some(Price(9_899)),
            ["-1013", "400100", "ErrPriceTooHigh"],
        ),
        (
            "lot",
            limit,
            |b| b.instrument.lot_size = Quantity(7),
            ["-1013", "400100", "ErrVolumeDenominationNotAllowed"],
        ),
        (
            "small",
            limit,
            |b| b.instrument.min_quantity = Quantity(101),
            ["-1013", "300000", "ErrVolumeTooLow"],
        ),
        (
            "large",
            market,
            |b| b.instrument.max_market_quantity = Some(Quantity(99)),
            ["-1013", "300000", "ErrVolumeTooHigh"],
        ),
        (
            "cheap",
            limit,
            |b| b.instrument.min_notional = Amount::from_int(1_000),
            ["-1013", "600100", "ErrInvalidCounterVolume"],
        ),
        (
            "dear",
            limit,
            |b| b.instrument.max_notional = "0.5".parse().ok(),
            ["-1013", "400100", "ErrValueTooHigh"],
        ),
        (
            "band",
            limit,
            |b| (b.instrument.percent_band, b.last_price) = (Some(band(1)), Some(Price(10_100))),
            ["-1013", "400370", "ErrPriceTooHigh"],
        ),
        (
            "halt",
            market,
            |b| b.instrument.status = InstrumentStatus::Halted,
            ["-2010", "400600", "ErrMarketUnavailable"],
        ),
    ];
    for (name, wish, change, codes) in table {
        for (exchange, code) in Exchange::ALL.into_iter().zip(codes) {
            assert_eq!(answered(exchange, wish, change), code, "{exchange}: {name}");
        }
    }
}

#[test]
fn the_band_is_around_the_average_of_the_last_minutes() {
    let mut average = market::Average::over(5);
    let at = Timestamp(1_000_000_000_000);
    for (id, price) in [(1, 10_000), (2, 10_400)] {
        let (price, quantity) = (Price(price), Quantity(10));
        average.add(&Print { id, price, quantity, taker_side: Side::Buy, at, backfilled: false });
    }
    let rejected = answered(Exchange::Binance, Wish::limit(Side::Buy, 9_900, 100), |bench| {
        (bench.instrument.percent_band, bench.last_price) = (Some(band(2)), Some(Price(10_000)));
        bench.average = Some(average);
    });
    assert_eq!(rejected, "-1013", "2 % under the last print, 3 % under the average");
}

#[test]
fn orders_over_the_accounts_count_are_rejected_and_market_orders_are_not_counted() {
    let mut bench = Bench::with(Exchange::Binance, &[(9_990, 5_000)], &[(10_000, 5_000)]);
    bench.instrument.max_open_orders = Some(2);
    let wishes = [9_900, 9_800, 9_700].map(|price| Wish::limit(Side::Buy, price, 100));
    let sent: Vec<_> = wishes.map(|wish| bench.approve(wish)).into();
    let ids: Vec<OrderId> = sent.iter().map(|(id, _)| *id).collect();
    for (_, approved) in sent {
        bench.venue.submit(approved, Span::from_millis(50));
    }
    assert_eq!(bench.venue.live_count(), 3, "on their way they count already");
    bench.pass(50);
    let events = bench.take();
    assert!(
        matches!(&events[2], SimEvent::Rejected(id, code, _) if *id == ids[2] && code == "-1013")
    );
    assert_eq!((bench.venue.open_count(), bench.venue.live_count()), (2, 2));
    bench.send(Wish::market(Side::Buy, 100));
    assert_eq!(bench.fills().len(), 1);
}

proptest! {
    /// Invariant 14: whatever is sent, what fills or rests is on the tick and on the lot, and
    /// rounding is never in our favour.
    #[test]
    fn fills_are_on_tick_and_lot_and_fees_round_against_the_user(
        tick in 1i64..9,
        lot in 1i64..9,
        orders in prop::collection::vec((any::<bool>(), any::<bool>(), -40i64..40, 1i64..200), 1..40),
        places in 0u8..9,
        fee in -5i64..80,
    ) {
        let exchange = Exchange::Kucoin;
        let mut bench = Bench::new(exchange);
        bench.instrument.fees.places = places;
        bench.instrument.fees.taker = Rate::from_bp(fee);
        let level = |n: i64, sign: i64| ((1_000 + sign * n) * tick, 50 * lot);
        let side = |sign: i64| (1..20).map(|n| level(n, sign)).collect::<Vec<_>>();
        bench.depth(true, &side(-1), &side(1));
        for (is_buy, is_market, distance, quantity) in orders {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            // Not on the tick, not on the lot: approved under coarser rules than there are now.
            let wish = match is_market {
                true => Wish::market(side, quantity),
                false => Wish::limit(side, 1_000 * tick + distance, quantity),
            };
            (bench.instrument.tick_size, bench.instrument.lot_size) = (Price(1), Quantity(1));
            let (_, approved) = bench.approve(wish);
            (bench.instrument.tick_size, bench.instrument.lot_size) = (Price(tick), Quantity(lot));
            bench.venue.submit(approved, Span::ZERO);
            bench.advance();
            let is_on_lot = quantity % lot == 0;
            let is_on_tick = is_market || (1_000 * tick + distance) % tick == 0;
            let events = bench.take();
            let is_rejected = matches!(events[0], SimEvent::Rejected(..));
            prop_assert_eq!(is_rejected, !(is_on_lot && is_on_tick), "{:?}", events);
            for fill in fills(&events) {
                prop_assert_eq!((fill.price.0 % tick, fill.quantity.0 % lot), (0, 0));
                let value = bench.instrument.notional(fill.price, fill.quantity, Round::Down);
                let exact = value.times(bench.instrument.fees.taker, Round::Down);
                prop_assert!(fill.fee >= exact, "{} < {exact}", fill.fee);
                let unit = Amount::from_scaled(1, places, Round::Up);
                prop_assert!(fill.fee - exact <= unit, "more than one unit of rounding");
            }
        }
    }
}
