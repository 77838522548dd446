//! Rules of CONTRIBUTING.md that no compiler keeps, read from the sources.

use crate::source::{code_lines, has_word, is_test, product_lines, rust_files};
use std::path::Path;

/// Longest file, tests apart: one subject, read once.
const FILE_LINES_MAX: usize = 500;
/// Papers with a length, so that they stay read.
const PAPERS: [(&str, usize); 2] = [("README.md", 150), ("ARCHITECTURE.md", 300)];
/// Parts of the product that must not know clock, threads, disk, network or hash seeds.
const PURE: [&str; 7] = ["domain", "market", "strategy", "ledger", "risk", "simulator", "engine"];
const IMPURE: [&str; 7] = [
    "SystemTime",
    "Instant::now",
    "std::thread",
    "std::fs",
    "std::net",
    "std::env",
    "collections::HashMap",
];
/// Limits that never bind, and who may use them: what measures, never what trades.
const LIMITLESS: &str = "unlimited::";
const MEASURES: [&str; 3] = ["benches", "crates/backtest/src/fidelity", "crates/risk"];
/// Left-overs; in two halves, so that this file keeps its own rule.
const LEFT_OVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Every breach, as `file:line: what`.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for directory in ["crates", "xtask", "tests", "benches"] {
        for path in rust_files(&root.join(directory)) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let shown = path.strip_prefix(root).unwrap_or(&path);
            wrong.extend(breaches(shown, &text));
        }
    }
    for (paper, lines_max) in PAPERS {
        let text = std::fs::read_to_string(root.join(paper)).unwrap_or_default();
        let lines = text.lines().count();
        if lines == 0 || lines > lines_max {
            wrong.push(format!("{paper}: {lines} lines; 1 to {lines_max} are allowed"));
        }
    }
    wrong
}

fn breaches(path: &Path, text: &str) -> Vec<String> {
    let at = |line: usize, what: &str| format!("{}:{line}: {what}", path.display());
    let mut wrong = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if LEFT_OVERS.iter().any(|word| has_word(line, word)) {
            wrong.push(at(index + 1, "left-over remark: do it or write down why not"));
        }
    }
    for (index, code) in code_lines(text).iter().enumerate() {
        if has_word(code, "unsafe") {
            wrong.push(at(index + 1, "unsafe is forbidden"));
        }
    }
    if is_test(path) {
        return wrong;
    }
    let lines = product_lines(text);
    if lines.len() > FILE_LINES_MAX {
        wrong.push(at(1, &format!("{} lines; at most {FILE_LINES_MAX}", lines.len())));
    }
    if !text.starts_with("//!") {
        wrong.push(at(1, "no //! header that says the module's purpose"));
    }
    let measures = MEASURES.iter().any(|place| path.starts_with(place));
    let is_pure = path.components().any(|c| PURE.iter().any(|p| c.as_os_str() == *p));
    for (number, code) in lines {
        if code.contains(".unwrap()") {
            wrong.push(at(number, "unwrap outside tests: expect with the proof, or an error"));
        }
        if !measures && code.contains(LIMITLESS) {
            wrong.push(at(number, "an order past all limits"));
        }
        for name in IMPURE.iter().filter(|n| is_pure && code.contains(**n)) {
            wrong.push(at(number, &format!("{name} in the deterministic core")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        breaches(Path::new(path), text)
    }

    #[test]
    fn each_breach_is_named_with_its_line() {
        let left_over = format!("//! A.\n// {}: later", LEFT_OVERS[0]);
        let long = format!("//! A.\n{}", "a\n".repeat(500));
        let table = [
            ("a.rs", "//! A.\nfn f() { x.unwrap() }", "a.rs:2: unwrap"),
            ("a.rs", "//! A.\nunsafe fn f() {}", "a.rs:2: unsafe"),
            ("tests/a.rs", "unsafe {}", "a.rs:1: unsafe"),
            ("a.rs", "fn f() {}", "a.rs:1: no //! header"),
            ("a.rs", &left_over, "a.rs:2: left-over"),
            ("a.rs", &long, "a.rs:1: 501 lines"),
            ("crates/engine/src/a.rs", "//! A.\nuse std::time::SystemTime;", "SystemTime in the"),
            ("crates/server/src/a.rs", "//! A.\nrisk::unlimited::policy();", "past all limits"),
        ];
        for (path, text, expected) in table {
            let all = found(path, text);
            assert_eq!(all.len(), 1, "{all:?}");
            assert!(all[0].contains(expected), "{all:?} lacks {expected}");
        }
    }

    #[test]
    fn tests_may_unwrap_and_be_long() {
        assert!(found("tests/a.rs", &"a.unwrap();\n".repeat(600)).is_empty());
        let inner = "//! A.\n#[cfg(test)]\nmod tests {\n    a.unwrap();\n}";
        assert!(found("a.rs", inner).is_empty());
        let limitless = "//! A.\nlet policy = risk::unlimited::policy();";
        assert!(found("crates/backtest/src/fidelity/a.rs", limitless).is_empty());
        assert!(found("server/a.rs", "//! A.\nuse std::time::SystemTime;").is_empty());
    }
}
