//! The autopilot on real trades: what it does, what binds it, and that it is never needed.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

const MID: i64 = 1_000_000;
const HOUR_MS: i64 = 3_600_000;

/// Everything at its default but the sample: few trades are enough here.
fn policy() -> Policy {
    Policy { autopilot_trades_min: 5, ..wide() }
}

/// Buys on every print while flat, sells two percent higher or lower.
fn trader(name: &str, managed: bool) -> NewBot {
    let params = r#"{"safety_orders":0,"interval_bars":1,"target_percent":50}"#;
    let exits = Exits {
        target_percent: Some(Amount::from_int(2)),
        stop_percent: Some(Amount::from_int(2)),
        ..Exits::default()
    };
    let bot = bot(name, "kucoin", StrategyKind::Dca, params);
    NewBot { exits: Some(exits), managed, ..bot }
}

struct Flight {
    rig: Rig,
    feed: Feed,
    account: AccountId,
}

impl Flight {
    fn new(policy: Policy, is_on: bool) -> Self {
        let (mut rig, account) = Rig::funded(policy);
        rig.switches(|s| s.autopilot = is_on);
        let symbol = "BTC/USDT".parse().unwrap();
        let feed = Feed::new(rig.engine.instrument_id(Exchange::Kucoin, symbol).unwrap());
        Self { rig, feed, account }
    }

    fn create(&mut self, bot: NewBot) -> BotId {
        self.rig.create(self.account, bot).unwrap()
    }

    /// One round trip of every bot: the price moves by about this many percent.
    fn round(&mut self, percent: i64, spice: i64) {
        self.feed.around(&mut self.rig, MID);
        self.feed.print(&mut self.rig, Side::Buy, MID + 1, 1_000);
        self.rig.pass(100);
        let to = MID + MID * percent / 100 + spice;
        self.feed.around(&mut self.rig, to);
        self.rig.pass(2_000);
    }

    fn rounds(&mut self, percent: i64, n: i64) {
        (0..n).for_each(|n| self.round(percent, 100 * (n % 7)));
    }

    fn told(&self) -> Vec<&AutopilotRecord> {
        let mut told = Vec::new();
        for output in &self.rig.out {
            if let Output::Autopilot(record) = output {
                told.push(&**record);
            }
        }
        told
    }

    fn moved(&self, reason: TransferReason) -> Amount {
        let transfers = self.rig.out.iter().filter_map(|o| match o {
            Output::Transfer(t) if t.reason == reason => Some(t),
            _ => None,
        });
        let cash = |p: &&Posting| matches!(p.book, Book::Cash(_));
        transfers.flat_map(|t| t.postings.iter().filter(cash)).map(|p| p.amount).sum()
    }
}

fn at(kind: AutopilotKind, told: &[&AutopilotRecord]) -> Vec<AutopilotOutcome> {
    told.iter().filter(|t| t.action.kind == kind).map(|t| t.outcome).collect()
}

#[test]
fn profit_goes_to_the_best_once_and_a_bot_is_created_of_what_waits() {
    let mut flight = Flight::new(policy(), true);
    let bot = flight.create(trader("ant", true));
    flight.rounds(3, 9);
    let earned = flight.rig.view(bot).realized_pnl;
    assert!(earned > Amount::from_int(600) && earned < Amount::from_int(1_000), "{earned}");
    let capital = flight.rig.view(bot).record.config.capital;
    flight.rig.pass(HOUR_MS);
    let told = flight.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let done = told[0];
    assert_eq!((done.action.kind, done.outcome), (AutopilotKind::Reinvest, AutopilotOutcome::Done));
    let given = done.action.amount.unwrap();
    let view = flight.rig.view(bot);
    assert_eq!(view.record.config.capital, capital + given);
    assert_eq!(view.realized_pnl, earned, "a flow is no profit");
    assert_eq!(flight.moved(TransferReason::TakeProfit), -earned);
    assert_eq!(flight.moved(TransferReason::Reinvest), given);
    assert!(given <= earned.part(4, 5, Round::Down) && given > earned.part(79, 100, Round::Down));
    // Days later there is nothing new to spend.
    flight.rig.pass(60 * HOUR_MS);
    assert_eq!(flight.told().len(), 1);
    flight.rounds(3, 18);
    flight.rig.pass(HOUR_MS);
    let spawned = flight.told()[1];
    assert_eq!(
        (spawned.action.kind, spawned.outcome, &spawned.code),
        (AutopilotKind::Spawn, AutopilotOutcome::Done, &None),
        "{:?}",
        spawned.problem
    );
    let child = flight.rig.view(spawned.action.bot_id.unwrap());
    assert!(child.record.config.managed && child.record.mode == Mode::Paper);
    assert_eq!(child.record.config.capital, Amount::from_int(1_000));
    assert_eq!(child.equity, Some(Amount::from_int(1_000)));
    assert_ne!(child.record.config.strategy, view.record.config.strategy);
    assert_eq!(flight.rig.engine.bots_ever(flight.account), 2, "one variant more");
    audit(&flight.rig.out);
}

#[test]
fn capital_that_comes_or_goes_is_no_drawdown_and_keeps_the_training() {
    let mut flight = Flight::new(policy(), true);
    let bot = flight.create(trader("ant", true));
    flight.rounds(3, 9);
    flight.rounds(-3, 2);
    flight.rig.pass(400_000);
    let fallen = flight.rig.view(bot).drawdown_percent.unwrap();
    assert!(fallen.is_positive());
    let began = flight.rig.engine.live_gate(flight.account, bot).unwrap().training_since;
    let deepest =
        |f: &Flight| f.rig.engine.live_gate(f.account, bot).unwrap().evidence.drawdown_percent;
    let before = deepest(&flight);
    let mut tiny = policy();
    tiny.autopilot_reinvest_min = Amount::ONE;
    flight.rig.order(None, Command::SetPolicy(Box::new(tiny))).unwrap();
    flight.rig.pass(HOUR_MS);
    assert_eq!(at(AutopilotKind::Reinvest, &flight.told()), [AutopilotOutcome::Done]);
    let close = |a: Amount, b: Amount| (a - b).abs() < amount("0.000001");
    assert!(close(flight.rig.view(bot).drawdown_percent.unwrap(), fallen));
    assert!(close(deepest(&flight), before));
    let gate = flight.rig.engine.live_gate(flight.account, bot).unwrap();
    assert_eq!(gate.training_since, began);
    let flows = flight.rig.out.iter().filter_map(|o| match o {
        Output::Equity(e) if !e.flow.is_zero() => Some((e.at, e.flow)),
        _ => None,
    });
    let flows: Vec<_> = flows.collect();
    assert_eq!(flows.len(), 2, "funded, then the net of what was taken and given: {flows:?}");
    assert!(flows[1].1.is_negative());
}

#[test]
fn a_cap_binds_it_like_a_person_and_the_refusal_is_told_once_with_its_code() {
    let mut capped = policy();
    capped.paper_bots_max.kucoin = 1;
    let mut flight = Flight::new(capped, true);
    flight.create(trader("ant", true));
    flight.rounds(3, 20);
    let before = flight.rig.engine.wallets(flight.account);
    flight.rig.pass(5 * HOUR_MS);
    let told = flight.told();
    assert_eq!(at(AutopilotKind::Spawn, &told), [AutopilotOutcome::Refused]);
    assert_eq!(told[0].code.as_deref(), Some("BOT_CAP_REACHED"));
    assert!(told[0].problem.as_ref().unwrap().contains("1 of 1"));
    assert_eq!(flight.rig.engine.bots_ever(flight.account), 1);
    let spent = flight.moved(TransferReason::Reinvest);
    let wallets = flight.rig.engine.wallets(flight.account);
    let sum = |wallets: &[view::WalletView]| wallets.iter().map(|w| w.total).sum::<Amount>();
    assert_eq!(sum(&wallets), sum(&before), "{spent}");
    audit(&flight.rig.out);
}

#[test]
fn the_worst_is_sold_and_archived_and_its_capital_returns() {
    let mut flight = Flight::new(policy(), true);
    let bot = flight.create(trader("ant", true));
    flight.rounds(-3, 8);
    // It holds a position when it is cut.
    flight.feed.around(&mut flight.rig, MID);
    flight.feed.print(&mut flight.rig, Side::Buy, MID + 1, 1_000);
    flight.rig.pass(100);
    assert!(flight.rig.view(bot).position.is_some());
    flight.rig.pass(HOUR_MS);
    assert_eq!(at(AutopilotKind::Cut, &flight.told()), [AutopilotOutcome::Done]);
    let view = flight.rig.view(bot);
    assert_eq!(view.record.lifecycle, Lifecycle::Retired, "{}", view.doing);
    assert_eq!(flight.rig.trades().last().unwrap().exit_reason, ExitReason::Manual);
    let by: Vec<String> = flight
        .rig
        .out
        .iter()
        .filter_map(|o| match o {
            Output::Bot(c) if c.event == Some(EventKind::BotStopped) => Some(c.actor.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(by, ["autopilot", "autopilot"], "stopped, then archived");
    audit(&flight.rig.out);
}

#[test]
fn bots_of_a_person_are_left_alone_and_only_proposed_for() {
    let mut flight = Flight::new(policy(), true);
    let bot = flight.create(trader("ant", false));
    flight.rounds(-3, 8);
    flight.rig.pass(HOUR_MS);
    assert_eq!(at(AutopilotKind::Cut, &flight.told()), [AutopilotOutcome::Proposed]);
    assert_eq!(flight.rig.view(bot).record.lifecycle, Lifecycle::Active);
    // Handed over it is acted on.
    let patch = BotPatch { managed: Some(true), ..BotPatch::default() };
    flight.rig.order(Some(flight.account), Command::UpdateBot { bot, patch }).unwrap();
    flight.rig.pass(25 * HOUR_MS);
    assert_eq!(flight.rig.view(bot).record.lifecycle, Lifecycle::Retired);
}

#[test]
fn off_or_stopped_it_does_nothing_and_still_plans() {
    for is_on in [false, true] {
        let mut flight = Flight::new(policy(), is_on);
        flight.create(trader("ant", true));
        flight.rounds(3, 9);
        if is_on {
            let stop = Command::EmergencyStop { reason: "storm".to_owned(), sell: false };
            flight.rig.order(Some(flight.account), stop).unwrap();
        }
        flight.rig.pass(3 * HOUR_MS);
        assert!(flight.told().is_empty());
        let plan = flight.rig.engine.autopilot_plan(flight.account).unwrap();
        let why = plan.blocked_by.unwrap();
        let expected = if is_on { "the emergency stop is on" } else { "ENABLE_AUTOPILOT is off" };
        assert_eq!((plan.enabled, &*why), (is_on, expected));
        // Under the stop no bot is armed: there is nothing to plan with.
        assert_eq!(plan.actions.len(), usize::from(!is_on), "{:?}", plan.pools);
    }
}

#[test]
fn asking_for_the_plan_changes_nothing() {
    let mut flight = Flight::new(policy(), true);
    flight.create(trader("ant", true));
    flight.rounds(3, 9);
    let (rows, before) = (flight.rig.engine.take_dirty().len(), flight.rig.out.len());
    assert!(rows > 0);
    let plan = flight.rig.engine.autopilot_plan(flight.account).unwrap();
    assert_eq!(plan.actions.len(), 1);
    assert_eq!(flight.rig.engine.autopilot_plan(flight.account).unwrap(), plan);
    assert!(flight.rig.engine.take_dirty().is_empty() && flight.rig.out.len() == before);
    // What it said is what it does.
    flight.rig.pass(HOUR_MS);
    assert_eq!(flight.told()[0].action, plan.actions[0]);
}

#[test]
fn nobody_else_moves_profit_between_bots() {
    let mut flight = Flight::new(policy(), true);
    let bot = flight.create(trader("ant", true));
    flight.rounds(3, 9);
    let share = |amount| vec![ProfitShare { bot_id: bot, amount: Amount::from_int(amount) }];
    let command = Command::Reinvest { from: share(10), to: share(8) };
    let refused = flight.rig.order(Some(flight.account), command).unwrap_err();
    assert!(matches!(refused, CommandError::NotPossible { .. }), "{refused}");
}

/// A fleet over random prices, by each way of having no autopilot.
fn walk(prepare: impl FnOnce(&mut Rig)) -> Vec<u8> {
    let (mut rig, account) = Rig::funded(Policy { autopilot_trades_min: 2, ..wide() });
    prepare(&mut rig);
    let grid = bot("grid", "binance", StrategyKind::Grid, r#"{"range_percent":2,"levels":4}"#);
    let rsi = r#"{"period":5,"buy_below":40,"sell_above":60}"#;
    for bot in [grid, bot("rsi", "binance", StrategyKind::RsiReversion, rsi)] {
        rig.create(account, bot).unwrap();
    }
    let symbol = "BTC/USDT".parse().unwrap();
    let id = rig.engine.instrument_id(Exchange::Binance, symbol).unwrap();
    let mut tape = Tape::new(id, &Walk::default());
    tape.open(&mut rig);
    for _ in 0..8 {
        (0..Walk::default().steps / 8).for_each(|_| tape.step(&mut rig));
        rig.pass(HOUR_MS);
        tape.open(&mut rig);
    }
    assert!(rig.trades().len() > 5 && rig.engine.now() > START + Span::from_millis(8 * HOUR_MS));
    let is_it = |o: &&Output| matches!(o, Output::Autopilot(_));
    let rest: Vec<&Output> = rig.out.iter().filter(|o| !is_it(o)).collect();
    serde_json::to_vec(&rest).unwrap()
}

#[test]
fn paper_trading_is_byte_for_byte_the_same_without_it() {
    let off = walk(|rig| rig.switches(|s| s.autopilot = false));
    let on = walk(|rig| rig.switches(|s| s.autopilot = true));
    assert!(off == on, "outputs differ");
}

#[test]
fn a_stop_in_the_middle_changes_nothing_that_it_does() {
    let mut flight = Flight::new(policy(), true);
    flight.create(trader("ant", true));
    flight.create(trader("bee", true));
    flight.rounds(3, 9);
    flight.rig.pass(HOUR_MS);
    assert!(!flight.told().is_empty());
    let stop = flight.rig.inputs.len();
    let rows = flight.rig.engine.take_dirty();
    let before = flight.rig.out.len();
    let mut again = Engine::restore(flight.rig.config.clone(), rows).unwrap();
    flight.rig.switches(|s| s.autopilot = true);
    flight.feed.around(&mut flight.rig, MID);
    flight.rig.pass(30 * HOUR_MS);
    flight.rounds(3, 20);
    flight.rig.pass(2 * HOUR_MS);
    let mut out = Vec::new();
    flight.rig.inputs[stop..].iter().for_each(|input| again.apply(input, &mut out));
    let acts = |out: &[Output]| {
        let acts = out.iter().filter(|o| matches!(o, Output::Autopilot(_) | Output::Transfer(_)));
        serde_json::to_string(&acts.collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(acts(&out), acts(&flight.rig.out[before..]));
    assert!(out.iter().any(|o| matches!(o, Output::Autopilot(_))));
    let view = |engine: &Engine| serde_json::to_value(engine.autopilot(flight.account)).unwrap();
    assert_eq!(view(&again), view(&flight.rig.engine));
}
