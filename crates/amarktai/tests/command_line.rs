//! The binary as scripts meet it: exit codes, what goes to stdout and what to stderr.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in a directory of its own, with nothing of our environment.
fn amarktai(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amarktai"));
    command.current_dir(directory).args(arguments).env_clear().envs(variables.iter().copied());
    command.output().expect("the binary was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_valid_configuration_is_checked_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("amarktai.toml"), "[simulator]\nseed = 7\n").unwrap();
    std::fs::write(directory.path().join(".env"), "ENABLE_REALTIME=off\n").unwrap();
    let check = amarktai(directory.path(), &["config", "check"], &[]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));

    let variables = [("AMARKTAI_LOG_FORMAT", "json")];
    let arguments = ["config", "show", "--listen", "127.0.0.1:9"];
    let shown = text(&amarktai(directory.path(), &arguments, &variables).stdout);
    for line in [
        "simulator.seed = 7   # amarktai.toml:2",
        "ENABLE_REALTIME = false   # .env:1",
        "log_format = \"json\"   # environment AMARKTAI_LOG_FORMAT",
        "server.listen = \"127.0.0.1:9\"   # flag --listen",
        "simulator.latency_ms_p50 = 60   # default",
    ] {
        assert!(shown.lines().any(|l| l == line), "{line} is not in\n{shown}");
    }
    let json = amarktai(directory.path(), &["config", "show", "--json"], &[]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let seed = serde_json::json!({
        "key": "simulator.seed", "value": 7, "origin": "amarktai.toml:2"
    });
    assert!(json.as_array().unwrap().contains(&seed));
}

#[test]
fn a_bad_configuration_ends_with_2_and_names_everything() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("my.toml"), "[server]\nlisten = 1\nlisen = 2\n").unwrap();
    let variables = [("ENABLE_LIVE_TRADING", "perhaps")];
    for verb in [&["config", "check"][..], &["config", "show"], &["run"]] {
        let arguments = [verb, &["--config", "my.toml"]].concat();
        let output = amarktai(directory.path(), &arguments, &variables);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let errors = text(&output.stderr);
        for part in ["3 problems", "my.toml:2: ", "my.toml:3: ", "ENABLE_LIVE_TRADING"] {
            assert!(errors.contains(part), "{part} is not in\n{errors}");
        }
    }
}

#[test]
fn a_named_file_that_is_not_there_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let output = amarktai(directory.path(), &["config", "check", "--config", "no.toml"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no.toml: cannot be read"), "{}", text(&output.stderr));
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(amarktai(directory.path(), &["fly"], &[]).status.code(), Some(2));
    let help = amarktai(directory.path(), &["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).starts_with("Paper-trades a fleet of bots"));
    assert_eq!(amarktai(directory.path(), &["--version"], &[]).status.code(), Some(0));
}

#[test]
fn completions_are_printed_without_a_valid_configuration() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("amarktai.toml"), "x = 1").unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = amarktai(directory.path(), &["completions", shell], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("emergency-stop"), "{shell}");
    }
}
