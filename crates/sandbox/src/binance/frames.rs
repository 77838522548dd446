//! Payloads of the streams, written as Binance orders and pads them.

use crate::model::bars::{Bar, Interval, SECOND};
use crate::model::catalogue::Spec;
use crate::model::market::Print;
use crate::text::padded;
use domain::Side;
use std::fmt::Write as _;

/// Decimals of every price and quantity.
pub(super) const DECIMALS: u8 = 8;

pub(super) const fn millis(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000)
}

pub(super) fn price(spec: &Spec, ticks: i64) -> String {
    padded(i128::from(ticks), spec.price_places, DECIMALS)
}

pub(super) fn quantity(spec: &Spec, lots: i64) -> String {
    padded(i128::from(lots), spec.quantity_places, DECIMALS)
}

pub(super) fn turnover(spec: &Spec, value: i128) -> String {
    padded(value, spec.price_places + spec.quantity_places, DECIMALS)
}

pub(super) fn trade(spec: &Spec, print: &Print, offset: i64) -> String {
    let at = millis(print.at + offset);
    format!(
        r#"{{"e":"trade","E":{at},"s":"{}","t":{},"p":"{}","q":"{}","T":{at},"m":{},"M":true}}"#,
        spec.native,
        print.id,
        price(spec, print.price),
        quantity(spec, print.quantity),
        print.taker == Side::Sell,
    )
}

/// Prints of one taker at one price.
pub(super) fn agg_trade(spec: &Spec, prints: &[Print], offset: i64) -> Option<String> {
    let (first, last) = (prints.first()?, prints.last()?);
    let at = millis(first.at + offset);
    Some(format!(
        concat!(
            r#"{{"e":"aggTrade","E":{},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"#,
            r#""T":{},"m":{},"M":true}}"#
        ),
        at,
        spec.native,
        first.aggregate,
        price(spec, first.price),
        quantity(spec, prints.iter().map(|p| p.quantity).sum()),
        first.id,
        last.id,
        at,
        first.taker == Side::Sell,
    ))
}

/// The touch; an empty side is zero.
pub(super) type Touch = (Option<(i64, i64)>, Option<(i64, i64)>);

pub(super) fn book_ticker(spec: &Spec, update: u64, (bid, ask): Touch) -> String {
    let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
    format!(
        r#"{{"u":{update},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
        spec.native,
        price(spec, bid.0),
        quantity(spec, bid.1),
        price(spec, ask.0),
        quantity(spec, ask.1),
    )
}

/// Levels as `[["price","quantity"],…]`.
pub(super) fn levels(spec: &Spec, levels: impl IntoIterator<Item = (i64, i64)>) -> String {
    let mut out = String::from("[");
    for (p, q) in levels {
        let comma = if out.len() > 1 { "," } else { "" };
        let _ = write!(out, r#"{comma}["{}","{}"]"#, price(spec, p), quantity(spec, q));
    }
    out.push(']');
    out
}

/// A range of updates of the book: first and last id, then absolute sizes.
pub(super) struct Diff {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bids: Vec<(i64, i64)>,
    pub(super) asks: Vec<(i64, i64)>,
}

pub(super) fn depth_update(spec: &Spec, diff: Diff, now: i64) -> String {
    format!(
        r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":{},"a":{}}}"#,
        millis(now),
        spec.native,
        diff.first,
        diff.last,
        levels(spec, diff.bids),
        levels(spec, diff.asks),
    )
}

pub(super) fn kline(
    spec: &Spec,
    (name, interval): (&str, Interval),
    bar: &Bar,
    closed: bool,
    now: i64,
    offset: i64,
) -> String {
    let end = interval.next(bar.start) - 1;
    format!(
        concat!(
            r#"{{"e":"kline","E":{},"s":"{}","k":{{"t":{},"T":{},"s":"{}","i":"{}","f":{},"L":{},"#,
            r#""o":"{}","c":"{}","h":"{}","l":"{}","v":"{}","n":{},"x":{},"q":"{}","V":"{}","#,
            r#""Q":"{}","B":"0"}}}}"#
        ),
        millis(now),
        spec.native,
        millis(bar.start + offset),
        millis(end + offset),
        spec.native,
        name,
        bar.first,
        bar.last,
        price(spec, bar.open),
        price(spec, bar.close),
        price(spec, bar.high),
        price(spec, bar.low),
        quantity(spec, bar.volume),
        bar.trades,
        closed,
        turnover(spec, bar.turnover),
        quantity(spec, bar.bought),
        turnover(spec, bar.bought_turnover),
    )
}

/// Binance's names of intervals; case matters (`1m` is a minute, `1M` a month).
pub(super) fn interval(name: &str) -> Option<Interval> {
    const TABLE: [(&str, u32); 14] = [
        ("1s", 1),
        ("1m", 60),
        ("3m", 180),
        ("5m", 300),
        ("15m", 900),
        ("30m", 1_800),
        ("1h", 3_600),
        ("2h", 7_200),
        ("4h", 14_400),
        ("6h", 21_600),
        ("8h", 28_800),
        ("12h", 43_200),
        ("1d", 86_400),
        ("3d", 259_200),
    ];
    match name {
        "1w" => Some(Interval::Week),
        "1M" => Some(Interval::Month),
        _ => TABLE.iter().find(|(n, _)| *n == name).map(|(_, s)| Interval::Seconds(*s)),
    }
}

/// How often an open bar is sent.
pub(super) fn kline_pace(interval: Interval) -> i64 {
    if interval == Interval::Seconds(1) { SECOND } else { 2 * SECOND }
}
