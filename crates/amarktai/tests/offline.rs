//! The verbs over a data directory that no server owns, through the built binary.

#![allow(clippy::unwrap_used)] // the rule knows no support code of tests

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
    std::fs::create_dir(directory.path().join("amarktai-demo")).unwrap();
    assert!(refused(directory.path(), "wallet").contains("--data-dir amarktai-demo"));
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
    let reset = "users reset-second-factor";
    assert!(refused(directory.path(), &format!("{reset} ann")).contains("no such second factor"));
    assert!(refused(directory.path(), &format!("{reset} bob")).contains("no user \"bob\""));
}

#[test]
fn the_autopilot_says_what_it_would_do_and_that_nothing_was_done() {
    let directory = tempfile::tempdir().unwrap();
    done(directory.path(), "tokens create --name ci --role admin");
    let view = json(directory.path(), "autopilot --json");
    assert_eq!((&view["did"], &view["last_run_at"]), (&serde_json::json!([]), &Value::Null));
    let text = done(directory.path(), "autopilot status");
    assert!(text.contains("looked last  -\n") && text.ends_with("DID\nnone\n"), "{text}");
    let plan = json(directory.path(), "autopilot plan --json");
    assert_eq!(plan, json(directory.path(), "autopilot plan --json"), "asking changes nothing");
    assert!(done(directory.path(), "autopilot plan").contains("WOULD DO\nnone\n"));
}

#[test]
fn a_policy_file_is_compared_and_applied() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    done(path, "tokens create --name ci --role admin");
    let write = |text: &str| std::fs::write(path.join("p.toml"), text).unwrap();
    write("[policy]\nspread_collar_bp = 77\n");
    let diff = json(path, "policy diff p.toml --json");
    assert_eq!(diff.as_array().unwrap().len(), 1, "{diff}");
    assert_eq!((&diff[0]["key"], &diff[0]["file"]), (&"spread_collar_bp".into(), &77.into()));
    let before = json(path, "policy --json");
    let applied = json(path, "policy apply p.toml --json");
    assert_eq!(applied["policy"]["spread_collar_bp"], 77);
    assert_eq!(applied["version"].as_u64(), before["version"].as_u64().map(|v| v + 1));
    assert_eq!(done(path, "policy diff p.toml"), "no change\n");
    assert!(done(path, "policy apply p.toml").starts_with("no change"));
    assert!(done(path, "policy").contains("spread_collar_bp"));
    for (text, reason) in [
        ("[policy]\nspread_colar_bp = 1\n", "p.toml:2"),
        ("[server]\nlisten = \"127.0.0.1:1\"\n", "no [policy] section"),
    ] {
        write(text);
        let output = amarktai(path, "policy apply p.toml");
        assert_eq!(output.status.code(), Some(2));
        assert!(self::text(&output.stderr).contains(reason), "{}", self::text(&output.stderr));
    }
    assert_eq!(amarktai(path, "policy diff no.toml").status.code(), Some(2));
}

#[test]
fn the_emergency_stop_holds_and_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    done(directory.path(), "tokens create --name ci --role admin");
    let said = done(directory.path(), "emergency-stop --reason storm");
    assert!(said.starts_with("emergency stop of the account on since "), "{said}");
    assert!(said.contains("storm") && said.contains("0 bots open nothing"), "{said}");
    let cleared = json(directory.path(), "emergency-stop --clear --json");
    assert_eq!(cleared["active"], false);
}

#[test]
fn a_store_proves_itself_and_a_changed_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(refused(path, "verify").contains("there is no store"));
    done(path, "tokens create --name ci --role admin");
    done(path, "wallet deposit --exchange luno --currency ZAR --amount 1234567");
    let proof = json(path, "verify --json");
    assert_eq!((&proof["ok"], &proof["ledger"]["ok"]), (&true.into(), &true.into()));
    assert!(proof["events"]["events"].as_u64() > Some(0), "{proof}");
    let events = json(path, "events --json");
    assert_eq!(events[0]["type"], "balance_updated");
    // As a hand with an editor would: the same length, another figure, everywhere.
    let file = path.join("amarktai-data/amarktai.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - 7).filter(|at| bytes[*at..].starts_with(b"1234567")).collect();
    assert!(places.len() > 2, "{places:?}");
    for at in places {
        bytes[at..at + 7].copy_from_slice(b"7654321");
    }
    std::fs::write(&file, bytes).unwrap();
    let output = amarktai(path, "verify");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("was changed after it was written"), "{said}");
    assert!(said.ends_with("NOT OK\n"), "{said}");
}

#[test]
fn check_says_what_it_cannot_tell() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let status = |name: &str| {
        let output = amarktai(path, "check --json");
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        let parts: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = parts.as_array().unwrap().iter().find(|part| part["name"] == name).cloned();
        found.unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status("store"), "could_not_tell");
    assert!(!path.join("amarktai-data").exists(), "looking makes nothing");
    done(path, "tokens create --name ci --role admin");
    for (name, expected) in [
        ("config", "ok"),
        ("data_dir", "ok"),
        ("store", "ok"),
        ("clock", "ok"),
        ("feeds", "could_not_tell"),
    ] {
        assert_eq!(status(name), expected, "{name}");
    }
    std::fs::write(path.join("amarktai-data/amarktai.db"), "this is no database at all").unwrap();
    let output = amarktai(path, "check");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("not_ready"), "{}", text(&output.stdout));
}

#[test]
fn a_key_is_typed_sealed_listed_rotated_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let set = "keys set luno --attest-no-withdrawal --ip 10.0.0.1";
    let stored = typed(path, set, "key-id-that-is-long-wxyz\ncanary-secret\n");
    assert_eq!(stored.status.code(), Some(0), "{}", text(&stored.stderr));
    assert!(text(&stored.stdout).contains("wxyz"), "{}", text(&stored.stdout));
    let keys: Value = serde_json::from_str(&done(path, "keys --json")).unwrap();
    assert_eq!(keys[0]["attestation"]["unverified"], true, "{keys}");
    assert_eq!(keys[0]["usable_for_live"], false, "never tested: {keys}");
    let master = || std::fs::read(path.join("amarktai-data/master.key")).unwrap();
    let before = master();
    assert!(done(path, "keys rotate-master").starts_with("1 keys"));
    assert_ne!(master(), before);
    let store = std::fs::read(path.join("amarktai-data/amarktai.db")).unwrap();
    assert!(!store.windows(6).any(|window| window == b"canary"));
    assert!(refused(path, "keys test luno").contains("KEY_TEST_UNAVAILABLE"));
    done(path, "keys delete luno");
    assert_eq!(done(path, "keys"), "none\n");
}

#[test]
fn a_backup_without_a_server_is_proven_and_restored() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    done(path, "tokens create --name ci --role admin");
    done(path, "wallet deposit --exchange luno --currency ZAR --amount 100");
    let made: Value = serde_json::from_str(&done(path, "backup --json")).unwrap();
    let file = made["file"].as_str().unwrap();
    done(path, &format!("verify {file}"));
    done(path, "wallet deposit --exchange luno --currency ZAR --amount 5");
    assert!(done(path, &format!("restore {file}")).contains("what was there is kept as"));
    let wallets: Value = serde_json::from_str(&done(path, "wallet --json")).unwrap();
    assert_eq!(wallets[0]["total"], "100", "{wallets}");
    let missing = refused(path, "restore nothing.db");
    assert!(missing.contains("amarktai-"), "it names what there is: {missing}");
    let tax = done(path, "export tax --year 2027");
    assert!(tax.starts_with("at,local_date,fill_id"), "{tax}");
    assert_eq!(tax.lines().count(), 1);
}

#[test]
fn the_setup_code_is_printed_alone_or_told_to_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(refused(path, "setup-code").contains("`amarktai run` makes it"));
    let data = path.join("amarktai-data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("setup-code"), "correct-horse\n").unwrap();
    assert_eq!(done(path, "setup-code"), "correct-horse\n");
    let create = typed(path, "users create --name ann --role admin", "long enough to do\n");
    assert_eq!(create.status.code(), Some(0));
    assert!(refused(path, "setup-code").contains("the first owner of amarktai-data exists"));
}

#[test]
fn the_sandbox_prints_where_it_is_and_ends_when_told() {
    use std::io::{BufRead, BufReader};
    let directory = tempfile::tempdir().unwrap();
    let output = amarktai(directory.path(), "sandbox --fault rain");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--fault rain: \"rain\" is no fault"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_amarktai"))
        .current_dir(directory.path())
        .env_clear()
        .args(["sandbox", "--fault", "luno:silence=5s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Vec<String> = lines.take(4).map(Result::unwrap).collect();
    for (line, name) in first.iter().zip(["binance", "kucoin", "luno"]) {
        let start = format!("{name} rest=http://127.0.0.1:");
        assert!(line.starts_with(&start) && line.contains(" stream=ws://127.0.0.1:"), "{line}");
    }
    assert!(first[3].starts_with("control http://127.0.0.1:"), "{}", first[3]);
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
