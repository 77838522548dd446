//! Research runs the code that trades: a paper session, its replay and a backtest over what the
//! session was told give the same trades, for every kind of strategy.

use crate::harness::{Place, Product, run_to_end, until};
use crate::market::{create, listed, sandbox};
use domain::{Exchange, StrategyKind};
use sandbox::{Fault, FaultSpec, Sandbox};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// Every kind has to close a trade; a made-up market takes its time.
const LONG: Duration = Duration::from_secs(240);

/// Binance for seven kinds; Luno, whose makers pay nothing, for the one that lives of the spread.
fn config(sandbox: &Sandbox) -> String {
    let mut text = "[policy]\nconsecutive_losses_max = 1000000\n".to_owned();
    for exchange in [Exchange::Binance, Exchange::Luno] {
        let urls = sandbox.urls(exchange);
        let _ = writeln!(text, "[exchanges.{exchange}]\nrest_url = \"{}\"", urls.rest_url);
        let _ = writeln!(text, "stream_url = \"{}\"\nenabled = true", urls.stream_url);
        let symbols = if exchange == Exchange::Luno { "\"USDT/ZAR\"" } else { "" };
        let _ = writeln!(text, "symbols = [{symbols}]");
    }
    text + "[exchanges.kucoin]\nenabled = false\n"
}

/// Bots that enter as soon as they may and leave after two seconds, the maker of markets first.
fn fleet(grid_price: f64) -> Vec<Value> {
    let grid = json!({
        "levels": 2,
        "lower": format!("{:.2}", grid_price * 0.9995), "upper": format!("{:.2}", grid_price * 1.02),
    });
    let line = |kind: &str, exchange: &str, symbol: &str, params: Value| {
        json!({
            "name": kind, "exchange": exchange, "symbol": symbol, "timeframe": "1s",
            "strategy": {"kind": kind, "params": params}, "capital": "1500",
            "exits": {"time_limit_s": 2}, "risk_mode": "aggressive",
        })
    };
    let mut maker =
        line("market_making", "luno", "USDT/ZAR", json!({"min_spread_bp": "1", "max_hold_s": 3}));
    maker["capital"] = json!("40000");
    vec![
        maker,
        line("ema_cross", "binance", "BTC/USDT", json!({"fast": 2, "slow": 3})),
        line(
            "rsi_reversion",
            "binance",
            "ETH/USDT",
            json!({"period": 2, "buy_below": "90", "sell_above": "95"}),
        ),
        line(
            "bollinger_reversion",
            "binance",
            "SOL/USDT",
            json!({"period": 3, "deviations": "0.5"}),
        ),
        line(
            "donchian_breakout",
            "binance",
            "XRP/USDT",
            json!({"entry_period": 2, "exit_period": 2}),
        ),
        line("macd_trend", "binance", "LTC/USDT", json!({"fast": 2, "slow": 3, "signal": 2})),
        line("grid", "binance", "BNB/USDT", grid),
        line(
            "dca",
            "binance",
            "DOGE/USDT",
            json!({"safety_orders": 2, "deviation_percent": "0.05", "target_percent": "1"}),
        ),
    ]
}

async fn price(product: &Product, sandbox: &Sandbox) -> f64 {
    let url = sandbox.urls(Exchange::Binance).rest_url;
    let url = format!("{url}/api/v3/klines?symbol=BNBUSDT&interval=1m&limit=1");
    let text = product.client.get(url).send().await.unwrap().text().await.unwrap();
    let bars: Value = serde_json::from_str(&text).unwrap();
    bars[0][4].as_str().unwrap().parse().unwrap()
}

/// What both know of a trade; what it is worth in the account's currency only the session knows.
fn known(trades: &[Value], kind: StrategyKind) -> Vec<String> {
    let of = trades.iter().filter(|t| t["strategy"] == kind.name());
    let mut rows: Vec<String> = of
        .map(|trade| {
            let mut trade = trade.as_object().unwrap().clone();
            trade.retain(|key, _| {
                !key.starts_with("reporting_") && !key.starts_with("rate_") && key != "account_id"
            });
            Value::Object(trade).to_string()
        })
        .collect();
    rows.sort();
    rows
}

/// One session of bots on one exchange, its replay and its backtest.
async fn compare(exchange: &str, currency: &str, is_of_it: fn(StrategyKind) -> bool) {
    let sandbox = sandbox(11).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    product.post("/api/accounts", json!({"name": "e2e", "reporting_currency": currency})).await;
    let body = json!({"exchange": exchange, "currency": currency, "amount": "200000"});
    product.post("/api/wallets/deposits", body).await;
    listed(&product, "luno", "USDT-ZAR").await;
    // While its streams are silent nothing happens that the first bot sees and the last does not.
    let silence = FaultSpec::new(Exchange::Binance, Fault::Silence);
    sandbox.faults().add(silence).unwrap();
    let kinds: Vec<StrategyKind> = StrategyKind::ALL.into_iter().filter(|k| is_of_it(*k)).collect();
    let mut fleet = fleet(price(&product, &sandbox).await);
    fleet.retain(|bot| kinds.iter().any(|kind| bot["strategy"]["kind"] == kind.name()));
    let mut ids = Vec::new();
    for bot in &fleet {
        ids.push(create(&product, bot.clone()).await);
    }
    let from = product.get(&format!("/api/bots/{}", ids[0])).await["created_at"].clone();
    // The first bar of a second with a trade in it has to begin after the last bot came: a bot
    // drops the bar whose beginning it did not see.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    sandbox.faults().clear();
    until("a trade of every kind", LONG, || async {
        let trades = product.get("/api/trades?limit=500").await;
        let trades = trades["items"].as_array().unwrap();
        let traded = |kind: &StrategyKind| trades.iter().any(|t| t["strategy"] == kind.name());
        kinds.iter().all(traded).then_some(())
    })
    .await;
    product.end();
    sandbox.close().await;
    let (replayed, session) = (replay(&place), stored(&place));
    assert_eq!(replayed["same"], true, "{replayed:#}");
    assert_eq!(replayed["rows"]["trades"], session.len());
    let tested = backtest(&place, &fleet, from.as_str().unwrap());
    for kind in kinds {
        let (paper, again) = (known(&session, kind), known(&tested, kind));
        assert!(!paper.is_empty(), "{kind} did not trade");
        assert_eq!(again, paper, "{kind}: the backtest differs from the session");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_its_replay_and_a_backtest_give_the_same_trades_for_every_kind() {
    compare("binance", "USDT", |kind| kind != StrategyKind::MarketMaking).await;
    compare("luno", "ZAR", |kind| kind == StrategyKind::MarketMaking).await;
}

fn answer(place: &Place, words: &[&str]) -> Value {
    let mut command = crate::harness::command(place.dir.path());
    command.args(words).args(["--data-dir", "data"]);
    let (code, out, err) = run_to_end(command, LONG);
    let parsed = serde_json::from_str(&out);
    parsed.unwrap_or_else(|e| panic!("{words:?}: exit {code:?}: {e}\n{out}\n{err}"))
}

fn replay(place: &Place) -> Value {
    answer(place, &["replay", "--json"])
}

/// Everything that the session closed, as it is shown.
fn stored(place: &Place) -> Vec<Value> {
    let page = answer(place, &["trades", "--limit", "500", "--json"]);
    page["items"].as_array().or(page.as_array()).unwrap().clone()
}

/// Bots over what the session's core was told, from when the first of them was made.
fn backtest(place: &Place, fleet: &[Value], from: &str) -> Vec<Value> {
    let config = place.dir.path().join("amarktai.toml");
    std::fs::write(config, &place.config).unwrap();
    let mut plan = "[[data]]\nexchange = \"binance\"\nsymbol = \"BTC/USDT\"\n\
                    files = [\"data/inputs\"]\n"
        .to_owned();
    for bot in fleet {
        let pairs = |value: &Value| {
            let value = value.as_object().unwrap();
            let words: Vec<_> = value.iter().map(|(k, v)| format!("{k} = {v}")).collect();
            format!("{{ {} }}", words.join(", "))
        };
        let strategy = &bot["strategy"];
        let _ = writeln!(
            plan,
            "[[bots]]\nname = {}\nexchange = {}\nsymbol = {}\ntimeframe = {}\ncapital = {}\n\
             risk_mode = {}\nexits = {}\nstrategy = {{ kind = {}, params = {} }}",
            bot["name"],
            bot["exchange"],
            bot["symbol"],
            bot["timeframe"],
            bot["capital"],
            bot["risk_mode"],
            pairs(&bot["exits"]),
            strategy["kind"],
            pairs(&strategy["params"]),
        );
    }
    std::fs::write(place.dir.path().join("plan.toml"), plan).unwrap();
    let words = ["backtest", "--config", "plan.toml", "--from", from, "--accept-gaps", "--json"];
    answer(place, &words)["trades"].as_array().unwrap().clone()
}
