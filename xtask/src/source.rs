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

/// The lines outside `#[cfg(test)]` modules, with their numbers. Leans on rustfmt, which ends a
/// block with a brace at the indentation of its first line.
pub(crate) fn product_lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut rest = text.lines().enumerate().map(|(i, line)| (i + 1, line));
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

/// A line without its texts and its comment.
pub(crate) fn code(line: &str) -> String {
    let mut code = String::new();
    let mut characters = line.chars().peekable();
    let mut is_text = false;
    while let Some(c) = characters.next() {
        match c {
            '\\' if is_text => drop(characters.next()),
            // A quote as a character, '"', opens no text.
            '"' if code.ends_with('\'') && characters.peek() == Some(&'\'') => {}
            '"' => is_text = !is_text,
            '/' if !is_text && characters.peek() == Some(&'/') => break,
            _ if is_text => {}
            _ => code.push(c),
        }
    }
    code
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
        assert_eq!(code("let a = \"x.unwrap() // \\\" y\"; // z"), "let a = ; ");
        assert_eq!(code("if c == '\"' { a } // b"), "if c == '' { a } ");
        assert_eq!(code("/// a.unwrap()"), "");
    }

    #[test]
    fn test_modules_are_left_out_and_what_follows_is_not() {
        let text = "a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n#[cfg(test)]\nmod other;\nd";
        let lines: Vec<_> = product_lines(text).into_iter().collect();
        assert_eq!(lines, [(1, "a"), (6, "c"), (9, "d")]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("pub unsafe fn", "unsafe") && !has_word("unsafe_code", "unsafe"));
    }
}
