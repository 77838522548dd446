//! Self-healing over the built program: tasks that die, a core that stands still, a program that is
//! killed again and again, a disk that takes no more. The flag flipped.

use crate::harness::{PATIENCE, Place, Product, command, run_to_end, until};
use crate::market::{config, create, eager, fund, listed, sandbox};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// A place whose program looks for faults there; only debug builds do.
fn place(config: String) -> Place {
    let mut place = Place::new(config);
    let faults = place.dir.path().join("faults");
    fs::create_dir_all(&faults).unwrap();
    place.set("TEST_FAULTS_OF_AMARKTAI", faults.to_str().unwrap());
    place
}

fn fault(place: &Place, name: &str) {
    fs::write(place.dir.path().join("faults").join(name), "").unwrap();
}

fn mend(place: &Place, name: &str) {
    fs::remove_file(place.dir.path().join("faults").join(name)).unwrap();
}

/// Waits for a part's word; the whole health must say no better.
async fn part(product: &Product, name: &str, status: &str) -> Value {
    until(&format!("{name} is {status}"), PATIENCE, || async {
        let (_, health) =
            product.try_send(reqwest::Method::GET, "/health", None, None).await.ok()?;
        let part = health["checks"][name].clone();
        (part["status"] == status).then_some(part)
    })
    .await
}

async fn repairs(product: &Product) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = product.get(&format!("/api/events?limit=500&after={after}")).await;
        let items = page["items"].as_array().unwrap();
        let ours = items.iter().filter(|e| e["type"] == "self_healing");
        found.extend(ours.map(|e| e["data"].clone()));
        if items.len() < 500 {
            return found;
        }
        after = page["next"].as_str().unwrap().to_owned();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_dies_is_started_again_and_told_and_without_self_healing_only_told() {
    let sandbox = sandbox(31).await;
    let mut place = place(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    for task in ["backups", "notifications", "rates", "supervisor", "feeds", "speaker", "server"] {
        fault(&place, &format!("panic-{task}"));
        let name = format!("task {task}");
        let told = until(&format!("{name} is repaired"), PATIENCE, || async {
            // The server may be the one that is gone for a moment.
            product.try_send(reqwest::Method::GET, "/health", None, None).await.ok()?;
            repairs(&product).await.into_iter().find(|repair| repair["part"] == *name)
        })
        .await;
        assert_eq!(told["action"], "restart", "{told}");
        assert!(told["cause"].as_str().unwrap().contains("panic"), "{told}");
        assert!(told["outcome"].as_str().unwrap().contains("started again"), "{told}");
    }
    let metrics = product.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("amarktai_self_healing_total"), "{metrics}");
    // All of it works still: quotes come, bots trade, answers are given.
    let bot = create(&product, eager("after", "binance", "BTC/USDT")).await;
    until("a fill", PATIENCE, || async {
        let fills = product.get(&format!("/api/bots/{bot}/fills")).await;
        (!fills["items"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    part(&product, "tasks", "healthy").await;
    product.end();

    place.set("ENABLE_SELF_HEALING", "false");
    let product = place.start("run").await;
    part(&product, "tasks", "healthy").await;
    part(&product, "self_healing", "degraded").await;
    fault(&place, "panic-rates");
    let told = part(&product, "tasks", "degraded").await;
    assert!(told["detail"].as_str().unwrap().contains("rates"), "{told}");
    assert!(!place.dir.path().join("faults/panic-rates").exists());
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_that_stands_ends_the_process_by_name_and_without_self_healing_is_told() {
    let sandbox = sandbox(32).await;
    let mut place = place(config(&sandbox));
    let mut product = place.start("run").await;
    listed(&product, "binance", "BTC-USDT").await;
    fault(&place, "stall");
    let began = Instant::now();
    let status = product.wait(PATIENCE).expect("it ends");
    println!("a core that stands: ended after {} ms", began.elapsed().as_millis());
    assert_eq!(status.code(), Some(70), "{}", product.log_text());
    mend(&place, "stall");
    let product = place.start("run").await;
    let told = repairs(&product).await;
    let told = told.iter().find(|repair| repair["part"] == "core").expect("it was stored");
    assert_eq!(told["action"], "end the process", "{told}");
    product.end();

    place.set("ENABLE_SELF_HEALING", "false");
    let product = place.start("run").await;
    listed(&product, "binance", "BTC-USDT").await;
    part(&product, "watchdog", "healthy").await;
    fault(&place, "stall");
    let told = part(&product, "watchdog", "unhealthy").await;
    assert!(told["detail"].as_str().unwrap().contains("not advanced"), "{told}");
    mend(&place, "stall");
    part(&product, "watchdog", "healthy").await;
    part(&product, "engine", "healthy").await;
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_restart_within_ten_minutes_starts_without_entries_until_a_person_lets_them() {
    let sandbox = sandbox(33).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    let bot = create(&product, eager("busy", "binance", "BTC/USDT")).await;
    let entries = async |product: &Product| {
        let orders = product.get(&format!("/api/bots/{bot}/orders?limit=500")).await;
        let orders = orders["items"].as_array().unwrap().clone();
        orders.iter().filter(|order| order["purpose"] == "entry").count()
    };
    until("an entry", PATIENCE, || async { (entries(&product).await > 0).then_some(()) }).await;
    product.kill();
    for restart in 1..=2 {
        let product = place.start("run").await;
        let told = part(&product, "entries", "healthy").await;
        assert!(!told["detail"].is_null(), "restart {restart}");
        product.kill();
    }
    let product = place.start("run").await;
    let told = part(&product, "entries", "degraded").await;
    assert!(told["detail"].as_str().unwrap().contains("resume-entries"), "{told}");
    let before = entries(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    until("the bot says why", PATIENCE, || async {
        let bot = product.get(&format!("/api/bots/{bot}")).await;
        bot["doing"].to_string().contains("resume-entries").then_some(())
    })
    .await;
    assert_eq!(entries(&product).await, before, "no entry since the third restart");
    // An end in order is none by a person who has looked.
    product.end();
    let product = place.start("run").await;
    part(&product, "entries", "degraded").await;
    listed(&product, "binance", "BTC-USDT").await;
    assert_eq!(entries(&product).await, before);
    let mut resume = command(place.dir.path());
    resume.args(["resume-entries", "--json", "--data-dir"]).arg(place.data());
    let (code, out, err) = run_to_end(resume, PATIENCE);
    assert_eq!(code, Some(0), "{err}");
    let done: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(done["was_stopped"], json!(true), "{done}");
    part(&product, "entries", "healthy").await;
    until("entries again", PATIENCE, || async { (entries(&product).await > before).then_some(()) })
        .await;
    product.kill();
    let product = place.start("run").await;
    part(&product, "entries", "healthy").await;
    product.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_no_more_ends_the_program_by_name_and_nothing_is_lost() {
    let has_tool = Command::new("prlimit").arg("--version").output();
    if !has_tool.is_ok_and(|output| output.status.success()) {
        return println!("SKIPPED: prlimit is not installed");
    }
    let sandbox = sandbox(34).await;
    let place = Place::new(config(&sandbox));
    // Files that may not grow: a write beyond the limit is an error where the signal is ignored.
    let plain = place.command("run");
    let mut deaf = command(place.dir.path());
    let name = deaf.get_program().to_owned();
    deaf = Command::new("sh");
    deaf.current_dir(place.dir.path()).env_clear();
    deaf.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(name).args(plain.get_args());
    let mut product = place.start_by(deaf).await;
    fund(&product).await;
    part(&product, "store", "healthy").await;
    let size = ["", "-wal"].map(|suffix| {
        let file = format!("{}{suffix}", place.database().display());
        fs::metadata(file).map_or(0, |file| file.len())
    });
    let least = size.iter().min().unwrap().to_string();
    let pid = product.pid().to_string();
    let limit = format!("--fsize={least}:{least}");
    let limited = Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap();
    assert!(limited.success(), "the limit is not set");
    let began = Instant::now();
    let status = product.wait(PATIENCE).expect("it ends");
    println!("a full disk: ended after {} ms", began.elapsed().as_millis());
    assert_eq!(status.code(), Some(74), "{}", product.log_text());
    let product = place.start("run").await;
    part(&product, "store", "healthy").await;
    assert_eq!(product.get("/api/ledger/verify").await["ok"], true);
    let wallets = product.get("/api/wallets").await;
    assert_eq!(wallets.as_array().unwrap().len(), 3, "what was answered is there: {wallets}");
    product.end();
}
