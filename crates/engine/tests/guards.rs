//! Stops, collars, stale feeds, resting orders: what happens to orders and positions.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;

/// A DCA bot buys at once: the simplest way to a position.
fn buyer(name: &str, exits: Exits) -> NewBot {
    let params = r#"{"safety_orders":0,"interval_bars":10000,"target_percent":50}"#;
    NewBot { exits: Some(exits), ..bot(name, "binance", StrategyKind::Dca, params) }
}

fn stop_at(percent: i64) -> Exits {
    Exits { stop_percent: Some(Amount::from_int(percent)), ..Exits::default() }
}

/// A rig whose one bot holds a position bought at the mid.
fn holding(exits: Exits) -> (Rig, Feed, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(Policy::default());
    let id = rig.create(account, buyer("one", exits)).unwrap();
    let mut feed = feed(&rig);
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(100);
    assert!(rig.view(id).position.is_some(), "{}", rig.view(id).doing);
    (rig, feed, account, id)
}

fn feed(rig: &Rig) -> Feed {
    let symbol = "BTC/USDT".parse().unwrap();
    Feed::new(rig.engine.instrument_id(Exchange::Binance, symbol).unwrap())
}

fn is_flat(rig: &Rig, bot: BotId) -> bool {
    rig.view(bot).position.is_none()
}

#[test]
fn a_stop_fires_on_the_bid_and_pays_latency() {
    let (mut rig, mut feed, _, bot) = holding(stop_at(2));
    feed.around(&mut rig, MID * 99 / 100);
    rig.pass(2_000);
    assert!(!is_flat(&rig, bot), "one percent down is no stop");
    let fired_at = rig.now;
    feed.around(&mut rig, MID * 97 / 100);
    assert!(!is_flat(&rig, bot), "the order is on its way");
    rig.pass(60);
    assert!(is_flat(&rig, bot));
    let trade = rig.trades()[0];
    assert_eq!(trade.exit_reason, ExitReason::Stop);
    assert_eq!(trade.exit_at, fired_at + Span::from_millis(50));
    assert_eq!(trade.exit_price, amount("9699.99"));
    audit(&rig.out);
}

#[test]
fn target_trail_and_time_fire_by_their_names() {
    let percent = |n| Some(Amount::from_int(n));
    let table = [
        (Exits { target_percent: percent(2), ..Exits::default() }, 103, ExitReason::Target),
        (Exits { trail_percent: percent(3), ..Exits::default() }, 96, ExitReason::Trail),
        (Exits { time_limit_s: Some(60), ..Exits::default() }, 100, ExitReason::Time),
    ];
    for (exits, percent, reason) in table {
        let (mut rig, mut feed, _, bot) = holding(exits);
        feed.around(&mut rig, MID * percent / 100);
        rig.pass(61_000);
        assert!(is_flat(&rig, bot), "{reason:?}");
        assert_eq!(rig.trades()[0].exit_reason, reason);
    }
}

#[test]
fn a_trailing_stop_follows_the_high_and_a_changed_one_applies_to_the_open_position() {
    let trail = |n| Exits { trail_percent: Some(Amount::from_int(n)), ..Exits::default() };
    let (mut rig, mut feed, account, bot) = holding(trail(10));
    feed.around(&mut rig, MID * 110 / 100);
    rig.pass(100);
    let patch = BotPatch { exits: Some(trail(3)), ..BotPatch::default() };
    rig.order(Some(account), Command::UpdateBot { bot, patch }).unwrap();
    feed.around(&mut rig, MID * 108 / 100);
    rig.pass(100);
    assert!(!is_flat(&rig, bot), "1.8 % under the high");
    feed.around(&mut rig, MID * 106 / 100);
    rig.pass(100);
    assert!(is_flat(&rig, bot), "3.6 % under the high");
    assert_eq!(rig.trades()[0].exit_reason, ExitReason::Trail);
}

#[test]
fn a_paused_bot_keeps_its_stop() {
    let (mut rig, mut feed, account, bot) = holding(stop_at(2));
    rig.order(Some(account), Command::Pause(bot)).unwrap();
    feed.around(&mut rig, MID * 97 / 100);
    rig.pass(100);
    assert!(is_flat(&rig, bot));
    assert_eq!(rig.trades()[0].exit_reason, ExitReason::Stop);
}

#[test]
fn a_stop_waits_for_a_fresh_feed_and_says_that_nothing_is_guarded() {
    let (mut rig, mut feed, _, bot) = holding(stop_at(2));
    feed.stale(&mut rig);
    rig.pass(25_000);
    let alerts = rig.out.iter().filter(|o| matches!(o, Output::Alert { .. })).count();
    assert_eq!(alerts, 1, "told once");
    assert!(rig.view(bot).doing.starts_with("UNGUARDED"), "{}", rig.view(bot).doing);
    feed.around(&mut rig, MID * 95 / 100);
    rig.pass(100);
    assert!(is_flat(&rig, bot));
    assert_eq!(rig.trades()[0].exit_price, amount("9499.99"), "what there was, not the stop");
}

#[test]
fn prints_fetched_after_a_gap_arm_the_stop_that_they_crossed() {
    let (mut rig, mut feed, _, bot) = holding(stop_at(2));
    feed.stale(&mut rig);
    rig.pass(5_000);
    let at = rig.now - Span::from_secs(3);
    for (n, price) in [MID, MID * 96 / 100, MID].into_iter().enumerate() {
        let print = Print {
            id: 100 + n as u64,
            price: Price(price),
            quantity: Quantity(1_000),
            taker_side: Side::Sell,
            at: at + Span::from_millis(n as i64),
            backfilled: true,
        };
        rig.market(feed.id, MarketEvent::Print(print));
    }
    assert!(!is_flat(&rig, bot), "no price, no trade");
    feed.around(&mut rig, MID);
    rig.pass(1_100);
    assert!(is_flat(&rig, bot), "{}", rig.view(bot).doing);
    assert_eq!(rig.trades()[0].exit_reason, ExitReason::Stop);
}

#[test]
fn a_live_book_is_not_overwritten_by_prints_of_before() {
    let (mut rig, mut feed, _, _) = holding(stop_at(2));
    feed.around(&mut rig, MID);
    let print = Print {
        id: 900,
        price: Price(MID / 2),
        quantity: Quantity(1),
        taker_side: Side::Sell,
        at: rig.now - Span::from_secs(5),
        backfilled: true,
    };
    rig.market(feed.id, MarketEvent::Print(print));
    let market = rig.engine.markets().remove(0);
    assert_eq!(market.best_bid, Some(amount("9999.99")));
}

#[test]
fn an_exit_outside_the_spread_collar_rests_at_the_collar_and_is_priced_again() {
    let (mut rig, mut feed, account, bot) = holding(stop_at(2));
    // 1 % wide: the collar is 0.4 % under the ask.
    let wide = |mid: i64| ([(mid - 10_000, 10_000_000_000)], [(mid, 10_000_000_000)]);
    let (bids, asks) = wide(MID);
    feed.depth(&mut rig, true, &bids, &asks);
    rig.order(Some(account), Command::Flatten(bot)).unwrap();
    rig.pass(100);
    let sells: Vec<_> = rig.last_orders().into_iter().filter(|o| o.side == Side::Sell).collect();
    assert_eq!(sells[0].limit_price, Some(amount("9960")));
    assert_eq!(sells[0].status, OrderStatus::Open);
    let (bids, asks) = wide(MID - 20_000);
    feed.depth(&mut rig, true, &bids, &asks);
    rig.pass(3_000);
    let sells: Vec<_> = rig.last_orders().into_iter().filter(|o| o.side == Side::Sell).collect();
    assert_eq!(sells[0].status, OrderStatus::Cancelled);
    assert!(sells.len() > 1, "never dropped");
    assert_eq!(sells.last().unwrap().limit_price, Some(amount("9760.8")));
    feed.around(&mut rig, MID - 20_000);
    rig.pass(2_000);
    assert!(is_flat(&rig, bot), "{}", rig.view(bot).doing);
    assert_eq!(rig.trades()[0].exit_reason, ExitReason::Manual);
    audit(&rig.out);
}

#[test]
fn an_exit_larger_than_the_book_goes_on_until_it_is_flat() {
    let (mut rig, mut feed, account, bot) = holding(stop_at(2));
    let thin = |feed: &mut Feed, rig: &mut Rig, n: i64| {
        feed.depth(rig, true, &[(MID - n, 5_000_000)], &[(MID + 1, 5_000_000)]);
    };
    thin(&mut feed, &mut rig, 1);
    rig.order(Some(account), Command::Flatten(bot)).unwrap();
    for n in 2..14 {
        rig.pass(1_000);
        thin(&mut feed, &mut rig, n);
    }
    assert!(is_flat(&rig, bot), "{}", rig.view(bot).doing);
    assert!(rig.trades().len() > 2, "each exit order that ends with fills is a trade");
    audit(&rig.out);
}

fn grid(name: &str) -> NewBot {
    let params = r#"{"range_percent":4,"levels":4}"#;
    bot(name, "binance", StrategyKind::Grid, params)
}

fn resting(rig: &Rig) -> usize {
    rig.last_orders().iter().filter(|o| o.status == OrderStatus::Open).count()
}

/// A rig whose one grid has three buys resting, the first at 9991.97.
fn with_grid() -> (Rig, Feed, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(wide());
    let id = rig.create(account, grid("grid")).unwrap();
    let mut feed = feed(&rig);
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(200);
    assert_eq!(resting(&rig), 3, "{}", rig.view(id).doing);
    (rig, feed, account, id)
}

/// The price falls through the first line.
fn fall(feed: &mut Feed, rig: &mut Rig) {
    feed.around(rig, MID * 995 / 1_000);
    rig.pass(200);
}

#[test]
fn resting_orders_fill_from_the_market_and_sell_one_line_higher() {
    let (mut rig, mut feed, _, bot) = with_grid();
    fall(&mut feed, &mut rig);
    let bought: Vec<_> = rig.fills().into_iter().cloned().collect();
    assert_eq!(bought.len(), 1, "{}", rig.view(bot).doing);
    assert_eq!(bought[0].liquidity, Liquidity::Maker);
    feed.around(&mut rig, MID);
    rig.pass(200);
    feed.around(&mut rig, MID * 102 / 100);
    rig.pass(200);
    let trade = rig.trades()[0].clone();
    assert!(trade.exit_price > trade.entry_price && trade.exit_reason == ExitReason::Signal);
    audit(&rig.out);
}

#[test]
fn a_stale_feed_takes_resting_entries_back_and_fills_nothing() {
    let (mut rig, mut feed, _, _) = with_grid();
    feed.stale(&mut rig);
    feed.print(&mut rig, Side::Sell, MID / 2, 10_000_000_000);
    rig.pass(1_000);
    assert_eq!(rig.fills().len(), 0);
    assert_eq!(resting(&rig), 0);
    let cancelled = rig.last_orders();
    assert!(cancelled.iter().all(|o| o.cancel_reason == Some(CancelReason::Hold)));
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(200);
    assert_eq!(resting(&rig), 3, "they come back with the feed");
}

#[test]
fn a_stopped_bot_and_an_emergency_stop_take_back_what_the_strategy_sells() {
    for is_emergency in [true, false] {
        let (mut rig, mut feed, account, bot) = with_grid();
        fall(&mut feed, &mut rig);
        assert!(!is_flat(&rig, bot));
        let command = match is_emergency {
            true => Command::EmergencyStop { reason: "test".to_owned(), sell: false },
            false => Command::Stop { bot, positions: StopChoice::KeepGuarding },
        };
        rig.order(Some(account), command).unwrap();
        rig.pass(200);
        assert_eq!(resting(&rig), 0, "entries and strategy exits are taken back");
        for mid in [990, 1_000, 1_020] {
            feed.around(&mut rig, MID * mid / 1_000);
            feed.print(&mut rig, Side::Buy, MID * mid / 1_000, 1_000);
            rig.pass(200);
        }
        assert_eq!(resting(&rig), 0, "the grid lays no new sells");
        assert!(!is_flat(&rig, bot), "its position is guarded, not sold");
        feed.around(&mut rig, MID * 90 / 100);
        rig.pass(1_200);
        assert!(is_flat(&rig, bot), "the stop under the range guards it");
        assert_eq!(rig.trades()[0].exit_reason, ExitReason::Stop);
    }
}

#[test]
fn the_emergency_stop_sells_where_that_was_chosen() {
    let (mut rig, _, account, bot) = holding(stop_at(2));
    let stop = Command::EmergencyStop { reason: "test".to_owned(), sell: true };
    rig.order(None, stop).unwrap();
    rig.pass(100);
    assert!(is_flat(&rig, bot));
    let trade = rig.trades()[0];
    assert_eq!((trade.exit_reason, trade.success), (ExitReason::Emergency, false));
    rig.order(None, Command::ClearEmergencyStop).unwrap();
    assert!(rig.has_hold(bot, Hold::EmergencyStop), "clearing leaves bots paused");
    rig.order(Some(account), Command::Resume(bot)).unwrap();
    assert!(!rig.has_hold(bot, Hold::EmergencyStop));
}

#[test]
fn an_emergency_stop_for_an_unknown_account_moves_nothing() {
    let (mut rig, _) = Rig::funded(Policy::default());
    let stop = Command::EmergencyStop { reason: "test".to_owned(), sell: true };
    let before = rig.out.len();
    assert!(matches!(rig.order(Some(AccountId(9)), stop), Err(CommandError::NotFound { .. })));
    assert_eq!(rig.out.len(), before + 1, "the answer alone");
}

/// A connector tells a new book first, and then that it may be used.
#[test]
fn a_book_told_before_the_word_fresh_fills_at_that_word() {
    let (mut rig, mut feed, _, bot) = with_grid();
    fall(&mut feed, &mut rig);
    assert!(!is_flat(&rig, bot));
    feed.stale(&mut rig);
    rig.pass(1_000);
    let high = MID * 102 / 100;
    feed.depth(&mut rig, true, &[(high - 1, 100_000_000)], &[(high + 1, 100_000_000)]);
    assert_eq!(rig.trades().len(), 0, "nothing fills while the feed is stale");
    feed.state(&mut rig, FeedState::Fresh);
    assert_eq!(rig.trades().len(), 1, "{}", rig.view(bot).doing);
    audit(&rig.out);
}

#[test]
fn a_stop_in_an_emptied_book_waits_and_sells_at_the_first_bid_there_is() {
    let (mut rig, mut feed, _, bot) = holding(stop_at(2));
    feed.around(&mut rig, MID);
    feed.touch(&mut rig, (0, 0), (MID + 1, 100_000_000));
    feed.print(&mut rig, Side::Sell, MID * 80 / 100, 1_000_000_000);
    rig.pass(2_000);
    assert!(!is_flat(&rig, bot), "nobody bids");
    assert_eq!(rig.fills().iter().filter(|f| f.side == Side::Sell).count(), 0);
    feed.around(&mut rig, MID * 90 / 100);
    rig.pass(60);
    assert!(is_flat(&rig, bot));
    let trade = rig.trades()[0];
    assert_eq!((trade.exit_reason, trade.exit_price), (ExitReason::Stop, amount("8999.99")));
    audit(&rig.out);
}

#[test]
fn a_stop_that_was_stored_before_its_bots_were_held_is_finished_after_a_kill() {
    let (mut rig, account) = Rig::funded(wide());
    let bot = rig.create(account, bot("one", "binance", StrategyKind::Grid, "{}")).unwrap();
    let stop = Command::EmergencyStop { reason: "test".to_owned(), sell: false };
    let envelope =
        Envelope { id: 77, actor: Actor::Person("p".into()), account: None, command: stop };
    rig.input(InputKind::Command(envelope));
    assert!(rig.engine.is_stopping() && !rig.view(bot).record.holds.contains(Hold::EmergencyStop));
    let told = |rig: &Rig| rig.out.iter().any(|o| matches!(o, Output::Reply { id: 77, .. }));
    assert!(told(&rig), "the stop is answered without its bots");
    // Killed here: what was stored says what is left to do.
    let rows = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), rows).unwrap();
    rig.switches(|_| {});
    assert!(rig.view(bot).record.holds.contains(Hold::EmergencyStop));
    let later = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), later).unwrap();
    assert!(!rig.engine.is_stopping());
}
