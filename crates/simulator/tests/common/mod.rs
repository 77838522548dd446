//! A venue with a book, driven without latency: approved orders come from the real checks.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use domain::*;
use market::Book;
use risk::{ApprovedOrder, OrderIntent};
use simulator::{Changed, Fill, MarketState, SimEvent, Venue};

/// Price and quantity at three decimals.
pub fn instrument(exchange: Exchange) -> Instrument {
    Instrument {
        exchange,
        symbol: "LINK/USDT".parse().unwrap(),
        native: "LINKUSDT".to_owned(),
        status: InstrumentStatus::Trading,
        price_scale: 3,
        quantity_scale: 3,
        tick_size: Price(1),
        lot_size: Quantity(1),
        min_quantity: Quantity(1),
        max_quantity: Quantity(1_000_000_000_000),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::ZERO,
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: FeeSchedule {
            maker: Rate::from_bp(10),
            taker: Rate::from_bp(20),
            in_received: false,
            places: 8,
            source: "test".to_owned(),
        },
    }
}

pub struct Bench {
    pub instrument: Instrument,
    pub book: Book,
    pub venue: Venue,
    pub feed: FeedState,
    pub now: Timestamp,
    pub events: Vec<SimEvent>,
    pub grade: DataGrade,
    pub last_price: Option<Price>,
    pub average: Option<market::Average>,
    update_id: u64,
    print_id: u64,
    seq: u32,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub side: Side,
    pub kind: OrderKind,
    pub time_in_force: TimeInForce,
    pub quantity: i64,
}

impl Wish {
    pub fn market(side: Side, quantity: i64) -> Self {
        Self { side, kind: OrderKind::Market, time_in_force: TimeInForce::Gtc, quantity }
    }

    pub fn limit(side: Side, price: i64, quantity: i64) -> Self {
        let kind = OrderKind::Limit { price: Price(price), post_only: false };
        Self { side, kind, time_in_force: TimeInForce::Gtc, quantity }
    }

    pub fn post_only(self) -> Self {
        let OrderKind::Limit { price, .. } = self.kind else { return self };
        Self { kind: OrderKind::Limit { price, post_only: true }, ..self }
    }

    pub fn lasting(self, time_in_force: TimeInForce) -> Self {
        Self { time_in_force, ..self }
    }
}

impl Bench {
    pub fn new(exchange: Exchange) -> Self {
        Self {
            instrument: instrument(exchange),
            book: Book::default(),
            venue: Venue::default(),
            feed: FeedState::Fresh,
            now: Timestamp(1_000_000_000_000),
            events: vec![],
            grade: DataGrade::L2Trades,
            last_price: None,
            average: None,
            update_id: 0,
            print_id: 0,
            seq: 0,
        }
    }

    pub fn with(exchange: Exchange, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Self {
        let mut bench = Self::new(exchange);
        bench.depth(true, bids, asks);
        bench
    }

    pub fn state(&self) -> MarketState<'_> {
        MarketState {
            instrument: &self.instrument,
            book: &self.book,
            is_valid: self.feed.is_fresh() && self.book.is_two_sided() && !self.book.is_crossed(),
            grade: self.grade,
            last_price: self.last_price,
            average: self.average.as_ref(),
            requested_at: None,
            clock_upper: Span::ZERO,
        }
    }

    /// An order that passed the checks against a book in which everything could be bought.
    pub fn approve(&mut self, wish: Wish) -> (OrderId, ApprovedOrder) {
        self.seq += 1;
        let id = OrderId { bot: BotId(1), seq: self.seq };
        let purpose = match wish.side {
            Side::Buy => OrderPurpose::Entry,
            Side::Sell => OrderPurpose::Exit(ExitReason::Signal),
        };
        let intent = OrderIntent {
            id,
            account: AccountId(1),
            bot: id.bot,
            instrument: InstrumentId(0),
            mode: Mode::Paper,
            side: wish.side,
            kind: wish.kind,
            time_in_force: wish.time_in_force,
            quantity: Quantity(wish.quantity),
            purpose,
            at: self.now,
        };
        let mut deep = Book::default();
        let mid = self.book.best(wish.side.opposite()).map_or(100_000, |l| l.price.0);
        let around = |price| vec![Level { price: Price(price), quantity: Quantity(i64::MAX / 8) }];
        let (bids, asks) = match wish.side {
            Side::Buy => (around(mid - 1), around(mid)),
            Side::Sell => (around(mid), around(mid + 1)),
        };
        let (at, requested_at) = (None, None);
        let whole = BookUpdate { is_snapshot: true, update_id: 1, at, requested_at, bids, asks };
        deep.apply(&whole);
        let policy = risk::unlimited::policy();
        let snapshot = risk::unlimited::snapshot(&self.instrument, &deep, &policy);
        let approved = risk::check(intent, &snapshot).unwrap_or_else(|r| panic!("{r:?}"));
        (id, approved)
    }

    /// Sends an order that arrives at once.
    pub fn send(&mut self, wish: Wish) -> OrderId {
        let (id, approved) = self.approve(wish);
        self.venue.submit(approved, Span::ZERO);
        self.advance();
        id
    }

    pub fn advance(&mut self) {
        let mut venue = std::mem::take(&mut self.venue);
        let mut events = vec![];
        venue.advance(self.now, &self.state(), &mut events);
        self.venue = venue;
        self.events.extend(events);
    }

    pub fn cancel(&mut self, id: OrderId, round_trip: Span) {
        self.venue.cancel(id, CancelReason::Strategy, self.now, round_trip);
        self.advance();
    }

    pub fn depth(&mut self, is_snapshot: bool, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        self.update_id += 1;
        let side = |levels: &[(i64, i64)]| -> Vec<Level> {
            let level = |&(p, q)| Level { price: Price(p), quantity: Quantity(q) };
            levels.iter().map(level).collect()
        };
        let update = BookUpdate {
            is_snapshot,
            update_id: self.update_id,
            at: None,
            requested_at: None,
            bids: side(bids),
            asks: side(asks),
        };
        self.book.apply(&update);
        let changed = match is_snapshot {
            true => Changed::All,
            false => Changed::Levels { bids: &update.bids, asks: &update.asks },
        };
        self.tell(changed);
    }

    pub fn touch(&mut self, bid: (i64, i64), ask: (i64, i64)) {
        self.update_id += 1;
        let level = |(p, q)| Level { price: Price(p), quantity: Quantity(q) };
        let touch = Touch { update_id: self.update_id, bid: level(bid), ask: level(ask) };
        self.book.apply_touch(&touch);
        self.tell(Changed::Touch(&touch));
    }

    fn tell(&mut self, changed: Changed<'_>) {
        let mut venue = std::mem::take(&mut self.venue);
        let mut events = vec![];
        venue.on_book(changed, self.now, &self.state(), &mut events);
        self.venue = venue;
        self.events.extend(events);
    }

    pub fn print(&mut self, taker_side: Side, price: i64, quantity: i64) {
        self.print_at(taker_side, price, quantity, self.now, false);
    }

    pub fn print_at(
        &mut self,
        taker_side: Side,
        price: i64,
        quantity: i64,
        at: Timestamp,
        backfilled: bool,
    ) {
        self.print_id += 1;
        let (price, quantity) = (Price(price), Quantity(quantity));
        let print = Print { id: self.print_id, price, quantity, taker_side, at, backfilled };
        let mut venue = std::mem::take(&mut self.venue);
        let mut events = vec![];
        venue.on_print(&print, self.now, &self.state(), &mut events);
        self.venue = venue;
        self.events.extend(events);
    }

    /// Somebody's order leaves untraded; its level is told by the depth that follows.
    pub fn withdraw(&mut self, side: Side, price: i64, quantity: i64, joined_id: u64) {
        let (price, quantity) = (Price(price), Quantity(quantity));
        let withdrawn = Withdrawn { side, price, quantity, joined_id };
        let mut venue = std::mem::take(&mut self.venue);
        venue.on_withdrawn(&withdrawn, &self.state());
        self.venue = venue;
    }

    /// Number of the last change of the book.
    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// The exchange begins to count its changes anew.
    pub fn restart_numbers(&mut self) {
        self.update_id = 0;
    }

    pub fn pass(&mut self, ms: i64) {
        self.now = self.now + Span::from_millis(ms);
        self.advance();
    }

    /// What happened since the last call.
    pub fn take(&mut self) -> Vec<SimEvent> {
        std::mem::take(&mut self.events)
    }

    /// Price and quantity of the fills since the last call.
    pub fn fills(&mut self) -> Vec<(i64, i64)> {
        fills(&self.take()).iter().map(|f| (f.price.0, f.quantity.0)).collect()
    }
}

pub fn fills(events: &[SimEvent]) -> Vec<Fill> {
    let fill = |e: &SimEvent| if let SimEvent::Filled(f, _) = e { Some(*f) } else { None };
    events.iter().filter_map(fill).collect()
}

/// Sum of quantities, and of price × quantity.
pub fn sums(fills: &[Fill]) -> (i64, i128) {
    let value = fills.iter().map(|f| i128::from(f.price.0) * i128::from(f.quantity.0)).sum();
    (fills.iter().map(|f| f.quantity.0).sum(), value)
}
