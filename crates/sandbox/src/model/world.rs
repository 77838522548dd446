//! All markets together: pure, seeded, moved on by whoever owns the clock.

use super::bars::{Bar, SECOND};
use super::catalogue::{ASSETS, Spec};
use super::flow::Arrivals;
use super::market::{Board, Change, Market};
use super::noise::Noise;
pub use super::reference::asset;
use super::reference::{Reference, Regime};
use domain::Exchange;

/// Step of the reference prices.
const STEP: i64 = SECOND / 10;
/// How long the real flow runs before the servers open, so that recent prints are real ones.
const WARM_UP: i64 = 20 * SECOND;

/// Every market of the sandbox.
#[derive(Clone, Debug)]
pub struct World {
    reference: Reference,
    step_at: i64,
    legs: Vec<(usize, usize)>,
    markets: Vec<Market>,
}

impl World {
    /// A world whose prices at `now` are these (US dollars, in the order of [`ASSETS`]), with
    /// bars for `history` before it.
    ///
    /// `history` is in nanoseconds. Older bars come from the reference prices alone, the last
    /// seconds from the order flow itself, and both meet at one price.
    pub fn new(seed: u64, specs: Vec<Spec>, usd: &Prices, now: i64, history: i64) -> Self {
        let opens = now - now.rem_euclid(STEP) - WARM_UP;
        let (reference, path) = path(seed, usd, history.max(0) / SECOND);
        let mut world = Self { reference, step_at: opens, legs: Vec::new(), markets: Vec::new() };
        for spec in specs {
            world.add(seed, spec, usd, opens, &path);
        }
        world.advance(now, &mut |_, _, _| {});
        world
    }

    fn add(&mut self, seed: u64, spec: Spec, usd: &Prices, opens: i64, path: &Path) {
        let base = asset(spec.symbol.base.as_str());
        let quote = asset(spec.symbol.quote.as_str());
        let (Some(base), Some(quote)) = (base, quote) else { return };
        let name = format!("{}/{}", spec.exchange, spec.native);
        let lots_per_usd = 10_f64.powi(i32::from(spec.quantity_places)) / usd[base];
        let first = 1_000_000 * (self.markets.len() as u64 + 1);
        let noise = Noise::new(seed, &format!("flow {name}"));
        let arrivals = Arrivals::new(noise, spec.flow, lots_per_usd, first);
        let mut noise = Noise::new(seed, &format!("history {name}"));
        let board = history(&spec, path, (base, quote), opens, lots_per_usd, &mut noise);
        let mut market = Market::new(spec, arrivals, board, opens);
        market.open(self.fair(&market.spec, (base, quote)));
        self.legs.push((base, quote));
        self.markets.push(market);
    }

    /// Moves on to a time; `sink` gets every change with its market and index, in market order
    /// within a step. How the way is cut into calls changes nothing.
    pub fn advance(&mut self, to: i64, sink: &mut impl FnMut(usize, &Market, &Change)) {
        while self.step_at < to {
            let end = self.step_at + STEP;
            self.run(to.min(end), sink);
            if to < end {
                return;
            }
            self.reference.step(STEP as f64 / SECOND as f64);
            self.step_at = end;
        }
    }

    fn run(&mut self, to: i64, sink: &mut impl FnMut(usize, &Market, &Change)) {
        let activity = self.reference.regime().activity();
        for index in 0..self.markets.len() {
            let fair = self.fair(&self.markets[index].spec, self.legs[index]);
            self.markets[index].advance(to, fair, activity, &mut |m, c| sink(index, m, c));
        }
    }

    /// Fair price of a market in ticks.
    fn fair(&self, spec: &Spec, (base, quote): (usize, usize)) -> f64 {
        self.reference.price(base, quote) * 10_f64.powi(i32::from(spec.price_places))
    }

    /// The regime that holds.
    pub const fn regime(&self) -> Regime {
        self.reference.regime()
    }

    /// All markets.
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// A market to act on.
    pub fn market_mut(&mut self, index: usize) -> Option<&mut Market> {
        self.markets.get_mut(index)
    }

    /// The market that an exchange calls by this name.
    pub fn find(&self, exchange: Exchange, native: &str) -> Option<usize> {
        let same = |m: &Market| m.spec.exchange == exchange && m.spec.native == native;
        self.markets.iter().position(same)
    }

    /// Opens the bars of the present second in every market.
    pub fn roll(&mut self, now: i64) {
        for market in &mut self.markets {
            market.board.bars.roll(now);
        }
    }
}

/// Prices of all assets in US dollars.
pub type Prices = [f64; ASSETS.len()];

/// Log prices of all assets, second by second.
type Path = Vec<[f64; ASSETS.len()]>;

/// Runs the reference prices through the history and shifts them so that they end where the
/// catalogue says.
fn path(seed: u64, usd: &Prices, seconds: i64) -> (Reference, Path) {
    let mut reference = Reference::new(seed, usd);
    let target = *reference.logs();
    let mut path = vec![target];
    for _ in 0..seconds {
        reference.step(1.0);
        path.push(*reference.logs());
    }
    let mut shift = target;
    for (shift, end) in shift.iter_mut().zip(reference.logs()) {
        *shift -= end;
    }
    reference.shift(&shift);
    for logs in &mut path {
        for (log, shift) in logs.iter_mut().zip(&shift) {
            *log += shift;
        }
    }
    (reference, path)
}

/// More than any market's prints in a second.
const IDS_A_SECOND: i64 = 1_000;

/// Bars of one market from a path, and the counters as they stand after it.
fn history(
    spec: &Spec,
    path: &Path,
    (base, quote): (usize, usize),
    opens: i64,
    lots_per_usd: f64,
    noise: &mut Noise,
) -> Board {
    let scale = 10_f64.powi(i32::from(spec.price_places));
    let ticks = |logs: &[f64]| ((logs[base] - logs[quote]).exp() * scale).round() as i64;
    let begin = opens - opens.rem_euclid(SECOND) - (path.len() as i64 - 1) * SECOND;
    // Ids go on over a restart, as an exchange's do: no market prints so many in a second.
    let first = (begin / SECOND).max(0) * IDS_A_SECOND + 1;
    let mut board = Board {
        seq: 1_000,
        first_print: first,
        next_print: first,
        next_aggregate: first,
        ..Board::default()
    };
    // Mean size of an order of the flow over its median, as measured on the running model.
    let mean = spec.flow.median_usd * lots_per_usd * 4.0;
    for (n, pair) in path.windows(2).enumerate() {
        let (open, close) = (ticks(&pair[0]), ticks(&pair[1]));
        let orders = i64::from(noise.poisson(spec.flow.aggressive));
        let bar = second(begin + n as i64 * SECOND, open, close, orders, mean, noise);
        let bar = number(bar, &mut board, orders);
        board.bars.add(&bar);
    }
    board
}

fn second(start: i64, open: i64, close: i64, orders: i64, mean: f64, noise: &mut Noise) -> Bar {
    if orders == 0 {
        return Bar::flat(start, open);
    }
    let reach = ((open - close).abs() as f64 * 0.5 * noise.uniform()) as i64;
    let volume = noise.lognormal(mean * orders as f64, 0.6).max(orders as f64) as i64;
    let bought = (volume as f64 * (0.2 + 0.6 * noise.uniform())) as i64;
    let middle = i128::from(open + close) / 2;
    Bar {
        start,
        open,
        high: open.max(close) + reach,
        low: (open.min(close) - reach).max(1),
        close,
        volume,
        turnover: middle * i128::from(volume),
        trades: orders * 2,
        bought,
        bought_turnover: middle * i128::from(bought),
        first: 0,
        last: 0,
    }
}

/// Gives a bar the ids of its prints.
const fn number(mut bar: Bar, board: &mut Board, orders: i64) -> Bar {
    if bar.trades == 0 {
        return bar;
    }
    bar.first = board.next_print;
    board.next_print += bar.trades;
    board.next_aggregate += orders;
    bar.last = board.next_print - 1;
    bar
}
