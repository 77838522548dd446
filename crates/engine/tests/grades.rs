//! Invariant 9 of the simulated exchange: neither a larger order nor poorer data improves the mean
//! fill. The same orders at the same instants, over at least a thousand pairs.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;
use std::collections::BTreeMap;

/// Price per instant and side; positive is what is paid.
type Prices = BTreeMap<(Timestamp, Side), f64>;

/// Orders of a bot whose wishes follow from the prints alone: they are the same at every grade.
fn prices(grade: DataGrade, quote: i64, seed: u64) -> Prices {
    let (mut rig, account) = Rig::funded(wide());
    let cross = bot("ema", "binance", StrategyKind::EmaCross, r#"{"fast":2,"slow":3}"#);
    let sizing = Some(Sizing::FixedQuote(Amount::from_int(quote)));
    let none = Some(Exits::default());
    rig.create(account, NewBot { sizing, exits: none, ..cross }).unwrap();
    let id = rig.engine.instrument_id(Exchange::Binance, "BTC/USDT".parse().unwrap()).unwrap();
    let mut tape = Tape::new(id, &Walk { seed, steps: 4_000, ..Walk::default() });
    tape.grade = grade;
    tape.run(&mut rig);
    let trips: Vec<i64> = rig.fills().iter().map(|f| f.round_trip.0).collect();
    assert!(trips.iter().all(|t| *t == 50_000_000), "the latency of each is reported");
    let filled = rig.last_orders().into_iter().filter(|o| o.status == OrderStatus::Filled);
    filled.map(|o| ((o.created_at, o.side), o.average_price.unwrap().to_f64())).collect()
}

/// What each pair paid more in the second run, in basis points.
fn extra(first: &Prices, second: &Prices) -> Vec<f64> {
    let pair = |(key, price): (&(Timestamp, Side), &f64)| {
        let sign = if key.1 == Side::Buy { 1.0 } else { -1.0 };
        second.get(key).map(|other| sign * (other - price) / price * 1e4)
    };
    first.iter().filter_map(pair).collect()
}

/// Mean and half the width of its 95 % interval.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, 1.96 * (variance / n).sqrt())
}

fn compare(better: (DataGrade, i64), worse: (DataGrade, i64)) -> (usize, f64, f64) {
    let mut all = Vec::new();
    for seed in 1..=4 {
        all.extend(extra(&prices(better.0, better.1, seed), &prices(worse.0, worse.1, seed)));
    }
    let (mean, half) = mean(&all);
    (all.len(), mean, half)
}

#[test]
fn a_larger_order_never_pays_less_on_average() {
    let (pairs, extra, half) = compare((DataGrade::L2Trades, 10), (DataGrade::L2Trades, 3_000));
    assert!(pairs >= 1_000, "{pairs} pairs");
    assert!(extra > half, "{extra:.4} bp ± {half:.4}: size must cost");
}

#[test]
fn poorer_data_never_pays_less_on_average() {
    for grade in [DataGrade::L1Trades, DataGrade::Trades] {
        let (pairs, extra, half) = compare((DataGrade::L2Trades, 10), (grade, 10));
        assert!(pairs >= 1_000, "{grade:?}: {pairs} pairs");
        assert!(extra >= -half, "{grade:?}: {extra:.4} bp ± {half:.4}");
    }
}
