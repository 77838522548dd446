//! A recorded market through the whole way: sandbox, connector, engine.

use crate::harness::{PATIENCE, Place, until};
use crate::market::{config, create, eager, fund, listed, start};
use domain::Amount;
use flate2::read::MultiGzDecoder;
use sandbox::SandboxConfig;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

const TAPE: &str = "data/binance_spot_btcusdt_20240808.raw.gz";
/// Enough fills to say something, and few enough for a test.
const FILLS: usize = 10;

fn tape() -> Option<PathBuf> {
    let named = std::env::var_os("AMARKTAI_SHARED").map(PathBuf::from);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    Some(named.unwrap_or(shared).join(TAPE)).filter(|path| path.is_file())
}

/// The lowest bid or print and the highest ask or print that the recording shows.
fn range(tape: &Path) -> (Amount, Amount) {
    let (mut low, mut high) = (None::<Amount>, None::<Amount>);
    let mut note = |price: &Value| {
        let Some(price) = price.as_str().and_then(|p| p.parse::<Amount>().ok()) else { return };
        low = Some(low.map_or(price, |l| l.min(price)));
        high = Some(high.map_or(price, |h| h.max(price)));
    };
    let lines = BufReader::new(MultiGzDecoder::new(File::open(tape).unwrap())).lines();
    for line in lines.map_while(Result::ok) {
        let Some((_, json)) = line.split_once(' ') else { continue };
        let message: Value = serde_json::from_str(json).unwrap();
        let stream = message["stream"].as_str().unwrap_or("");
        if stream.ends_with("@bookTicker") {
            note(&message["data"]["b"]);
            note(&message["data"]["a"]);
        } else if stream.ends_with("@trade") {
            note(&message["data"]["p"]);
        }
    }
    (low.unwrap(), high.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fills_on_a_recorded_market_lie_within_what_it_showed() {
    let Some(tape) = tape() else {
        eprintln!("SKIPPED: {TAPE} is in no ../shared and AMARKTAI_SHARED names no other place");
        return;
    };
    let (low, high) = range(&tape);
    let recorded = SandboxConfig { tape: Some(tape), looped: true, ..SandboxConfig::default() };
    let sandbox = start(recorded).await;
    let place = Place::new(config(&sandbox));
    let product = place.start("run").await;
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    let bot = create(&product, eager("player", "binance", "BTC/USDT")).await;
    let path = format!("/api/bots/{bot}/fills?limit=500");
    let fills = until("fills on the tape", PATIENCE, || async {
        let fills = product.get(&path).await["items"].as_array().unwrap().clone();
        (fills.len() >= FILLS).then_some(fills)
    })
    .await;
    for fill in &fills {
        let price: Amount = fill["price"].as_str().unwrap().parse().unwrap();
        assert!((low..=high).contains(&price), "{fill} is outside {low} to {high}");
    }
    product.end();
}
