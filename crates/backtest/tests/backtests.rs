//! Whole backtests over candles made here and over recorded ones.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;

use backtest::import;
use backtest::report::{Report, html};
use backtest::run::{Job, Outcome, run};
use backtest::sweep::{Axis, Choice, Keeper, Ranking, Score, Space, Sweep, sweep};
use backtest::{Plan, PlanData, PlanError, Tape, bar_gaps, look_ahead};
use domain::{Amount, DataGrade, Exchange, ExitReason, Policy, StrategyConfig, StrategyKind};
use engine::{EngineConfig, NewBot};
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const MINUTE: i64 = 60_000;
const START: i64 = 1_704_067_200_000;

/// A wave with noise that always comes out the same: enough for a cross to trade.
fn wave(bars: i64) -> String {
    let mut text = "ts_ms,open,high,low,close,volume\n".to_owned();
    let (mut price, mut dice) = (100_000i64, 7u64);
    for n in 0..bars {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (dice >> 33) as i64 % 101 - 50;
        let open = price;
        let rise = if n / 60 % 2 == 0 { 30 } else { -29 };
        price = (price + rise + noise).max(1_000);
        let (high, low) = (open.max(price) + 20, open.min(price) - 20);
        let cents = |p: i64| format!("{}.{:02}", p / 100, p % 100);
        let at = START + n * MINUTE;
        let (open, high, low, close) = (cents(open), cents(high), cents(low), cents(price));
        writeln!(text, "{at},{open},{high},{low},{close},{}.5", 50 + n % 40).unwrap();
    }
    text
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn bot(kind: StrategyKind, params: &str) -> NewBot {
    let params = serde_json::from_str(params).unwrap();
    NewBot {
        name: kind.name().to_owned(),
        exchange: "binance".to_owned(),
        symbol: "BTC/USDT".parse().unwrap(),
        strategy: StrategyConfig { kind, params },
        timeframe: Some(domain::Timeframe::M1),
        risk_mode: domain::RiskMode::Balanced,
        capital: Amount::from_int(10_000),
        sizing: None,
        exits: None,
        managed: false,
    }
}

fn plan(path: &Path, bots: Vec<NewBot>) -> Plan {
    let data = PlanData {
        exchange: Exchange::Binance,
        symbol: "BTC/USDT".parse().unwrap(),
        files: vec![path.to_owned()],
        fees: Default::default(),
        half_spread_bp: None,
    };
    Plan { data: vec![data], bots, ..Plan::default() }
}

fn engine_config() -> EngineConfig {
    let policy = Policy::default();
    EngineConfig { seed: 1, latency_ms_p50: 60.0, latency_ms_p99: 250.0, policy }
}

fn go(tape: &Tape, job: &Job) -> Outcome {
    run(tape, job, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn crossing(bars: i64) -> (tempfile::TempDir, Tape, Job) {
    let (directory, path) = file("a.csv", &wave(bars));
    let bots = vec![bot(StrategyKind::EmaCross, "{\"fast\":5,\"slow\":15}")];
    let (tape, job) = plan(&path, bots).prepare(engine_config(), None).unwrap();
    (directory, tape, job)
}

#[test]
fn profit_of_trades_and_equity_agree_to_the_last_place() {
    let (_directory, tape, job) = crossing(3_000);
    let outcome = go(&tape, &job);
    assert!(outcome.trades.len() > 5, "{:?}", outcome.refusals);
    assert!(outcome.trades.iter().all(|t| t.grade == DataGrade::Bars));
    let report = Report::new("t".to_owned(), &tape, &outcome, 1);
    let closed: Amount = outcome.trades.iter().map(|t| t.profit_loss).sum();
    assert_eq!(report.figures.trades.net_profit, closed);
    // Flat at the end: what was closed is all there is, but for dust.
    if outcome.fills.last().is_some_and(|f| f.side == domain::Side::Sell) {
        let difference = (report.figures.profit - closed).abs();
        assert!(difference < Amount::from_int(1), "more than dust: {difference}");
    }
    let json = report.json();
    for key in ["data", "trades", "statistics", "equity"] {
        assert!(!json[key].is_null(), "{key}");
    }
    assert_eq!(json["data"]["grade"], "bars");
    assert_eq!(json["data"]["gaps"], serde_json::json!([]));
    assert!(report.text().starts_with("data grade bars"));
}

#[test]
fn the_page_stands_alone_and_holds_no_markup_of_others() {
    let (_directory, tape, job) = crossing(1_500);
    let outcome = go(&tape, &job);
    let page = html(&Report::new("<script>x</script>".to_owned(), &tape, &outcome, 1));
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg").count(), 3);
}

#[test]
fn the_same_run_twice_gives_the_same_and_every_kind_runs() {
    let (_directory, path) = file("a.csv", &wave(1_200));
    for kind in StrategyKind::ALL {
        let plan = plan(&path, vec![bot(kind, "{}")]);
        let (tape, job) = plan.prepare(engine_config(), None).unwrap();
        let (a, b) = (go(&tape, &job), go(&tape, &job));
        assert_eq!((&a.trades, &a.fills, &a.equity), (&b.trades, &b.fills, &b.equity), "{kind}");
    }
}

#[test]
fn one_bot_more_changes_no_other_bots_trades() {
    let (_directory, path) = file("a.csv", &wave(1_500));
    let first = || bot(StrategyKind::EmaCross, "{\"fast\":5,\"slow\":15}");
    let alone = plan(&path, vec![first()]).prepare(engine_config(), None).unwrap();
    let both = vec![first(), bot(StrategyKind::MacdTrend, "{}")];
    let both = plan(&path, both).prepare(engine_config(), None).unwrap();
    let (alone, both) = (go(&alone.0, &alone.1), go(&both.0, &both.1));
    let times = |o: &Outcome| -> Vec<_> {
        let of_first = o.trades.iter().filter(|t| t.bot_id.0 == 1);
        of_first.map(|t| (t.entry_at, t.exit_at)).collect()
    };
    assert_eq!(times(&alone), times(&both));
    assert_eq!(both.capital, Amount::from_int(20_000));
}

#[test]
fn nothing_knows_the_future_of_any_kind() {
    let (_directory, path) = file("a.csv", &wave(900));
    for kind in StrategyKind::ALL {
        let (tape, job) =
            plan(&path, vec![bot(kind, "{}")]).prepare(engine_config(), None).unwrap();
        let found = look_ahead::check(&tape, &job).unwrap();
        assert_eq!((found.places, found.differences), (8, vec![]), "{kind}");
    }
}

#[test]
fn gaps_are_refused_by_name_and_accepted_when_told() {
    let text: String = wave(600)
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != 300)
        .fold(String::new(), |all, (_, l)| all + l + "\n");
    let (_directory, path) = file("a.csv", &text);
    let bots = vec![bot(StrategyKind::EmaCross, "{\"fast\":5,\"slow\":15}")];
    let mut plan = plan(&path, bots);
    let refused = plan.prepare(engine_config(), None).unwrap_err();
    assert!(matches!(refused, PlanError::Gaps { total: 1, .. }));
    assert!(refused.to_string().contains("2024-01-01T04:59:00"), "{refused}");
    plan.accept_gaps = true;
    let (tape, job) = plan.prepare(engine_config(), None).unwrap();
    let report = go(&tape, &job);
    let grades: Vec<_> = report.trades.iter().map(|t| t.grade).collect();
    assert!(grades.iter().all(|g| [DataGrade::Bars, DataGrade::Gap].contains(g)), "{grades:?}");
}

#[test]
fn tapes_fetched_bit_by_bit_are_one_tape() {
    let (directory, whole) = file("whole.csv", &wave(300));
    let text = wave(300);
    let (head, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let order = import::Order {
        exchange: Exchange::Binance,
        symbol: "BTC/USDT".parse().unwrap(),
        timeframe: None,
        latest: domain::Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        replaces: false,
    };
    let place = import::Place { root: directory.path().join("tapes") };
    let part = |name: &str, rows: &[&str]| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("{head}\n{}\n", rows.join("\n"))).unwrap();
        import::import(&[path], &order, &place).unwrap().path
    };
    let tapes = [part("late.csv", &rows[180..]), part("early.csv", &rows[..180])];
    let bots = || vec![bot(StrategyKind::EmaCross, "{\"fast\":5,\"slow\":15}")];
    let mut bitwise = plan(&tapes[0], bots());
    bitwise.data[0].files.push(tapes[1].clone());
    let (tape, job) = bitwise.prepare(engine_config(), None).unwrap();
    let (expected, same_job) = plan(&whole, bots()).prepare(engine_config(), None).unwrap();
    assert_eq!((tape.markets[0].bars.len(), tape.markets[0].gaps.len()), (300, 0));
    assert_eq!(go(&tape, &job).trades.len(), go(&expected, &same_job).trades.len());
    bitwise.data[0].symbol = "ETH/USDT".parse().unwrap();
    assert!(bitwise.prepare(engine_config(), None).unwrap_err().to_string().contains("is of BTC"));
}

#[test]
fn only_files_of_the_folder_are_opened_where_there_is_one() {
    let (directory, path) = file("a.csv", &wave(100));
    let outside = tempfile::tempdir().unwrap();
    let bots = || vec![bot(StrategyKind::EmaCross, "{}")];
    let inside = plan(Path::new("a.csv"), bots());
    assert!(inside.prepare(engine_config(), Some(directory.path())).is_ok());
    for name in [path.as_path(), Path::new("../a.csv"), Path::new("b.csv")] {
        let refused = plan(name, bots()).prepare(engine_config(), Some(directory.path()));
        assert!(matches!(refused, Err(PlanError::Plan(_))), "{}", name.display());
    }
    std::os::unix::fs::symlink(&path, outside.path().join("link.csv")).unwrap();
    let linked = plan(Path::new("link.csv"), bots());
    assert!(linked.prepare(engine_config(), Some(outside.path())).is_err(), "a link leads out");
}

#[test]
fn a_cancelled_run_ends() {
    let (_directory, tape, job) = crossing(20_000);
    let ended = run(&tape, &job, &mut |_| ControlFlow::Break(()));
    assert!(matches!(ended, Err(backtest::run::RunError::Cancelled)));
}

fn swept(tape: &Tape, job: &Job, choice: Choice, threads: usize) -> Sweep {
    let axes = ["fast=3..9:3", "slow=6..18:6"].map(|text| Axis::parse(text).unwrap()).to_vec();
    let _ = tape;
    Sweep {
        job: job.clone(),
        space: Space { axes },
        choice,
        runs: 6,
        windows: 3,
        score: Score::Sharpe,
        threads,
    }
}

#[test]
fn a_sweep_is_the_same_on_one_thread_and_on_three_and_goes_on_where_it_ended() {
    let (directory, tape, job) = crossing(6_000);
    let all = |choice, threads, keeper: &mut Keeper| {
        let what = swept(&tape, &job, choice, threads);
        sweep(&tape, &what, keeper, &mut |_, _| ControlFlow::Continue(())).unwrap()
    };
    for choice in [Choice::Grid, Choice::Random(3), Choice::Tpe(3)] {
        let one = all(choice, 1, &mut Keeper::default());
        assert_eq!(one, all(choice, 3, &mut Keeper::default()), "{choice:?}");
        let path = directory.path().join(format!("{choice:?}.jsonl"));
        let open = || Keeper::open(&path, &serde_json::json!({})).unwrap();
        assert_eq!(one, all(choice, 2, &mut open()));
        assert_eq!(open().len(), one.len());
        assert_eq!(one, all(choice, 2, &mut open()), "from the file alone");
    }
    // Nine places, of which fast=6 slow=6, fast=9 slow=6 cannot be.
    let grid = all(Choice::Grid, 2, &mut Keeper::default());
    assert_eq!(grid.len(), 7);
    let what = swept(&tape, &job, Choice::Grid, 1);
    let ranking = Ranking::of(&what.space, &grid, Score::Sharpe);
    assert_eq!((ranking.ranked.len(), ranking.walk_forward.len()), (7, 2));
    let page = backtest::sweep::html("s", "data grade bars", &what.space, &ranking);
    assert!(page.contains("Heat map") && page.contains("fast=3"));
}

/// The days around October's crash of 2025, recorded, for every kind with a stop.
fn crash(kind: StrategyKind) -> Option<(Tape, Job)> {
    let path = common::shared("data/binance_usdm_xrpusdt_5m_20250704_20251231.csv.gz")?;
    let mut bot = bot(kind, "{}");
    bot.symbol = "XRP/USDT".parse().unwrap();
    bot.timeframe = Some(domain::Timeframe::M5);
    let stop_percent = Some(Amount::from_int(4));
    let target_percent = Some(Amount::from_int(2));
    bot.exits = Some(domain::Exits { stop_percent, target_percent, ..Default::default() });
    let mut plan = plan(&path, vec![bot]);
    plan.data[0].symbol = "XRP/USDT".parse().unwrap();
    plan.from = domain::Timestamp::parse("2025-10-01T00:00:00Z");
    plan.to = domain::Timestamp::parse("2025-10-20T00:00:00Z");
    Some(plan.prepare(engine_config(), None).unwrap())
}

/// Every fill is inside its bar, and orders that wait are in no bar that opened before they came.
fn check_fills(tape: &Tape, outcome: &Outcome) {
    let market = &tape.markets[0];
    for fill in &outcome.fills {
        let price = market.instrument.price(fill.price, domain::Round::Down).unwrap();
        let is_in = |n: usize| {
            let bar = &market.bars[n];
            let is_its = bar.open_at == fill.at || market.closed_at(n) == fill.at;
            is_its && bar.low <= price && price <= bar.high
        };
        assert!((0..market.bars.len()).any(is_in), "{fill:?}");
    }
}

/// October 2025, recorded: stops fill inside their bars through the crash.
#[test]
fn a_recorded_crash_is_survived_with_stops_inside_their_bars() {
    let mut stops = 0;
    for kind in StrategyKind::ALL {
        let Some((tape, job)) = crash(kind) else { return };
        let outcome = go(&tape, &job);
        stops += outcome.trades.iter().filter(|t| t.exit_reason == ExitReason::Stop).count();
        check_fills(&tape, &outcome);
    }
    assert!(stops > 8, "{stops} stops");
}

/// The same with the worst hour missing: a stop that lies in the hole fills at the first price
/// behind it, not at its own.
#[test]
fn a_stop_in_a_hole_of_a_recorded_crash_fills_at_the_first_price_behind_it() {
    let mut below = 0;
    for kind in [StrategyKind::Dca, StrategyKind::Grid, StrategyKind::BollingerReversion] {
        let Some((mut tape, job)) = crash(kind) else { return };
        let hole = ["2025-10-10T21:10:00Z", "2025-10-10T21:20:00Z"]
            .map(|at| domain::Timestamp::parse(at).unwrap());
        let market = &mut tape.markets[0];
        market.bars.retain(|b| b.open_at < hole[0] || b.open_at >= hole[1]);
        let first = market.bars.iter().find(|b| b.open_at >= hole[1]).copied().unwrap();
        market.gaps = bar_gaps(&market.bars, market.timeframe.span().unwrap());
        let closed = first.open_at + tape.markets[0].timeframe.span().unwrap();
        let outcome = go(&tape, &job);
        check_fills(&tape, &outcome);
        let inside = |f: &&domain::FillRecord| f.at > hole[0] && f.at < hole[1];
        assert_eq!(outcome.fills.iter().filter(inside).count(), 0, "filled where nothing was seen");
        let open = tape.markets[0].instrument.price_amount(first.open);
        let is_behind = |t: &&domain::Trade| {
            t.exit_reason == ExitReason::Stop && t.exit_at >= hole[1] && t.exit_at <= closed
        };
        let stopped = outcome.trades.iter().filter(is_behind);
        below += stopped.inspect(|t| assert!(t.exit_price <= open, "{t:?}")).count();
    }
    assert!(below > 0, "no stop lay in the hole");
}
