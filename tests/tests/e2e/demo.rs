//! `demo` as a newcomer meets it.

use crate::harness::{PATIENCE, Place, Product, until};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::time::Duration;

/// What the prototype's operators asked the store.
const LATEST: &str = "select * from trades where is_paper=1 order by timestamp desc limit 1";
/// The promise: a trading fleet on the screen in a minute.
const FIRST_TRADE: Duration = Duration::from_secs(60);

fn latest_trade(place: &Place) -> Option<Vec<(String, Cell)>> {
    let connection =
        Connection::open_with_flags(place.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let mut statement = connection.prepare(LATEST).ok()?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).ok()?;
    let row = rows.next().ok()??;
    Some(names.into_iter().enumerate().map(|(i, name)| (name, row.get(i).unwrap())).collect())
}

async fn first_trade(place: &Place) -> Vec<(String, Cell)> {
    until("a first trade", FIRST_TRADE, || async { latest_trade(place) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_trades_within_a_minute_and_says_demo_and_logs_in_the_words_that_people_search_for() {
    let place = Place::new("");
    let product = place.start("demo").await;
    let row = first_trade(&place).await;
    let required = [
        "id",
        "status",
        "side",
        "success",
        "bot_id",
        "symbol",
        "exchange",
        "entry_price",
        "exit_price",
        "amount",
        "profit_loss",
        "fees",
        "is_paper",
        "timestamp",
        "account_id",
        "entry_at",
        "exit_at",
        "gross_profit",
        "exit_reason",
        "strategy",
        "grade",
        "fees_base",
        "fees_quote",
        "reporting_currency",
    ];
    for name in required {
        let cell = row.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}"));
        assert_ne!(cell.1, Cell::Null, "{name}");
    }
    for path in ["/health", "/api/health"] {
        assert_eq!(product.get(path).await["mode"], "DEMO", "{path}");
    }
    let id = match &row.iter().find(|(n, _)| n == "id").unwrap().1 {
        Cell::Integer(id) => *id,
        other => panic!("{other:?}"),
    };
    for words in [
        "Paper tick start".to_owned(),
        "Bots scanned: 12 active".to_owned(),
        " on binance".to_owned(),
        "Trade candidate: ".to_owned(),
        format!("Trade inserted: id={id}, profit="),
        format!("Realtime event emitted: trade_id={id}"),
        "heartbeat".to_owned(),
    ] {
        logged(&product, &words).await;
    }
    product.end();
}

async fn logged(product: &Product, words: &str) {
    until(&format!("log line {words:?}"), PATIENCE, || async {
        product.log_lines().iter().any(|line| line.contains(words)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_logs_carry_the_same_facts_as_fields_and_a_second_start_goes_on() {
    let mut place = Place::new("");
    place.args = vec!["--log-format".into(), "json".into()];
    let product = place.start("demo").await;
    first_trade(&place).await;
    for (message, fields) in [
        ("Paper tick start", &[][..]),
        ("Trade candidate: ", &["bot", "exchange"]),
        ("Trade inserted: id=", &["trade_id", "profit"]),
        ("Realtime event emitted: trade_id=", &["trade_id"]),
        ("heartbeat", &["active_bots", "feeds_fresh", "feeds_stale", "trades_today", "lag_ms"]),
    ] {
        let line = until(message, PATIENCE, || async {
            let lines = product.log_lines();
            let parsed = lines.iter().filter_map(|l| serde_json::from_str::<Value>(l).ok());
            parsed.into_iter().find(|l| l["message"].as_str().unwrap_or("").starts_with(message))
        })
        .await;
        for field in fields {
            assert!(!line[field].is_null(), "{field} in {line}");
        }
    }
    for line in product.log_lines() {
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "no JSON: {line}");
    }
    let bots = product.get("/api/bots").await["items"].as_array().unwrap().len();
    let trades = crate::market::trades(&product).await.len();
    product.end();
    let again = place.start("demo").await;
    assert_eq!(again.get("/api/bots").await["items"].as_array().unwrap().len(), bots);
    assert!(crate::market::trades(&again).await.len() >= trades);
    again.end();
}
