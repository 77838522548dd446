//! The emergency stop where the web is hung, the process gone, or only a signal gets through.

use crate::harness::{PATIENCE, Place, Product, command, run_to_end, until};
use crate::market::{config, create, eager, fund, listed, sandbox};
use serde_json::{Value, json};

async fn stop(product: &Product) -> Value {
    product.get("/api/emergency-stop?scope=fleet").await
}

async fn entries(product: &Product, bot: u64) -> usize {
    let orders = product.get(&format!("/api/bots/{bot}/orders?limit=500")).await;
    let orders = orders["items"].as_array().unwrap();
    orders.iter().filter(|o| o["purpose"] == "entry").count()
}

async fn trading(place: &Place) -> (Product, u64) {
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    let bot = create(&product, eager("busy", "binance", "BTC/USDT")).await;
    until("an entry", PATIENCE, || async { (entries(&product, bot).await > 0).then_some(()) })
        .await;
    (product, bot)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_stops_the_fleet_and_kill_9_does_not_take_it_back() {
    let sandbox = sandbox(21).await;
    let place = Place::new(config(&sandbox));
    let (product, bot) = trading(&place).await;
    product.signal("USR1");
    until("the stop by signal", PATIENCE, || async {
        (stop(&product).await["active"] == true).then_some(())
    })
    .await;
    let before = entries(&product, bot).await;
    product.kill();
    let product = place.start("run").await;
    let told = stop(&product).await;
    assert_eq!((&told["active"], &told["persisted"]), (&json!(true), &json!(true)), "{told}");
    listed(&product, "binance", "BTC-USDT").await;
    let shown = product.get(&format!("/api/bots/{bot}")).await;
    assert!(shown["holds"].as_array().unwrap().contains(&json!("EMERGENCY_STOP")), "{shown}");
    assert_eq!(entries(&product, bot).await, before, "no entry since the stop");
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_process_is_stopped_by_hand_and_its_next_start_obeys() {
    let sandbox = sandbox(22).await;
    let place = Place::new(config(&sandbox));
    let (product, bot) = trading(&place).await;
    product.signal("STOP");
    let mut pull = command(place.dir.path());
    pull.args(["emergency-stop", "--json", "--reason", "it hangs", "--data-dir"]).arg(place.data());
    let (code, out, err) = run_to_end(pull, PATIENCE);
    assert_eq!(code, Some(0), "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["active"], &told["persisted"]), (&json!(true), &json!(false)), "{told}");
    assert_eq!(told["signalled"], product.pid(), "{told}");
    product.kill();
    let product = place.start("run").await;
    let stopped = stop(&product).await;
    assert_eq!((&stopped["active"], &stopped["reason"]), (&json!(true), &json!("it hangs")));
    let left = std::fs::read_dir(place.data()).unwrap().flatten();
    let left: Vec<_> = left.filter(|f| f.file_name().to_string_lossy().contains("stop")).collect();
    assert!(left.is_empty(), "the store holds it now: {left:?}");
    let before = entries(&product, bot).await;
    listed(&product, "binance", "BTC-USDT").await;
    assert_eq!(entries(&product, bot).await, before, "no entry after the start");
    product.end();
}
