//! `data fetch`: candles by REST, page by page, as fast as the exchange allows.

use super::exchange::{connect, listed};
use super::progress::{Progress, bar};
use super::{answer, place};
use crate::cli::Fetch;
use crate::client::{Answer, Failure};
use crate::config::Config;
use crate::core_loop::now;
use backtest::import::{Growing, Place, Stretch, Written};
use domain::{Instrument, Span, Timestamp};
use exchanges::Connector;
use std::time::Duration;

/// Candles of one page: what Binance gives at once.
const PAGE: i64 = 1_000;
/// A page is asked for so often; the connector itself retries three times each.
const TRIES: u32 = 5;

pub(super) async fn fetch(config: &Config, asked: &Fetch) -> Result<Answer, Failure> {
    let Some(span) = asked.timeframe.span() else {
        return Err(Failure::Usage("candles have a length: 1s, 1m, 5m, …".to_owned()));
    };
    let (from, to) = (asked.from.floor(span), asked.to.unwrap_or_else(now).min(now()).floor(span));
    if from >= to {
        return Err(Failure::Usage(format!("--from {from} is not before --to {to}")));
    }
    let (connector, mut deliveries) = connect(config, asked.exchange, None)?;
    let found = listed(asked.exchange, &[asked.symbol], &connector, &mut deliveries).await?;
    // Nobody else reads them, and a full queue would stop the connector.
    let drain = tokio::spawn(async move { while deliveries.recv().await.is_some() {} });
    let job = Job { asked, instrument: &found[0], connector: &connector, span };
    let tapes = place(config);
    let done = tokio::select! {
        done = job.stretches(&tapes, (from, to)) => done,
        () = crate::client::ended() => {
            Err(Failure::could_not("ended before everything was there; the same line goes on"))
        }
    };
    drain.abort();
    done
}

struct Job<'a> {
    asked: &'a Fetch,
    instrument: &'a Instrument,
    connector: &'a Connector,
    span: Span,
}

impl Job<'_> {
    async fn stretches(&self, place: &Place, whole: Stretch) -> Result<Answer, Failure> {
        let failed = |e: backtest::TapeError| Failure::could_not(e.to_string());
        let timeframe = self.asked.timeframe;
        let missing = place.missing(self.instrument, timeframe, whole).map_err(failed)?;
        let origin = format!("fetched from {} by REST", self.asked.exchange);
        let mut written: Vec<Written> = Vec::new();
        for stretch in &missing {
            let mut growing =
                place.grow(self.instrument, timeframe, &origin, *stretch).map_err(failed)?;
            self.pages(&mut growing, *stretch).await?;
            written.extend(growing.publish().map_err(failed)?);
        }
        let mut said = answer(&written);
        said.note = match (missing.is_empty(), written.is_empty()) {
            (true, _) => Some("everything was there already".to_owned()),
            (false, true) => Some("the exchange has no candle of that time".to_owned()),
            _ => None,
        };
        Ok(said)
    }

    async fn pages(&self, growing: &mut Growing, (from, until): Stretch) -> Result<(), Failure> {
        let mut progress = Progress::new();
        let page = Span(self.span.0.saturating_mul(PAGE));
        while !growing.is_complete() {
            let next = growing.next();
            let end = (next + page).min(until);
            progress.say(|| {
                let (done, all) = ((next - from).as_secs(), (until - from).as_secs());
                let what = format!("{} {}", self.instrument.symbol, self.asked.timeframe);
                format!("{what} {} up to {next}", bar(done, all))
            });
            // From the bar before on, so that an interval without a trade knows its price.
            let first = if next > from { next - self.span } else { next };
            let bars = self.page(first, end).await?;
            growing.page(&bars, end).map_err(|e| Failure::could_not(e.to_string()))?;
        }
        progress.end();
        Ok(())
    }

    async fn page(&self, from: Timestamp, end: Timestamp) -> Result<Vec<domain::Bar>, Failure> {
        let exchange = self.asked.exchange;
        for attempt in 1..=TRIES {
            match self.connector.bars(self.instrument, self.asked.timeframe, from, end).await {
                Ok(bars) => return Ok(bars),
                Err(exchanges::ExchangeError::RateLimited(wait)) => {
                    eprintln!("{exchange} asks to wait {} s", wait.as_secs());
                    tokio::time::sleep(wait).await;
                }
                Err(error) if attempt == TRIES || !error.is_transient() => {
                    let why = format!("{exchange}: {error}; the same line goes on from here");
                    return Err(Failure::could_not(why));
                }
                Err(error) => {
                    eprintln!("{exchange}: {error}; trying again");
                    tokio::time::sleep(Duration::from_secs(u64::from(attempt))).await;
                }
            }
        }
        Err(Failure::could_not(format!("{exchange} lets us wait; the same line goes on from here")))
    }
}
