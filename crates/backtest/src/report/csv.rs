//! Trades and equity as CSV, figures exact as they are.

use domain::{Amount, Timestamp, Trade};
use std::fmt::Write;

pub(super) fn trades(trades: &[Trade]) -> String {
    let mut text = "id,bot_id,exchange,symbol,strategy,entry_at,exit_at,entry_price,exit_price,\
                    amount,gross_profit,fees,slippage,profit_loss,exit_reason,grade\n"
        .to_owned();
    for t in trades {
        let word = |value: serde_json::Result<serde_json::Value>| match value {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        };
        let (reason, grade) = (serde_json::to_value(t.exit_reason), serde_json::to_value(t.grade));
        let slippage = t.slippage.map(|s| s.to_string()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{slippage},{},{},{}",
            t.id,
            t.bot_id,
            t.exchange,
            t.symbol,
            t.strategy,
            t.entry_at,
            t.exit_at,
            t.entry_price,
            t.exit_price,
            t.amount,
            t.gross_profit,
            t.fees,
            t.profit_loss,
            word(reason),
            word(grade),
        );
    }
    text
}

pub(super) fn equity(points: &[(Timestamp, Amount)]) -> String {
    let mut text = "at,equity\n".to_owned();
    for (at, equity) in points {
        let _ = writeln!(text, "{at},{equity}");
    }
    text
}
