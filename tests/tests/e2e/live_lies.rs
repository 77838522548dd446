//! Exchanges that lie, over the whole program: whatever they answer, each order exists once or not at
//! all, nothing is sent that our books do not know, and the books are the exchange's in the end.

use crate::harness::{Place, Product, until};
use crate::live::{
    WHILE, books_are_equal, exchanges, live_orders, promote, sell_out, trained, trained_with,
};
use crate::market::config;
use domain::Exchange;
use reqwest::Method;
use sandbox::{Fault, FaultSpec, Lie, Sandbox};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// What an exchange answers orders with, one after the other. Each kind of lie comes at one exchange
/// at least: a lie that hides nothing costs the twenty seconds until it is sure that nothing comes.
fn lies(exchange: Exchange) -> Vec<Fault> {
    let lie = |how, taken| Fault::Lie { how, taken };
    let own = match exchange {
        Exchange::Binance => vec![lie(Lie::ErrorBody, false)],
        Exchange::Kucoin => vec![lie(Lie::Drip, true)],
        Exchange::Luno => vec![lie(Lie::ErrorBody, true)],
    };
    let all = [
        Fault::Http429 { retry_after: 1 },
        lie(Lie::Reset, true),
        Fault::Http418 { retry_after: 1 },
        lie(Lie::Html, true),
    ];
    all.into_iter().chain(own).collect()
}

/// Until a fault has hit: then somebody was lied to.
async fn suffer(product: &Product, sandbox: &Sandbox, bot: u64, fault: FaultSpec) {
    let name = format!("{}: {:?}", fault.exchange, fault.fault);
    let id = sandbox.faults().add(fault.times(1)).unwrap();
    until(&format!("{name} hits"), WHILE, || async {
        let is_over = sandbox.faults().list().iter().all(|active| active.id != id);
        if !is_over {
            let doing = product.get(&format!("/api/bots/{bot}")).await["doing"].clone();
            println!("{name}: {doing}");
        }
        is_over.then_some(())
    })
    .await;
}

async fn be_lied_to(product: &Product, sandbox: &Sandbox, exchange: Exchange, bot: u64) {
    // Each trade is told twice all the while.
    sandbox.faults().add(FaultSpec::new(exchange, Fault::Duplicate).stream("user")).unwrap();
    for fault in lies(exchange) {
        suffer(product, sandbox, bot, FaultSpec::new(exchange, fault).stream("POST")).await;
    }
}

/// A grid rests buys under the market; pausing it cancels them, and one of them fills all the same.
async fn fill_late(product: &Product, sandbox: &Sandbox, bot: u64) {
    let resting = || async {
        let view = product.get(&format!("/api/bots/{bot}")).await;
        println!("grid: {}", view["doing"]);
        (view["open_orders"] != 0 && !live_orders(product, bot).await.is_empty()).then_some(())
    };
    until("the grid rests", WHILE, resting).await;
    let late = FaultSpec::new(Exchange::Binance, Fault::LateFill).times(1);
    let id = sandbox.faults().add(late).unwrap();
    product.post(&format!("/api/bots/{bot}/pause"), json!({})).await;
    until("a fill after the cancel", WHILE, || async {
        let is_over = sandbox.faults().list().iter().all(|active| active.id != id);
        let orders = live_orders(product, bot).await;
        let is_late = |o: &serde_json::Value| o["status"] == "cancelled" && o["filled"] != "0";
        (is_over && orders.iter().any(is_late)).then_some(())
    })
    .await;
}

/// Everything sold, each real order in our books once, and the books are the exchange's.
async fn all_is_well(
    product: &Product,
    sandbox: &Sandbox,
    place: &Place,
    at: Exchange,
    bots: &[u64],
) {
    let tag = place.store().meta("installation").unwrap().unwrap();
    let mut booked = BTreeSet::new();
    for bot in bots {
        sell_out(product, *bot).await;
        for order in live_orders(product, *bot).await {
            let name = order["client_order_id"].as_str().unwrap();
            booked.insert(name.replacen("amk-", &format!("amk-{tag}-"), 1));
        }
    }
    let real: Vec<String> = sandbox.orders(at).into_iter().map(|order| order.client_id).collect();
    let unique: BTreeSet<String> = real.iter().cloned().collect();
    assert!(!real.is_empty(), "{at}");
    assert_eq!(unique.len(), real.len(), "{at}: each exists once");
    assert!(unique.is_subset(&booked), "{at}: ours are all that there are");
    books_are_equal(product, sandbox, at, bots, WHILE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_exchanges_answer_each_order_exists_once_or_not_and_the_books_are_theirs() {
    let sandbox = exchanges().await;
    let mut place = Place::new(config(&sandbox));
    let (product, bots) = trained(&mut place).await;
    for (exchange, bot) in &bots {
        promote(&product, *exchange, *bot).await;
    }
    let [binance, kucoin, luno] =
        Exchange::ALL.map(|e| be_lied_to(&product, &sandbox, e, bots[&e]));
    tokio::join!(binance, kucoin, luno);
    sandbox.faults().clear();
    for (exchange, bot) in &bots {
        all_is_well(&product, &sandbox, &place, *exchange, &[*bot]).await;
    }
    let verdict = product.get("/api/ledger/verify").await;
    assert_eq!(verdict["ok"], true, "{verdict}");
    product.end();
}

/// What rests on paper is taken back first, and live is asked for before the next bar.
async fn promote_grid(product: &Product, grid: u64) {
    let confirm = json!({ "confirm": "grid" });
    until("the grid is live", WHILE, || async {
        product.post(&format!("/api/bots/{grid}/pause"), json!({})).await;
        product.post(&format!("/api/bots/{grid}/flatten"), json!({})).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        product.post(&format!("/api/bots/{grid}/resume"), json!({})).await;
        let path = format!("/api/bots/{grid}/promote");
        let sent = product.try_send(Method::POST, &path, Some(&confirm), None).await;
        let (status, answer) = sent.unwrap();
        println!("grid: {answer}");
        status.is_success().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_that_crossed_its_cancel_is_booked_like_any_other() {
    let sandbox = exchanges().await;
    let mut place = Place::new(config(&sandbox));
    let grid = json!({
        "name": "grid", "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "15s",
        "strategy": {"kind": "grid", "params": {"levels": 4}}, "capital": "2000",
    });
    let (product, bots, others) = trained_with(&mut place, &[grid]).await;
    product.post(&format!("/api/bots/{}/pause", bots[&Exchange::Binance]), json!({})).await;
    promote_grid(&product, others[0]).await;
    fill_late(&product, &sandbox, others[0]).await;
    all_is_well(&product, &sandbox, &place, Exchange::Binance, &others).await;
    product.end();
}
