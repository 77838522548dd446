//! Rows as CSV (RFC 4180), safe to open in a spreadsheet.

use domain::Trade;
use std::borrow::Cow;
use std::fmt::Display;

/// The columns of a trade.
pub const TRADE_COLUMNS: &str = "id,status,success,account_id,bot_id,symbol,exchange,side,entry_price,\
    exit_price,amount,profit_loss,gross_profit,fees,fees_base,fees_quote,slippage,is_paper,\
    timestamp,entry_at,exit_at,exit_reason,strategy,grade,reporting_rate,reporting_currency,\
    rate_source,rate_age_s";

/// The first line.
pub fn header(columns: &str) -> String {
    format!("{columns}\r\n")
}

/// A trade as a line.
pub(crate) fn row(trade: &Trade) -> String {
    // Its JSON has every column by name, as text, number, flag or null.
    line(TRADE_COLUMNS, &serde_json::to_value(trade).unwrap_or_default())
}

/// A row as a line, by the names of its columns.
pub fn line(columns: &str, json: &serde_json::Value) -> String {
    let cells = columns.split(',').map(|column| match &json[column] {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) if is_figure(text) => text.clone(),
        serde_json::Value::String(text) => cell(text).into_owned(),
        other => plain(other),
    });
    let line: Vec<String> = cells.collect();
    format!("{}\r\n", line.join(","))
}

fn plain(value: &dyn Display) -> String {
    value.to_string()
}

/// A decimal: its minus is no formula.
fn is_figure(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// A text as a cell: quoted where it must be; what a spreadsheet would take for a formula gets an
/// apostrophe, for codes of currencies come from the exchanges.
fn cell(text: &str) -> Cow<'_, str> {
    let text: Cow<'_, str> = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}").into(),
        false => text.into(),
    };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\"")).into();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_quotes_and_lines_are_quoted_and_formulas_defused() {
        let table = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("@sum,", "\"'@sum,\""),
        ];
        for (text, expected) in table {
            assert_eq!(cell(text), expected);
        }
        assert!(is_figure("-1.5") && !is_figure("-1+1") && !is_figure("2024-01-01T00"));
    }
}
