//! The second layer: `.env` in the working directory.
//!
//! `NAME=value` lines, `#` comments, an optional `export`, single or double quotes. No expansion:
//! a file with safety flags should mean what it says. Stricter than the environment, too: the
//! file is ours, so every name in it has to be.

use super::flags;
use super::origin::{Origin, key_of};
use super::raw::{Layers, Raw};
use std::collections::BTreeMap;

/// Reads every line; a line without form is noted without its text, which may hold a secret.
pub(super) fn read(path: &str, text: &str, layers: &mut Layers) {
    let mut first = BTreeMap::new();
    // Some editors begin a file with a mark that nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let origin = Origin::Dotenv { path: path.to_owned(), line: line_number };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = assignment(line) else {
            let allowed = "NAME=value, NAME=\"value\" or a comment that starts with #";
            layers.refuse(origin, "", "this line is no setting", allowed);
            continue;
        };
        if let Some(earlier) = first.insert(name.to_owned(), line_number) {
            let wrong = format!("is given twice, first on line {earlier}");
            layers.refuse(origin, name, &wrong, "each name once");
            continue;
        }
        match key_of(name) {
            Some(key) => layers.push(&key, Raw::Text(value), origin),
            None => foreign(name, origin, layers),
        }
    }
}

fn foreign(name: &str, origin: Origin, layers: &mut Layers) {
    let meant = flags::nearest(name).map_or(String::new(), |f| format!(" (is {f} meant?)"));
    let allowed = "the flags and AMARKTAI_ names of docs/configuration.md";
    layers.refuse(origin, name, &format!("is not a known name{meant}"), allowed);
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(fits) {
        return None;
    }
    Some((name, unquote(value.trim())?))
}

fn unquote(value: &str) -> Option<String> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, after) = rest.split_once(quote)?;
            let after = after.trim();
            return (after.is_empty() || after.starts_with('#')).then(|| inner.to_owned());
        }
    }
    // A comment needs a space before it, so that a password may contain the sign.
    let plain = value.split(" #").next().unwrap_or(value);
    Some(plain.trim().to_owned())
}
