//! The lowest layer: the TOML file, flattened to dotted keys that know their line.

use super::origin::Origin;
use super::raw::{Layers, Raw};
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue, Error};

/// Reads every key of the file; what is no TOML is noted, and the rest still read.
pub(super) fn read(path: &str, text: &str, layers: &mut Layers) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let start = |error: &Error| error.span().unwrap_or_default().start;
    let broken = errors.iter().map(|e| line_of(text, start(e))).collect();
    let file = File { path, text, broken };
    for error in &errors {
        file.syntax(error, layers);
    }
    file.walk("", root.get_ref(), layers);
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
    /// Lines already refused: what the parser made of their rest is nobody's setting.
    broken: BTreeSet<usize>,
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

impl File<'_> {
    fn at(&self, offset: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: line_of(self.text, offset) }
    }

    fn walk(&self, prefix: &str, table: &DeTable<'_>, layers: &mut Layers) {
        for (key, value) in table {
            let name = match prefix {
                "" => key.get_ref().to_string(),
                prefix => format!("{prefix}.{}", key.get_ref()),
            };
            if self.broken.contains(&line_of(self.text, key.span().start)) {
                continue;
            }
            let origin = self.at(key.span().start);
            if let DeValue::Table(inner) = value.get_ref() {
                layers.tables.push((name.clone(), origin));
                self.walk(&name, inner, layers);
            } else {
                layers.push(&name, raw(value.get_ref()), origin);
            }
        }
    }

    fn syntax(&self, error: &Error, layers: &mut Layers) {
        let span = error.span().unwrap_or_default();
        let origin = self.at(span.start);
        if error.message() == "duplicate key" {
            let key = self.key_at(span.start, self.text.get(span.clone()).unwrap_or_default());
            layers.refuse(origin, &key, "is given twice", "each key and section once");
        } else {
            let wrong = format!("is not TOML: {}", error.message());
            layers.refuse(origin, "", &wrong, "key = value, as in docs/configuration.md");
        }
    }

    /// The dotted name of the key at an offset, by the section above it.
    fn key_at(&self, offset: usize, key: &str) -> String {
        let start = self.text[..offset].rfind('\n').map_or(0, |i| i + 1);
        let header = |line: &str| {
            let inner = line.trim().strip_prefix('[')?.split(']').next()?;
            Some(inner.trim().to_owned())
        };
        let own = self.text[start..].lines().next().and_then(header);
        let above = || self.text[..start].lines().rev().find_map(header);
        own.unwrap_or_else(|| above().map_or(key.to_owned(), |section| format!("{section}.{key}")))
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::String(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Raw::Number(number.as_str().to_owned()),
        DeValue::Integer(number) => Raw::Number(number.to_string()),
        DeValue::Float(number) => Raw::Number(number.as_str().to_owned()),
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Array(items) => Raw::List(items.iter().map(|i| raw(i.get_ref())).collect()),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}
