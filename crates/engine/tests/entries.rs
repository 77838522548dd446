//! Entries in a row: those that follow a running price, those that never end, and those decided by a
//! clock that is off.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;

struct Runner {
    rig: Rig,
    feed: Feed,
    account: AccountId,
    bot: BotId,
}

/// Buys with every print at which it is flat, and sells two seconds later.
fn runner(policy: Policy) -> Runner {
    let (mut rig, account) = Rig::funded(policy);
    let params = r#"{"safety_orders":0,"target_percent":50}"#;
    let exits = Some(Exits { time_limit_s: Some(2), ..Exits::default() });
    let request = NewBot { exits, ..bot("runner", "binance", StrategyKind::Dca, params) };
    let bot = rig.create(account, request).unwrap();
    let symbol = "BTC/USDT".parse().unwrap();
    let id = rig.engine.instrument_id(Exchange::Binance, symbol).unwrap();
    Runner { rig, feed: Feed::new(id), account, bot }
}

impl Runner {
    /// A print at this price, and time enough to buy and to sell; says whether it bought.
    fn round(&mut self, mid: i64) -> bool {
        let before = self.bought();
        self.feed.around(&mut self.rig, mid);
        self.feed.print(&mut self.rig, Side::Buy, mid + 1, 1_000);
        self.rig.pass(200);
        let bought = self.bought() > before;
        self.rig.pass(3_000);
        self.feed.around(&mut self.rig, mid);
        self.rig.pass(200);
        assert!(self.rig.view(self.bot).position.is_none(), "{}", self.rig.view(self.bot).doing);
        bought
    }

    fn bought(&self) -> usize {
        self.rig.fills().iter().filter(|f| f.side == Side::Buy).count()
    }

    fn is_throttled(&self) -> bool {
        self.rig.has_hold(self.bot, Hold::ExecutionThrottle)
    }

    fn newest_refusal(&self) -> Refusal {
        self.rig.refusals().last().unwrap().refusal.clone()
    }
}

fn throttled_at(entries: u32) -> Policy {
    Policy { execution_throttle_grid_dca: entries, chase_max_bp: 100, ..wide() }
}

#[test]
fn entries_executed_again_and_again_hold_a_bot_until_a_person_re_arms_it() {
    let mut run = runner(throttled_at(3));
    assert!((0..3).all(|_| run.round(MID)), "three are allowed to happen");
    assert!(run.is_throttled());
    let doing = run.rig.view(run.bot).doing;
    assert!(doing.starts_with("Paused by the execution throttle"), "{doing}");
    assert!(doing.contains("within 600 s (limit 3)"), "{doing}");
    let told = run.rig.out.iter().any(|o| match o {
        Output::Bot(change) => {
            change.event == Some(EventKind::BotPaused)
                && change.hold == Some(Hold::ExecutionThrottle)
                && change.reason.contains("3 entries executed within 600 s, limit 3")
        }
        _ => false,
    });
    assert!(told);
    assert!(!run.round(MID), "not one more");
    // Neither a restart, nor resuming, nor time, nor a rule of the product lets it go on.
    let rows = run.rig.engine.take_dirty();
    run.rig.engine = Engine::restore(run.rig.config.clone(), rows).unwrap();
    run.rig.switches(|_| {});
    run.rig.answer_wants();
    run.rig.order(Some(run.account), Command::Resume(run.bot)).unwrap();
    let command = Command::Rearm(run.bot);
    let actor = Actor::Rule("autopilot".into());
    let envelope = Envelope { id: 77, actor, account: Some(run.account), command };
    run.rig.input(InputKind::Command(envelope));
    assert!(matches!(run.rig.out.last(), Some(Output::Reply { id: 77, result: Err(_) })));
    run.rig.pass(2 * 86_400_000);
    assert!(run.is_throttled() && !run.round(MID));
    run.rig.order(Some(run.account), Command::Rearm(run.bot)).unwrap();
    assert!(!run.is_throttled());
    assert_eq!(run.rig.view(run.bot).executions_in_window, 0);
    assert!(run.round(MID), "{}", run.rig.view(run.bot).doing);
    let again = run.rig.order(Some(run.account), Command::Rearm(run.bot));
    assert!(matches!(again, Err(CommandError::NotPossible { .. })), "nothing to re-arm");
}

#[test]
fn the_same_entries_over_a_longer_time_are_a_strategy_at_work() {
    let mut run = runner(throttled_at(3));
    for _ in 0..9 {
        assert!(run.round(MID), "{}", run.rig.view(run.bot).doing);
        run.rig.pass(300_000);
    }
    assert!(!run.is_throttled());
}

#[test]
fn a_throttled_position_keeps_its_exit() {
    let mut run = runner(throttled_at(1));
    // It sells by its time limit although it is held since it bought: `round` asserts it.
    assert!(run.round(MID) && run.is_throttled());
}

#[test]
fn entries_stop_following_a_price_that_runs_and_go_on_once_the_window_is_over() {
    let mut run = runner(throttled_at(0));
    assert!(run.round(MID));
    assert!(run.round(MID + 9_000), "0.9 % above the first");
    assert!(!run.round(MID + 12_000), "1.2 % above it");
    let Refusal::Chasing { first, maximum_bp: 100, worse_bp, .. } = run.newest_refusal() else {
        panic!("{:?}", run.newest_refusal());
    };
    assert_eq!(first, amount("10000.01"));
    assert!((119.0..=121.0).contains(&worse_bp), "{worse_bp}");
    let doing = run.rig.view(run.bot).doing;
    assert!(doing.contains("would chase"), "{doing}");
    assert!(run.round(MID + 5_000), "it came back");
    run.rig.pass(300_000);
    assert!(run.round(MID + 30_000), "the next window begins where the market is");
}

#[test]
fn a_refused_entry_is_a_first_price_too() {
    let mut run = runner(throttled_at(0));
    run.rig.switches(|s| s.trading = false);
    assert!(!run.round(MID));
    run.rig.switches(|_| {});
    run.rig.order(Some(run.account), Command::Pause(run.bot)).unwrap();
    run.rig.order(Some(run.account), Command::Resume(run.bot)).unwrap();
    // Flags keep a strategy from being asked at all: nothing was wanted, so nothing is chased.
    assert!(run.round(MID + 12_000), "{}", run.rig.view(run.bot).doing);
    // Too wide a spread refuses what was wanted.
    let mut run = runner(Policy { spread_collar_bp: 1, ..throttled_at(0) });
    run.feed.book(&mut run.rig, &[(MID - 900, 10_000_000_000)], &[(MID, 10_000_000_000)]);
    run.feed.print(&mut run.rig, Side::Buy, MID, 1_000);
    run.rig.pass(200);
    assert!(matches!(run.newest_refusal(), Refusal::SpreadTooWide { .. }));
    assert!(!run.round(MID + 12_000));
    assert!(matches!(run.newest_refusal(), Refusal::Chasing { .. }), "{:?}", run.newest_refusal());
}

#[test]
fn a_clock_beyond_the_limit_refuses_entries_until_it_agrees_again() {
    let mut run = runner(throttled_at(0));
    assert!(run.round(MID), "not measured: paper goes on");
    let clock = |lower, upper| InputKind::Clock {
        exchange: Exchange::Binance,
        offset_lower: Span::from_millis(lower),
        offset_upper: Span::from_millis(upper),
    };
    for (lower, upper, off_ms) in [(1_500, 1_600, 1_500), (-9_000, -2_000, 2_000)] {
        run.rig.input(clock(lower, upper));
        assert!(!run.round(MID));
        let refusal = Refusal::ClockSkew { off_ms, maximum_ms: 1_000 };
        assert_eq!(run.newest_refusal(), refusal);
    }
    // Bounds this far apart say nothing for sure.
    run.rig.input(clock(-3_000, 2_000));
    assert!(run.round(MID), "{}", run.rig.view(run.bot).doing);
}

#[test]
fn a_feed_that_resyncs_gives_no_entry_and_says_so() {
    let mut run = runner(throttled_at(0));
    assert!(run.round(MID));
    run.feed.state(&mut run.rig, FeedState::Resyncing("gap of 3 updates".to_owned()));
    let before = run.bought();
    run.feed.print(&mut run.rig, Side::Buy, MID + 1, 1_000);
    run.rig.pass(200);
    assert_eq!(run.bought(), before);
    let refusal = Refusal::NotFresh { state: "resyncing".to_owned() };
    assert_eq!(run.newest_refusal(), refusal);
    assert!(run.rig.view(run.bot).doing.contains("resyncing: gap of 3 updates"));
    assert!(run.round(MID), "and goes on when it is fresh again");
}

#[test]
fn trial_says_what_an_entry_would_meet_and_leaves_the_bot_as_it_was() {
    let policy = Policy { order_size_max_percent: Amount::from_int(10), ..wide() };
    let mut runner = runner(policy);
    runner.feed.around(&mut runner.rig, MID);
    let before = (runner.rig.view(runner.bot), runner.rig.out.len());
    let mut trial = |quantity: i64| {
        let (account, bot) = (runner.account, runner.bot);
        runner.rig.engine.try_entry(account, bot, OrderKind::Market, Quantity(quantity))
    };
    assert_eq!(trial(100_000), Some(Ok(())));
    // A tenth of 10,000 buys a tenth of a coin.
    let refused = trial(11_000_000).unwrap().unwrap_err();
    assert_eq!(refused.code(), RefusalCode::OrderTooLarge);
    assert_eq!((runner.rig.view(runner.bot), runner.rig.out.len()), before);
    runner.rig.switches(|s| s.trading = false);
    let (account, bot) = (runner.account, runner.bot);
    let trial = runner.rig.engine.try_entry(account, bot, OrderKind::Market, Quantity(100_000));
    assert_eq!(trial, None, "it may not enter at all");
}
