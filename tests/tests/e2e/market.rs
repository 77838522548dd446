//! Local exchange servers, a configuration that points at them, and a fleet that trades on them.

use crate::harness::{PATIENCE, Product, until};
use domain::Exchange;
use sandbox::{Sandbox, SandboxConfig};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// Servers with little history: a test wants them fast.
pub(crate) async fn sandbox(seed: u64) -> Sandbox {
    start(SandboxConfig { seed, ..SandboxConfig::default() }).await
}

pub(crate) async fn start(config: SandboxConfig) -> Sandbox {
    let history = Duration::from_secs(1_800);
    sandbox::start(SandboxConfig { history, ..config }).await.unwrap()
}

/// All exchanges at the sandbox's addresses. Bots that trade at every bar lose their fees each time:
/// the guard against losses in a row would end most tests early.
pub(crate) fn config(sandbox: &Sandbox) -> String {
    let mut text = "[policy]\nconsecutive_losses_max = 0\nstoploss_guard_trades_max = 0\nlow_profit_trades_min = 0\n".to_owned();
    for exchange in Exchange::ALL {
        let urls = sandbox.urls(exchange);
        let _ = writeln!(
            text,
            "[exchanges.{exchange}]\nrest_url = \"{}\"\nstream_url = \"{}\"",
            urls.rest_url, urls.stream_url
        );
    }
    text
}

/// An account with money on every exchange.
pub(crate) async fn fund(product: &Product) {
    product.post("/api/accounts", json!({"name": "e2e", "reporting_currency": "ZAR"})).await;
    for (exchange, currency, amount) in
        [("binance", "USDT", "20000"), ("kucoin", "USDT", "10000"), ("luno", "ZAR", "200000")]
    {
        let body = json!({"exchange": exchange, "currency": currency, "amount": amount});
        product.post("/api/wallets/deposits", body).await;
    }
}

/// A bot that is always in the market: buys at every bar at which it is flat.
pub(crate) fn eager(name: &str, exchange: &str, symbol: &str) -> Value {
    json!({
        "name": name, "exchange": exchange, "symbol": symbol, "timeframe": "1s",
        "strategy": {"kind": "dca", "params": {"safety_orders": 0, "target_percent": "50"}},
        "capital": "1000", "exits": {"time_limit_s": 2},
    })
}

pub(crate) async fn listed(product: &Product, exchange: &str, pair: &str) {
    let path = format!("/api/markets/{exchange}/{pair}");
    until(&format!("{path} fresh"), PATIENCE, || async {
        let (_, market) = product.try_send(reqwest::Method::GET, &path, None, None).await.ok()?;
        (market["state"] == "fresh").then_some(())
    })
    .await;
}

pub(crate) async fn create(product: &Product, bot: Value) -> u64 {
    product.post("/api/bots", bot).await["id"].as_u64().unwrap()
}

pub(crate) async fn trades(product: &Product) -> Vec<Value> {
    let page = product.get("/api/trades?limit=500").await;
    page["items"].as_array().unwrap().clone()
}
