//! The measurement over recorded markets, which live beside the project; skipped without them.
#![allow(clippy::unwrap_used)] // a test may panic

use backtest::Source;
use backtest::fidelity::{Fidelity, measure};
use backtest::raw::Tape;
use backtest::recording::Recording;
use backtest::tape::{Content, Header, Segment};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn data(names: &[&str]) -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("AMARKTAI_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    // A worktree lies one level deeper.
    let deeper = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let roots = [root, Some(beside), Some(deeper)];
    let tapes = std::env::var_os("AMARKTAI_TAPES").map(PathBuf::from);
    let folders = roots.into_iter().flatten().map(|r| r.join("data")).chain(tapes);
    let files =
        |folder: PathBuf| -> Vec<PathBuf> { names.iter().map(|n| folder.join(n)).collect() };
    let found = folders.map(files).find(|files| files.iter().all(|f| f.exists()));
    if found.is_none() {
        println!("SKIPPED: {names:?} are not here; set AMARKTAI_SHARED or AMARKTAI_TAPES");
    }
    found
}

fn measured(names: &[&str]) -> Option<Fidelity> {
    static BITCOIN_ONCE: OnceLock<Option<Fidelity>> = OnceLock::new();
    if names == BITCOIN {
        return BITCOIN_ONCE.get_or_init(|| measure_files(names)).clone();
    }
    measure_files(names)
}

fn measure_files(names: &[&str]) -> Option<Fidelity> {
    let fidelity = measure(&mut Recording::open(&data(names)?).unwrap()).unwrap();
    println!("{fidelity}");
    Some(fidelity)
}

/// To two places, as the bounds are stated.
fn places(value: Option<f64>) -> f64 {
    (value.unwrap() * 100.0).round() / 100.0
}

const BITCOIN: [&str; 2] =
    ["binance_spot_btcusdt_20240808.raw.gz", "binance_spot_btcusdt_20240809.raw.gz"];

#[test]
fn takers_on_the_bitcoin_tape_pay_what_the_tape_says() {
    let Some(fidelity) = measured(&BITCOIN) else { return };
    let two = &fidelity.taker[&2];
    assert!(two.n > 7_000, "{} orders", two.n);
    assert!(two.signed_bp.unwrap().abs() <= 0.05);
    assert!(two.abs_bp.unwrap() <= 0.085);
    assert!(two.p95_bp.unwrap() <= 0.45);
    assert!(two.top5_signed_bp.unwrap().abs() <= 0.25);
    assert!(two.qty_weighted_signed_bp.unwrap().abs() <= 0.15);
    // Latency is a bias in the taker's favour, and must be seen as one.
    assert!((fidelity.taker[&100].signed_bp.unwrap() + 0.16).abs() <= 0.05);
    assert!(fidelity.taker[&0].abs_bp < fidelity.taker[&2].abs_bp, "nothing is as good as now");
}

#[test]
fn passive_orders_on_the_bitcoin_tape_fill_within_the_bounds() {
    let Some(fidelity) = measured(&BITCOIN) else { return };
    assert_eq!(fidelity.violations, 0);
    for (horizon, shown, optimistic) in [(1, 0.28, 0.38), (5, 0.59, 0.74), (30, 0.81, 0.88)] {
        let p = &fidelity.passive[&horizon];
        assert!(p.n > 2_000, "{} orders within {horizon} s", p.n);
        assert!(places(p.shown) >= shown, "{horizon} s: {:?}", p.shown);
        assert!(places(p.optimistic) <= optimistic, "{horizon} s: {:?}", p.optimistic);
        assert!(p.shown < p.optimistic);
    }
}

#[test]
fn bars_of_the_bitcoin_tape_are_no_cheaper_than_the_tape() {
    let Some(fidelity) = measured(&BITCOIN) else { return };
    assert!(fidelity.bars.n >= 900, "{:?}", fidelity.bars);
    assert!(fidelity.bars.mean_cost_difference_bp.unwrap() >= 0.0, "{:?}", fidelity.bars);
}

#[test]
fn order_of_the_files_does_not_matter() {
    let Some(files) = data(&BITCOIN) else { return };
    let reversed: Vec<PathBuf> = files.iter().rev().cloned().collect();
    let (one, other) = (Tape::open(&files).unwrap(), Tape::open(&reversed).unwrap());
    assert!(one.records() == other.records());
    assert_eq!(one.gaps(), 0);
    let instrument = &one.instruments()[0];
    assert_eq!(instrument.symbol.to_string(), "BTC/USDT");
    assert_eq!(instrument.price_amount(instrument.tick_size).to_string(), "0.01");
    // The lot is 0.00001; some old order in the book is finer.
    assert_eq!(instrument.quantity_amount(instrument.lot_size).to_string(), "0.000001");
}

#[test]
fn part_without_a_snapshot_is_measured_on_its_touch() {
    let Some(fidelity) = measured(&BITCOIN[1..]) else { return };
    assert!(fidelity.taker[&2].abs_bp.unwrap() <= 0.085);
    assert_eq!(fidelity.violations, 0);
}

#[test]
fn order_by_order_log_is_measured_exactly() {
    let Some(fidelity) = measured(&["bitstamp_btcusd_l3_20150501_first150min.log.gz"]) else {
        return;
    };
    assert!(fidelity.taker[&0].n > 100);
    assert!(fidelity.taker[&0].abs_bp.unwrap() <= 0.5, "{:?}", fidelity.taker[&0]);
    assert_eq!(fidelity.violations, 0);
}

#[test]
fn short_sessions_of_several_symbols_are_measured() {
    for name in ["binance_spot_4alts_20211012", "kucoin_spot_5pairs_20210425"] {
        let name = format!("{name}.session.jsonl.gz");
        let Some(fidelity) = measured(&[name.as_str()]) else { return };
        assert!(fidelity.taker[&0].n > 0 && fidelity.passive[&1].n > 100);
        assert_eq!(fidelity.violations, 0);
    }
}

/// KuCoin's ten seconds of a rush came in one burst: two milliseconds before they were told of, its
/// orders had not happened yet, however many there were. Told in order they are right.
#[test]
fn orders_of_one_burst_are_right_at_once_and_flattered_before_it() {
    let Some(fidelity) = measured(&["kucoin_spot_5pairs_20210425.session.jsonl.gz"]) else {
        return;
    };
    let [at_once, before] = [0, 2].map(|lag| fidelity.taker[&lag].signed_bp.unwrap());
    assert!(at_once.abs() <= 0.05, "{at_once}");
    assert!(before < -5.0, "{before}");
}

/// Keeps a recording as a tape of ours, in as many files.
fn kept(tape: &Tape, folder: &Path, files: usize) -> Vec<PathBuf> {
    let parts = tape.records().chunks(tape.records().len().div_ceil(files));
    let keep = |(i, part): (usize, &[backtest::Recorded])| {
        let path = folder.join(format!("{i}.tape"));
        let (content, instruments) = (Content::Events, tape.instruments().to_vec());
        let (origin, note) = (String::new(), String::new());
        let header = Header { content, instruments, origin, note };
        let mut segment = Segment::create(&path, header).unwrap();
        part.iter().for_each(|record| segment.event(record.clone()).unwrap());
        segment.seal().unwrap();
        path
    };
    parts.enumerate().map(keep).collect()
}

#[test]
fn a_tape_of_ours_is_measured_as_the_recording_that_it_was() {
    for name in [
        "binance_spot_4alts_20211012.session.jsonl.gz",
        "kucoin_spot_5pairs_20210425.session.jsonl.gz",
    ] {
        let Some(plain) = measured(&[name]) else { return };
        let tape = Tape::open(&data(&[name]).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut files = kept(&tape, folder.path(), 3);
        let whole = measure(&mut Recording::open(&[folder.path().to_owned()]).unwrap()).unwrap();
        assert_eq!(whole, plain, "{name}");
        // Named one by one, in any order.
        files.reverse();
        assert_eq!(measure(&mut Recording::open(&files).unwrap()).unwrap(), plain, "{name}");
    }
}

#[test]
fn tapes_that_do_not_belong_together_are_refused_by_name() {
    let name = "kucoin_spot_5pairs_20210425.session.jsonl.gz";
    let Some(raw) = data(&[name]) else { return };
    let tape = Tape::open(&raw).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let one = kept(&tape, folder.path(), 1).remove(0);
    let why = |paths: &[PathBuf]| match Recording::open(paths) {
        Ok(mut found) => measure(&mut found).map(|_| ()).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    let mixed = why(&[one.clone(), raw[0].clone()]);
    assert!(mixed.contains(name) && mixed.contains("raw recording among tapes"), "{mixed}");
    let twice = why(&[one.clone(), one]);
    assert!(twice.contains("0.tape") && twice.contains("before the tape before it"), "{twice}");
}
