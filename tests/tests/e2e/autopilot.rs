//! The autopilot from outside: it plans while it is off, acts on what was handed over once it is on,
//! and leaves the rest alone.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, create, eager, fund, listed, sandbox};
use reqwest::Method;
use serde_json::{Value, json};

/// Sooner than at the defaults: bots that pay fees at each bar lose surely.
const HASTY: &str = "autopilot_every_s = 10\nautopilot_trades_min = 4\n";

async fn cuts(product: &Product) -> Vec<Value> {
    let plan = product.post("/api/autopilot/plan", Value::Null).await;
    let actions = plan["actions"].as_array().unwrap().iter();
    actions.filter(|a| a["kind"] == "cut").cloned().collect()
}

async fn lifecycle(product: &Product, bot: u64) -> Value {
    product.get(&format!("/api/bots/{bot}")).await["lifecycle"].clone()
}

async fn told(product: &Product) -> Vec<Value> {
    let (mut told, mut path) = (Vec::new(), "/api/events?limit=500".to_owned());
    loop {
        let page = product.get(&path).await;
        let events = page["items"].as_array().unwrap();
        let is_it = |e: &&Value| e["type"] == "autopilot_action";
        told.extend(events.iter().filter(is_it).cloned());
        match page["next"].as_str().filter(|_| !events.is_empty()) {
            Some(next) => path = format!("/api/events?limit=500&after={next}"),
            None => return told,
        }
    }
}

async fn trades_of(product: &Product, bot: u64) -> u64 {
    product.get(&format!("/api/bots/{bot}")).await["trades"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_it_only_plans_and_on_it_ends_what_was_handed_over_and_loses() {
    let sandbox = sandbox(14).await;
    let text = config(&sandbox).replace("[policy]\n", &format!("[policy]\n{HASTY}"));
    let mut place = Place::new(text);
    place.set("ENABLE_AUTOPILOT", "false");
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    let mine = create(&product, eager("mine", "binance", "BTC/USDT")).await;
    let handed = create(&product, eager("handed", "binance", "BTC/USDT")).await;
    let (path, patch) = (format!("/api/bots/{handed}"), json!({"managed": true}));
    let (_, patched) = product.try_send(Method::PATCH, &path, Some(&patch), None).await.unwrap();
    assert_eq!(patched["managed"], true, "{patched}");
    let planned = until("a cut of each in the plan", PATIENCE, || async {
        let cuts = cuts(&product).await;
        (cuts.len() == 2).then_some(cuts)
    })
    .await;
    assert_eq!((&planned[0]["bot"], &planned[0]["acts"]), (&json!("handed"), &json!(true)));
    assert_eq!((&planned[1]["bot"], &planned[1]["acts"]), (&json!("mine"), &json!(false)));
    // Two more intervals' worth of trades: paper trading goes on, and nothing else happens.
    let before = trades_of(&product, handed).await;
    until("trades without it", PATIENCE, || async {
        (trades_of(&product, handed).await > before + 3).then_some(())
    })
    .await;
    let view = product.get("/api/autopilot").await;
    assert_eq!(view["plan"]["enabled"], false);
    assert_eq!(view["plan"]["blocked_by"], "ENABLE_AUTOPILOT is off");
    assert_eq!((&view["last_run_at"], &view["did"]), (&Value::Null, &json!([])));
    assert!(told(&product).await.is_empty());
    assert_eq!(lifecycle(&product, handed).await, "active");
    assert_eq!(product.get("/health").await["checks"]["autopilot"]["status"], "healthy");
    product.end();

    place.env.clear();
    let product = place.start("run").await;
    until("the handed one archived", PATIENCE, || async {
        (lifecycle(&product, handed).await == "retired").then_some(())
    })
    .await;
    assert_eq!(lifecycle(&product, mine).await, "active", "a person's");
    let told = told(&product).await;
    let of = |outcome: &str| {
        let is_it = |e: &&Value| e["data"]["outcome"] == outcome && e["data"]["kind"] == "cut";
        told.iter().filter(is_it).map(|e| e["data"]["bot"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("done"), [json!("handed")], "{told:?}");
    assert!(of("proposed").iter().all(|bot| bot == "mine"), "{told:?}");
    assert!(told[0]["data"]["reason"].as_str().unwrap().contains("score"));
    let view = product.get("/api/autopilot").await;
    assert_eq!(view["plan"]["enabled"], true);
    assert!(view["last_run_at"].is_string() && !view["did"].as_array().unwrap().is_empty());
    let verified = product.get("/api/ledger/verify").await;
    assert_eq!(verified["ok"], true, "{verified}");
    product.end();
}
