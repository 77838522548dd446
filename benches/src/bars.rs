//! A backtest of a year of one-minute bars, and a sweep of variants over the same data.

use backtest::decoded::{Market, Tape};
use backtest::run::{Job, run};
use backtest::sweep::{Axis, Choice, Keeper, Score, Space, Sweep, sweep};
use domain::{
    Amount, Bar, Exchange, Policy, Price, Quantity, Span, StrategyConfig, StrategyKind, Timeframe,
    Timestamp,
};
use engine::{EngineConfig, NewBot};
use std::ops::ControlFlow;
use std::time::Instant;

/// Minutes of a year.
const BARS: i64 = 525_600;
/// 2025-01-01.
const START: Timestamp = Timestamp(1_735_689_600_000_000_000);

/// A walk that is the same each time.
fn bars(count: i64) -> Vec<Bar> {
    let (mut price, mut dice) = (4_000_000_000_000i64, 1u64);
    let bar = |n: i64| {
        let mut below = |most: i64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            (dice >> 11) as i64 % most
        };
        let open = price;
        price = (price + (below(4_001) - 2_000) * 1_000_000).max(1_000_000_000);
        let (high, low) = (open.max(price) + below(500_000_000), open.min(price));
        Bar {
            open_at: START + Span::from_secs(60 * n),
            open: Price(open),
            high: Price(high),
            low: Price((low - below(500_000_000)).max(1)),
            close: Price(price),
            volume: Quantity(1_000_000_000 + below(5_000_000_000)),
            prints: 1,
        }
    };
    (0..count).map(bar).collect()
}

pub(crate) fn job(kind: StrategyKind) -> Job {
    let bot = NewBot {
        name: kind.name().to_owned(),
        exchange: "binance".to_owned(),
        symbol: symbol(),
        strategy: StrategyConfig { kind, params: Default::default() },
        timeframe: Some(Timeframe::M1),
        risk_mode: Default::default(),
        capital: Amount::from_int(10_000),
        sizing: None,
        exits: None,
        managed: false,
    };
    let policy = Policy::default();
    let engine = EngineConfig { seed: 1, latency_ms_p50: 60.0, latency_ms_p99: 250.0, policy };
    Job { bots: vec![bot], from: None, to: None, engine, keeps_everything: false }
}

pub(crate) fn symbol() -> domain::Symbol {
    let code = |text: &str| text.parse().expect("a plain code of four letters at most");
    domain::Symbol { base: code("BTC"), quote: code("USDT") }
}

pub(crate) fn run_all(scale: usize) {
    let count = BARS * scale as i64 / 1_000_000;
    let instrument =
        backtest::market::instrument(Exchange::Binance, symbol(), (8, 8), Default::default());
    let market = Market {
        instrument,
        bars: bars(count),
        timeframe: Timeframe::M1,
        half_spread_bp: 1,
        gaps: Vec::new(),
        files: Vec::new(),
        notes: Vec::new(),
    };
    let tape = Tape::of_bars(vec![market]);
    println!("backtest: {count} one-minute bars, one bot, after loading");
    for kind in [StrategyKind::EmaCross, StrategyKind::Dca, StrategyKind::Grid] {
        let mut best = f64::INFINITY;
        let mut trades = 0;
        for _ in 0..3 {
            let before = super::cpu_ns();
            match run(&tape, &job(kind), &mut |_| ControlFlow::Continue(())) {
                Ok(outcome) => trades = outcome.trades.len(),
                Err(error) => println!("  {kind}: {error}"),
            }
            best = best.min(super::cpu_ns() - before);
        }
        let (s, each) = (best / 1e9, best / count as f64);
        println!(
            "  {kind:20} {s:.3} s of processor ({each:.0} ns a bar), {trades} trades; target 0.2 s"
        );
    }
    variants(&tape, count);
}

/// Sixteen variants on two threads: busy cores, and what a run costs next to one alone.
fn variants(tape: &Tape, count: i64) {
    let axis = |text: &str| Axis::parse(text).ok();
    let axes = [axis("fast=5..20:5"), axis("slow=30..60:10")].into_iter().flatten().collect();
    let what = |threads| Sweep {
        job: job(StrategyKind::EmaCross),
        space: Space { axes },
        choice: Choice::Grid,
        runs: 16,
        windows: 4,
        score: Score::Sharpe,
        threads,
    };
    let (wall, busy) = (Instant::now(), all_cpu_ns());
    let done = sweep(tape, &what(2), &mut Keeper::default(), &mut |_, _| ControlFlow::Continue(()));
    let (wall, busy) = (wall.elapsed().as_secs_f64(), (all_cpu_ns() - busy) / 1e9);
    let variants = done.map_or(0, |all| all.len());
    let each = busy * 1e9 / (variants.max(1) as f64 * count as f64);
    println!(
        "  sweep: {variants} variants in {wall:.2} s, {:.0} % of two cores (target 80 %), \
         {each:.0} ns a bar and variant",
        busy / wall / 2.0 * 100.0
    );
}

/// Processor time of all threads, in nanoseconds.
fn all_cpu_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold blanks: user and system time are the 12th and 13th word.
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = words.skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    ticks * 1e7
}
