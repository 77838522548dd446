//! Looks every few seconds whether a wanted instrument is still traded by the same rules: the whole
//! list is megabytes and comes once an hour, but a halt must stop entries now. Luno's tickers and
//! stream tell of it by themselves.

use crate::binance::{self, encoded};
use crate::codec::InstrumentList;
use crate::error::ExchangeError;
use crate::kucoin;
use crate::shard::Shared;
use domain::{Exchange, Instrument, InstrumentStatus};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Instruments asked for at once: on Binance in one call of weight 20, whatever their number; on
/// KuCoin with a call of weight 4 each.
const fn at_once(exchange: Exchange) -> usize {
    match exchange {
        Exchange::Binance => 50,
        Exchange::Kucoin | Exchange::Luno => 4,
    }
}

/// Where single instruments are refused, the whole list is asked for at this distance.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// Works as long as the connector does.
pub(crate) async fn watch(shared: &Shared) {
    let mut turn = 0;
    // What was told already: a difference that a reload did not settle is not told again.
    let mut told: BTreeMap<String, Instrument> = BTreeMap::new();
    loop {
        tokio::time::sleep(shared.config.timings.status_every).await;
        let wanted = due(shared, &mut turn);
        if wanted.is_empty() || shared.stats.fatal_reason().is_some() {
            continue;
        }
        match look(shared, &wanted).await {
            Ok(list) => {
                shared.stats.asked(None);
                if has_news(&wanted, list, &mut told) {
                    shared.reload.notify_one();
                }
            }
            Err(ExchangeError::Refused { .. }) => {
                shared.reload.notify_one();
                tokio::time::sleep(LIST_EVERY).await;
            }
            // It is asked again anyway; prices have their own judgement.
            Err(error) => shared.stats.asked(Some(error.to_string())),
        }
    }
}

/// The instruments whose turn it is.
fn due(shared: &Shared, turn: &mut usize) -> Vec<Arc<Instrument>> {
    let all: Vec<_> = {
        let wanted = shared.wanted();
        let listed = wanted.values().map(|w| Arc::clone(&w.instrument));
        listed.filter(|i| i.status != InstrumentStatus::Delisted).collect()
    };
    let count = at_once(shared.config.exchange).min(all.len());
    let some = (0..count).map(|i| Arc::clone(&all[(*turn + i) % all.len()])).collect();
    *turn = (*turn + count).checked_rem(all.len()).unwrap_or_default();
    some
}

/// Asks, and says so where the answer is late: retries and ordered waits may take minutes.
async fn look(
    shared: &Shared,
    wanted: &[Arc<Instrument>],
) -> Result<InstrumentList, ExchangeError> {
    let late = shared.config.timings.look_late;
    let mut answer = std::pin::pin!(fetch(shared, wanted));
    if let Ok(in_time) = tokio::time::timeout(late, answer.as_mut()).await {
        return in_time;
    }
    let why = match shared.rest.blocked() {
        Some(wait) => ExchangeError::RateLimited(wait).to_string(),
        None => format!("none within {} ms", late.as_millis()),
    };
    shared.stats.asked(Some(why));
    answer.await
}

async fn fetch(
    shared: &Shared,
    wanted: &[Arc<Instrument>],
) -> Result<InstrumentList, ExchangeError> {
    match shared.config.exchange {
        Exchange::Binance => {
            let names: Vec<_> = wanted.iter().map(|i| format!("\"{}\"", i.native)).collect();
            binance::instruments_of(shared, &encoded(&format!("[{}]", names.join(",")))).await
        }
        Exchange::Kucoin => {
            let mut all = InstrumentList::default();
            for one in wanted {
                let list = kucoin::instrument_of(shared, &encoded(&one.native)).await?;
                all.instruments.extend(list.instruments);
            }
            Ok(all)
        }
        Exchange::Luno => Ok(InstrumentList::default()),
    }
}

/// Is one of them not what it was, and not what was told of it already?
fn has_news(
    wanted: &[Arc<Instrument>],
    list: InstrumentList,
    told: &mut BTreeMap<String, Instrument>,
) -> bool {
    let mut has_news = false;
    for found in list.instruments {
        let known = wanted.iter().find(|i| i.native == found.native);
        // Fees are a person's own: the list's are not the ones in force.
        let is_known =
            |k: &Arc<Instrument>| Instrument { fees: k.fees.clone(), ..found.clone() } == **k;
        if known.is_some_and(is_known) {
            told.remove(&found.native);
        } else if known.is_some() && told.get(&found.native) != Some(&found) {
            has_news = true;
            told.insert(found.native.clone(), found);
        }
    }
    has_news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halt_is_news_once_and_a_persons_own_fees_are_none() {
        let body = br#"{"code":"200000","data":{"symbol":"A-B","baseCurrency":"A","quoteCurrency":"B","baseMinSize":"0.1","quoteMinSize":"0.1","baseMaxSize":"100","quoteMaxSize":"100","baseIncrement":"0.1","quoteIncrement":"0.1","priceIncrement":"0.1","enableTrading":true,"feeCurrency":"B"}}"#;
        let list = crate::codec::kucoin::decode_symbol(body).unwrap();
        assert!(list.refused.is_empty(), "{:?}", list.refused);
        let mut mine = list.instruments[0].clone();
        mine.fees.taker = mine.fees.maker;
        let (wanted, mut told) = (vec![Arc::new(mine)], BTreeMap::new());
        assert!(!has_news(&wanted, list.clone(), &mut told));
        let mut halted = list.clone();
        halted.instruments[0].status = InstrumentStatus::Halted;
        assert!(has_news(&wanted, halted.clone(), &mut told));
        assert!(!has_news(&wanted, halted.clone(), &mut told), "told already");
        assert!(!has_news(&wanted, list, &mut told));
        assert!(has_news(&wanted, halted, &mut told), "again");
    }
}
