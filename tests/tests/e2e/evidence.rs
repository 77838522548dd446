//! What a bot was made live by, exported, and found out when somebody changes it.

use crate::harness::{PATIENCE, Place, command, run_to_end};
use crate::live::{exchanges, promote, trained};
use crate::market::config;
use domain::Exchange;
use serde_json::Value;
use std::fs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_evidence_of_a_live_bot_is_exported_and_any_change_of_it_is_found() {
    let sandbox = exchanges().await;
    let mut place = Place::new(config(&sandbox));
    let (product, bots) = trained(&mut place).await;
    let bot = bots[&Exchange::Binance];
    let none: Value = product.get(&format!("/api/bots/{bot}/evidence")).await;
    assert_eq!(none["entries"].as_array().map(Vec::len), Some(0), "nothing was confirmed yet");
    promote(&product, Exchange::Binance, bot).await;

    let run = |args: &[&str]| {
        let (verb, rest) = args.split_first().unwrap();
        let mut command = command(place.dir.path());
        command.arg(verb).args(rest).arg("--data-dir").arg(place.data());
        run_to_end(command, PATIENCE)
    };
    let file = place.dir.path().join("evidence.json");
    let path = file.to_str().unwrap().to_owned();
    let (code, said, error) = run(&["evidence", "binance", "--out", &path]);
    assert_eq!(code, Some(0), "{error}");
    assert!(said.contains("1 entries"), "{said}");
    let (code, _, error) = run(&["evidence", "binance", "--out", &path]);
    assert_eq!(code, Some(1), "it is never written over: {error}");

    let text = fs::read_to_string(&file).unwrap();
    let evidence: Value = serde_json::from_str(&text).unwrap();
    let record = &evidence["entries"][0]["record"];
    assert_eq!(record["action"], "promoted");
    assert_eq!(record["config"]["name"], "binance");
    assert!(!record["by"].as_str().unwrap().is_empty());
    assert!(record["policy_version"].is_u64() && record["config_sha256"].is_string());
    let conditions = record["measured"]["conditions"].as_array().unwrap();
    assert!(conditions.len() > 5 && conditions.iter().all(|c| c["limit"].is_string()));
    assert!(!text.contains("one-secret"));

    let (code, said, _) = run(&["verify", &path]);
    assert_eq!((code, said.contains("ok: as it was made")), (Some(0), true), "{said}");
    for (what, with, where_) in [
        ("\"promoted\"", "\"demoted!\"", "entry 1 (demoted!"),
        ("\"is_cut\": false", "\"is_cut\": true ", "outside the entries"),
        ("\"entries\"", "\"entrees\"", "no JSON of evidence"),
    ] {
        assert!(text.contains(what), "{what}");
        fs::write(&file, text.replacen(what, with, 1)).unwrap();
        let (code, said, error) = run(&["verify", &path]);
        assert_eq!(code, Some(1), "{what}: {said} {error}");
        assert!(said.contains(where_) && said.contains("NOT OK"), "{what}: {said}");
    }
    product.end();
}
