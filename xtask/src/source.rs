//! Rust sources as the rules see them: without tests, comments and texts.

use std::path::{Path, PathBuf};

/// Every Rust file below a directory, in order.
pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "node_modules" {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file of tests only.
pub(crate) fn is_test(path: &Path) -> bool {
    let in_directory = |name: &str| path.components().any(|c| c.as_os_str() == name);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    in_directory("tests") || stem == "tests" || stem.ends_with("_tests")
}

/// The lines of code outside `#[cfg(test)]` modules, with their numbers. Leans on rustfmt, which
/// ends a block with a brace at the indentation of its first line.
pub(crate) fn product_lines(text: &str) -> Vec<(usize, String)> {
    let code = code_lines(text);
    let mut lines = Vec::new();
    let mut rest = code.into_iter().enumerate().map(|(i, line)| (i + 1, line));
    while let Some((number, line)) = rest.next() {
        if line.trim() != "#[cfg(test)]" {
            lines.push((number, line));
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let Some((_, first)) = rest.next() else { break };
        if first.ends_with('{') {
            rest.by_ref().find(|(_, line)| *line == end);
        }
    }
    lines
}

/// Every line without its texts, also those that run over several lines, and without comments.
pub(crate) fn code_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    // The end of the text that is open: a quote, for raw texts with its hashes.
    let mut open: Option<String> = None;
    for line in text.lines() {
        let mut code = String::new();
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            rest = match &open {
                Some(end) if rest.starts_with(end.as_str()) => {
                    let after = &rest[end.len()..];
                    open = None;
                    after
                }
                Some(end) if c == '\\' && end.len() == 1 => skip(rest, 2),
                Some(_) => skip(rest, 1),
                None if rest.starts_with("//") => "",
                None if rest.starts_with("'\"'") => &rest[3..],
                None if c == '"' => {
                    open = Some(format!("\"{}", hashes(&code)));
                    &rest[1..]
                }
                None => {
                    code.push(c);
                    skip(rest, 1)
                }
            };
        }
        lines.push(code);
    }
    lines
}

fn skip(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or("", |(at, _)| &text[at..])
}

/// The hashes of a raw text that begins behind this code.
fn hashes(code: &str) -> String {
    let before = code.trim_end_matches('#');
    let is_raw = before.ends_with('r') && code.len() > before.len();
    if is_raw { "#".repeat(code.len() - before.len()) } else { String::new() }
}

/// A whole word, not a part of a longer name.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_comments_are_no_code() {
        let table = [
            ("let a = \"x.unwrap() // \\\" y\"; // z", "let a = ; "),
            ("if c == '\"' { a } // b", "if c ==  { a } "),
            ("/// a.unwrap()", ""),
            ("a(\"one\nunsafe \\\n two\") b", "a(\n\n) b"),
            ("a(r#\"x \" unsafe\"#) b", "a(r#) b"),
            ("\"ends\\\\\" a", " a"),
        ];
        for (text, expected) in table {
            assert_eq!(code_lines(text).join("\n"), expected, "{text}");
        }
    }

    #[test]
    fn test_modules_are_left_out_and_what_follows_is_not() {
        let text = "a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n#[cfg(test)]\nmod other;\nd";
        let expected = [(1, "a"), (6, "c"), (9, "d")].map(|(n, line)| (n, line.to_owned()));
        assert_eq!(product_lines(text), expected);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("pub unsafe fn", "unsafe") && !has_word("unsafe_code", "unsafe"));
    }
}
