//! Payloads of both sockets, and KuCoin's way to write numbers: no trailing zeros.

use crate::model::bars::Interval;
use crate::model::catalogue::Spec;
use crate::model::market::Market;
use crate::text::trimmed;
use domain::Side;
use std::fmt::Write as _;

/// Levels a side that the increment channel covers.
pub(super) const TOP: usize = 500;

pub(super) fn price(spec: &Spec, ticks: i64) -> String {
    trimmed(i128::from(ticks), spec.price_places)
}

pub(super) fn size(spec: &Spec, lots: i64) -> String {
    trimmed(i128::from(lots), spec.quantity_places)
}

pub(super) fn turnover(spec: &Spec, value: i128) -> String {
    trimmed(value, spec.price_places + spec.quantity_places)
}

/// The best levels of a side.
pub(super) fn top(market: &Market, side: Side, count: usize) -> Vec<(i64, i64)> {
    market.book.levels(side).take(count).map(|(p, l)| (p, l.total())).collect()
}

/// Levels as `[["price","size"],…]`.
pub(super) fn levels(spec: &Spec, levels: &[(i64, i64)]) -> String {
    let mut out = String::from("[");
    for (p, q) in levels {
        let comma = if out.len() > 1 { "," } else { "" };
        let _ = write!(out, r#"{comma}["{}","{}"]"#, price(spec, *p), size(spec, *q));
    }
    out.push(']');
    out
}

/// What an `obu` frame says besides the levels.
pub(super) struct Obu<'a> {
    pub(super) depth: &'a str,
    pub(super) kind: &'a str,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) now: i64,
}

pub(super) fn obu(spec: &Spec, head: &Obu<'_>, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> String {
    let matched = head.now - head.now.rem_euclid(1_000_000);
    format!(
        concat!(
            r#"{{"T":"obu.SPOT","dp":"{}","t":"{}","P":{},"#,
            r#""d":{{"C":{},"M":{},"O":{},"a":{},"b":{},"s":"{}"}}}}"#
        ),
        head.depth,
        head.kind,
        head.now,
        head.last,
        matched,
        head.first,
        levels(spec, asks),
        levels(spec, bids),
        spec.native,
    )
}

/// Snapshot of the increment channel.
pub(super) fn increment_snapshot(market: &Market, now: i64) -> String {
    let seq = market.board.seq;
    let head = Obu { depth: "increment@10ms", kind: "snapshot", first: seq, last: seq, now };
    let (bids, asks) = (top(market, Side::Buy, TOP), top(market, Side::Sell, TOP));
    obu(&market.spec, &head, &bids, &asks)
}

/// Names of intervals, both APIs.
pub(super) fn interval(name: &str) -> Option<Interval> {
    const TABLE: [(&str, u32); 12] = [
        ("1min", 60),
        ("3min", 180),
        ("5min", 300),
        ("15min", 900),
        ("30min", 1_800),
        ("1hour", 3_600),
        ("2hour", 7_200),
        ("4hour", 14_400),
        ("6hour", 21_600),
        ("8hour", 28_800),
        ("12hour", 43_200),
        ("1day", 86_400),
    ];
    match name {
        "1week" => Some(Interval::Week),
        "1month" => Some(Interval::Month),
        _ => TABLE.iter().find(|(n, _)| *n == name).map(|(_, s)| Interval::Seconds(*s)),
    }
}
