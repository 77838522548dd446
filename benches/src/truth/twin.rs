//! One market twice: as the public sees it without us, and with our orders in its matching engine.
//!
//! Both get the same flow, whose ids, times and sizes were drawn for a book without us. Some of its
//! orders show only half of themselves, as icebergs do.

use domain::{BookUpdate, Level, MarketEvent, Price, Print, Quantity, Side, Timestamp, Touch};
use sandbox::model::book::{NewOrder, Owner, Standing};
use sandbox::model::catalogue::{ASSETS, Spec};
use sandbox::model::flow::Arrivals;
use sandbox::model::market::{Board, Change, Market};
use sandbox::model::noise::Noise;
use sandbox::model::reference::{Reference, Regime, asset};
use std::collections::BTreeSet;

/// Ids of the flow begin here, ours far above.
const FIRST_ID: u64 = 1_000_000;
/// Added to our order ids.
pub(super) const OURS: u64 = 1 << 60;
/// One order in so many hides half of itself.
const ICEBERGS: u64 = 20;
/// Step of the fair price.
pub(super) const STEP: i64 = 100_000_000;
/// The flow alone, before anybody looks.
const WARM_UP: i64 = 10_000_000_000;

/// See the module.
pub(super) struct Twin {
    public: Market,
    real: Market,
    reference: Reference,
    legs: (usize, usize),
    touched: BTreeSet<(bool, i64)>,
    best: Option<Touch>,
}

/// What happened to an order of ours in the matching engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct RealFill {
    pub(super) order: u64,
    pub(super) price: i64,
    pub(super) quantity: i64,
    pub(super) at: i64,
    pub(super) is_maker: bool,
}

impl Twin {
    pub(super) fn new(seed: u64, spec: &Spec, regime: Regime, begin: i64) -> Option<Self> {
        let legs = (asset(spec.symbol.base.as_str())?, asset(spec.symbol.quote.as_str())?);
        let usd = ASSETS.map(|(_, usd)| usd);
        let reference = Reference::held(seed, &usd, regime);
        let lots_per_usd = 10_f64.powi(i32::from(spec.quantity_places)) / usd[legs.0];
        let noise = Noise::new(seed, "truth");
        let arrivals = Arrivals::new(noise, spec.flow, lots_per_usd, FIRST_ID);
        let board = Board { seq: 1, next_print: 1, next_aggregate: 1, ..Board::default() };
        let mut public = Market::new(spec.clone(), arrivals, board, begin - WARM_UP);
        let fair = fair(&reference, spec, legs);
        public.open(fair);
        public.advance(begin, fair, regime.activity(), &mut |_, _| {});
        let real = public.clone();
        let (touched, best) = (BTreeSet::new(), None);
        Some(Self { public, real, reference, legs, touched, best })
    }

    fn fair(&self) -> f64 {
        fair(&self.reference, &self.public.spec, self.legs)
    }

    /// Moves the fair price by one step.
    pub(super) fn step(&mut self) {
        self.reference.step(STEP as f64 / 1e9);
    }

    /// Lets the public's market run on; what its feed says is appended.
    pub(super) fn watch(&mut self, to: i64, out: &mut Vec<(Timestamp, MarketEvent)>) {
        let (fair, activity) = (self.fair(), self.reference.regime().activity());
        let mut told = Told { touched: &mut self.touched, best: &mut self.best, out };
        self.public.advance(to, fair, activity, &mut |market, change| told.change(market, change));
    }

    /// The depth that changed since it was last told, as the exchange's stream does.
    pub(super) fn depth(&mut self, at: Timestamp) -> MarketEvent {
        let touched = std::mem::take(&mut self.touched);
        let side = |is_bid: bool| {
            let of_side = touched.iter().filter(|(b, _)| *b == is_bid);
            of_side.map(|(_, price)| self.level(is_bid, *price)).collect()
        };
        MarketEvent::Book(BookUpdate {
            is_snapshot: false,
            update_id: self.public.board.seq,
            at: Some(at),
            requested_at: None,
            bids: side(true),
            asks: side(false),
        })
    }

    /// The whole book, once.
    pub(super) fn snapshot(&self, at: Timestamp) -> MarketEvent {
        let side = |side: Side| {
            let level = |(price, _)| self.level(side == Side::Buy, price);
            self.public.book.levels(side).map(level).collect()
        };
        MarketEvent::Book(BookUpdate {
            is_snapshot: true,
            update_id: self.public.board.seq,
            at: Some(at),
            requested_at: None,
            bids: side(Side::Buy),
            asks: side(Side::Sell),
        })
    }

    fn level(&self, is_bid: bool, price: i64) -> Level {
        let side = if is_bid { Side::Buy } else { Side::Sell };
        Level { price: Price(price), quantity: Quantity(shown(&self.public, side, price)) }
    }

    /// Halfway between best bid and ask, in ticks.
    pub(super) fn mid(&self) -> f64 {
        let best = |side| self.public.book.best(side).unwrap_or_default() as f64;
        (best(Side::Buy) + best(Side::Sell)) / 2.0
    }

    /// Lets the market with our orders run on.
    pub(super) fn run(&mut self, to: i64, out: &mut Vec<RealFill>) {
        let (fair, activity) = (self.fair(), self.reference.regime().activity());
        self.real.advance(to, fair, activity, &mut |_, change| fills(change, out));
    }

    pub(super) fn submit(&mut self, at: i64, order: NewOrder, out: &mut Vec<RealFill>) {
        if let (_, Some(change)) = self.real.submit(at, order) {
            fills(&change, out);
        }
    }

    pub(super) fn cancel(&mut self, at: i64, order: u64) {
        self.real.cancel(at, OURS + order);
    }
}

/// An order of ours for the matching engine.
pub(super) fn order(
    id: u64,
    side: Side,
    price: Option<i64>,
    quantity: i64,
    standing: Standing,
) -> NewOrder {
    let owner = Owner::Account(1);
    NewOrder { id: OURS + id, owner, client_id: None, side, price, quantity, standing }
}

fn fair(reference: &Reference, spec: &Spec, (base, quote): (usize, usize)) -> f64 {
    reference.price(base, quote) * 10_f64.powi(i32::from(spec.price_places))
}

/// What of a level is displayed.
fn shown(market: &Market, side: Side, price: i64) -> i64 {
    let orders = market.book.level(side, price).into_iter().flat_map(|l| l.orders());
    orders.map(|o| if o.id % ICEBERGS == 0 { (o.remaining + 1) / 2 } else { o.remaining }).sum()
}

fn fills(change: &Change, out: &mut Vec<RealFill>) {
    for print in &change.prints {
        let fill = |order: u64, is_maker| RealFill {
            order: order - OURS,
            price: print.price,
            quantity: print.quantity,
            at: print.at,
            is_maker,
        };
        if print.maker_order >= OURS {
            out.push(fill(print.maker_order, true));
        }
        if print.taker_order >= OURS {
            out.push(fill(print.taker_order, false));
        }
    }
}

/// The public feed being written.
struct Told<'a> {
    touched: &'a mut BTreeSet<(bool, i64)>,
    best: &'a mut Option<Touch>,
    out: &'a mut Vec<(Timestamp, MarketEvent)>,
}

impl Told<'_> {
    fn change(&mut self, market: &Market, change: &Change) {
        let at = Timestamp(change.at);
        self.touched.extend(change.touched().map(|(side, price)| (side == Side::Buy, price)));
        let level = |side| {
            let price = market.book.best(side).unwrap_or_default();
            let quantity = Quantity(shown(market, side, price));
            Level { price: Price(price), quantity }
        };
        let touch = Touch { update_id: change.seq, bid: level(Side::Buy), ask: level(Side::Sell) };
        if self.best.is_none_or(|old| old.bid != touch.bid || old.ask != touch.ask) {
            *self.best = Some(touch);
            self.out.push((at, MarketEvent::Touch(touch)));
        }
        for print in &change.prints {
            let print = Print {
                id: print.id.unsigned_abs(),
                price: Price(print.price),
                quantity: Quantity(print.quantity),
                taker_side: print.taker,
                at,
                backfilled: false,
            };
            self.out.push((at, MarketEvent::Print(print)));
        }
    }
}
