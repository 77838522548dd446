//! Reads typed values out of the layers, and remembers every key that exists on the way.
//!
//! The list of keys is therefore the code that reads them: there is no second one to forget.

use super::kind::{Kind, Shown};
use super::origin::{Origin, variable};
use super::problem::Problem;
use super::raw::{Found, Layers, Raw};
use super::suggest;

/// A key, its value and where that came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Dotted, or a flag's own name.
    pub key: String,
    /// What is in force.
    pub value: Shown,
    /// Which layer said so.
    pub origin: Origin,
    /// What it is for.
    pub about: &'static str,
    /// What may be given.
    pub allowed: String,
}

impl Setting {
    /// The variable that sets it.
    pub fn variable(&self) -> String {
        variable(&self.key)
    }
}

/// See the module.
pub(super) struct Reader {
    layers: Layers,
    settings: Vec<Setting>,
}

impl Reader {
    pub(super) const fn new(layers: Layers) -> Self {
        Self { layers, settings: Vec::new() }
    }

    /// The value of a key, or its default; every layer's value is checked, not only the winner's.
    pub(super) fn value<T: Clone>(
        &mut self,
        key: &str,
        about: &'static str,
        kind: &Kind<T>,
        default: T,
    ) -> T {
        let found = self.take(key, kind);
        let (value, origin) = found.unwrap_or((default, Origin::Default));
        self.note(key, about, kind, (kind.show)(&value), origin);
        value
    }

    /// The value of a key that need not be set.
    pub(super) fn optional<T: Clone>(
        &mut self,
        key: &str,
        about: &'static str,
        kind: &Kind<T>,
    ) -> Option<T> {
        let found = self.take(key, kind);
        let shown = found.as_ref().map_or(Shown::Unset, |(value, _)| (kind.show)(value));
        let (value, origin) = found.unzip();
        self.note(key, about, kind, shown, origin.unwrap_or(Origin::Default));
        value
    }

    /// A flag of the product: its own name, and never in the file.
    pub(super) fn flag<T: Clone>(
        &mut self,
        name: &'static str,
        about: &'static str,
        kind: &Kind<T>,
        default: T,
    ) -> T {
        for Found { origin, .. } in self.layers.values.get(name).cloned().unwrap_or_default() {
            if matches!(origin, Origin::File { .. }) {
                let allowed = "flags in the environment or .env";
                self.layers.refuse(origin, name, "is a flag and not read from this file", allowed);
            }
        }
        self.value(name, about, kind, default)
    }

    fn take<T>(&mut self, key: &str, kind: &Kind<T>) -> Option<(T, Origin)> {
        let mut last = None;
        for Found { raw, origin } in self.layers.values.remove(key).unwrap_or_default() {
            match (kind.parse)(&raw) {
                Some(value) => last = Some((value, origin)),
                None => self.refuse(key, &raw, origin, kind),
            }
        }
        last
    }

    fn refuse<T>(&mut self, key: &str, raw: &Raw, origin: Origin, kind: &Kind<T>) {
        let value = if kind.is_secret { "***".to_owned() } else { raw.to_string() };
        self.layers.problems.push(Problem {
            key: origin.spell(key),
            origin,
            value: Some(value),
            wrong: "is refused".to_owned(),
            allowed: kind.allowed.clone(),
        });
    }

    fn note<T>(
        &mut self,
        key: &str,
        about: &'static str,
        kind: &Kind<T>,
        value: Shown,
        origin: Origin,
    ) {
        let allowed = kind.allowed.clone();
        self.settings.push(Setting { key: key.to_owned(), value, origin, about, allowed });
    }

    /// Refuses a value that reads well alone but not beside the others.
    pub(super) fn contradiction(&mut self, key: &str, wrong: &str, allowed: &str) {
        let setting = self.settings.iter().find(|s| s.key == key);
        let (origin, value) = setting
            .map_or((Origin::Default, None), |s| (s.origin.clone(), Some(s.value.to_string())));
        self.layers.problems.push(Problem {
            key: origin.spell(key),
            origin,
            value,
            wrong: wrong.to_owned(),
            allowed: allowed.to_owned(),
        });
    }

    /// Refuses what nobody read, and gives the settings, problems and warnings.
    pub(super) fn finish(mut self) -> (Vec<Setting>, Vec<Problem>, Vec<String>) {
        let keys: Vec<&str> = self.settings.iter().map(|s| s.key.as_str()).collect();
        let mut problems = suggest::unknown(&keys, &self.layers);
        problems.append(&mut self.layers.problems);
        problems.sort_by_key(|p| rank(&p.origin));
        (self.settings, problems, self.layers.warnings)
    }
}

/// Problems are told in the order of the layers and of their lines.
fn rank(origin: &Origin) -> (u8, usize) {
    match origin {
        Origin::Default => (0, 0),
        Origin::File { line, .. } => (1, *line),
        Origin::Dotenv { line, .. } => (2, *line),
        Origin::Environment { .. } => (3, 0),
        Origin::Flag { .. } => (4, 0),
    }
}
