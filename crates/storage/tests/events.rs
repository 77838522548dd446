//! Events: numbers without gaps, a chain that shows tampering, cursors that say what is missing.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{at, batch, feed, open, refusal, trade, wallet};
use domain::{AccountId, EventKind, Span, Timestamp};
use engine::Output;
use rusqlite::Connection;
use storage::{EventRow, Page, RefusalFilter, Store, StoreError, SubscriptionError};

fn all(store: &Store, account: Option<u32>) -> Vec<EventRow> {
    let (reader, mut items, mut cursor) = (store.reader(), Vec::new(), None::<String>);
    loop {
        let page = reader.events_after(account.map(AccountId), cursor.as_deref(), 7).unwrap();
        if page.items.is_empty() {
            return items;
        }
        cursor = page.next;
        items.extend(page.items);
    }
}

#[test]
fn numbers_are_dense_per_stream_when_many_commit_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut told = store.events().subscribe();
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..25 {
                    let outputs = (0..3)
                        .map(|account| Output::Wallet(wallet(account, "5", n)))
                        .chain([feed(n)])
                        .collect();
                    let ticket = store.commit(batch(outputs)).unwrap();
                    if (n + i64::from(thread)) % 3 == 0 {
                        ticket.wait().unwrap();
                    }
                }
            });
        }
    });
    store.clone().close().unwrap();
    let events = all(&store, None);
    assert_eq!(events.len(), 400);
    for stream in [None, Some(AccountId(0)), Some(AccountId(1)), Some(AccountId(2))] {
        let seqs = events.iter().filter(|e| e.account_id == stream).map(|e| e.seq);
        assert!(seqs.eq(1..=100), "{stream:?}");
    }
    assert!(store.reader().events_verify().unwrap().ok);
    // What was told is what is stored, in the same order.
    for event in &events {
        let heard = told.try_next().unwrap().unwrap();
        assert_eq!((heard.seq, &heard.cursor), (event.seq, &event.cursor));
        assert_eq!(heard.data.get(), event.data.get());
    }
}

#[test]
fn an_account_reads_its_own_and_the_fleets_events_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let outputs = vec![
        Output::Wallet(wallet(1, "5", 1)),
        feed(2),
        Output::Wallet(wallet(2, "5", 3)),
        Output::Wallet(wallet(1, "6", 4)),
    ];
    store.commit(batch(outputs)).unwrap().wait().unwrap();
    let seen: Vec<_> = all(&store, Some(1)).iter().map(|e| (e.account_id, e.kind, e.seq)).collect();
    let balance = EventKind::BalanceUpdated;
    let one = Some(AccountId(1));
    assert_eq!(seen, [(one, balance, 1), (None, EventKind::FeedStatus, 1), (one, balance, 2)]);
    let json = serde_json::to_value(&all(&store, Some(2))[1]).unwrap();
    assert_eq!(json["type"], "balance_updated");
    assert_eq!(json["data"]["available"], "5");
    assert_eq!(json["account_id"], 2);
}

#[test]
fn a_cursor_that_is_not_ours_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(batch(vec![feed(1)])).unwrap().wait().unwrap();
    let reader = store.reader();
    for bad in ["x", "", "-1", "1.5", "99", "9999999999999999999999"] {
        let error = reader.events_after(None, Some(bad), 10).unwrap_err();
        assert!(matches!(&error, StoreError::BadCursor { cursor } if cursor == bad), "{error}");
    }
    assert_eq!(reader.last_cursor().unwrap(), "1");
    let page = reader.events_after(None, Some("1"), 10).unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (0, Some("1")));
}

#[test]
fn tampering_shows_in_the_chain() {
    let changes = [
        ("UPDATE events SET data = '{}' WHERE seq = 2", 2),
        ("UPDATE events SET type = 'alert' WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 2", 3),
        ("UPDATE events SET prev_hash = zeroblob(32) WHERE seq = 2", 2),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 1", 1),
    ];
    for (change, at_seq) in changes {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let outputs = (1..=4).map(|n| Output::Wallet(wallet(1, "5", n))).collect();
        store.commit(batch(outputs)).unwrap().wait().unwrap();
        assert!(store.reader().events_verify().unwrap().ok);
        store.close().unwrap();
        let raw = Connection::open(dir.path().join("amarktai.db")).unwrap();
        assert_eq!(raw.execute(change, []).unwrap(), 1);
        drop(raw);
        let verified = open(dir.path()).reader().events_verify().unwrap();
        assert!(!verified.ok, "{change}");
        assert_eq!(verified.faults[0].seq, at_seq, "{change}");
    }
}

fn retain_all(store: &Store, now: Timestamp) -> (usize, usize) {
    let (mut events, mut refusals) = (0, 0);
    loop {
        let step = store.retain(now).unwrap().wait().unwrap();
        events += step.events;
        refusals += step.refusals;
        if !step.more {
            return (events, refusals);
        }
    }
}

#[test]
fn retention_keeps_the_chain_verifiable_and_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let old = (0..4_500).map(|n| Output::Wallet(wallet(1 + n as u32 % 2, "5", n)));
    let old = old.chain([Output::Refusal(refusal(1, 1, 1, 1, 10))]).collect();
    store.commit(batch(old)).unwrap().wait().unwrap();
    let later = 100 * 86_400;
    let new = (0..3).map(|n| Output::Wallet(wallet(1, "7", later + n)));
    let new = new.chain([Output::Refusal(refusal(1, 1, 2, 1, later))]).collect();
    store.commit(batch(new)).unwrap().wait().unwrap();

    let now = at(later) + Span::from_secs(60);
    assert_eq!(retain_all(&store, now), (4_501, 1));
    assert_eq!(retain_all(&store, now), (0, 0));
    let reader = store.reader();
    let verified = reader.events_verify().unwrap();
    assert!(verified.ok && verified.events == 4, "{verified:?}");
    let seqs: Vec<_> = all(&store, Some(1)).iter().map(|e| e.seq).collect();
    assert_eq!(seqs, [2_252, 2_253, 2_254, 2_255]);
    let refusals = reader.refusals(None, &RefusalFilter::default(), &Page::default()).unwrap();
    assert_eq!(refusals.items.len(), 1);

    let error = reader.events_after(Some(AccountId(1)), Some("10"), 10).unwrap_err();
    let StoreError::CursorExpired { removed_until, .. } = &error else { panic!("{error}") };
    // The refusal's event came after the last wallet's, and told of an earlier time.
    assert_eq!(*removed_until, at(10).to_string());
    // Another account lost nothing after its own last event.
    let page = reader.events_after(Some(AccountId(2)), Some("4500"), 10).unwrap();
    assert!(page.items.is_empty());

    // Numbers go on after a start, also in a stream of which nothing is left.
    store.close().unwrap();
    let store = open(dir.path());
    store.commit(batch(vec![Output::Wallet(wallet(2, "8", later))])).unwrap().wait().unwrap();
    assert_eq!(all(&store, Some(2)).last().unwrap().seq, 2_251);
    assert!(store.reader().events_verify().unwrap().ok);
}

#[test]
fn a_slow_subscriber_is_told_how_much_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut slow = store.events().subscribe();
    let behind = storage::SUBSCRIBER_EVENTS_MAX + 10;
    let outputs = (0..behind).map(|n| feed(n as i64)).collect();
    store.commit(batch(outputs)).unwrap();
    store.close().unwrap();
    let Err(SubscriptionError::Lagged { missed }) = slow.try_next() else {
        panic!("it was not told")
    };
    assert!(missed >= 10, "{missed}");
}

#[test]
fn the_trade_event_is_the_whole_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let trade = trade(1, 7, 3, 60);
    store.commit(batch(vec![Output::Trade(trade.clone())])).unwrap().wait().unwrap();
    let event = all(&store, Some(1)).pop().unwrap();
    assert_eq!(event.kind, EventKind::TradeExecuted);
    assert_eq!(serde_json::from_str::<domain::Trade>(event.data.get()).unwrap(), trade);
}
