//! Markets that are polled: what was printed is known only once it was asked for.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use common::{Feed, Rig, bot, wide};
use domain::{
    BookUpdate, Exchange, InstrumentId, MarketEvent, Print, Side, Span, StrategyKind, Timeframe,
};

const PARAMS: &str = r#"{"fast":2,"slow":3}"#;

/// A book that was asked for now.
fn polled(rig: &mut Rig, id: InstrumentId, update_id: u64) {
    let update = BookUpdate {
        is_snapshot: true,
        update_id,
        at: None,
        requested_at: Some(rig.now),
        bids: vec![common::level((999_999, 100_000_000))],
        asks: vec![common::level((1_000_001, 100_000_000))],
    };
    rig.market(id, MarketEvent::Book(update));
}

#[test]
fn bar_waits_for_the_poll_that_asks_for_its_last_prints() {
    let (mut rig, account) = Rig::funded(wide());
    let mut request = bot("polled", "binance", StrategyKind::EmaCross, PARAMS);
    request.timeframe = Some(Timeframe::S1);
    rig.create(account, request).unwrap();
    rig.answer_wants();
    let symbol = "BTC/USDT".parse().unwrap();
    let id = rig.engine.instrument_id(Exchange::Binance, symbol).unwrap();
    let mut feed = Feed::new(id);
    feed.around(&mut rig, 1_000_000);
    rig.now = rig.now.floor(Span::from_secs(1)) + Span::from_secs(1);
    let start = rig.now;
    polled(&mut rig, id, 2_000);
    feed.print(&mut rig, Side::Buy, 1_000_001, 1_000);
    rig.pass(900);
    polled(&mut rig, id, 2_001);
    rig.pass(1_500);
    let bars = |rig: &Rig| {
        let all = rig.engine.bars(Exchange::Binance, symbol, Timeframe::S1, 10).unwrap();
        all.into_iter().filter(|b| b.open_at >= start).collect::<Vec<_>>()
    };
    assert!(bars(&rig).is_empty(), "the second's end was not asked for yet");
    let late = Print {
        id: 3,
        price: domain::Price(1_000_007),
        quantity: domain::Quantity(1_000),
        taker_side: Side::Buy,
        at: start + Span::from_millis(950),
        backfilled: false,
    };
    polled(&mut rig, id, 2_002);
    rig.market(id, MarketEvent::Print(late));
    rig.pass(1_000);
    polled(&mut rig, id, 2_003);
    rig.pass(100);
    let closed = bars(&rig);
    assert_eq!(closed[0].prints, 2, "both prints of the second are in its bar");
    assert!(closed[0].close > closed[0].open);
}
