//! Trades that the stream did not bring, by REST and without a key.

use super::encoded;
use crate::codec::binance as codec;
use crate::error::ExchangeError;
use crate::prints::Fetched;
use crate::rest::Rest;
use domain::{Instrument, Timestamp};

/// Pages of 1,000 aggregate trades when catching up; beyond it there is a gap.
const CATCH_UP_PAGES: usize = 20;

/// The last 1,000 trades one by one; where they do not reach back far enough, aggregate trades from
/// the last known time on. `historicalTrades` would go by id but needs a key.
pub(super) async fn missed_prints(
    rest: &Rest,
    of: &Instrument,
    last: u64,
    at: Timestamp,
) -> Result<Fetched, ExchangeError> {
    let name = encoded(&of.native);
    let reply = rest.get_quick(&format!("/api/v3/trades?symbol={name}&limit=1000"), 25).await?;
    let recent = codec::decode_trades(&reply.body, of)?;
    if recent.first().is_none_or(|p| p.id <= last + 1) {
        return Ok(Fetched { prints: recent, is_complete: true });
    }
    let mut prints = Vec::new();
    let mut reached = last;
    let mut is_complete = true;
    let mut from = format!("startTime={}", at.as_millis());
    for _ in 0..CATCH_UP_PAGES {
        let path = format!("/api/v3/aggTrades?symbol={name}&{from}&limit=1000");
        let reply = rest.get_quick(&path, 4).await?;
        let page = codec::decode_agg_trades(&reply.body)?;
        let Some(next) = page.last().map(|a| a.id + 1) else { break };
        for agg in &page {
            if agg.last <= reached {
                continue;
            }
            // One that began before the last print cannot be split: its rest is not ours to guess.
            is_complete &= agg.first == reached + 1;
            reached = agg.last;
            prints.push(agg.print(of)?);
        }
        if page.len() < 1_000 || recent.first().is_some_and(|p| p.id <= reached + 1) {
            break;
        }
        from = format!("fromId={next}");
    }
    is_complete &= recent.first().is_none_or(|p| p.id <= reached + 1);
    prints.extend(recent.into_iter().filter(|p| p.id > reached));
    Ok(Fetched { prints, is_complete })
}
