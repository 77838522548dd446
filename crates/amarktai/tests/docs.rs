//! The tables of `docs/` say what the code says. `cargo xtask docs` writes them anew.

use amarktai::config::{Config, FLAG_NAMES, Setting, Sources};
use domain::RefusalCode;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- table: written by `cargo xtask docs` -->";
const END: &str = "<!-- end of table -->";

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

/// The page's table is the given one; with `UPDATE_DOCS` it is made so.
fn keep(name: &str, table: &str) {
    let text = std::fs::read_to_string(page(name)).expect("the page exists");
    let (before, rest) = text.split_once(BEGIN).expect("the page has the beginning of a table");
    let (_, after) = rest.split_once(END).expect("the page has the end of a table");
    let expected = format!("{before}{BEGIN}\n{table}{END}{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page(name), &expected).expect("the page can be written");
    }
    let text = std::fs::read_to_string(page(name)).expect("the page exists");
    assert!(text == expected, "docs/{name} is behind the code: run `cargo xtask docs`");
}

fn settings(is_flag: bool) -> Vec<Setting> {
    let settings = Config::load(&Sources::default()).expect("defaults are valid").settings;
    settings.into_iter().filter(|s| FLAG_NAMES.contains(&s.key.as_str()) == is_flag).collect()
}

#[test]
fn the_table_of_keys_is_up_to_date() {
    let mut table = String::from("| key | default | allowed | meaning |\n|---|---|---|---|\n");
    for s in settings(false) {
        writeln!(table, "| `{}` | `{}` | {} | {} |", s.key, s.value, s.allowed, s.about).unwrap();
    }
    keep("configuration.md", &table);
}

#[test]
fn the_table_of_flags_is_up_to_date() {
    let mut table = String::from("| flag | default | allowed | meaning |\n|---|---|---|---|\n");
    let settings = settings(true);
    for name in FLAG_NAMES {
        let s = settings.iter().find(|s| s.key == name).unwrap();
        writeln!(table, "| `{}` | `{}` | {} | {} |", s.key, s.value, s.allowed, s.about).unwrap();
    }
    keep("flags.md", &table);
}

#[test]
fn the_table_of_refusals_is_up_to_date() {
    let mut table = String::from("| code | meaning |\n|---|---|\n");
    for code in RefusalCode::ALL {
        let meaning: Vec<&str> = code.meaning().split_whitespace().collect();
        writeln!(table, "| `{}` | {} |", code.name(), meaning.join(" ")).unwrap();
    }
    keep("refusals.md", &table);
}

#[test]
fn the_table_of_states_is_up_to_date() {
    let mut table = String::from(
        "| | entry | resting entry orders | strategy exit | protective exit | flatten |\n\
         |---|---|---|---|---|---|\n",
    );
    for (state, cells) in risk::table() {
        let words = cells.map(|cell| format!("{cell:?}").to_lowercase());
        writeln!(table, "| {state} | {} |", words.join(" | ")).unwrap();
    }
    keep("states.md", &table);
}

#[test]
fn the_table_of_checks_is_up_to_date() {
    let mut table = String::from("| | check | for |\n|---|---|---|\n");
    for (at, check) in risk::CHECKS.iter().enumerate() {
        let whom = if check.entries_only { "entries" } else { "every order" };
        writeln!(table, "| {} | `{}` | {whom} |", at + 1, check.name).unwrap();
    }
    keep("checks.md", &table);
}

/// The dashboard takes its types from it, so a route that changes breaks the page's own check.
#[test]
fn the_description_of_http_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/openapi.json");
    let text = serde_json::to_string_pretty(&server::document()).expect("a value is JSON");
    let expected = format!("{text}\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("the description can be written");
    }
    let found = std::fs::read_to_string(&path).expect("the description exists");
    assert!(found == expected, "web/openapi.json is behind the code: run `cargo xtask docs`");
}
