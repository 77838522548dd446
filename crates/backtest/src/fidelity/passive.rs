//! Orders that join the touch, each on an exchange of its own, until somebody takes them.

use super::order::{AT_ONCE, ID, approve};
use super::view::View;
use super::{HORIZONS_S, Market};
use domain::{MarketEvent, OrderKind, Price, Print, Quantity, Side, Span, Timestamp};
use simulator::{Changed, MarketState, SimEvent, Venue, Waiting};

/// One order each so long, on both sides.
const EVERY: Span = Span(500_000_000);
/// Longer than this no order is watched.
const WATCHED: Span = Span::from_secs(HORIZONS_S[HORIZONS_S.len() - 1]);

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// How long the tape went on after it joined, at most as long as orders are watched.
    pub(super) seen: Span,
    /// When the count that is shown had filled it, after it joined.
    pub(super) shown: Option<Span>,
    /// When the optimistic count had.
    pub(super) optimistic: Option<Span>,
}

/// A virtual order with its exchange.
#[derive(Debug)]
struct Virtual {
    venue: Venue,
    side: Side,
    price: Price,
    joined_at: Timestamp,
    last: Waiting,
    optimistic: Option<Span>,
    /// Something was traded at its price or through it, or the other side reached it.
    is_reached: bool,
}

/// Everything that is being watched, and what broke its bounds.
#[derive(Debug, Default)]
struct Watch {
    live: Vec<Virtual>,
    /// Of the tape.
    end: Timestamp,
    done: Vec<Watched>,
    violations: u64,
}

/// Orders of a whole tape, and how often a bound was broken.
pub(super) fn run(market: &Market<'_>) -> (Vec<Watched>, u64) {
    let mut view = View::new(market);
    let end = market.records.last().map_or(Timestamp(0), |r| r.at);
    let mut watch = Watch { end, ..Watch::default() };
    let mut next_at: Option<Timestamp> = None;
    for record in market.records {
        if record.at >= market.settled_at && view.is_valid() {
            // At whole half seconds, not by when the tape began.
            let at = next_at.get_or_insert_with(|| record.at.floor(EVERY) + EVERY);
            while *at < record.at {
                watch.join(market, &view, *at);
                *at = *at + EVERY;
            }
        }
        watch.close(record.at);
        let changed = view.apply(record);
        watch.tell(changed, &record.event, record.at, &view);
    }
    watch.finish();
    (watch.done, watch.violations)
}

impl Watch {
    fn join(&mut self, market: &Market<'_>, view: &View<'_>, at: Timestamp) {
        for side in [Side::Buy, Side::Sell] {
            self.live.extend(Virtual::join(market, view, side, at));
        }
    }

    /// Ends what has been watched long enough.
    fn close(&mut self, now: Timestamp) {
        let is_over = |v: &Virtual| now - v.joined_at >= WATCHED;
        if !self.live.first().is_some_and(is_over) {
            return;
        }
        let (over, live) = std::mem::take(&mut self.live).into_iter().partition(is_over);
        self.live = live;
        let over: Vec<Virtual> = over;
        self.done.extend(over.iter().map(|v| v.unfilled(WATCHED)));
    }

    fn finish(&mut self) {
        self.done.extend(self.live.iter().map(|v| v.unfilled(self.end - v.joined_at)));
    }

    fn tell(
        &mut self,
        changed: Option<Changed<'_>>,
        event: &MarketEvent,
        now: Timestamp,
        view: &View<'_>,
    ) {
        let mut events = Vec::new();
        let (state, of_print) = (&view.state(), &view.state_of_print(now));
        let (end, done, violations) = (self.end, &mut self.done, &mut self.violations);
        self.live.retain_mut(|order| {
            events.clear();
            if let Some(changed) = changed {
                order.reach_by_book(state);
                order.venue.on_book(changed, now, state, &mut events);
            }
            if let MarketEvent::Print(print) = event {
                order.reach_by_print(print);
                order.venue.on_print(print, now, of_print, &mut events);
            }
            if let MarketEvent::Withdrawn(withdrawn) = event {
                order.venue.on_withdrawn(withdrawn, state);
            }
            let is_filled = events.iter().any(|e| matches!(e, SimEvent::Filled(_, true)));
            *violations += order.check(is_filled);
            let elapsed = now - order.joined_at;
            if is_filled {
                done.push(Watched {
                    seen: (end - order.joined_at).min(WATCHED),
                    shown: Some(elapsed),
                    optimistic: Some(order.optimistic.unwrap_or(elapsed)),
                });
            } else if order.last.filled_optimistic.is_positive() {
                order.optimistic.get_or_insert(elapsed);
            }
            !is_filled
        });
    }
}

impl Virtual {
    fn join(market: &Market<'_>, view: &View<'_>, side: Side, at: Timestamp) -> Option<Self> {
        let price = view.book.best(side)?.price;
        let kind = OrderKind::Limit { price, post_only: false };
        let quantity = market.instrument.min_quantity.max(market.instrument.lot_size);
        let approved = approve(market, ID, side, kind, quantity, price, at)?;
        let (mut venue, mut events) = (Venue::default(), Vec::new());
        venue.submit(approved, AT_ONCE);
        venue.advance(at, &view.state(), &mut events);
        let last = venue.waiting(ID)?;
        let (optimistic, is_reached) = (None, false);
        Some(Self { venue, side, price, joined_at: at, last, optimistic, is_reached })
    }

    const fn unfilled(&self, seen: Span) -> Watched {
        Watched { seen, shown: None, optimistic: self.optimistic }
    }

    fn reach_by_print(&mut self, print: &Print) {
        self.is_reached |= print.taker_side != self.side && self.is_at_or_through(print.price);
    }

    fn reach_by_book(&mut self, state: &MarketState<'_>) {
        let touch = state.book.best(self.side.opposite());
        self.is_reached |= touch.is_some_and(|touch| self.is_at_or_through(touch.price));
    }

    fn is_at_or_through(&self, price: Price) -> bool {
        match self.side {
            Side::Buy => price <= self.price,
            Side::Sell => price >= self.price,
        }
    }

    /// Broken bounds: a queue that grew, an optimistic count that is behind the one shown, a fill
    /// where nothing was traded.
    fn check(&mut self, is_filled: bool) -> u64 {
        if is_filled {
            return u64::from(!self.is_reached);
        }
        let Some(now) = self.venue.waiting(ID) else { return 1 };
        let shown = now.ahead.unwrap_or(Quantity(i64::MAX));
        let before = self.last.ahead.unwrap_or(Quantity(i64::MAX));
        let is_kept = shown <= before
            && shown.0 >= 0
            && now.ahead_optimistic <= shown
            && now.ahead_optimistic.0 >= 0
            && now.filled_optimistic >= self.last.filled_optimistic;
        self.last = now;
        u64::from(!is_kept)
    }
}
