//! A plain client of the sandbox that writes down what its market shows, to hold fills against.

use crate::harness::{PATIENCE, client, until};
use domain::{Amount, Timestamp};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

/// Between two looks of 30 weight each: the exchange gives an address 6,000 a minute, and the program
/// under test has the same address. The last 1,000 prints fill what lies between.
const LOOK: Duration = Duration::from_millis(1_000);
/// A fill is held against what was shown this long before and after it.
const AROUND_NS: i64 = 3_000_000_000;

/// One look at a market's REST side, where no fault of the streams reaches.
#[derive(Clone, Debug)]
struct Look {
    at: i64,
    bids: Vec<Amount>,
    asks: Vec<Amount>,
    prints: Vec<Amount>,
}

/// See the module.
pub(crate) struct Witness {
    looks: Arc<Mutex<Vec<Look>>>,
    task: JoinHandle<()>,
}

fn prices(rows: &Value, price: impl Fn(&Value) -> &Value) -> Vec<Amount> {
    let rows = rows.as_array().into_iter().flatten();
    rows.filter_map(|row| price(row).as_str()?.parse().ok()).collect()
}

impl Witness {
    /// Watches a symbol of the Binance server.
    pub(crate) fn watch(rest_url: String, native: &'static str) -> Self {
        let looks = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&looks);
        let task = tokio::spawn(async move {
            let client = client();
            loop {
                let depth = format!("{rest_url}/api/v3/depth?symbol={native}&limit=20");
                let trades = format!("{rest_url}/api/v3/trades?symbol={native}&limit=1000");
                let get = async |url: String| {
                    client.get(url).send().await.ok()?.json::<Value>().await.ok()
                };
                if let (Some(depth), Some(trades)) = (get(depth).await, get(trades).await) {
                    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                    seen.lock().unwrap().push(Look {
                        at: since.unwrap().as_nanos() as i64,
                        bids: prices(&depth["bids"], |row| &row[0]),
                        asks: prices(&depth["asks"], |row| &row[0]),
                        prints: prices(&trades, |row| &row["price"]),
                    });
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { looks, task }
    }

    /// Every fill lies in the shown book and is no better than what was shown.
    pub(crate) async fn judge(&self, fills: &[Value]) {
        // What was shown just after the last fill is part of it.
        let seen = self.looks.lock().unwrap().len();
        until("two more looks", PATIENCE, || async {
            (self.looks.lock().unwrap().len() >= seen + 2).then_some(())
        })
        .await;
        let looks = self.looks.lock().unwrap();
        for fill in fills {
            let at: Timestamp = serde_json::from_value(fill["at"].clone()).unwrap();
            let price: Amount = fill["price"].as_str().unwrap().parse().unwrap();
            let near = looks.iter().filter(|l| (l.at - at.0).abs() < AROUND_NS);
            let near: Vec<&Look> = near.collect();
            assert!(near.iter().any(|l| !l.bids.is_empty()), "nobody watched at {at}");
            let all = |side: fn(&Look) -> &Vec<Amount>| near.iter().flat_map(move |l| side(l));
            let lowest = all(|l| &l.bids).chain(all(|l| &l.prints)).min().unwrap();
            let highest = all(|l| &l.asks).chain(all(|l| &l.prints)).max().unwrap();
            assert!((lowest..=highest).contains(&&price), "invented: {fill}");
            let is_better = if fill["side"] == "buy" {
                price < *all(|l| &l.asks).chain(all(|l| &l.prints)).min().unwrap()
            } else {
                price > *all(|l| &l.bids).chain(all(|l| &l.prints)).max().unwrap()
            };
            assert!(!is_better, "better than the market: {fill}");
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}
