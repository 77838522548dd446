//! The verbs of recorded data through the built binary, with local exchange servers.
#![allow(clippy::unwrap_used)] // the rule knows no support code of tests

use backtest::Source;
use backtest::tape::{Said, open, segments};
use domain::MarketEvent;
use sandbox::{Sandbox, SandboxConfig};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A machine as busy as it gets is given this long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Desk {
    dir: tempfile::TempDir,
    _sandbox: Option<Sandbox>,
}

impl Desk {
    fn alone() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), _sandbox: None }
    }

    async fn with_sandbox(config: SandboxConfig) -> Self {
        let sandbox = sandbox::start(config).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for (exchange, urls) in domain::Exchange::ALL.iter().zip(&sandbox.addresses().exchanges) {
            let (rest, stream) = (&urls.rest_url, &urls.stream_url);
            text += &format!(
                "[exchanges.{exchange}]\nrest_url = \"{rest}\"\nstream_url = \"{stream}\"\n"
            );
        }
        std::fs::write(dir.path().join("amarktai.toml"), text).unwrap();
        Self { dir, _sandbox: Some(sandbox) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amarktai"));
        command.current_dir(self.dir.path()).env_clear().args(line.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, line: &str) -> Output {
        let mut command = self.command(line);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn done(&self, line: &str) -> String {
        let output = self.run(line).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.done(line).await).unwrap()
    }

    async fn failed(&self, line: &str, code: i32) -> String {
        let output = self.run(line).await;
        assert_eq!(output.status.code(), Some(code), "{line}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// Waits for what has to come.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Events of a recording that has perhaps only begun.
fn prints(dir: &Path) -> Vec<domain::Print> {
    let mut prints = Vec::new();
    let Ok(mut tape) = open(dir) else { return prints };
    while let Ok(Some(event)) = tape.next() {
        if let MarketEvent::Print(print) = event.event {
            prints.push(print);
        }
    }
    prints
}

/// When the last event of a recording was received.
fn last(dir: &Path) -> domain::Timestamp {
    let mut tape = open(dir).unwrap();
    let mut last = domain::Timestamp::EPOCH;
    while let Some(event) = tape.next().unwrap() {
        last = event.at;
    }
    last
}

/// Ids of the prints of each market, in order.
fn ids(dir: &Path) -> BTreeMap<usize, Vec<u64>> {
    let mut ids: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let mut tape = open(dir).unwrap();
    while let Some(event) = tape.next().unwrap() {
        if let MarketEvent::Print(print) = event.event {
            ids.entry(event.instrument).or_default().push(print.id);
        }
    }
    ids.values_mut().for_each(|ids| ids.sort_unstable());
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_in_looked_at_and_handed_out() {
    let desk = Desk::alone();
    let rows = |n: std::ops::Range<i64>| -> String {
        n.map(|i| format!("{},10.5,11,10,10.75,{i}\n", 1_609_459_200_000 + i * 60_000)).collect()
    };
    std::fs::write(desk.path("a.csv"), format!("{}{}", rows(0..50), rows(55..60))).unwrap();
    let line = "data import --exchange binance --symbol BTC/USDT a.csv";
    let said = desk.done(line).await;
    assert!(said.contains("55 rows") && said.contains("(5 missing)"), "{said}");
    let info = desk.json("data info --json").await;
    assert_eq!(info[0]["rows"], 55);
    assert_eq!(info[0]["gap_count"], 1);
    assert_eq!(info[0]["grade"], "bars");
    assert_eq!(info[0]["from"], "2021-01-01T00:00:00.000000Z");
    let tape = info[0]["path"].as_str().unwrap();
    let exported = desk.json(&format!("data export {tape} --out b.csv --json")).await;
    assert_eq!(exported["rows"], 55);
    let text = std::fs::read_to_string(desk.path("b.csv")).unwrap();
    assert_eq!(text.lines().nth(1), Some("1609459200000,10.5,11,10,10.75,0"));
    desk.done(&format!("data export {tape} --out b.parquet")).await;
    assert!(std::fs::read(desk.path("b.parquet")).unwrap().starts_with(b"PAR1"));
    assert!(desk.failed(&format!("data export {tape} --out b.csv"), 1).await.contains("b.csv"));
    assert!(desk.failed(line, 1).await.contains("--replace"));
    std::fs::write(desk.path("bad.csv"), format!("{}x,,,,,\n", rows(0..3))).unwrap();
    let said = desk.failed("data import --exchange binance --symbol BTC/USDT bad.csv", 1).await;
    assert!(said.contains("bad.csv:4: ") && said.contains("nothing was imported"), "{said}");
    assert!(desk.failed("data import a.csv", 2).await.contains("--symbol"));
}

#[tokio::test(flavor = "multi_thread")]
async fn candles_are_fetched_and_a_killed_download_goes_on() {
    let history = Duration::from_secs(6 * 86_400);
    let desk = Desk::with_sandbox(SandboxConfig { history, ..SandboxConfig::default() }).await;
    let now = i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos(),
    )
    .unwrap();
    let at = |hours_ago: i64| {
        let hour = domain::Span::from_secs(3_600);
        domain::Timestamp(now - hours_ago * hour.0).floor(hour)
    };
    let line = |from: i64, to: i64| {
        format!("data fetch binance BTC/USDT 1m --from {} --to {} --json", at(from), at(to))
    };
    let first = desk.json(&line(6, 4)).await;
    assert_eq!((&first[0]["rows"], &first[0]["gaps"]), (&120.into(), &Value::Array(vec![])));
    // Only what is missing around it is asked for.
    let more = desk.json(&line(8, 2)).await;
    let rows: Vec<_> = more.as_array().unwrap().iter().map(|w| w["rows"].clone()).collect();
    assert_eq!(rows, [120, 120]);
    assert_eq!(desk.json(&line(8, 2)).await, Value::Array(vec![]));
    // Eight pages of another symbol; the kill comes before, in or after one of them.
    let long = format!("data fetch binance ETH/USDT 1m --from {} --to {} --json", at(124), at(4));
    let mut child = desk.command(&long).spawn().unwrap();
    let dir = desk.path("amarktai-data/tapes/binance/ETH-USDT/1m");
    let begun = || std::fs::read_dir(&dir).is_ok_and(|mut d| d.next().is_some());
    until("the download begins", || begun() || child.try_wait().unwrap().is_some()).await;
    let _ = child.kill();
    child.wait().unwrap();
    let done = desk.run(&long).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let info = desk.json("data info --json").await;
    let is_ether = |i: &&Value| i["markets"][0] == "binance:ETH/USDT";
    let fetched = info.as_array().unwrap().iter().find(is_ether).unwrap();
    assert_eq!((&fetched["rows"], &fetched["gap_count"]), (&7_200.into(), &0.into()));
    assert!(
        desk.failed("data fetch binance ABC/XYZ 1m --from 2024-01-01", 1).await.contains("list")
    );
    for exchange in ["kucoin", "luno"] {
        let symbol = if exchange == "luno" { "BTC/ZAR" } else { "BTC/USDT" };
        let line = format!("data fetch {exchange} {symbol} 1m --from {} --to {}", at(2), at(1));
        let output = desk.run(&line).await;
        // Without a key Luno has no candles, and says what would help.
        assert_eq!(output.status.success(), exchange == "kucoin", "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_outlives_a_kill_and_its_candles_are_those_of_the_exchange() {
    let desk = Desk::with_sandbox(SandboxConfig::default()).await;
    let line = "record --exchange binance --symbol BTC/USDT --symbol ETH/USDT --out tape";
    let dir = desk.path("tape");
    let mut child = desk.command(line).spawn().unwrap();
    until("trades are recorded", || prints(&dir).len() > 50).await;
    signal(&child, "-KILL");
    child.wait().unwrap();
    let (kept, killed_at) = (prints(&dir).len(), last(&dir));
    let child = desk.command(line).spawn().unwrap();
    // Bars of a second need some seconds, by the exchange's clock.
    let span = domain::Span::from_secs(6);
    let lasted = |seen: &[domain::Print]| {
        let ends = seen.get(kept).zip(seen.last());
        ends.is_some_and(|(first, last)| last.at - first.at > span)
    };
    until("some seconds are recorded", || lasted(&prints(&dir))).await;
    signal(&child, "-TERM");
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let ended = ended.await.unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("is asked for"), "{said}");
    // Ids of one market rise by one: what was traded while nobody recorded was fetched.
    let ids = ids(&dir);
    assert_eq!(ids.len(), 2);
    for ids in ids.values() {
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "prints are missing: {ids:?}");
    }

    let info = &desk.json("data info tape --json").await[0];
    assert_eq!(info["cuts"], Value::Array(vec![]), "{info:#}");
    assert_eq!(info["grade"], "l2_trades");
    // Of quotes nothing is known from the last one before the kill on, in either market.
    let gaps = info["gaps"].as_array().unwrap();
    let of_kill = gaps.iter().filter(|gap| gap["from"] == killed_at.to_string());
    assert_eq!(of_kill.count(), 2, "{killed_at} {info:#}");
    assert!(info["books"].as_u64().unwrap() > 0 && info["touches"].as_u64().unwrap() > 0);
    assert!(frames(&dir) > 200, "{}", frames(&dir));

    let trades = "data export tape --symbol BTC/USDT --rows bars --timeframe 1s --out bars.csv";
    desk.done(trades).await;
    let ours = rows(&desk.path("bars.csv"));
    assert!(ours.len() > 3, "{ours:?}");
    let (from, to) = (ours.keys().next().unwrap(), ours.keys().last().unwrap() + 1_000);
    let at = |ms: i64| domain::Timestamp(ms * 1_000_000);
    let line =
        format!("data fetch binance BTC/USDT 1s --from {} --to {} --json", at(*from), at(to));
    let fetched = desk.json(&line).await;
    let path = fetched[0]["path"].as_str().unwrap();
    desk.done(&format!("data export {path} --out theirs.csv")).await;
    let theirs = rows(&desk.path("theirs.csv"));
    for (at, bar) in &ours {
        assert_eq!(Some(bar), theirs.get(at), "at {at}");
    }
}

/// Candles by their start.
fn rows(path: &Path) -> BTreeMap<i64, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let split = |line: &str| {
        let (at, rest) = line.split_once(',').unwrap();
        (at.parse().unwrap(), rest.to_owned())
    };
    text.lines().skip(1).map(split).collect()
}

fn frames(dir: &Path) -> usize {
    let mut count = 0;
    for path in segments(dir).unwrap() {
        let mut reader = backtest::tape::Reader::open(&path).unwrap();
        while let Some(said) = reader.next_block().unwrap() {
            if let Said::Heard(notes) = said {
                count += notes.len();
            }
        }
    }
    count
}
