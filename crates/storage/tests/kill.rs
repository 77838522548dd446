//! kill -9 is a normal way to stop: everything acknowledged is there afterwards.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{account, at, batch, deposit, open, trade};
use domain::AccountId;
use engine::{Output, StateRow};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use storage::{Batch, Page, TradeFilter};

const DIR: &str = "AMARKTAI_KILL_TEST_DIR";

fn numbered(n: u32) -> Batch {
    Batch {
        outputs: vec![
            Output::Trade(trade(1, 1, n, i64::from(n))),
            Output::Transfer(deposit(1, u64::from(n), "100.5")),
        ],
        states: vec![StateRow { key: "fleet".into(), state: Some(n.to_string()) }],
        cursors: vec![],
    }
}

/// The process that is killed: prints the number of each batch that was acknowledged.
#[test]
#[ignore = "run by the test below, in its own process"]
fn writer_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = open(dir.as_ref());
    let mut tickets = std::collections::VecDeque::new();
    for n in 1.. {
        tickets.push_back((n, store.commit(numbered(n)).unwrap()));
        // A few under way, so that the kill falls into a commit.
        if tickets.len() > 8 {
            let (n, ticket) = tickets.pop_front().unwrap();
            ticket.wait().unwrap();
            let mut out = std::io::stderr().lock();
            writeln!(out, "acknowledged {n}").unwrap();
        }
    }
}

#[test]
fn everything_acknowledged_survives_a_kill_and_the_chain_verifies() {
    for stop_after in [1, 40, 200] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer_that_is_killed", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut acknowledged = 0;
        while acknowledged < stop_after {
            let line = lines.next().expect("it writes until it is killed").unwrap();
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged = n.parse().unwrap();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let told = lines.map_while(Result::ok);
        let told = told.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u32>().ok());
        let acknowledged = told.last().unwrap_or(acknowledged);
        all_there(dir.path(), acknowledged);
    }
}

fn all_there(dir: &std::path::Path, acknowledged: u32) {
    let path = dir.join("amarktai.db");
    let (store, loaded) = storage::Store::open(&path, storage::StoreOptions::default()).unwrap();
    let last: u32 = loaded.states[0].state.as_ref().unwrap().parse().unwrap();
    assert!(last >= acknowledged, "{acknowledged} were acknowledged, {last} are there");
    let reader = store.reader();
    let trades = reader.trade_profits(Some(AccountId(1)), &TradeFilter::default()).unwrap();
    let numbers: Vec<u32> = trades.iter().map(|trade| trade.id.seq).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    let books = reader.ledger_verify(None).unwrap();
    assert_eq!((books.transfers, books.postings), (u64::from(last), 2 * u64::from(last)));
    assert!(books.unbalanced.is_empty() && books.incomplete == 0, "{books:?}");
    let chain = reader.events_verify().unwrap();
    assert!(chain.ok && chain.events == u64::from(last), "{chain:?}");
    // It goes on where it was.
    store.commit(numbered(last + 1)).unwrap().wait().unwrap();
    let newest = reader.trades(None, &TradeFilter::default(), &Page::default()).unwrap();
    assert_eq!(newest.items[0].timestamp, at(i64::from(last) + 1));
    assert!(reader.events_verify().unwrap().ok);
}

#[test]
fn dropping_the_last_handle_frees_the_directory_and_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(batch(vec![Output::Account(account(1))])).unwrap().wait().unwrap();
    let (other, reader) = (store.clone(), store.reader());
    drop(store);
    other.commit(batch(vec![Output::Account(account(2))])).unwrap().wait().unwrap();
    drop(other);
    let store = open(dir.path());
    assert_eq!(store.reader().accounts().unwrap(), [account(1), account(2)]);
    assert_eq!(reader.accounts().unwrap().len(), 2);
}
