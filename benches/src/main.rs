//! Benchmarks: `cargo run --release -p bench -- WHAT` with WHAT one of
//! `all|trades|orders|checks|fleet|wait|backtest|store|latency|roundtrip`;
//! `-- footprint`, `-- first-trade`, `-- emergency` and `-- restart` start the built program (see
//! [`footprint`]); `-- truth` measures no speed, but what the simulated exchange fills (see [`truth`]).
//!
//! Of the core everything goes through [`engine::Engine::apply`]; what comes out is serialised
//! into one reused buffer and hashed, and the hash of a second run must be the same.
//! `checks` times what precedes an order alone; `store` measures rows written, `latency` the way from
//! an exchange's socket to the decision, `roundtrip` that of an order to the sandbox and back.

#[cfg(feature = "bars")]
mod bars;
mod checks;
#[cfg(feature = "shell")]
mod child;
mod earner;
#[cfg(feature = "shell")]
mod emergency;
#[cfg(feature = "shell")]
mod exchange;
mod fleet;
#[cfg(feature = "shell")]
mod floor;
#[cfg(feature = "shell")]
mod footprint;
#[cfg(feature = "shell")]
mod latency;
mod orders;
#[cfg(feature = "shell")]
mod replay;
#[cfg(feature = "shell")]
mod restart;
mod rig;
#[cfg(feature = "shell")]
mod roundtrip;
#[cfg(feature = "shell")]
mod store;
mod tape;
#[cfg(feature = "shell")]
mod trader;
mod trades;
#[cfg(feature = "shell")]
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
    #[cfg(feature = "shell")]
    if which == "truth" {
        return truth::run(scale.map_or(truth::SEEDS, |seeds| seeds as u64));
    }
    if is_asked("trades") {
        trades::run(prints);
    }
    if is_asked("orders") {
        orders::run(prints);
    }
    if is_asked("checks") {
        checks::run(prints);
    }
    if is_asked("fleet") {
        fleet::run(prints);
    }
    if is_asked("wait") {
        wait::run(prints);
    }
    #[cfg(feature = "bars")]
    if is_asked("backtest") {
        bars::run_all(prints);
    }
    #[cfg(feature = "shell")]
    shell(&which, prints, scale)?;
    Ok(())
}

/// What goes beyond the core.
#[cfg(feature = "shell")]
fn shell(
    which: &str,
    prints: usize,
    scale: Option<usize>,
) -> Result<(), Box<dyn std::error::Error>> {
    let is_asked = |name: &str| which == "all" || which == name;
    if is_asked("backtest") {
        replay::run_all(prints)?;
    }
    if is_asked("store") {
        store::run(prints)?;
    }
    if is_asked("latency") {
        latency::run(prints / 50)?;
    }
    if is_asked("roundtrip") {
        roundtrip::run(scale.filter(|_| which != "all").unwrap_or(roundtrip::ROUNDS))?;
    }
    // They need the program, built as a release too: not part of `all`.
    if which == "footprint" {
        footprint::run(scale.map_or(60, |seconds| seconds as u64))?;
    }
    if which == "emergency" {
        emergency::run(scale.unwrap_or(emergency::BOTS))?;
    }
    if which == "restart" {
        restart::run(scale.map_or(restart::EVENTS, |events| events as i64))?;
    }
    if which == "first-trade" {
        footprint::first_trade()?;
    }
    Ok(())
}
