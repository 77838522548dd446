//! Benchmarks: `cargo run --release -p bench -- WHAT` with WHAT one of
//! `all|trades|orders|fleet|wait|backtest|store|latency`;
//! `-- footprint` and `-- first-trade` start the built program (see [`footprint`]); `-- truth`
//! measures no speed, but what the simulated exchange fills (see [`truth`]).
//!
//! Of the core everything goes through [`engine::Engine::apply`]; what comes out is serialised
//! into one reused buffer and hashed, and the hash of a second run must be the same.
//! `store` measures rows written, `latency` the way from an exchange's socket to the decision.

mod bars;
mod child;
mod exchange;
mod fleet;
mod floor;
mod footprint;
mod latency;
mod orders;
mod rig;
mod store;
mod tape;
mod trades;
mod truth;
mod wait;

/// Processor time of this process in nanoseconds, where the system says: other work on the machine
/// does not count.
pub(crate) fn cpu_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// Prints of a full run; a first argument after the name scales it down.
const PRINTS: usize = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let which = args.next().unwrap_or_else(|| "all".to_owned());
    let scale: Option<usize> = args.next().and_then(|n| n.parse().ok());
    let prints = scale.unwrap_or(PRINTS);
    let is_asked = |name: &str| which == "all" || which == name;
    if which == "truth" {
        return truth::run(scale.map_or(truth::SEEDS, |seeds| seeds as u64));
    }
    if is_asked("trades") {
        trades::run(prints);
    }
    if is_asked("orders") {
        orders::run(prints);
    }
    if is_asked("fleet") {
        fleet::run(prints);
    }
    if is_asked("wait") {
        wait::run(prints);
    }
    if is_asked("backtest") {
        bars::run_all(prints);
    }
    if is_asked("store") {
        store::run(prints)?;
    }
    if is_asked("latency") {
        latency::run(prints / 50)?;
    }
    // They need the program, built as a release too: not part of `all`.
    if which == "footprint" {
        footprint::run(scale.map_or(60, |seconds| seconds as u64))?;
    }
    if which == "first-trade" {
        footprint::first_trade()?;
    }
    Ok(())
}
