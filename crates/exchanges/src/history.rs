//! Closed bars from the past, within each exchange's limits.

use crate::binance::encoded;
use crate::codec::{binance, kucoin, luno};
use crate::error::ExchangeError;
use crate::shard::Shared;
use domain::{Bar, Exchange, Instrument, Price, Print, Quantity, Span, Timeframe, Timestamp};

/// Most bars of one call: a strategy's longest warm-up has a tenth of it.
pub const BARS_MAX: usize = 5_000;

/// KuCoin's candles in one answer.
const CANDLES_PER_PAGE: i64 = 1_500;

pub(crate) async fn fetch(
    shared: &Shared,
    of: &Instrument,
    timeframe: Timeframe,
    bars: usize,
    now: Timestamp,
) -> Result<Vec<Bar>, ExchangeError> {
    let bars = bars.min(BARS_MAX);
    let span = span_of(timeframe)?;
    if bars == 0 {
        return Ok(Vec::new());
    }
    // The open bar is left out: it ends after now.
    let end = now.floor(span);
    let start = Timestamp(end.0.saturating_sub(span.0.saturating_mul(bars as i64)));
    match shared.config.exchange {
        Exchange::Binance => {
            let found = binance_bars(shared, of, timeframe, span, start, end).await?;
            Ok(complete(found, span, end))
        }
        Exchange::Kucoin => kucoin_bars(shared, of, span, start, end).await,
        Exchange::Luno => luno_bars(shared, of, span, start, end).await,
    }
}

fn span_of(timeframe: Timeframe) -> Result<Span, ExchangeError> {
    let why = "bars of one print each have no history; they warm up live";
    timeframe.span().ok_or_else(|| ExchangeError::Unsupported(why.into()))
}

/// Closed bars of a time that is over; see [`crate::Connector::bars`].
pub(crate) async fn between(
    shared: &Shared,
    of: &Instrument,
    timeframe: Timeframe,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Bar>, ExchangeError> {
    let span = span_of(timeframe)?;
    let (start, most) = (from.floor(span), Span(span.0.saturating_mul(BARS_MAX as i64)));
    let end = until.floor(span).min(crate::delivery::now().floor(span)).min(start + most);
    if start >= end {
        return Ok(Vec::new());
    }
    match shared.config.exchange {
        Exchange::Binance => binance_bars(shared, of, timeframe, span, start, end).await,
        Exchange::Kucoin => kucoin_bars(shared, of, span, start, end).await,
        Exchange::Luno => luno_bars(shared, of, span, start, end).await,
    }
}

async fn binance_bars(
    shared: &Shared,
    of: &Instrument,
    timeframe: Timeframe,
    span: Span,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Bar>, ExchangeError> {
    // Binance has no 5 and 15 seconds: they are built from its single seconds.
    let interval = match timeframe {
        Timeframe::S5 | Timeframe::S15 => "1s",
        other => other.name(),
    };
    let mut found: Vec<Bar> = Vec::new();
    let (mut from, name) = (start, encoded(&of.native));
    // At most 15 × 5,000 single seconds, 1,000 a page.
    for _ in 0..80 {
        let path = format!(
            "/api/v3/klines?symbol={name}&interval={interval}&startTime={}&endTime={}&limit=1000",
            from.as_millis(),
            end.as_millis() - 1
        );
        let reply = shared.rest.get(&path, 2).await?;
        let page = binance::decode_klines(&reply.body, of)?;
        let Some(last) = page.last() else { break };
        from = last.open_at + Span::from_millis(1);
        let is_last = page.len() < 1_000;
        found.extend(page.into_iter().filter(|b| b.open_at >= start && b.open_at < end));
        if is_last {
            break;
        }
    }
    Ok(merged(unique(found), span))
}

async fn kucoin_bars(
    shared: &Shared,
    of: &Instrument,
    span: Span,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Bar>, ExchangeError> {
    let Some(kind) = kucoin::candle_type(span) else {
        let prints = crate::kucoin::histories(shared, of).await?;
        return built(prints, false, span, start, end, "KuCoin keeps its last 100 trades only");
    };
    let (mut found, mut from) = (Vec::new(), start);
    let page = Span(span.0.saturating_mul(CANDLES_PER_PAGE));
    while from < end {
        let until = (from + page).min(end);
        let path = kucoin::candles_path(&encoded(&of.native), kind, from, until);
        let reply = shared.rest.get(&path, 3).await?;
        found.extend(kucoin::decode_candles(&reply.body, of)?);
        from = until;
    }
    found.retain(|b: &Bar| b.open_at >= start && b.open_at < end);
    Ok(complete(unique(found), span, end))
}

async fn luno_bars(
    shared: &Shared,
    of: &Instrument,
    span: Span,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Bar>, ExchangeError> {
    if shared.config.luno_key.is_none() || span < Span::from_secs(60) {
        let fetched = crate::luno::trades_since(shared, of, start, None).await?;
        let why = "Luno shows a hundred trades of the last day; a read-only key gives candles";
        // Less than a page: everything since the start, or since a day ago, is there.
        let is_whole = fetched.is_complete;
        return built(fetched.prints, is_whole, span, start, end, why);
    }
    let (mut found, mut from): (Vec<Bar>, Timestamp) = (Vec::new(), start);
    let name = encoded(&of.native);
    // A thousand candles a page, oldest first.
    for _ in 0..BARS_MAX / 1_000 + 1 {
        let path = format!(
            "/api/exchange/1/candles?pair={name}&since={}&duration={}",
            from.as_millis(),
            span.as_secs()
        );
        let reply = shared.rest.get_with_key(&path).await?;
        let page = luno::decode_candles(&reply.body, of)?;
        let Some(last) = page.last() else { break };
        from = last.open_at + span;
        let is_last = page.len() < 1_000 || from >= end;
        found.extend(page);
        if is_last {
            break;
        }
    }
    found.retain(|b| b.open_at >= start && b.open_at < end);
    Ok(complete(unique(found), span, end))
}

/// Bars of the prints that an exchange still shows. Unless all are there, the first is cut.
fn built(
    prints: Vec<Print>,
    is_whole: bool,
    span: Span,
    start: Timestamp,
    end: Timestamp,
    otherwise: &str,
) -> Result<Vec<Bar>, ExchangeError> {
    let mut bars = from_prints(&prints, span);
    if !is_whole && !bars.is_empty() {
        bars.remove(0);
    }
    bars.retain(|b| b.open_at >= start && b.open_at < end);
    if bars.is_empty() {
        return Err(ExchangeError::Unsupported(otherwise.to_owned()));
    }
    Ok(complete(bars, span, end))
}

/// In order, each once: pages may overlap, and an interval that is told twice is one.
fn unique(mut bars: Vec<Bar>) -> Vec<Bar> {
    bars.sort_by_key(|bar| bar.open_at);
    bars.dedup_by_key(|bar| bar.open_at);
    bars
}

/// Shorter bars put together to longer ones.
pub(crate) fn merged(bars: Vec<Bar>, span: Span) -> Vec<Bar> {
    let mut out: Vec<Bar> = Vec::new();
    for bar in bars {
        let open_at = bar.open_at.floor(span);
        match out.last_mut().filter(|b| b.open_at == open_at) {
            Some(sum) => {
                sum.high = sum.high.max(bar.high);
                sum.low = sum.low.min(bar.low);
                sum.close = bar.close;
                sum.volume = Quantity(sum.volume.0.saturating_add(bar.volume.0));
                sum.prints = sum.prints.saturating_add(bar.prints);
            }
            None => out.push(Bar { open_at, ..bar }),
        }
    }
    out
}

/// Prints, oldest first, put together to bars.
pub(crate) fn from_prints(prints: &[Print], span: Span) -> Vec<Bar> {
    let bar = |p: &Print| Bar {
        open_at: p.at,
        open: p.price,
        high: p.price,
        low: p.price,
        close: p.price,
        volume: p.quantity,
        prints: 1,
    };
    merged(prints.iter().map(bar).collect(), span)
}

/// Intervals without a trade are missing on the wire: the previous close is carried on, volume 0.
pub(crate) fn complete(bars: Vec<Bar>, span: Span, end: Timestamp) -> Vec<Bar> {
    let mut out: Vec<Bar> = Vec::with_capacity(bars.len());
    for bar in bars {
        if out.last().is_some_and(|last| bar.open_at <= last.open_at) {
            continue;
        }
        carry_on(&mut out, span, bar.open_at);
        out.push(bar);
    }
    carry_on(&mut out, span, end);
    out
}

fn carry_on(out: &mut Vec<Bar>, span: Span, until: Timestamp) {
    while let Some(last) = out.last().copied() {
        let open_at = last.open_at + span;
        if open_at >= until || out.len() >= BARS_MAX * 2 {
            return;
        }
        out.push(flat(open_at, last.close));
    }
}

const fn flat(open_at: Timestamp, close: Price) -> Bar {
    Bar { open_at, open: close, high: close, low: close, close, volume: Quantity::ZERO, prints: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(at_s: i64, open: i64, high: i64, low: i64, close: i64) -> Bar {
        Bar {
            open_at: Timestamp(at_s * 1_000_000_000),
            open: Price(open),
            high: Price(high),
            low: Price(low),
            close: Price(close),
            volume: Quantity(2),
            prints: 1,
        }
    }

    #[test]
    fn an_interval_that_two_pages_tell_counts_once() {
        let (one, two, three) = (bar(10, 5, 6, 4, 5), bar(11, 5, 9, 5, 8), bar(12, 8, 8, 2, 3));
        let told = vec![one, two, two, three, one];
        assert_eq!(unique(told), [one, two, three]);
    }

    #[test]
    fn seconds_become_five_seconds_and_holes_carry_the_close_on() {
        let seconds = vec![bar(10, 5, 6, 4, 5), bar(12, 5, 9, 5, 8), bar(27, 8, 8, 2, 3)];
        let span = Span::from_secs(5);
        let out = complete(merged(seconds, span), span, Timestamp(35_000_000_000));
        let seen: Vec<_> = out
            .iter()
            .map(|b| {
                (b.open_at.0 / 1_000_000_000, b.open.0, b.high.0, b.low.0, b.close.0, b.volume.0)
            })
            .collect();
        assert_eq!(
            seen,
            [
                (10, 5, 9, 4, 8, 4),
                (15, 8, 8, 8, 8, 0),
                (20, 8, 8, 8, 8, 0),
                (25, 8, 8, 2, 3, 2),
                (30, 3, 3, 3, 3, 0)
            ]
        );
    }
}
