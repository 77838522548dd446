//! Every check in situations that pass and that fail, with its code and its figures.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use domain::*;
use market::Book;
use risk::{AccountRisk, CHECKS, Exposure, LiveStanding, OrderIntent, Snapshot, check};

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// Everything of a situation, owned, so that a row of the table can change any of it.
#[derive(Clone)]
struct Situation {
    instrument: Instrument,
    feed: FeedState,
    policy: Policy,
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
    reference: Option<i64>,
    breaker: Option<(&'static str, Amount, Amount)>,
    rate_unknown: Option<Currency>,
    account: Option<AccountRisk>,
    emergency_stop: bool,
    flag_off: Option<&'static str>,
    lifecycle: Lifecycle,
    holds: Vec<Hold>,
    strategy: StrategyKind,
    equity: Option<Amount>,
    cash: Amount,
    held: i64,
    position_cost: Amount,
    open_buys: Amount,
    open_orders: u32,
    own_opposite: Option<i64>,
    last_order: Option<(Side, Option<Price>, Quantity, Timestamp)>,
    first_entry: Option<(Side, Price, Timestamp)>,
    clock_off: Option<Span>,
    orders_last_second: u32,
    entries_today: u32,
    daily_loss_percent: Option<Amount>,
    edge_bp: Option<f64>,
    live: Option<LiveStanding<'static>>,
    intent: OrderIntent,
}

const NOW: Timestamp = Timestamp(1_000_000_000_000);

/// Prices to the cent around 100.00, quantities to the thousandth; an entry of 1 passes.
fn good() -> Situation {
    let id = OrderId { bot: BotId(1), seq: 1 };
    Situation {
        instrument: Instrument {
            exchange: Exchange::Kucoin,
            symbol: "SOL/USDT".parse().unwrap(),
            native: "SOL-USDT".to_owned(),
            status: InstrumentStatus::Trading,
            price_scale: 2,
            quantity_scale: 3,
            tick_size: Price(5),
            lot_size: Quantity(10),
            min_quantity: Quantity(50),
            max_quantity: Quantity(100_000),
            max_market_quantity: Some(Quantity(50_000)),
            min_price: Some(Price(100)),
            max_price: Some(Price(100_000)),
            min_notional: amount("5"),
            max_notional: Some(amount("2000")),
            percent_band: None,
            max_open_orders: Some(3),
            fees: FeeSchedule {
                maker: Rate::from_bp(10),
                taker: Rate::from_bp(10),
                in_received: false,
                places: 8,
                source: "test".to_owned(),
            },
        },
        feed: FeedState::Fresh,
        policy: Policy::default(),
        bids: vec![(9_995, 10_000), (9_990, 10_000)],
        asks: vec![(10_000, 10_000), (10_005, 10_000)],
        reference: None,
        breaker: None,
        rate_unknown: None,
        account: None,
        emergency_stop: false,
        flag_off: None,
        lifecycle: Lifecycle::Active,
        holds: vec![],
        strategy: StrategyKind::EmaCross,
        equity: Some(amount("1000")),
        cash: amount("1000"),
        held: 5_000,
        position_cost: Amount::ZERO,
        open_buys: Amount::ZERO,
        open_orders: 0,
        own_opposite: None,
        last_order: None,
        first_entry: None,
        clock_off: None,
        orders_last_second: 0,
        entries_today: 0,
        daily_loss_percent: Some(Amount::ZERO),
        edge_bp: None,
        live: None,
        intent: OrderIntent {
            id,
            account: AccountId(1),
            bot: BotId(1),
            instrument: InstrumentId(0),
            mode: Mode::Paper,
            side: Side::Buy,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Gtc,
            quantity: Quantity(1_000),
            purpose: OrderPurpose::Entry,
            at: NOW,
        },
    }
}

fn exit() -> Situation {
    let mut s = good();
    s.intent.side = Side::Sell;
    s.intent.purpose = OrderPurpose::Exit(ExitReason::Stop);
    s
}

fn limit(price: i64, post_only: bool) -> OrderKind {
    OrderKind::Limit { price: Price(price), post_only }
}

impl Situation {
    fn judge(&self) -> Result<u32, (Refusal, Vec<Refusal>)> {
        let side = |levels: &[(i64, i64)]| -> Vec<Level> {
            let level = |&(p, q)| Level { price: Price(p), quantity: Quantity(q) };
            levels.iter().map(level).collect()
        };
        let mut book = Book::default();
        book.apply(&BookUpdate {
            is_snapshot: true,
            update_id: 1,
            at: None,
            requested_at: None,
            bids: side(&self.bids),
            asks: side(&self.asks),
        });
        let snapshot = Snapshot {
            reference: self.reference.map(Price),
            breaker: self.breaker,
            rate_unknown: self.rate_unknown,
            account: self.account.as_ref(),
            feed: &self.feed,
            policy_version: 3,
            emergency_stop: self.emergency_stop,
            flag_off: self.flag_off,
            lifecycle: self.lifecycle,
            holds: self.holds.iter().copied().collect(),
            strategy: self.strategy,
            risk_mode: RiskMode::Balanced,
            equity: self.equity,
            capital: amount("1000"),
            cash: self.cash,
            held: Quantity(self.held),
            position_cost: self.position_cost,
            open_buys: self.open_buys,
            open_orders: self.open_orders,
            own_opposite: self.own_opposite.map(Price),
            last_order: self.last_order,
            first_entry: self.first_entry,
            clock_off: self.clock_off,
            orders_last_second: self.orders_last_second,
            entries_today: self.entries_today,
            daily_loss_percent: self.daily_loss_percent,
            edge_bp: self.edge_bp,
            live: self.live,
            ..risk::unlimited::snapshot(&self.instrument, &book, &self.policy)
        };
        check(self.intent, &snapshot)
            .map(|approved| {
                assert_eq!((approved.intent(), approved.policy_version()), (&self.intent, 3));
                approved.checks_passed()
            })
            .map_err(|r| (r.first, r.also.into_vec()))
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What is refused, alone, and as what.
fn refused(name: &str, situation: &Situation, refusal: Refusal) {
    assert_eq!(situation.judge(), Err((refusal, vec![])), "{name}");
}

fn passes(name: &str, situation: &Situation) {
    assert!(situation.judge().is_ok(), "{name}: {:?}", situation.judge());
}

#[test]
fn a_good_entry_passes_every_check_and_a_good_exit_those_that_apply() {
    assert_eq!(good().judge(), Ok(CHECKS.len() as u32));
    let applying = CHECKS.iter().filter(|c| !c.entries_only).count() as u32;
    assert_eq!(exit().judge(), Ok(applying));
}

#[test]
fn states_flags_and_holds_refuse_entries_by_name() {
    use Refusal as R;
    refused("stop", &good().with(|s| s.emergency_stop = true), R::EmergencyStop {});
    let off = good().with(|s| s.flag_off = Some("ENABLE_TRADING"));
    refused("flag", &off, R::FlagOff { flag: "ENABLE_TRADING".to_owned() });
    let lifecycle = Lifecycle::Stopped;
    refused("state", &good().with(|s| s.lifecycle = lifecycle), R::NotActive { lifecycle });
    for hold in Hold::ALL {
        refused("hold", &good().with(|s| s.holds = vec![hold]), R::Held { hold });
    }
}

#[test]
fn without_a_fresh_two_sided_book_nothing_is_sent() {
    let not_fresh = |state: &str| Refusal::NotFresh { state: state.to_owned() };
    for side in [good(), exit()] {
        let stale = side.clone().with(|s| s.feed = FeedState::Stale("silent".to_owned()));
        refused("stale", &stale, not_fresh("stale"));
        let crossed = side.with(|s| s.bids = vec![(10_000, 10_000)]);
        refused("crossed", &crossed, not_fresh("one-sided or crossed book"));
    }
    let wide = good().with(|s| s.bids = vec![(9_900, 10_000)]);
    let spread_bp = (10_000.0 - 9_900.0) / (10_000.0 + 9_900.0) * 20_000.0;
    refused("wide", &wide, Refusal::SpreadTooWide { spread_bp, collar_bp: 40 });
    passes("an exit is priced at the collar", &exit().with(|s| s.bids = vec![(9_900, 10_000)]));
}

#[test]
fn the_exchanges_filters_are_applied_before_it_can() {
    use Refusal as R;
    let priced = |price: i64| good().with(|s| s.intent.kind = limit(price, false));
    for price in [9_991, 95, 0, -5] {
        let (price, tick_size) = (priced(price), amount("0.05"));
        let typed = match price.intent.kind {
            OrderKind::Limit { price, .. } => price,
            OrderKind::Market => Price::ZERO,
        };
        let shown = price.instrument.price_amount(typed);
        let (first, _) = price.judge().unwrap_err();
        assert_eq!(first, R::PriceFilter { price: shown, tick_size });
    }
    passes("on the tick", &priced(9_990));
    for quantity in [0, 40, 1_005, -10] {
        let (first, _) =
            good().with(|s| s.intent.quantity = Quantity(quantity)).judge().unwrap_err();
        assert!(matches!(first, R::LotSize { .. }), "{quantity}: {first:?}");
    }
    let large = exit().with(|s| {
        (s.held, s.intent.quantity) = (100_000, Quantity(50_010));
        s.instrument.max_notional = None;
    });
    refused(
        "larger than a market order may be",
        &large,
        R::LotSize {
            quantity: amount("50.01"),
            lot_size: amount("0.01"),
            minimum: amount("0.05"),
            maximum: amount("50"),
        },
    );
    passes("as a limit", &large.with(|s| s.intent.kind = limit(9_990, false)));
    let full = priced(9_990).with(|s| s.open_orders = 3);
    refused("orders", &full, R::MaxOpenOrders { open: 3, maximum: 3 });
    let tiny = good().with(|s| s.intent.quantity = Quantity(50));
    passes("exactly the minimum", &tiny);
    let tiny = tiny.with(|s| s.intent.kind = limit(9_990, false));
    let (notional, minimum) = (amount("4.995"), amount("5"));
    refused("notional", &tiny, R::NotionalBelowMinimum { notional, minimum });
    let huge = exit().with(|s| (s.held, s.intent.quantity) = (50_000, Quantity(21_000)));
    let (notional, maximum) = (amount("2098.95"), amount("2000"));
    refused("notional", &huge, R::NotionalAboveMaximum { notional, maximum });
}

#[test]
fn an_open_breaker_and_a_missing_rate_refuse_entries_and_no_exit() {
    let open = ("account", amount("10.5"), amount("10"));
    let refusal = Refusal::CircuitBreaker {
        scope: "account".to_owned(),
        loss_percent: amount("10.5"),
        maximum_percent: amount("10"),
    };
    refused("breaker", &good().with(|s| s.breaker = Some(open)), refusal);
    passes("exit", &exit().with(|s| s.breaker = Some(open)));
    let currency: Currency = "ZAR".parse().unwrap();
    let unknown = |s: Situation| s.with(|s| s.rate_unknown = Some(currency));
    refused("rate", &unknown(good()), Refusal::RateUnknown { currency });
    passes("exit", &unknown(exit()));
}

#[test]
fn live_is_refused_by_the_accounts_day_and_shares_where_paper_is_not() {
    let mut exposure = Exposure::default();
    for (asset, value) in [("BTC", 100), ("ETH", 100), ("SOL", 60)] {
        exposure.add(asset.parse().unwrap(), Exchange::Kucoin, Amount::from_int(value));
    }
    let (quote_rate, daily_loss_percent) = (Amount::ONE, amount("6"));
    let account = AccountRisk { exposure, quote_rate, daily_loss_percent };
    let live = |mode| {
        good().with(|s| {
            (s.intent.mode, s.account) = (mode, Some(account.clone()));
            s.live = Some(LiveStanding { missing: None, size: Some(amount("1000")) });
            s.clock_off = Some(Span::ZERO);
        })
    };
    passes("paper", &live(Mode::Paper));
    let (first, also) = live(Mode::Live).judge().unwrap_err();
    let maximum_percent = amount("5");
    assert_eq!(first, Refusal::DailyLoss { loss_percent: amount("6"), maximum_percent });
    // 60 and the order of 100 are 44.4 % of 360.
    assert_eq!(also.iter().map(Refusal::code).collect::<Vec<_>>(), [RefusalCode::AssetExposure]);
    let (first, _) = live(Mode::Live).with(|s| s.account = None).judge().unwrap_err();
    assert!(matches!(first, Refusal::CheckFailed { .. }), "what is not known refuses");
}

#[test]
fn live_entries_ask_the_gate_and_keep_to_the_size_that_it_gives() {
    let account = AccountRisk {
        exposure: Exposure::default(),
        quote_rate: Amount::ONE,
        daily_loss_percent: Amount::ZERO,
    };
    let live = |standing| {
        good().with(|s| {
            (s.intent.mode, s.account, s.live) = (Mode::Live, Some(account.clone()), standing);
            s.clock_off = Some(Span::ZERO);
        })
    };
    let standing = |missing, size: &str| Some(LiveStanding { missing, size: Some(amount(size)) });
    passes("a bot that may", &live(standing(None, "1000")));
    let missing = "training".to_owned();
    refused("a gate", &live(standing(Some("training"), "1000")), Refusal::LiveGate { missing });
    let (first, _) = live(standing(None, "50")).judge().unwrap_err();
    assert!(matches!(first, Refusal::LiveSize { maximum, .. } if maximum == amount("50")));
    let (first, also) = live(None).judge().unwrap_err();
    assert_eq!(first.code(), RefusalCode::CheckFailed, "nobody asked the gate");
    assert_eq!(also.len(), 1);
    let (first, _) = live(Some(LiveStanding { missing: None, size: None })).judge().unwrap_err();
    assert_eq!(first.code(), RefusalCode::CheckFailed, "the size is not known");
    let sale = |s: Situation| s.with(|s| s.intent.mode = Mode::Live);
    passes("an exit asks for nothing", &sale(exit()));
}

#[test]
fn a_price_outside_the_band_of_its_side_is_refused_with_the_band() {
    let band = PercentBand {
        bid_up: Rate::from_percent(110),
        bid_down: Rate::from_percent(90),
        ask_up: Rate::from_percent(120),
        ask_down: Rate::from_percent(95),
        average_minutes: 5,
    };
    let banded = |s: Situation, price: i64| {
        s.with(|s| {
            (s.instrument.percent_band, s.reference) = (Some(band), Some(10_000));
            s.intent.kind = limit(price, false);
        })
    };
    passes("its lower end", &banded(good(), 9_000));
    let [price, lowest, highest] = ["89.95", "90", "110"].map(amount);
    let refusal = Refusal::PercentPrice { price, lowest, highest };
    refused("under it", &banded(good(), 8_995), refusal);
    passes("the other side's upper end", &banded(exit(), 12_000));
    let [price, lowest, highest] = ["120.05", "95", "120"].map(amount);
    let refusal = Refusal::PercentPrice { price, lowest, highest };
    refused("over it", &banded(exit(), 12_005), refusal);
    let unknown = banded(good(), 9_000).with(|s| s.reference = None);
    assert!(matches!(unknown.judge().unwrap_err().0, Refusal::CheckFailed { .. }));
    let market = good().with(|s| (s.instrument.percent_band, s.reference) = (Some(band), Some(1)));
    let (first, _) = market.judge().unwrap_err();
    assert!(matches!(first, Refusal::NotionalBelowMinimum { .. }), "valued at the reference");
}

#[test]
fn a_halted_instrument_takes_nothing_and_a_post_only_one_what_rests() {
    for status in [InstrumentStatus::Halted, InstrumentStatus::CancelOnly] {
        for side in [good(), exit()] {
            let halted = side.with(|s| s.instrument.status = status);
            refused("halted", &halted, Refusal::InstrumentHalted { status });
        }
    }
    let status = InstrumentStatus::PostOnly;
    let post_only = good().with(|s| s.instrument.status = status);
    refused("market", &post_only, Refusal::InstrumentHalted { status });
    passes("resting", &post_only.with(|s| s.intent.kind = limit(9_990, true)));
}

#[test]
fn size_and_price_are_bounded_against_fat_fingers() {
    use Refusal as R;
    let far = |price| good().with(|s| s.intent.kind = limit(price, false));
    passes("at the collar", &far(10_200));
    let refusal = R::PriceCollar { price: amount("102.05"), limit: amount("102") };
    refused("beyond", &far(10_205), refusal);
    passes("a passive price just waits", &far(5_000));
    let sale = |price| exit().with(|s| s.intent.kind = limit(price, false));
    passes("exits have twice the room", &sale(9_600));
    let refusal = R::PriceCollar { price: amount("95.9"), limit: amount("95.97") };
    refused("beyond", &sale(9_590), refusal);
    let large = good().with(|s| s.policy.order_size_max_percent = Amount::from_int(9));
    let refusal = R::OrderTooLarge { notional: amount("100"), maximum: amount("90") };
    refused("size", &large, refusal);
    let thin = good().with(|s| s.asks = vec![(10_000, 1_990), (10_300, 90_000)]);
    let refusal = R::DepthShare {
        quantity: amount("1"),
        visible: amount("1.99"),
        maximum_percent: amount("50"),
    };
    refused("depth inside the collar", &thin, refusal);
    passes("half of it", &thin.with(|s| s.asks[0].1 = 2_000));
}

#[test]
fn nobody_sells_what_is_not_held_or_spends_what_is_not_there() {
    use Refusal as R;
    let refusal = R::NotHeld { quantity: amount("1"), held: amount("0.99") };
    refused("short", &exit().with(|s| s.held = 990), refusal);
    passes("all", &exit().with(|s| s.held = 1_000));
    // 102 at the collar, 0.1 % of it, and the rounding of fees and notionals in a hundred fills.
    let needed = amount("102.1020010001");
    let poor = good().with(|s| s.cash = needed - Amount::from_atoms(1));
    refused("poor", &poor, R::InsufficientFunds { needed, available: poor.cash });
    passes("just enough", &good().with(|s| s.cash = needed));
}

#[test]
fn duplicates_self_matches_and_floods_are_refused() {
    use Refusal as R;
    let before = |ms| Some((Side::Buy, None, Quantity(1_000), NOW - Span::from_millis(ms)));
    let refusal = R::Duplicate { age_ms: 499, window_ms: 500 };
    refused("again", &good().with(|s| s.last_order = before(499)), refusal);
    passes("later", &good().with(|s| s.last_order = before(500)));
    passes(
        "another size",
        &good().with(|s| {
            s.last_order = before(1);
            s.intent.quantity = Quantity(990);
        }),
    );
    let own = good().with(|s| {
        s.own_opposite = Some(9_995);
        s.intent.kind = limit(9_995, false);
    });
    refused("self", &own, R::SelfMatch { price: amount("99.95") });
    // 30 % of five are kept for exits.
    let busy = good().with(|s| s.orders_last_second = 3);
    refused("rate", &busy, R::OrderRate { in_last_second: 3, maximum: 3 });
    passes("exits have room", &exit().with(|s| s.orders_last_second = 5));
    for (kind, maximum) in [
        (StrategyKind::EmaCross, 50),
        (StrategyKind::Grid, 500),
        (StrategyKind::MarketMaking, 5_000),
    ] {
        let full = good().with(|s| (s.strategy, s.entries_today) = (kind, maximum));
        refused("day", &full, R::EntriesPerDay { today: maximum, maximum });
    }
}

#[test]
fn entries_do_not_follow_a_price_that_runs_away() {
    use Refusal as R;
    let ran = |first: i64, seconds| {
        let at = NOW - Span::from_secs(seconds);
        good().with(|s| s.first_entry = Some((Side::Buy, Price(first), at)))
    };
    // The ask is 100.00; 1 % above 99.01 is 100.0001.
    passes("one percent above the first", &ran(9_901, 299));
    let refusal = |price: &str, worse_bp| R::Chasing {
        price: amount(price),
        first: amount("99"),
        worse_bp,
        maximum_bp: 100,
        window_s: 300,
    };
    let (price, first) = (10_000.0, 9_900.0);
    let worse_bp = |price: f64| (price - first) * 1e4 / first;
    refused("more than that", &ran(9_900, 299), refusal("100", worse_bp(price)));
    passes("the window is over", &ran(9_900, 300));
    passes("a better price is nobody's chase", &ran(20_000, 1));
    let limit_at =
        |price, post_only| ran(9_900, 1).with(|s| s.intent.kind = limit(price, post_only));
    refused("a limit that takes", &limit_at(10_010, false), refusal("100.1", worse_bp(10_010.0)));
    passes("a limit that rests", &limit_at(9_999 / 5 * 5, false));
    passes("a post-only order", &limit_at(9_990, true));
    let sold = exit().with(|s| s.first_entry = Some((Side::Sell, Price(50_000), NOW)));
    passes("an exit has to get out", &sold);
}

/// Whatever the prices: with a first price in the window, what is let through is within the limit of
/// it, and a row of entries climbs no faster than that.
#[test]
fn a_row_of_entries_climbs_by_no_more_than_the_limit_in_a_window() {
    use rand::{Rng, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    for _ in 0..2_000 {
        let (mut first, mut ask, mut let_through) = (None::<i64>, 10_000i64, 0);
        for step in 0..20 {
            ask = (ask + random.random_range(-3..=8) * 5).max(5_000);
            let price = *first.get_or_insert(ask);
            let situation = good().with(|s| {
                (s.asks, s.bids) = (vec![(ask, 10_000)], vec![(ask - 5, 10_000)]);
                s.first_entry = Some((Side::Buy, Price(price), NOW - Span::from_secs(step)));
            });
            let is_chase = (ask - price) * 100 > price;
            let answer = situation.judge();
            let_through += u32::from(answer.is_ok());
            match answer {
                Ok(_) => assert!(!is_chase, "{ask} after {price}"),
                Err((refusal, _)) => {
                    assert!(is_chase, "{ask} after {price}: {refusal:?}");
                    assert_eq!(refusal.code(), RefusalCode::Chasing);
                }
            }
        }
        assert!(let_through > 0, "the first is none");
    }
}

#[test]
fn a_clock_that_is_off_or_unknown_in_live_refuses_entries() {
    use Refusal as R;
    let off = |ms| good().with(|s| s.clock_off = Some(Span::from_millis(ms)));
    passes("at the limit", &off(1_000));
    refused("beyond", &off(1_001), R::ClockSkew { off_ms: 1_001, maximum_ms: 1_000 });
    passes("not measured, on paper", &good());
    let live = good().with(|s| {
        s.intent.mode = Mode::Live;
        s.live = Some(LiveStanding { missing: None, size: Some(amount("1000")) });
        s.account = Some(AccountRisk {
            exposure: Exposure::default(),
            quote_rate: Amount::ONE,
            daily_loss_percent: Amount::ZERO,
        });
    });
    refused("not measured, live", &live, R::ClockUnknown { exchange: Exchange::Kucoin });
    passes("measured", &live.clone().with(|s| s.clock_off = Some(Span::ZERO)));
    passes("an exit", &exit().with(|s| s.clock_off = Some(Span::from_secs(60))));
}

#[test]
fn a_feed_that_resyncs_refuses_by_its_own_word_entries_and_exits_alike() {
    for side in [good(), exit()] {
        for (feed, state) in [
            (FeedState::Resyncing("gap of 3 updates".to_owned()), "resyncing"),
            (FeedState::Stale("silent for 5 s".to_owned()), "stale"),
        ] {
            let refusal = Refusal::NotFresh { state: state.to_owned() };
            refused(state, &side.clone().with(|s| s.feed = feed.clone()), refusal);
        }
    }
}

#[test]
fn loss_position_and_edge_are_limits_of_entries() {
    use Refusal as R;
    let (loss_percent, maximum_percent) = (amount("5"), amount("5"));
    let lost = good().with(|s| s.daily_loss_percent = Some(loss_percent));
    refused("loss", &lost, R::DailyLoss { loss_percent, maximum_percent });
    passes("a hair less", &good().with(|s| s.daily_loss_percent = Some(amount("4.999"))));
    let full = good().with(|s| (s.position_cost, s.open_buys) = (amount("200"), amount("50.01")));
    let refusal = R::PositionLimit { would_be: amount("350.01"), maximum: amount("350") };
    refused("position", &full, refusal);
    let grid = full.with(|s| s.strategy = StrategyKind::Grid);
    passes("a grid is bounded by order and by capital", &grid);
    let refusal = R::PositionLimit { would_be: amount("1000.01"), maximum: amount("1000") };
    refused("capital", &grid.with(|s| s.position_cost = amount("850")), refusal);
    let (first, _) = good().with(|s| s.edge_bp = Some(20.0)).judge().unwrap_err();
    assert_eq!(first.code(), RefusalCode::EdgeTooSmall, "fees 20 bp and the spread");
    passes("edge", &good().with(|s| s.edge_bp = Some(26.0)));
}

#[test]
fn the_first_failing_check_names_the_refusal_and_the_rest_follow_in_order() {
    let worst = good().with(|s| {
        s.emergency_stop = true;
        s.flag_off = Some("ENABLE_TRADING");
        s.lifecycle = Lifecycle::Retired;
        s.holds = vec![Hold::Rogue];
        s.feed = FeedState::Stale("silent".to_owned());
        s.bids = vec![(9_000, 10)];
        s.instrument.status = InstrumentStatus::Halted;
        s.intent.quantity = Quantity(99_995);
        s.cash = Amount::ZERO;
        s.last_order = Some((Side::Buy, None, Quantity(99_995), NOW));
        s.first_entry = Some((Side::Buy, Price(5_000), NOW));
        s.clock_off = Some(Span::from_secs(2));
        s.orders_last_second = 9;
        s.entries_today = 99;
        s.daily_loss_percent = Some(amount("9"));
        s.edge_bp = Some(1.0);
    });
    let (first, also) = worst.judge().unwrap_err();
    use RefusalCode as C;
    assert_eq!(first.code(), C::EmergencyStop);
    let also: Vec<C> = also.iter().map(Refusal::code).collect();
    let expected = [
        C::FlagOff,
        C::NotActive,
        C::Held,
        C::NotFresh,
        C::SpreadTooWide,
        C::ClockSkew,
        C::InstrumentHalted,
        C::LotSize,
        C::OrderTooLarge,
        C::DepthShare,
        C::Chasing,
        C::InsufficientFunds,
        C::Duplicate,
        C::OrderRate,
        C::EntriesPerDay,
        C::DailyLoss,
        C::PositionLimit,
        C::NotionalAboveMaximum,
        C::EdgeTooSmall,
    ];
    assert_eq!(also, expected);
}

#[test]
fn exits_skip_flags_holds_counts_loss_edge_and_exposure_and_nothing_else() {
    let free = exit().with(|s| {
        s.emergency_stop = true;
        s.flag_off = Some("ENABLE_TRADING");
        s.lifecycle = Lifecycle::Stopped;
        s.holds = Hold::ALL.to_vec();
        s.first_entry = Some((Side::Sell, Price(99_999), NOW));
        s.clock_off = Some(Span::from_secs(60));
        s.orders_last_second = 99;
        s.entries_today = 9_999;
        s.daily_loss_percent = None;
        s.equity = None;
        s.position_cost = amount("99999");
        s.edge_bp = Some(0.0);
        s.cash = Amount::ZERO;
        s.breaker = Some(("fleet", amount("16"), amount("15")));
        s.rate_unknown = Some("ZAR".parse().unwrap());
    });
    passes("an exit", &free);
    let skipped: Vec<&str> = CHECKS.iter().filter(|c| c.entries_only).map(|c| c.name).collect();
    let may_skip = [
        "emergency_stop",
        "flags",
        "lifecycle",
        "holds",
        "breaker",
        "spread",
        "clock",
        "depth_share",
        "chasing",
        "order_rate",
        "entries_per_day",
        "rates",
        "daily_loss",
        "position",
        "exposure",
        "edge",
        "live_gate",
        "live_size",
    ];
    assert_eq!(skipped, may_skip);
}

#[test]
fn what_cannot_be_evaluated_refuses() {
    let unknown = good().with(|s| s.equity = None);
    let (first, also) = unknown.judge().unwrap_err();
    assert_eq!(first.code(), RefusalCode::CheckFailed);
    assert!(also.iter().all(|r| r.code() == RefusalCode::CheckFailed) && !also.is_empty());
    let (first, _) = good().with(|s| s.daily_loss_percent = None).judge().unwrap_err();
    let (check, reason) = ("daily_loss".to_owned(), "no mark".to_owned());
    assert_eq!(first, Refusal::CheckFailed { check, reason });
}
