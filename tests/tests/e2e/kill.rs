//! kill -9 at random instants: nothing acknowledged is lost or doubled, the books stay sound, and
//! the next start goes on.

use crate::harness::{PATIENCE, Place, Product};
use crate::market::{config, eager, fund, listed, sandbox};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Method, StatusCode};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LIVES: usize = 22;
/// The policy's cap of an exchange is 100.
const BOTS_MAX: usize = 60;

/// What the world was told, and what it does not know.
#[derive(Default)]
struct Told {
    asked: u64,
    /// Deposits with their answer, by number.
    deposits: BTreeSet<u64>,
    /// Sent, and the process died before the answer.
    unanswered: BTreeSet<u64>,
    /// Bots whose creation was answered.
    bots: BTreeSet<String>,
    tried: BTreeSet<String>,
}

/// Each deposit is known by its amount.
fn amount(number: u64) -> String {
    // The 1 at the end: amounts are stored without trailing zeros.
    format!("1.{number:06}1")
}

fn connection(place: &Place) -> Connection {
    Connection::open_with_flags(place.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Deposits in the books, by amount, with how often each is there.
fn stored_deposits(place: &Place) -> BTreeMap<String, usize> {
    let sql = "SELECT p.amount FROM postings p JOIN transfers t
               ON t.account_id = p.account_id AND t.seq = p.transfer_seq
               WHERE t.reason = 'deposit' AND p.book = 'available'";
    let mut found = BTreeMap::new();
    let connection = connection(place);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for amount in rows {
        *found.entry(amount.unwrap()).or_default() += 1;
    }
    found
}

fn column(place: &Place, sql: &str) -> Vec<String> {
    let connection = connection(place);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Asks for deposits and bots until the process is gone.
async fn customer(product: Arc<Product>, told: Arc<Mutex<Told>>) {
    loop {
        let number = {
            let mut told = told.lock().unwrap();
            told.asked += 1;
            told.asked
        };
        let answered = if number.is_multiple_of(25) && told.lock().unwrap().tried.len() < BOTS_MAX {
            let name = format!("late-{number}");
            told.lock().unwrap().tried.insert(name.clone());
            let mut bot = eager(&name, "kucoin", "BTC/USDT");
            bot["capital"] = json!("20");
            let sent = product.try_send(Method::POST, "/api/bots", Some(&bot), Some(&name)).await;
            if let Ok((status, body)) = &sent {
                assert_eq!(*status, StatusCode::CREATED, "{body}");
                told.lock().unwrap().bots.insert(name);
            }
            sent.is_ok()
        } else {
            told.lock().unwrap().unanswered.insert(number);
            let is_done = deposit(&product, number).await.is_ok_and(|status| {
                assert_eq!(status, StatusCode::CREATED);
                true
            });
            if is_done {
                let mut told = told.lock().unwrap();
                told.unanswered.remove(&number);
                told.deposits.insert(number);
            }
            is_done
        };
        if !answered {
            return;
        }
    }
}

async fn deposit(product: &Product, number: u64) -> Result<StatusCode, reqwest::Error> {
    let body = json!({"exchange": "kucoin", "currency": "USDT", "amount": amount(number)});
    let key = format!("deposit-{number}");
    let path = "/api/wallets/deposits";
    product.try_send(Method::POST, path, Some(&body), Some(&key)).await.map(|(status, _)| status)
}

fn verify(place: &Place, life: usize) {
    let store = place.store();
    let ledger = store.ledger_verify(None).unwrap();
    assert!(ledger.ok, "life {life}: {ledger:?}");
    let events = store.events_verify().unwrap();
    assert!(events.ok, "life {life}: {events:?}");
    let broken = column(place, "SELECT integrity_check FROM pragma_integrity_check");
    assert_eq!(broken, ["ok"], "life {life}");
}

fn verify_told(place: &Place, told: &Told, life: usize) {
    let stored = stored_deposits(place);
    for number in &told.deposits {
        assert_eq!(stored.get(&amount(*number)), Some(&1), "life {life}: deposit {number}");
    }
    for number in &told.unanswered {
        assert!(stored.get(&amount(*number)).is_none_or(|n| *n == 1), "life {life}: {number}");
    }
    let names = column(place, "SELECT name FROM bots ORDER BY name");
    let unique: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(unique.len(), names.len(), "life {life}: a bot is there twice");
    for name in &told.bots {
        assert!(unique.contains(name), "life {life}: bot {name} is lost");
    }
    let invented: Vec<_> =
        unique.iter().filter(|n| n.starts_with("late-") && !told.tried.contains(*n)).collect();
    assert!(invented.is_empty(), "life {life}: {invented:?}");
}

/// What was ordered with a key and not answered is asked again: once in all, or said unknown.
async fn ask_again(product: &Product, told: &Mutex<Told>, place: &Place) {
    let unanswered = std::mem::take(&mut told.lock().unwrap().unanswered);
    for number in unanswered {
        let status = deposit(product, number).await.unwrap();
        assert!(matches!(status.as_u16(), 201 | 409), "deposit {number}: {status}");
        let is_there = stored_deposits(place).contains_key(&amount(number));
        if status == StatusCode::CREATED {
            assert!(is_there, "deposit {number} was answered");
        }
        if is_there {
            told.lock().unwrap().deposits.insert(number);
        }
    }
}

/// Wallets and positions of the store are those that the next process starts from.
async fn verify_goes_on(product: &Product, place: &Place, before: &Before, life: usize) {
    let bots = product.get("/api/bots?limit=500").await;
    let now: BTreeMap<u64, Value> = bots["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| (b["id"].as_u64().unwrap(), b.clone()))
        .collect();
    for (id, lifecycle, filled) in &before.bots {
        let bot = &now.get(id).unwrap_or_else(|| panic!("life {life}: bot {id} is gone"));
        assert_eq!(bot["lifecycle"], *lifecycle, "life {life}: bot {id}");
        // A fill since the start moved it on: then the books are compared at the end.
        if fills_of(place, *id) != *filled {
            continue;
        }
        let shown = bot["position"]["quantity"].as_str().unwrap_or("0");
        let stored = before.positions.get(id).map_or("0", String::as_str);
        assert_eq!(shown, stored, "life {life}: position of bot {id}");
    }
    let wallets = product.get("/api/wallets").await;
    for (exchange, available) in &before.wallets {
        let shown = wallets.as_array().unwrap().iter().find(|w| w["exchange"] == **exchange);
        assert_eq!(shown.unwrap()["available"], *available, "life {life}: wallet of {exchange}");
    }
}

fn fills_of(place: &Place, bot: u64) -> u64 {
    let sql = format!("SELECT CAST(count(*) AS TEXT) FROM fills WHERE bot_id = {bot}");
    column(place, &sql)[0].parse().unwrap()
}

/// The store as the killed process left it.
struct Before {
    /// Id, lifecycle, fills.
    bots: Vec<(u64, String, u64)>,
    positions: BTreeMap<u64, String>,
    wallets: BTreeMap<String, String>,
}

impl Before {
    fn read(place: &Place) -> Self {
        let bots = column(place, "SELECT id || ' ' || lifecycle FROM bots").into_iter();
        let bots = bots.map(|row| {
            let (id, lifecycle) = row.split_once(' ').unwrap();
            let id = id.parse().unwrap();
            (id, lifecycle.to_owned(), fills_of(place, id))
        });
        let store = place.store();
        let mut positions: BTreeMap<i64, domain::Amount> = BTreeMap::new();
        let connection = connection(place);
        let sql = "SELECT bot_id, amount FROM postings p JOIN bots b ON b.id = p.bot_id
                   WHERE p.book = 'position' AND b.symbol LIKE p.currency || '/%'";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get::<_, String>(1)?))).unwrap();
        for (bot, amount) in rows.map(Result::unwrap) {
            *positions.entry(bot).or_default() += amount.parse().unwrap();
        }
        let positions = positions.into_iter().filter(|(_, amount)| !amount.is_zero());
        let positions = positions.map(|(bot, amount)| (bot as u64, amount.to_string())).collect();
        let wallets = store.wallets(None).unwrap().into_iter();
        let wallets = wallets.map(|w| (w.exchange.to_string(), w.available.to_string())).collect();
        Self { bots: bots.collect(), positions, wallets }
    }
}

/// Everything is sold and no order is left: an order that a life had lost would stay open.
async fn settle(product: &Product, place: &Place, must_close_orders: bool) {
    let bots = product.get("/api/bots?limit=500").await;
    for bot in bots["items"].as_array().unwrap() {
        let stop = json!({"positions": "sell"});
        product.post(&format!("/api/bots/{}/stop", bot["id"]), stop).await;
    }
    // Some sixty sells on one exchange, at the five orders a second that the policy permits.
    let deadline = std::time::Instant::now() + PATIENCE * 2;
    loop {
        let open = "SELECT client_order_id FROM orders WHERE status IN ('sent', 'open')";
        let (open, held) = (column(place, open), product.get("/api/positions").await);
        if (open.is_empty() || !must_close_orders) && held.as_array().unwrap().is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "open {open:?}, held {held}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_instants_it_loses_nothing_acknowledged_and_goes_on() {
    live_and_die(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_stays_open_after_kills() {
    live_and_die(true).await;
}

async fn live_and_die(must_close_orders: bool) {
    let sandbox = sandbox(5).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    for (n, symbol) in ["BTC", "ETH", "SOL", "BNB"].iter().enumerate() {
        listed(&product, "binance", "BTC-USDT").await;
        let mut bot = eager(&format!("eager-{n}"), "binance", &format!("{symbol}/USDT"));
        bot["exits"] = json!({"time_limit_s": 1 + n});
        product.post("/api/bots", bot).await;
    }
    listed(&product, "kucoin", "BTC-USDT").await;
    let grid = json!({
        "name": "grid", "exchange": "binance", "symbol": "LTC/USDT", "timeframe": "1s",
        "strategy": {"kind": "grid", "params": {"range_percent": "0.5", "levels": 4}},
        "capital": "1000",
    });
    product.post("/api/bots", grid).await;
    product.kill();

    let mut random = StdRng::seed_from_u64(20_240_808);
    let told = Arc::new(Mutex::new(Told::default()));
    for life in 0..LIVES {
        let before = Before::read(&place);
        let product = Arc::new(place.start("run").await);
        // The third restart in ten minutes begins without entries: a person looks, and goes on.
        product.post("/api/system/entries", json!({})).await;
        verify_goes_on(&product, &place, &before, life).await;
        ask_again(&product, &told, &place).await;
        let customer = tokio::spawn(customer(Arc::clone(&product), Arc::clone(&told)));
        tokio::time::sleep(Duration::from_millis(random.random_range(50..1_800))).await;
        product.signal("KILL");
        customer.await.unwrap();
        let product = Arc::into_inner(product).unwrap();
        product.kill();
        verify(&place, life);
        verify_told(&place, &told.lock().unwrap(), life);
    }
    let trades = column(&place, "SELECT CAST(id AS TEXT) FROM trades");
    assert!(trades.len() > 5, "the fleet traded over the kills: {}", trades.len());
    let product = place.start("run").await;
    product.post("/api/system/entries", json!({})).await;
    listed(&product, "binance", "BTC-USDT").await;
    settle(&product, &place, must_close_orders).await;
    product.end();
    verify(&place, LIVES);
}
