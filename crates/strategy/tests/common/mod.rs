//! A market in miniature: bars through the shared indicators into one strategy.
#![allow(dead_code, clippy::unwrap_used)] // each test binary uses a part of it

use domain::{
    Bar, Exchange, FeeSchedule, Instrument, InstrumentStatus, OrderPurpose, ParamValue, Price,
    Quantity, Rate, Side, StrategyConfig, StrategyKind, Timestamp,
};
use market::{IndicatorSet, Slot};
use strategy::{Actions, Context, OwnFill, Params, Position, State, on_bar, on_fill, resolve};

pub(crate) fn instrument() -> Instrument {
    Instrument {
        exchange: Exchange::Binance,
        symbol: "BTC/USDT".parse().unwrap(),
        native: "BTCUSDT".to_owned(),
        status: InstrumentStatus::Trading,
        price_scale: 2,
        quantity_scale: 5,
        tick_size: Price(5),
        lot_size: Quantity(1),
        min_quantity: Quantity(1),
        max_quantity: Quantity(1_000_000_000),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: domain::Amount::from_int(5),
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: FeeSchedule {
            maker: Rate::from_bp(10),
            taker: Rate::from_bp(10),
            in_received: true,
            places: 8,
            source: "test".to_owned(),
        },
    }
}

/// A config of a kind from JSON parameters.
pub(crate) fn config(kind: StrategyKind, params: &str) -> StrategyConfig {
    StrategyConfig { kind, params: serde_json::from_str(params).unwrap() }
}

pub(crate) fn params(kind: StrategyKind, params: &str) -> Params {
    resolve(&config(kind, params)).unwrap()
}

pub(crate) fn integer(n: i64) -> ParamValue {
    ParamValue::Integer(n)
}

pub(crate) fn bar(close: i64) -> Bar {
    range_bar(close, close, close)
}

pub(crate) fn range_bar(high: i64, low: i64, close: i64) -> Bar {
    Bar {
        open_at: Timestamp::EPOCH,
        open: Price(close),
        high: Price(high),
        low: Price(low),
        close: Price(close),
        volume: Quantity(1),
        prints: 1,
    }
}

pub(crate) fn held(entry: i64) -> Position {
    Position {
        quantity: Quantity(100),
        average_entry: Some(Price(entry)),
        entries: 1,
        opened_at: Some(Timestamp::EPOCH),
    }
}

/// One strategy with all that it needs.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) params: Params,
    pub(crate) state: State,
    pub(crate) instrument: Instrument,
    pub(crate) set: IndicatorSet,
    pub(crate) slots: Vec<Slot>,
    pub(crate) last: Bar,
    pub(crate) position: Position,
    pub(crate) can_enter: bool,
    pub(crate) touch: Option<(i64, i64)>,
}

impl Rig {
    pub(crate) fn new(params: Params) -> Self {
        let mut set = IndicatorSet::default();
        let slots = strategy::indicators(&params).into_iter().map(|s| set.slot(s)).collect();
        let (state, last) = (State::new(&params), bar(0));
        let (instrument, position) = (instrument(), Position::default());
        Self { params, state, instrument, set, slots, last, position, can_enter: true, touch: None }
    }

    fn call<T>(&mut self, call: impl FnOnce(&Params, &mut State, &Context<'_>) -> T) -> T {
        let values: Vec<f64> = self.slots.iter().map(|s| self.set.value_or_nan(*s)).collect();
        let context = Context {
            instrument: &self.instrument,
            now: Timestamp::EPOCH,
            bar: &self.last,
            values: &values,
            bid: self.touch.map(|t| Price(t.0)),
            ask: self.touch.map(|t| Price(t.1)),
            position: self.position,
            can_enter: self.can_enter,
        };
        call(&self.params, &mut self.state, &context)
    }

    pub(crate) fn bar(&mut self, bar: Bar) -> Actions {
        self.set.update(&bar);
        self.last = bar;
        self.call(on_bar)
    }

    pub(crate) fn close(&mut self, close: i64) -> Actions {
        self.bar(bar(close))
    }

    pub(crate) fn fill(
        &mut self,
        level: u16,
        side: Side,
        price: i64,
        order_complete: bool,
    ) -> Actions {
        let purpose = match side {
            Side::Buy => OrderPurpose::Entry,
            Side::Sell => OrderPurpose::Exit(domain::ExitReason::Signal),
        };
        self.told(OwnFill {
            level,
            side,
            price: Price(price),
            quantity: Quantity(100),
            order_complete,
            purpose,
        })
    }

    pub(crate) fn protective_fill(&mut self, price: i64) -> Actions {
        self.told(OwnFill {
            level: 0,
            side: Side::Sell,
            price: Price(price),
            quantity: Quantity(100),
            order_complete: true,
            purpose: OrderPurpose::Exit(domain::ExitReason::Stop),
        })
    }

    fn told(&mut self, fill: OwnFill) -> Actions {
        self.call(|p, s, c| on_fill(p, s, c, &fill))
    }

    pub(crate) fn flat(&mut self) {
        self.position = Position::default();
        strategy::on_flat(&self.params, &mut self.state);
    }

    pub(crate) fn says(&mut self) -> String {
        self.call(|p, s, c| strategy::explain(p, s, c))
    }

    pub(crate) fn stop(&self) -> Option<i64> {
        strategy::stop_price(&self.params, &self.state, &self.instrument).map(|p| p.0)
    }
}
