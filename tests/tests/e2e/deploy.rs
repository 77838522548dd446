//! The files of `deploy/`: rules that fire, metrics that exist, packages that hold what they should.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All text below a directory, of files with this ending.
fn texts(dir: &Path, ending: &str, found: &mut String) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, ending, found);
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_metric_that_rules_and_dashboard_name_exists() {
    let mut product = String::new();
    texts(&root().join("crates"), "rs", &mut product);
    let mut named = BTreeSet::new();
    for file in ["prometheus/amarktai.rules.yml", "grafana/amarktai.json"] {
        let text = fs::read_to_string(root().join("deploy").join(file)).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let metrics = words.filter(|w| w.starts_with("amarktai_") || w.starts_with("http_re"));
        named.extend(metrics.map(str::to_owned));
    }
    assert!(named.len() > 15, "{named:?}");
    for metric in named {
        assert!(product.contains(&format!("\"{metric}\"")), "nobody counts {metric}");
    }
}

#[test]
fn promtool_takes_the_rules_and_each_alert_fires_when_it_should() {
    let promtool = |arguments: &[&str]| {
        let dir = root().join("deploy/prometheus");
        Command::new("promtool").current_dir(dir).args(arguments).output()
    };
    if promtool(&["--version"]).is_err() {
        println!("SKIPPED: promtool is not installed (apt-get install prometheus)");
        return;
    }
    for arguments in [
        ["check", "rules", "amarktai.rules.yml"],
        ["test", "rules", "amarktai.rules.test.yml"],
        ["check", "config", "prometheus.yml"],
    ] {
        let output = promtool(&arguments).unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
    }
}

#[test]
fn the_installer_lays_everything_out_and_keeps_what_was_configured() {
    let dir = tempfile::tempdir().unwrap();
    // A release whose binary only knows its version: nothing is compiled to install it.
    let release = dir.path().join("amarktai-1");
    fs::create_dir_all(release.join("bin")).unwrap();
    let script = "#!/bin/sh\necho amarktai 9.9.9\n";
    fs::write(release.join("bin/amarktai"), script).unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), told)
    };
    run(Command::new("chmod").arg("+x").arg(release.join("bin/amarktai")));
    run(Command::new("cp").arg("-r").arg(root().join("deploy")).arg(&release));
    let tarball = dir.path().join("amarktai-1.tar.gz");
    let mut tar = Command::new("tar");
    assert!(run(tar.current_dir(dir.path()).arg("-czf").arg(&tarball).arg("amarktai-1")).0);
    let target = dir.path().join("root");
    let install = || {
        let mut install = Command::new("sh");
        install.arg(root().join("deploy/install.sh")).arg(&tarball).env("DESTDIR", &target);
        run(&mut install)
    };
    let (is_ok, told) = install();
    assert!(is_ok, "{told}");
    for file in [
        "usr/bin/amarktai",
        "usr/lib/systemd/system/amarktai-api.service",
        "usr/lib/systemd/system/amarktai-api.socket",
        "etc/amarktai/amarktai.toml",
        "etc/amarktai/amarktai.env",
    ] {
        assert!(target.join(file).is_file(), "{file}");
    }
    let config = target.join("etc/amarktai/amarktai.toml");
    fs::write(&config, "# mine\n").unwrap();
    assert!(install().0);
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    // A release that is not what its checksum says is not installed.
    let sum = dir.path().join("amarktai-1.tar.gz.sha256");
    fs::write(sum, format!("{}  amarktai-1.tar.gz\n", "0".repeat(64))).unwrap();
    assert!(!install().0);
}

#[test]
fn the_units_are_understood_by_systemd() {
    let dir = tempfile::tempdir().unwrap();
    let units = root().join("deploy/systemd");
    for unit in ["amarktai-api.service", "amarktai-api.socket"] {
        // Verified with a binary that is there.
        let text = fs::read_to_string(units.join(unit)).unwrap();
        let text = text.replace("/usr/bin/amarktai", "/bin/true");
        fs::write(dir.path().join(unit), text).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").arg(dir.path().join("amarktai-api.service"));
    let Ok(output) = verify.output() else {
        println!("SKIPPED: systemd-analyze is not installed");
        return;
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("amarktai-api")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}
