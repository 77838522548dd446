//! Backup and restore over the binary, and secrets that are nowhere to be found.

use crate::harness::{PATIENCE, Place, Product, run_to_end, until};
use crate::market::{config, fund, sandbox, start};
use domain::Exchange;
use reqwest::Method;
use sandbox::{AccountSpec, SandboxConfig};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

fn run(place: &Place, line: &[&str]) -> (Option<i32>, String, String) {
    let mut command: Command = place.command(line[0]);
    command.args(&line[1..]);
    run_to_end(command, PATIENCE)
}

/// By its data directory alone: `--listen` would mean a server and no other.
fn here(place: &Place, line: &[&str]) -> (Option<i32>, String, String) {
    let mut command = crate::harness::command(place.dir.path());
    command.args(line).args(["--config", "e2e.toml", "--data-dir"]).arg(place.data());
    command.envs(place.env.iter().map(|(name, value)| (name, value)));
    run_to_end(command, PATIENCE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_is_restored_and_what_came_after_is_kept_beside() {
    let sandbox = sandbox(3).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    let made = product.post("/api/backups", json!({})).await;
    let name = made["name"].as_str().unwrap().to_owned();
    let listed = product.get("/api/backups").await;
    assert_eq!(listed["items"][0]["name"], name.as_str(), "{listed}");
    let file = place.data().join("backups").join(&name);
    let body = json!({"exchange": "luno", "currency": "ZAR", "amount": "777"});
    product.post("/api/wallets/deposits", body).await;
    let (code, _, log) = here(&place, &["restore", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("in use") && log.contains("nothing was replaced"), "{log}");
    product.end();
    let (code, out, log) = here(&place, &["restore", file.to_str().unwrap(), "--json"]);
    assert_eq!(code, Some(0), "{log}");
    let kept = serde_json::from_str::<serde_json::Value>(&out).unwrap()["kept"].clone();
    assert!(Path::new(kept.as_str().unwrap()).exists(), "{out}");
    let (code, _, log) = here(&place, &["verify"]);
    assert_eq!(code, Some(0), "{log}");
    let product = place.start("run").await;
    let wallets = product.get("/api/wallets").await.to_string();
    assert!(wallets.contains("200000") && !wallets.contains("200777"), "{wallets}");
    product.end();
    // A copy that was spoilt replaces nothing.
    fs::write(&file, "spoilt").unwrap();
    let (code, _, log) = here(&place, &["restore", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{log}");
    let (code, ..) = here(&place, &["verify"]);
    assert_eq!(code, Some(0));
}

/// What nobody may ever find again.
const SECRETS: [&str; 6] = [
    "canaryKeyIdThatIsLong1",
    "canarySecretOfTheKey2",
    "canaryPassphrase3",
    "canaryTelegram4",
    "canarySlackPath5",
    "canarySigning6",
];

fn clean(what: &str, bytes: &[u8]) {
    for secret in SECRETS {
        let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_there, "{secret} is in {what}");
    }
}

async fn stored(product: &Product, path: &str, body: serde_json::Value) -> String {
    let (status, answer) = product.try_send(Method::PUT, path, Some(&body), None).await.unwrap();
    format!("{status} {answer}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_logs_store_streams_errors_arguments_or_backups() {
    // Keys that the exchanges know: they are used, not only kept.
    let accounts = Exchange::ALL.map(|exchange| {
        let mut account = AccountSpec::demo(exchange, "canary");
        let key = &mut account.keys[0];
        (key.key, key.secret, key.passphrase) =
            (SECRETS[0].to_owned(), SECRETS[1].to_owned(), SECRETS[2].to_owned());
        account
    });
    let sandbox =
        start(SandboxConfig { seed: 3, accounts: accounts.to_vec(), ..SandboxConfig::default() })
            .await;
    let mut place = Place::new(config(&sandbox));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.set("RUST_LOG", "debug");
    place.set("AMARKTAI_NOTIFY__TELEGRAM_TOKEN", SECRETS[3]);
    place.set("AMARKTAI_NOTIFY__TELEGRAM_CHAT", "5");
    place.set("AMARKTAI_NOTIFY__TELEGRAM_URL", &format!("http://{gone}"));
    place.set("AMARKTAI_NOTIFY__SLACK_URL", &format!("http://{gone}/{}", SECRETS[4]));
    place.set("AMARKTAI_NOTIFY__WEBHOOK_URL", &format!("http://{gone}/"));
    place.set("AMARKTAI_NOTIFY__WEBHOOK_SECRET", SECRETS[5]);
    let product = place.start("run").await;
    fund(&product).await;
    let whole = json!({
        "key": SECRETS[0], "secret": SECRETS[1], "passphrase": SECRETS[2],
        "attestation": { "cannot_withdraw": true, "ip_restriction": ["10.0.0.1"] },
    });
    for exchange in ["binance", "kucoin", "luno"] {
        let answer = stored(&product, &format!("/api/keys/{exchange}"), whole.clone()).await;
        assert!(answer.contains("\"key_tail\":\"ong1\""), "{answer}");
        clean("the answer of storing a key", answer.as_bytes());
        let path = format!("/api/keys/{exchange}/test");
        let tested = product.try_send(Method::POST, &path, None, None).await.unwrap();
        clean("the answer of testing a key", tested.1.to_string().as_bytes());
    }
    // Stored while the program runs: health knows of them nonetheless.
    until("health counts the keys", PATIENCE, || async {
        let keys = product.get("/health").await["checks"]["keys"].clone();
        (keys["detail"] == "3 stored, all open" && keys["status"] == "healthy").then_some(())
    })
    .await;
    // Bodies that are refused: a wrong name, a wrong type, a missing part, a part that is empty.
    for (path, body) in [
        ("binance", json!({"key": SECRETS[0], "secret": SECRETS[1], "more": 1})),
        ("binance", json!({"key": 5, "secret": SECRETS[1]})),
        ("kucoin", json!({"key": SECRETS[0], "secret": SECRETS[1]})),
        ("luno", json!({"key": SECRETS[0], "secret": SECRETS[1]})),
        ("kraken", json!({"key": SECRETS[0], "secret": SECRETS[1]})),
        ("binance", json!({"key": "", "secret": SECRETS[1]})),
    ] {
        let answer = stored(&product, &format!("/api/keys/{path}"), body).await;
        assert!(answer.starts_with('4'), "{answer}");
        clean("a refusal", answer.as_bytes());
    }
    for path in ["/api/keys", "/api/notifications", "/api/events?limit=500", "/health", "/metrics"]
    {
        let (_, answer) = product.try_send(Method::GET, path, None, None).await.unwrap();
        clean(path, answer.to_string().as_bytes());
    }
    let (_, tried) =
        product.try_send(Method::POST, "/api/notifications/test", None, None).await.unwrap();
    assert!(tried.as_array().is_some_and(|all| all.len() == 3), "{tried}");
    clean("the try of the channels", tried.to_string().as_bytes());
    product.post("/api/emergency-stop", json!({"reason": "drill"})).await;
    product.post("/api/backups", json!({})).await;
    let arguments = fs::read(format!("/proc/{}/cmdline", product.pid())).unwrap();
    clean("the process' arguments", &arguments);
    let (code, shown, _) = run(&place, &["config", "show"]);
    assert_eq!(code, Some(0));
    clean("config show", shown.as_bytes());
    clean("the log", product.log_text().as_bytes());
    product.end();
    let mut files = vec![place.data(), place.data().join("backups")];
    let mut seen = 0;
    while let Some(directory) = files.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                clean(&entry.path().display().to_string(), &fs::read(entry.path()).unwrap());
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "store, master key, backup, lock: {seen}");
    // The master key is in its own file and in no backup.
    let master = fs::read_to_string(place.data().join("master.key")).unwrap();
    for entry in fs::read_dir(place.data().join("backups")).unwrap().map(Result::unwrap) {
        let bytes = fs::read(entry.path()).unwrap();
        let found = bytes.windows(64).any(|window| window == master.trim().as_bytes());
        assert!(!found, "the master key is in {}", entry.path().display());
    }
}
