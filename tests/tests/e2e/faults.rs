//! What the wire does wrong, one by one: the feed says so, recovers, and no fill is better or other
//! than what the market showed.
//!
//! Silence is not among them: a stream is called silent after 60 s, which the connector's own tests
//! go through with a shorter limit.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, create, eager, fund, listed, sandbox};
use crate::witness::Witness;
use domain::Exchange;
use sandbox::{Fault, FaultSpec, Sandbox};
use serde_json::{Value, json};

/// What the outside sees of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// The feed leaves `fresh` and comes back.
    Leaves,
    /// It may leave `fresh` for a moment or not at all.
    May,
    /// It goes on being fresh.
    Stays,
}

async fn cursor(product: &Product) -> String {
    let mut after = String::new();
    loop {
        let page = product.get(&format!("/api/events?limit=500&after={after}")).await;
        after = page["next"].as_str().unwrap_or(&after).to_owned();
        if page["items"].as_array().unwrap().len() < 500 {
            return after;
        }
    }
}

/// Changes of a market's feed since a cursor.
async fn changes(product: &Product, after: &str, exchange: &str, symbol: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = product.get(&format!("/api/events?limit=500&after={after}")).await;
        let items = page["items"].as_array().unwrap();
        let ours = items.iter().filter(|e| {
            e["type"] == "feed_status"
                && e["data"]["exchange"] == exchange
                && e["data"]["symbol"] == symbol
        });
        found.extend(ours.map(|e| e["data"].clone()));
        if items.len() < 500 {
            return found;
        }
        after = page["next"].as_str().unwrap().to_owned();
    }
}

struct Case {
    fault: FaultSpec,
    symbol: &'static str,
    expect: Expect,
}

fn case(exchange: Exchange, fault: Fault, expect: Expect) -> Case {
    let symbol = if exchange == Exchange::Luno { "BTC/ZAR" } else { "BTC/USDT" };
    Case { fault: FaultSpec::new(exchange, fault), symbol, expect }
}

/// Puts the fault on, sees what must be seen, takes it away, sees the feed fresh again.
async fn suffer(product: &Product, sandbox: &Sandbox, case: &Case) {
    let exchange = case.fault.exchange.name();
    let name = format!("{exchange}: {:?}", case.fault.fault);
    let before = cursor(product).await;
    let id = sandbox.faults().add(case.fault.clone()).unwrap();
    // A close is a fact once and for every socket; the others need some frames to
    // matter, of polls a few.
    let is_rest = case.fault.stream.is_some();
    let enough = match case.fault.fault {
        Fault::Close => 0,
        _ if is_rest => 3,
        _ => 30,
    };
    let hits = || async {
        let list = sandbox.faults().list();
        list.iter().find(|f| f.id == id).map_or(u64::MAX, |f| f.hits)
    };
    until(&format!("{name} hits"), PATIENCE, || async { (hits().await >= enough).then_some(()) })
        .await;
    if case.expect == Expect::Leaves {
        until(&format!("{name} is seen"), PATIENCE, || async {
            let changes = changes(product, &before, exchange, case.symbol).await;
            let seen = changes.into_iter().find(|c| c["state"] != "fresh")?;
            assert!(!seen["reason"].is_null(), "{name}: says why: {seen}");
            Some(())
        })
        .await;
    }
    sandbox.faults().remove(id);
    let pair = case.symbol.replace('/', "-");
    listed(product, exchange, &pair).await;
    // Fresh again means that decisions are taken again, not only that a word has changed.
    let path = format!("/api/markets/{exchange}/{pair}");
    let prints = product.get(&path).await["prints"].as_u64().unwrap();
    until(&format!("{name}: prints go on"), PATIENCE, || async {
        (product.get(&path).await["prints"].as_u64()? > prints).then_some(())
    })
    .await;
    if case.expect == Expect::Stays {
        let changes = changes(product, &before, exchange, case.symbol).await;
        assert!(changes.iter().all(|c| c["state"] == "fresh"), "{name}: {changes:?}");
    }
}

/// Trading goes on; otherwise the bot says why not.
async fn resumes(product: &Product, bot: u64, before: usize) {
    // Snapshots and prints that were fetched again have used up a minute's requests.
    let deadline = std::time::Instant::now() + PATIENCE * 3;
    while fills(product, bot).await.len() <= before {
        if std::time::Instant::now() > deadline {
            let bot = product.get(&format!("/api/bots/{bot}")).await;
            panic!("no fill after the faults: {bot}");
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn fills(product: &Product, bot: u64) -> Vec<Value> {
    let page = product.get(&format!("/api/bots/{bot}/fills?limit=500")).await;
    page["items"].as_array().unwrap().clone()
}

fn sometimes(mut case: Case, probability: f64) -> Case {
    case.fault.probability = probability;
    case
}

fn on(mut case: Case, stream: &str) -> Case {
    case.fault.stream = Some(stream.to_owned());
    case
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_streams_are_seen_survived_and_never_traded_on() {
    stream_faults(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trading_goes_on_after_faults_of_the_streams() {
    stream_faults(true).await;
}

async fn stream_faults(must_resume: bool) {
    let sandbox = sandbox(8).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    let witness = Witness::watch(sandbox.urls(Exchange::Binance).rest_url, "BTCUSDT");
    listed(&product, "binance", "BTC-USDT").await;
    listed(&product, "kucoin", "BTC-USDT").await;
    let bot = create(&product, eager("brave", "binance", "BTC/USDT")).await;
    let (b, k) = (Exchange::Binance, Exchange::Kucoin);
    for case in [
        sometimes(case(b, Fault::Drop, Expect::Leaves), 0.3),
        case(b, Fault::Delay { ms: 400 }, Expect::May),
        sometimes(case(b, Fault::Gap, Expect::Leaves), 0.3),
        sometimes(case(b, Fault::Duplicate, Expect::May), 0.5),
        sometimes(case(b, Fault::Reorder, Expect::May), 0.3),
        sometimes(case(b, Fault::Crossed, Expect::Leaves), 0.3),
        sometimes(case(b, Fault::Garbage, Expect::May), 0.3),
        case(b, Fault::Close, Expect::Leaves),
        sometimes(case(k, Fault::Gap, Expect::Leaves), 0.3),
        sometimes(case(k, Fault::Drop, Expect::Leaves), 0.3),
        sometimes(case(k, Fault::Duplicate, Expect::May), 0.5),
        case(k, Fault::Close, Expect::Leaves),
    ] {
        suffer(&product, &sandbox, &case).await;
    }
    if must_resume {
        let before = fills(&product, bot).await.len();
        resumes(&product, bot, before).await;
    }
    let seen = fills(&product, bot).await;
    witness.judge(&seen).await;
    assert_eq!(product.get("/api/ledger/verify").await["ok"], true);
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_rest_and_of_the_clock_are_seen_and_survived() {
    let sandbox = sandbox(9).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    listed(&product, "binance", "BTC-USDT").await;
    listed(&product, "luno", "BTC-ZAR").await;
    let luno = Exchange::Luno;
    for case in [
        on(case(luno, Fault::Http429 { retry_after: 1 }, Expect::Leaves), "rest"),
        on(case(luno, Fault::Http5xx, Expect::Leaves), "rest"),
        on(case(luno, Fault::Garbage, Expect::Leaves), "rest"),
    ] {
        suffer(&product, &sandbox, &case).await;
    }
    let offset = FaultSpec::new(Exchange::Binance, Fault::ClockOffset { ms: 5_000 });
    let id = sandbox.faults().add(offset).unwrap();
    // The clock is asked at the start of a session.
    sandbox.faults().add(FaultSpec::new(Exchange::Binance, Fault::Close).times(1)).unwrap();
    clock(&product, "degraded").await;
    sandbox.faults().remove(id);
    clock(&product, "healthy").await;
    product.end();
}

async fn clock(product: &Product, status: &str) {
    until(&format!("the clock is {status}"), PATIENCE, || async {
        let health = product.get("/health").await;
        (health["checks"]["clock"]["status"] == json!(status)).then_some(())
    })
    .await;
}
