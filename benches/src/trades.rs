//! One bot on a tape of single trades.

use crate::rig::Rig;
use crate::tape::Tape;
use domain::{DataGrade, Span, StrategyKind, Timeframe};
use std::time::Instant;

/// What a run gave.
pub(crate) struct Run {
    pub(crate) ns_a_trade: f64,
    pub(crate) hash: u64,
}

/// Runs `prints` past an EMA cross with these periods.
pub(crate) fn ema(prints: usize, periods: (u16, u16), chunk: usize) -> Run {
    let mut rig = Rig::new(chunk);
    let id = rig.market("BTC/USDT", DataGrade::Trades);
    let params = format!(r#"{{"fast":{},"slow":{}}}"#, periods.0, periods.1);
    rig.bot("BTC/USDT", StrategyKind::EmaCross, &params, Timeframe::Trade);
    let mut tape = Tape::new(42, Span::from_millis(1));
    let tape: Vec<_> = (0..prints).map(|_| tape.next()).collect();
    let (started, cpu) = (Instant::now(), crate::cpu_ns());
    for print in &tape {
        rig.print(id, print);
    }
    rig.flush();
    let wall = started.elapsed().as_nanos() as f64 / prints as f64;
    let ns_a_trade = (crate::cpu_ns() - cpu) / prints as f64;
    let sink = &rig.sink;
    println!(
        "  EMA {}/{}: {ns_a_trade:.1} ns/trade ({wall:.1} by the clock); {} orders ({:.2} %), {} trades, {} refusals, hash \
         {:016x}, chunk {chunk}",
        periods.0,
        periods.1,
        sink.orders,
        sink.orders as f64 * 100.0 / prints as f64,
        sink.trades,
        sink.refusals,
        sink.hash()
    );
    Run { ns_a_trade, hash: sink.hash() }
}

pub(crate) fn run(prints: usize) {
    println!("trade tape, {prints} prints, one bot on every print:");
    for (periods, target) in [((500, 1_000), 60.0), ((10, 20), 120.0)] {
        let (one, other) = (ema(prints, periods, 1_000), ema(prints, periods, 7));
        assert_eq!(one.hash, other.hash, "the same inputs must give the same outputs");
        let best = one.ns_a_trade.min(other.ns_a_trade);
        println!("    best {best:.1} ns/trade, target {target}: {:.2} of it", best / target);
    }
}
