//! What the store costs over a bare loop of inserts: the same rows, the same transactions, the
//! same file system, by turns.

use crate::rig::Rig;
use crate::tape::Tape;
use domain::{DataGrade, Span, StrategyKind, Timeframe};
use engine::{Output, StateRow};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use storage::{Batch, Store, StoreOptions};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rounds of each way; the median counts.
const ROUNDS: usize = 7;
const BOTS: usize = 20;

/// A table that both fill: how its row is found again, and what an upsert changes.
struct Table {
    name: &'static str,
    find: &'static str,
    conflict: &'static str,
    changes: &'static [&'static str],
}

const fn plain(name: &'static str, find: &'static str) -> Table {
    Table { name, find, conflict: "", changes: &[] }
}

const TABLES: [Table; 9] = [
    Table {
        name: "orders",
        find: "id",
        conflict: "id",
        changes: &[
            "limit_price",
            "quantity",
            "filled",
            "average_price",
            "status",
            "reject_code",
            "cancel_reason",
            "updated_at",
        ],
    },
    plain("fills", "id"),
    plain("transfers", "seq"),
    plain("postings", "id"),
    plain("trades", "id"),
    Table {
        name: "wallets",
        find: "currency",
        conflict: "account_id, mode, exchange, currency",
        changes: &["available", "reserved", "total", "at"],
    },
    plain("decisions", "order_id"),
    plain("events", "id"),
    Table { name: "states", find: "key", conflict: "key", changes: &["state"] },
];
const POSTINGS: usize = 3;
const EVENTS: usize = 7;
const STATES: usize = 8;

/// What is stored first by both, and then in one transaction each.
struct Load {
    setup: Batch,
    batches: Vec<Batch>,
}

/// What one round took: by the clock, and of processor time in all threads.
#[derive(Clone, Copy, Default)]
struct Cost {
    elapsed: Duration,
    cpu: Duration,
}

impl Cost {
    fn since(started: Instant, cpu_before: Duration) -> Self {
        Self { elapsed: started.elapsed(), cpu: cpu_time().saturating_sub(cpu_before) }
    }
}

/// Processor time of all threads of this process, ended ones as well, to the system's hundredth.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: user and system time are the 12th and 13th word.
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let hundredths: u64 = words.skip(11).take(2).filter_map(|w| w.parse::<u64>().ok()).sum();
    Duration::from_millis(hundredths * 10)
}

/// A row as its table and cells.
type Row = (usize, Vec<Value>);

pub(crate) fn run(prints: usize) -> Result<()> {
    println!("store: rows of {BOTS} bots that trade, synchronous=FULL, WAL");
    for outputs in [250, 2_000] {
        compare(&load(prints / 250, outputs), outputs)?;
    }
    Ok(())
}

fn compare(load: &Load, outputs: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("amarktai.db");
    through_store(&path, load)?;
    let (plan, statements) = plan(&path, load)?;
    let rows: usize = plan.iter().map(Vec::len).sum();
    let transactions = plan.len();
    println!("  {rows} rows in {transactions} transactions of {outputs} facts and what they drag:");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir()?;
        ours.push(through_store(&dir.path().join("amarktai.db"), load)?);
        let dir = tempfile::tempdir()?;
        let bare_path = dir.path().join("amarktai.db");
        bare.push(through_loop(&bare_path, load, &plan, &statements)?);
        same_rows(&path, &bare_path)?;
    }
    let cpu = |costs: &[Cost]| costs.iter().map(|c| c.cpu).sum::<Duration>().as_secs_f64();
    let (cpu_ours, cpu_bare) = (cpu(&ours), cpu(&bare));
    let rate = |costs: &mut Vec<Cost>| {
        costs.sort_unstable_by_key(|cost| cost.elapsed);
        let of = |cost: Cost| rows as f64 / cost.elapsed.as_secs_f64();
        (of(costs[ROUNDS / 2]), of(costs[ROUNDS - 1]), of(costs[0]))
    };
    let (ours, bare) = (rate(&mut ours), rate(&mut bare));
    println!("    store:     {:.0} rows/s ({:.0} to {:.0})", ours.0, ours.1, ours.2);
    println!("    bare loop: {:.0} rows/s ({:.0} to {:.0})", bare.0, bare.1, bare.2);
    println!("    ratio of medians {:.0} %, target 70 %", ours.0 / bare.0 * 100.0);
    let us = |seconds: f64| seconds * 1e6 / (rows * ROUNDS) as f64;
    println!(
        "    processor time a row: {:.1} us and {:.1} us, {:.0} %",
        us(cpu_ours),
        us(cpu_bare),
        cpu_bare / cpu_ours * 100.0
    );
    Ok(())
}

/// What twenty bots say while they trade, in batches of about so many facts.
fn load(prints: usize, outputs: usize) -> Load {
    let mut rig = Rig::new(1);
    rig.sink.kept = Some(Vec::new());
    let id = rig.market("BTC/USDT", DataGrade::Trades);
    for bot in 0..BOTS {
        let params = format!(r#"{{"fast":{},"slow":{}}}"#, 2 + bot % 4, 5 + bot);
        rig.bot("BTC/USDT", StrategyKind::EmaCross, &params, Timeframe::Trade);
    }
    let setup = take(&mut rig);
    let mut tape = Tape::new(44, Span::from_millis(20));
    let mut batches = Vec::new();
    for _ in 0..prints {
        rig.print(id, &tape.next());
        if rig.sink.kept.as_ref().is_some_and(|kept| kept.len() >= outputs) {
            batches.push(take(&mut rig));
        }
    }
    batches.push(take(&mut rig));
    Load { setup, batches }
}

fn take(rig: &mut Rig) -> Batch {
    let outputs = rig.sink.kept.replace(Vec::new()).unwrap_or_default();
    Batch { outputs, states: rig.engine.take_dirty(), cursors: Vec::new() }
}

fn open(path: &Path, load: &Load) -> Result<Store> {
    let (store, _) = Store::open(path, StoreOptions::default())?;
    store.commit(load.setup.clone())?.wait()?;
    Ok(store)
}

/// Each batch is waited for, so that transactions are as large as the loop's.
fn through_store(path: &Path, load: &Load) -> Result<Cost> {
    let store = open(path, load)?;
    let batches = load.batches.clone();
    let (started, cpu) = (Instant::now(), cpu_time());
    for batch in batches {
        store.commit(batch)?.wait()?;
    }
    let cost = Cost::since(started, cpu);
    store.close()?;
    Ok(cost)
}

fn through_loop(
    path: &Path,
    load: &Load,
    plan: &[Vec<Row>],
    statements: &[String],
) -> Result<Cost> {
    open(path, load)?.close()?;
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
    )?;
    let (started, cpu) = (Instant::now(), cpu_time());
    for transaction in plan {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (table, cells) in transaction {
            let mut statement = connection.prepare_cached(&statements[*table])?;
            for (i, cell) in cells.iter().enumerate() {
                statement.raw_bind_parameter(i + 1, cell)?;
            }
            statement.raw_execute()?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(Cost::since(started, cpu))
}

/// Reads back what the store wrote, in its order. Rows that were written twice (orders, wallets,
/// states) come with their last figures each time: as many cells, about as long.
fn plan(path: &Path, load: &Load) -> Result<(Vec<Vec<Row>>, Vec<String>)> {
    let connection = Connection::open(path)?;
    let mut found = HashMap::new();
    let mut queues = [VecDeque::new(), VecDeque::new()];
    let mut statements = Vec::new();
    for (index, table) in TABLES.iter().enumerate() {
        let mut statement = connection.prepare(&format!("SELECT * FROM {}", table.name))?;
        statements.push(insert(table, &statement.column_names().collect::<Vec<_>>()));
        let at = statement.column_index(table.find)?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let cells = (0..width).map(|i| row.get(i)).collect::<rusqlite::Result<Vec<Value>>>()?;
            match index {
                POSTINGS => queues[0].push_back(cells),
                EVENTS => queues[1].push_back(cells),
                _ => drop(found.insert((index, format!("{:?}", cells[at])), cells)),
            }
        }
    }
    let mut reader = Reader { found, queues };
    reader.transaction(&load.setup)?;
    let plan = load.batches.iter().map(|b| reader.transaction(b)).collect::<Result<_>>()?;
    Ok((plan, statements))
}

fn insert(table: &Table, columns: &[&str]) -> String {
    let marks = vec!["?"; columns.len()].join(", ");
    let mut sql = format!("INSERT INTO {} ({}) VALUES ({marks})", table.name, columns.join(", "));
    if !table.conflict.is_empty() {
        let set: Vec<_> = table.changes.iter().map(|c| format!("{c} = excluded.{c}")).collect();
        sql += &format!(" ON CONFLICT ({}) DO UPDATE SET {}", table.conflict, set.join(", "));
    }
    sql
}

/// Finds the rows of facts again.
struct Reader {
    found: HashMap<(usize, String), Vec<Value>>,
    queues: [VecDeque<Vec<Value>>; 2],
}

impl Reader {
    fn transaction(&mut self, batch: &Batch) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for output in &batch.outputs {
            let id = |id: u64| Value::Integer(id as i64);
            let row = match output {
                Output::Order(o) => Some((0, id(o.id.into()))),
                Output::Fill(f) => Some((1, id(f.id.into()))),
                Output::Transfer(t) => Some((2, id(t.seq))),
                Output::Trade(t) => Some((4, id(t.id.into()))),
                Output::Wallet(w) => Some((5, Value::Text(w.currency.to_string()))),
                Output::Decision(d) => Some((6, id(d.order_id.into()))),
                _ => None,
            };
            if let Some((table, key)) = row {
                rows.push((table, self.find(table, &key)?));
            }
            if let Output::Transfer(transfer) = output {
                for _ in &transfer.postings {
                    rows.push((POSTINGS, self.queues[0].pop_front().ok_or("no posting")?));
                }
            }
            if output.event().is_some() {
                rows.push((EVENTS, self.queues[1].pop_front().ok_or("no event")?));
            }
        }
        let states: BTreeMap<_, _> = batch.states.iter().map(|s: &StateRow| (&s.key, s)).collect();
        for key in states.into_keys() {
            rows.push((STATES, self.find(STATES, &Value::Text(key.clone()))?));
        }
        Ok(rows)
    }

    fn find(&self, table: usize, key: &Value) -> Result<Vec<Value>> {
        let found = self.found.get(&(table, format!("{key:?}")));
        found
            .cloned()
            .ok_or_else(|| format!("{} {key:?} was not stored", TABLES[table].name).into())
    }
}

/// Both files hold as many rows in every table, or the comparison means nothing.
fn same_rows(ours: &Path, bare: &Path) -> Result<()> {
    for table in &TABLES {
        let count = |path: &Path| -> Result<i64> {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            Ok(Connection::open(path)?.query_row(&sql, [], |row| row.get(0))?)
        };
        let (ours, bare) = (count(ours)?, count(bare)?);
        if ours != bare {
            return Err(format!("{}: {ours} rows and {bare} rows", table.name).into());
        }
    }
    Ok(())
}
