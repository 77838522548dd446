//! Candles of the last days for a study that is asked for over HTTP.
//!
//! They come by the connectors that are at work: a second one would not know what of the exchange's
//! limits the first has used. What was fetched once lies in the folder of the data, so the next
//! study of that market fetches only what came since.

use crate::core_loop::{Catalogue, now};
use crate::feeds::FeedsStatus;
use backtest::Plan;
use backtest::import::{Growing, Place, Stretch};
use domain::{Bar, Exchange, Instrument, Span, Symbol, Timeframe, Timestamp};
use exchanges::{Connector, ExchangeError};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// The field of a plan that asks for it, in place of files.
const FIELD: &str = "last_days";
/// A year of minutes is half a million candles, a quarter of an hour of one exchange's limit.
const DAYS_MAX: u64 = 365;
/// Candles of one page: what Binance gives at once.
const PAGE: i64 = 1_000;
/// A page is asked for so often; the connector itself retries three times each.
const TRIES: u32 = 5;
/// A person looks at the progress: an exchange that sends us away for longer is given up.
const WAIT_MAX: Duration = Duration::from_secs(120);
const CANCELLED: &str = "cancelled";

/// Takes the wish out of a plan, which then is one that names files.
pub(super) fn taken(plan: &mut Value) -> Result<Option<u32>, String> {
    let Some(days) = plan.as_object_mut().and_then(|fields| fields.remove(FIELD)) else {
        return Ok(None);
    };
    let wrong = || format!("{FIELD}: a whole number of 1 to {DAYS_MAX}");
    let days = match days {
        Value::Null => return Ok(None),
        days => days.as_u64().filter(|d| (1..=DAYS_MAX).contains(d)).ok_or_else(wrong)?,
    };
    let data = plan.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten();
    for market in data.filter_map(Value::as_object_mut) {
        let files = market.entry("files").or_insert_with(|| Value::Array(Vec::new()));
        if files.as_array().is_some_and(|files| !files.is_empty()) {
            return Err(format!("{FIELD}: leave out the files, or leave out {FIELD}"));
        }
        // A name of its own kind for the checks of a plan; the fetched folder takes its place.
        *files = Value::Array(vec![FIELD.into()]);
    }
    Ok(Some(days as u32))
}

/// The finest candles that serve these bots and can be had for months.
fn timeframe(plan: &Plan) -> Result<Timeframe, String> {
    let minute = Span::from_secs(60);
    // Bars of single prints have no span; a bot that names none takes its strategy's, of minutes.
    let span = |timeframe: Timeframe| timeframe.span().unwrap_or_default();
    let spans = plan.bots.iter().map(|bot| bot.timeframe.map_or(minute, span));
    match spans.min() {
        Some(span) if span >= Span::from_secs(3_600) => Ok(Timeframe::M5),
        Some(span) if span >= minute => Ok(Timeframe::M1),
        _ => {
            Err("exchanges keep no candles below a minute for days: choose bars of 1m or longer, \
                  or name files"
                .to_owned())
        }
    }
}

/// See the module.
pub(super) struct Gatherer {
    pub(super) feeds: Arc<FeedsStatus>,
    pub(super) catalogue: Catalogue,
    pub(super) root: PathBuf,
}

impl Gatherer {
    /// Fetches what the plan's markets lack of the last `days` and names it as their files; blocks.
    /// `told` hears how far it is, from 0 to 1, and says whether to go on.
    pub(super) fn fill(
        &self,
        plan: &mut Plan,
        days: u32,
        told: &mut dyn FnMut(f64) -> bool,
    ) -> Result<(), String> {
        let timeframe = timeframe(plan)?;
        let span = timeframe.span().ok_or("such bars have no span")?;
        let until = now().floor(span);
        let from = until - Span::from_secs(i64::from(days) * 86_400);
        let markets = plan.data.len().max(1) as f64;
        for (at, data) in plan.data.iter_mut().enumerate() {
            let mut part = |done: f64| told((at as f64 + done) / markets);
            let series = self.series(data.exchange, data.symbol, timeframe, (from, until));
            data.files = series.fetched(&self.root, span, &mut part)?;
        }
        plan.from = plan.from.or(Some(from));
        Ok(())
    }

    fn series(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        timeframe: Timeframe,
        whole: Stretch,
    ) -> Series {
        let listed = self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        let instrument = listed.get(&(exchange, symbol)).cloned();
        let connector = self.feeds.connector(exchange);
        Series { exchange, symbol, instrument, connector, timeframe, whole }
    }
}

struct Series {
    exchange: Exchange,
    symbol: Symbol,
    instrument: Option<Instrument>,
    connector: Option<Arc<Connector>>,
    timeframe: Timeframe,
    whole: Stretch,
}

impl Series {
    /// The files of the candles, below the root, by time.
    fn fetched(
        &self,
        root: &Path,
        span: Span,
        told: &mut dyn FnMut(f64) -> bool,
    ) -> Result<Vec<PathBuf>, String> {
        let Self { exchange, symbol, timeframe, .. } = self;
        let connector = self.connector.as_deref().ok_or_else(|| format!("{exchange} is off"))?;
        let unlisted = || format!("{exchange} does not list {symbol}");
        let instrument = self.instrument.as_ref().ok_or_else(unlisted)?;
        let place = Place { root: root.to_owned() };
        let failed = |e: backtest::TapeError| e.to_string();
        let origin = format!("fetched from {exchange} by REST");
        for stretch in place.missing(instrument, *timeframe, self.whole).map_err(failed)? {
            let mut growing =
                place.grow(instrument, *timeframe, &origin, stretch).map_err(failed)?;
            self.pages((connector, instrument), &mut growing, (stretch, span), told)?;
            growing.publish().map_err(failed)?;
        }
        let pair = format!("{}-{}", symbol.base, symbol.quote);
        let folder = Path::new(exchange.name()).join(pair).join(timeframe.name());
        let files = tapes(root, &folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        match files.is_empty() {
            true => Err(format!("{exchange} has no candle of {symbol} in that time")),
            false => Ok(files),
        }
    }

    fn pages(
        &self,
        of: (&Connector, &Instrument),
        growing: &mut Growing,
        ((from, until), span): (Stretch, Span),
        told: &mut dyn FnMut(f64) -> bool,
    ) -> Result<(), String> {
        let page = Span(span.0.saturating_mul(PAGE));
        while !growing.is_complete() {
            let next = growing.next();
            let done = (next - from).0 as f64 / (until - from).0.max(1) as f64;
            if !told(done) {
                return Err(CANCELLED.to_owned());
            }
            let end = (next + page).min(until);
            // From the bar before on, so that an interval without a trade knows its price.
            let first = if next > from { next - span } else { next };
            let bars = Handle::current().block_on(self.page(of, first, end))?;
            growing.page(&bars, end).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    async fn page(
        &self,
        (connector, instrument): (&Connector, &Instrument),
        from: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Bar>, String> {
        let mut last = String::new();
        for attempt in 1..=TRIES {
            let wait = match connector.bars(instrument, self.timeframe, from, end).await {
                Ok(bars) => return Ok(bars),
                Err(ExchangeError::RateLimited(wait)) if wait > WAIT_MAX => {
                    return Err(format!("{} lets us wait {} s", self.exchange, wait.as_secs()));
                }
                Err(ExchangeError::RateLimited(wait)) => wait,
                Err(error) if !error.is_transient() => {
                    return Err(format!("{}: {error}", self.exchange));
                }
                Err(error) => {
                    last = error.to_string();
                    Duration::from_secs(u64::from(attempt))
                }
            };
            tokio::time::sleep(wait).await;
        }
        Err(format!("{} does not answer: {last}; ask again, it goes on from here", self.exchange))
    }
}

/// Tapes of a folder; their names are their times.
fn tapes(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in root.join(folder).read_dir()? {
        let name = PathBuf::from(file?.file_name());
        if name.extension().is_some_and(|kind| kind == "tape") {
            files.push(folder.join(name));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(files: Value, days: Value) -> Value {
        let data = json!([{ "exchange": "binance", "symbol": "BTC/USDT", "files": files }]);
        json!({ "data": data, "bots": [], "last_days": days })
    }

    #[test]
    fn days_in_place_of_files_are_taken_out_and_both_are_refused() {
        let mut asked = plan(json!([]), json!(90));
        assert_eq!(taken(&mut asked), Ok(Some(90)));
        assert_eq!(asked.get("last_days"), None);
        serde_json::from_value::<Plan>(asked).unwrap();
        let mut named = plan(json!(["a.csv"]), Value::Null);
        assert_eq!(taken(&mut named), Ok(None));
        assert!(taken(&mut plan(json!(["a.csv"]), json!(90))).is_err());
        for wrong in [json!(0), json!(366), json!("90"), json!(1.5)] {
            assert!(taken(&mut plan(json!([]), wrong)).unwrap_err().starts_with("last_days"));
        }
    }

    #[test]
    fn candles_are_as_fine_as_serves_the_shortest_bars() {
        let of = |timeframes: &[&str]| {
            let bot = |timeframe: &&str| {
                json!({
                    "name": "one", "exchange": "binance", "symbol": "BTC/USDT",
                    "strategy": { "kind": "ema_cross" }, "capital": "1", "timeframe": timeframe,
                })
            };
            let bots: Vec<Value> = timeframes.iter().map(bot).collect();
            timeframe(&serde_json::from_value(json!({ "bots": bots })).unwrap())
        };
        assert_eq!(of(&["4h", "1h"]), Ok(Timeframe::M5));
        assert_eq!(of(&["4h", "1m"]), Ok(Timeframe::M1));
        assert!(of(&["4h", "15s"]).is_err());
    }
}
