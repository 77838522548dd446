//! The round trip of a real order: the program's client over the loopback to the sandbox, which runs
//! in this process on a thread of its own, beside a bare HTTP request over the same loopback.
//!
//! Clocked by the clock on the wall, as an order waits by it. Left out: TLS and the way to the
//! exchange. What an exchange permits in a while binds here too, so each key sends only so many.

use crate::trader::{self, Trader};
use domain::{BotId, Exchange};
use exchanges::live::{Cancellation, LiveEvent, Placement};
use sandbox::{AccountSpec, Sandbox, SandboxConfig};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Of a run at each exchange: twice as many orders.
pub(crate) const ROUNDS: usize = 80;
/// Of each key: 22 orders, where the client lets out 40 to Binance within ten seconds. On Luno each
/// change that the stream tells is asked about, and a key asks 60 times a minute.
const ROUNDS_PER_KEY: usize = 10;
/// Luno permits an address 300 calls a minute; a round is eight, with those questions.
const LUNO_ROUNDS_PER_MINUTE: usize = 30;
const MINUTE: Duration = Duration::from_secs(61);
/// A round may be put off so often by a limit of calls.
const TRIES: usize = 5;
/// Bare requests.
const BARE: usize = 2_000;

type Fault = Box<dyn Error + Send + Sync>;

/// One exchange's times, in nanoseconds.
#[derive(Default)]
struct Times {
    acknowledged: Vec<u64>,
    filled: Vec<u64>,
    cancelled: Vec<u64>,
    gone: Vec<u64>,
}

pub(crate) fn run(rounds: usize) -> Result<(), Box<dyn Error>> {
    println!("round trip of an order, {rounds} rounds of one that rests and one that takes:");
    println!("  {:44} {:>8} {:>8} {:>8}", "us", "p50", "p99", "worst");
    row("bare HTTP request over the loopback", bare()?);
    all(rounds).map_err(|e| e.to_string().into())
}

fn all(rounds: usize) -> Result<(), Fault> {
    let shop =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ours =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let keys = rounds.div_ceil(ROUNDS_PER_KEY);
    let accounts = (0..keys).flat_map(|n| Exchange::ALL.map(|e| AccountSpec::demo(e, &name(n))));
    let config = SandboxConfig {
        seed: 11,
        history: Duration::from_secs(120),
        accounts: accounts.collect(),
        ..SandboxConfig::default()
    };
    let sandbox = shop.block_on(sandbox::start(config))?;
    for exchange in Exchange::ALL {
        let times = ours.block_on(measure(&sandbox, exchange, rounds))?;
        row(&format!("{exchange}: place to acknowledgement"), times.acknowledged);
        row(&format!("{exchange}: place to fill on the user stream"), times.filled);
        row(&format!("{exchange}: cancel to its answer"), times.cancelled);
        row(&format!("{exchange}: cancel to its end on the stream"), times.gone);
    }
    Ok(())
}

fn name(key: usize) -> String {
    format!("bench{key}")
}

async fn measure(sandbox: &Sandbox, exchange: Exchange, rounds: usize) -> Result<Times, Fault> {
    let instrument = trader::instrument(sandbox, exchange)?;
    let mut times = Times::default();
    for first in (0..rounds).step_by(ROUNDS_PER_KEY) {
        let key = first / ROUNDS_PER_KEY;
        if exchange == Exchange::Luno && first > 0 && first % LUNO_ROUNDS_PER_MINUTE == 0 {
            tokio::time::sleep(MINUTE).await;
        }
        let bot = BotId(u32::try_from(key)? + 1);
        let mut trader = Trader::start(sandbox, instrument.clone(), &name(key), bot).await?;
        // The first order measures the clock and opens the connection.
        rests(&mut trader, sandbox, &mut Times::default()).await?;
        for _ in first..rounds.min(first + ROUNDS_PER_KEY) {
            takes(&mut trader, sandbox, &mut times).await?;
            rests(&mut trader, sandbox, &mut times).await?;
        }
    }
    Ok(times)
}

/// Sends an order; the exchange's name of it, and when it left and was acknowledged.
async fn place(
    trader: &mut Trader,
    sandbox: &Sandbox,
    is_resting: bool,
) -> Result<(exchanges::live::OrderKey, Instant, Instant), Fault> {
    for _ in 0..TRIES {
        let (mut key, order) = trader.order(sandbox, is_resting)?;
        let permit = trader.permit()?;
        let began = Instant::now();
        match trader.client.place(order, permit).await {
            Placement::Placed(placed) => {
                key.exchange_id = Some(placed.exchange_id);
                return Ok((key, began, Instant::now()));
            }
            Placement::RateLimited { retry_after } => tokio::time::sleep(retry_after).await,
            other => return Err(format!("not placed: {other:?}").into()),
        }
    }
    Err("over the exchange's limits again and again".into())
}

/// An order that is filled at once.
async fn takes(trader: &mut Trader, sandbox: &Sandbox, times: &mut Times) -> Result<(), Fault> {
    let (key, began, acknowledged) = place(trader, sandbox, false).await?;
    let told = |event: &LiveEvent| match event {
        LiveEvent::Fill(fill) => fill.client_id == key.client_id,
        _ => false,
    };
    let filled = trader.told(told).await?;
    times.acknowledged.push(ns(acknowledged - began));
    // It may be told before the answer to the order.
    times.filled.push(ns(filled - began));
    Ok(())
}

/// An order that rests and is taken back.
async fn rests(trader: &mut Trader, sandbox: &Sandbox, times: &mut Times) -> Result<(), Fault> {
    let (key, began, acknowledged) = place(trader, sandbox, true).await?;
    times.acknowledged.push(ns(acknowledged - began));
    let began = Instant::now();
    let answer = trader.client.cancel(&key).await;
    let cancelled = Instant::now();
    if !matches!(answer, Cancellation::Done { .. }) {
        return Err(format!("not cancelled: {answer:?}").into());
    }
    let ended = |event: &LiveEvent| match event {
        LiveEvent::Order(state) => state.client_id == key.client_id && state.status.is_final(),
        _ => false,
    };
    let gone = trader.told(ended).await?;
    times.cancelled.push(ns(cancelled - began));
    times.gone.push(ns(gone.saturating_duration_since(began)));
    Ok(())
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn row(what: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default() as f64 / 1e3
    };
    println!("  {what:44} {:8.0} {:8.0} {:8.0}  of {}", at(50), at(99), at(100), times.len());
}

const REQUEST: &[u8] = b"GET /time HTTP/1.1\r\nhost: localhost\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// What the machine takes for a request and an answer: two threads are woken, nothing is read into.
fn bare() -> std::io::Result<Vec<u64>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut socket = TcpStream::connect(listener.local_addr()?)?;
    let (mut other, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    other.set_nodelay(true)?;
    let server = std::thread::spawn(move || -> std::io::Result<()> {
        let mut request = [0; REQUEST.len()];
        for _ in 0..BARE {
            other.read_exact(&mut request)?;
            other.write_all(ANSWER)?;
        }
        Ok(())
    });
    let mut times = Vec::with_capacity(BARE);
    let mut answer = [0; ANSWER.len()];
    for _ in 0..BARE {
        let began = Instant::now();
        socket.write_all(REQUEST)?;
        socket.read_exact(&mut answer)?;
        times.push(ns(began.elapsed()));
    }
    server.join().map_err(|_| std::io::Error::other("the server panicked"))??;
    Ok(times)
}
