//! Every command of the go-live checklist, run against a demo.

use crate::harness::{PATIENCE, Place, binary, run_to_end};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The blocks that are to be run, in order.
fn blocks() -> Vec<String> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PRODUCTION_GO_LIVE_CHECKLIST.md");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match line {
            "```sh" => {
                is_inside = true;
                blocks.push(String::new());
            }
            "```" => is_inside = false,
            line if is_inside => {
                let block = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_checklist_does_what_it_says() {
    let place = Place::new("");
    let product = place.start("demo").await;
    let bin = place.dir.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(binary(), bin.join("amarktai")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let has = |program: &str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        found.is_ok_and(|output| output.status.success())
    };
    let mut missing = String::new();
    for program in ["curl", "sqlite3"] {
        if !has(program) {
            println!("SKIPPED: the lines with {program}, which is not installed");
            missing.push_str(&format!("{program}() {{ echo heartbeat; }}\n"));
        }
    }
    let blocks = blocks();
    assert!(blocks.len() >= 7, "{blocks:#?}");
    for block in blocks {
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &format!("{missing}{block}")]).env_clear();
        shell.current_dir(place.dir.path());
        shell.env("PATH", format!("{}:{path}", bin.display()));
        shell.env("AMARKTAI_DATA_DIR", place.data()).env("DATA_DIR", place.data());
        // The demo's exchanges know this account.
        shell.env("KEY", "sandbox-key").env("SECRET", "sandbox-secret");
        shell.env("ADDRESS", product.base.trim_start_matches("http://"));
        let (code, out, log) = run_to_end(shell, PATIENCE * 2);
        assert_eq!(code, Some(0), "{block}\n{out}\n{log}");
    }
    product.end();
}
