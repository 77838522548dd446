//! Each flag of the product has exactly one reader: the earlier prototype's safety flags were
//! mostly read by nobody, so this is counted instead of believed.

use crate::source::{is_test, product_lines, rust_files};
use std::path::Path;

/// Where the accessors are defined; a call there is no reader.
const DEFINITION: &str = "crates/amarktai/src/config/flags.rs";

/// Accessors of parts that are not built or not wired yet. A name leaves this list together with
/// the commit that reads it; the check fails where that is forgotten.
const AWAITING: [&str; 0] = [];

/// Prints every flag's reader, and gives the flags that have none or several.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let definition = std::fs::read_to_string(root.join(DEFINITION)).unwrap_or_default();
    let accessors = accessors(&definition);
    if accessors.is_empty() {
        return vec![format!("{DEFINITION} defines no accessor")];
    }
    let sources = sources(root);
    let mut wrong = Vec::new();
    for name in accessors {
        let readers: Vec<String> =
            sources.iter().flat_map(|(path, text)| readers(path, text, &name)).collect();
        println!("  flag {name}: {}", if readers.is_empty() { "-" } else { &readers[0] });
        wrong.extend(verdict(&name, &readers, AWAITING.contains(&name.as_str())));
    }
    wrong
}

fn verdict(name: &str, readers: &[String], is_awaiting: bool) -> Option<String> {
    match (readers.len(), is_awaiting) {
        (1, false) | (0, true) => None,
        (0, false) => Some(format!("flag {name} has no reader")),
        (1, true) => Some(format!("flag {name} has its reader: take it off the awaiting list")),
        _ => Some(format!("flag {name} has several readers: {}", readers.join(", "))),
    }
}

fn accessors(definition: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line.trim().strip_prefix("pub ")?;
        let rest = rest.strip_prefix("const ").unwrap_or(rest).strip_prefix("fn ")?;
        let (name, rest) = rest.split_once('(')?;
        rest.starts_with("&self").then(|| name.to_owned())
    };
    definition.lines().filter_map(name).collect()
}

fn sources(root: &Path) -> Vec<(String, String)> {
    rust_files(&root.join("crates"))
        .into_iter()
        .filter(|path| !is_test(path) && !path.ends_with(DEFINITION))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            (path.strip_prefix(root).unwrap_or(&path).display().to_string(), text)
        })
        .collect()
}

fn readers(path: &str, text: &str, name: &str) -> Vec<String> {
    let call = [format!(".{name}("), format!("Flags::{name}")];
    product_lines(text)
        .into_iter()
        .filter(|(_, line)| call.iter().any(|c| line.contains(c)))
        .map(|(number, _)| format!("{path}:{number}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accessors_are_found_by_their_definition() {
        let text = "    pub const fn is_a(&self) -> bool {\n    pub fn b(&self) -> &[E] {\n    \
                    pub(super) fn read(reader: &mut R) -> Self {";
        assert_eq!(accessors(text), ["is_a", "b"]);
    }

    #[test]
    fn calls_count_and_comments_and_tests_do_not() {
        let text = "flags.is_a();\n// flags.is_a()\nmap(Flags::is_a)\n#[cfg(test)]\nmod t {\n    \
                    flags.is_a();\n}";
        assert_eq!(readers("x.rs", text, "is_a"), ["x.rs:1", "x.rs:3"]);
    }

    #[test]
    fn exactly_one_reader_is_right() {
        let one = ["a.rs:1".to_owned()];
        let two = ["a.rs:1".to_owned(), "b.rs:1".to_owned()];
        assert_eq!(verdict("f", &one, false), None);
        assert_eq!(verdict("f", &[], true), None);
        for (readers, is_awaiting) in [(&[][..], false), (&one, true), (&two, false), (&two, true)]
        {
            assert!(verdict("f", readers, is_awaiting).is_some());
        }
    }
}
