//! Which room may use which: the table of ARCHITECTURE.md, kept by reading the manifests.

use std::collections::BTreeSet;
use std::path::Path;

/// A room and the rooms it may use, also in its own tests.
const TABLE: [(&str, &[&str]); 14] = [
    ("domain", &[]),
    ("market", &["domain"]),
    ("strategy", &["domain", "market"]),
    ("ledger", &["domain"]),
    ("risk", &["domain", "market", "ledger"]),
    ("simulator", &["domain", "market", "risk"]),
    ("engine", &["domain", "market", "strategy", "ledger", "risk", "simulator"]),
    ("exchanges", &["domain", "market", "risk"]),
    // Judges the simulator, so it must never share its code. Risk for the orders of its tests.
    ("sandbox", &["domain", "market", "exchanges", "risk"]),
    ("storage", &["domain", "ledger", "engine"]),
    ("backtest", DRIVEN),
    ("ui", &[]),
    ("server", &["domain", "market", "strategy", "ledger", "risk", "engine", "storage", "ui"]),
    ("amarktai", EVERYTHING),
];

/// The core, and the codecs that recordings are read with.
const DRIVEN: &[&str] =
    &["domain", "market", "strategy", "ledger", "risk", "simulator", "engine", "exchanges"];

const EVERYTHING: &[&str] = &[
    "domain",
    "market",
    "strategy",
    "ledger",
    "risk",
    "simulator",
    "engine",
    "exchanges",
    "sandbox",
    "storage",
    "backtest",
    "ui",
    "server",
];

/// Rooms without I/O, clock or randomness, and what would bring them in.
const PURE: [&str; 7] = ["domain", "market", "strategy", "ledger", "risk", "simulator", "engine"];
const IMPURE: [&str; 9] =
    ["tokio", "reqwest", "rusqlite", "rand", "axum", "tracing", "metrics", "tempfile", "governor"];

/// Everything that points the wrong way.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root.join("crates")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match TABLE.iter().find(|(room, _)| *room == name) {
            Some((_, allowed)) => room(&entry.path(), &name, allowed, &mut wrong),
            None => wrong.push(format!("crates/{name} is not in the table of arrows")),
        }
    }
    for outside in ["tests", "benches", "xtask"] {
        room(&root.join(outside), outside, EVERYTHING, &mut wrong);
    }
    wrong
}

fn room(path: &Path, name: &str, allowed: &[&str], wrong: &mut Vec<String>) {
    let file = path.join("Cargo.toml");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let Ok(manifest) = text.parse::<toml::Table>() else {
        wrong.push(format!("{} is no TOML", file.display()));
        return;
    };
    for used in names(&manifest, &["dependencies", "build-dependencies", "dev-dependencies"]) {
        let is_ours = used == "amarktai" || EVERYTHING.contains(&used.as_str());
        if is_ours && !allowed.contains(&used.as_str()) {
            wrong.push(format!("{name} may not use {used}"));
        }
    }
    let takes_lints = manifest.get("lints").and_then(|l| l.get("workspace"));
    if takes_lints.and_then(toml::Value::as_bool) != Some(true) {
        wrong.push(format!("{name} does not take the workspace's lints, which forbid unsafe"));
    }
    if asks_for_permits(&manifest) {
        wrong.push(format!("{name}: {PERMITS} is for dev-dependencies alone"));
    }
    if PURE.contains(&name) {
        let impure = names(&manifest, &["dependencies", "build-dependencies"]);
        for used in impure.iter().filter(|n| IMPURE.contains(&n.as_str())) {
            wrong.push(format!("{name} is part of the deterministic core and may not use {used}"));
        }
    }
}

/// The feature of `risk` that makes permits which nobody vouches for.
const PERMITS: &str = "permits-for-tests";

/// Does a manifest ask for it where the product is built?
fn asks_for_permits(manifest: &toml::Table) -> bool {
    let mut product = manifest.clone();
    product.remove("dev-dependencies");
    for target in product.get_mut("target").and_then(toml::Value::as_table_mut).into_iter() {
        for (_, scope) in target.iter_mut() {
            scope.as_table_mut().map(|scope| scope.remove("dev-dependencies"));
        }
    }
    let is_definition = |table: &toml::Table| table.contains_key(PERMITS);
    if product.get("features").and_then(toml::Value::as_table).is_some_and(is_definition) {
        product.remove("features");
    }
    toml::to_string(&product).is_ok_and(|text| text.contains(PERMITS))
}

/// The packages behind the tables, also where they are renamed or for one target only.
fn names(manifest: &toml::Table, tables: &[&str]) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let scopes = std::iter::once(manifest)
        .chain(targets.into_iter().flat_map(|t| t.values()).filter_map(toml::Value::as_table));
    let mut found = BTreeSet::new();
    for scope in scopes {
        for table in tables.iter().filter_map(|t| scope.get(*t)?.as_table()) {
            for (key, value) in table {
                let package = value.get("package").and_then(toml::Value::as_str);
                found.insert(package.unwrap_or(key).to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn workspace(name: &str, manifest: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            (format!("crates/{name}"), manifest),
            ("tests".to_owned(), LINTS),
            ("benches".to_owned(), LINTS),
            ("xtask".to_owned(), LINTS),
        ] {
            let directory = root.path().join(path);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("Cargo.toml"), text).unwrap();
        }
        check(root.path())
    }

    #[test]
    fn an_arrow_that_points_the_wrong_way_is_named() {
        let table = [
            ("strategy", "[dependencies]\nrisk.workspace = true", "strategy may not use risk"),
            ("sandbox", "[dev-dependencies]\nsimulator = {}", "sandbox may not use simulator"),
            ("server", "[dependencies]\namarktai = {}", "server may not use amarktai"),
            ("market", "[build-dependencies]\nx = { package = \"engine\" }", "market may not use"),
            ("engine", "[dependencies]\ntokio = \"1\"", "deterministic core and may not use tokio"),
            ("ledger", "[target.'cfg(unix)'.dependencies]\nstorage = {}", "ledger may not use sto"),
            (
                "server",
                "[dependencies]\nrisk = { features = [\"permits-for-tests\"] }",
                "permits-for-tests is for dev-dependencies alone",
            ),
            (
                "engine",
                "[features]\nfast = [\"risk/permits-for-tests\"]",
                "permits-for-tests is for dev-dependencies alone",
            ),
            ("helpers", "", "crates/helpers is not in the table"),
        ];
        for (name, manifest, expected) in table {
            let found = workspace(name, &format!("{LINTS}{manifest}"));
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].contains(expected), "{found:?} lacks {expected}");
        }
    }

    #[test]
    fn arrows_of_the_table_are_taken() {
        for (name, manifest) in [
            ("risk", "[dependencies]\nledger = {}\nserde = \"1\""),
            ("engine", "[dev-dependencies]\nrand = \"0.9\""),
            ("exchanges", "[dev-dependencies]\nrisk = { features = [\"permits-for-tests\"] }"),
            ("risk", "[features]\npermits-for-tests = []"),
        ] {
            assert!(workspace(name, &format!("{LINTS}{manifest}")).is_empty());
        }
    }

    #[test]
    fn a_room_without_the_common_lints_is_named() {
        assert!(workspace("ledger", "")[0].contains("does not take the workspace's lints"));
    }
}
