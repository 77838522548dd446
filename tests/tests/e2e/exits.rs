//! Positions are guarded whatever holds their bots, and the emergency stop stops.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, create, eager, fund, listed, sandbox};
use serde_json::{Value, json};

async fn bot(product: &Product, id: u64) -> Value {
    product.get(&format!("/api/bots/{id}")).await
}

async fn holds(product: &Product, id: u64, what: &str) -> bool {
    bot(product, id).await["holds"].as_array().unwrap().iter().any(|h| h == what)
}

async fn orders(product: &Product, id: u64) -> Vec<Value> {
    let page = product.get(&format!("/api/bots/{id}/orders?limit=500")).await;
    page["items"].as_array().unwrap().clone()
}

fn entries(orders: &[Value]) -> usize {
    orders.iter().filter(|o| o["purpose"] == "entry").count()
}

async fn trades(product: &Product, id: u64) -> Vec<Value> {
    product.get(&format!("/api/bots/{id}/trades")).await["items"].as_array().unwrap().clone()
}

/// Pauses a bot while it holds a position; its stop may have been faster, then again.
async fn pause_while_it_holds(product: &Product, id: u64) -> String {
    until("a paused bot that holds", PATIENCE, || async {
        if bot(product, id).await["position"].is_null() {
            return None;
        }
        let paused = product.post(&format!("/api/bots/{id}/pause"), json!({})).await;
        if paused["position"].is_null() {
            product.post(&format!("/api/bots/{id}/resume"), json!({})).await;
            return None;
        }
        Some(paused["updated_at"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_fires_for_a_paused_bot_and_it_does_not_buy_again() {
    let sandbox = sandbox(10).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    let mut tight = eager("tight", "binance", "BTC/USDT");
    tight["exits"] = json!({"stop_percent": "0.02"});
    let id = create(&product, tight).await;
    let paused_at = pause_while_it_holds(&product, id).await;
    let before = entries(&orders(&product, id).await);
    until("the stop", PATIENCE * 2, || async {
        bot(&product, id).await["position"].is_null().then_some(())
    })
    .await;
    assert!(holds(&product, id, "USER_PAUSED").await, "it is paused still");
    let trades = trades(&product, id).await;
    let last = trades.iter().max_by_key(|t| t["timestamp"].to_string()).unwrap();
    assert_eq!(last["exit_reason"], "STOP", "{last}");
    assert!(last["timestamp"].as_str().unwrap() > paused_at.as_str(), "{last} {paused_at}");
    assert_eq!(entries(&orders(&product, id).await), before, "a hold stops entries");
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_emergency_stop_stops_entries_and_positions_can_be_flattened() {
    let sandbox = sandbox(11).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    let mut keeper = eager("keeper", "binance", "BTC/USDT");
    keeper["exits"] = json!({"stop_percent": "20"});
    let keeper = create(&product, keeper).await;
    let busy = create(&product, eager("busy", "binance", "ETH/USDT")).await;
    let mut rester = eager("rester", "binance", "SOL/USDT");
    rester["strategy"]["params"] = json!({"safety_orders": 3, "target_percent": "50"});
    rester["exits"] = json!({"stop_percent": "20"});
    let rester = create(&product, rester).await;
    until("a position, a trade and resting orders", PATIENCE, || async {
        let is_ready = !bot(&product, keeper).await["position"].is_null()
            && !trades(&product, busy).await.is_empty()
            && bot(&product, rester).await["open_orders"].as_u64()? >= 3;
        is_ready.then_some(())
    })
    .await;
    let pulled = product.post("/api/emergency-stop", json!({"reason": "a test"})).await;
    assert_eq!((&pulled["active"], &pulled["reason"]), (&json!(true), &json!("a test")));
    for id in [keeper, busy, rester] {
        assert!(holds(&product, id, "EMERGENCY_STOP").await);
    }
    until("resting entries cancelled", PATIENCE, || async {
        let open = bot(&product, rester).await["open_orders"].as_u64()?;
        (open == 0).then_some(())
    })
    .await;
    let mut before = 0;
    for id in [keeper, busy, rester] {
        before += entries(&orders(&product, id).await);
    }
    assert!(!bot(&product, keeper).await["position"].is_null(), "guarded, not sold");
    let product = &product;
    product.post(&format!("/api/bots/{keeper}/flatten"), json!({})).await;
    until("flat", PATIENCE, || async {
        bot(product, keeper).await["position"].is_null().then_some(())
    })
    .await;
    assert_eq!(trades(product, keeper).await[0]["exit_reason"], "MANUAL");
    let cleared = product.delete("/api/emergency-stop").await;
    assert_eq!(cleared["active"], false);
    for id in [keeper, busy, rester] {
        assert_eq!(bot(product, id).await["state"], "paused", "clearing leaves bots paused");
    }
    let mut after = 0;
    for id in [keeper, busy, rester] {
        after += entries(&orders(product, id).await);
    }
    assert_eq!(after, before, "no entry since the stop");
    product.post(&format!("/api/bots/{busy}/resume"), json!({})).await;
    until("entries again", PATIENCE, || async {
        (entries(&orders(product, busy).await) > 0 && !holds(product, busy, "EMERGENCY_STOP").await)
            .then_some(())
    })
    .await;
}
