//! What is acknowledged is durable, what is not durable is not told.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{at, batch, open, trade};
use domain::AccountId;
use engine::{Output, StateRow};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use storage::{Batch, Store, StoreError, StoreOptions, SubscriptionError};

fn state(key: &str, state: Option<&str>) -> StateRow {
    StateRow { key: key.into(), state: state.map(str::to_owned) }
}

#[test]
fn committed_states_and_cursors_are_loaded_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = Batch {
        states: vec![state("fleet", Some("{\"n\":1}")), state("bot-1", Some("{}"))],
        cursors: vec![("inputs".into(), "41".into())],
        ..Batch::default()
    };
    store.commit(first).unwrap();
    let second = Batch {
        states: vec![state("fleet", Some("{\"n\":2}")), state("bot-1", None)],
        cursors: vec![("inputs".into(), "42".into())],
        ..Batch::default()
    };
    let ticket = store.commit(second).unwrap();
    ticket.wait().unwrap();
    assert_eq!(*store.committed().borrow(), ticket.number());
    store.close().unwrap();

    let path = dir.path().join("amarktai.db");
    let (_store, loaded) = Store::open(&path, StoreOptions::default()).unwrap();
    assert_eq!(loaded.states, [state("fleet", Some("{\"n\":2}"))]);
    assert_eq!(loaded.cursors, [("inputs".to_owned(), "42".to_owned())]);
}

#[test]
fn closing_writes_what_is_queued_and_takes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let other = store.clone();
    let tickets: Vec<_> = (1..=50)
        .map(|n| store.commit(batch(vec![Output::Trade(trade(1, 1, n, 60))])).unwrap())
        .collect();
    store.close().unwrap();
    assert!(tickets.iter().all(|ticket| ticket.wait().is_ok()));
    assert!(matches!(other.commit(Batch::default()), Err(StoreError::Closed)));
}

/// Lets commits through one by one.
fn gate() -> (mpsc::Sender<()>, mpsc::Receiver<()>, StoreOptions) {
    let (open_gate, gate) = mpsc::channel::<()>();
    let (reached, at_gate) = mpsc::channel();
    let ends = Mutex::new((gate, reached));
    let hook = move |_: &storage::CommitInfo| {
        let ends = ends.lock().unwrap();
        ends.1.send(()).map_err(|e| e.to_string())?;
        // A gate whose other end is gone stands open.
        let _ = ends.0.recv();
        Ok(())
    };
    (open_gate, at_gate, StoreOptions { commit_hook: Some(Arc::new(hook)), ..Default::default() })
}

#[test]
fn nothing_is_told_while_a_commit_is_not_synced() {
    let dir = tempfile::tempdir().unwrap();
    let (open_gate, at_gate, options) = gate();
    let store = Store::open(&dir.path().join("amarktai.db"), options).unwrap().0;
    // Dropped before the store, whose end waits for the writer: a failure here must not hang.
    let open_gate = open_gate;
    let mut events = store.events().subscribe();
    let ticket = store.commit(batch(vec![Output::Trade(trade(1, 1, 1, 60))])).unwrap();
    at_gate.recv().unwrap();

    // Everything is written; only the sync is missing.
    assert_eq!(*store.committed().borrow(), 0);
    assert!(events.try_next().unwrap().is_none());
    let told = store.reader().events_after(Some(AccountId(1)), None, 10).unwrap();
    assert!(told.items.is_empty());
    assert_eq!(store.health().last_commit_at, None);

    open_gate.send(()).unwrap();
    ticket.wait().unwrap();
    store.close().unwrap();
    let event = events.try_next().unwrap().unwrap();
    assert_eq!((event.seq, event.at), (1, at(60)));
}

#[test]
fn a_failed_commit_ends_the_store_and_tells_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let hook = |info: &storage::CommitInfo| {
        if info.last_ticket >= 2 { Err("disk on fire".to_owned()) } else { Ok(()) }
    };
    let options = StoreOptions { commit_hook: Some(Arc::new(hook)), ..Default::default() };
    let path = dir.path().join("amarktai.db");
    let store = Store::open(&path, options).unwrap().0;
    let mut events = store.events().subscribe();
    let good = store.commit(batch(vec![Output::Trade(trade(1, 1, 1, 60))])).unwrap();
    good.wait().unwrap();
    let bad = store.commit(batch(vec![Output::Trade(trade(1, 1, 2, 61))])).unwrap();

    let error = bad.wait().unwrap_err().to_string();
    assert!(error.contains("disk on fire"), "{error}");
    assert!(matches!(store.commit(Batch::default()), Err(StoreError::Failed(_))));
    assert!(store.health().failed.unwrap().contains("disk on fire"));
    assert!(store.close().is_err());
    assert_eq!(events.try_next().unwrap().unwrap().seq, 1);
    assert_eq!(events.try_next().unwrap_err(), SubscriptionError::Closed);

    let store = open(dir.path());
    assert_eq!(store.reader().events_after(None, None, 10).unwrap().items.len(), 1);
}

#[test]
fn a_row_that_the_table_refuses_fails_the_commit_and_leaves_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let twice = Output::Trade(trade(1, 1, 1, 60));
    let ticket = store.commit(batch(vec![twice.clone(), twice])).unwrap();
    assert!(matches!(ticket.wait(), Err(StoreError::Failed(_))));
    drop(store);
    let store = open(dir.path());
    assert!(store.reader().events_after(None, None, 10).unwrap().items.is_empty());
}

#[test]
fn a_full_queue_blocks_and_loses_and_reorders_nothing() {
    const BATCH: usize = 1_024;
    let dir = tempfile::tempdir().unwrap();
    let (open_gate, at_gate, options) = gate();
    let path = dir.path().join("amarktai.db");
    let store = Store::open(&path, options).unwrap().0;
    let open_gate = open_gate;
    store.commit(Batch::default()).unwrap();
    at_gate.recv().unwrap();

    let batches = 2 * storage::QUEUE_ROWS_MAX / BATCH;
    let (pushed_all, all_pushed) = mpsc::channel();
    let pusher = store.clone();
    let thread = std::thread::spawn(move || {
        for n in 0..batches {
            let text = n.to_string();
            let states = (0..BATCH).map(|_| state("fleet", Some(&text))).collect();
            pusher.commit(Batch { states, ..Batch::default() }).unwrap();
        }
        pushed_all.send(()).unwrap();
    });
    while store.health().queue < storage::QUEUE_ROWS_MAX {
        std::thread::yield_now();
    }
    // The writer is held, so the rest never fits, however long we wait.
    assert!(all_pushed.recv_timeout(std::time::Duration::from_millis(300)).is_err());
    assert!(store.health().queue < storage::QUEUE_ROWS_MAX + BATCH);

    drop(open_gate);
    thread.join().unwrap();
    store.close().unwrap();
    let loaded = Store::open(&path, StoreOptions::default()).unwrap().1;
    assert_eq!(loaded.states, [state("fleet", Some(&(batches - 1).to_string()))]);
}

#[test]
fn waiting_without_blocking_gives_the_same_answers() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let hook = |info: &storage::CommitInfo| {
        if info.last_ticket >= 2 { Err("disk on fire".to_owned()) } else { Ok(()) }
    };
    let options = StoreOptions { commit_hook: Some(Arc::new(hook)), ..Default::default() };
    let store = Store::open(&dir.path().join("amarktai.db"), options).unwrap().0;
    runtime.block_on(async {
        let mut told = store.events().subscribe();
        let good = store.commit(batch(vec![Output::Trade(trade(1, 1, 1, 60))])).unwrap();
        good.wait_async().await.unwrap();
        assert_eq!(told.next().await.unwrap().seq, 1);
        let bad = store.commit(Batch::default()).unwrap();
        assert!(matches!(bad.wait_async().await, Err(StoreError::Failed(_))));
        good.wait_async().await.unwrap();
        assert_eq!(told.next().await.unwrap_err(), SubscriptionError::Closed);
        assert!(store.committed().wait_for(|last| *last > 1).await.is_err());
    });
}

#[test]
fn a_backup_is_a_whole_store_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(batch(vec![Output::Trade(trade(1, 1, 1, 60))])).unwrap().wait().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("amarktai.db");
    store.reader().backup(&to).unwrap();
    assert!(matches!(store.reader().backup(&to), Err(StoreError::Io { .. })));
    store.commit(batch(vec![Output::Trade(trade(1, 1, 2, 61))])).unwrap().wait().unwrap();
    let restored = open(copy.path());
    assert!(restored.reader().events_verify().unwrap().ok);
    assert_eq!(restored.reader().events_after(None, None, 10).unwrap().items.len(), 1);
}
