//! Plain tables for people: aligned, figures to the right, no colours, no borders.

use serde_json::Value;

/// A heading and the dotted path of what stands below it.
pub(crate) type Column = (&'static str, &'static str);

/// Rows under their headings; nothing but a sentence where there are none.
pub(crate) fn table(columns: &[Column], rows: &[Value]) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let headings: Vec<String> = columns.iter().map(|c| c.0.to_owned()).collect();
    let cells = |row: &Value| columns.iter().map(|c| cell(at(row, c.1))).collect();
    let body: Vec<Vec<String>> = rows.iter().map(cells).collect();
    lines(&headings, &body)
}

/// Every member of an object on a line of its own.
pub(crate) fn fields(object: &Value) -> String {
    let members = object.as_object().into_iter().flatten();
    let rows: Vec<(String, String)> = members.map(|(k, v)| (k.clone(), cell(v))).collect();
    let width = rows.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(key, value)| format!("{key:width$}  {value}\n")).collect()
}

/// Aligned lines; a column of nothing but figures stands to the right.
pub(crate) fn lines(headings: &[String], body: &[Vec<String>]) -> String {
    let columns: Vec<(usize, bool)> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let cells = || body.iter().filter_map(|row| row.get(at));
            let widest = cells().chain([heading]).map(|cell| cell.chars().count()).max();
            (widest.unwrap_or(0), cells().all(|cell| is_figure(cell)))
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&columns).map(|(cell, (width, is_right))| {
            if *is_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    std::iter::once(&headings.to_vec()).chain(body).map(line).collect()
}

fn is_figure(cell: &str) -> bool {
    cell == "-" || cell.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The value at a dotted path; nothing where the path leads nowhere.
fn at<'v>(row: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(row, |value, key| &value[key])
}

/// A value on one line; what is not known is a dash.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => to_the_second(text).chars().map(printable).collect(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(cell).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// Our times have six digits after the point, which nobody reads in a table.
fn to_the_second(text: &str) -> String {
    let is_time = text.len() == 27 && text.is_ascii() && text.ends_with('Z');
    match text.split_once('.').filter(|_| is_time && text.as_bytes()[10] == b'T') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text.to_owned(),
    }
}

/// A name must not move somebody's cursor.
fn printable(sign: char) -> char {
    if sign.is_control() { '\u{fffd}' } else { sign }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_stand_left_and_figures_right() {
        let rows = [
            json!({ "name": "a", "figures": { "equity": "10.5" }, "doing": "waits" }),
            json!({ "name": "scout", "figures": { "equity": "-1000" } }),
        ];
        let columns = [("NAME", "name"), ("EQUITY", "figures.equity"), ("DOING", "doing")];
        let expected = "NAME   EQUITY  DOING\na        10.5  waits\nscout   -1000  -\n";
        assert_eq!(table(&columns, &rows), expected);
        assert_eq!(table(&columns, &[]), "none\n");
    }

    #[test]
    fn times_lose_their_fraction_and_control_characters_their_power() {
        assert_eq!(cell(&json!("2026-11-23T00:10:16.123456Z")), "2026-11-23T00:10:16Z");
        assert_eq!(cell(&json!("a\u{1b}[2J")), "a\u{fffd}[2J");
        assert_eq!(cell(&json!(["USER_PAUSED", "STALE"])), "USER_PAUSED,STALE");
        assert_eq!(cell(&json!({ "a": 1 })), r#"{"a":1}"#);
    }
}
