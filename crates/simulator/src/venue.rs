//! One account on one instrument of a simulated exchange.

mod bars;
mod maker;
mod messages;

use crate::matching::walk;
use crate::profile::{Cause, code};
use crate::queue::{Queues, Resting, UNKNOWN, Waiting};
use domain::{
    Amount, CancelReason, DataGrade, Instrument, InstrumentStatus, Level, Liquidity, OrderId,
    OrderKind, Price, Quantity, Rate, RejectCode, Round, Side, Span, TimeInForce, Timestamp, Touch,
};
use market::{Average, Book};
use risk::ApprovedOrder;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The market as the simulated exchange may see it now.
#[derive(Clone, Copy, Debug)]
pub struct MarketState<'a> {
    /// With filters and fees.
    pub instrument: &'a Instrument,
    /// As known now.
    pub book: &'a Book,
    /// May its prices be used?
    pub is_valid: bool,
    /// Grade of what is seen now.
    pub grade: DataGrade,
    /// The last print, and the average that the percent band is relative to.
    pub last_price: Option<Price>,
    /// Kept where the exchange has such a band.
    pub average: Option<&'a Average>,
    /// For polled books: when the present one was asked for. Orders execute on the first book
    /// requested after their arrival.
    pub requested_at: Option<Timestamp>,
    /// Upper bound of the exchange's clock minus ours.
    pub clock_upper: Span,
}

/// Which levels an update touched.
#[derive(Clone, Copy, Debug)]
pub enum Changed<'a> {
    /// The best bid and ask.
    Touch(&'a Touch),
    /// These levels.
    Levels {
        /// Of the bids.
        bids: &'a [Level],
        /// Of the asks.
        asks: &'a [Level],
    },
    /// Everything: a snapshot.
    All,
}

/// One simulated execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Of this order.
    pub order: OrderId,
    /// At this price.
    pub price: Price,
    /// This much.
    pub quantity: Quantity,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// In the currency that the exchange charges on this side.
    pub fee: Amount,
    /// Data it was made from.
    pub grade: DataGrade,
    /// Book id at execution.
    pub book_update_id: u64,
    /// The print that filled it.
    pub print_id: Option<u64>,
    /// Queue ahead when it joined.
    pub queue_ahead_at_join: Option<Quantity>,
    /// What the optimistic queue count had filled by now.
    pub optimistic_filled: Option<Quantity>,
    /// Round trip used.
    pub round_trip: Span,
    /// Our time.
    pub at: Timestamp,
}

/// What the simulated exchange answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimEvent {
    /// The order rests.
    Accepted(OrderId, Timestamp),
    /// An execution; `is_last`: nothing remains.
    Filled(Fill, bool),
    /// Refused whole.
    Rejected(OrderId, RejectCode, Timestamp),
    /// The rest is gone.
    Expired(OrderId, RejectCode, Timestamp),
    /// Taken back.
    Cancelled(OrderId, CancelReason, Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Incoming {
    id: OrderId,
    side: Side,
    kind: OrderKind,
    time_in_force: TimeInForce,
    quantity: Quantity,
    /// See [`ApprovedOrder::worst_price`].
    worst_price: Option<Price>,
    round_trip: Span,
}

impl Incoming {
    fn of(order: &ApprovedOrder, round_trip: Span) -> Self {
        let intent = order.intent();
        Self {
            id: intent.id,
            side: intent.side,
            kind: intent.kind,
            time_in_force: intent.time_in_force,
            quantity: intent.quantity,
            worst_price: order.worst_price(),
            round_trip,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Message {
    New(Incoming),
    Cancel(OrderId, CancelReason),
}

/// A credit: we filled on a crossing quote; the prints that made the cross must not fill us again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Credit {
    side: Side,
    price: Price,
    quantity: Quantity,
    until: Timestamp,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Venue {
    /// By time of arrival.
    messages: messages::Messages,
    bids: Queues,
    asks: Queues,
    /// What this account took of levels that still stand: side of the book, price, quantity.
    taken: SmallVec<[(Side, Price, Quantity); 4]>,
    credits: SmallVec<[Credit; 1]>,
    /// Of the bar that is being worked off, where there are bars alone.
    #[serde(skip)]
    room: bars::Room,
}

/// Credits are consumed by the prints that follow within a blink; more than this are old.
const CREDITS_MAX: usize = 16;

impl Venue {
    /// Sends an order; it arrives one round trip after it was decided.
    pub fn submit(&mut self, order: ApprovedOrder, round_trip: Span) {
        self.shadow(&order, round_trip);
    }

    /// The same for an order that really goes out elsewhere: the approval stays with that one.
    pub fn shadow(&mut self, order: &ApprovedOrder, round_trip: Span) {
        let at = order.intent().at;
        self.messages.send(at + round_trip, Message::New(Incoming::of(order, round_trip)));
    }

    /// Sends a cancellation: a fill can beat it.
    pub fn cancel(&mut self, id: OrderId, reason: CancelReason, now: Timestamp, round_trip: Span) {
        // Never before the order itself.
        let due = (now + round_trip).max(self.messages.due(id).unwrap_or(now));
        self.messages.send(due, Message::Cancel(id, reason));
    }

    /// When the next message arrives.
    pub fn next_due(&self) -> Timestamp {
        self.messages.front().map_or(Timestamp::MAX, |(due, _)| due)
    }

    /// Nothing rests here and nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.messages.is_empty() && self.bids.is_empty() && self.asks.is_empty()
    }

    /// No level of the book carries a take of this account.
    pub fn has_taken_nothing(&self) -> bool {
        self.taken.is_empty()
    }

    /// Orders that rest here or are on their way: what counts against the exchange's limit.
    pub fn live_count(&self) -> u32 {
        self.open_count() + self.messages.orders()
    }

    /// Orders that rest here.
    pub fn open_count(&self) -> u32 {
        self.bids.count() + self.asks.count()
    }

    /// Where an order stands in the queue at its price; `None`: it does not rest.
    pub fn waiting(&self, id: OrderId) -> Option<Waiting> {
        self.bids.find(id).or(self.asks.find(id)).map(|o| Waiting {
            remaining: o.remaining,
            ahead: Some(o.ahead).filter(|a| *a != UNKNOWN),
            ahead_optimistic: o.ahead_optimistic,
            filled_optimistic: o.filled_optimistic,
        })
    }

    /// Best price of our resting orders on a side.
    pub fn own_best(&self, side: Side) -> Option<Price> {
        self.queues(side).best(side)
    }

    fn queues(&self, side: Side) -> &Queues {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn queues_mut(&mut self, side: Side) -> &mut Queues {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Lets everything arrive that is due.
    pub fn advance(&mut self, now: Timestamp, market: &MarketState<'_>, out: &mut Vec<SimEvent>) {
        // What arrives between bars waits for the next one to open.
        if market.grade == DataGrade::Bars {
            return;
        }
        while let Some((due, message)) = self.messages.front() {
            let is_seen = market.requested_at.is_none_or(|requested| requested >= due);
            // Polled: wait for a book that was asked for after arrival, unless there is none.
            if due > now || (!is_seen && market.is_valid) {
                break;
            }
            self.messages.pop_front();
            match message {
                Message::New(order) => self.execute(order, due, market, out),
                Message::Cancel(id, reason) => {
                    let found = self.bids.find(id).or(self.asks.find(id)).map(|o| o.price);
                    if let Some(price) = found {
                        let _ = self.bids.remove(id, price).or(self.asks.remove(id, price));
                        out.push(SimEvent::Cancelled(id, reason, due));
                    }
                }
            }
        }
        self.messages.give_back_room();
    }

    fn taken(&self, side: Side, price: Price) -> Quantity {
        let same = self.taken.iter().find(|(s, p, _)| *s == side && *p == price);
        same.map_or(Quantity::ZERO, |(_, _, q)| *q)
    }

    fn remember(&mut self, side: Side, price: Price, quantity: Quantity) {
        match self.taken.iter_mut().find(|(s, p, _)| *s == side && *p == price) {
            Some((_, _, taken)) => *taken += quantity,
            None => self.taken.push((side, price, quantity)),
        }
    }

    fn execute(
        &mut self,
        order: Incoming,
        at: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let exchange = market.instrument.exchange;
        let reject = |cause| SimEvent::Rejected(order.id, code(exchange, cause).into(), at);
        let (limit, post_only) = match order.kind {
            OrderKind::Market => (None, false),
            OrderKind::Limit { price, post_only } => (Some(price), post_only),
        };
        let may_take = market.instrument.status == InstrumentStatus::Trading;
        let is_closed =
            !(may_take || post_only && market.instrument.status == InstrumentStatus::PostOnly);
        if is_closed {
            let is_post_only = market.instrument.status == InstrumentStatus::PostOnly;
            return out.push(reject(match is_post_only {
                true => Cause::PostOnlyMode,
                false => Cause::MarketClosed,
            }));
        } else if !market.is_valid && (limit.is_none() || order.time_in_force != TimeInForce::Gtc) {
            return out.push(reject(Cause::NoValidBook));
        } else if let Some(cause) = self.filtered(&order, at, market) {
            return out.push(reject(cause));
        }
        let book_side = order.side.opposite();
        let worst = limit.or(order.worst_price);
        let executions = if market.is_valid {
            let taken = |price| self.taken(book_side, price);
            walk(market.book.levels(book_side), order.side, worst, order.quantity, taken)
        } else {
            SmallVec::new()
        };
        let available: Quantity = executions.iter().map(|e| e.quantity).sum();
        // Our own resting orders are part of the exchange's book, though no feed shows them.
        let meets_own = limit.is_some_and(|l| !self.reached_own(book_side, l).is_empty());
        if post_only && (meets_own || !executions.is_empty()) {
            return out.push(match exchange {
                domain::Exchange::Binance => reject(Cause::WouldTake),
                _ => SimEvent::Cancelled(order.id, CancelReason::PostOnly, at),
            });
        } else if order.time_in_force == TimeInForce::Fok && available < order.quantity {
            let code = code(exchange, Cause::NotAllAtOnce).into();
            return out.push(SimEvent::Expired(order.id, code, at));
        }
        let is_whole = available >= order.quantity;
        let reach = if is_whole { executions.last().copied() } else { None };
        self.expire_own_makers(&order, reach, at, exchange, out);
        let mut rest = order.quantity;
        for execution in executions {
            rest -= execution.quantity;
            self.remember(book_side, execution.price, execution.quantity);
            let (price, quantity) = (execution.price, execution.quantity);
            let fill = taken(&order, (price, quantity), market.grade, at, market);
            out.push(SimEvent::Filled(fill, !rest.is_positive()));
        }
        if rest.is_positive() {
            self.rest(order, limit, rest, at, market, out);
        }
    }

    /// What happens to what was not taken: it joins the book, or it is gone.
    fn rest(
        &mut self,
        order: Incoming,
        limit: Option<Price>,
        rest: Quantity,
        at: Timestamp,
        market: &MarketState<'_>,
        out: &mut Vec<SimEvent>,
    ) {
        let cause = match (limit, order.time_in_force) {
            (Some(price), TimeInForce::Gtc) => {
                // Where nothing valid is seen the queue is unknown: the whole level, once seen.
                let ahead = match market.is_valid && market.book.knows(order.side, price) {
                    // Prints alone show no queue.
                    true if market.grade != DataGrade::Trades => {
                        market.book.displayed(order.side, price)
                    }
                    _ => UNKNOWN,
                };
                let quantity = (order.quantity, rest);
                let joined = (at, market.book.update_id());
                let order_ =
                    Resting::new(order.id, price, quantity, ahead, joined, order.round_trip);
                self.queues_mut(order.side).push(order_);
                return out.push(SimEvent::Accepted(order.id, at));
            }
            (None, _) => Cause::NoLiquidity,
            (Some(_), _) => Cause::ImmediateRest,
        };
        let code = code(market.instrument.exchange, cause).into();
        out.push(SimEvent::Expired(order.id, code, at));
    }

    /// Prices of our resting orders of a side that a taker with this limit could reach.
    fn reached_own(&self, side: Side, limit: Price) -> SmallVec<[Price; 4]> {
        match self.queues(side).is_empty() {
            true => SmallVec::new(),
            false => self.queues(side).reached(side, limit),
        }
    }

    /// Self-trade prevention: our resting orders that would be hit expire, as by Binance's default
    /// `EXPIRE_MAKER` and KuCoin's `CO`. Luno names no rule: the same.
    ///
    /// `last` is the last execution of an order that was filled whole: what lies behind it, or
    /// behind that queue at its price, was not met. Any other order goes on to its limit.
    fn expire_own_makers(
        &mut self,
        order: &Incoming,
        last: Option<crate::Execution>,
        at: Timestamp,
        exchange: domain::Exchange,
        out: &mut Vec<SimEvent>,
    ) {
        let other = order.side.opposite();
        let limit = match (last, order.kind) {
            (Some(last), _) => last.price,
            (None, OrderKind::Limit { price, .. }) => price,
            (None, OrderKind::Market) => match (order.side, order.worst_price) {
                (_, Some(worst)) => worst,
                (Side::Buy, None) => Price(i64::MAX),
                (Side::Sell, None) => Price(i64::MIN),
            },
        };
        for price in self.reached_own(other, limit) {
            let before = last.filter(|l| l.price == price).map(|l| l.quantity);
            let is_met = |o: &&Resting| before.is_none_or(|taken| o.ahead < taken);
            let ids: SmallVec<[OrderId; 2]> =
                self.queues_mut(other).at(price).iter().filter(is_met).map(|o| o.id).collect();
            for id in ids {
                self.queues_mut(other).remove(id, price);
                let code = code(exchange, Cause::SelfTrade).into();
                out.push(SimEvent::Expired(id, code, at));
            }
        }
    }

    /// The filters once more: they or the price may have changed on the way.
    fn filtered(&self, order: &Incoming, at: Timestamp, market: &MarketState<'_>) -> Option<Cause> {
        let i = market.instrument;
        let is_limit = matches!(order.kind, OrderKind::Limit { .. });
        if is_limit && i.max_open_orders.is_some_and(|max| self.open_count() >= max) {
            return Some(Cause::TooManyOrders);
        }
        // Only where there is a band does the exchange keep a reference price.
        let reference = i
            .percent_band
            .and_then(|_| market::reference(market.average, market.last_price, market.book, at));
        i.misfit(order.side, order.kind, order.quantity, reference).map(Cause::Filter)
    }

    /// Prints alone make the market here: each one is new liquidity.
    pub fn refresh(&mut self) {
        self.taken.clear();
    }
}

/// A fill that took what was offered.
fn taken(
    order: &Incoming,
    (price, quantity): (Price, Quantity),
    grade: DataGrade,
    at: Timestamp,
    market: &MarketState<'_>,
) -> Fill {
    Fill {
        order: order.id,
        price,
        quantity,
        liquidity: Liquidity::Taker,
        fee: fee(market.instrument, order.side, price, quantity, false),
        grade,
        book_update_id: market.book.update_id(),
        print_id: None,
        queue_ahead_at_join: None,
        optimistic_filled: None,
        round_trip: order.round_trip,
        at,
    }
}

/// What the exchange charges, rounded up at its places, in the currency of
/// [`Instrument::fee_currency`].
fn fee(
    instrument: &Instrument,
    side: Side,
    price: Price,
    quantity: Quantity,
    is_maker: bool,
) -> Amount {
    let rate: Rate = if is_maker { instrument.fees.maker } else { instrument.fees.taker };
    let charged = match side {
        Side::Buy if instrument.fees.in_received => instrument.quantity_amount(quantity),
        _ => instrument.notional(price, quantity, Round::Up),
    };
    let exact = charged.times(rate, Round::Up);
    let places = instrument.fees.places.min(12);
    match exact.to_scaled(places, Round::Up) {
        Some(rounded) => Amount::from_scaled(i128::from(rounded), places, Round::Up),
        None => exact,
    }
}
