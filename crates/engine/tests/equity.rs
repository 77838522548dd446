//! The series of equity: on the grid, with its flows, and the same over a restart.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Feed, Rig, amount, bot, wide};
use domain::*;
use engine::{Command, Engine, EquityRecord, Input, InputKind, Output};

const PARAMS: &str = r#"{"fast":2,"slow":4}"#;

fn points(out: &[Output]) -> Vec<EquityRecord> {
    let point = |o: &Output| if let Output::Equity(e) = o { Some(e.clone()) } else { None };
    out.iter().filter_map(point).collect()
}

fn rig() -> (Rig, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(wide());
    // Off the grid, so that the first point is between two of it.
    rig.pass(3_000);
    let request = bot("scout", "binance", StrategyKind::EmaCross, PARAMS);
    let id = rig.create(account, request).unwrap();
    (rig, account, id)
}

#[test]
fn a_life_has_a_point_at_funding_every_five_minutes_and_at_retirement() {
    let (mut rig, account, id) = rig();
    let funded_at = rig.now;
    rig.pass(900_000);
    rig.order(Some(account), Command::Retire(id)).unwrap();
    let retired_at = rig.now;
    rig.pass(900_000);
    let all = points(&rig.out);
    let capital = Amount::from_int(10_000);
    assert!(all.iter().all(|p| p.bot_id == id && p.exchange == Exchange::Binance));
    assert_eq!((all[0].at, all[0].flow, all[0].equity), (funded_at, capital, Some(capital)));
    let grid = |n: i64| common::START + Span::from_secs(300 * n);
    let times: Vec<Timestamp> = all[1..all.len() - 1].iter().map(|p| p.at).collect();
    assert_eq!(times, [grid(1), grid(2), grid(3)], "none before it was funded");
    assert!(all[1..4].iter().all(|p| p.flow.is_zero() && p.equity == Some(capital)));
    let last = all.last().unwrap();
    assert_eq!((last.at, last.flow), (retired_at, -capital));
    assert_eq!(last.equity, Some(Amount::ZERO));
}

#[test]
fn created_and_retired_at_once_leaves_two_points_that_sum_to_nothing() {
    let (mut rig, account, id) = rig();
    rig.order(Some(account), Command::Retire(id)).unwrap();
    let all = points(&rig.out);
    assert_eq!(all.len(), 2);
    assert!(all[0].at.to_string() < all[1].at.to_string(), "two rows of the store");
    assert_eq!(all[0].flow + all[1].flow, Amount::ZERO);
}

#[test]
fn a_bot_without_capital_has_no_points() {
    let (mut rig, account) = Rig::funded(wide());
    let mut request = bot("poor", "binance", StrategyKind::EmaCross, PARAMS);
    request.capital = amount("60000");
    let first = rig.create(account, request.clone()).unwrap();
    request.name = "poorer".to_owned();
    let _ = rig.create(account, request);
    rig.pass(600_000);
    assert!(points(&rig.out).iter().all(|p| p.bot_id == first));
    assert!(points(&rig.out).len() > 1);
}

#[test]
fn a_position_without_a_fresh_price_is_not_known() {
    let (mut rig, account) = Rig::funded(wide());
    let params = r#"{"safety_orders":0,"interval_bars":10000,"target_percent":50}"#;
    let request = bot("steady", "binance", StrategyKind::Dca, params);
    let id = rig.create(account, request).unwrap();
    let symbol = "BTC/USDT".parse().unwrap();
    let mut feed = Feed::new(rig.engine.instrument_id(Exchange::Binance, symbol).unwrap());
    feed.around(&mut rig, 1_000_000);
    feed.print(&mut rig, Side::Buy, 1_000_001, 1_000);
    rig.pass(100);
    assert!(rig.view(id).position.is_some(), "{}", rig.view(id).doing);
    rig.pass(300_000);
    let known = points(&rig.out).pop().unwrap();
    assert!(known.equity.unwrap() < Amount::from_int(10_000), "the fee is gone");
    feed.stale(&mut rig);
    rig.pass(300_000);
    let unknown = points(&rig.out).pop().unwrap();
    assert_eq!((unknown.bot_id, unknown.equity), (id, None));
}

#[test]
fn a_restart_neither_repeats_nor_skips_a_point() {
    let (mut rig, _, _) = rig();
    rig.pass(400_000);
    let rows = rig.engine.take_dirty();
    let mut again = Engine::restore(rig.config.clone(), rows).unwrap();
    let (mut on, mut restored) = (Vec::new(), Vec::new());
    for step in 1..60 {
        let at = rig.now + Span::from_secs(10 * step);
        let input = Input { at, kind: InputKind::Timer };
        rig.engine.apply(&input, &mut on);
        again.apply(&input, &mut restored);
    }
    assert_eq!(points(&on), points(&restored));
    assert!(!points(&on).is_empty());
}
