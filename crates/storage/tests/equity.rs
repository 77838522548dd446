//! The series of equity: what is written is read, and days end with their last known point.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{amount, at, batch, bot, bot_change, open};
use domain::{AccountId, Amount, BotId, Exchange, Mode, Span, Timestamp};
use engine::{EquityRecord, Output};
use storage::Store;

const DAY: i64 = 86_400;

fn point(bot: u32, seconds: i64, equity: Option<&str>, flow: &str) -> EquityRecord {
    EquityRecord {
        account_id: AccountId(1),
        bot_id: BotId(bot),
        mode: Mode::Paper,
        exchange: Exchange::Luno,
        currency: "ZAR".parse().unwrap(),
        equity: equity.map(amount),
        flow: amount(flow),
        at: at(0).day() + Span::from_secs(seconds),
    }
}

fn stored(points: &[EquityRecord]) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bots = [7, 8].map(|id| bot_change(bot(1, id), None)).into_iter();
    let outputs = bots.chain(points.iter().cloned().map(Output::Equity)).collect();
    store.commit(batch(outputs)).unwrap().wait().unwrap();
    (dir, store)
}

#[test]
fn the_newest_points_of_a_bot_are_read_oldest_first_and_only_by_its_account() {
    let all: Vec<_> = (0..5).map(|n| point(7, 300 * n, (n != 2).then_some("10.5"), "0")).collect();
    let mut with_other = all.clone();
    with_other.push(point(8, 600, Some("1"), "0"));
    let (_dir, store) = stored(&with_other);
    let read = |account, from: Option<Timestamp>, to, limit| {
        store
            .reader()
            .equity(Some(AccountId(account)), (BotId(7), Mode::Paper), from, to, limit)
            .unwrap()
    };
    assert_eq!(read(1, None, None, 100), all);
    assert_eq!(read(1, None, None, 2), all[3..]);
    assert_eq!(read(1, Some(all[1].at), Some(all[4].at), 100), all[1..4]);
    assert_eq!(read(2, None, None, 100), []);
}

#[test]
fn a_point_told_twice_is_the_later_one() {
    let (_dir, store) = stored(&[point(7, 0, None, "0"), point(7, 0, Some("3"), "0")]);
    let points = store.reader().equity(None, (BotId(7), Mode::Paper), None, None, 10).unwrap();
    assert_eq!(points, [point(7, 0, Some("3"), "0")]);
}

#[test]
fn a_day_ends_with_its_last_known_point_and_flows_stand_apart() {
    let given = point(7, 10, Some("100"), "100");
    let known = point(7, 600, Some("104.000000000001"), "0");
    let next = point(7, DAY, Some("105"), "0");
    let other = point(8, DAY + 5, Some("50"), "50");
    let unknown = [point(7, 900, None, "0"), point(7, 2 * DAY, None, "0")];
    let mut all = vec![given.clone(), known.clone(), next.clone(), other.clone()];
    all.extend(unknown);
    let (_dir, store) = stored(&all);
    let days = |from| store.reader().equity_days(AccountId(1), Mode::Paper, from).unwrap();
    let found = days(None);
    assert_eq!(found.closes, [known, next.clone(), other.clone()]);
    assert_eq!(found.flows, [given, other.clone()]);
    assert!(found.is_complete);
    let found = days(Some(next.at));
    assert_eq!((found.closes, found.flows), (vec![next, other.clone()], vec![other]));
    let live = store.reader().equity_days(AccountId(1), Mode::Live, None).unwrap();
    assert_eq!((live.closes, live.flows), (vec![], vec![]));
    assert_eq!(Amount::ZERO.to_string(), "0", "as the query for flows says");
}

#[test]
fn a_day_on_which_a_bot_became_live_ends_once_for_each_mode() {
    let live = |seconds, equity, flow| EquityRecord {
        mode: Mode::Live,
        ..point(7, seconds, Some(equity), flow)
    };
    let (given, back) = (point(7, 10, Some("100"), "100"), point(7, 900, Some("0"), "-100"));
    let (came, last) = (live(901, "50", "50"), live(1_200, "49", "0"));
    let next = live(DAY + 5, "48", "0");
    let all = [given.clone(), back.clone(), came.clone(), last.clone(), next.clone()];
    let (_dir, store) = stored(&all);
    let days = |mode| store.reader().equity_days(AccountId(1), mode, None).unwrap();
    let (paper, real) = (days(Mode::Paper), days(Mode::Live));
    assert_eq!((paper.closes, paper.flows), (vec![back.clone()], vec![given, back]));
    assert_eq!((real.closes, real.flows), (vec![last, next], vec![came]));
}
