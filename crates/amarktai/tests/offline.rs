//! The verbs over a data directory that no server owns, through the built binary.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the binary with nothing of our own environment.
fn amarktai(directory: &Path, line: &str) -> Output {
    typed(directory, line, "")
}

/// The same with something on stdin.
fn typed(directory: &Path, line: &str, stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_amarktai"))
        .current_dir(directory)
        .env_clear()
        .args(line.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a verb that has to succeed prints.
fn done(directory: &Path, line: &str) -> String {
    let output = amarktai(directory, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json(directory: &Path, line: &str) -> Value {
    serde_json::from_str(&done(directory, line)).unwrap()
}

/// What a verb that has to fail says, with exit code 1.
fn refused(directory: &Path, line: &str) -> String {
    let output = amarktai(directory, line);
    assert_eq!(output.status.code(), Some(1), "{line}: {}", text(&output.stdout));
    assert!(output.stdout.is_empty(), "{line}: {}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_token_is_the_last_word_and_the_first_account_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let printed = done(directory.path(), "tokens create --name ci --role admin");
    let token = printed.split_whitespace().last().unwrap();
    assert!(token.starts_with("amk_"), "{printed}");
    let tokens = json(directory.path(), "tokens --json");
    assert_eq!(tokens.as_array().unwrap().len(), 1, "only the one that was asked for: {tokens}");
    assert_eq!(tokens[0]["name"], "ci");
    assert_eq!(tokens[0]["account_id"], 1);
    assert!(refused(directory.path(), "tokens create --name ci --role admin").contains("taken"));
    done(directory.path(), "tokens create --name b --role viewer --account main");
    let reason = refused(directory.path(), "tokens create --name c --role viewer --account no");
    assert!(reason.contains("there are main"), "{reason}");
    done(directory.path(), "tokens revoke ci");
    assert!(refused(directory.path(), "tokens revoke ci").contains("no token"));
}

#[test]
fn paper_money_moves_and_the_books_hold() {
    let directory = tempfile::tempdir().unwrap();
    let reason =
        refused(directory.path(), "wallet deposit --exchange luno --currency ZAR --amount 5");
    assert!(reason.contains("there is no store in amarktai-data"), "{reason}");
    assert!(!directory.path().join("amarktai-data").exists());
    done(directory.path(), "tokens create --name ci --role admin");
    let deposit = "wallet deposit --exchange luno --currency ZAR --amount 1000.50 --json";
    let wallets = json(directory.path(), deposit);
    assert_eq!(wallets[0]["available"], "1000.5");
    let shown = done(directory.path(), "wallet");
    assert!(shown.starts_with("EXCHANGE  CURRENCY  MODE"), "{shown}");
    assert!(shown.contains("luno      ZAR       paper     1000.5"), "{shown}");
    let withdraw = "wallet withdraw --exchange luno --currency ZAR --amount 2000";
    assert!(refused(directory.path(), withdraw).contains("INSUFFICIENT_FUNDS"));
}

#[test]
fn lists_are_arrays_and_empty_ones_say_so() {
    let directory = tempfile::tempdir().unwrap();
    done(directory.path(), "tokens create --name ci --role admin");
    for list in ["bots list", "trades", "orders", "orders --open"] {
        assert_eq!(done(directory.path(), list), "none\n", "{list}");
        assert_eq!(done(directory.path(), &format!("{list} --json")), "[]\n", "{list}");
    }
    assert!(refused(directory.path(), "why scout").contains("no bot \"scout\""));
    assert!(refused(directory.path(), "trades --bot scout").contains("no bot \"scout\""));
    let output = amarktai(directory.path(), "orders cancel first");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_user_is_made_with_a_password_from_stdin() {
    let directory = tempfile::tempdir().unwrap();
    let create = "users create --name ann --role trader";
    assert_eq!(typed(directory.path(), create, "").status.code(), Some(2), "no password");
    assert_eq!(typed(directory.path(), create, "short\n").status.code(), Some(1), "too short");
    let output = typed(directory.path(), create, "long enough to do\n");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let users = json(directory.path(), "users --json");
    assert_eq!((&users[0]["name"], &users[0]["role"]), (&"ann".into(), &"trader".into()));
}
