//! `config show` and the tables of the documentation.

use super::kind::Shown;
use super::reader::Setting;
use serde_json::{Value, json};

/// One line a setting: `key = value   # from where`.
pub fn settings_text(settings: &[Setting]) -> String {
    settings.iter().map(|s| format!("{} = {}   # {}\n", s.key, s.value, s.origin)).collect()
}

/// The same as JSON: a list of key, value and origin.
pub fn settings_json(settings: &[Setting]) -> Value {
    let one = |s: &Setting| {
        let origin = s.origin.to_string();
        json!({"key": s.key, "value": value(&s.value), "origin": origin})
    };
    settings.iter().map(one).collect()
}

fn value(shown: &Shown) -> Value {
    match shown {
        Shown::Text(text) => json!(text),
        // Decimals as text, as everywhere in our JSON.
        Shown::Plain(text) if text.contains('.') => json!(text),
        Shown::Plain(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Shown::List(items) => json!(items),
        Shown::Secret => json!("***"),
        Shown::Unset => Value::Null,
    }
}
