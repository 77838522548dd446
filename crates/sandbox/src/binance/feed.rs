//! From changes of the markets to frames of the streams.

use super::frames::{self, Diff, Touch};
use crate::faults::FaultControl;
use crate::hub::{Frame, Hub};
use crate::model::bars::Interval;
use crate::model::market::{Change, Market, Print};
use crate::model::world::World;
use crate::player::Played;
use domain::{Exchange, Side};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Pace of `@depth@100ms`.
const FAST: i64 = 100_000_000;
/// Pace of `@depth`.
const SLOW: i64 = 1_000_000_000;

/// Levels changed since a stream's last frame.
#[derive(Default)]
struct Pending {
    dirty: BTreeSet<(Side, i64)>,
    sent: u64,
}

/// Names of a market's streams, made once.
struct Names {
    symbol: Arc<str>,
    lower: String,
    trade: Arc<str>,
    aggregate: Arc<str>,
    ticker: Arc<str>,
    fast: Arc<str>,
    slow: Arc<str>,
}

struct Line {
    names: Names,
    touch: Touch,
    fast: Pending,
    slow: Pending,
}

impl Line {
    fn new(market: &Market) -> Self {
        let lower = market.spec.native.to_lowercase();
        let key = |suffix: &str| Arc::<str>::from(format!("{lower}@{suffix}"));
        let names = Names {
            symbol: market.spec.native.as_str().into(),
            trade: key("trade"),
            aggregate: key("aggTrade"),
            ticker: key("bookTicker"),
            fast: key("depth@100ms"),
            slow: key("depth"),
            lower,
        };
        let sent = market.board.seq;
        let pending = || Pending { dirty: BTreeSet::new(), sent };
        Self { names, touch: touch(market), fast: pending(), slow: pending() }
    }
}

/// Where a kline stream stands.
struct Kline {
    market: usize,
    name: String,
    interval: Interval,
    open: i64,
    next_at: i64,
}

/// The state of all streams.
pub(crate) struct Feed {
    lines: FxHashMap<usize, Line>,
    klines: FxHashMap<String, Kline>,
    flushed_at: i64,
}

impl Feed {
    pub(crate) fn new(world: &World, now: i64) -> Self {
        let markets = world.markets().iter().enumerate();
        let own = markets.filter(|(_, m)| m.spec.exchange == Exchange::Binance);
        let lines = own.map(|(index, m)| (index, Line::new(m))).collect();
        Self { lines, klines: FxHashMap::default(), flushed_at: now - now.rem_euclid(FAST) }
    }

    /// One stretch of time.
    pub(crate) fn start<'a>(&'a mut self, hub: &'a Hub, faults: &FaultControl) -> Stretch<'a> {
        let offset = faults.clock_offset(Exchange::Binance);
        Stretch { feed: self, hub, offset, frames: Vec::new(), taped: Vec::new() }
    }
}

/// Collects the frames of one stretch.
pub(crate) struct Stretch<'a> {
    feed: &'a mut Feed,
    hub: &'a Hub,
    offset: i64,
    frames: Vec<Frame>,
    /// Prints of a tape in this stretch, with their market.
    taped: Vec<(usize, Print)>,
}

impl Stretch<'_> {
    /// A change of a market: quotes first, prints after, as the tape shows them.
    pub(crate) fn change(&mut self, index: usize, market: &Market, change: &Change) {
        let Some(line) = self.feed.lines.get_mut(&index) else { return };
        for level in change.touched() {
            line.fast.dirty.insert(level);
            line.slow.dirty.insert(level);
        }
        let now = touch(market);
        let moved = std::mem::replace(&mut line.touch, now) != now;
        let names = &line.names;
        let frame = |key: &Arc<str>, body: String| Frame {
            key: Arc::clone(key),
            symbol: Arc::clone(&names.symbol),
            seq: change.seq,
            book: false,
            body,
        };
        if moved && self.hub.wants(&names.ticker) {
            let body = frames::book_ticker(&market.spec, change.seq, now);
            self.frames.push(Frame { book: true, ..frame(&names.ticker, body) });
        }
        if change.prints.is_empty() {
            return;
        }
        if self.hub.wants(&names.trade) {
            let one = |p| frame(&names.trade, frames::trade(&market.spec, p, self.offset));
            self.frames.extend(change.prints.iter().map(one));
        }
        if self.hub.wants(&names.aggregate) {
            let groups = change.prints.chunk_by(|a, b| a.aggregate == b.aggregate);
            let body = |g| frames::agg_trade(&market.spec, g, self.offset);
            self.frames.extend(groups.filter_map(body).map(|b| frame(&names.aggregate, b)));
        }
    }

    /// A record of a tape, sent as it was recorded.
    pub(crate) fn played(&mut self, index: usize, market: &Market, played: Played) {
        let Some(line) = self.feed.lines.get_mut(&index) else { return };
        let (names, spec) = (&line.names, &market.spec);
        let (key, seq, book, body) = match played {
            Played::Depth { at, first, last, bids, asks } => {
                let rows = |side, rows: &[(i64, i64)]| -> Vec<(Side, i64)> {
                    rows.iter().map(|(price, _)| (side, *price)).collect()
                };
                line.slow.dirty.extend(rows(Side::Buy, &bids));
                line.slow.dirty.extend(rows(Side::Sell, &asks));
                let diff = Diff { first, last, bids, asks };
                (&names.fast, last, true, frames::depth_update(spec, diff, at + self.offset))
            }
            Played::Quote { update, bid, ask } => {
                let body = frames::book_ticker(spec, update, (Some(bid), Some(ask)));
                (&names.ticker, update, true, body)
            }
            Played::Print(print) => {
                self.taped.push((index, print));
                (&names.trade, market.board.seq, false, frames::trade(spec, &print, self.offset))
            }
        };
        if self.hub.wants(key) {
            let (key, symbol) = (Arc::clone(key), Arc::clone(&names.symbol));
            self.frames.push(Frame { key, symbol, seq, book, body });
        }
    }

    /// Aggregates of the taped prints of this stretch.
    fn aggregates(&mut self, world: &World) {
        let prints: Vec<Print> = self.taped.iter().map(|(_, print)| *print).collect();
        let Some(index) = self.taped.first().map(|(index, _)| *index) else { return };
        let (line, market) = (self.feed.lines.get(&index), world.markets().get(index));
        let (Some(line), Some(market)) = (line, market) else { return };
        if !self.hub.wants(&line.names.aggregate) {
            return;
        }
        for group in prints.chunk_by(|a, b| a.aggregate == b.aggregate) {
            let Some(body) = frames::agg_trade(&market.spec, group, self.offset) else { continue };
            let (key, symbol) = (&line.names.aggregate, &line.names.symbol);
            let (key, symbol, seq) = (Arc::clone(key), Arc::clone(symbol), market.board.seq);
            self.frames.push(Frame { key, symbol, seq, book: false, body });
        }
    }

    /// The end of the stretch: what is sent by the clock, then everything goes out.
    pub(crate) fn flush(mut self, world: &World, now: i64) {
        self.aggregates(world);
        let at = now - now.rem_euclid(FAST);
        if at > self.feed.flushed_at {
            self.feed.flushed_at = at;
            self.depth(world, now, at % SLOW == 0);
            self.klines(world, now);
        }
        self.hub.send(self.frames);
    }

    fn depth(&mut self, world: &World, now: i64, slow_too: bool) {
        let now = now + self.offset;
        for (index, line) in &mut self.feed.lines {
            let Some(market) = world.markets().get(*index) else { continue };
            let names = &line.names;
            let streams = [
                (&names.fast, &mut line.fast, !market.is_taped()),
                (&names.slow, &mut line.slow, slow_too),
            ];
            for (key, pending, _) in streams.into_iter().filter(|(_, _, due)| *due) {
                let Some(diff) = take(pending, market) else { continue };
                if !self.hub.wants(key) {
                    continue;
                }
                let seq = diff.last;
                let body = frames::depth_update(&market.spec, diff, now);
                let (key, symbol) = (Arc::clone(key), Arc::clone(&names.symbol));
                self.frames.push(Frame { key, symbol, seq, book: true, body });
            }
            partial(&mut self.frames, self.hub, market, names, slow_too);
        }
    }

    fn klines(&mut self, world: &World, now: i64) {
        let keys = self.hub.keys();
        self.feed.klines.retain(|key, _| keys.contains(key));
        for key in keys {
            if !self.feed.klines.contains_key(&key)
                && let Some(kline) = self.kline(&key, world, now)
            {
                self.feed.klines.insert(key, kline);
            }
        }
        for (key, kline) in &mut self.feed.klines {
            let Some(market) = world.markets().get(kline.market) else { continue };
            let mut send = |bar, closed| {
                let of = (kline.name.as_str(), kline.interval);
                let at = now + self.offset;
                let body = frames::kline(&market.spec, of, &bar, closed, at, self.offset);
                let (key, symbol) = (key.as_str().into(), market.spec.native.as_str().into());
                let seq = market.board.seq;
                self.frames.push(Frame { key, symbol, seq, book: false, body });
            };
            let open = kline.interval.floor(now);
            let bars = market.board.bars.range(kline.interval, kline.open, open);
            for bar in bars.iter().filter(|b| b.start < open && kline.open < open) {
                send(*bar, true);
            }
            if let Some(bar) = bars.last().filter(|_| now >= kline.next_at || open > kline.open) {
                send(*bar, false);
                kline.next_at = now + frames::kline_pace(kline.interval);
            }
            kline.open = open;
        }
    }

    fn kline(&self, key: &str, world: &World, now: i64) -> Option<Kline> {
        let (lower, rest) = key.split_once("@kline_")?;
        let interval = frames::interval(rest)?;
        let line = self.feed.lines.iter().find(|(_, l)| l.names.lower == lower)?;
        let market = *line.0;
        world.markets().get(market)?;
        let open = interval.floor(now);
        Some(Kline { market, name: rest.to_owned(), interval, open, next_at: now })
    }
}

/// `@depth5`, `@depth10`, `@depth20`, with and without `@100ms`.
fn partial(frames: &mut Vec<Frame>, hub: &Hub, market: &Market, names: &Names, slow_too: bool) {
    for (suffix, due) in [("@100ms", true), ("", slow_too)] {
        for count in [5, 10, 20] {
            let key = format!("{}@depth{count}{suffix}", names.lower);
            if due && hub.wants(&key) {
                let body = snapshot(market, count);
                let symbol = Arc::clone(&names.symbol);
                frames.push(Frame {
                    key: key.into(),
                    symbol,
                    seq: market.board.seq,
                    book: true,
                    body,
                });
            }
        }
    }
}

/// The book as REST and the partial streams show it.
pub(super) fn snapshot(market: &Market, count: usize) -> String {
    let side = |side| {
        let levels = market.book.levels(side).map(|(price, level)| (price, level.total()));
        frames::levels(&market.spec, levels.take(count))
    };
    format!(
        r#"{{"lastUpdateId":{},"bids":{},"asks":{}}}"#,
        market.board.seq,
        side(Side::Buy),
        side(Side::Sell)
    )
}

fn touch(market: &Market) -> Touch {
    let best = |side| market.book.best(side).map(|p| (p, market.book.at(side, p)));
    (best(Side::Buy), best(Side::Sell))
}

/// Empties a pending set into a diff; `None` when nothing changed (nothing is sent then, and
/// the ids stay contiguous).
fn take(pending: &mut Pending, market: &Market) -> Option<Diff> {
    let last = market.board.seq;
    if last == pending.sent {
        return None;
    }
    let first = pending.sent + 1;
    pending.sent = last;
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    for (side, price) in std::mem::take(&mut pending.dirty) {
        let entry = (price, market.book.at(side, price));
        match side {
            Side::Buy => bids.push(entry),
            Side::Sell => asks.push(entry),
        }
    }
    bids.reverse();
    Some(Diff { first, last, bids, asks })
}
