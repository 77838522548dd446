//! Schemas, resolving, and what follows from parameters alone.

mod common;

use common::{config, params};
use domain::{Amount, ParamValue, StrategyConfig, StrategyKind as Kind};
use proptest::prelude::*;
use strategy::{
    ParamKind, Params, default_exits, edge_bp, indicators, max_entries, resolve, schema, schemas,
    warm_up_bars,
};

#[test]
fn every_default_is_in_range_and_resolves() {
    for schema in schemas() {
        assert!(resolve(&config(schema.kind, "{}")).is_ok(), "{}", schema.kind);
        for spec in schema.params {
            let named = match &spec.kind {
                ParamKind::Integer { min, max, default } => (min..=max).contains(&default),
                ParamKind::Decimal { min, max, default } => (min..=max).contains(&default),
                ParamKind::OptionalDecimal { min, max } => min < max,
                ParamKind::Flag { .. } => true,
                ParamKind::Word { allowed, default } => allowed.contains(default),
            };
            assert!(named, "{}.{}", schema.kind, spec.name);
            assert!(!spec.title.is_empty() && spec.description.ends_with('.'), "{}", spec.name);
        }
    }
}

#[test]
fn every_named_limit_is_accepted_and_the_next_value_is_not() {
    for schema in schemas() {
        for spec in schema.params {
            let (inside, outside) = match &spec.kind {
                ParamKind::Integer { min, max, .. } => (
                    [*min, *max].map(ParamValue::Integer),
                    [min - 1, max + 1].map(ParamValue::Integer),
                ),
                ParamKind::Decimal { min, max, .. } => {
                    let atom = Amount::from_atoms(1);
                    let outside = [*min - atom, *max + atom].map(ParamValue::Decimal);
                    ([*min, *max].map(ParamValue::Decimal), outside)
                }
                _ => continue,
            };
            let refusals = |value| {
                let given = [(spec.name.to_owned(), value)].into_iter().collect();
                let result = resolve(&StrategyConfig { kind: schema.kind, params: given });
                // a limit may still break a rule between two parameters: that names no range
                result.err().map_or(0, |e| {
                    e.0.iter()
                        .filter(|e| e.param == spec.name && e.allowed.contains(" from "))
                        .count()
                })
            };
            for value in inside {
                assert_eq!(refusals(value.clone()), 0, "{}.{} {value:?}", schema.kind, spec.name);
            }
            for value in outside {
                assert_eq!(refusals(value.clone()), 1, "{}.{} {value:?}", schema.kind, spec.name);
            }
        }
    }
}

#[test]
fn each_fault_is_named_with_its_value_and_what_is_allowed() {
    let table = [
        (Kind::EmaCross, r#"{"fast": 1}"#, "fast = 1: allowed is a whole number from 2 to 1000"),
        (
            Kind::EmaCross,
            r#"{"fast": 21, "slow": 21}"#,
            "fast = 21: allowed is a period shorter than slow = 21",
        ),
        (Kind::EmaCross, r#"{"fats": 5}"#, "fats = 5: allowed is one of the parameters fast, slow"),
        (
            Kind::EmaCross,
            r#"{"fast": "soon", "slow": true}"#,
            "fast = \"soon\": allowed is a whole number from 2 to 1000; \
             slow = true: allowed is a whole number from 3 to 2000",
        ),
        (
            Kind::EmaCross,
            r#"{"fast": 2.5}"#,
            "fast = 2.5: allowed is a whole number from 2 to 1000",
        ),
        (
            Kind::RsiReversion,
            r#"{"buy_below": 60}"#,
            "buy_below = 60: allowed is an index lower than sell_above = 55",
        ),
        (
            Kind::DonchianBreakout,
            r#"{"exit_period": 30}"#,
            "exit_period = 30: allowed is a period not longer than entry_period = 20",
        ),
        (
            Kind::Grid,
            r#"{"lower": 10, "upper": "9.5"}"#,
            "lower = 10: allowed is a price under upper = 9.5",
        ),
        (
            Kind::Grid,
            r#"{"lower": 10}"#,
            "upper = none: allowed is a price, where the other one is given",
        ),
        (
            Kind::Grid,
            r#"{"lower": 10, "upper": 20, "range_percent": 5}"#,
            "range_percent = 5: allowed is nothing where lower and upper are given",
        ),
        (
            Kind::Grid,
            r#"{"spacing": "even"}"#,
            "spacing = \"even\": allowed is one of arithmetic, geometric",
        ),
        (
            Kind::Dca,
            r#"{"deviation_percent": 20, "step_scale": 2}"#,
            "safety_orders = 5: allowed is so few that all rest above zero: 2 with these distances",
        ),
    ];
    for (kind, given, want) in table {
        let errors = resolve(&config(kind, given)).unwrap_err();
        assert_eq!(errors.to_string(), want, "{given}");
    }
}

#[test]
fn whole_decimals_and_numbers_as_text_are_what_they_say() {
    let want = params(Kind::EmaCross, r#"{"fast": 5, "slow": 10}"#);
    assert_eq!(params(Kind::EmaCross, r#"{"fast": "5", "slow": "10.0"}"#), want);
}

#[test]
fn hostile_names_and_values_are_cut_short() {
    let long = "x".repeat(100_000);
    let given = (0..1_000).map(|n| (format!("{n}{long}"), ParamValue::Word(long.clone())));
    let config = StrategyConfig { kind: Kind::Grid, params: given.collect() };
    assert!(resolve(&config).unwrap_err().to_string().len() < 4_000);
}

#[test]
fn exits_entries_and_warm_up_follow_the_kind() {
    let of = |kind| params(kind, "{}");
    let exits = default_exits(&of(Kind::EmaCross));
    let percent = |n| Some(Amount::from_int(n));
    assert_eq!(
        (exits.stop_percent, exits.target_percent, exits.trail_percent, exits.time_limit_s),
        (percent(2), percent(5), percent(3), None)
    );
    assert_eq!(default_exits(&of(Kind::Grid)), Default::default());
    assert_eq!(default_exits(&of(Kind::Dca)).target_percent, Some("1.5".parse().unwrap()));
    assert_eq!(default_exits(&of(Kind::MarketMaking)).time_limit_s, Some(900));
    let entries = Kind::ALL.map(|kind| max_entries(&of(kind)));
    assert_eq!(entries, [1, 1, 1, 1, 1, 8, 6, 3]);
    let warm_up = Kind::ALL.map(|kind| warm_up_bars(&of(kind)));
    assert_eq!(warm_up, [22, 15, 20, 21, 35, 0, 0, 0]);
}

#[test]
fn the_stated_edge_is_target_step_or_spread() {
    let edge = |kind, given: &str| {
        let params = params(kind, given);
        edge_bp(&params, &default_exits(&params))
    };
    assert_eq!(edge(Kind::EmaCross, "{}"), Some(500.0));
    assert_eq!(edge(Kind::MarketMaking, "{}"), Some(25.0));
    assert_eq!(edge(Kind::MarketMaking, r#"{"min_spread_bp": 0}"#), None);
    let grid = r#"{"lower": 100, "upper": 200, "levels": 10, "spacing": "arithmetic"}"#;
    assert_eq!(edge(Kind::Grid, grid), Some(500.0));
    let geometric = edge(Kind::Grid, r#"{"lower": 100, "upper": 121, "levels": 2}"#).unwrap();
    assert!((geometric - 1_000.0).abs() < 1e-6, "{geometric}");
}

#[test]
fn schemas_are_shown_with_their_types() {
    let shown = serde_json::to_value(schema(Kind::EmaCross)).unwrap();
    assert_eq!(shown["kind"], "ema_cross");
    assert_eq!(shown["params"][0]["kind"]["type"], "integer");
    assert_eq!(shown["params"][0]["kind"]["default"], 9);
}

fn value() -> impl Strategy<Value = ParamValue> {
    prop_oneof![
        any::<bool>().prop_map(ParamValue::Flag),
        any::<i64>().prop_map(ParamValue::Integer),
        (-1_000i64..20_000).prop_map(ParamValue::Integer),
        any::<i64>().prop_map(|n| ParamValue::Decimal(Amount::from_atoms(n.into()))),
        any::<i64>().prop_map(|n| ParamValue::Decimal(Amount::from_int(n))),
        ".{0,20}".prop_map(ParamValue::Word),
    ]
}

proptest! {
    #[test]
    fn resolve_never_panics_and_what_it_accepts_is_usable(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        values in prop::collection::vec((0usize..9, value()), 0..6),
    ) {
        let specs = schema(kind).params;
        let name = |n: usize| specs.get(n).map_or("other", |s| s.name).to_owned();
        let given = values.into_iter().map(|(n, value)| (name(n), value)).collect();
        match resolve(&StrategyConfig { kind, params: given }) {
            Ok(Params::EmaCross(p)) => prop_assert!(p.fast < p.slow),
            Ok(params) => {
                prop_assert!(max_entries(&params) >= 1);
                prop_assert!(indicators(&params).len() <= 4);
            }
            Err(errors) => prop_assert!(!errors.0.is_empty()),
        }
    }
}
