//! What the program itself costs: the built `amarktai run`, forty bots on twenty symbols of three
//! exchanges, beside an `amarktai sandbox` that plays them and is not counted. And how long a
//! newcomer waits for the first trade of `amarktai demo`.

use crate::child::{Answer, Child, post, program};
use serde_json::{Value, json};
use std::error::Error;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Until the feeds are fresh, history is fetched and indicators are warm.
const WARM_UP: Duration = Duration::from_secs(30);
/// Longest wait for a start, a list of instruments, a first trade.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the sandbox lists: twenty.
pub(crate) const MARKETS: [(&str, &[&str]); 3] = [
    ("binance", &["BTC", "ETH", "SOL", "XRP", "LTC", "DOGE", "BNB", "ADA", "AVAX", "LINK"]),
    ("kucoin", &["BTC", "ETH", "SOL", "XRP", "KCS"]),
    ("luno", &["BTC", "ETH", "XRP", "USDT", "BTC/USDT"]),
];
/// Every kind, so that every kind's cost is in it.
const KINDS: [&str; 8] = [
    "ema_cross",
    "rsi_reversion",
    "bollinger_reversion",
    "donchian_breakout",
    "macd_trend",
    "grid",
    "dca",
    "market_making",
];

/// Resident memory and processor time of `run` over so many seconds.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    println!("footprint: {} run, 40 bots, 20 symbols, 3 exchanges", program()?.display());
    let mut sandbox = Child::start(dir.path(), "sandbox", Vec::new())?;
    std::fs::write(dir.path().join("amarktai.toml"), config(&mut sandbox)?)?;
    let started = Instant::now();
    let args = vec!["--config", "amarktai.toml", "--data-dir", "data", "--listen", "127.0.0.1:0"];
    let mut product = Child::start(dir.path(), "run", args)?;
    let (address, token) = product.announced(&dir.path().join("data"), PATIENCE)?;
    let bots = populate(&address, &token)?;
    println!("  {bots} bots {:.1} s after the start", started.elapsed().as_secs_f64());
    std::thread::sleep(WARM_UP);
    let (before, from) = (product.cpu_by_thread()?, Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, elapsed) = (product.cpu_by_thread()?, from.elapsed().as_secs_f64());
    let share = |ms: u64| ms as f64 / elapsed / 10.0;
    let mut threads: Vec<_> = after
        .into_iter()
        .map(|(name, ms)| (ms.saturating_sub(before.get(&name).copied().unwrap_or(0)), name))
        .collect();
    threads.sort_unstable();
    let all: u64 = threads.iter().map(|(ms, _)| ms).sum();
    let (resident, peak) = product.memory_mib()?;
    println!("  resident {resident:.0} MiB (peak {peak:.0}), target 300 MB");
    println!("  processor {:.1} % of a core over {elapsed:.0} s, target 25 %", share(all));
    for (ms, name) in threads.into_iter().rev().filter(|(ms, _)| *ms > 0) {
        println!("    {name:<16} {:4.1} %", share(ms));
    }
    let state = crate::child::get(&address, &token, "/api/bots?limit=100")?;
    let trades: u64 = items(&state).iter().filter_map(|bot| bot["trades"].as_u64()).sum();
    println!("  {trades} trades so far");
    Ok(())
}

/// From the start of `demo` to its first line `Trade inserted`.
pub(crate) fn first_trade() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let started = Instant::now();
    let args = vec!["--data-dir", "data", "--listen", "127.0.0.1:0"];
    let mut demo = Child::start(dir.path(), "demo", args)?;
    demo.wait_for("Trade inserted", PATIENCE)?;
    let waited = started.elapsed().as_secs_f64();
    println!("first-trade: {waited:.1} s after the start of demo, target 60 s");
    Ok(())
}

/// The sandbox's addresses, as it prints them: `binance rest=URL stream=URL`.
pub(crate) fn config(sandbox: &mut Child) -> Result<String> {
    let mut text = String::new();
    for _ in MARKETS {
        let line = sandbox.line()?;
        let mut words = line.split_whitespace();
        let exchange = words.next().unwrap_or_default();
        text += &format!("[exchanges.{exchange}]\n");
        for (word, key) in words.zip(["rest_url", "stream_url"]) {
            let url = word.split_once('=').map_or(word, |(_, url)| url);
            text += &format!("{key} = \"{url}\"\n");
        }
    }
    Ok(text)
}

pub(crate) fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().cloned().unwrap_or_default()
}

/// An account, money, and two bots a symbol.
pub(crate) fn populate(address: &str, token: &str) -> Result<usize> {
    let order = |path: &str, body: Value| post(address, token, path, &body);
    order("/api/accounts", json!({ "name": "bench", "reporting_currency": "USDT" }))?.ok()?;
    for (exchange, currency, amount) in [
        ("binance", "USDT", "200000"),
        ("kucoin", "USDT", "200000"),
        ("luno", "USDT", "20000"),
        ("luno", "ZAR", "2000000"),
    ] {
        let deposit = json!({ "exchange": exchange, "currency": currency, "amount": amount });
        order("/api/wallets/deposits", deposit)?.ok()?;
    }
    let mut bots = 0;
    for (exchange, bases) in MARKETS {
        for base in bases.iter().flat_map(|base| [base, base]) {
            let (symbol, capital) = match (exchange, *base) {
                (_, whole) if whole.contains('/') => (whole.to_owned(), "1500"),
                ("luno", base) => (format!("{base}/ZAR"), "40000"),
                (_, base) => (format!("{base}/USDT"), "1500"),
            };
            let bot = json!({
                "name": format!("bot {bots}"), "exchange": exchange, "symbol": symbol,
                "strategy": { "kind": KINDS[bots % KINDS.len()], "params": {} },
                "timeframe": if bots % 3 == 0 { "5s" } else { "1m" },
                "risk_mode": "balanced", "capital": capital,
            });
            create(&order, &bot)?;
            bots += 1;
        }
    }
    Ok(bots)
}

/// Bots are created against listed instruments, and the lists come a moment after the start.
pub(crate) fn create(order: &impl Fn(&str, Value) -> Result<Answer>, bot: &Value) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = order("/api/bots", bot.clone())?;
        if answer.is_success() || Instant::now() > deadline {
            return answer.ok().map(drop);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
