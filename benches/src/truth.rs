//! Known truth: a tape cannot tell what *our* order would have met, a matching engine can.
//!
//! One bot trades on paper and sees the public feed of a market alone. Each order that it sends
//! goes, after the same round trip, as a real order into a matching engine with the same flow. The
//! two profits are compared, for each kind of strategy in each regime, over many seeds.

mod page;
mod paper;
mod score;
mod twin;

use domain::{OrderRecord, OrderStatus, Round, StrategyKind, TimeInForce, Timestamp};
use paper::{BOT, Paper, Said};
use sandbox::model::book::{NewOrder, Standing};
use sandbox::model::catalogue::{Spec, all};
use sandbox::model::reference::Regime;
use score::{Cell, Outcome, Run};
use std::collections::VecDeque;
use std::error::Error;
use twin::Twin;

/// Runs of each cell.
pub(crate) const SEEDS: u64 = 200;
/// Of the market, each run.
const LENGTH: i64 = 60_000_000_000;
/// Both sides advance by this much in turn: shorter than any round trip, so that nothing is late.
const WINDOW: i64 = 1_000_000;
/// The exchange tells depth in such steps.
const DEPTH_EVERY: i64 = 100_000_000;
/// A Monday, far from midnight.
const BEGIN: i64 = 1_767_614_400_000_000_000;
/// Most that paper may gain over the truth, in basis points of turnover: in all, and in a cell.
const BOUNDS_BP: (f64, f64) = (0.1, 1.0);
/// Orders filled on either side that a cell needs for each of its runs; a thinner one says nothing
/// and fails.
const FILLS_PER_RUN: usize = 10;
/// Of a cell's seeds, so many percent must have traded.
const TRADED_PERCENT: u64 = 95;
/// Where the results are kept, from the root of the project.
const PAGE: &str = "docs/known-truth.md";

const REGIMES: [Regime; 3] = [Regime::Calm, Regime::Trend, Regime::Crash];

/// Parameters that trade often within a minute.
const fn params(kind: StrategyKind) -> &'static str {
    match kind {
        StrategyKind::EmaCross => r#"{"fast":8,"slow":21}"#,
        StrategyKind::RsiReversion => r#"{"period":10,"buy_below":"35","sell_above":"55"}"#,
        StrategyKind::BollingerReversion => r#"{"period":20,"deviations":"1.5"}"#,
        StrategyKind::DonchianBreakout => r#"{"entry_period":15,"exit_period":8}"#,
        StrategyKind::MacdTrend => r#"{"fast":6,"slow":13,"signal":5}"#,
        StrategyKind::Grid => r#"{"range_percent":"0.1","levels":10,"stop_margin_percent":"1"}"#,
        StrategyKind::Dca => {
            r#"{"interval_bars":3,"safety_orders":3,"deviation_percent":"0.05",
                "step_scale":"0.5","target_percent":"0.1"}"#
        }
        StrategyKind::MarketMaking => {
            r#"{"min_spread_bp":"0","max_entries":3,"requote_bars":5,"max_hold_s":20}"#
        }
    }
}

type Fault = Box<dyn Error + Send + Sync>;

/// Something on its way to the matching engine.
enum Message {
    New(NewOrder),
    Cancel(u64),
}

/// A cell with its place in the table.
type Placed = (StrategyKind, Regime, Cell);

/// Runs everything and writes the page; an error where a bound is broken or a cell is too thin.
pub(crate) fn run(seeds: u64) -> Result<(), Box<dyn Error>> {
    let spec = all().into_iter().next().ok_or("the catalogue is empty")?;
    let mut cells: Vec<Placed> = Vec::new();
    for kind in StrategyKind::ALL {
        for regime in REGIMES {
            let cell = cell(&spec, kind, regime, seeds).map_err(|e| e.to_string())?;
            println!("{}", page::row(kind, regime, &cell, seeds));
            cells.push((kind, regime, cell));
        }
    }
    std::fs::write(PAGE, page::page(&spec, &cells, seeds))?;
    println!("{PAGE} is written");
    let broken = page::broken(&cells, seeds);
    match broken.is_empty() {
        true => Ok(()),
        false => Err(broken.join("; ").into()),
    }
}

/// All seeds of a cell, shared out over the processors.
fn cell(spec: &Spec, kind: StrategyKind, regime: Regime, seeds: u64) -> Result<Cell, Fault> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()) as u64;
    let part = |first: u64| -> Result<Vec<Outcome>, Fault> {
        let mut outcomes = Vec::new();
        for seed in (first..seeds).step_by(threads as usize) {
            outcomes.extend(one(seed + 1, spec, kind, regime).map_err(|e| e.to_string())?);
        }
        Ok(outcomes)
    };
    let mut cell = Cell::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|t| scope.spawn(move || part(t))).collect();
        for thread in running {
            cell.runs.extend(thread.join().map_err(|_| "a run panicked")??);
        }
        Ok(cell)
    })
}

/// One run; `None` where nothing was traded.
fn one(
    seed: u64,
    spec: &Spec,
    kind: StrategyKind,
    regime: Regime,
) -> Result<Option<Outcome>, Box<dyn Error>> {
    let mut twin = Twin::new(seed, spec, regime, BEGIN).ok_or("the catalogue lacks an asset")?;
    let mut paper = Paper::new(seed, spec, kind, params(kind), Timestamp(BEGIN))?;
    paper.tell(Timestamp(BEGIN), twin.snapshot(Timestamp(BEGIN)));
    let (mut run, mut real, mut events) = (Run::default(), Vec::new(), Vec::new());
    let mut way: VecDeque<(i64, Message)> = VecDeque::new();
    let mut now = BEGIN;
    while now < BEGIN + LENGTH {
        let to = now + WINDOW;
        twin.watch(to, &mut events);
        for (at, event) in events.drain(..) {
            paper.tell(at, event);
        }
        match (to - BEGIN) % DEPTH_EVERY {
            0 => paper.tell(Timestamp(to), twin.depth(Timestamp(to))),
            _ => paper.pass(Timestamp(to)),
        }
        for said in paper.said() {
            take(said, &paper, spec, &mut way, &mut run);
        }
        while way.front().is_some_and(|(due, _)| *due < to) {
            let Some((due, message)) = way.pop_front() else { break };
            twin.run(due, &mut real);
            match message {
                Message::New(order) => twin.submit(due, order, &mut real),
                Message::Cancel(order) => twin.cancel(due, order),
            }
        }
        twin.run(to, &mut real);
        if (to - BEGIN) % twin::STEP == 0 {
            twin.step();
        }
        now = to;
    }
    let unit = |places: u8| 10_f64.powi(-i32::from(places));
    let (price_unit, quantity_unit) = (unit(spec.price_places), unit(spec.quantity_places));
    real.iter().for_each(|fill| run.real(fill, price_unit, quantity_unit));
    Ok(run.close(twin.mid() * price_unit))
}

/// What the paper side said becomes an order or a cancel in the matching engine.
fn take(said: Said, paper: &Paper, spec: &Spec, way: &mut VecDeque<(i64, Message)>, run: &mut Run) {
    let (due, message) = match said {
        Said::Fill(fill) => return run.paper(&fill),
        Said::Order(order) if order.bot_id != BOT => return,
        Said::Order(order) if order.status == OrderStatus::Sent => {
            run.order(order.id.into(), order.side);
            let Some(new) = real(&order, spec) else { return };
            ((order.created_at + paper.round_trip(&order)).0, Message::New(new))
        }
        // The cancel of the paper order arrived now: so does that of the real one.
        Said::Order(order) if order.status == OrderStatus::Cancelled => {
            (order.updated_at.0, Message::Cancel(order.id.into()))
        }
        Said::Order(_) => return,
    };
    let at = way.partition_point(|(other, _)| *other <= due);
    way.insert(at, (due, message));
}

/// The same order for the matching engine.
fn real(order: &OrderRecord, spec: &Spec) -> Option<NewOrder> {
    let quantity = order.quantity.to_scaled(spec.quantity_places, Round::Down)?;
    let price = match order.limit_price {
        Some(price) => Some(price.to_scaled(spec.price_places, Round::Down)?),
        None => None,
    };
    let standing = match (order.post_only, order.time_in_force) {
        (true, _) => Standing::PostOnly,
        (false, TimeInForce::Ioc) => Standing::Ioc,
        (false, TimeInForce::Fok) => Standing::Fok,
        (false, TimeInForce::Gtc) => Standing::Gtc,
    };
    Some(twin::order(order.id.into(), order.side, price, quantity, standing))
}
