//! What watches over accounts and the fleet: breakers, shares of exposure, rates, decisions.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;
const DAY_MS: i64 = 86_400_000;

/// Nothing but the breakers of account and fleet acts; a bot buys for 90 % of its capital.
fn policy(account: i64, fleet: i64) -> Policy {
    Policy {
        position_max_percent_balanced: Amount::from_int(90),
        breaker_account_day_percent: Amount::from_int(account),
        breaker_fleet_day_percent: Amount::from_int(fleet),
        asset_exposure_max_percent: Amount::from_int(35),
        ..wide()
    }
}

/// Buys at once and is only sold by hand.
fn buyer(name: &str, symbol: &str) -> NewBot {
    let params = r#"{"safety_orders":0,"interval_bars":10000,"target_percent":50}"#;
    let one = bot(name, "binance", StrategyKind::Dca, params);
    NewBot { symbol: symbol.parse().unwrap(), exits: Some(Exits::default()), ..one }
}

fn quoted(rig: &mut Rig, instrument: &Instrument, mid: i64) -> Feed {
    let mut feed = Feed::new(rig.define(instrument));
    feed.around(rig, mid);
    feed
}

fn buy(rig: &mut Rig, feed: &mut Feed, account: AccountId, bot: NewBot) -> BotId {
    let id = rig.create(account, bot).unwrap();
    feed.print(rig, Side::Buy, MID + 1, 1_000);
    rig.pass(100);
    assert!(rig.view(id).position.is_some(), "{}", rig.view(id).doing);
    id
}

/// An account with one bot that holds BTC.
fn holding(policy: Policy) -> (Rig, Feed, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(policy);
    let mut feed = quoted(&mut rig, &binance("BTC/USDT"), MID);
    let id = buy(&mut rig, &mut feed, account, buyer("one", "BTC/USDT"));
    (rig, feed, account, id)
}

fn at(rig: &mut Rig, feed: &mut Feed, percent: i64) {
    feed.around(rig, MID * percent / 100);
    rig.pass(10_000);
}

/// Account, bot and whether it tripped, of every breaker that was told.
fn breakers(rig: &Rig) -> Vec<(Option<AccountId>, Option<BotId>, bool)> {
    let of = |o: &Output| match o {
        Output::Breaker(b) => Some((b.account_id, b.bot_id, b.tripped)),
        _ => None,
    };
    rig.out.iter().filter_map(of).collect()
}

fn alerts(rig: &Rig) -> Vec<(Option<BotId>, &Alert)> {
    let of = |o| match o {
        &Output::Alert { bot_id, ref alert, .. } => Some((bot_id, alert)),
        _ => None,
    };
    rig.out.iter().filter_map(of).collect()
}

#[test]
fn an_accounts_breaker_stops_every_entry_and_no_exit_until_the_next_day() {
    let (mut rig, mut feed, account, first) = holding(policy(10, 100));
    let late = rig.create(account, buyer("late", "BTC/USDT")).unwrap();
    at(&mut rig, &mut feed, 80);
    assert_eq!(breakers(&rig), [], "18 % of one bot are 9 % of the account");
    at(&mut rig, &mut feed, 76);
    assert_eq!(breakers(&rig), [(Some(account), None, true)]);
    let shown = rig.engine.breakers(account);
    assert_eq!((shown[0].scope, shown[0].is_open, shown[1].is_open), ("account", true, false));
    assert!(
        shown[0].loss_percent > Some(amount("10.8"))
            && shown[0].loss_percent == shown[1].loss_percent
    );
    feed.print(&mut rig, Side::Buy, MID * 76 / 100, 1_000);
    rig.pass(10_000);
    assert!(rig.view(late).position.is_none());
    let doing = rig.view(late).doing;
    assert!(doing.starts_with("Paused by the account's circuit breaker: lost 10.8 %"), "{doing}");
    rig.order(Some(account), Command::Flatten(first)).unwrap();
    rig.pass(1_000);
    assert_eq!(rig.trades().len(), 1, "exits go on");
    let rows = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), rows).unwrap();
    rig.switches(|_| {});
    assert!(rig.view(late).doing.contains("circuit breaker"), "it survives a restart");
    rig.pass(DAY_MS / 2);
    assert_eq!(breakers(&rig)[1..], [(Some(account), None, false)], "by itself");
    rig.answer_wants();
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(1_000);
    assert!(rig.view(late).position.is_some(), "{}", rig.view(late).doing);
    audit(&rig.out);
}

#[test]
fn a_breaker_closed_by_hand_trips_again_only_as_much_lower() {
    let (mut rig, mut feed, account, _) = holding(policy(10, 100));
    at(&mut rig, &mut feed, 88);
    assert_eq!(breakers(&rig).len(), 1);
    let close = Command::CloseBreaker(BreakerScope::Account);
    rig.order(Some(account), close.clone()).unwrap();
    let Some(Output::Breaker(told)) =
        rig.out.iter().rev().find(|o| matches!(o, Output::Breaker(_)))
    else {
        panic!("not told")
    };
    assert_eq!((told.tripped, told.by.to_string().as_str()), (false, "thandi"));
    assert!(matches!(rig.order(Some(account), close), Err(CommandError::NotFound { .. })));
    at(&mut rig, &mut feed, 80);
    assert_eq!(breakers(&rig).len(), 2, "18 % is 7 % more");
    at(&mut rig, &mut feed, 76);
    assert_eq!(breakers(&rig).len(), 3);
}

#[test]
fn a_bots_breaker_closed_by_hand_does_not_trip_at_once_again() {
    let policy = Policy { breaker_bot_percent: Amount::from_int(20), ..policy(100, 100) };
    let (mut rig, mut feed, account, bot) = holding(policy);
    at(&mut rig, &mut feed, 75);
    assert!(rig.has_hold(bot, Hold::CircuitBreaker));
    rig.order(Some(account), Command::CloseBreaker(BreakerScope::Bot(bot))).unwrap();
    at(&mut rig, &mut feed, 74);
    assert!(!rig.has_hold(bot, Hold::CircuitBreaker));
    at(&mut rig, &mut feed, 50);
    assert!(rig.has_hold(bot, Hold::CircuitBreaker));
}

#[test]
fn the_fleets_breaker_stops_all_accounts_and_is_closed_for_all() {
    let (mut rig, mut feed, account, _) = holding(policy(100, 15));
    let other = rig.account("other");
    rig.deposit(other, Exchange::Binance, "USDT", "5000").unwrap();
    let small = NewBot { capital: amount("5000"), ..buyer("small", "BTC/USDT") };
    let small = rig.create(other, small).unwrap();
    at(&mut rig, &mut feed, 70);
    assert_eq!(breakers(&rig), [(None, None, true)], "27 % of 10,000 are 18 % of 15,000");
    feed.print(&mut rig, Side::Buy, MID * 70 / 100, 1_000);
    rig.pass(100);
    assert!(rig.view(small).doing.starts_with("Paused by the fleet's circuit breaker"));
    let close = Command::CloseBreaker(BreakerScope::Fleet);
    assert!(rig.order(Some(account), close.clone()).is_err(), "not one account's to close");
    rig.order(None, close).unwrap();
    feed.print(&mut rig, Side::Buy, MID * 70 / 100, 1_000);
    rig.pass(100);
    assert!(rig.view(small).position.is_some(), "{}", rig.view(small).doing);
}

#[test]
fn what_an_archived_bot_lost_today_stays_lost_today() {
    let (mut rig, mut feed, account, first) = holding(policy(10, 100));
    let mut other = quoted(&mut rig, &binance("ETH/USDT"), MID);
    buy(&mut rig, &mut other, account, buyer("two", "ETH/USDT"));
    at(&mut rig, &mut feed, 80);
    rig.order(Some(account), Command::Flatten(first)).unwrap();
    rig.pass(1_000);
    rig.order(Some(account), Command::Retire(first)).unwrap();
    at(&mut rig, &mut other, 99);
    assert_eq!(breakers(&rig), []);
    at(&mut rig, &mut other, 97);
    assert_eq!(breakers(&rig), [(Some(account), None, true)]);
}

#[test]
fn without_the_bodyguard_no_breaker_trips() {
    let (mut rig, mut feed, ..) = holding(policy(10, 15));
    rig.switches(|s| s.bodyguard = false);
    at(&mut rig, &mut feed, 50);
    assert_eq!(breakers(&rig), []);
}

#[test]
fn an_accounts_daily_loss_warns_paper_once_a_crossing_and_goes_on() {
    let (mut rig, mut feed, account, _) =
        holding(Policy { daily_loss_max_percent: Amount::from_int(5), ..policy(100, 100) });
    for (percent, told) in [(96, 0), (94, 1), (95, 1), (94, 1), (98, 1), (94, 2)] {
        at(&mut rig, &mut feed, percent);
        let losses = alerts(&rig);
        let is_loss = |(bot, alert): &&(Option<BotId>, &Alert)| {
            bot.is_none() && matches!(alert, Alert::DailyLoss { .. })
        };
        assert_eq!(losses.iter().filter(is_loss).count(), told, "at {percent}");
    }
    let late = rig.create(account, buyer("late", "BTC/USDT")).unwrap();
    feed.print(&mut rig, Side::Buy, MID * 94 / 100, 1_000);
    rig.pass(100);
    assert!(rig.view(late).position.is_some(), "{}", rig.view(late).doing);
}

#[test]
fn a_share_over_its_limit_warns_once_a_crossing() {
    let (mut rig, mut feed, account, _) = holding(policy(100, 100));
    for symbol in ["ETH/USDT", "SOL/USDT"] {
        let mut other = quoted(&mut rig, &binance(symbol), MID);
        buy(&mut rig, &mut other, account, buyer(symbol, symbol));
    }
    // Of three equal parts one at 120 is 37.5 %, at 107 34.9 %, at 80 28.6 %.
    for (percent, told) in [(100, 0), (120, 1), (107, 1), (120, 1), (80, 1), (120, 2)] {
        at(&mut rig, &mut feed, percent);
        let of_btc = |(_, alert): &&(Option<BotId>, &Alert)| matches!(alert, Alert::AssetExposure { asset, .. } if asset.as_str() == "BTC");
        let alerts = alerts(&rig);
        assert_eq!(alerts.iter().filter(of_btc).count(), told, "at {percent}: {alerts:?}");
    }
    let (bot, alert) = alerts(&rig)[0];
    let Alert::AssetExposure { asset, maximum_percent, .. } = alert else { panic!("{alert:?}") };
    assert_eq!((bot, asset.as_str(), *maximum_percent), (None, "BTC", amount("35")));
}

#[test]
fn currencies_that_limits_must_add_need_a_rate_of_today() {
    let (mut rig, account) = Rig::funded(policy(10, 15));
    let mut feed = quoted(&mut rig, &binance("BTC/USDT"), MID);
    let one = rig.create(account, buyer("one", "BTC/USDT")).unwrap();
    rig.deposit(account, Exchange::Luno, "ZAR", "100000").unwrap();
    quoted(&mut rig, &Instrument { exchange: Exchange::Luno, ..binance("ETH/ZAR") }, MID);
    let rand = NewBot { exchange: "luno".to_owned(), ..buyer("two", "ETH/ZAR") };
    rig.create(account, rand).unwrap();
    let try_to_buy = |rig: &mut Rig, feed: &mut Feed| {
        feed.around(rig, MID);
        feed.print(rig, Side::Buy, MID + 1, 1_000);
        rig.pass(10_000);
        rig.view(one).position.is_some()
    };
    assert!(!try_to_buy(&mut rig, &mut feed));
    let zar = Refusal::RateUnknown { currency: "ZAR".parse().unwrap() };
    assert_eq!(rig.refusals().last().unwrap().refusal, zar);
    assert!(rig.view(one).doing.ends_with("no rate for ZAR."), "{}", rig.view(one).doing);
    let rate = InputKind::Rate {
        base: "USDT".parse().unwrap(),
        quote: "ZAR".parse().unwrap(),
        rate: amount("18.5"),
        source: "a person".to_owned(),
    };
    rig.input(rate.clone());
    rig.pass(DAY_MS + 60_000);
    assert!(!try_to_buy(&mut rig, &mut feed), "older than a day");
    rig.input(rate);
    rig.pass(3_600_000);
    assert!(try_to_buy(&mut rig, &mut feed), "{}", rig.view(one).doing);
}

#[test]
fn one_currency_needs_no_rate() {
    let (mut rig, account) = Rig::funded(policy(10, 15));
    rig.deposit(account, Exchange::Luno, "ZAR", "100000").unwrap();
    let mut feed = quoted(&mut rig, &binance("BTC/USDT"), MID);
    buy(&mut rig, &mut feed, account, buyer("one", "BTC/USDT"));
}

#[test]
fn a_bot_that_decides_nothing_while_its_market_moves_is_told_once() {
    let (mut rig, account) = Rig::funded(wide());
    let minute = NewBot { timeframe: Some(Timeframe::M1), ..buyer("slow", "BTC/USDT") };
    // Nobody answers its want of history: bars close, and none is delivered.
    let command = Command::CreateBot { bot: minute, start: true };
    let Ok(Reply::Bot(id)) = rig.order(Some(account), command) else { panic!("no bot") };
    let mut feed = quoted(&mut rig, &binance("BTC/USDT"), MID);
    let minutes = |rig: &mut Rig, feed: &mut Feed, n: usize| {
        for _ in 0..n {
            feed.print(rig, Side::Buy, MID + 1, 1_000);
            rig.pass(60_000);
        }
    };
    minutes(&mut rig, &mut feed, 2);
    assert_eq!(alerts(&rig), []);
    minutes(&mut rig, &mut feed, 4);
    assert_eq!(alerts(&rig), [(Some(id), &Alert::Stuck)]);
    assert!(rig.view(id).doing.starts_with("STUCK since "), "{}", rig.view(id).doing);
    rig.answer_wants();
    minutes(&mut rig, &mut feed, 2);
    assert!(!rig.view(id).doing.contains("STUCK"), "{}", rig.view(id).doing);
    assert_eq!(alerts(&rig).len(), 1);
}

#[test]
fn a_quiet_market_and_a_stale_feed_make_no_bot_stuck() {
    let (mut rig, account) = Rig::funded(wide());
    let minute = NewBot { timeframe: Some(Timeframe::M1), ..buyer("slow", "BTC/USDT") };
    let command = Command::CreateBot { bot: minute, start: true };
    rig.order(Some(account), command).unwrap();
    let mut feed = quoted(&mut rig, &binance("BTC/USDT"), MID);
    rig.pass(600_000);
    feed.stale(&mut rig);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(600_000);
    assert_eq!(alerts(&rig), []);
}
