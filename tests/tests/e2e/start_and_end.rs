//! Signals, the lock, broken stores, wrong configurations: exit codes and words.

use crate::harness::{PATIENCE, Place, run_to_end};
use crate::market::{config, sandbox};
use std::fs;
use std::time::Duration;

/// The promise of an orderly end.
const END_TIME: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_end_it_in_time_and_a_second_process_is_refused_by_name() {
    let sandbox = sandbox(3).await;
    let place = Place::new(config(&sandbox));
    for (first, second) in [("TERM", "INT"), ("HUP", "TERM"), ("INT", "INT")] {
        let mut product = place.start("run").await;
        let (code, _, log) = run_to_end(place.command("run"), PATIENCE);
        assert_ne!(code, Some(0), "{log}");
        let pid = product.pid().to_string();
        assert!(log.contains("store") && log.contains(&pid), "names the lock's owner: {log}");
        let data = place.data().display().to_string();
        assert!(log.contains(&data), "names the directory: {log}");
        product.signal(first);
        product.signal(second);
        let status = product.wait(END_TIME).expect("no end in time");
        assert_eq!(status.code(), Some(0), "{}", product.log_text());
        for file in ["server.addr", "local.token"] {
            assert!(!place.data().join(file).exists(), "{file} is left behind");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_while_the_demo_fleet_is_made_ends_it_in_order() {
    let place = Place::new("");
    let mut product = place.start("demo").await;
    product.signal("TERM");
    let status = product.wait(END_TIME).expect("no end in time");
    assert_eq!(status.code(), Some(0), "{}", product.log_text());
    assert!(!place.data().join("server.addr").exists());
}

/// What is wrong with the store, and how it comes so.
type Spoil = (&'static str, fn(&Place));

#[test]
fn a_store_that_cannot_be_used_is_named_and_nothing_starts() {
    let cases: [Spoil; 4] = [
        ("the data directory is a file", |p| fs::write(p.data(), "no directory").unwrap()),
        ("the database is a directory", |p| fs::create_dir_all(p.database()).unwrap()),
        ("the database is no database", |p| {
            fs::create_dir_all(p.data()).unwrap();
            fs::write(p.database(), "this is no database, whatever its name says".repeat(200))
                .unwrap();
        }),
        ("the database is another program's", |p| {
            fs::create_dir_all(p.data()).unwrap();
            let foreign = rusqlite::Connection::open(p.database()).unwrap();
            foreign.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
        }),
    ];
    for (case, spoil) in cases {
        let place = Place::new("");
        spoil(&place);
        let (code, _, log) = run_to_end(place.command("run"), PATIENCE);
        assert_eq!(code, Some(1), "{case}: {log}");
        assert!(log.contains("self-test failed: store: "), "{case}: {log}");
    }
}

/// File, environment, and what must be said.
type Wrong = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

#[test]
fn a_wrong_configuration_ends_with_2_and_says_where_which_and_what_is_allowed() {
    let cases: [Wrong; 9] = [
        ("[server]\nlissen = \"127.0.0.1:1\"\n", &[], &["e2e.toml:2", "server.lissen", "allowed"]),
        (
            "[exchanges.luno]\npoll_interval_ms = 5\n",
            &[],
            &["e2e.toml:2", "exchanges.luno.poll_interval_ms", "= 5", "allowed", "250"],
        ),
        (
            "\n[policy]\ndaily_loss_max_percent = 500\n",
            &[],
            &["e2e.toml:3", "policy.daily_loss_max_percent", "500", "allowed"],
        ),
        ("[simulator]\nseed = 1\nseed = 2\n", &[], &["e2e.toml:3", "seed"]),
        (
            "[exchanges.binance]\nrest_url = \"http://example.com\"\n",
            &[],
            &["e2e.toml:2", "exchanges.binance.rest_url", "http://example.com", "loopback"],
        ),
        ("", &[("ENABLE_TRADING", "maybe")], &["ENABLE_TRADING", "maybe", "allowed", "true"]),
        (
            "",
            &[("PAPER_SUPPORTED_EXCHANGES", "luno,kraken")],
            &["PAPER_SUPPORTED_EXCHANGES", "kraken", "allowed", "binance"],
        ),
        (
            "",
            &[("AMARKTAI_SIMULATOR__LATENCY", "3")],
            &["environment", "AMARKTAI_SIMULATOR__LATENCY", "allowed"],
        ),
    ];
    for (file, env, words) in cases {
        let mut place = Place::new(file);
        for (name, value) in env {
            place.set(name, value);
        }
        let (code, _, log) = run_to_end(place.command("run"), PATIENCE);
        assert_eq!(code, Some(2), "{file}{env:?}: {log}");
        for word in words {
            assert!(log.contains(word), "{word:?} is missing for {file}{env:?}: {log}");
        }
        assert!(!place.data().exists(), "nothing was touched: {file}{env:?}");
    }
}
