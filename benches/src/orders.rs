//! What an order costs, and that it costs no more when there were a million.

use crate::rig::Rig;
use crate::tape::Tape;
use domain::{DataGrade, Span, StrategyKind, Timeframe};

/// Parts of the run that are compared.
const PARTS: usize = 10;

pub(crate) fn run(prints: usize) {
    let prints = prints * 5;
    println!("orders, {prints} prints, EMA 2/3 against a bot that never orders:");
    let idle = measure(prints, r#"{"fast":999,"slow":2000}"#);
    let busy = measure(prints, r#"{"fast":2,"slow":3}"#);
    let cost = |part: usize| {
        let orders = (busy[part].1 - if part > 0 { busy[part - 1].1 } else { 0 }).max(1);
        ((busy[part].0 - idle[part].0) / orders as f64, busy[part].1)
    };
    for part in [0, PARTS / 2, PARTS - 1] {
        let (ns, orders) = cost(part);
        println!("  up to {orders} orders: {ns:.0} ns/order, target 1000");
    }
    println!("  last over first: {:.2}", cost(PARTS - 1).0 / cost(0).0);
}

/// Time of each part, and orders up to its end.
fn measure(prints: usize, params: &str) -> Vec<(f64, u64)> {
    let mut rig = Rig::new(1_000);
    let id = rig.market("BTC/USDT", DataGrade::Trades);
    rig.bot("BTC/USDT", StrategyKind::EmaCross, params, Timeframe::Trade);
    let mut tape = Tape::new(43, Span::from_millis(1));
    let part = |_| {
        let prints: Vec<_> = (0..prints / PARTS).map(|_| tape.next()).collect();
        let cpu = crate::cpu_ns();
        for print in prints {
            rig.print(id, print);
        }
        rig.flush();
        (crate::cpu_ns() - cpu, rig.sink.orders)
    };
    (0..PARTS).map(part).collect()
}
