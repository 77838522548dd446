//! Replaying recorded streams over real sockets.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod common;

use common::{Client, get_json, number, sandbox_with};
use domain::Exchange;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sandbox::SandboxConfig;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

const SMALL: &str = r#"1000000000000000000 {"lastUpdateId":100,"bids":[["100.10000000","1.50000000"]],"asks":[["100.20000000","2.00000000"]]}
1000000000050000000 {"stream":"btcusdt@bookTicker","data":{"u":101,"s":"BTCUSDT","b":"100.10000000","B":"1.00000000","a":"100.20000000","A":"2.00000000"}}
1000000000060000000 {"stream":"btcusdt@trade","data":{"e":"trade","E":1000000000061,"s":"BTCUSDT","t":7,"p":"100.10000000","q":"0.50000000","T":1000000000060,"m":true,"M":true}}
1000000000100000000 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1000000000101,"s":"BTCUSDT","U":101,"u":103,"b":[["100.10000000","1.00000000"],["100.00000000","3.00000000"]],"a":[]}}
1000000000200000000 {"stream":"btcusdt@trade","data":{"e":"trade","E":1000000000201,"s":"BTCUSDT","t":8,"p":"100.20000000","q":"0.30000000","T":1000000000200,"m":false,"M":true}}
"#;

fn write(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("small.raw.gz");
    let mut gz = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
    path
}

async fn refusal(path: PathBuf) -> String {
    let config = SandboxConfig { tape: Some(path), ..SandboxConfig::default() };
    sandbox::start(config).await.err().expect("refused").to_string()
}

#[tokio::test]
async fn broken_tapes_are_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = refusal(folder.path().join("none.raw.gz")).await;
    assert!(missing.contains("none.raw.gz"), "{missing}");
    let garbage = write(folder.path(), &format!("{SMALL}17 what\n"));
    let text = refusal(garbage.clone()).await;
    assert!(text.contains("small.raw.gz: line 6"), "{text}");
    let whole = write(folder.path(), SMALL);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&whole, &bytes[..bytes.len() - 9]).unwrap();
    let text = refusal(whole).await;
    assert!(text.contains("small.raw.gz: after line"), "{text}");
    let no_snapshot: String = SMALL.lines().skip(1).map(|l| format!("{l}\n")).collect();
    let text = refusal(write(folder.path(), &no_snapshot)).await;
    assert!(text.contains("snapshot"), "{text}");
}

/// Ids and times never go back, and the bridge event keeps the update ids contiguous.
#[tokio::test]
async fn a_looped_tape_goes_on_without_going_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), SMALL);
    let sandbox = sandbox_with(|c| (c.tape, c.looped, c.speed) = (Some(path), true, 5.0)).await;
    let urls = sandbox.urls(Exchange::Binance);
    let streams = "btcusdt@depth@100ms/btcusdt@trade";
    let mut client = Client::open(&format!("{}/stream?streams={streams}", urls.stream_url)).await;
    let (mut updates, mut trades, mut event) = (None, None, 0);
    for _ in 0..40 {
        let message = client.json().await;
        let data = &message["data"];
        if data["e"] == "trade" {
            let id = data["t"].as_i64().unwrap();
            assert!(trades.is_none_or(|last| id == last + 1), "dense over rounds");
            trades = Some(id);
        } else {
            let first = data["U"].as_u64().unwrap();
            assert!(updates.is_none_or(|last| first == last + 1), "contiguous over rounds");
            updates = data["u"].as_u64();
            let at = data["E"].as_i64().unwrap();
            assert!(at >= event);
            event = at;
        }
    }
}

#[tokio::test]
async fn the_taped_symbol_has_the_tapes_ticks_and_book() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), SMALL);
    let sandbox = sandbox_with(|c| (c.tape, c.speed) = (Some(path), 0.001)).await;
    let rest = sandbox.urls(Exchange::Binance).rest_url;
    let info = get_json(&format!("{rest}/api/v3/exchangeInfo?symbol=BTCUSDT")).await;
    assert_eq!(info["symbols"][0]["filters"][0]["tickSize"], "0.10000000");
    let depth = get_json(&format!("{rest}/api/v3/depth?symbol=BTCUSDT")).await;
    assert_eq!(depth["lastUpdateId"], 100);
    assert_eq!(depth["bids"][0][0], "100.10000000");
    let other = get_json(&format!("{rest}/api/v3/ticker/price?symbol=ETHUSDT")).await;
    assert!(number(&other["price"]) > 1_000.0, "the other symbols go on");
}

fn recording() -> Option<PathBuf> {
    let shared = std::env::var_os("AMARKTAI_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("data/binance_spot_btcusdt_20240808.raw.gz");
    path.exists().then_some(path)
}

/// The first prints of the recording, as text.
fn recorded(path: &Path, count: usize) -> Vec<(i64, Value, Value)> {
    let file = BufReader::new(MultiGzDecoder::new(std::fs::File::open(path).unwrap()));
    let lines = file.lines().map(|l| l.unwrap());
    let messages = lines.map(|l| {
        serde_json::from_str::<Value>(l.split_once(' ').expect("a time and a message").1).unwrap()
    });
    messages
        .filter(|m| m["stream"] == "btcusdt@trade")
        .take(count)
        .map(|m| (m["data"]["t"].as_i64().unwrap(), m["data"]["p"].clone(), m["data"]["q"].clone()))
        .collect()
}

#[tokio::test]
async fn a_recording_comes_over_the_socket_as_it_was() {
    let Some(path) = recording() else {
        println!("SKIPPED: no recorded data beside the workspace (set AMARKTAI_SHARED)");
        return;
    };
    let expected = recorded(&path, 3_000);
    let sandbox = sandbox_with(|c| (c.tape, c.speed) = (Some(path), 20.0)).await;
    let url = format!("{}/ws/btcusdt@trade", sandbox.urls(Exchange::Binance).stream_url);
    let mut client = Client::open(&url).await;
    let mut compared = 0;
    let mut at = None;
    while compared < 1_000 {
        let trade = client.json().await;
        let id = trade["t"].as_i64().unwrap();
        let here = at.unwrap_or_else(|| expected.iter().position(|e| e.0 == id).unwrap());
        assert_eq!((id, &trade["p"], &trade["q"]), {
            let (id, price, size) = &expected[here];
            (*id, price, size)
        });
        at = Some(here + 1);
        compared += 1;
    }
}
