//! Bars alone: what an order would have met inside a bar of which only four prices are known.
//!
//! An order is in from the first bar that opens after its arrival. At the market it gets the open,
//! half the assumed spread and an impact that grows with its share of the volume, never a price
//! outside the bar. A limit needs a price one tick through it and at most a tenth of the volume. An
//! exit that triggers inside the bar gets its trigger or the open, whichever is worse. Where two
//! readings of a bar are possible the one that costs us more is taken: `engine` asks for falling
//! prices first.

use super::{Incoming, MarketState, Message, SimEvent, Venue, taken};
use crate::profile::{Cause, code};
use crate::queue::{Resting, UNKNOWN};
use domain::{
    CancelReason, ClosedBar, DataGrade, InstrumentStatus, OrderId, OrderKind, Price, Quantity,
    Side, TimeInForce, Timestamp,
};
use risk::ApprovedOrder;

/// Of a bar's volume, what resting orders get at most: one part of so many.
const MAKER_PART: i64 = 10;

/// What is left of a bar's volume for this account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    taker: i64,
    maker: i64,
}

impl Room {
    fn of(bar: &ClosedBar) -> Self {
        let volume = bar.bar.volume.0.max(0);
        Self { taker: volume, maker: volume / MAKER_PART }
    }

    fn take(&mut self, quantity: Quantity) {
        self.taker -= quantity.0;
        self.maker = (self.maker - quantity.0).max(0);
    }
}

impl Venue {
    /// A bar begins: cancels and orders that had arrived when it opened are worked off at its
    /// open.
    pub fn open_bar(&mut self, bar: &ClosedBar, market: &MarketState<'_>, out: &mut Vec<SimEvent>) {
        self.room = Room::of(bar);
        while let Some((due, message)) = self.messages.front() {
            if due > bar.bar.open_at {
                break;
            }
            self.messages.pop_front();
            match message {
                Message::New(order) => self.at_open(order, due, bar, market, out),
                Message::Cancel(id, reason) => self.take_back(id, reason, due, out),
            }
        }
    }

    /// A bar ends: cancels that arrived inside it are in time for the next one only, as a fill can
    /// beat a cancel.
    pub fn close_bar(&mut self, bar: &ClosedBar, out: &mut Vec<SimEvent>) {
        let closed_at = bar.closed_at();
        let mut arrived: Vec<(OrderId, CancelReason, Timestamp)> = Vec::new();
        self.messages.retain(|due, message| match message {
            Message::Cancel(id, reason) if due < closed_at => {
                arrived.push((*id, *reason, due));
                false
            }
            _ => true,
        });
        for (id, reason, due) in arrived {
            self.take_back(id, reason, due.max(bar.bar.open_at), out);
        }
        self.room = Room::default();
    }

    /// Takes an order back now: one that rests, and one that never was in a bar.
    pub fn take_back(
        &mut self,
        id: OrderId,
        reason: CancelReason,
        at: Timestamp,
        out: &mut Vec<SimEvent>,
    ) {
        let resting = self.bids.find(id).or(self.asks.find(id)).map(|o| o.price);
        let is_known = match resting {
            Some(price) => self.bids.remove(id, price).or(self.asks.remove(id, price)).is_some(),
            None => {
                let is_it = |m: &Message| matches!(m, Message::New(order) if order.id == id);
                let before = self.messages.len();
                self.messages.retain(|_, message| !is_it(message));
                before != self.messages.len()
            }
        };
        self.messages.retain(|_, m| !matches!(m, Message::Cancel(of, _) if *of == id));
        if is_known {
            out.push(SimEvent::Cancelled(id, reason, at));
        }
    }

    /// The price of our best resting order of a side that the bar went through by a tick at least.
    pub fn gone_through(&self, side: Side, bar: &ClosedBar, tick: Price) -> Option<Price> {
        let price = self.own_best(side).filter(|_| self.room.maker > 0)?;
        let tick = Price(tick.0.max(1));
        let is_through = match side {
            Side::Buy => bar.bar.low <= price - tick,
            Side::Sell => bar.bar.high >= price + tick,
        };
        is_through.then_some(price)
    }

    /// Fills our resting orders at a price that the bar went through, as far as its volume goes.
    ///
    /// At their limit; where the whole bar is beyond it, at the bar's price that is next to it: no
    /// fill is outside its bar.
    pub fn fill_in_bar(
        &mut self,
        side: Side,
        price: Price,
        bar: &ClosedBar,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        for i in 0..self.queues_mut(side).at(price).len() {
            let room = market.instrument.on_lot(Quantity(self.room.maker));
            let Some(order) = self.queues_mut(side).at(price).get_mut(i) else { break };
            let filled = room.min(order.remaining);
            if !filled.is_positive() {
                break;
            }
            order.remaining -= filled;
            let mut order = *order;
            order.price = price.clamp(bar.bar.low, bar.bar.high);
            self.room.take(filled);
            out.push(self.passive(&order, filled, side, None, bar.closed_at(), market));
        }
        // What is less than a lot serves nobody any more.
        if !market.instrument.on_lot(Quantity(self.room.maker)).is_positive() {
            self.room.maker = 0;
        }
        self.queues_mut(side).sweep(price);
    }

    /// An exit that is evaluated by us and fires inside the bar, at this price.
    pub fn leave_in_bar(
        &mut self,
        order: &ApprovedOrder,
        price: Price,
        now: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let order = Incoming::of(order, domain::Span::ZERO);
        if let Some(cause) = self.barred(&order, now, market) {
            let code = code(market.instrument.exchange, cause).into();
            return out.push(SimEvent::Rejected(order.id, code, now));
        }
        let rest = self.take_at(&order, price, now, market, out);
        if rest.is_positive() {
            let code = code(market.instrument.exchange, Cause::NoLiquidity).into();
            out.push(SimEvent::Expired(order.id, code, now));
        }
    }

    fn barred(&self, order: &Incoming, at: Timestamp, market: &MarketState<'_>) -> Option<Cause> {
        let is_post_only = matches!(order.kind, OrderKind::Limit { post_only: true, .. });
        match market.instrument.status {
            InstrumentStatus::Trading => {}
            InstrumentStatus::PostOnly if is_post_only => {}
            _ => return Some(Cause::MarketClosed),
        }
        self.filtered(order, at, market)
    }

    fn at_open(
        &mut self,
        order: Incoming,
        due: Timestamp,
        bar: &ClosedBar,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let exchange = market.instrument.exchange;
        if let Some(cause) = self.barred(&order, due, market) {
            return out.push(SimEvent::Rejected(order.id, code(exchange, cause).into(), due));
        }
        let at = bar.bar.open_at;
        let price = price_at_open(&order, bar, self.room.taker, market);
        let (limit, post_only) = match order.kind {
            OrderKind::Market => (order.worst_price, false),
            OrderKind::Limit { price, post_only } => (Some(price), post_only),
        };
        let takes = limit.is_none_or(|limit| match order.side {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        });
        if takes && post_only {
            return out.push(match exchange {
                domain::Exchange::Binance => {
                    SimEvent::Rejected(order.id, code(exchange, Cause::WouldTake).into(), at)
                }
                _ => SimEvent::Cancelled(order.id, CancelReason::PostOnly, at),
            });
        }
        let is_short = self.room.taker < order.quantity.0;
        if order.time_in_force == TimeInForce::Fok && (is_short || !takes) {
            let code = code(exchange, Cause::NotAllAtOnce).into();
            return out.push(SimEvent::Expired(order.id, code, at));
        }
        let mut rest = order.quantity;
        if takes {
            rest = self.take_at(&order, price, at, market, out);
        }
        if rest.is_positive() {
            self.rest_in_bar(order, rest, at, market, out);
        }
    }

    /// Takes what the bar's volume allows at one price; what is left over is returned.
    fn take_at(
        &mut self,
        order: &Incoming,
        price: Price,
        at: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) -> Quantity {
        let room = market.instrument.on_lot(Quantity(self.room.taker.max(0)));
        let quantity = order.quantity.min(room);
        if !quantity.is_positive() {
            return order.quantity;
        }
        self.room.take(quantity);
        let rest = order.quantity - quantity;
        let fill = taken(order, (price, quantity), DataGrade::Bars, at, market);
        out.push(SimEvent::Filled(fill, !rest.is_positive()));
        rest
    }

    fn rest_in_bar(
        &mut self,
        order: Incoming,
        rest: Quantity,
        at: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let cause = match (order.kind, order.time_in_force) {
            (OrderKind::Limit { price, .. }, TimeInForce::Gtc) => {
                let quantity = (order.quantity, rest);
                let resting =
                    Resting::new(order.id, price, quantity, UNKNOWN, (at, 0), order.round_trip);
                self.queues_mut(order.side).push(resting);
                return out.push(SimEvent::Accepted(order.id, at));
            }
            (OrderKind::Limit { .. }, _) => Cause::ImmediateRest,
            (OrderKind::Market, _) => Cause::NoLiquidity,
        };
        let code = code(market.instrument.exchange, cause).into();
        out.push(SimEvent::Expired(order.id, code, at));
    }
}

/// The open, half the spread and the impact against us, on the tick and inside the bar.
///
/// The impact is the bar's range times the root of the order's share of the volume: the square-root
/// law with the range for the volatility, so that a larger order never pays less.
fn price_at_open(
    order: &Incoming,
    bar: &ClosedBar,
    volume: i64,
    market: &MarketState<'_>,
) -> Price {
    let (b, tick) = (&bar.bar, market.instrument.tick_size.0.max(1));
    let range = i128::from(b.high.0 - b.low.0);
    // What others of the account took in this bar counts: two halves cannot beat one whole.
    let used = i128::from(b.volume.0 - volume) + i128::from(order.quantity.0);
    let share = used.min(i128::from(b.volume.0)).max(0);
    let square = range * range * share / i128::from(b.volume.0.max(1));
    let impact = i64::try_from(square.unsigned_abs().isqrt()).unwrap_or(i64::MAX / 4);
    let away = bar.half_spread.0.saturating_add(impact).max(0);
    let raw = match order.side {
        Side::Buy => b.open.0.saturating_add(away),
        Side::Sell => b.open.0.saturating_sub(away),
    };
    let on_tick = match order.side {
        Side::Buy => (raw + tick - 1).div_euclid(tick) * tick,
        Side::Sell => raw.div_euclid(tick) * tick,
    };
    Price(on_tick.clamp(b.low.0, b.high.0))
}
