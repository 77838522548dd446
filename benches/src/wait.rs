//! Bots that wait must not make a trade dearer: for a bar, on resting orders, under a stop.

use crate::rig::Rig;
use crate::tape::Tape;
use domain::{
    BookUpdate, DataGrade, InstrumentId, Level, MarketEvent, Price, Quantity, Span, StrategyKind,
    Timeframe, Timestamp, Touch,
};

const SYMBOLS: usize = 30;

pub(crate) fn run(prints: usize) {
    println!("waiting bots on {SYMBOLS} instruments, {prints} trades, each with its touch:");
    let few = measure(prints, 100);
    let many = measure(prints, 10_000);
    println!("  10000 over 100: {:.2}, target 1.5", many / few);
}

/// Resident memory of this process in bytes, where the system says.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|n| n.parse::<usize>().ok());
    pages.unwrap_or_default() * 4_096
}

fn measure(prints: usize, bots: usize) -> f64 {
    let mut rig = Rig::new(1_000);
    let mut markets: Vec<Played> = Vec::new();
    for symbol in 0..SYMBOLS {
        let id = rig.market(&format!("C{symbol}/USDT"), DataGrade::L2Trades);
        let tape = Tape::new(symbol as u64 + 1, Span::from_millis(30));
        open(&mut rig, id, &tape);
        markets.push((id, tape, 1));
    }
    let before = resident();
    for bot in 0..bots {
        let name = format!("C{}/USDT", bot % SYMBOLS);
        match bot % 3 {
            0 => {
                let params = format!(r#"{{"fast":{},"slow":40}}"#, 5 + bot % 30);
                rig.bot(&name, StrategyKind::EmaCross, &params, Timeframe::M15);
            }
            1 => {
                let params = r#"{"range_percent":10,"levels":4}"#;
                rig.bot(&name, StrategyKind::Grid, params, Timeframe::M15);
            }
            _ => {
                let params = r#"{"deviation_percent":8,"safety_orders":1,"target_percent":20}"#;
                rig.bot(&name, StrategyKind::Dca, params, Timeframe::M15);
            }
        }
    }
    let bytes = resident().saturating_sub(before) / bots;
    // A quarter of an hour to close a bar: the grids lay their orders, the others buy.
    let mut at = crate::tape::START;
    for _ in 0..40 {
        at = at + Span::from_secs(30);
        for market in &mut markets {
            trade(&mut rig, market, Some(at));
            rig.flush();
        }
    }
    // All of them ordered at once: the room of what they said is not theirs.
    rig.shrink();
    let (orders, cpu) = (rig.sink.orders, crate::cpu_ns());
    for n in 0..prints {
        let market = &mut markets[n % SYMBOLS];
        trade(&mut rig, market, None);
    }
    rig.flush();
    let ns = (crate::cpu_ns() - cpu) / prints as f64;
    let after = resident().saturating_sub(before) / bots;
    println!(
        "  {bots} bots: {ns:.0} ns/trade; {} orders resting or held, {} more while measured; \
         {bytes} bytes a bot when created, {after} at the end",
        orders,
        rig.sink.orders - orders
    );
    ns
}

fn level(price: i64, quantity: i64) -> Level {
    Level { price: Price(price), quantity: Quantity(quantity) }
}

/// A deep book, so that resting orders stand inside what is known.
pub(crate) fn open(rig: &mut Rig, id: InstrumentId, tape: &Tape) {
    let (bid, ask) = tape.touch();
    let side = |from: i64, sign: i64| -> Vec<Level> {
        (0..500).map(|n| level(from + sign * n * 2_000, 100_000_000_000)).collect()
    };
    let update = BookUpdate {
        is_snapshot: true,
        update_id: 1,
        at: None,
        requested_at: None,
        bids: side(bid.0, -1),
        asks: side(ask.0, 1),
    };
    rig.event(id, crate::tape::START, MarketEvent::Book(update));
}

/// A market with its tape and the newest update of its book.
pub(crate) type Played = (InstrumentId, Tape, u64);

/// A print and the touch after it.
pub(crate) fn trade(rig: &mut Rig, (id, tape, update): &mut Played, at: Option<Timestamp>) {
    let mut print = tape.next();
    if let Some(at) = at {
        tape.set_time(at);
        print.at = at;
    }
    rig.print(*id, &print);
    let (bid, ask) = tape.touch();
    *update += 1;
    let large = 100_000_000_000;
    let touch = Touch { update_id: *update, bid: level(bid.0, large), ask: level(ask.0, large) };
    rig.event(*id, print.at, MarketEvent::Touch(touch));
}
