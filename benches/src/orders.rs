//! What an order costs, and that it costs no more when there were a million.

use crate::rig::Rig;
use crate::tape::Tape;
use domain::{DataGrade, Span, StrategyKind, Timeframe};

/// Averages that cross at almost every print, and some that hardly ever do.
const BUSY: &str = r#"{"fast":2,"slow":3}"#;
const IDLE: &str = r#"{"fast":999,"slow":2000}"#;
/// Parts of the run that are compared.
const PARTS: usize = 10;
/// Processor time is told in ticks of 4 ms; a part shorter than ten of them tells nothing.
const PART_NS_MIN: f64 = 4e7;

pub(crate) fn run(prints: usize) {
    let prints = prints * 5;
    println!("orders, {prints} prints, EMA 2/3 against a bot that never orders:");
    let idle = measure(prints, IDLE, 0);
    let busy = measure(prints, BUSY, 0);
    let orders_of = |part: usize| busy[part].1 - if part > 0 { busy[part - 1].1 } else { 0 };
    for part in 0..PARTS {
        // A hold or a limit of the policy that binds would be measured as a cost.
        assert!(
            orders_of(part) > 0,
            "no orders in part {} of {PARTS}: what holds the bot?",
            part + 1
        );
    }
    let cost = |part: usize| (busy[part].0 - idle[part].0) / orders_of(part) as f64;
    for part in [0, PARTS / 2, PARTS - 1] {
        println!("  up to {} orders: {:.0} ns/order, target 1000", busy[part].1, cost(part));
    }
    let best = (0..PARTS).map(cost).fold(f64::INFINITY, f64::min);
    println!("    best part {best:.0} ns/order: {:.2} of it", best / 1_000.0);
    println!("  last over first: {:.2}", cost(PARTS - 1) / cost(0));
    let prints = prints / 2;
    let Some((alone, beside)) = an_order(prints, 0).zip(an_order(prints, 10_000)) else {
        return println!("  alone and beside 10000 bots: too few prints to tell");
    };
    println!(
        "  alone in its account {alone:.0} ns/order, beside 10000 bots {beside:.0} ns/order, checks \
         and all that follows: {:.2}; target of the checks 2000",
        beside / alone
    );
}

/// Cost of an order, the best part of a run; `None` where a part is over before the clock has
/// moved often enough.
fn an_order(prints: usize, beside: usize) -> Option<f64> {
    let (idle, busy) = (measure(prints, IDLE, beside), measure(prints, BUSY, beside));
    if busy.iter().any(|part| part.0 < PART_NS_MIN) {
        return None;
    }
    let orders = |part: usize| busy[part].1 - if part > 0 { busy[part - 1].1 } else { 0 };
    let cost = |part: usize| (busy[part].0 - idle[part].0) / orders(part) as f64;
    Some((0..PARTS).map(cost).fold(f64::INFINITY, f64::min))
}

/// Time of each part, and orders up to its end; beside so many bots that wait elsewhere.
fn measure(prints: usize, params: &str, beside: usize) -> Vec<(f64, u64)> {
    let mut rig = Rig::new(1_000);
    let id = rig.market("BTC/USDT", DataGrade::Trades);
    rig.bot("BTC/USDT", StrategyKind::EmaCross, params, Timeframe::Trade);
    rig.market("ETH/USDT", DataGrade::Trades);
    for _ in 0..beside {
        rig.bot("ETH/USDT", StrategyKind::EmaCross, IDLE, Timeframe::M15);
    }
    let mut tape = Tape::new(43, Span::from_millis(1));
    let part = |_| {
        let prints: Vec<_> = (0..prints / PARTS).map(|_| tape.next()).collect();
        let cpu = crate::cpu_ns();
        for print in &prints {
            rig.print(id, print);
        }
        rig.flush();
        (crate::cpu_ns() - cpu, rig.sink.orders)
    };
    (0..PARTS).map(part).collect()
}
