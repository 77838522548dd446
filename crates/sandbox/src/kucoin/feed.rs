//! From changes of the markets to frames of both sockets. Keys are `uta/CHANNEL/…/SYMBOL` and
//! the classic topics themselves, one symbol each.

use super::frames::{self, Obu, TOP};
use crate::faults::FaultControl;
use crate::hub::{Frame, Hub};
use crate::model::bars::{Bar, Interval, SECOND};
use crate::model::market::{Change, Market, Print};
use crate::model::world::World;
use domain::{Exchange, Side};
use rustc_hash::FxHashMap;
use serde_json::json;
use std::collections::BTreeMap;

/// Pace of full-depth frames and classic tickers.
const PACE: i64 = 100_000_000;

type Levels = Vec<(i64, i64)>;

struct Line {
    /// Sequence up to which the increments have been sent.
    sent: u64,
    /// What the top levels were then: a level that leaves the top is sent as removed.
    shown: [Levels; 2],
    /// Classic level-2 changes since the last frame: side and price to last sequence.
    classic: BTreeMap<(Side, i64), u64>,
    touch: [Option<(i64, i64)>; 2],
    traded: bool,
}

impl Line {
    fn new(market: &Market) -> Self {
        Self {
            sent: market.board.seq,
            shown: tops(market),
            classic: BTreeMap::new(),
            touch: touch(market),
            traded: false,
        }
    }
}

/// The state of all streams.
pub(crate) struct Feed {
    lines: FxHashMap<usize, Line>,
    klines: FxHashMap<String, i64>,
    flushed_at: i64,
}

impl Feed {
    pub(crate) fn new(world: &World, now: i64) -> Self {
        let markets = world.markets().iter().enumerate();
        let own = markets.filter(|(_, m)| m.spec.exchange == Exchange::Kucoin);
        let lines = own.map(|(index, m)| (index, Line::new(m))).collect();
        Self { lines, klines: FxHashMap::default(), flushed_at: now }
    }

    /// One stretch of time.
    pub(crate) fn start<'a>(&'a mut self, hub: &'a Hub, faults: &FaultControl) -> Stretch<'a> {
        let offset = faults.clock_offset(Exchange::Kucoin);
        Stretch { feed: self, hub, offset, frames: Vec::new() }
    }
}

/// Collects the frames of one stretch.
pub(crate) struct Stretch<'a> {
    feed: &'a mut Feed,
    hub: &'a Hub,
    offset: i64,
    frames: Vec<Frame>,
}

impl Stretch<'_> {
    /// A change of a market.
    pub(crate) fn change(&mut self, index: usize, market: &Market, change: &Change) {
        let Some(line) = self.feed.lines.get_mut(&index) else { return };
        for level in change.touched() {
            line.classic.insert(level, change.seq);
        }
        line.traded |= !change.prints.is_empty();
        let now = touch(market);
        let moved = line.touch != now;
        line.touch = now;
        let at = change.at + self.offset;
        let name = &market.spec.native;
        if moved {
            self.offer(market, &format!("uta/obu/1/{name}"), true, |m| best(m, at));
        }
        for print in &change.prints {
            self.offer(market, &format!("uta/trade/{name}"), false, |m| uta_trade(m, print, at));
            let topic = format!("/market/match:{name}");
            self.offer(market, &topic, false, |m| classic_match(m, print, at));
        }
    }

    /// The end of the stretch.
    pub(crate) fn flush(mut self, world: &World, now: i64) {
        let paced = now.div_euclid(PACE) > self.feed.flushed_at.div_euclid(PACE);
        let at = now + self.offset;
        let mut lines = std::mem::take(&mut self.feed.lines);
        for (index, line) in &mut lines {
            let Some(market) = world.markets().get(*index) else { continue };
            self.increments(market, line, at);
            if paced {
                self.paced(market, line, at);
            }
        }
        self.feed.lines = lines;
        self.feed.flushed_at = now;
        if paced {
            self.klines(world, now);
        }
        self.hub.send(self.frames);
    }

    fn offer(
        &mut self,
        market: &Market,
        key: &str,
        book: bool,
        body: impl FnOnce(&Market) -> String,
    ) {
        if self.hub.wants(key) {
            let symbol = market.spec.native.as_str().into();
            let seq = market.board.seq;
            self.frames.push(Frame { key: key.into(), symbol, seq, book, body: body(market) });
        }
    }

    /// Increments of both sockets since the last stretch; nothing when nothing changed.
    fn increments(&mut self, market: &Market, line: &mut Line, now: i64) {
        let last = market.board.seq;
        if last == line.sent {
            return;
        }
        let first = line.sent + 1;
        line.sent = last;
        let name = &market.spec.native;
        let key = format!("uta/obu/increment@10ms/{name}");
        let shown = tops(market);
        if self.hub.wants(&key) {
            let [bids, asks] = [0, 1].map(|n| difference(&line.shown[n], &shown[n]));
            let head = Obu { depth: "increment@10ms", kind: "delta", first, last, now };
            self.offer(market, &key, true, |m| frames::obu(&m.spec, &head, &bids, &asks));
        }
        line.shown = shown;
        let changes = std::mem::take(&mut line.classic);
        let topic = format!("/market/level2:{name}");
        self.offer(market, &topic, true, |m| level2(m, &changes, first, last, now));
    }

    fn paced(&mut self, market: &Market, line: &mut Line, now: i64) {
        let name = &market.spec.native;
        for (depth, count) in [("5", 5), ("50", 50)] {
            let key = format!("uta/obu/{depth}/{name}");
            self.offer(market, &key, true, |m| full(m, depth, count, now));
            let topic = format!("/spotMarket/level2Depth{depth}:{name}");
            self.offer(market, &topic, true, |m| depth_topic(m, depth, count, now));
        }
        if std::mem::take(&mut line.traded) {
            self.offer(market, &format!("uta/ticker/{name}"), false, |m| uta_ticker(m, now));
        }
        let topic = format!("/market/ticker:{name}");
        self.offer(market, &topic, false, |m| ticker_topic(m, now));
    }

    fn klines(&mut self, world: &World, now: i64) {
        let keys = self.hub.keys();
        self.feed.klines.retain(|key, _| keys.contains(key));
        for key in keys {
            let Some((name, text)) = kline_key(&key) else { continue };
            let Some(interval) = frames::interval(text) else { continue };
            let index = world.find(Exchange::Kucoin, name);
            let Some(market) = index.and_then(|i| world.markets().get(i)) else { continue };
            let open = interval.floor(now);
            let before = self.feed.klines.insert(key.clone(), open).unwrap_or(open);
            let second = now.div_euclid(PACE) % (SECOND / PACE) == 0;
            for bar in market.board.bars.range(interval, before, open) {
                let closed = bar.start < open;
                if (closed || second) && bar.trades > 0 {
                    let at = now + self.offset;
                    let body = |m: &Market| kline(m, &key, (text, interval), &bar, (closed, at));
                    self.offer(market, &key, false, body);
                }
            }
        }
    }
}

/// Symbol and interval of a kline key of either socket.
fn kline_key(key: &str) -> Option<(&str, &str)> {
    if let Some(rest) = key.strip_prefix("uta/kline/") {
        return rest.split_once('/').map(|(interval, name)| (name, interval));
    }
    key.strip_prefix("/market/candles:")?.split_once('_')
}

fn kline(
    market: &Market,
    key: &str,
    (name, interval): (&str, Interval),
    bar: &Bar,
    (closed, now): (bool, i64),
) -> String {
    let spec = &market.spec;
    let [open, close, high, low] =
        [bar.open, bar.close, bar.high, bar.low].map(|p| frames::price(spec, p));
    let (volume, value) = (frames::size(spec, bar.volume), frames::turnover(spec, bar.turnover));
    let start = bar.start / SECOND;
    if key.starts_with('/') {
        let data = json!({
            "symbol": spec.native,
            "candles": [start.to_string(), open, close, high, low, volume, value],
            "time": now,
        });
        return classic(key, "trade.candles.update", data);
    }
    json!({"T": "kline.SPOT", "P": now, "d": {
        "o": open, "c": close, "h": high, "l": low, "v": volume, "a": value, "i": name,
        "S": closed, "s": spec.native, "O": start, "C": interval.next(bar.start) / SECOND,
    }})
    .to_string()
}

fn classic(topic: &str, subject: &str, data: serde_json::Value) -> String {
    json!({"topic": topic, "type": "message", "subject": subject, "data": data}).to_string()
}

fn tops(market: &Market) -> [Levels; 2] {
    [Side::Buy, Side::Sell].map(|side| frames::top(market, side, TOP))
}

fn touch(market: &Market) -> [Option<(i64, i64)>; 2] {
    [Side::Buy, Side::Sell].map(|s| market.book.best(s).map(|p| (p, market.book.at(s, p))))
}

/// Absolute sizes that turn one top into the other; 0 for levels that are gone from it.
fn difference(before: &Levels, after: &Levels) -> Levels {
    let old: BTreeMap<i64, i64> = before.iter().copied().collect();
    let new: BTreeMap<i64, i64> = after.iter().copied().collect();
    let gone = old.keys().filter(|p| !new.contains_key(p)).map(|p| (*p, 0));
    gone.chain(after.iter().copied().filter(|(p, q)| old.get(p) != Some(q))).collect()
}

fn full(market: &Market, depth: &str, count: usize, now: i64) -> String {
    let seq = market.board.seq;
    let head = Obu { depth, kind: "snapshot", first: seq, last: seq, now };
    let [bids, asks] = [Side::Buy, Side::Sell].map(|s| frames::top(market, s, count));
    frames::obu(&market.spec, &head, &bids, &asks)
}

fn best(market: &Market, now: i64) -> String {
    full(market, "1", 1, now)
}

fn side(print: &Print) -> &'static str {
    if print.taker == Side::Buy { "buy" } else { "sell" }
}

fn uta_trade(market: &Market, print: &Print, at: i64) -> String {
    let matched = at - at.rem_euclid(1_000_000);
    json!({"T": "trade.SPOT", "P": at, "d": {
        "E": print.id, "M": matched, "S": side(print),
        "p": frames::price(&market.spec, print.price),
        "q": frames::size(&market.spec, print.quantity), "s": market.spec.native,
        "ti": print.id.to_string(),
    }})
    .to_string()
}

fn classic_match(market: &Market, print: &Print, at: i64) -> String {
    let data = json!({
        "makerOrderId": format!("{:024x}", print.maker_order),
        "takerOrderId": format!("{:024x}", print.taker_order),
        "price": frames::price(&market.spec, print.price),
        "size": frames::size(&market.spec, print.quantity),
        "side": side(print),
        "sequence": print.id.to_string(),
        "tradeId": print.id.to_string(),
        "symbol": market.spec.native,
        "time": at.to_string(),
        "type": "match",
    });
    classic(&format!("/market/match:{}", market.spec.native), "trade.l3match", data)
}

fn uta_ticker(market: &Market, now: i64) -> String {
    let spec = &market.spec;
    let [bid, ask] = touch(market).map(Option::unwrap_or_default);
    let Some(last) = market.board.prints.back() else { return String::from("{}") };
    json!({"T": "ticker.SPOT", "P": now, "d": {
        "A": frames::size(spec, ask.1), "B": frames::size(spec, bid.1), "E": market.board.seq,
        "M": now - now.rem_euclid(1_000_000), "S": side(last).to_uppercase(),
        "a": frames::price(spec, ask.0), "b": frames::price(spec, bid.0),
        "l": frames::price(spec, last.price), "q": frames::size(spec, last.quantity),
        "s": spec.native,
    }})
    .to_string()
}

fn ticker_topic(market: &Market, now: i64) -> String {
    let spec = &market.spec;
    let [bid, ask] = touch(market).map(Option::unwrap_or_default);
    let (price, size) = market.board.prints.back().map_or((0, 0), |p| (p.price, p.quantity));
    let data = json!({
        "sequence": market.board.seq.to_string(),
        "price": frames::price(spec, price), "size": frames::size(spec, size),
        "bestAsk": frames::price(spec, ask.0), "bestAskSize": frames::size(spec, ask.1),
        "bestBid": frames::price(spec, bid.0), "bestBidSize": frames::size(spec, bid.1),
        "time": now / 1_000_000,
    });
    classic(&format!("/market/ticker:{}", spec.native), "trade.ticker", data)
}

fn depth_topic(market: &Market, depth: &str, count: usize, now: i64) -> String {
    let rows = |side| -> Vec<[String; 2]> {
        let levels = frames::top(market, side, count).into_iter();
        levels
            .map(|(p, q)| [frames::price(&market.spec, p), frames::size(&market.spec, q)])
            .collect()
    };
    let data = json!({
        "asks": rows(Side::Sell), "bids": rows(Side::Buy), "timestamp": now / 1_000_000,
    });
    let topic = format!("/spotMarket/level2Depth{depth}:{}", market.spec.native);
    classic(&topic, "level2", data)
}

fn level2(
    market: &Market,
    changes: &BTreeMap<(Side, i64), u64>,
    first: u64,
    last: u64,
    now: i64,
) -> String {
    let rows = |side: Side| -> Vec<[String; 3]> {
        let own = changes.iter().filter(|((s, _), _)| *s == side);
        own.map(|((_, price), seq)| {
            let size = frames::size(&market.spec, market.book.at(side, *price));
            [frames::price(&market.spec, *price), size, seq.to_string()]
        })
        .collect()
    };
    let data = json!({
        "changes": {"asks": rows(Side::Sell), "bids": rows(Side::Buy)},
        "sequenceStart": first, "sequenceEnd": last, "symbol": market.spec.native,
        "time": now / 1_000_000,
    });
    classic(&format!("/market/level2:{}", market.spec.native), "trade.l2update", data)
}
