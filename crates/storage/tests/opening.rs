//! What a start refuses, and how it says so.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{batch, open, trade};
use engine::Output;
use rusqlite::Connection;
use std::io::{Seek, Write};
use storage::{SCHEMA_VERSION, Store, StoreError, StoreOptions};

fn open_error(dir: &std::path::Path) -> StoreError {
    match Store::open(&dir.join("amarktai.db"), StoreOptions::default()) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn a_second_start_is_refused_by_the_first_ones_pid_and_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = open_error(dir.path());
    let StoreError::Locked { dir: named, pid } = &error else { panic!("{error}") };
    assert_eq!((named.as_path(), *pid), (dir.path(), Some(std::process::id())));
    let text = error.to_string();
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    drop(store);
    open(dir.path());
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().unwrap();
    let path = dir.path().join("amarktai.db");
    let raw = Connection::open(&path).unwrap();
    let newer = SCHEMA_VERSION + 6;
    raw.execute("INSERT INTO schema_version (version) VALUES (?)", [newer]).unwrap();
    drop(raw);
    let error = open_error(dir.path());
    let StoreError::NewerSchema { found, known, .. } = &error else { panic!("{error}") };
    assert_eq!((*found, *known), (newer, SCHEMA_VERSION));
}

#[test]
fn a_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let raw = Connection::open(dir.path().join("amarktai.db")).unwrap();
    raw.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(raw);
    assert!(matches!(open_error(dir.path()), StoreError::Foreign { .. }));
}

#[test]
fn a_file_that_is_no_database_is_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("amarktai.db"), "not a database at all\n".repeat(400)).unwrap();
    assert!(matches!(open_error(dir.path()), StoreError::Corrupt { .. }));
}

#[test]
fn a_page_that_was_overwritten_is_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let trades = (1..=2_000).map(|n| Output::Trade(trade(1, 1, n, 60))).collect();
    store.commit(batch(trades)).unwrap().wait().unwrap();
    store.close().unwrap();
    let path = dir.path().join("amarktai.db");
    let mut file = std::fs::File::options().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(std::io::SeekFrom::Start(length / 2 / 4096 * 4096)).unwrap();
    file.write_all(&[0xa5; 64 * 1024]).unwrap();
    drop(file);
    let error = open_error(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn every_required_column_of_a_trade_refuses_null() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(batch(vec![Output::Trade(trade(1, 1, 1, 60))])).unwrap().wait().unwrap();
    store.close().unwrap();
    let raw = Connection::open(dir.path().join("amarktai.db")).unwrap();
    let required = [
        "status",
        "side",
        "success",
        "bot_id",
        "symbol",
        "exchange",
        "entry_price",
        "exit_price",
        "amount",
        "profit_loss",
        "fees",
        "is_paper",
        "timestamp",
        "account_id",
        "entry_at",
        "exit_at",
        "gross_profit",
        "exit_reason",
        "strategy",
        "grade",
        "fees_base",
        "fees_quote",
        "reporting_currency",
    ];
    for column in required {
        let sql = format!("UPDATE trades SET {column} = NULL");
        assert!(raw.execute(&sql, []).is_err(), "{column} took null");
    }
    for (column, wrong) in [("is_paper", "2"), ("success", "-1"), ("status", "'open'")] {
        let sql = format!("UPDATE trades SET {column} = {wrong}");
        assert!(raw.execute(&sql, []).is_err(), "{column} took {wrong}");
    }
}

#[test]
fn the_prototypes_query_finds_the_latest_paper_trade_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let trades = [3, 9, 5].into_iter().map(|n| Output::Trade(trade(1, 1, n as u32, n))).collect();
    store.commit(batch(trades)).unwrap().wait().unwrap();
    let raw = Connection::open(dir.path().join("amarktai.db")).unwrap();
    let sql = "select * from trades where is_paper=1 order by timestamp desc limit 1";
    let (id, profit): (i64, String) =
        raw.query_row(sql, [], |row| Ok((row.get("id")?, row.get("profit_loss")?))).unwrap();
    assert_eq!((id, profit.as_str()), ((1 << 32) + 9, "5.3"));
    let plan: String =
        raw.query_row(&format!("explain query plan {sql}"), [], |row| row.get("detail")).unwrap();
    assert!(plan.contains("USING INDEX trades_mode"), "{plan}");
}

#[test]
fn transfers_of_the_version_before_are_kept_and_new_reasons_fit() {
    let dir = tempfile::tempdir().unwrap();
    let raw = Connection::open(dir.path().join("amarktai.db")).unwrap();
    raw.execute_batch("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT").unwrap();
    for sql in [
        include_str!("../migrations/0001_first.sql"),
        include_str!("../migrations/0002_operator.sql"),
    ] {
        raw.execute_batch(sql).unwrap();
    }
    let at = "2026-11-22T10:00:00.000000Z";
    let insert = |raw: &Connection, seq: u32, reason: &str| {
        raw.execute(
            "INSERT INTO transfers VALUES (1, ?, 'paper', 'luno', ?, NULL, NULL, ?)",
            rusqlite::params![seq, reason, at],
        )
    };
    raw.execute_batch("INSERT INTO schema_version VALUES (1), (2)").unwrap();
    insert(&raw, 1, "deposit").unwrap();
    insert(&raw, 2, "take_profit").unwrap_err();
    drop(raw);
    open(dir.path()).close().unwrap();
    let raw = Connection::open(dir.path().join("amarktai.db")).unwrap();
    insert(&raw, 2, "take_profit").unwrap();
    insert(&raw, 3, "reinvest").unwrap();
    insert(&raw, 4, "gift").unwrap_err();
    insert(&raw, 3, "deposit").unwrap_err();
    let sql = "SELECT group_concat(reason || ' ' || at) FROM transfers ORDER BY seq";
    let kept: String = raw.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, format!("deposit {at},take_profit {at},reinvest {at}"));
}
