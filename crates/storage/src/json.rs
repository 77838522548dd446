//! JSON text in the order that it is stored in: the keys of every object sorted.
//!
//! The order is part of what is hashed, and it is that of the store's first version, which built
//! events as trees of values with sorted keys. Sorting the text of our own serialiser costs a tenth
//! of such a tree.

/// Appends compact JSON with the keys of every object sorted; of equal keys the last one counts.
///
/// Only for what a serialiser of ours wrote: text that is no JSON is copied somehow.
pub(crate) fn sorted(text: &str, out: &mut String) {
    let (value, _) = text.split_at(end_of_value(text));
    match value.as_bytes().first() {
        Some(b'{') => object(value, out),
        Some(b'[') if value.contains('{') => array(value, out),
        _ => out.push_str(value),
    }
}

fn object(text: &str, out: &mut String) {
    let mut members = Vec::with_capacity(32);
    let mut rest = &text[1..];
    while rest.starts_with('"') {
        let (key, after) = rest.split_at(end_of_string(rest));
        let after = after.strip_prefix(':').unwrap_or(after);
        let (value, after) = after.split_at(end_of_value(after));
        members.push((key, value));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    // Stable: the last of equal keys stays the last.
    members.sort_by_key(|(key, _)| *key);
    let mut sign = '{';
    for (index, (key, value)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        out.push(sign);
        out.push_str(key);
        out.push(':');
        sorted(value, out);
        sign = ',';
    }
    if members.is_empty() {
        out.push('{');
    }
    out.push('}');
}

fn array(text: &str, out: &mut String) {
    let mut rest = &text[1..];
    let mut sign = '[';
    while !rest.is_empty() && !rest.starts_with(']') {
        let (value, after) = rest.split_at(end_of_value(rest));
        out.push(sign);
        sorted(value, out);
        sign = ',';
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    out.push(']');
}

/// Behind the string that the text begins with.
fn end_of_string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Behind the value that the text begins with.
fn end_of_value(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += end_of_string(&text[at..]);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Any JSON, its objects written in the order that is drawn, some keys twice.
    fn json() -> impl Strategy<Value = String> {
        let text = |v: Value| v.to_string();
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|b| b.to_string()),
            any::<i64>().prop_map(|n| n.to_string()),
            // Eighths are read and shown exactly.
            any::<i32>().prop_map(move |n| text((f64::from(n) / 8.0).into())),
            any::<String>().prop_map(move |s| text(s.into())),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let members = proptest::collection::vec(("[a-c{},:]{0,2}", inner.clone()), 0..8);
            prop_oneof![
                proptest::collection::vec(inner, 0..8).prop_map(|v| format!("[{}]", v.join(","))),
                members.prop_map(|members| {
                    let member =
                        |(key, value): (String, String)| format!("{}:{value}", Value::from(key));
                    let all: Vec<_> = members.into_iter().map(member).collect();
                    format!("{{{}}}", all.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn sorted_text_is_that_of_a_tree(json in json()) {
            let tree: Value = serde_json::from_str(&json).unwrap();
            let mut text = String::new();
            sorted(&json, &mut text);
            prop_assert_eq!(text, tree.to_string());
        }
    }
}
