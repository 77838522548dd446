//! Tapes through a backtest with the full simulated exchange: ten million made-up trades in the
//! memory that they take, and the recorded mix of Binance's streams.

use crate::tape::Tape as Walk;
use backtest::decoded::Tape;
use backtest::run::{Job, run};
use backtest::tape::assumed_instrument;
use backtest::{Recorded, Source, TapeError, raw};
use domain::{
    DataGrade, Exchange, FeedState, Instrument, MarketEvent, Span, StrategyKind, Timeframe,
};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Trades of a full run.
const TRADES: usize = 10_000_000;
/// Recordings beside the workspace; `AMARKTAI_SHARED` names another place.
const RECORDED: [&str; 2] =
    ["binance_spot_btcusdt_20240808.raw.gz", "binance_spot_btcusdt_20240809.raw.gz"];

/// Trades as an archive has them, some 30 ms apart.
struct Archive {
    of: [Instrument; 1],
    walk: Walk,
    left: usize,
    has_begun: bool,
}

impl Source for Archive {
    fn instruments(&self) -> &[Instrument] {
        &self.of
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let print = self.walk.next();
        let event = match std::mem::replace(&mut self.has_begun, true) {
            true => MarketEvent::Print(print),
            false => MarketEvent::Feed { state: FeedState::Fresh, grade: DataGrade::Trades },
        };
        Ok(Some(Recorded { at: print.at, instrument: 0, event }))
    }
}

/// A bot that looks at hours and trades rarely.
fn job() -> Job {
    let mut job = super::bars::job(StrategyKind::EmaCross);
    job.bots.iter_mut().for_each(|bot| bot.timeframe = Some(Timeframe::H1));
    job
}

pub(crate) fn run_all(scale: usize) -> Result<(), TapeError> {
    let trades = TRADES / 1_000_000 * scale;
    let before = resident_mb("VmRSS");
    let of = [assumed_instrument(Exchange::Binance, super::bars::symbol(), 2, 5)];
    let walk = Walk::new(7, Span::from_millis(30));
    let mut archive = Archive { of, walk, left: trades, has_begun: false };
    let tape = Tape::of_source(&mut archive, &[])?;
    println!("replay: {trades} trades, one bot on bars of 1 h, the full simulated exchange");
    let (rate, closed) = rate(&tape);
    println!("  {:.2} M trades/s of processor, {closed} closed; target 5", rate / 1e6);
    println!(
        "  {:.0} MB of columns; resident {:.0} MB more than before, at most {:.0} MB in all; \
         target 400",
        tape.events.bytes() as f64 / 1e6,
        resident_mb("VmRSS") - before,
        resident_mb("VmHWM"),
    );
    drop(tape);
    recorded()
}

/// Events a second of processor time, the best of three runs, and trades that were closed.
fn rate(tape: &Tape) -> (f64, usize) {
    let (mut best, mut closed) = (f64::INFINITY, 0);
    for _ in 0..3 {
        let before = super::cpu_ns();
        match run(tape, &job(), &mut |_| ControlFlow::Continue(())) {
            Ok(outcome) => closed = outcome.trades.len(),
            Err(error) => println!("  {error}"),
        }
        best = best.min(super::cpu_ns() - before);
    }
    (tape.events.events() as f64 / best * 1e9, closed)
}

fn recorded() -> Result<(), TapeError> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let beside = ["../../shared", "../../../shared"].map(|path| here.join(path));
    let found = beside.iter().find(|path| path.exists()).unwrap_or(&beside[0]);
    let root = std::env::var_os("AMARKTAI_SHARED").map_or(found.clone(), PathBuf::from);
    let root = root.join("data");
    let files = RECORDED.map(|name| root.join(name));
    if files.iter().any(|file| !file.exists()) {
        println!("replay of recorded frames: skipped, no recordings in {}", root.display());
        return Ok(());
    }
    let tape = Tape::of_source(&mut raw::Tape::open(&files)?, &[])?;
    let mut mix = [0u64; 4];
    for event in tape.events.play() {
        mix[match event.event {
            MarketEvent::Print(_) => 0,
            MarketEvent::Touch(_) => 1,
            MarketEvent::Book(_) => 2,
            _ => 3,
        }] += 1;
    }
    let [prints, touches, books, others] = mix;
    println!(
        "replay of recorded frames, decoded: {prints} trades, {touches} bookTicker, {books} depth, \
         {others} others"
    );
    let (rate, _) = rate(&tape);
    println!("  {:.2} M frames/s of processor; target 1", rate / 1e6);
    Ok(())
}

/// A line of the process's own status, in megabytes.
fn resident_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    kib * 1024.0 / 1e6
}
