//! The exogenous order flow of one market: what arrives when, decided from the seed and from a
//! book that holds exogenous orders only, so that no order of ours changes a single draw.

use super::book::{Book, NewOrder};
use super::catalogue::Flow;
use super::noise::Noise;
use domain::Side;

/// Decay of the self-excitation, per second: bursts last about half a second.
const DECAY: f64 = 2.0;
/// Share of aggressive orders that were caused by another one.
const BRANCHING: f64 = 0.5;
/// Log-standard deviation of the size of aggressive orders (tape: 2.5 to 2.7).
const SIZE_SIGMA: f64 = 2.4;
/// Log-standard deviation of the size of resting orders.
const RESTING_SIGMA: f64 = 1.5;
/// Exponent of the distance of quotes behind the touch.
const DISTANCE_ALPHA: f64 = 1.3;
/// Quotes a maker pulls at once when the fair price ran through them.
const PULL_MAX: usize = 12;
/// Sizes stay below this multiple of their median: the tail is heavy, not absurd.
const SIZE_CAP: f64 = 2_000.0;

/// What the flow wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new order.
    Submit(NewOrder),
    /// A cancel of an earlier one.
    Cancel(u64),
}

/// The state of the arrival process.
#[derive(Clone, Debug)]
pub struct Arrivals {
    noise: Noise,
    flow: Flow,
    excitation: f64,
    next_id: u64,
    /// Median aggressive size in lots at the start price.
    median: f64,
}

impl Arrivals {
    /// The flow of a market; `lots_per_usd` turns the catalogue's dollars into lots.
    pub const fn new(noise: Noise, flow: Flow, lots_per_usd: f64, first_id: u64) -> Self {
        let median = flow.median_usd * lots_per_usd;
        Self { noise, flow, excitation: BRANCHING, next_id: first_id, median }
    }

    /// Seconds until the next command, by thinning of the decaying intensity.
    pub fn wait(&mut self, activity: f64) -> f64 {
        let mut waited = 0.0;
        loop {
            let before = self.rate(activity);
            let gap = self.noise.exponential(1.0 / before);
            waited += gap;
            self.excitation *= (-DECAY * gap).exp();
            if self.noise.chance(self.rate(activity) / before) {
                return waited;
            }
        }
    }

    fn rate(&self, activity: f64) -> f64 {
        let base = self.flow.aggressive + self.flow.quoting;
        base * ((1.0 - BRANCHING) * activity + self.excitation)
    }

    /// The next commands, given the exogenous book and the fair price in ticks.
    pub fn decide(&mut self, book: &Book, fair: f64) -> Vec<Command> {
        let (Some(bid), Some(ask)) = (book.best(Side::Buy), book.best(Side::Sell)) else {
            return self.reopen(book, fair);
        };
        let touch = Touch { bid, ask, fair };
        let pressure = touch.pressure(self.flow.spread_bp);
        let aggressive = self.flow.aggressive / (self.flow.aggressive + self.flow.quoting);
        if self.noise.chance(aggressive) {
            self.excitation += BRANCHING * DECAY / self.flow.aggressive;
            return self.take(book, pressure);
        }
        if pressure.abs() > 1.0 && self.noise.chance(0.5) {
            return self.chase(book, touch);
        }
        self.quote(book, touch, pressure)
    }

    /// Quotes both sides of the fair price: how a market starts, or recovers when swept empty.
    pub fn reopen(&mut self, book: &Book, fair: f64) -> Vec<Command> {
        let empty = [Side::Buy, Side::Sell].into_iter().filter(|s| book.best(*s).is_none());
        let sides: Vec<Side> = empty.collect();
        sides.into_iter().map(|side| self.behind(side, fair.round() as i64, fair)).collect()
    }

    /// A quote at a power-law distance behind a price.
    pub fn behind(&mut self, side: Side, from: i64, fair: f64) -> Command {
        let scale = (fair * self.flow.depth_bp / 1e4).max(1.0);
        let most = fair * 0.1;
        let away = self.noise.power_law(scale, DISTANCE_ALPHA).min(most) as i64 + 1;
        self.limit(side, worse(side, from, away))
    }

    fn take(&mut self, book: &Book, pressure: f64) -> Vec<Command> {
        let buys = 0.5 + 0.4 * (pressure * 0.5).tanh();
        let side = if self.noise.chance(buys) { Side::Buy } else { Side::Sell };
        let size = self.size(self.median, SIZE_SIGMA);
        let touch = book.levels(side.opposite()).next().map_or(1, |(_, l)| l.total());
        // A thin touch tempts: most sweeps on the tape start at one.
        let thin = (touch as f64) < 40.0 * self.median;
        let sweeps = self.noise.chance(if thin { 0.19 } else { 0.03 });
        let depth = 1 + self.noise.poisson(0.7) as usize;
        let part = self.noise.uniform();
        let quantity = if sweeps { sweep(book, side, depth, part) } else { size.min(touch) };
        let id = self.id();
        vec![Command::Submit(NewOrder::market(id, side, quantity))]
    }

    /// Makers on the wrong side of the fair price pull their quotes, one closes the gap.
    fn chase(&mut self, book: &Book, touch: Touch) -> Vec<Command> {
        let side = if touch.fair > touch.mid() { Side::Sell } else { Side::Buy };
        let fair = touch.fair.round() as i64;
        let wrong = |price: i64| match side {
            Side::Sell => price < fair,
            Side::Buy => price > fair,
        };
        let orders = book.levels(side).flat_map(|(p, l)| l.orders().map(move |o| (p, o.id)));
        let (mut out, mut opposite) = (Vec::new(), None);
        for (price, id) in orders {
            if out.len() == PULL_MAX || !wrong(price) {
                opposite = Some(price);
                break;
            }
            out.push(Command::Cancel(id));
        }
        if let Some(opposite) = opposite {
            let gap = self.gap(touch.fair);
            out.push(self.limit(side.opposite(), worse(side.opposite(), opposite, gap)));
        }
        out
    }

    fn quote(&mut self, book: &Book, touch: Touch, pressure: f64) -> Vec<Command> {
        let buys = 0.5 + 0.2 * (pressure * 0.5).tanh();
        let side = if self.noise.chance(buys) { Side::Buy } else { Side::Sell };
        let (own, opposite) = touch.of(side);
        let gap = self.gap(touch.fair);
        // Makers of tight markets leave no gap open for long.
        let eager = 0.05 + 0.85 * self.flow.tight;
        if touch.ask - touch.bid > gap && self.noise.chance(eager) {
            return vec![self.limit(side, worse(side, opposite, gap))];
        }
        let full = book.count(side) as f64 / self.flow.resting as f64;
        if self.noise.chance((0.5 * full).clamp(0.05, 0.95)) {
            return self.withdraw(book, side).into_iter().collect();
        }
        let joins = self.noise.chance(0.5);
        let command =
            if joins { self.limit(side, own) } else { self.behind(side, own, touch.fair) };
        vec![command]
    }

    /// A cancel: half of them at the touch (ahead of or behind others), half anywhere.
    fn withdraw(&mut self, book: &Book, side: Side) -> Option<Command> {
        let at_touch = self.noise.chance(0.5);
        let anywhere = self.noise.below(book.count(side));
        let (_, level) = book.levels(side).next()?;
        let inside = self.noise.below(level.orders().count());
        let id = if at_touch {
            level.orders().nth(inside).map(|o| o.id)
        } else {
            book.nth(side, anywhere)
        };
        // The last quotes stay: an exchange whose book is empty serves no test.
        id.filter(|_| book.count(side) > 10).map(Command::Cancel)
    }

    /// Ticks that a spread-closing quote leaves.
    fn gap(&mut self, fair: f64) -> i64 {
        let wide = self.noise.exponential(fair * self.flow.spread_bp / 1e4);
        let tight = self.noise.chance(self.flow.tight);
        if tight { 1 } else { (wide as i64).max(1) }
    }

    fn limit(&mut self, side: Side, price: i64) -> Command {
        let quantity = self.size(4.0 * self.median, RESTING_SIGMA);
        let id = self.id();
        Command::Submit(NewOrder::limit(id, side, price.max(1), quantity))
    }

    fn size(&mut self, median: f64, sigma: f64) -> i64 {
        let lots = self.noise.lognormal(median, sigma).min(median * SIZE_CAP);
        (lots.round() as i64).max(1)
    }

    const fn id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

/// The touch of the exogenous book and the fair price, in ticks.
#[derive(Clone, Copy)]
struct Touch {
    bid: i64,
    ask: i64,
    fair: f64,
}

impl Touch {
    fn mid(self) -> f64 {
        (self.bid + self.ask) as f64 / 2.0
    }

    /// How far the fair price is from the mid, in units of what makers tolerate.
    fn pressure(self, spread_bp: f64) -> f64 {
        let tolerated = (self.fair * spread_bp.max(0.5) / 1e4).max(1.0);
        (self.fair - self.mid()) / tolerated
    }

    const fn of(self, side: Side) -> (i64, i64) {
        match side {
            Side::Buy => (self.bid, self.ask),
            Side::Sell => (self.ask, self.bid),
        }
    }
}

/// A price that many ticks less eager than another.
const fn worse(side: Side, price: i64, ticks: i64) -> i64 {
    match side {
        Side::Buy => price - ticks,
        Side::Sell => price + ticks,
    }
}

/// Lots that take whole levels and a part of the next one.
fn sweep(book: &Book, side: Side, depth: usize, part: f64) -> i64 {
    let mut levels = book.levels(side.opposite()).map(|(_, l)| l.total());
    let whole: i64 = levels.by_ref().take(depth).sum();
    let next = levels.next().unwrap_or(0) as f64;
    whole + (next * part).ceil() as i64
}
