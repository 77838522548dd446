//! What holds for every kind with any parameters on any market.

mod common;

use common::{Rig, held, range_bar};
use domain::{Amount, Bar, ParamValue, Price, Side, StrategyConfig, StrategyKind as Kind};
use proptest::prelude::*;
use strategy::{Action, Actions, ParamKind, Params, resolve, schema};

/// Parameters inside their ranges; those that break a rule between two of them are left out.
fn any_params() -> impl Strategy<Value = Params> {
    let kinds = prop::sample::select(Kind::ALL.to_vec());
    (kinds, prop::collection::vec(0u32..=1_000, 8)).prop_filter_map("cross rule", |(kind, at)| {
        let given = schema(kind).params.iter().zip(at).filter_map(|(spec, at)| {
            let value = match &spec.kind {
                ParamKind::Integer { min, max, .. } => {
                    ParamValue::Integer(min + (max - min) * i64::from(at) / 1_000)
                }
                ParamKind::Decimal { min, max, .. } => {
                    let share = (max.atoms() - min.atoms()) * i128::from(at) / 1_000;
                    ParamValue::Decimal(Amount::from_atoms(min.atoms() + share))
                }
                ParamKind::Word { allowed, .. } => {
                    ParamValue::Word(allowed[at as usize % allowed.len()].to_owned())
                }
                _ => return None,
            };
            Some((spec.name.to_owned(), value))
        });
        resolve(&StrategyConfig { kind, params: given.collect() }).ok()
    })
}

#[derive(Clone, Debug)]
struct Tick {
    bar: Bar,
    spread: i64,
    can_enter: bool,
}

fn market(bars: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Tick>> {
    let step = (-300i64..300, 0i64..200, -20i64..60, any::<bool>());
    prop::collection::vec(step, bars).prop_map(|steps| {
        let mut close = 20_000;
        let tick = |(change, range, spread, can_enter): (i64, i64, i64, bool)| {
            close = (close + change).max(1);
            let bar = range_bar(close + range, (close - range).max(1), close);
            Tick { bar, spread, can_enter }
        };
        steps.into_iter().map(tick).collect()
    })
}

/// One bar with a simple engine around it: wishes at or through the price are filled.
fn step(rig: &mut Rig, tick: &Tick) -> Vec<Action> {
    let close = tick.bar.close.0;
    rig.can_enter = tick.can_enter;
    rig.touch = (tick.spread > -10).then_some((close, close + tick.spread));
    let mut all: Vec<Action> = rig.bar(tick.bar).into_vec();
    for action in all.clone() {
        all.extend(follow(rig, &action, close));
    }
    all
}

fn follow(rig: &mut Rig, action: &Action, close: i64) -> Actions {
    match *action {
        Action::Enter { level, .. } => buy(rig, level, close),
        Action::Rest { level, side: Side::Buy, price, .. } if price.0 + 100 >= close => {
            buy(rig, level, price.0)
        }
        Action::Rest { level, side: Side::Sell, price, .. } if price.0 - 100 <= close => {
            rig.position.entries = rig.position.entries.saturating_sub(1);
            if rig.position.entries == 0 {
                rig.position = Default::default();
            }
            rig.fill(level, Side::Sell, price.0, true)
        }
        Action::Exit { .. } => {
            rig.position = Default::default();
            rig.fill(0, Side::Sell, close, true)
        }
        _ => Actions::new(),
    }
}

fn buy(rig: &mut Rig, level: u16, price: i64) -> Actions {
    let entries = rig.position.entries + 1;
    rig.position = strategy::Position { entries, ..held(price) };
    rig.fill(level, Side::Buy, price, price % 3 != 0)
}

fn all_well(rig: &Rig, actions: &[Action]) -> Result<(), TestCaseError> {
    let tick = rig.instrument.tick_size.0;
    for action in actions {
        if !rig.can_enter {
            prop_assert!(!action.is_entry(), "{:?} during a hold", action);
        }
        if let Action::Rest { price: Price(price), share, .. } = action {
            prop_assert!(*price > 0 && price % tick == 0 && share.0 > 0, "{:?}", action);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_market_gives_wishes_that_can_be_ordered(
        params in any_params(), ticks in market(900..1_000)
    ) {
        let mut rig = Rig::new(params);
        for (n, tick) in ticks.iter().enumerate() {
            let actions = step(&mut rig, tick);
            all_well(&rig, &actions)?;
            if n % 97 == 0 {
                rig.flat();
            }
            prop_assert!(!rig.says().is_empty());
        }
        let saved = serde_json::to_string(&rig.state).unwrap();
        prop_assert!(saved.len() <= 512 && size_of_val(&rig.state) <= 64, "{}", saved);
    }

    #[test]
    fn a_stop_at_any_bar_changes_no_wish(
        params in any_params(), ticks in market(50..120), stop in 0usize..120
    ) {
        let mut through = Rig::new(params);
        let mut stopped = through.clone();
        for (n, tick) in ticks.iter().enumerate() {
            if n == stop {
                let state = serde_json::to_string(&stopped.state).unwrap();
                stopped.state = serde_json::from_str(&state).unwrap();
                let set = serde_json::to_string(&stopped.set).unwrap();
                stopped.set = serde_json::from_str(&set).unwrap();
            }
            prop_assert_eq!(step(&mut through, tick), step(&mut stopped, tick));
        }
        prop_assert_eq!(through.state, stopped.state);
    }

    #[test]
    fn the_future_changes_nothing_before_it(
        params in any_params(), past in market(40..80), one in market(1..40), other in market(1..40)
    ) {
        let run = |future: &[Tick]| -> Vec<Vec<Action>> {
            let mut rig = Rig::new(params.clone());
            past.iter().chain(future).map(|tick| step(&mut rig, tick)).collect()
        };
        prop_assert_eq!(&run(&one)[..past.len()], &run(&other)[..past.len()]);
    }
}

#[test]
fn a_state_of_another_kind_starts_anew_instead_of_standing_still() {
    let mut rig = Rig::new(common::params(Kind::DonchianBreakout, "{}"));
    rig.state = strategy::State::new(&common::params(Kind::Grid, "{}"));
    rig.close(10_000);
    assert_eq!(rig.state, strategy::State::Breakout);
}
