//! Money, caps, holds, seasons, the day: what people order and what guards do by themselves.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;

fn buyer(name: &str) -> NewBot {
    let params = r#"{"safety_orders":0,"interval_bars":10000,"target_percent":50}"#;
    bot(name, "binance", StrategyKind::Dca, params)
}

fn feed(rig: &Rig) -> Feed {
    let symbol = "BTC/USDT".parse().unwrap();
    Feed::new(rig.engine.instrument_id(Exchange::Binance, symbol).unwrap())
}

fn holding(policy: Policy, bot: NewBot) -> (Rig, Feed, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(policy);
    let id = rig.create(account, bot).unwrap();
    let mut feed = feed(&rig);
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(100);
    assert!(rig.view(id).position.is_some(), "{}", rig.view(id).doing);
    (rig, feed, account, id)
}

fn wallet(rig: &Rig, account: AccountId) -> view::WalletView {
    let wallets = rig.engine.wallets(account);
    wallets.into_iter().find(|w| w.exchange == Exchange::Binance).unwrap()
}

#[test]
fn a_wallet_starts_empty_and_gives_only_what_it_has() {
    let mut rig = Rig::new(Policy::default());
    rig.define(&binance("BTC/USDT"));
    let account = rig.account("main");
    let refused = rig.create(account, buyer("one")).unwrap_err();
    assert_eq!(
        refused,
        CommandError::InsufficientFunds {
            exchange: "binance".to_owned(),
            currency: "USDT".parse().unwrap(),
            needed: amount("10000"),
            available: Amount::ZERO,
        }
    );
    rig.deposit(account, Exchange::Binance, "USDT", "15000").unwrap();
    rig.create(account, buyer("one")).unwrap();
    let held = wallet(&rig, account);
    assert_eq!((held.available, held.reserved), (amount("5000"), amount("10000")));
    let take = |sum| {
        let currency = "USDT".parse().unwrap();
        Command::Withdraw(WalletMove { exchange: Exchange::Binance, currency, amount: amount(sum) })
    };
    assert!(rig.order(Some(account), take("5000.01")).is_err(), "a bot's capital stays");
    rig.order(Some(account), take("5000")).unwrap();
    assert_eq!(wallet(&rig, account).total, amount("10000"));
    for bad in ["0", "-5", "1000000000001"] {
        assert!(rig.deposit(account, Exchange::Binance, "USDT", bad).is_err(), "{bad}");
    }
    audit(&rig.out);
}

#[test]
fn capital_below_twice_the_minimum_is_refused_with_the_sum_that_would_do() {
    let (mut rig, account) = Rig::funded(Policy::default());
    // The largest order is 35 %, the exchange asks for 5: 10 / 0.35.
    let small = NewBot { capital: amount("28"), ..buyer("small") };
    match rig.create(account, small).unwrap_err() {
        CommandError::CapitalTooSmall { largest_order, minimum, needed, .. } => {
            assert_eq!((largest_order, minimum), (amount("9.8"), amount("5")));
            assert!(needed > amount("28.57") && needed < amount("28.58"), "{needed}");
            let enough = NewBot { capital: needed, ..buyer("enough") };
            rig.create(account, enough).unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_cap_is_said_with_what_is_in_use_and_retiring_frees_a_place() {
    let mut policy = Policy::default();
    policy.paper_bots_max.binance = 2;
    let (mut rig, account) = Rig::funded(policy);
    let first = rig.create(account, buyer("one")).unwrap();
    rig.create(account, buyer("two")).unwrap();
    let (exchange, mode) = ("binance".to_owned(), "paper".to_owned());
    let refused = CommandError::BotCapReached { exchange, mode, in_use: 2, cap: 2 };
    assert_eq!(rig.create(account, buyer("three")), Err(refused));
    rig.order(Some(account), Command::Retire(first)).unwrap();
    rig.create(account, buyer("three")).unwrap();
}

#[test]
fn names_are_unique_among_the_living_and_accounts_see_only_their_own() {
    let (mut rig, account) = Rig::funded(Policy::default());
    let id = rig.create(account, buyer("one")).unwrap();
    assert!(matches!(rig.create(account, buyer("one")), Err(CommandError::NameInvalid { .. })));
    let stranger = rig.account("stranger");
    for command in [Command::Pause(id), Command::Flatten(id), Command::Retire(id)] {
        let answer = rig.order(Some(stranger), command);
        assert!(matches!(answer, Err(CommandError::NotFound { .. })));
    }
    assert!(rig.engine.bot(Some(stranger), id).is_none());
}

#[test]
fn an_unsupported_exchange_is_kept_with_a_hold_and_comes_back() {
    let (mut rig, account) = Rig::funded(Policy::default());
    rig.switches(|s| s.paper_exchanges = vec!["binance".to_owned()]);
    let other = bot("two", "kucoin", StrategyKind::Dca, "{}");
    let (other, alien) = (
        rig.create(account, other).unwrap(),
        rig.create(account, bot("three", "kraken", StrategyKind::Dca, "{}")).unwrap(),
    );
    for id in [other, alien] {
        assert!(rig.has_hold(id, Hold::UnsupportedExchange));
        assert_eq!(rig.view(id).state, "paused");
        assert_eq!(rig.view(id).cash, Amount::ZERO, "nothing is reserved where nothing works");
    }
    rig.switches(|_| {});
    assert!(!rig.has_hold(other, Hold::UnsupportedExchange));
    assert_eq!(rig.view(other).cash, amount("10000"));
    assert!(rig.has_hold(alien, Hold::UnsupportedExchange));
}

#[test]
fn retiring_needs_flat_and_returns_the_capital() {
    let (mut rig, _, account, id) = holding(Policy::default(), buyer("one"));
    let answer = rig.order(Some(account), Command::Retire(id));
    assert!(matches!(answer, Err(CommandError::NotFlat { .. })));
    rig.order(Some(account), Command::Flatten(id)).unwrap();
    rig.pass(100);
    rig.order(Some(account), Command::Retire(id)).unwrap();
    let left = wallet(&rig, account);
    assert_eq!(left.reserved, Amount::ZERO);
    assert_eq!(left.available, amount("100000") + rig.trades()[0].profit_loss);
    let again = rig.order(Some(account), Command::Start(id));
    assert!(matches!(again, Err(CommandError::WrongState { .. })));
}

#[test]
fn a_new_season_closes_everything_and_goes_on_counting() {
    let (mut rig, _, account, id) = holding(Policy::default(), buyer("one"));
    rig.create(account, bot("waits", "binance", StrategyKind::EmaCross, "{}")).unwrap();
    rig.order(Some(account), Command::NewSeason).unwrap();
    rig.pass(1_100);
    let views = rig.engine.bots(Some(account));
    assert!(views.iter().all(|v| v.record.lifecycle == Lifecycle::Retired), "{views:?}");
    assert_eq!(wallet(&rig, account).reserved, Amount::ZERO);
    assert_eq!(rig.engine.account(account).unwrap().season, 2);
    let next = rig.create(account, buyer("one")).unwrap();
    assert!(next > id && rig.view(next).record.season == 2);
    audit(&rig.out);
}

#[test]
fn a_clone_has_the_same_settings_and_its_own_capital() {
    let (mut rig, account) = Rig::funded(Policy::default());
    let id = rig.create(account, buyer("one")).unwrap();
    let clone = Command::Clone { bot: id, name: "two".to_owned() };
    let Ok(Reply::Bot(copy)) = rig.order(Some(account), clone) else { panic!("not cloned") };
    let (a, b) = (rig.view(id).record.config, rig.view(copy).record.config);
    assert_eq!(BotConfig { name: "two".to_owned(), ..a }, b);
    assert_eq!(wallet(&rig, account).reserved, amount("20000"));
}

#[test]
fn equal_refusals_are_one_fact_with_a_count() {
    let (mut rig, account) = Rig::funded(Policy::default());
    let one = bot("one", "binance", StrategyKind::Dca, r#"{"safety_orders":0}"#);
    let id = rig.create(account, one).unwrap();
    let mut feed = feed(&rig);
    // 1 % wide: over the collar of 40 bp.
    feed.book(&mut rig, &[(MID - 5_000, 1_000_000_000)], &[(MID + 5_000, 1_000_000_000)]);
    for _ in 0..12 {
        rig.pass(1_000);
        feed.print(&mut rig, Side::Buy, MID, 1_000);
    }
    let told: Vec<u32> = rig.refusals().iter().map(|r| r.count).collect();
    assert_eq!(told, [1, 2, 4, 8]);
    let last = rig.refusals().pop().unwrap().clone();
    assert_eq!(last.seq, 1);
    assert!(matches!(last.refusal, Refusal::SpreadTooWide { collar_bp: 40, .. }));
    let doing = rig.view(id).doing;
    assert_eq!(doing, "Wants to buy, refused 12×: spread 100.0 bp > 40 bp.");
}

#[test]
fn drawdown_stops_a_bot_which_re_arms_itself_three_times_a_day() {
    let mut policy = wide();
    policy.drawdown_max_percent_balanced = Amount::from_int(5);
    policy.position_max_percent_balanced = Amount::from_int(90);
    let exits = Some(Exits::default());
    let (mut rig, mut feed, account, id) = holding(policy, NewBot { exits, ..buyer("one") });
    let mut mid = MID;
    for round in 0..4 {
        mid = mid * 93 / 100;
        feed.around(&mut rig, mid);
        rig.pass(10_000);
        assert!(rig.has_hold(id, Hold::RiskStop), "round {round}: {}", rig.view(id).doing);
        assert!(rig.view(id).position.is_some(), "a hold never sells");
        rig.pass(1_790_000);
        let is_held = rig.has_hold(id, Hold::RiskStop);
        assert_eq!(is_held, round == 3, "round {round}");
    }
    rig.order(Some(account), Command::Rearm(id)).unwrap();
    assert!(!rig.has_hold(id, Hold::RiskStop), "a person may");
}

#[test]
fn five_losses_in_a_row_cool_a_bot_down_without_a_word() {
    let policy = Policy { consecutive_losses_max: 2, ..Policy::default() };
    let one = bot("one", "binance", StrategyKind::Dca, r#"{"safety_orders":0}"#);
    let (mut rig, mut feed, account, id) = holding(policy, one);
    for n in 0..2 {
        rig.order(Some(account), Command::Flatten(id)).unwrap();
        rig.pass(1_000);
        assert_eq!(rig.trades().len(), n + 1);
        feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
        rig.pass(1_000);
        feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
        rig.pass(1_000);
    }
    assert!(rig.has_hold(id, Hold::Cooldown), "{}", rig.view(id).doing);
    assert_ne!(rig.view(id).state, "paused", "a cooldown only skips entries");
    rig.pass(3_600_000);
    assert!(!rig.has_hold(id, Hold::Cooldown));
}

#[test]
fn a_day_begins_at_midnight_utc() {
    let (mut rig, mut feed, _, id) = holding(Policy::default(), buyer("one"));
    assert_eq!(rig.view(id).entries_today, 1);
    rig.pass(12 * 3_600_000 + 20_000);
    feed.around(&mut rig, MID);
    rig.pass(20_000);
    assert_eq!(rig.view(id).entries_today, 0);
}

#[test]
fn a_kill_with_an_exit_wanted_sells_after_the_restart() {
    let (mut rig, feed, account, id) = holding(Policy::default(), buyer("one"));
    feed.stale(&mut rig);
    rig.order(Some(account), Command::Flatten(id)).unwrap();
    let rows = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), rows).unwrap();
    rig.switches(|_| {});
    rig.pass(3_000);
    assert!(rig.trades().is_empty(), "no price, no trade");
    let mut feed = Feed::new(feed.id);
    feed.around(&mut rig, MID);
    rig.pass(1_200);
    assert_eq!(rig.trades().len(), 1, "{}", rig.view(id).doing);
    assert_eq!(rig.trades()[0].exit_reason, ExitReason::Manual);
}

#[test]
fn a_kill_with_an_order_on_its_way_fills_it_once() {
    let (mut rig, account) = Rig::funded(Policy::default());
    let id = rig.create(account, buyer("one")).unwrap();
    let mut first = feed(&rig);
    first.around(&mut rig, MID);
    first.print(&mut rig, Side::Buy, MID + 1, 1_000);
    assert_eq!(rig.view(id).open_orders, 1, "on its way");
    let rows = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), rows).unwrap();
    rig.switches(|_| {});
    assert_eq!(rig.view(id).open_orders, 1);
    let mut feed = Feed::new(first.id);
    feed.around(&mut rig, MID);
    rig.pass(100);
    assert_eq!((rig.view(id).open_orders, rig.fills().len()), (0, 1));
    audit(&rig.out);
}

#[test]
fn a_kill_with_a_cancel_on_its_way_cancels_once_and_a_fill_may_still_beat_it() {
    let (mut rig, account) = Rig::funded(wide());
    let params = r#"{"range_percent":4,"levels":4}"#;
    let id = rig.create(account, bot("grid", "binance", StrategyKind::Grid, params)).unwrap();
    let mut first = feed(&rig);
    first.around(&mut rig, MID);
    first.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(200);
    assert_eq!(rig.view(id).open_orders, 3);
    rig.order(Some(account), Command::Pause(id)).unwrap();
    let rows = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), rows).unwrap();
    rig.switches(|_| {});
    assert_eq!(rig.view(id).open_orders, 3, "the cancellations are on their way");
    let mut feed = Feed::new(first.id);
    feed.around(&mut rig, MID * 995 / 1_000);
    rig.pass(200);
    let mut buys: Vec<_> = rig.last_orders().into_iter().filter(|o| o.side == Side::Buy).collect();
    buys.sort_by_key(|o| std::cmp::Reverse(o.limit_price));
    let ends: Vec<_> = buys.iter().map(|o| (o.status, o.cancel_reason)).collect();
    let cancelled = (OrderStatus::Cancelled, Some(CancelReason::Hold));
    assert_eq!(ends, [(OrderStatus::Filled, None), cancelled, cancelled]);
    let is_end = |o: &&&OrderRecord| o.status.is_final() && o.side == Side::Buy;
    assert_eq!(rig.orders().iter().filter(is_end).count(), 3, "each ends once");
    assert_eq!(rig.fills().len(), 1);
    audit(&rig.out);
}

#[test]
fn a_tighter_fleet_policy_binds_accounts_with_one_of_their_own() {
    let (mut rig, account) = Rig::funded(Policy::default());
    let own = Policy { spread_collar_bp: 30, ..Policy::default() };
    rig.order(Some(account), Command::SetPolicy(Box::new(own))).unwrap();
    let looser = Policy { spread_collar_bp: 50, ..Policy::default() };
    let refused = rig.order(Some(account), Command::SetPolicy(Box::new(looser)));
    assert!(matches!(refused, Err(CommandError::PolicyInvalid { .. })));
    let fleet = Policy { spread_collar_bp: 20, ..Policy::default() };
    rig.order(None, Command::SetPolicy(Box::new(fleet))).unwrap();
    assert_eq!(rig.engine.policy(Some(account)).1.spread_collar_bp, 20);
}

#[test]
fn flags_off_stop_entries_and_never_exits() {
    let (mut rig, _, account, id) = holding(Policy::default(), buyer("one"));
    rig.switches(|s| s.trading = false);
    let late = rig.create(account, buyer("two")).unwrap();
    let mut feed = feed(&rig);
    feed.update_id = 9_000;
    feed.print_id = 9_000;
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(100);
    assert!(rig.view(late).position.is_none());
    rig.order(Some(account), Command::Flatten(id)).unwrap();
    rig.pass(100);
    assert!(rig.view(id).position.is_none());
    rig.switches(|s| s.paper_trading = false);
    assert!(rig.has_hold(late, Hold::ModeDisabled));
    rig.switches(|_| {});
    assert!(!rig.has_hold(late, Hold::ModeDisabled));
}
