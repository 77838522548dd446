//! Every state of a bot against every wish, through the whole core, with a grid that holds a lot.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Active,
    Paused,
    FlagOff,
    Stale,
    Emergency,
    Stopped,
}

/// A grid with one lot bought, its sale and its other buys resting.
fn grid() -> (Rig, Feed, AccountId, BotId) {
    let (mut rig, account) = Rig::funded(wide());
    let params = r#"{"range_percent":4,"levels":4}"#;
    let one = bot("grid", "binance", StrategyKind::Grid, params);
    let id = rig.create(account, one).unwrap();
    let symbol = "BTC/USDT".parse().unwrap();
    let mut feed = Feed::new(rig.engine.instrument_id(Exchange::Binance, symbol).unwrap());
    feed.around(&mut rig, MID);
    feed.print(&mut rig, Side::Buy, MID + 1, 1_000);
    rig.pass(200);
    feed.around(&mut rig, MID * 995 / 1_000);
    rig.pass(200);
    feed.print(&mut rig, Side::Buy, MID * 995 / 1_000, 1_000);
    rig.pass(200);
    assert_eq!(resting(&rig), (2, 1), "{}", rig.view(id).doing);
    (rig, feed, account, id)
}

/// Buys and sells that rest.
fn resting(rig: &Rig) -> (usize, usize) {
    let open: Vec<_> =
        rig.last_orders().into_iter().filter(|o| o.status == OrderStatus::Open).collect();
    let buys = open.iter().filter(|o| o.side == Side::Buy).count();
    (buys, open.len() - buys)
}

fn enter(state: State, rig: &mut Rig, feed: &Feed, account: AccountId, bot: BotId) {
    let account = Some(account);
    match state {
        State::Active => {}
        State::Paused => drop(rig.order(account, Command::Pause(bot)).unwrap()),
        State::FlagOff => rig.switches(|s| s.trading = false),
        State::Stale => feed.stale(rig),
        State::Emergency => {
            let stop = Command::EmergencyStop { reason: "test".to_owned(), sell: false };
            rig.order(account, stop).unwrap();
        }
        State::Stopped => {
            let stop = Command::Stop { bot, positions: StopChoice::KeepGuarding };
            rig.order(account, stop).unwrap();
        }
    }
    rig.pass(200);
}

/// State, buys left resting, may its sale rest, does a stop fire, does a flatten sell at once.
const TABLE: [(State, usize, bool, bool, bool); 6] = [
    (State::Active, 2, true, true, true),
    (State::Paused, 0, true, true, true),
    (State::FlagOff, 0, true, true, true),
    (State::Stale, 0, true, false, false),
    (State::Emergency, 0, false, true, true),
    (State::Stopped, 0, false, true, true),
];

#[test]
fn entries_rest_only_where_they_may() {
    for (state, buys, sale, ..) in TABLE {
        let (mut rig, mut feed, account, id) = grid();
        enter(state, &mut rig, &feed, account, id);
        feed.print(&mut rig, Side::Buy, MID * 995 / 1_000, 1_000);
        rig.pass(200);
        assert_eq!(resting(&rig), (buys, usize::from(sale)), "{state:?}");
        let entries = rig.fills().iter().filter(|f| f.side == Side::Buy).count();
        if state != State::Active {
            feed.print(&mut rig, Side::Sell, MID * 97 / 100, 100_000_000_000);
            rig.pass(200);
            let now = rig.fills().iter().filter(|f| f.side == Side::Buy).count();
            assert_eq!(now, entries, "{state:?}: bought while it may not");
        }
    }
}

#[test]
fn a_protective_exit_fires_in_every_state_that_has_a_price() {
    for (state, _, _, fires, _) in TABLE {
        let (mut rig, mut feed, account, id) = grid();
        enter(state, &mut rig, &feed, account, id);
        let low = MID * 90 / 100;
        if state == State::Stale {
            feed.print(&mut rig, Side::Sell, low, 1_000);
        } else {
            feed.around(&mut rig, low);
        }
        rig.pass(3_000);
        assert_eq!(rig.view(id).position.is_none(), fires, "{state:?}: {}", rig.view(id).doing);
        if state == State::Stale {
            feed.around(&mut rig, low);
            rig.pass(3_000);
            assert!(rig.view(id).position.is_none(), "armed: fires when fresh");
        }
        assert!(rig.trades().iter().all(|t| t.exit_reason == ExitReason::Stop));
        audit(&rig.out);
    }
}

#[test]
fn a_flatten_goes_through_in_every_state_once_there_is_a_price() {
    for (state, _, _, _, at_once) in TABLE {
        let (mut rig, mut feed, account, id) = grid();
        enter(state, &mut rig, &feed, account, id);
        rig.order(Some(account), Command::Flatten(id)).unwrap();
        rig.pass(3_000);
        assert_eq!(rig.view(id).position.is_none(), at_once, "{state:?}: {}", rig.view(id).doing);
        if !at_once {
            feed.around(&mut rig, MID);
            rig.pass(3_000);
        }
        assert!(rig.view(id).position.is_none(), "{state:?}: {}", rig.view(id).doing);
        assert_eq!(rig.trades()[0].exit_reason, ExitReason::Manual);
        audit(&rig.out);
    }
}

#[test]
fn a_retired_bot_is_let_through_nothing() {
    let (mut rig, mut feed, account, id) = grid();
    let account = Some(account);
    assert!(matches!(rig.order(account, Command::Retire(id)), Err(CommandError::NotFlat { .. })));
    rig.order(account, Command::Flatten(id)).unwrap();
    rig.order(account, Command::Stop { bot: id, positions: StopChoice::Sell }).unwrap();
    rig.pass(3_000);
    rig.order(account, Command::Retire(id)).unwrap();
    let orders = rig.last_orders().len();
    // Entries and strategy exits: a market that made it trade. Protective exits: one that falls.
    for mid in [MID, MID * 99 / 100, MID * 101 / 100, MID * 50 / 100] {
        feed.around(&mut rig, mid);
        feed.print(&mut rig, Side::Buy, mid, 1_000);
        rig.pass(1_000);
    }
    let positions = StopChoice::Sell;
    for command in [
        Command::Flatten(id),
        Command::Start(id),
        Command::Pause(id),
        Command::Resume(id),
        Command::Rearm(id),
        Command::Retire(id),
        Command::Stop { bot: id, positions },
        Command::UpdateBot { bot: id, patch: BotPatch::default() },
    ] {
        let answer = rig.order(account, command.clone());
        assert!(matches!(answer, Err(CommandError::WrongState { .. })), "{command:?}: {answer:?}");
    }
    assert_eq!((rig.last_orders().len(), resting(&rig)), (orders, (0, 0)));
    let view = rig.view(id);
    assert_eq!(
        (view.state, view.doing.as_str(), view.cash),
        ("archived", "Archived.", Amount::ZERO)
    );
    audit(&rig.out);
}
