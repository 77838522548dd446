//! Each flag flipped, and its effect as seen from outside.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, create, eager, fund, listed, sandbox};
use reqwest::Method;
use serde_json::{Value, json};

async fn has_hold(product: &Product, bot: u64, hold: &str) -> bool {
    let bot = product.get(&format!("/api/bots/{bot}")).await;
    bot["holds"].as_array().unwrap().iter().any(|h| h == hold)
}

async fn entries(product: &Product, bot: u64) -> usize {
    let orders = product.get(&format!("/api/bots/{bot}/orders?limit=500")).await;
    let orders = orders["items"].as_array().unwrap();
    orders.iter().filter(|o| o["purpose"] == "entry").count()
}

async fn position(product: &Product, bot: u64) -> Option<Value> {
    let bot = product.get(&format!("/api/bots/{bot}")).await;
    Some(bot["position"].clone()).filter(|p| !p.is_null())
}

/// Waits until the market has closed so many bars of a second: as often the bots have decided.
async fn bars_pass(product: &Product, bars: usize) {
    let last = || async {
        let path = "/api/markets/binance/BTC-USDT/bars?timeframe=1s&limit=1000";
        let bars = product.get(path).await;
        bars.as_array().unwrap().iter().map(|b| b["open_at"].to_string()).collect::<Vec<_>>()
    };
    let before = last().await.pop().unwrap_or_default();
    until("bars of a second", PATIENCE, || async {
        (last().await.iter().filter(|at| **at > before).count() >= bars).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flag_has_its_effect_and_loses_it_with_the_next_start() {
    let sandbox = sandbox(4).await;
    let mut place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    listed(&product, "luno", "BTC-ZAR").await;
    let mut holder = eager("holder", "binance", "BTC/USDT");
    holder["exits"] = json!({"time_limit_s": 12});
    let holder = create(&product, holder).await;
    let mut waiter = eager("waiter", "luno", "BTC/ZAR");
    waiter["capital"] = json!("20000");
    let waiter = create(&product, waiter).await;
    assert!(!has_hold(&product, waiter, "UNSUPPORTED_EXCHANGE").await);
    until("a position", PATIENCE, || position(&product, holder)).await;
    product.end();

    place.set("ENABLE_TRADING", "false");
    place.set("ENABLE_BODYGUARD", "false");
    let product = place.start("run").await;
    let before = entries(&product, holder).await;
    until("an exit while trading is off", PATIENCE, || async {
        position(&product, holder).await.is_none().then_some(())
    })
    .await;
    let trades = product.get(&format!("/api/bots/{holder}/trades")).await;
    assert_eq!(trades["items"][0]["exit_reason"], "TIME", "{trades}");
    bars_pass(&product, 4).await;
    assert_eq!(entries(&product, holder).await, before, "no entry while ENABLE_TRADING is off");
    let health = product.get("/health").await;
    assert_eq!(health["checks"]["bodyguard"]["status"], "degraded", "{health}");
    assert_eq!(health["flags"]["ENABLE_TRADING"], "false", "{health}");
    product.end();

    place.env.clear();
    place.set("ENABLE_PAPER_TRADING", "false");
    place.set("ENABLE_REALTIME", "false");
    place.set("PAPER_SUPPORTED_EXCHANGES", "binance");
    let product = place.start("run").await;
    until("holds by flags", PATIENCE, || async {
        let disabled = has_hold(&product, holder, "MODE_DISABLED").await;
        let unsupported = has_hold(&product, waiter, "UNSUPPORTED_EXCHANGE").await;
        (disabled && unsupported).then_some(())
    })
    .await;
    assert!(!has_hold(&product, holder, "UNSUPPORTED_EXCHANGE").await);
    for path in ["/api/realtime/events", "/api/realtime/ws"] {
        let (status, body) = product.try_send(Method::GET, path, None, None).await.unwrap();
        assert_eq!((status.as_u16(), &body["code"]), (503, &json!("REALTIME_OFF")), "{path}");
    }
    listed(&product, "binance", "BTC-USDT").await;
    let before = entries(&product, holder).await;
    bars_pass(&product, 3).await;
    assert_eq!(entries(&product, holder).await, before, "no entry while paper trading is off");
    product.end();

    place.env.clear();
    let product = place.start("run").await;
    until("all holds gone and trading again", PATIENCE, || async {
        let held = has_hold(&product, holder, "MODE_DISABLED").await
            || has_hold(&product, waiter, "UNSUPPORTED_EXCHANGE").await;
        (!held && entries(&product, holder).await > before).then_some(())
    })
    .await;
    assert_eq!(product.get("/health").await["checks"]["bodyguard"]["status"], "healthy");
    product.end();
}
