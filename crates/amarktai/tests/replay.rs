//! A paper session is run again from what it was told, over a kill in its middle.
#![allow(clippy::unwrap_used)] // the rule knows no support code of tests

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A machine as busy as it gets is given this long.
const PATIENCE: Duration = Duration::from_secs(120);

fn command(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amarktai"));
    command.current_dir(dir).env_clear().args(["--data-dir", "data"]);
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn run(dir: &Path, line: &str) -> Output {
    command(dir, line).output().unwrap()
}

fn demo(dir: &Path) -> Child {
    let mut command = command(dir, "demo --listen 127.0.0.1:0");
    command.stdout(Stdio::null()).spawn().unwrap()
}

fn fills(dir: &Path) -> i64 {
    let Ok(db) = rusqlite::Connection::open(dir.join("data/amarktai.db")) else { return 0 };
    db.query_row("SELECT count(*) FROM fills", [], |r| r.get(0)).unwrap_or(0)
}

fn until_more_fills_than(dir: &Path, child: &mut Child, count: i64) {
    let started = Instant::now();
    while fills(dir) <= count {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        assert!(started.elapsed() < PATIENCE, "no {count} fills");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn end(child: &mut Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    child.wait().unwrap();
}

fn replay(dir: &Path, line: &str) -> (Option<i32>, Value) {
    let output = run(dir, line);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_session_over_a_kill_is_replayed_to_the_byte_and_a_changed_row_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let mut child = demo(dir);
    until_more_fills_than(dir, &mut child, 10);
    assert_eq!(run(dir, "replay").status.code(), Some(1), "the directory is in use");
    end(&mut child, "-KILL");
    let before = fills(dir);
    let mut child = demo(dir);
    until_more_fills_than(dir, &mut child, before + 10);
    end(&mut child, "-TERM");

    let (code, said) = replay(dir, "replay --json");
    assert_eq!((code, &said["same"]), (Some(0), &Value::Bool(true)), "{said:#}");
    assert_eq!(said["sessions"], 2);
    assert_eq!(said["rows"]["fills"], fills(dir));
    for table in ["orders", "transfers", "postings", "decisions"] {
        assert!(said["rows"][table].as_i64().unwrap() > 0, "{table}: {said:#}");
    }

    let (code, said) = replay(dir, "replay --json --from 2001-01-01 --to 2001-01-02");
    assert_eq!((code, &said["times"]), (Some(1), &Value::Array(vec![])));

    let db = rusqlite::Connection::open(dir.join("data/amarktai.db")).unwrap();
    let id: i64 = db.query_row("SELECT max(id) FROM fills", [], |r| r.get(0)).unwrap();
    db.execute("UPDATE fills SET quantity = quantity || '1' WHERE id = ?1", [id]).unwrap();
    drop(db);
    let (code, said) = replay(dir, "replay --json");
    assert_eq!((code, &said["different"]), (Some(1), &2.into()), "{said:#}");
    let row = said["differences"][0]["row"].as_str().unwrap();
    assert!(row.contains(&format!("id={id} ")), "{row}");
}

#[test]
fn what_was_not_recorded_cannot_be_replayed() {
    let home = tempfile::tempdir().unwrap();
    let said = String::from_utf8(
        command(home.path(), "replay").stderr(Stdio::piped()).output().unwrap().stderr,
    )
    .unwrap();
    assert!(said.contains("there is no store"), "{said}");
    assert!(run(home.path(), "tokens create --name a --role admin").status.success());
    let said = String::from_utf8(
        command(home.path(), "replay").stderr(Stdio::piped()).output().unwrap().stderr,
    )
    .unwrap();
    assert!(said.contains("inputs = true"), "{said}");
}
