//! A thousand bots, all with different parameters, computing on every trade of ten symbols.

use crate::rig::Rig;
use crate::tape::Tape;
use domain::{DataGrade, Span, StrategyKind, Timeframe};

const SYMBOLS: usize = 10;
const BOTS_A_SYMBOL: usize = 100;

pub(crate) fn run(prints: usize) {
    let (mut rig, mut tapes, mut ids) = (Rig::new(1_000), Vec::new(), Vec::new());
    for symbol in 0..SYMBOLS {
        let name = format!("C{symbol}/USDT");
        ids.push(rig.market(&name, DataGrade::Trades));
        for bot in 0..BOTS_A_SYMBOL {
            let (fast, slow) = (100 + bot * 7 + symbol, 1_000 + bot * 9);
            let params = format!(r#"{{"fast":{fast},"slow":{slow}}}"#);
            rig.bot(&name, StrategyKind::EmaCross, &params, Timeframe::Trade);
        }
        tapes.push(Tape::new(symbol as u64 + 1, Span::from_millis(10)));
    }
    let mut all: Vec<_> = tapes
        .iter_mut()
        .zip(&ids)
        .flat_map(|(tape, id)| {
            (0..prints / SYMBOLS).map(|_| (tape.next(), *id)).collect::<Vec<_>>()
        })
        .collect();
    all.sort_by_key(|(print, id)| (print.at, *id));
    let cpu = crate::cpu_ns();
    for (print, id) in &all {
        rig.print(*id, print);
    }
    rig.flush();
    let seconds = (crate::cpu_ns() - cpu) / 1e3 / all.len() as f64;
    println!(
        "fleet: {} bots on {SYMBOLS} symbols, every trade: {seconds:.2} s a million trades \
         ({:.1} ns a decision), {} orders, target 2 s: {:.2} of it",
        SYMBOLS * BOTS_A_SYMBOL,
        seconds * 1_000.0 / BOTS_A_SYMBOL as f64,
        rig.sink.orders,
        seconds / 2.0
    );
}
