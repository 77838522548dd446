//! The emergency stop of the built `amarktai run` while a fleet trades: from the receipt of the
//! request to the latch (the program measures that itself), to the answer, which comes after the
//! commit of the stop, and until no entry order is open any more. Cancels are sent in the same turn
//! of the core, after the stop itself went to the store; then each pays its simulated exchange's
//! latency, and on Luno, which is polled, waits for the next book: a fill may have come before it.

use crate::child::{Child, get, post, program};
use crate::footprint::{MARKETS, config, create, items};
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Of a full run.
pub(crate) const BOTS: usize = 1_000;
/// Stops, each after a time of trading.
const ROUNDS: usize = 5;
/// Feeds become fresh, indicators warm, orders rest.
const TRADING: Duration = Duration::from_secs(20);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bots by the thousand need more room than a person's account has by default.
const POLICY: &str = "[policy]\norders_per_second_max = 1000\nconsecutive_losses_max = 0\nstoploss_guard_trades_max = 0\n\
    low_profit_trades_min = 0\n[policy.paper_bots_max]\nbinance = 1000\nkucoin = 1000\nluno = 1000\n";

pub(crate) fn run(bots: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    println!("emergency: {} run, {bots} bots, 20 symbols, {ROUNDS} stops", program()?.display());
    let mut sandbox = Child::start(dir.path(), "sandbox", Vec::new())?;
    let text = config(&mut sandbox)? + POLICY;
    std::fs::write(dir.path().join("amarktai.toml"), text)?;
    let args = vec!["--config", "amarktai.toml", "--data-dir", "data", "--listen", "127.0.0.1:0"];
    let mut product = Child::start(dir.path(), "run", args)?;
    let (address, token) = product.announced(&dir.path().join("data"), PATIENCE)?;
    let desk = Desk { address, token };
    let ids = desk.populate(bots)?;
    let (mut answers, mut streamed, mut polled) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        std::thread::sleep(TRADING);
        let open: usize = desk.open_entries()?.values().sum();
        let fleet = get(&desk.address, &desk.token, "/api/system")?["fleet"].clone();
        let (answered, cancelled) = desk.stop()?;
        println!(
            "  stop {round}: {open} entry orders open, {} positions: answered after {answered:.1} \
             ms; no entry order open:",
            fleet["open_positions"]
        );
        for (exchange, ms) in &cancelled {
            println!("    {exchange}: after {ms:.0} ms");
        }
        answers.push(answered);
        for (exchange, ms) in cancelled {
            if exchange == "luno" { polled.push(ms) } else { streamed.push(ms) }
        }
        desk.go_on(&ids)?;
    }
    let worst = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    println!("  receipt to latch, worst: {:.3} ms, target 5 ms", desk.latch_ms()?);
    println!(
        "  request to answer (after the commit), worst: {:.1} ms, target 100 ms",
        worst(&answers)
    );
    println!(
        "  request to the last cancel carried out, worst: {:.0} ms, target 1000 ms; on Luno with \
         its next polled book: {:.0} ms",
        worst(&streamed),
        worst(&polled)
    );
    Ok(())
}

/// A person with a token.
struct Desk {
    address: String,
    token: String,
}

impl Desk {
    fn order(&self, path: &str, body: &serde_json::Value) -> Result<crate::child::Answer> {
        post(&self.address, &self.token, path, body)
    }

    /// Grids, which rest orders at many prices, and bots that buy at every bar, by turns.
    fn populate(&self, bots: usize) -> Result<Vec<u64>> {
        let account = json!({ "name": "bench", "reporting_currency": "USDT" });
        self.order("/api/accounts", &account)?.ok()?;
        for (exchange, currency, amount) in [
            ("binance", "USDT", "20000000"),
            ("kucoin", "USDT", "20000000"),
            ("luno", "USDT", "20000000"),
            ("luno", "ZAR", "200000000"),
        ] {
            let deposit = json!({ "exchange": exchange, "currency": currency, "amount": amount });
            self.order("/api/wallets/deposits", &deposit)?.ok()?;
        }
        let markets: Vec<(&str, &str)> = MARKETS
            .iter()
            .flat_map(|(exchange, bases)| bases.iter().map(|base| (*exchange, *base)))
            .collect();
        for n in 0..bots {
            let (exchange, base) = markets[n % markets.len()];
            let (symbol, capital) = match (exchange, base) {
                (_, whole) if whole.contains('/') => (whole.to_owned(), "1500"),
                ("luno", base) => (format!("{base}/ZAR"), "40000"),
                (_, base) => (format!("{base}/USDT"), "1500"),
            };
            let strategy = match n / markets.len() % 2 {
                0 => json!({ "kind": "grid", "params": {} }),
                _ => json!({ "kind": "dca", "params": { "safety_orders": 0 } }),
            };
            let bot = json!({
                "name": format!("bot {n}"), "exchange": exchange, "symbol": symbol,
                "strategy": strategy, "timeframe": "1s", "capital": capital,
            });
            create(&|path, body| self.order(path, &body), &bot)?;
        }
        let mut ids = Vec::new();
        let mut after = String::new();
        while ids.len() < bots {
            let path = format!("/api/bots?limit=500{after}");
            let page = get(&self.address, &self.token, &path)?;
            ids.extend(items(&page).iter().filter_map(|bot| bot["id"].as_u64()));
            match page["next"].as_str() {
                Some(next) => after = format!("&cursor={next}"),
                None => break,
            }
        }
        println!("  {} bots", ids.len());
        Ok(ids)
    }

    /// Open entry orders, by exchange.
    fn open_entries(&self) -> Result<BTreeMap<String, usize>> {
        let page = get(&self.address, &self.token, "/api/orders?open=true&limit=500")?;
        let mut open = BTreeMap::new();
        for order in items(&page).iter().filter(|order| order["purpose"] == "entry") {
            let exchange = order["exchange"].as_str().unwrap_or_default();
            *open.entry(exchange.to_owned()).or_default() += 1;
        }
        Ok(open)
    }

    /// Milliseconds to the answer, and to the first look without an open entry, by exchange.
    fn stop(&self) -> Result<(f64, BTreeMap<String, f64>)> {
        let mut open = self.open_entries()?;
        let began = Instant::now();
        let ms = || began.elapsed().as_secs_f64() * 1e3;
        let told = self.order("/api/emergency-stop?scope=fleet", &json!({}))?.ok()?;
        let answered = ms();
        if told["active"] != true || told["persisted"] != true {
            return Err(format!("not stopped: {told}").into());
        }
        let mut gone = BTreeMap::new();
        while !open.is_empty() {
            if began.elapsed() > PATIENCE {
                return Err("entry orders stay open".into());
            }
            let now = self.open_entries()?;
            for exchange in open.keys().filter(|exchange| !now.contains_key(*exchange)) {
                gone.insert(exchange.clone(), ms());
            }
            open = now;
        }
        Ok((answered, gone))
    }

    fn go_on(&self, ids: &[u64]) -> Result<()> {
        crate::child::delete(&self.address, &self.token, "/api/emergency-stop?scope=fleet")?;
        for id in ids {
            self.order(&format!("/api/bots/{id}/resume"), &json!({}))?.ok()?;
        }
        Ok(())
    }

    /// The worst of all stops, as the program measured it.
    fn latch_ms(&self) -> Result<f64> {
        let text = crate::child::text(&self.address, &self.token, "/metrics")?;
        let name = "amarktai_emergency_latch_seconds{quantile=\"1\"}";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let seconds: f64 = line.ok_or("no such metric")?.trim().parse()?;
        Ok(seconds * 1e3)
    }
}
