//! Filters that change, halts and delistings: what becomes of orders, positions and scales.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;

fn feed(rig: &Rig) -> Feed {
    let symbol = "BTC/USDT".parse().unwrap();
    Feed::new(rig.engine.instrument_id(Exchange::Binance, symbol).unwrap())
}

/// A grid whose three buys rest, the first at 9991.97.
fn with_grid() -> (Rig, Feed, BotId) {
    let (mut rig, account) = Rig::funded(wide());
    let params = r#"{"range_percent":4,"levels":4}"#;
    let id = rig.create(account, bot("grid", "binance", StrategyKind::Grid, params)).unwrap();
    let mut feed = feed(&rig);
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(200);
    assert_eq!(resting(&rig).len(), 3, "{}", rig.view(id).doing);
    (rig, feed, id)
}

fn holding() -> (Rig, Feed, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(Policy::default());
    let params = r#"{"safety_orders":0,"interval_bars":10000,"target_percent":50}"#;
    let id = rig.create(account, bot("one", "binance", StrategyKind::Dca, params)).unwrap();
    let mut feed = feed(&rig);
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(100);
    assert!(rig.view(id).position.is_some(), "{}", rig.view(id).doing);
    (rig, feed, account, id)
}

fn resting(rig: &Rig) -> Vec<&OrderRecord> {
    rig.last_orders().into_iter().filter(|o| o.status == OrderStatus::Open).collect()
}

fn changed(change: impl FnOnce(&mut Instrument)) -> Instrument {
    let mut instrument = binance("BTC/USDT");
    change(&mut instrument);
    instrument
}

#[test]
fn orders_that_no_longer_fit_are_cancelled_with_the_reason_and_laid_anew() {
    let (mut rig, mut feed, _) = with_grid();
    rig.define(&changed(|i| i.fees.source = "newer".to_owned()));
    rig.pass(200);
    assert_eq!(resting(&rig).len(), 3, "fees are no filter");
    rig.define(&changed(|i| i.tick_size = Price(100)));
    rig.pass(200);
    assert_eq!(resting(&rig).len(), 0);
    let gone: Vec<_> = rig.last_orders().iter().map(|o| (o.status, o.cancel_reason)).collect();
    assert_eq!(gone, [(OrderStatus::Cancelled, Some(CancelReason::Filter)); 3]);
    for _ in 0..3 {
        feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
        rig.pass(200);
    }
    let prices: Vec<Amount> = resting(&rig).iter().filter_map(|o| o.limit_price).collect();
    assert_eq!(prices.len(), 3);
    let is_whole = |p: &Amount| p.to_scaled(0, Round::Down) == p.to_scaled(0, Round::Up);
    assert!(prices.iter().all(is_whole), "{prices:?}");
}

#[test]
fn a_smaller_order_than_the_new_minimum_goes_and_the_others_stay() {
    let (mut rig, _, _) = with_grid();
    let mut values: Vec<Amount> = resting(&rig)
        .iter()
        .map(|o| o.limit_price.unwrap().product(o.quantity, Round::Up).unwrap())
        .collect();
    values.sort();
    let between = (values[0] + values[1]).part(1, 2, Round::Down);
    assert!(values[0] < between && between < values[1], "{values:?}");
    rig.define(&changed(|i| i.min_notional = between));
    rig.pass(200);
    assert_eq!(resting(&rig).len(), 2);
}

#[test]
fn a_halt_makes_a_bot_reduce_only_until_the_exchange_trades_again() {
    for (status, word) in
        [(InstrumentStatus::Halted, "halted"), (InstrumentStatus::Delisted, "delisted")]
    {
        let (mut rig, mut feed, bot) = with_grid();
        rig.define(&changed(|i| i.status = status));
        rig.pass(200);
        assert!(rig.has_hold(bot, Hold::InstrumentHalted));
        assert_eq!(rig.view(bot).doing, format!("Paused: BTC/USDT is {word} on binance."));
        assert_eq!(resting(&rig).len(), 0, "entries do not rest");
        feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
        rig.pass(200);
        assert_eq!(resting(&rig).len(), 0, "and none are laid");
        rig.define(&changed(|_| {}));
        assert!(!rig.has_hold(bot, Hold::InstrumentHalted));
        for _ in 0..3 {
            feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
            rig.pass(200);
        }
        assert_eq!(resting(&rig).len(), 3, "{}", rig.view(bot).doing);
    }
}

#[test]
fn a_position_in_a_halted_instrument_is_kept_and_sold_as_soon_as_it_trades() {
    let (mut rig, mut feed, account, bot) = holding();
    rig.define(&changed(|i| i.status = InstrumentStatus::Halted));
    rig.order(Some(account), Command::Flatten(bot)).unwrap();
    rig.pass(5_000);
    assert!(rig.trades().is_empty() && rig.view(bot).position.is_some());
    assert_eq!(rig.last_orders().len(), 1, "nothing is sent that would be refused");
    rig.define(&changed(|_| {}));
    feed.around(&mut rig, MID);
    rig.pass(2_000);
    assert_eq!(rig.trades().len(), 1, "{}", rig.view(bot).doing);
    audit(&rig.out);
}

#[test]
fn nothing_rests_into_a_halted_market_and_fills_there() {
    let (mut rig, mut feed, _) = with_grid();
    rig.define(&changed(|i| i.status = InstrumentStatus::Halted));
    // The book still moves through our prices before the cancellations arrive.
    feed.around(&mut rig, MID * 98 / 100);
    rig.pass(200);
    assert!(rig.fills().is_empty());
}

#[test]
fn a_bot_made_while_its_instrument_is_halted_waits_for_it() {
    let (mut rig, account) = Rig::funded(wide());
    rig.define(&changed(|i| i.status = InstrumentStatus::CancelOnly));
    let params = r#"{"range_percent":4,"levels":4}"#;
    let id = rig.create(account, bot("grid", "binance", StrategyKind::Grid, params)).unwrap();
    assert!(rig.has_hold(id, Hold::InstrumentHalted));
    rig.define(&changed(|_| {}));
    assert!(!rig.has_hold(id, Hold::InstrumentHalted));
}

#[test]
fn another_scale_of_the_exchange_changes_no_figure_of_ours() {
    let (mut rig, mut feed, account, bot) = holding();
    let cost = rig.view(bot).position.unwrap().cost;
    // A tenth as the tick, told at one decimal place.
    rig.define(&changed(|i| (i.price_scale, i.tick_size) = (1, Price(1))));
    let market = rig.engine.market(Exchange::Binance, "BTC/USDT".parse().unwrap()).unwrap();
    assert_eq!((market.tick_size, market.best_bid), (amount("0.1"), Some(amount("9999.99"))));
    assert_eq!(rig.view(bot).position.unwrap().cost, cost);
    // A tick that our scale cannot hold: nothing new is begun here.
    rig.define(&changed(|i| (i.price_scale, i.tick_size) = (3, Price(1))));
    assert!(rig.has_hold(bot, Hold::InstrumentHalted));
    rig.define(&changed(|_| {}));
    rig.order(Some(account), Command::Flatten(bot)).unwrap();
    feed.around(&mut rig, MID);
    rig.pass(2_000);
    assert_eq!(rig.trades()[0].exit_price, amount("9999.99"));
    audit(&rig.out);
}
