//! Health never lies: each fault of the wire shows in `/health` within five seconds, with the feed
//! or the exchange named, and clears when it is taken away.
//!
//! A stream is called silent after a time of its own: 60 s without a word of the exchange's own on
//! Binance, whatever answers our pings; one ping and its timeout on KuCoin. How long each took is
//! printed; what a shared machine adds to it fails no test, so the limit that is asserted is wider
//! than the promise.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, listed, sandbox};
use domain::Exchange;
use sandbox::{Fault, FaultSpec, Sandbox};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The promise.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// What is not well in `/health`, in words.
fn complaints(health: &Value, exchange: &str) -> Vec<String> {
    let checks = health["checks"].as_object().unwrap();
    let mut found = Vec::new();
    for feed in health["checks"]["feeds"].as_array().unwrap() {
        if feed["exchange"] == exchange && feed["state"] != "fresh" {
            found.push(format!("{} {}: {}", feed["symbol"], feed["state"], feed["reason"]));
        }
    }
    for name in ["exchanges", "clock", "self_healing"] {
        let (status, detail) = (&checks[name]["status"], checks[name]["detail"].to_string());
        if status != "healthy" && detail.contains(exchange) {
            found.push(format!("{name}: {detail}"));
        }
    }
    found
}

async fn complaining(product: &Product, exchange: &str) -> Option<Vec<String>> {
    let health = product.get("/health").await;
    let found = complaints(&health, exchange);
    assert!(found.is_empty() || health["status"] != "healthy", "{found:?}: {health}");
    (!found.is_empty()).then_some(found)
}

/// Puts a fault on, waits until it is seen, takes it away, waits until it is gone.
async fn shown(product: &Product, sandbox: &Sandbox, fault: FaultSpec) -> Duration {
    let exchange = fault.exchange.name();
    let name = format!("{exchange}: {:?} {}", fault.fault, fault.stream.as_deref().unwrap_or(""));
    until(&format!("all is well before {name}"), PATIENCE * 2, || async {
        complaining(product, exchange).await.is_none().then_some(())
    })
    .await;
    let began = Instant::now();
    let id = sandbox.faults().add(fault).unwrap();
    let told =
        until(&format!("{name} shows"), PATIENCE * 2, || complaining(product, exchange)).await;
    let took = began.elapsed();
    println!("{name}: shown after {} ms as {}", took.as_millis(), told.join("; "));
    sandbox.faults().remove(id);
    let began = Instant::now();
    until(&format!("{name} clears"), PATIENCE * 2, || async {
        complaining(product, exchange).await.is_none().then_some(())
    })
    .await;
    println!("    cleared after {} ms", began.elapsed().as_millis());
    took
}

fn often(exchange: Exchange, fault: Fault, probability: f64) -> FaultSpec {
    FaultSpec { probability, ..FaultSpec::new(exchange, fault) }
}

/// One market of each exchange, without a bot.
fn place(sandbox: &Sandbox) -> Place {
    let mut text = config(sandbox);
    for (exchange, symbol) in [("binance", "BTC/USDT"), ("kucoin", "BTC/USDT"), ("luno", "BTC/ZAR")]
    {
        let at = format!("[exchanges.{exchange}]\n");
        text = text.replace(&at, &format!("{at}symbols = [\"{symbol}\"]\n"));
    }
    Place::new(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_shows_after_its_stated_limit_and_clears() {
    let sandbox = sandbox(36).await;
    let place = place(&sandbox);
    let product = place.start("run").await;
    listed(&product, "binance", "BTC-USDT").await;
    listed(&product, "kucoin", "BTC-USDT").await;
    for (exchange, stated_s) in [(Exchange::Kucoin, 25), (Exchange::Binance, 60)] {
        let took = shown(&product, &sandbox, FaultSpec::new(exchange, Fault::Silence)).await;
        let limit = Duration::from_secs(stated_s) + SHOWN_WITHIN * 2;
        assert!(took <= limit, "{exchange}: shown after {took:?}");
    }
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_the_wire_shows_in_health_and_clears() {
    let sandbox = sandbox(35).await;
    let place = place(&sandbox);
    let product = place.start("run").await;
    listed(&product, "binance", "BTC-USDT").await;
    listed(&product, "kucoin", "BTC-USDT").await;
    listed(&product, "luno", "BTC-ZAR").await;
    // Of what is lost whole nothing is missing: gaps are known by what comes after.
    let (b, k, l) = (Exchange::Binance, Exchange::Kucoin, Exchange::Luno);
    let ahead = Fault::ClockOffset { ms: 5_000 };
    let faults = [
        often(b, Fault::Gap, 0.3),
        often(b, Fault::Drop, 0.3),
        often(b, Fault::Crossed, 0.3),
        often(b, Fault::Garbage, 0.3),
        FaultSpec::new(b, Fault::Close),
        FaultSpec::new(b, Fault::Delay { ms: 3_000 }),
        FaultSpec::new(b, ahead),
        FaultSpec::new(b, Fault::ClockOffset { ms: -5_000 }),
        FaultSpec::new(b, Fault::Http5xx).stream("rest"),
        FaultSpec::new(b, Fault::Garbage).stream("rest"),
        often(k, Fault::Gap, 0.3),
        often(k, Fault::Drop, 0.3),
        often(k, Fault::Crossed, 0.3),
        often(k, Fault::Garbage, 0.3),
        FaultSpec::new(k, Fault::Close),
        FaultSpec::new(k, Fault::Http5xx).stream("rest"),
        FaultSpec::new(l, Fault::Http5xx).stream("rest"),
        FaultSpec::new(l, Fault::Garbage).stream("rest"),
        FaultSpec::new(l, Fault::Http429 { retry_after: 2 }).stream("rest"),
    ];
    let mut late = Vec::new();
    for fault in faults {
        let name = format!("{:?}", fault);
        let took = shown(&product, &sandbox, fault).await;
        if took > SHOWN_WITHIN * 2 {
            late.push(format!("{name}: {took:?}"));
        }
    }
    assert!(late.is_empty(), "{late:#?}");
    product.end();
}
