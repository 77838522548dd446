//! The rules of the planner, one by one.

use super::plan::{BotFacts, Facts, Place, plan};
use super::record::{AutopilotKind, AutopilotPool, Piloted, Planned};
use super::score::Sample;
use crate::command::{Command, ProfitShare};
use domain::*;

const NOW: Timestamp = Timestamp(1_767_614_400_000_000_000);
const HERE: (&str, Exchange) = ("USDT", Exchange::Binance);

fn int(units: i64) -> Amount {
    Amount::from_int(units)
}

fn config(name: &str, managed: bool) -> BotConfig {
    BotConfig {
        name: name.to_owned(),
        exchange: "binance".to_owned(),
        symbol: "BTC/USDT".parse().unwrap(),
        strategy: StrategyConfig { kind: StrategyKind::EmaCross, params: ParamSet::default() },
        timeframe: Timeframe::M1,
        risk_mode: RiskMode::Balanced,
        capital: int(1_000),
        sizing: None,
        exits: Exits::default(),
        managed,
    }
}

/// Forty trades whose gains are this much on average, with a fixed spread.
fn sample(mean: f64) -> Sample {
    let mut sample = Sample::default();
    (0..40).for_each(|n| sample.add(mean + if n % 2 == 0 { 0.01 } else { -0.01 }));
    sample
}

/// An account in USDT, whose bots have configurations that outlive the facts.
struct Case {
    configs: Vec<BotConfig>,
    piloted: Vec<Option<Piloted>>,
    profits: Vec<i64>,
    means: Vec<f64>,
    policy: Policy,
    kept: i64,
    rate: Option<i64>,
    change: fn(&mut Facts<'_>),
}

impl Case {
    /// Managed bots by profit and mean gain.
    fn of(bots: &[(i64, f64)]) -> Self {
        let names = ["ant", "bee", "cat", "dog", "eel", "fox"];
        Self {
            configs: bots.iter().zip(names).map(|(_, name)| config(name, true)).collect(),
            piloted: vec![None; bots.len()],
            profits: bots.iter().map(|b| b.0).collect(),
            means: bots.iter().map(|b| b.1).collect(),
            policy: Policy::default(),
            kept: 0,
            rate: Some(1),
            change: |_| {},
        }
    }

    fn run(&self) -> (Vec<Planned>, Vec<AutopilotPool>) {
        let bot = |n: usize| BotFacts {
            id: BotId(n as u32 + 1),
            config: &self.configs[n],
            exchange: HERE.1,
            lifecycle: Lifecycle::Active,
            is_armed: true,
            is_valued: true,
            realized: int(self.profits[n]),
            untaken: int(self.profits[n]),
            free_cash: int(100_000),
            sample: sample(self.means[n]),
            covered: Span::from_secs(8 * 86_400),
            piloted: self.piloted[n].as_ref(),
            spawn_capital: Some(int(1_000)),
            promotable: None,
        };
        let earned: i64 = self.profits.iter().sum();
        let place = Place {
            earned: int(earned),
            taken: Amount::ZERO,
            untaken: int(earned.max(0)),
            kept: int(self.kept),
            rate: self.rate.map(int),
        };
        let usdt: Currency = HERE.0.parse().unwrap();
        let mut facts = Facts {
            now: NOW,
            reporting: usdt,
            bots: (0..self.configs.len()).map(bot).collect(),
            places: std::collections::BTreeMap::from([((HERE.1, usdt), place)]),
        };
        (self.change)(&mut facts);
        plan(&facts, &self.policy)
    }

    fn kinds(&self) -> Vec<(AutopilotKind, Option<u32>, bool)> {
        let planned = self.run().0;
        planned
            .iter()
            .map(|p| (p.action.kind, p.action.bot_id.map(|b| b.0), p.action.acts))
            .collect()
    }

    fn waits_for(&self) -> String {
        self.run().1[0].waits_for.clone().unwrap_or_default()
    }
}

fn shares(shares: &[(u32, i64)]) -> Vec<ProfitShare> {
    shares.iter().map(|(bot, n)| ProfitShare { bot_id: BotId(*bot), amount: int(*n) }).collect()
}

use AutopilotKind::{Cut, Promote, Reinvest, Retire, Spawn, Trial};

#[test]
fn four_fifths_of_the_profit_go_to_the_best_three_in_equal_parts() {
    let case = Case::of(&[(0, 0.001), (600, 0.004), (0, 0.003), (0, 0.002)]);
    let planned = case.run().0;
    assert_eq!(case.kinds(), [(Reinvest, None, true)]);
    let action = &planned[0].action;
    assert_eq!(action.from, shares(&[(2, 600)]));
    assert_eq!(action.to, shares(&[(2, 160), (3, 160), (4, 160)]), "the best by score");
    assert_eq!(action.amount, Some(int(480)));
    assert!(matches!(planned[0].command, Some(Command::Reinvest { .. })));
}

#[test]
fn below_the_threshold_in_the_reporting_currency_nothing_moves() {
    let case = Case::of(&[(499, 0.004)]);
    assert!(case.kinds().is_empty());
    assert_eq!(case.waits_for(), "500 USDT of movable profit; it is 499");
    let rich = Case { rate: Some(18), ..Case::of(&[(28, 0.004)]) };
    assert_eq!(rich.kinds(), [(Reinvest, None, true)], "28 at 18 are 504");
    let unknown = Case { rate: None, ..Case::of(&[(900, 0.004)]) };
    assert!(unknown.kinds().is_empty());
    assert!(unknown.waits_for().starts_with("RATE_UNKNOWN"));
}

#[test]
fn losses_of_managed_bots_and_of_the_others_are_earned_back_first() {
    let case = Case::of(&[(900, 0.004), (-500, 0.0)]);
    assert!(case.kinds().is_empty(), "net of its own bots' losses it is 400");
    let mut other = Case::of(&[(900, 0.004), (-500, 0.0)]);
    other.configs[1].managed = false;
    assert!(other.kinds().is_empty(), "all bots of the wallet earned 400");
}

#[test]
fn a_bot_without_its_minimum_sample_or_that_loses_is_given_nothing() {
    let few: fn(&mut Facts<'_>) = |facts| {
        let mut few = Sample::default();
        (0..29).for_each(|n| few.add(f64::from(n)));
        facts.bots[0].sample = few;
    };
    let case = Case { change: few, ..Case::of(&[(900, 0.004)]) };
    assert!(case.kinds().is_empty());
    assert_eq!(case.waits_for(), "a bot with 30 trades and a score above 0");
    assert!(Case::of(&[(900, -0.001)]).kinds().is_empty());
}

#[test]
fn what_is_bound_in_positions_or_unknown_is_not_moved() {
    let bound = Case { change: |f| f.bots[0].free_cash = int(300), ..Case::of(&[(900, 0.004)]) };
    assert_eq!(bound.waits_for(), "500 USDT of movable profit; it is 300");
    let stale = Case { change: |f| f.bots[0].is_valued = false, ..Case::of(&[(900, 0.004)]) };
    assert!(stale.kinds().is_empty());
    let held = Case { change: |f| f.bots[0].is_armed = false, ..Case::of(&[(900, 0.004)]) };
    assert!(held.kinds().is_empty());
}

#[test]
fn a_thousand_create_a_variation_of_the_best_and_the_rest_is_reinvested() {
    let case = Case::of(&[(1_700, 0.002), (0, 0.004)]);
    assert_eq!(case.kinds(), [(Spawn, Some(2), true), (Reinvest, None, true)]);
    let planned = case.run().0;
    let Some(Command::Spawn { parent, bot, from }) = &planned[0].command else { panic!() };
    assert_eq!((*parent, bot.capital, bot.managed), (BotId(2), int(1_000), true));
    assert_eq!((&*bot.name, from), ("bee 3", &shares(&[(1, 1_000)])));
    assert_eq!(
        bot.strategy.params.get("fast"),
        Some(&ParamValue::Integer(10)),
        "nine, a fifth more"
    );
    assert_eq!(planned[1].action.from, shares(&[(1, 700)]), "each profit once");
}

#[test]
fn what_waits_since_earlier_runs_pays_for_a_bot_first() {
    let case = Case { kept: 850, ..Case::of(&[(300, 0.002)]) };
    assert_eq!(case.kinds(), [(Spawn, Some(1), true)]);
    assert_eq!(case.run().0[0].action.from, shares(&[(1, 150)]));
    let dear: fn(&mut Facts<'_>) = |f| f.bots[0].spawn_capital = Some(int(1_151));
    let case = Case { kept: 850, change: dear, ..Case::of(&[(300, 0.002)]) };
    assert!(case.kinds().is_empty(), "the exchange's workable minimum is more");
}

#[test]
fn the_worst_is_cut_one_a_run_and_only_when_it_loses_by_more_than_chance() {
    let case = Case::of(&[(-10, -0.003), (-10, -0.004), (-10, -0.001), (-10, 0.0)]);
    assert_eq!(case.kinds(), [(Cut, Some(2), true)]);
    assert!(matches!(case.run().0[0].command, Some(Command::WindUp(BotId(2)))));
    assert!(Case::of(&[(-10, -0.001)]).kinds().is_empty(), "a score of -0.6");
}

#[test]
fn a_child_that_earned_nothing_in_its_trial_is_retired_and_one_that_did_has_passed() {
    let child = || Some(Piloted { parent: Some(BotId(9)), ..Piloted::default() });
    let mut case = Case::of(&[(0, 0.0), (1, 0.0), (0, 0.0), (-5, 0.0)]);
    case.piloted = vec![child(), child(), None, child()];
    case.change = |facts| facts.bots[3].covered = Span::from_secs(7 * 86_400 - 1);
    assert_eq!(case.kinds(), [(Retire, Some(1), true), (Trial, Some(2), true)]);
    case.piloted[1].as_mut().unwrap().has_passed = true;
    assert_eq!(case.kinds(), [(Retire, Some(1), true)], "once");
}

#[test]
fn a_bot_that_was_acted_on_rests() {
    let rests = |hours: i64| {
        let acted_at = Some(NOW - Span::from_secs(3_600 * hours));
        Some(Piloted { acted_at, ..Piloted::default() })
    };
    let mut case = Case::of(&[(900, 0.004), (0, 0.003), (-100, -0.004)]);
    assert_eq!(case.kinds(), [(Cut, Some(3), true), (Reinvest, None, true)]);
    case.piloted = vec![None, rests(23), rests(23)];
    assert!(case.kinds().is_empty(), "not to the next best instead");
    assert_eq!(case.waits_for(), "bee to rest");
    case.piloted = vec![None, rests(24), rests(24)];
    assert_eq!(case.kinds(), [(Cut, Some(3), true), (Reinvest, None, true)]);
}

#[test]
fn bots_that_nobody_handed_over_are_only_proposed_and_never_mixed_with_the_managed() {
    let mut case = Case::of(&[(900, 0.004), (0, 0.003), (-100, -0.004)]);
    case.configs.iter_mut().for_each(|config| config.managed = false);
    assert_eq!(case.kinds(), [(Cut, Some(3), false), (Reinvest, None, false)]);
    case.configs[1].managed = true;
    let planned = case.run().0;
    let mine = planned.iter().find(|p| p.action.kind == Reinvest && p.action.acts);
    assert!(mine.is_none(), "no profit of its own");
    let theirs = planned.iter().find(|p| p.action.kind == Reinvest).unwrap();
    assert_eq!(theirs.action.to, shares(&[(1, 640)]));
}

#[test]
fn promotion_is_proposed_with_what_a_person_has_to_see_to_and_never_ordered() {
    let proven: fn(&mut Facts<'_>) =
        |f| f.bots[0].promotable = Some(vec!["exchange_key", "confirmed_by_a_person"]);
    let case = Case { change: proven, ..Case::of(&[(10, 0.004)]) };
    assert_eq!(case.kinds(), [(Promote, Some(1), false)]);
    let planned = &case.run().0[0];
    assert!(planned.command.is_none());
    assert!(planned.action.reason.ends_with("exchange_key, confirmed_by_a_person"));
}

#[test]
fn a_run_has_no_more_actions_than_the_policy_lets_it() {
    let child = || Some(Piloted { parent: Some(BotId(9)), ..Piloted::default() });
    let mut case = Case::of(&[(0, 0.0), (0, 0.0), (0, 0.0), (1_900, 0.004)]);
    case.piloted = vec![child(), child(), child(), None];
    assert_eq!(case.kinds().len(), 5);
    case.policy.autopilot_actions_max = 2;
    assert_eq!(case.kinds(), [(Retire, Some(1), true), (Retire, Some(2), true)]);
}
