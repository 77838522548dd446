//! Real orders over the built binary, against local exchange servers with accounts of their own.
//!
//! A week of training is written into the store by hand: that is what a test cannot wait for, and
//! what no route, flag or import can do.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, create, eager, fund, listed, start};
use domain::{Amount, Exchange};
use reqwest::Method;
use sandbox::{AccountSpec, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Trading real money takes its time: the slowest exchange is polled.
pub(crate) const WHILE: Duration = Duration::from_secs(120);

pub(crate) async fn exchanges() -> Sandbox {
    let accounts = Exchange::ALL.map(|exchange| AccountSpec::demo(exchange, "one")).to_vec();
    start(SandboxConfig { seed: 3, accounts, ..SandboxConfig::default() }).await
}

pub(crate) const fn pair(exchange: Exchange) -> &'static str {
    if matches!(exchange, Exchange::Luno) { "BTC/ZAR" } else { "BTC/USDT" }
}

/// As after eight good days: written where the core keeps it, while it does not run.
pub(crate) fn train(place: &Place) {
    let store = rusqlite::Connection::open(place.database()).unwrap();
    let rows: Vec<(String, String)> = {
        let mut select =
            store.prepare("SELECT key, state FROM states WHERE key LIKE 'bot-%'").unwrap();
        select.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    for (key, state) in rows {
        let mut bot: Value = serde_json::from_str(&state).unwrap();
        let training = &mut bot["training"];
        training["coverage"]["counted"] = json!(8_i64 * 86_400_000_000_000);
        training["days"]["count"] = json!(8);
        // Eight days of 1 %, give or take 0.1 %.
        let gains = [0.009_f64, 0.011, 0.009, 0.011, 0.009, 0.011, 0.009, 0.011];
        let sum = |power: i32| gains.iter().map(|g| g.powi(power)).sum::<f64>();
        training["days"]["sums"] = json!([sum(1), sum(2), sum(3), sum(4)]);
        for (field, value) in [("trades", json!(40)), ("wins", json!(40))] {
            training[field] = value;
        }
        (training["won"], training["lost"]) = (json!("100000"), json!("1"));
        training["drawdown_percent"] = json!("1");
        let text = bot.to_string();
        store.execute("UPDATE states SET state = ? WHERE key = ?", (&text, &key)).unwrap();
    }
}

pub(crate) async fn put_key(product: &Product, exchange: Exchange) -> Value {
    let mut body = json!({ "key": "one-key", "secret": "one-secret" });
    match exchange {
        Exchange::Binance => {}
        Exchange::Kucoin => body["passphrase"] = json!("one-passphrase"),
        Exchange::Luno => {
            body["attestation"] =
                json!({ "cannot_withdraw": true, "ip_restriction": ["127.0.0.1"] });
        }
    }
    let path = format!("/api/keys/{exchange}");
    let (status, answer) = product.try_send(Method::PUT, &path, Some(&body), None).await.unwrap();
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

/// A fleet with a trained bot at each exchange, keys in the vault, and live trading on.
pub(crate) async fn trained(place: &mut Place) -> (Product, BTreeMap<Exchange, u64>) {
    let (product, bots, _) = trained_with(place, &[]).await;
    (product, bots)
}

/// The same with others beside them, which come last.
pub(crate) async fn trained_with(
    place: &mut Place,
    others: &[Value],
) -> (Product, BTreeMap<Exchange, u64>, Vec<u64>) {
    place.set("ENABLE_LIVE_TRADING", "true");
    let product = place.start("run").await;
    fund(&product).await;
    let mut bots = BTreeMap::new();
    for exchange in Exchange::ALL {
        listed(&product, exchange.name(), &pair(exchange).replace('/', "-")).await;
        let mut bot = eager(exchange.name(), exchange.name(), pair(exchange));
        if exchange == Exchange::Luno {
            bot["capital"] = json!("20000");
        }
        bots.insert(exchange, create(&product, bot).await);
    }
    let mut beside = Vec::new();
    for bot in others {
        beside.push(create(&product, bot.clone()).await);
    }
    product.end();
    train(place);
    let product = place.start("run").await;
    for exchange in Exchange::ALL {
        assert_eq!(put_key(&product, exchange).await["usable_for_live"], true, "{exchange}");
    }
    (product, bots, beside)
}

async fn missing(product: &Product, bot: u64) -> Vec<String> {
    let gate = product.get(&format!("/api/bots/{bot}/live-gate")).await;
    let conditions = gate["conditions"].as_array().unwrap().iter();
    let missing = conditions.filter(|c| c["is_required"] == true && c["pass"] == false);
    missing.map(|c| format!("{} {} {}", c["name"], c["figure"], c["limit"])).collect()
}

/// Promotes as soon as the bot is flat and nothing but the person's word is missing.
pub(crate) async fn promote(product: &Product, exchange: Exchange, bot: u64) {
    until(&format!("{exchange} is ready"), PATIENCE, || async {
        let missing = missing(product, bot).await;
        let is_ready = missing.len() == 1 && missing[0].contains("confirmed_by_a_person");
        if !is_ready {
            println!("{exchange}: {missing:?}");
        }
        is_ready.then_some(())
    })
    .await;
    until(&format!("{exchange} is live"), PATIENCE, || async {
        let (path, body) =
            (format!("/api/bots/{bot}/promote"), json!({ "confirm": exchange.name() }));
        let (status, answer) =
            product.try_send(Method::POST, &path, Some(&body), None).await.unwrap();
        if status.as_u16() != 200 {
            println!("{exchange}: {answer}");
        }
        (status.as_u16() == 200).then_some(())
    })
    .await;
}

async fn live_trades(product: &Product, bot: u64) -> Vec<Value> {
    let page = product.get(&format!("/api/trades?limit=500&is_paper=false&bot_id={bot}")).await;
    page["items"].as_array().unwrap().clone()
}

/// Every order that is live in our books, by its name at the exchange.
pub(crate) async fn live_orders(product: &Product, bot: u64) -> Vec<Value> {
    let page = product.get(&format!("/api/bots/{bot}/orders?limit=500")).await;
    let all = page["items"].as_array().unwrap().iter();
    all.filter(|order| order["mode"] == "live").cloned().collect()
}

fn amount(value: &Value) -> Amount {
    value.as_str().unwrap().parse().unwrap()
}

fn codes(exchange: Exchange) -> [(&'static str, &'static str); 2] {
    match exchange {
        Exchange::Luno => [("XBT", "BTC"), ("ZAR", "ZAR")],
        _ => [("BTC", "BTC"), ("USDT", "USDT")],
    }
}

/// What our live books say of a currency at an exchange: given to nobody, and given to bots.
async fn booked(product: &Product, exchange: Exchange, bots: &[u64], currency: &str) -> Amount {
    let wallets = product.get("/api/wallets").await;
    let wallets = wallets["items"].as_array().or(wallets.as_array()).unwrap().clone();
    let is_it = |w: &&Value| {
        w["mode"] == "live" && w["exchange"] == exchange.name() && w["currency"] == currency
    };
    let available = wallets.iter().find(is_it).map_or(Amount::ZERO, |w| amount(&w["available"]));
    let mut given = Amount::ZERO;
    for bot in bots {
        let view = product.get(&format!("/api/bots/{bot}")).await;
        given += match currency {
            "BTC" => amount(&view["dust"]),
            _ => amount(&view["cash"]),
        };
    }
    available + given
}

pub(crate) async fn books_are_equal(
    product: &Product,
    sandbox: &Sandbox,
    exchange: Exchange,
    bots: &[u64],
    within: Duration,
) {
    for (native, currency) in codes(exchange) {
        until(&format!("{exchange} {currency} equal"), within, || async {
            let (free, held) = sandbox.balance(exchange, "one-key", native);
            let ours = booked(product, exchange, bots, currency).await;
            let off = (ours - free - held).abs();
            // What exchanges print at the coarsest.
            let is_equal = off <= "0.00000001".parse().unwrap();
            if !is_equal {
                println!("{exchange} {currency}: ours {ours}, theirs {}", free + held);
            }
            is_equal.then_some(())
        })
        .await;
    }
}

pub(crate) async fn sell_out(product: &Product, bot: u64) {
    product.post(&format!("/api/bots/{bot}/pause"), json!({})).await;
    product.post(&format!("/api/bots/{bot}/flatten"), json!({})).await;
    until("flat", WHILE, || async {
        let view = product.get(&format!("/api/bots/{bot}")).await;
        (view["position"].is_null() && view["open_orders"] == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_earned_it_trades_real_money_on_each_exchange() {
    let sandbox = exchanges().await;
    let mut place = Place::new(config(&sandbox));
    let (product, bots) = trained(&mut place).await;
    for (exchange, bot) in &bots {
        promote(&product, *exchange, *bot).await;
    }
    for (exchange, bot) in &bots {
        let mut doing = String::new();
        let traded = tokio::time::timeout(WHILE, async {
            while live_trades(&product, *bot).await.len() < 2 {
                let view = product.get(&format!("/api/bots/{bot}")).await;
                doing = view["doing"].as_str().unwrap_or_default().to_owned();
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        assert!(traded.await.is_ok(), "{exchange} does not trade: {doing}");
        sell_out(&product, *bot).await;
        let orders = live_orders(&product, *bot).await;
        assert!(orders.len() >= 4, "{exchange}: {}", orders.len());
        books_are_equal(&product, &sandbox, *exchange, &[*bot], PATIENCE).await;
    }
    let verdict = product.get("/api/ledger/verify").await;
    assert_eq!(verdict["ok"], true, "{verdict}");
    product.end();
}

/// Killed at any moment: between storing, sending and hearing of it. An order exists once or never,
/// and when everything was asked about the books are the exchange's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_no_real_order_goes_out_twice() {
    const KILLS: u64 = 8;
    let sandbox = exchanges().await;
    let mut place = Place::new(config(&sandbox));
    let (mut product, bots) = trained(&mut place).await;
    for (exchange, bot) in &bots {
        promote(&product, *exchange, *bot).await;
    }
    for (exchange, bot) in &bots {
        until(&format!("{exchange} trades"), WHILE, || async {
            (!live_orders(&product, *bot).await.is_empty()).then_some(())
        })
        .await;
    }
    let mut moments = rand::rng();
    for kill in 0..KILLS {
        // Live trading begins anew once the exchange was heard.
        until("somebody trades", WHILE, || async {
            let mut open = 0;
            for bot in bots.values() {
                let view = product.get(&format!("/api/bots/{bot}")).await;
                open += view["open_orders"].as_u64().unwrap();
                open += u64::from(!view["position"].is_null());
            }
            (open > 0).then_some(())
        })
        .await;
        let pause = rand::Rng::random_range(&mut moments, 0..700);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        println!("kill {kill} after {pause} ms");
        product.kill();
        product = place.start("run").await;
        // The third restart in ten minutes begins without entries: a person looks, and goes on.
        product.post("/api/system/entries", json!({})).await;
    }
    for (exchange, bot) in &bots {
        sell_out(&product, *bot).await;
        let orders = live_orders(&product, *bot).await;
        assert!(!orders.is_empty(), "{exchange}");
        let tag = place.store().meta("installation").unwrap().unwrap();
        for order in orders {
            let name = order["client_order_id"].as_str().unwrap().replacen(
                "amk-",
                &format!("amk-{tag}-"),
                1,
            );
            let times = sandbox.orders_of(*exchange, &name).len();
            assert!(times <= 1, "{exchange} {name}: {times} real orders");
        }
        books_are_equal(&product, &sandbox, *exchange, &[*bot], WHILE).await;
    }
    let verdict = product.get("/api/ledger/verify").await;
    assert_eq!(verdict["ok"], true, "{verdict}");
    product.end();
}
