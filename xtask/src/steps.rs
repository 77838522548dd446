//! The steps of a test run, and the sum of what they found.

use crate::{arrows, flags, http, rules, web};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// What passed and what failed, tests and checks alike.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    broken: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.broken.is_empty() {
            writeln!(f, "failed: {}", self.broken.join(", "))?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Report {
    /// A check counts as one test.
    pub(crate) fn check(&mut self, name: &str, wrong: Vec<String>) {
        println!("{name}: {}", if wrong.is_empty() { "ok" } else { "failed" });
        wrong.iter().for_each(|w| println!("  {w}"));
        self.count(name, u64::from(wrong.is_empty()), u64::from(!wrong.is_empty()));
    }

    fn count(&mut self, name: &str, passed: u64, failed: u64) {
        self.passed += passed;
        self.failed += failed;
        if failed > 0 {
            self.broken.push(name.to_owned());
        }
    }

    /// A command without tests of its own counts as one.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) {
        println!("{name}");
        let is_ok = command.status().is_ok_and(|s| s.success());
        self.count(name, u64::from(is_ok), u64::from(!is_ok));
    }

    /// A test runner counts as many as it says.
    pub(crate) fn tests(&mut self, name: &str, command: &mut Command) {
        println!("{name}");
        // A colour inside a summary would hide it from us.
        let (sum, is_ok) = run(command.env("CARGO_TERM_COLOR", "never"));
        let (passed, mut failed) = sum.unwrap_or_default();
        if failed == 0 && (!is_ok || sum.is_none()) {
            // It did not build, or ended before it could count: that is no success.
            failed = 1;
        }
        self.count(name, passed, failed);
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments);
    command
}

/// What is read from the tree, without compiling it.
pub(crate) fn rules(root: &Path, report: &mut Report) {
    report.check("arrows", arrows::check(root));
    report.check("rules", rules::check(root));
    report.check("flags", flags::check(root));
}

/// Rules, format, lints.
pub(crate) fn lint(root: &Path, report: &mut Report) {
    rules(root, report);
    report.command("format", &mut cargo(root, &["fmt", "--all", "--check"]));
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    report.command("lints", &mut cargo(root, &clippy));
}

/// Every test. The whole workspace in each step: another selection would mean other features, and
/// the dependencies compiled twice.
pub(crate) fn test(root: &Path, report: &mut Report) {
    let build = ["build", "--workspace", "--bins", "--locked"];
    report.command("binary", &mut cargo(root, &build));
    let has_nextest = cargo(root, &["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if has_nextest {
        let run = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        report.tests("tests", &mut cargo(root, &run));
        let examples = ["test", "--workspace", "--locked", "--doc", "--no-fail-fast"];
        report.tests("examples in the documentation", &mut cargo(root, &examples));
    } else {
        let run = ["test", "--workspace", "--locked", "--no-fail-fast"];
        report.tests("tests", &mut cargo(root, &run));
    }
    http(root, report);
    web::test(root, report);
    recorded_data(root);
}

/// The built binary's HTTP against its description, where the tool can be had.
pub(crate) fn http(root: &Path, report: &mut Report) {
    match http::check(root) {
        Some(wrong) => report.check("HTTP against its description", wrong),
        None => println!("HTTP against its description: SKIPPED, pip cannot install schemathesis"),
    }
}

/// Tests of recorded data skip themselves without it; the reader of the sum should know.
fn recorded_data(root: &Path) {
    let named = std::env::var_os("AMARKTAI_SHARED").map(std::path::PathBuf::from);
    let directory = named.unwrap_or_else(|| root.join("../shared"));
    if directory.is_dir() {
        println!("recorded data: used");
    } else {
        println!("recorded data: absent, the tests that need it skipped themselves");
    }
}

/// Writes the tables of docs/ anew: the test that compares them writes them when it is told to.
pub(crate) fn docs(root: &Path, report: &mut Report) {
    let arguments = ["test", "--package", "amarktai", "--locked", "--test", "docs"];
    report.tests("tables", cargo(root, &arguments).env("UPDATE_DOCS", "1"));
}

/// Passed and failed; `None` where nobody counted.
type Sum = Option<(u64, u64)>;

fn add(a: Sum, b: Sum) -> Sum {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0 + b.0, a.1 + b.1)),
        (a, b) => a.or(b),
    }
}

/// Runs, shows every line, and adds up the runners' own sums.
fn run(command: &mut Command) -> (Sum, bool) {
    let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
        return (None, false);
    };
    // Nextest sums on stderr, cargo's own runner on stdout; one thread each keeps both flowing.
    let errors = child.stderr.take().map(|e| std::thread::spawn(move || relay(e, true)));
    let output = child.stdout.take().and_then(|o| relay(o, false));
    let errors = errors.and_then(|e| e.join().ok()).flatten();
    let is_ok = child.wait().is_ok_and(|s| s.success());
    (add(output, errors), is_ok)
}

fn relay(stream: impl std::io::Read, is_error: bool) -> Sum {
    let mut sum = None;
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if is_error {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
        sum = add(sum, counts(&line));
    }
    sum
}

/// The figures of a summary line of either runner.
fn counts(line: &str) -> Sum {
    let is_summary = line.starts_with("test result: ")
        || (line.trim_start().starts_with("Summary [") && line.contains(" run: "));
    if !is_summary {
        return None;
    }
    let words: Vec<&str> = line.split([' ', ',', ';', ':']).filter(|w| !w.is_empty()).collect();
    let before = |name: &[&str]| {
        let pairs = words.windows(name.len() + 1).filter(|w| w[1..] == *name);
        pairs.filter_map(|w| w[0].parse::<u64>().ok()).sum::<u64>()
    };
    Some((before(&["passed"]), before(&["failed"]) + before(&["timed", "out"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_both_runners_are_read() {
        let table = [
            ("test result: ok. 25 passed; 0 failed; 1 ignored; 0 measured", Some((25, 0))),
            ("test result: FAILED. 22 passed; 3 failed; 0 ignored", Some((22, 3))),
            ("     Summary [   0.061s] 25 tests run: 25 passed, 0 skipped", Some((25, 0))),
            (
                "     Summary [   1.0s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out",
                Some((6, 3)),
            ),
            ("        PASS [   0.1s] xtask 3 passed", None),
            ("running 25 tests", None),
        ];
        for (line, expected) in table {
            assert_eq!(counts(line), expected, "{line}");
        }
    }

    fn shell(script: &str) -> (Sum, bool) {
        run(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn both_streams_of_a_runner_are_summed() {
        let script = "echo 'test result: ok. 3 passed; 0 failed'
                      echo ' Summary [ 1s] 2 tests run: 1 passed, 1 failed' >&2; exit 1";
        assert_eq!(shell(script), (Some((4, 1)), false));
        assert_eq!(shell("echo done"), (None, true));
    }

    #[test]
    fn a_run_that_counts_nothing_is_no_success() {
        let mut report = Report::default();
        report.tests("silent", &mut Command::new("true"));
        assert_eq!((report.passed, report.failed), (0, 1));
    }

    #[test]
    fn a_command_that_cannot_run_fails_the_report() {
        let mut report = Report::default();
        report.check("good", Vec::new());
        report.tests("bad", &mut Command::new("/does/not/exist"));
        assert_eq!(report.to_string(), "failed: bad\n1 passed, 1 failed");
    }
}
