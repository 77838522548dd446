//! Closed bars as the only data: where orders and exits fill, and that nothing knows a bar's end.

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use common::*;
use domain::*;
use engine::NewBot;
use proptest::prelude::*;

/// Open, high, low, close in cents, and volume in whole coins.
type Row = (i64, i64, i64, i64, i64);

fn quiet(price: i64) -> Row {
    (price, price, price, price, 1_000)
}

struct Bars {
    rig: Rig,
    id: InstrumentId,
    next: Timestamp,
    told: Vec<Bar>,
    half_spread: Price,
}

impl Bars {
    /// A bot on minutes, its feed fresh and of bars.
    fn with(change: impl FnOnce(&mut NewBot)) -> Self {
        let (mut rig, account) = Rig::funded(wide());
        let mut request = bot("b", "binance", StrategyKind::Dca, "{\"safety_orders\":0}");
        request.timeframe = Some(Timeframe::M1);
        request.exits = Some(Exits::default());
        change(&mut request);
        rig.create(account, request).unwrap();
        let id = rig.engine.instrument_id(Exchange::Binance, "BTC/USDT".parse().unwrap()).unwrap();
        let (state, grade) = (FeedState::Fresh, DataGrade::Bars);
        rig.market(id, MarketEvent::Feed { state, grade });
        let next = rig.now.floor(Span::from_secs(60)) + Span::from_secs(60);
        Self { rig, id, next, told: vec![], half_spread: Price::ZERO }
    }

    fn tell(&mut self, (open, high, low, close, volume): Row) {
        let bar = Bar {
            open_at: self.next,
            open: Price(open),
            high: Price(high),
            low: Price(low),
            close: Price(close),
            volume: Quantity(volume * 100_000_000),
            prints: 1,
        };
        let closed = ClosedBar { timeframe: Timeframe::M1, bar, half_spread: self.half_spread };
        self.next = closed.closed_at();
        self.rig.now = self.next;
        self.rig.market(self.id, MarketEvent::Bar(closed));
        self.told.push(bar);
    }

    /// Decides on the first bar, buys at the third one's open.
    fn bought_at(change: impl FnOnce(&mut NewBot), price: i64) -> Self {
        let mut bars = Self::with(change);
        for _ in 0..3 {
            bars.tell(quiet(price));
        }
        assert_eq!(bars.rig.fills().len(), 1, "{:?}", bars.rig.refusals());
        bars
    }

    fn prices(&self) -> Vec<String> {
        self.rig.fills().iter().map(|f| f.price.to_string()).collect()
    }
}

fn half(request: &mut NewBot) {
    let stop_percent = Some(Amount::from_int(50));
    request.exits = Some(Exits { stop_percent, ..Exits::default() });
}

#[test]
fn an_order_is_in_from_the_first_bar_that_opens_after_its_arrival() {
    let mut bars = Bars::with(|_| ());
    bars.tell(quiet(20_000));
    // Decided at this bar's open, it arrives 50 ms later: not in this one.
    bars.tell((20_100, 20_200, 20_000, 20_150, 1_000));
    assert_eq!(bars.rig.fills().len(), 0);
    bars.tell(quiet(20_300));
    let fill = bars.rig.fills()[0];
    assert_eq!((fill.price, fill.at), (amount("203"), bars.told[2].open_at));
    assert_eq!((fill.grade, fill.liquidity), (DataGrade::Bars, Liquidity::Taker));
}

#[test]
fn a_stop_over_the_next_open_fills_at_the_open() {
    let mut bars = Bars::bought_at(half, 20_000);
    bars.tell((20_000, 20_000, 10_400, 10_500, 1_000));
    bars.tell((9_000, 9_500, 8_800, 9_400, 1_000));
    assert_eq!(bars.prices(), ["200", "90"]);
    assert_eq!(bars.rig.trades()[0].exit_reason, ExitReason::Stop);
}

#[test]
fn a_stop_inside_a_bar_fills_at_the_stop() {
    let mut bars = Bars::bought_at(half, 20_000);
    bars.tell((20_000, 20_000, 9_000, 15_000, 1_000));
    assert_eq!(bars.prices(), ["200", "100"]);
    let trade = bars.rig.trades()[0];
    assert_eq!(trade.timestamp, bars.next, "no earlier than its bar is known");
}

#[test]
fn stop_and_target_in_one_bar_are_the_loss() {
    let both = |request: &mut NewBot| {
        let fifty = Some(Amount::from_int(50));
        let exits = Exits { stop_percent: fifty, target_percent: fifty, ..Exits::default() };
        request.exits = Some(exits);
    };
    let mut bars = Bars::bought_at(both, 20_000);
    bars.tell((20_000, 40_000, 9_000, 35_000, 1_000));
    assert_eq!(bars.prices(), ["200", "100"]);
    let mut bars = Bars::bought_at(both, 20_000);
    bars.tell((20_000, 40_000, 10_001, 35_000, 1_000));
    assert_eq!(bars.prices(), ["200", "300"], "the target alone");
    let mut bars = Bars::bought_at(both, 20_000);
    bars.tell((20_000, 30_000, 10_001, 25_000, 1_000));
    assert_eq!(bars.prices(), ["200"], "touched is not filled");
}

#[test]
fn a_trailing_stop_follows_the_high_and_is_reached_by_the_low_of_the_same_bar() {
    let trailing = |request: &mut NewBot| {
        let trail_percent = Some(Amount::from_int(10));
        request.exits = Some(Exits { trail_percent, ..Exits::default() });
    };
    let mut bars = Bars::bought_at(trailing, 20_000);
    bars.tell((20_000, 30_000, 28_000, 29_000, 1_000));
    assert_eq!(bars.prices().len(), 1, "27,000 was not reached");
    bars.tell((29_000, 40_000, 35_000, 39_000, 1_000));
    assert_eq!(bars.prices(), ["200", "360"]);
    assert_eq!(bars.rig.trades()[0].exit_reason, ExitReason::Trail);
}

#[test]
fn a_bar_without_volume_fills_nothing() {
    let mut bars = Bars::with(half);
    for _ in 0..2 {
        bars.tell(quiet(20_000));
    }
    bars.tell((20_000, 20_000, 20_000, 20_000, 0));
    assert_eq!(bars.rig.fills().len(), 0);
    let last = bars.rig.last_orders()[0].clone();
    assert_eq!(last.status, OrderStatus::Expired, "a market order does not wait");
}

#[test]
fn a_buy_pays_the_open_half_the_spread_and_an_impact_inside_the_bar() {
    let mut bars = Bars::with(|_| ());
    bars.half_spread = Price(5);
    bars.tell(quiet(20_000));
    bars.tell(quiet(20_000));
    // 3,500 at 200 are some 17.5 coins of 1,000: the impact is 400 × √0.0175 = 52 cents and more.
    bars.tell((20_000, 20_400, 20_000, 20_000, 1_000));
    let price = bars.rig.fills()[0].price;
    assert!(price > amount("200.05") && price < amount("200.70"), "{price}");
    let mut bars = Bars::with(|_| ());
    bars.half_spread = Price(50);
    bars.tell(quiet(20_000));
    bars.tell(quiet(20_000));
    bars.tell((20_000, 20_010, 19_000, 20_000, 1_000));
    assert_eq!(bars.prices(), ["200.1"], "never over the high");
}

#[test]
fn a_limit_needs_a_tick_through_it_and_gets_a_tenth_of_the_volume() {
    let safety = |request: &mut NewBot| {
        let params = "{\"safety_orders\":1,\"deviation_percent\":10}";
        request.strategy.params = serde_json::from_str(params).unwrap();
    };
    let mut bars = Bars::bought_at(safety, 20_000);
    let resting = |bars: &Bars| {
        bars.rig.last_orders().iter().filter_map(|o| o.limit_price).next().expect("a limit")
    };
    let limit = resting(&bars);
    let at = i64::try_from(limit.atoms() / 10_000_000_000).unwrap();
    for _ in 0..2 {
        bars.tell(quiet(20_000));
    }
    bars.tell((20_000, 20_000, at, 20_000, 1_000));
    assert_eq!(bars.rig.fills().len(), 1, "touched at {at}");
    bars.tell((20_000, 20_000, at - 1, 20_000, 10));
    let fill = (*bars.rig.fills()[1]).clone();
    assert_eq!((fill.price, fill.quantity), (limit, amount("1")), "a tenth of 10");
    assert_eq!(fill.liquidity, Liquidity::Maker);
}

#[test]
fn longer_bars_are_made_of_shorter_ones() {
    let mut bars = Bars::with(|request| request.timeframe = Some(Timeframe::M5));
    let start = bars.next.floor(Span::from_secs(300)) + Span::from_secs(300);
    while bars.next < start {
        bars.tell(quiet(20_000));
    }
    for _ in 0..4 {
        bars.tell(quiet(20_000));
    }
    assert_eq!(bars.rig.orders().len(), 0, "its five minutes are not over");
    bars.tell(quiet(20_000));
    assert_eq!(bars.rig.orders().len(), 1);
}

fn row() -> impl Strategy<Value = (i64, i64, i64, i64, i64)> {
    (-600i64..600, 0i64..500, 0i64..500, 0i64..1_000, 0i64..40)
}

/// A chain of bars that gap, jump and stand still.
fn chain(steps: &[(i64, i64, i64, i64, i64)]) -> Vec<Row> {
    let mut price = 20_000i64;
    let of = |(gap, up, down, end, volume): &(i64, i64, i64, i64, i64)| {
        let open = (price + gap).max(1_000);
        let (high, low) = (open + up, (open - down).max(100));
        price = low + (high - low) * end / 1_000;
        (open, high, low, price, *volume)
    };
    steps.iter().map(of).collect()
}

fn kinds() -> impl Strategy<Value = (StrategyKind, &'static str)> {
    prop::sample::select(vec![
        (StrategyKind::Dca, "{\"safety_orders\":3,\"deviation_percent\":1}"),
        (StrategyKind::Grid, "{\"range_percent\":5,\"levels\":6}"),
        (StrategyKind::EmaCross, "{\"fast\":2,\"slow\":4}"),
        (StrategyKind::MarketMaking, "{}"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Invariant 10, and that limits and market orders came in time.
    #[test]
    fn fills_are_inside_their_bar_and_never_before_arrival(
        steps in prop::collection::vec(row(), 20..120),
        (kind, params) in kinds(),
        half_spread in 0i64..30,
    ) {
        let mut bars = Bars::with(|request| {
            request.strategy = StrategyConfig {
                kind, params: serde_json::from_str(params).unwrap(),
            };
            let percent = |n| Some(Amount::from_int(n));
            request.exits = Some(Exits {
                stop_percent: percent(3), target_percent: percent(2), trail_percent: percent(2),
                time_limit_s: None,
            });
        });
        bars.half_spread = Price(half_spread);
        for row in chain(&steps) {
            bars.tell(row);
        }
        let rig = &bars.rig;
        for fill in rig.fills() {
            let order = rig.orders().into_iter().find(|o| o.id == fill.order_id).unwrap();
            let is_at_open = fill.liquidity == Liquidity::Taker && fill.at != order.created_at;
            let bar = bars.told.iter().find(|b| match is_at_open {
                true => b.open_at == fill.at,
                false => b.open_at + Span::from_secs(60) == fill.at,
            }).expect("a bar of its own");
            let price = i64::try_from(fill.price.atoms() / 10_000_000_000).unwrap();
            prop_assert!(bar.low.0 <= price && price <= bar.high.0, "{price} outside {bar:?}");
            prop_assert!(bar.volume.is_positive());
            prop_assert!(!is_at_open || bar.open_at >= order.created_at + fill.round_trip);
            if fill.liquidity == Liquidity::Maker {
                prop_assert!(bar.open_at >= order.created_at + fill.round_trip);
                let limit = order.limit_price.unwrap().atoms() / 10_000_000_000;
                let limit = i64::try_from(limit).unwrap();
                prop_assert_eq!(price, limit.clamp(bar.low.0, bar.high.0));
                let is_buy = fill.side == Side::Buy;
                let is_through = if is_buy { bar.low.0 < price } else { bar.high.0 > price };
                prop_assert!(is_through, "{:?}", bar);
            }
        }
        for bar in &bars.told {
            let closed_at = bar.open_at + Span::from_secs(60);
            let makers = rig.fills().into_iter()
                .filter(|f| f.liquidity == Liquidity::Maker && f.at == closed_at)
                .map(|f| f.quantity).sum::<Amount>();
            let tenth = Amount::from_scaled(i128::from(bar.volume.0 / 10), 8, Round::Down);
            prop_assert!(makers <= tenth, "{makers} of {tenth}");
        }
    }

    /// Changing what comes after a bar changes nothing up to it.
    #[test]
    fn the_future_changes_nothing_before_it(
        steps in prop::collection::vec(row(), 30..80),
        others in prop::collection::vec(row(), 10),
        (kind, params) in kinds(),
    ) {
        let cut = steps.len() - 10;
        let run = |steps: &[(i64, i64, i64, i64, i64)]| {
            let mut bars = Bars::with(|request| {
                request.strategy = StrategyConfig {
                    kind, params: serde_json::from_str(params).unwrap(),
                };
                request.exits = Some(Exits {
                    stop_percent: Some(Amount::from_int(2)), ..Exits::default()
                });
            });
            let mut told = 0;
            for (i, row) in chain(steps).into_iter().enumerate() {
                bars.tell(row);
                if i + 1 == cut {
                    told = bars.rig.out.len();
                }
            }
            bars.rig.out.truncate(told);
            bars.rig.out
        };
        let changed: Vec<_> = steps[..cut].iter().chain(&others).copied().collect();
        prop_assert_eq!(run(&steps), run(&changed));
    }
}
