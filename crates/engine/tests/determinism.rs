//! The same inputs give the same outputs, over a stop in the middle too.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;
use std::collections::BTreeMap;

/// Bots whose state is their own or made of single prints: nothing of them has to warm up anew.
fn bots(exchange: &str) -> Vec<NewBot> {
    use StrategyKind::*;
    vec![
        bot("ema", exchange, EmaCross, r#"{"fast":3,"slow":8}"#),
        bot("rsi", exchange, RsiReversion, r#"{"period":5,"buy_below":40,"sell_above":60}"#),
        bot("grid", exchange, Grid, r#"{"range_percent":2,"levels":4}"#),
        bot(
            "dca",
            exchange,
            Dca,
            r#"{"deviation_percent":0.2,"safety_orders":3,"target_percent":0.5}"#,
        ),
        bot(
            "maker",
            exchange,
            MarketMaking,
            r#"{"min_spread_bp":0,"max_entries":2,"max_hold_s":60}"#,
        ),
    ]
}

fn market(rig: &Rig, exchange: Exchange) -> InstrumentId {
    rig.engine.instrument_id(exchange, "BTC/USDT".parse().unwrap()).unwrap()
}

/// A run with a new connection in its middle; says where that began.
fn run(walk: &Walk) -> (Rig, usize) {
    let (mut rig, account) = Rig::funded(wide());
    for bot in bots("binance") {
        rig.create(account, bot).unwrap();
    }
    let mut tape = Tape::new(market(&rig, Exchange::Binance), walk);
    tape.open(&mut rig);
    (0..walk.steps / 2).for_each(|_| tape.step(&mut rig));
    let stop = rig.inputs.len();
    rig.switches(|_| {});
    tape.feed.stale(&mut rig);
    tape.open(&mut rig);
    (0..walk.steps / 2).for_each(|_| tape.step(&mut rig));
    (rig, stop)
}

fn apply(engine: &mut Engine, inputs: &[Input]) -> Vec<Output> {
    let mut out = vec![];
    inputs.iter().for_each(|input| engine.apply(input, &mut out));
    out
}

/// What money sees: orders, fills, transfers and trades.
fn facts(out: &[Output]) -> Vec<&Output> {
    let is_fact = |o: &&Output| {
        matches!(o, Output::Order(_) | Output::Fill(_) | Output::Transfer(_) | Output::Trade(_))
    };
    out.iter().filter(is_fact).collect()
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let (rig, _) = run(&Walk::default());
    let bytes = |out: &[Output]| serde_json::to_vec(out).unwrap();
    let again = apply(&mut Engine::new(rig.config.clone()), &rig.inputs);
    assert_eq!(bytes(&again), bytes(&rig.out));
    assert!(rig.trades().len() > 20);
}

#[test]
fn a_stop_at_a_snapshot_changes_nothing_that_follows() {
    for seed in 1..=4 {
        let (rig, stop) = run(&Walk { seed, ..Walk::default() });
        let mut first = Engine::new(rig.config.clone());
        // Rows as a store keeps them: each batch over the ones before.
        let mut rows: BTreeMap<String, StateRow> = BTreeMap::new();
        let mut store = |engine: &mut Engine| {
            rows.extend(engine.take_dirty().into_iter().map(|row| (row.key.clone(), row)));
        };
        let mut before = vec![];
        for chunk in rig.inputs[..stop].chunks(37) {
            before.extend(apply(&mut first, chunk));
            store(&mut first);
        }
        first.touch_markets();
        store(&mut first);
        drop(first);
        let rows = rows.into_values().collect();
        let mut second = Engine::restore(rig.config.clone(), rows).unwrap();
        let after = apply(&mut second, &rig.inputs[stop..]);
        let whole = facts(&rig.out);
        let parts: Vec<_> = facts(&before).into_iter().chain(facts(&after)).collect();
        let differs = whole.iter().zip(&parts).position(|(a, b)| a != b);
        assert_eq!(differs.map(|n| (whole[n], parts[n])), None, "seed {seed}");
        assert_eq!(whole.len(), parts.len());
        assert!(facts(&after).len() > 50, "nothing happened after the stop");
    }
}

#[test]
fn a_kill_loses_nothing_that_was_stored() {
    let (rig, _) = run(&Walk::default());
    // Killed after any batch: what was stored with it is enough to go on, and the books agree.
    let mut engine = Engine::new(rig.config.clone());
    let mut rows: BTreeMap<String, StateRow> = BTreeMap::new();
    let mut out = vec![];
    for chunk in rig.inputs.chunks(500) {
        out.extend(apply(&mut engine, chunk));
        rows.extend(engine.take_dirty().into_iter().map(|row| (row.key.clone(), row)));
        let copy = Engine::restore(rig.config.clone(), rows.values().cloned().collect()).unwrap();
        for account in engine.accounts() {
            assert_eq!(copy.wallets(account.id), engine.wallets(account.id));
        }
        for (old, new) in engine.bots(None).iter().zip(copy.bots(None)) {
            assert_eq!(
                (old.cash, old.dust, old.open_orders),
                (new.cash, new.dust, new.open_orders)
            );
            assert_eq!((old.trades, old.realized_pnl), (new.trades, new.realized_pnl));
        }
    }
}

#[test]
fn one_bot_more_changes_no_other() {
    let of = |out: &[Output], last: u32| -> Vec<String> {
        let is_theirs = |o: &&Output| match o {
            Output::Order(o) => o.bot_id.0 <= last,
            Output::Fill(f) => f.bot_id.0 <= last,
            Output::Trade(t) => t.bot_id.0 <= last,
            _ => false,
        };
        out.iter().filter(is_theirs).map(|o| format!("{o:?}")).collect()
    };
    let go = |more: Option<&str>| {
        let (mut rig, account) = Rig::funded(wide());
        for bot in bots("binance") {
            rig.create(account, bot).unwrap();
        }
        if let Some(exchange) = more {
            let owner = if exchange == "kucoin" { account } else { rig.account("other") };
            if owner != account {
                rig.deposit(owner, Exchange::Binance, "USDT", "50000").unwrap();
            }
            let params = r#"{"fast":2,"slow":5}"#;
            rig.create(owner, bot("more", exchange, StrategyKind::EmaCross, params)).unwrap();
        }
        let walk = Walk { steps: 1_500, ..Walk::default() };
        let (here, there) = (market(&rig, Exchange::Binance), market(&rig, Exchange::Kucoin));
        let (mut tape, mut other) = (Tape::new(here, &walk), Tape::new(there, &walk));
        tape.open(&mut rig);
        other.open(&mut rig);
        for _ in 0..walk.steps {
            tape.step(&mut rig);
            let now = rig.now;
            other.step(&mut rig);
            rig.now = now;
        }
        (of(&rig.out, 5), rig.trades().iter().filter(|t| t.bot_id.0 == 6).count())
    };
    let (alone, _) = go(None);
    assert!(alone.len() > 200);
    for exchange in ["kucoin", "binance"] {
        let (with_another, trades) = go(Some(exchange));
        assert!(trades > 5, "the other one trades, too");
        assert!(alone == with_another, "a bot on {exchange} changed the others");
    }
}

#[test]
fn what_comes_later_changes_nothing_before() {
    let (rig, _) = run(&Walk { steps: 1_000, ..Walk::default() });
    let middle = rig.inputs.len() / 2;
    let mut bent = rig.inputs.clone();
    for input in &mut bent[middle..] {
        if let InputKind::Market { event: MarketEvent::Print(print), .. } = &mut input.kind {
            print.price = Price(print.price.0 * 2);
        }
    }
    let half = apply(&mut Engine::new(rig.config.clone()), &rig.inputs[..middle]);
    let other = apply(&mut Engine::new(rig.config.clone()), &bent);
    assert!(rig.out[..half.len()] == half[..] && other[..half.len()] == half[..]);
    assert!(rig.out != other, "the future matters to the future");
}

#[test]
fn another_path_of_prices_gives_other_trades() {
    let profits = |seed| -> Vec<Amount> {
        let (rig, _) = run(&Walk { seed, steps: 1_000, ..Walk::default() });
        rig.trades().iter().map(|t| t.profit_loss).collect()
    };
    assert_ne!(profits(1), profits(2));
}

#[test]
fn a_round_trip_at_frozen_prices_loses_fees_and_spread() {
    let (mut rig, account) = Rig::funded(Policy::default());
    let params = r#"{"safety_orders":0,"interval_bars":10000}"#;
    let id = rig.create(account, bot("one", "kucoin", StrategyKind::Dca, params)).unwrap();
    let mut feed = Feed::new(market(&rig, Exchange::Kucoin));
    feed.around(&mut rig, 1_000_000);
    feed.print(&mut rig, Side::Buy, 1_000_001, 1_000);
    rig.pass(100);
    rig.order(Some(account), Command::Flatten(id)).unwrap();
    rig.pass(100);
    let trade = rig.trades()[0];
    // 35 % of 10,000 at 10,000.01 buys 0.34999; sold at 9,999.99; 0.1 % of both legs.
    let bought = amount("3499.9034999");
    let sold = amount("3499.8965001");
    assert_eq!(trade.amount, amount("0.34999"));
    assert_eq!(trade.gross_profit, sold - bought);
    assert_eq!(trade.fees, amount("3.4999035") + amount("3.49989651"));
    assert_eq!(trade.profit_loss, sold - bought - trade.fees);
    assert_eq!(trade.slippage, Some(bought - sold), "half the spread on each side");
    audit(&rig.out);
}
