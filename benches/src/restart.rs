//! How long the built program takes to trade again after a kill, with a long history in its store.
//!
//! A few seconds of forty bots are real; their events are then copied until there are enough. The
//! copies carry the hashes of their originals: a start does not read them, `verify` would object.

use crate::child::{Child, get, program};
use crate::footprint::{config, items, populate};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Of a full run.
pub(crate) const EVENTS: i64 = 1_000_000;
const TRADING: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(120);
const ARGS: [&str; 6] =
    ["--config", "amarktai.toml", "--data-dir", "data", "--listen", "127.0.0.1:0"];

pub(crate) fn run(events: i64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    println!("restart: {} run, killed, {events} stored events", program()?.display());
    let mut sandbox = Child::start(dir.path(), "sandbox", Vec::new())?;
    std::fs::write(dir.path().join("amarktai.toml"), config(&mut sandbox)?)?;
    let bots = {
        let mut product = Child::start(dir.path(), "run", ARGS.to_vec())?;
        let (address, token) = product.announced(&data, PATIENCE)?;
        let bots = populate(&address, &token)?;
        std::thread::sleep(TRADING);
        bots
    };
    let few = again(dir.path(), &data, bots)?;
    let stored = multiply(&data, events)?;
    let many = again(dir.path(), &data, bots)?;
    println!("  with what {TRADING:?} made: {few:.2} s until it answers with its {bots} bots");
    println!("  with {stored} events: {many:.2} s, target 10 s");
    Ok(())
}

/// Seconds from the start of the process to its whole list of bots; it is killed after that.
fn again(dir: &Path, data: &Path, bots: usize) -> Result<f64> {
    for file in ["server.addr", "local.token"] {
        // A kill leaves them, and they would be taken for the new ones.
        let _absent = std::fs::remove_file(data.join(file));
    }
    let started = Instant::now();
    let mut product = Child::start(dir, "run", ARGS.to_vec())?;
    let (address, token) = product.announced(data, PATIENCE)?;
    let page = get(&address, &token, "/api/bots?limit=500")?;
    let seconds = started.elapsed().as_secs_f64();
    let found = items(&page).len();
    if found == bots { Ok(seconds) } else { Err(format!("{found} of {bots} bots").into()) }
}

/// Copies what is there, doubling it, until there are enough.
fn multiply(data: &Path, events: i64) -> Result<i64> {
    let store = rusqlite::Connection::open(data.join("amarktai.db"))?;
    let count = || store.query_row("SELECT COUNT(*) FROM events", [], |row| row.get::<_, i64>(0));
    let mut stored = count()?;
    while (1..events).contains(&stored) {
        let copied = store.execute(
            "INSERT INTO events SELECT id + (SELECT MAX(id) FROM events), account_id, \
             seq + (SELECT MAX(seq) FROM events), at, type, data, prev_hash, hash FROM events LIMIT ?1",
            [events - stored],
        )?;
        stored += copied as i64;
    }
    count().map_err(Into::into)
}
