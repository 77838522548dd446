//! What a new bot tries: its parent's strategy with one number changed, the first such change that
//! no bot of the account has tried on that market. No draw decides, so the same history gives the
//! same bots; each is one more variant that the live gate corrects for.

use domain::{Amount, ParamValue, Round, StrategyConfig};
use strategy::{ParamKind, ParamSpec};

/// How far a parameter is moved, in percent, nearest first.
const STEPS_PERCENT: [i64; 3] = [20, 40, 60];

/// A strategy with one parameter changed, and that change in words; `None`: all were tried.
pub(crate) fn variation(
    parent: &StrategyConfig,
    tried: &[&StrategyConfig],
) -> Option<(StrategyConfig, String)> {
    let tried: Vec<_> = tried.iter().filter_map(|s| strategy::resolve(s).ok()).collect();
    let params = strategy::schema(parent.kind).params;
    for step in STEPS_PERCENT {
        for spec in params {
            for percent in [100 + step, 100 - step] {
                let Some((from, to)) = moved(parent, spec, percent) else { continue };
                let mut candidate = parent.clone();
                candidate.params.insert(spec.name.to_owned(), to.clone());
                let is_new = strategy::resolve(&candidate).is_ok_and(|p| !tried.contains(&p));
                if is_new {
                    return Some((candidate, format!("{} {from} → {}", spec.name, word(&to))));
                }
            }
        }
    }
    None
}

/// A number's value and what it would become inside its range; `None`: no number, or no change.
fn moved(parent: &StrategyConfig, spec: &ParamSpec, percent: i64) -> Option<(String, ParamValue)> {
    let own = parent.params.get(spec.name);
    match spec.kind {
        ParamKind::Integer { min, max, default } => {
            let own = match own {
                Some(ParamValue::Integer(own)) => *own,
                Some(ParamValue::Decimal(own)) => own.to_scaled(0, Round::Down)?,
                _ => default,
            };
            let by = (own.saturating_mul(percent - 100) / 100).abs().max(1);
            let to = (if percent > 100 { own + by } else { own - by }).clamp(min, max);
            (to != own).then(|| (own.to_string(), ParamValue::Integer(to)))
        }
        ParamKind::Decimal { min, max, default } => {
            let own = match own {
                Some(ParamValue::Integer(own)) => Amount::from_int(*own),
                Some(ParamValue::Decimal(own)) => *own,
                _ => default,
            };
            // Four places are finer than any step that makes a difference.
            let to = own.part(percent, 100, Round::Down).to_scaled(4, Round::Down)?;
            let to = Amount::from_scaled(i128::from(to), 4, Round::Down).clamp(min, max);
            (to != own).then(|| (own.to_string(), ParamValue::Decimal(to)))
        }
        ParamKind::OptionalDecimal { .. } | ParamKind::Flag { .. } | ParamKind::Word { .. } => None,
    }
}

fn word(value: &ParamValue) -> String {
    match value {
        ParamValue::Integer(value) => value.to_string(),
        ParamValue::Decimal(value) => value.to_string(),
        ParamValue::Flag(value) => value.to_string(),
        ParamValue::Word(value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::StrategyKind;

    fn config(kind: StrategyKind, params: &str) -> StrategyConfig {
        StrategyConfig { kind, params: serde_json::from_str(params).unwrap() }
    }

    #[test]
    fn one_number_moves_by_a_fifth_and_the_next_child_tries_something_else() {
        let parent = config(StrategyKind::EmaCross, r#"{"fast":10,"slow":20}"#);
        let (first, said) = variation(&parent, &[&parent]).unwrap();
        assert_eq!(first, config(StrategyKind::EmaCross, r#"{"fast":12,"slow":20}"#));
        assert_eq!(said, "fast 10 → 12");
        let (second, said) = variation(&parent, &[&parent, &first]).unwrap();
        assert_eq!(said, "fast 10 → 8");
        assert_ne!(first, second);
    }

    #[test]
    fn every_kind_has_many_variations_each_allowed_and_each_new_until_none_is_left() {
        for kind in StrategyKind::ALL {
            let mut known = vec![config(kind, "{}")];
            for _ in 0..100 {
                let tried: Vec<&StrategyConfig> = known.iter().collect();
                let Some((next, _)) = variation(&known[0], &tried) else { break };
                let params = strategy::resolve(&next).unwrap();
                let is_known = known.iter().any(|k| strategy::resolve(k).unwrap() == params);
                assert!(!is_known, "{next:?}");
                known.push(next);
            }
            assert!((3..=40).contains(&known.len()), "{kind}: {}", known.len());
        }
    }

    #[test]
    fn a_change_that_the_kind_forbids_is_passed_over() {
        // Twelve bars would not be shorter than the slow mean's eleven.
        let parent = config(StrategyKind::EmaCross, r#"{"fast":10,"slow":11}"#);
        let (_, said) = variation(&parent, &[&parent]).unwrap();
        assert_eq!(said, "fast 10 → 8");
    }
}
