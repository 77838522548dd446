//! Invariants of the whole core over a recorded market: money, restarts, size and grade of data.
//! Skipped where there is no recording.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;
/// The rig and the auditor of the core's own tests.
#[path = "../../engine/tests/common/mod.rs"]
mod core;

use self::core::{Rig, amount, audit, bot, wide};
use backtest::raw::Tape;
use backtest::{Recorded, Source};
use domain::*;
use engine::{Engine, Input, InputKind, NewBot, Output, StateRow};
use std::collections::BTreeMap;

/// All kinds, with parameters that trade often within minutes.
const KINDS: [(StrategyKind, &str); 8] = [
    (StrategyKind::EmaCross, r#"{"fast":8,"slow":21}"#),
    (StrategyKind::RsiReversion, r#"{"period":10,"buy_below":"35","sell_above":"55"}"#),
    (StrategyKind::BollingerReversion, r#"{"period":20,"deviations":"1.5"}"#),
    (StrategyKind::DonchianBreakout, r#"{"entry_period":15,"exit_period":8}"#),
    (StrategyKind::MacdTrend, r#"{"fast":6,"slow":13,"signal":5}"#),
    (StrategyKind::Grid, r#"{"range_percent":"0.3","levels":10,"stop_margin_percent":"1"}"#),
    (
        StrategyKind::Dca,
        r#"{"interval_bars":3,"safety_orders":3,"deviation_percent":"0.05",
            "target_percent":"0.1"}"#,
    ),
    (
        StrategyKind::MarketMaking,
        r#"{"min_spread_bp":"0","max_entries":3,"requote_bars":5,"max_hold_s":20}"#,
    ),
];

fn tape() -> Option<Tape> {
    let path = common::shared("data/binance_spot_btcusdt_20240808.raw.gz")?;
    Some(Tape::open(&[path]).unwrap())
}

/// With the file that goes on where the first one ends.
fn long_tape() -> Option<Tape> {
    let days = ["08", "09"].map(|day| format!("data/binance_spot_btcusdt_202408{day}.raw.gz"));
    let paths = days.map(|path| common::shared(&path));
    let paths: Vec<_> = paths.into_iter().collect::<Option<_>>()?;
    Some(Tape::open(&paths).unwrap())
}

/// A rig at the tape's first instant, with its market and an account.
fn opened(tape: &Tape, policy: Policy) -> (Rig, AccountId, InstrumentId) {
    let mut rig = Rig::new(policy);
    rig.now = tape.records()[0].at;
    let mut instrument = tape.instruments()[0].clone();
    // So low that the strategies' small edges are worth an order.
    (instrument.fees.maker, instrument.fees.taker) = (Rate::from_bp(1), Rate::from_bp(2));
    let id = rig.define(&instrument);
    let account = rig.account("main");
    rig.deposit(account, Exchange::Binance, "USDT", "1000000").unwrap();
    (rig, account, id)
}

fn tell(rig: &mut Rig, id: InstrumentId, records: &[Recorded]) {
    for record in records {
        // As the shell does: a timer at each deadline, then what was received.
        let deadline = rig.engine.next_deadline();
        if deadline <= record.at {
            rig.now = deadline.max(rig.now);
            rig.input(InputKind::Timer);
        }
        rig.now = record.at.max(rig.now);
        rig.market(id, record.event.clone());
    }
}

/// Every kind at once over so many records.
fn fleet(tape: &Tape, records: usize) -> Rig {
    let (mut rig, account, id) = opened(tape, wide());
    for (kind, params) in KINDS {
        rig.create(account, bot(kind.name(), "binance", kind, params)).unwrap();
    }
    tell(&mut rig, id, &tape.records()[..records]);
    rig
}

#[test]
fn money_is_constant_after_every_event_of_a_recorded_market() {
    let Some(tape) = tape() else { return };
    let rig = fleet(&tape, tape.records().len());
    // The auditor adds up each transfer as it comes: debits are credits, nothing free is negative,
    // and every wallet is deposits and what was earned.
    let balances = audit(&rig.out);
    let mut by_bot: BTreeMap<BotId, usize> = BTreeMap::new();
    rig.fills().iter().for_each(|f| *by_bot.entry(f.bot_id).or_default() += 1);
    assert_eq!(by_bot.len(), KINDS.len(), "a kind did not trade: {by_bot:?}");
    assert!(balances.trades.values().sum::<u32>() > 100, "{:?}", balances.trades);
    let mut charged: BTreeMap<OrderId, Amount> = BTreeMap::new();
    for fill in rig.fills() {
        assert!(!fill.fee.is_negative(), "{fill:?}");
        *charged.entry(fill.order_id).or_default() += fill.quantity;
    }
    for order in rig.last_orders() {
        let filled = charged.get(&order.id).copied().unwrap_or_default();
        assert_eq!(order.filled, filled, "{order:?}");
    }
}

#[test]
fn a_restart_in_the_middle_of_a_recorded_market_changes_nothing() {
    let Some(tape) = tape() else { return };
    let rig = fleet(&tape, 16_000);
    let apply = |engine: &mut Engine, inputs: &[Input]| {
        let mut out = Vec::new();
        inputs.iter().for_each(|input| engine.apply(input, &mut out));
        out
    };
    let facts = |out: Vec<Output>| -> Vec<String> {
        let is_fact = |o: &Output| {
            matches!(o, Output::Order(_) | Output::Fill(_) | Output::Transfer(_) | Output::Trade(_))
        };
        out.iter().filter(|o| is_fact(o)).map(|o| serde_json::to_string(o).unwrap()).collect()
    };
    let stop = rig.inputs.len() / 2;
    let mut first = Engine::new(rig.config.clone());
    let mut rows: BTreeMap<String, StateRow> = BTreeMap::new();
    let mut told = Vec::new();
    for chunk in rig.inputs[..stop].chunks(37) {
        told.extend(facts(apply(&mut first, chunk)));
        rows.extend(first.take_dirty().into_iter().map(|row| (row.key.clone(), row)));
    }
    // What survives is the state of the bots and their orders, not of the market: a stop that
    // should change nothing must find the market told again.
    first.touch_markets();
    rows.extend(first.take_dirty().into_iter().map(|row| (row.key.clone(), row)));
    let mut second = Engine::restore(rig.config.clone(), rows.into_values().collect()).unwrap();
    let before = told.len();
    told.extend(facts(apply(&mut second, &rig.inputs[stop..])));
    let copy = audit(&rig.out);
    assert!(before > 200 && !copy.books.is_empty(), "{before} facts before the stop");
    let whole = facts(rig.out);
    assert_eq!(whole[..before], told[..before]);
    for account in second.accounts() {
        for wallet in second.wallets(account.id) {
            assert!(!wallet.available.is_negative() && !wallet.reserved.is_negative());
        }
    }
}

/// Price by way, instant and side.
type Prices = BTreeMap<(usize, Timestamp, Side), f64>;

/// Crosses of the newest prints: each is a way of its own.
const WAYS: [&str; 2] = [r#"{"fast":2,"slow":3}"#, r#"{"fast":3,"slow":4}"#];

/// Orders of a bot whose wishes follow from the prints alone: the same at every grade and size.
fn prices(tape: &Tape, quote: i64, grade: DataGrade) -> Prices {
    (0..WAYS.len()).flat_map(|way| prices_of(tape, way, quote, grade)).collect()
}

fn prices_of(tape: &Tape, way: usize, quote: i64, grade: DataGrade) -> Prices {
    let hundred = Amount::from_int(100);
    let policy = Policy {
        order_size_max_percent: hundred,
        depth_share_max_percent: hundred,
        position_max_percent_balanced: hundred,
        ..wide()
    };
    let (mut rig, account, id) = opened(tape, policy);
    let cross = bot("ema", "binance", StrategyKind::EmaCross, WAYS[way]);
    let sizing = Some(Sizing::FixedQuote(Amount::from_int(quote)));
    let (capital, exits) = (amount("200000"), Some(Exits::default()));
    rig.create(account, NewBot { sizing, exits, capital, ..cross }).unwrap();
    let tells = |r: &&Recorded| match &r.event {
        MarketEvent::Book(_) => grade == DataGrade::L2Trades,
        MarketEvent::Touch(_) => grade != DataGrade::Trades,
        _ => true,
    };
    let as_graded = |r: &Recorded| match &r.event {
        MarketEvent::Feed { state, .. } => {
            let state = state.clone();
            Recorded { event: MarketEvent::Feed { state, grade }, ..*r }
        }
        _ => r.clone(),
    };
    let records: Vec<Recorded> = tape.records().iter().filter(tells).map(as_graded).collect();
    tell(&mut rig, id, &records);
    let filled = rig.last_orders().into_iter().filter(|o| o.status == OrderStatus::Filled);
    filled.map(|o| ((way, o.created_at, o.side), o.average_price.unwrap().to_f64())).collect()
}

/// Pairs, what each paid more in the second run on average, and half the width of its 95 %
/// interval, in basis points.
fn extra(first: &Prices, second: &Prices) -> (usize, f64, f64) {
    let pair = |(key, price): (&(usize, Timestamp, Side), &f64)| {
        let sign = if key.2 == Side::Buy { 1.0 } else { -1.0 };
        second.get(key).map(|other| sign * (other - price) / price * 1e4)
    };
    let all: Vec<f64> = first.iter().filter_map(pair).collect();
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n;
    let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (all.len(), mean, 1.96 * (variance / n).sqrt())
}

#[test]
fn neither_size_nor_poorer_data_improves_the_mean_fill_of_a_recorded_market() {
    let Some(tape) = long_tape() else { return };
    let plain = prices(&tape, 10, DataGrade::L2Trades);
    for (quote, grade) in
        [(50_000, DataGrade::L2Trades), (10, DataGrade::L1Trades), (10, DataGrade::Trades)]
    {
        let (pairs, extra, half) = extra(&plain, &prices(&tape, quote, grade));
        println!("{quote} USDT at {grade:?}: {extra:+.4} bp ± {half:.4} over {pairs} pairs");
        assert!(pairs >= 1_000, "{grade:?}: {pairs} pairs");
        assert!(extra >= -half, "{quote} at {grade:?}: {extra:.4} bp ± {half:.4}");
    }
}
