//! What the operator's kit keeps: copies of the store, sealed keys, notices, rates.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{account, amount, at, batch, deposit, open, trade};
use domain::{AccountId, EventKind, Exchange, Span};
use engine::{EventDraft, Output};
use std::path::Path;
use storage::{
    ControlAnswer, ControlError, ControlWrite, KeyPermissions, KeyRow, NOTICES_WAITING_MAX,
    NewNotice, NoticeEnd, RateRow, SCHEMA_VERSION, SecondFactorRow, Store, StoreError, restore,
    verify_backup,
};

fn ask(store: &Store, write: ControlWrite) -> Result<ControlAnswer, ControlError> {
    store.control(write).unwrap().wait().unwrap()
}

/// A store with some facts, closed.
fn filled(dir: &Path, trades: u32) {
    let store = open(dir);
    let mut facts = vec![Output::Account(account(1)), Output::Transfer(deposit(1, 1, "100.5"))];
    facts.extend((1..=trades).map(|n| Output::Trade(trade(1, 1, n, i64::from(n)))));
    store.commit(batch(facts)).unwrap().wait().unwrap();
    store.close().unwrap();
}

fn events(dir: &Path) -> usize {
    open(dir).reader().events_after(None, None, 500).unwrap().items.len()
}

#[test]
fn a_copy_is_proven_and_one_that_was_changed_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let trades = (1..=50).map(|n| Output::Trade(trade(1, 1, n, i64::from(n)))).collect();
    store.commit(batch(trades)).unwrap().wait().unwrap();
    let copy = dir.path().join("copy.db");
    store.reader().backup(&copy).unwrap();
    let proven = verify_backup(&copy).unwrap();
    assert_eq!((proven.schema_version, proven.events.events), (SCHEMA_VERSION, 50));
    assert_eq!(proven.integrity, "ok");
    let raw = rusqlite::Connection::open(&copy).unwrap();
    raw.execute("UPDATE events SET data = '{}' WHERE id = 7", []).unwrap();
    drop(raw);
    let proven = verify_backup(&copy).unwrap();
    assert!(!proven.ok && proven.events.faults[0].seq == 7, "{proven:?}");
    std::fs::write(&copy, "no database".repeat(2_000)).unwrap();
    assert!(matches!(verify_backup(&copy), Err(StoreError::Corrupt { .. })));
    assert!(matches!(verify_backup(&dir.path().join("none")), Err(StoreError::Io { .. })));
}

#[test]
fn a_restore_puts_the_copy_there_and_keeps_what_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("amarktai.db");
    let copy = dir.path().join("copy.db");
    let store = open(dir.path());
    let fact = |n| batch(vec![Output::Transfer(deposit(1, n, "1")), Output::Account(account(1))]);
    store.commit(fact(1)).unwrap().wait().unwrap();
    store.reader().backup(&copy).unwrap();
    store.commit(fact(2)).unwrap().wait().unwrap();
    // Under a running server nothing is replaced.
    assert!(matches!(restore(&copy, &path, "now"), Err(StoreError::Locked { .. })));
    store.close().unwrap();
    let done = restore(&copy, &path, "now").unwrap();
    let kept = done.kept.unwrap();
    let transfers = |path: &Path| {
        let raw = rusqlite::Connection::open(path).unwrap();
        raw.query_row("SELECT count(*) FROM transfers", [], |r| r.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((transfers(&path), transfers(&kept)), (1, 2));
    assert!(open(dir.path()).reader().ledger_verify(None).unwrap().ok);
}

#[test]
fn a_copy_that_does_not_prove_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let path = dir.path().join("amarktai.db");
    let copy = dir.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let raw = rusqlite::Connection::open(&copy).unwrap();
    raw.execute("UPDATE postings SET amount = '7' WHERE id = 1", []).unwrap();
    drop(raw);
    assert!(matches!(restore(&copy, &path, "now"), Err(StoreError::Corrupt { .. })));
    assert_eq!(events(dir.path()), 3);
    assert!(!dir.path().join("amarktai.db.before-restore-now").exists());
}

#[test]
fn a_store_of_the_version_before_is_brought_to_ours_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let raw = rusqlite::Connection::open(dir.path().join("amarktai.db")).unwrap();
    raw.execute_batch(
        "DROP TABLE exchange_keys; DROP TABLE exchange_key_versions; DROP TABLE notices;
         DROP TABLE rates; DROP TABLE second_factors; DROP TABLE recovery_codes; DELETE FROM schema_version WHERE version > 1;",
    )
    .unwrap();
    drop(raw);
    assert_eq!(events(dir.path()), 3);
    assert_eq!(open(dir.path()).reader().notice_counts().unwrap().waiting, 0);
}

fn key(version: u64, tail: &str) -> KeyRow {
    KeyRow {
        account_id: AccountId(1),
        exchange: Exchange::Luno,
        version,
        key_tail: tail.into(),
        master_id: "0123456789abcdef".into(),
        nonce: [7; 24],
        sealed: vec![1; 40],
        permissions: KeyPermissions::default(),
        tested_at: None,
        attestation: None,
        created_at: at(0),
        created_by: "anna".into(),
    }
}

#[test]
fn a_key_is_replaced_by_the_next_version_and_no_version_comes_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let reader = store.reader();
    let put = |row| ask(&store, ControlWrite::PutKey(Box::new(row)));
    put(key(1, "aaaa")).unwrap();
    assert!(matches!(put(key(1, "bbbb")), Err(ControlError::Invalid(_))));
    let gone = ControlWrite::DeleteKey { account: AccountId(1), exchange: Exchange::Luno };
    ask(&store, gone.clone()).unwrap();
    assert_eq!(ask(&store, gone), Err(ControlError::NotFound("key")));
    assert_eq!(reader.next_key_version(AccountId(1), Exchange::Luno).unwrap(), 2);
    put(key(2, "cccc")).unwrap();
    let tested = |version| ControlWrite::KeyTested {
        account: AccountId(1),
        exchange: Exchange::Luno,
        version,
        permissions: KeyPermissions { can_trade: Some(true), can_withdraw: Some(false) },
        at: at(9),
    };
    assert_eq!(ask(&store, tested(1)), Err(ControlError::NotFound("key")), "of the old key");
    ask(&store, tested(2)).unwrap();
    let row = reader.exchange_key(AccountId(1), Exchange::Luno).unwrap().unwrap();
    assert_eq!((row.tested_at, row.permissions.can_trade), (Some(at(9)), Some(true)));
    assert!(reader.exchange_keys(Some(AccountId(2))).unwrap().is_empty());
    // Sealed anew, all or none.
    let anew = KeyRow { master_id: "fedcba9876543210".into(), ..key(2, "cccc") };
    let wrong = ControlWrite::Reseal(vec![KeyRow { version: 1, ..anew.clone() }], Vec::new());
    assert!(ask(&store, wrong).is_err());
    ask(&store, ControlWrite::Reseal(vec![anew], Vec::new())).unwrap();
    let row = reader.exchange_key(AccountId(1), Exchange::Luno).unwrap().unwrap();
    assert_eq!((row.master_id.as_str(), row.tested_at), ("fedcba9876543210", Some(at(9))));
}

fn notice(key: &str, n: i64, urgent: bool) -> NewNotice {
    NewNotice {
        account_id: Some(AccountId(1)),
        channel: "webhook".into(),
        kind: "stop".into(),
        merge_key: key.into(),
        title: format!("title {n}"),
        body: String::new(),
        urgent,
        at: at(n),
        due_at: at(n),
    }
}

fn add(store: &Store, notices: Vec<NewNotice>) {
    ask(store, ControlWrite::Notices { notices, cursor: None }).unwrap();
}

#[test]
fn equal_notices_become_one_until_it_is_told_and_again_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, vec![notice("a", 1, true), notice("a", 2, true), notice("b", 2, false)]);
    let due = store.reader().notices_due(at(5), 10).unwrap();
    assert_eq!(due.len(), 2);
    assert_eq!((due[0].count, due[0].title.as_str()), (2, "title 2"));
    let id = due[0].id;
    let end = |how| ControlWrite::NoticeEnded { id, how, at: at(10) };
    ask(&store, end(NoticeEnd::Again { at: at(30), error: "no route".into() })).unwrap();
    assert_eq!(store.reader().notices_due(at(20), 10).unwrap().len(), 1);
    assert_eq!(store.reader().notice_counts().unwrap().retrying, 1);
    ask(&store, end(NoticeEnd::Sent)).unwrap();
    assert_eq!(ask(&store, end(NoticeEnd::Sent)), Err(ControlError::NotFound("notice")));
    add(&store, vec![notice("a", 40, true)]);
    assert_eq!(store.reader().notices_due(at(60), 10).unwrap().len(), 1, "b alone");
    let later = store.reader().notices_due(at(10) + Span::from_secs(601), 10).unwrap();
    assert_eq!(later.len(), 2);
    let all = store.reader().notices(Some(AccountId(1)), None, 10).unwrap();
    assert_eq!(all.iter().filter(|n| n.state == "sent" && n.attempts == 2).count(), 1);
}

#[test]
fn a_full_outbox_gives_up_the_oldest_that_is_not_urgent() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut many = vec![notice("urgent", 0, true)];
    many.extend((1..=i64::from(NOTICES_WAITING_MAX)).map(|n| notice(&n.to_string(), n, false)));
    add(&store, many);
    let counts = store.reader().notice_counts().unwrap();
    assert_eq!((counts.waiting, counts.failed), (u64::from(NOTICES_WAITING_MAX), 1));
    let due = store.reader().notices_due(at(10_000), 3).unwrap();
    assert_eq!((due[0].title.as_str(), due[1].title.as_str()), ("title 0", "title 2"));
}

#[test]
fn the_place_in_the_events_moves_with_what_was_made_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let event = |kind| EventDraft { account_id: None, kind, at: at(0), data: 1.into() };
    for kind in [EventKind::Alert, EventKind::FeedStatus, EventKind::Alert, EventKind::Fill] {
        ask(&store, ControlWrite::Event(event(kind))).unwrap();
    }
    let reader = store.reader();
    let (rows, seen) = reader.events_of(&[EventKind::Alert], 0, 10).unwrap();
    assert_eq!((rows.len(), seen), (2, 4));
    let (rows, seen) = reader.events_of(&[EventKind::Alert], 0, 1).unwrap();
    assert_eq!((rows.len(), seen), (1, 1));
    assert_eq!(reader.events_of(&[EventKind::Alert], 4, 10).unwrap().1, 4);
    assert_eq!(reader.cursor("notify").unwrap(), None);
    let cursor = Some(("notify".to_owned(), "4".to_owned()));
    ask(&store, ControlWrite::Notices { notices: vec![notice("a", 1, true)], cursor }).unwrap();
    assert_eq!(reader.cursor("notify").unwrap().as_deref(), Some("4"));
}

#[test]
fn the_rate_of_a_moment_is_the_last_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (usdt, zar) = ("USDT".parse().unwrap(), "ZAR".parse().unwrap());
    let rate = |n, rate: &str| RateRow {
        currency: usdt,
        reporting: zar,
        at: at(n),
        rate: amount(rate),
        source: "luno USDT/ZAR mid".into(),
        age_s: 2,
    };
    ask(&store, ControlWrite::Rates(vec![rate(60, "17.5"), rate(120, "17.6")])).unwrap();
    let known = |n| store.reader().rate_at(usdt, zar, at(n)).unwrap().map(|row| row.rate);
    assert_eq!(known(59), None);
    assert_eq!(known(119), Some(amount("17.5")));
    assert_eq!(known(9_999), Some(amount("17.6")));
}

fn factor(user_id: i64) -> SecondFactorRow {
    SecondFactorRow {
        user_id,
        master_id: "0123456789abcdef".into(),
        nonce: [7; 24],
        sealed: vec![1; 40],
        last_step: 0,
        created_at: at(0),
        confirmed_at: None,
    }
}

#[test]
fn a_code_counts_once_and_an_older_one_never_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let count = |step| ask(&store, ControlWrite::CountCode { user: 1, step });
    let recover = |hash| ask(&store, ControlWrite::UseRecoveryCode { user: 1, hash, at: at(3) });
    ask(&store, ControlWrite::BeginSecondFactor(Box::new(factor(1)))).unwrap();
    assert_eq!(count(9), Err(ControlError::CodeUsed), "it is not confirmed");
    let confirm =
        ControlWrite::ConfirmSecondFactor { user: 1, step: 9, recovery: vec![[1; 32]], at: at(2) };
    ask(&store, confirm.clone()).unwrap();
    assert!(matches!(ask(&store, confirm), Err(ControlError::NotFound(_))), "once");
    let again = ask(&store, ControlWrite::BeginSecondFactor(Box::new(factor(1))));
    assert_eq!(again, Err(ControlError::SecondFactorOn), "no other takes its place");
    for (step, counts) in [(9, false), (8, false), (10, true), (10, false), (12, true)] {
        assert_eq!(count(step).is_ok(), counts, "step {step}");
    }
    assert_eq!(recover([2; 32]), Err(ControlError::CodeUsed));
    assert_eq!(store.reader().recovery_codes_left(1).unwrap(), 1);
    recover([1; 32]).unwrap();
    assert_eq!(recover([1; 32]), Err(ControlError::CodeUsed));
    assert_eq!(store.reader().recovery_codes_left(1).unwrap(), 0);
    ask(&store, ControlWrite::EndSecondFactor { user: 1 }).unwrap();
    assert_eq!(store.reader().second_factor(1).unwrap(), None);
    assert_eq!(count(99), Err(ControlError::CodeUsed));
}

#[test]
fn second_factors_are_sealed_anew_with_the_keys_or_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    ask(&store, ControlWrite::BeginSecondFactor(Box::new(factor(1)))).unwrap();
    let refused = ask(&store, ControlWrite::Reseal(Vec::new(), Vec::new()));
    assert!(matches!(refused, Err(ControlError::Invalid(_))), "one was left out: {refused:?}");
    let anew = SecondFactorRow { master_id: "fedcba9876543210".into(), ..factor(1) };
    ask(&store, ControlWrite::Reseal(Vec::new(), vec![anew.clone()])).unwrap();
    assert_eq!(store.reader().second_factors().unwrap(), [anew]);
}
