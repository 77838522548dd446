//! `cargo xtask test | lint | rules | arrows | web | http | docs | dist`: the one place that knows
//! how the workspace is checked. The continuous integration calls `test` and nothing else.

mod arrows;
mod dist;
mod flags;
mod http;
mod rules;
mod source;
mod steps;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use steps::Report;

const USAGE: &str = "usage: cargo xtask COMMAND
  test    everything: rules, format, lints, all tests, documentation tables
  lint    rules, format and lints only
  rules   what is read from the tree alone, in a second
  arrows  which room may use which, read from the manifests
  web     the dashboard: types, units, and in a browser over the built binary
  http    the demo's HTTP against its own description, by schemathesis
  docs    write the tables of docs/ anew
  dist    a tarball with checksum and a .deb in target/dist; `--binary FILE` instead of a build";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    let mut report = Report::default();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => {
            steps::lint(&root, &mut report);
            steps::test(&root, &mut report);
        }
        ["lint"] => steps::lint(&root, &mut report),
        ["rules"] => steps::rules(&root, &mut report),
        ["arrows"] => report.check("arrows", arrows::check(&root)),
        ["web"] => web::test(&root, &mut report),
        ["http"] => steps::http(&root, &mut report),
        ["docs"] => steps::docs(&root, &mut report),
        ["dist"] => report.check("dist", dist::dist(&root, None)),
        ["dist", "--binary", file] => {
            report.check("dist", dist::dist(&root, Some(Path::new(file))));
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    println!("{report}");
    if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The workspace, wherever the command was started. Cargo says where while it runs us; what was
/// compiled in would be wrong in a checkout that was moved.
fn root() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = told.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().map_or(here.clone(), Path::to_owned)
}
