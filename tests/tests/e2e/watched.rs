//! Markets that nobody trades, looked at over HTTP.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, create, eager, fund, sandbox};
use reqwest::Method;
use serde_json::Value;

fn is_quoted(market: &Value) -> bool {
    market["state"] == "fresh" && market["best_bid"].is_string() && market["best_ask"].is_string()
}

/// Waits until a list of the answer has so many rows; never more.
async fn rows(product: &Product, path: &str, list: &str, count: usize) {
    until(&format!("{count} rows of {path}"), PATIENCE, || async {
        let (status, answer) = product.try_send(Method::GET, path, None, None).await.ok()?;
        let rows = answer.pointer(list)?.as_array().map(Vec::len);
        assert!(rows.is_none_or(|rows| rows <= count), "{path}: {status} {answer}");
        (rows == Some(count)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_is_subscribed_for_a_page_and_left_to_the_bot_that_comes() {
    let sandbox = sandbox(11).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    let quoted = async |path: &'static str| {
        until(&format!("{path} quoted"), PATIENCE, || async {
            let (_, market) = product.try_send(Method::GET, path, None, None).await.ok()?;
            is_quoted(&market).then_some(market)
        })
        .await
    };
    for path in [
        "/api/markets/binance/LTC-USDT",
        "/api/markets/kucoin/SOL-USDT",
        "/api/markets/luno/ETH-ZAR",
    ] {
        assert_eq!(quoted(path).await["bots"], 0, "{path}");
    }
    // A feed may leave `fresh` for a moment at any time; then it shows no price.
    rows(&product, "/api/markets/binance/LTC-USDT/book?depth=5", "/bids", 5).await;
    // Of a market that is traded and one that is not, in lengths that no bot uses.
    for path in ["/api/markets/binance/BTC-USDT", "/api/markets/binance/LTC-USDT"] {
        rows(&product, &format!("{path}/bars?timeframe=5m&limit=3"), "", 3).await;
    }
    // Without a key Luno's bars are made of its last prints: a minute may be whole, no day is.
    let days = "/api/markets/luno/ETH-ZAR/bars?timeframe=1d";
    let (status, problem) = product.try_send(Method::GET, days, None, None).await.unwrap();
    assert_eq!((status.as_u16(), &problem["code"]), (409, &"NOT_POSSIBLE".into()), "{problem}");
    let unlisted = "/api/markets/binance/NOPE-USDT";
    let (status, _) = product.try_send(Method::GET, unlisted, None, None).await.unwrap();
    assert_eq!(status.as_u16(), 404);
    // What people look at is no business of the core, its health, or the next start.
    let known = product.get("/api/markets").await;
    let is_known = |m: &Value| m["symbol"] == "LTC/USDT";
    assert!(!known.as_array().unwrap().iter().any(is_known), "{known}");

    create(&product, eager("lite", "binance", "LTC/USDT")).await;
    until("the bot's market quoted by the core", PATIENCE, || async {
        let market = product.get("/api/markets/binance/LTC-USDT").await;
        (market["bots"] == 1 && is_quoted(&market)).then_some(())
    })
    .await;
    until("a fill on the market that was looked at", PATIENCE, || async {
        let fills = product.get("/api/fills").await;
        fills["items"].as_array().filter(|fills| !fills.is_empty()).map(|_| ())
    })
    .await;
    product.end();
}
