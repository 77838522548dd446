//! Unknown keys: refused, with the nearest known one and what the section takes.

use super::origin::Origin;
use super::problem::Problem;
use super::raw::Layers;
use std::collections::BTreeSet;

/// Longest list of names that an error repeats; a longer one is read better in the docs.
const LISTED_MAX: usize = 12;

/// Everything in the layers that is no known key or section.
pub(super) fn unknown(keys: &[&str], layers: &Layers) -> Vec<Problem> {
    let is_section = |name: &str| keys.iter().any(|k| section_of(k, name));
    let mut problems = Vec::new();
    let mut unknown_tables: Vec<&str> = Vec::new();
    for (name, origin) in &layers.tables {
        if unknown_tables.iter().any(|t| section_of(name, t)) || is_section(name) {
            continue;
        }
        unknown_tables.push(name);
        let wrong = if keys.contains(&name.as_str()) {
            "is a value, not a section".to_owned()
        } else {
            format!("is not a known section{}", nearest(name, &sections(keys), origin))
        };
        problems.push(problem(name, origin, wrong, keys));
    }
    for (name, found) in &layers.values {
        if unknown_tables.iter().any(|t| section_of(name, t)) {
            continue;
        }
        for origin in found.iter().map(|f| &f.origin) {
            let wrong = if is_section(name) {
                "is a section, not a value".to_owned()
            } else {
                format!("is not a known key{}", nearest(name, keys, origin))
            };
            problems.push(problem(name, origin, wrong, keys));
        }
    }
    problems
}

fn problem(name: &str, origin: &Origin, wrong: String, keys: &[&str]) -> Problem {
    let allowed = siblings(name, keys, origin);
    Problem { key: origin.spell(name), origin: origin.clone(), value: None, wrong, allowed }
}

/// `key` lies inside the section `name`.
fn section_of(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

fn sections<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let dots = |key: &'a str| key.match_indices('.').map(|(i, _)| &key[..i]).collect::<Vec<_>>();
    keys.iter().flat_map(|key| dots(key)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn nearest(name: &str, known: &[&str], origin: &Origin) -> String {
    let lower = name.to_lowercase();
    let near = known
        .iter()
        .map(|k| (strsim::osa_distance(&k.to_lowercase(), &lower), *k))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (name.len() / 4).max(2));
    near.map_or(String::new(), |(_, key)| format!(" (is {} meant?)", origin.spell(key)))
}

/// The names that may stand where `name` stands.
fn siblings(name: &str, keys: &[&str], origin: &Origin) -> String {
    let parent = name.rsplit_once('.').map_or("", |(parent, _)| parent);
    let child = |key: &&str| {
        let rest =
            if parent.is_empty() { key } else { key.strip_prefix(parent)?.strip_prefix('.')? };
        rest.split('.').next().map(str::to_owned)
    };
    let is_file = matches!(origin, Origin::File { .. });
    let names: BTreeSet<String> = keys
        .iter()
        .filter(|k| !is_file || !super::flags::is_flag(k))
        .filter_map(|key| if is_file { child(key) } else { Some(origin.spell(key)) })
        .collect();
    if names.is_empty() || names.len() > LISTED_MAX {
        return "the names listed in docs/configuration.md".to_owned();
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}
