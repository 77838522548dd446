//! HTTP against its own description: schemathesis sends what the OpenAPI allows, and what it does
//! not, to a running demo. Server errors, undocumented statuses and wrong shapes fail.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo listens within this, on a slow machine too.
const START_TIME: Duration = Duration::from_secs(60);
/// Two judge the input rather than the answer, and do not know what a cursor is or that filters
/// may be refused by content.
const EXCLUDED_CHECKS: &str = "negative_data_rejection,positive_data_acceptance";
/// Streams never end; signing in is limited and would lock itself out.
const EXCLUDED_PATHS: &str = "^/api/(realtime|auth)/";

/// What is wrong; `None` where the tool cannot be had.
pub(crate) fn check(root: &Path) -> Option<Vec<String>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = root.join(target.unwrap_or_else(|| "target".into()));
    let home = target.join("schemathesis");
    let tool = install(&home)?;
    let data = home.join("data");
    let _ = fs::remove_dir_all(&data);
    let mut demo = match start(&target.join("debug/amarktai"), &home, &data) {
        Ok(demo) => demo,
        Err(error) => return Some(vec![format!("the demo does not start: {error}")]),
    };
    let wrong = match reach(&data) {
        Some((address, token)) => examine(&tool, &home, &address, &token),
        None => vec![format!("the demo does not listen: {}", home.join("demo.log").display())],
    };
    // Its data is thrown away with it.
    let _ = demo.kill();
    let _ = demo.wait();
    Some(wrong)
}

/// The tool in an environment of its own, from PyPI where it is not there yet.
fn install(home: &Path) -> Option<PathBuf> {
    let runs = |command: &mut Command| command.status().is_ok_and(|s| s.success());
    let tool = home.join("venv/bin/st");
    if tool.is_file() {
        return Some(tool);
    }
    fs::create_dir_all(home).ok()?;
    let python = home.join("venv/bin/python");
    let is_made = runs(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv")));
    let pip = ["-m", "pip", "install", "--quiet", "schemathesis>=4,<5"];
    (is_made && runs(Command::new(python).args(pip)) && tool.is_file()).then_some(tool)
}

fn start(binary: &Path, home: &Path, data: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(binary);
    command.args(["demo", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    command.current_dir(home).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(home.join("demo.log"))?).spawn()
}

/// Address and token, once both are there.
fn reach(data: &Path) -> Option<(String, String)> {
    let deadline = Instant::now() + START_TIME;
    while Instant::now() < deadline {
        let read = |file| fs::read_to_string(data.join(file)).unwrap_or_default();
        let (address, token) = (read("server.addr"), read("local.token"));
        if address.ends_with('\n') && token.ends_with('\n') {
            return Some((address.trim().to_owned(), token.trim().to_owned()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    None
}

fn examine(tool: &Path, home: &Path, address: &str, token: &str) -> Vec<String> {
    let mut command = Command::new(tool);
    command.current_dir(home).arg("run").arg(format!("http://{address}/api/openapi.json"));
    command.arg("--header").arg(format!("Authorization: Bearer {token}"));
    command.args(["--exclude-path-regex", EXCLUDED_PATHS, "--exclude-checks", EXCLUDED_CHECKS]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20"]);
    command.args(["--max-time", "60", "--seed", "1", "--continue-on-failure", "--no-color"]);
    match command.status() {
        Ok(status) if status.success() => Vec::new(),
        Ok(status) => vec![format!("schemathesis found faults ({status})")],
        Err(error) => vec![format!("schemathesis does not run: {error}")],
    }
}
