//! Values as they were written, before anyone knows what they should be.

use super::origin::Origin;
use super::problem::Problem;
use std::collections::BTreeMap;
use std::fmt;

/// A value as written. Numbers stay text, so that no decimal passes through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// From the environment, `.env` or a flag: untyped.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer or float.
    Number(String),
    /// A TOML boolean.
    Bool(bool),
    /// A TOML array.
    List(Vec<Self>),
    /// A TOML value that no key takes.
    Other(&'static str),
}

impl Raw {
    /// A text from any layer.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The digits of a number from any layer.
    pub(super) fn number(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array, or of a text separated by commas.
    pub(super) fn items(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(items) => items
                .iter()
                .map(|i| if let Self::String(s) = i { Some(&**s) } else { None })
                .collect(),
            Self::Text(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Text(text) => Some(text.split(',').map(str::trim).collect()),
            _ => None,
        }
    }
}

/// Longest value that an error repeats.
const SHOWN_CHARS_MAX: usize = 80;

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::String(text) => {
                let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                write!(f, "{short:?}")
            }
            Self::Number(text) => f.write_str(text),
            Self::Bool(value) => value.fmt(f),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().take(8).enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(if items.len() > 8 { ", …]" } else { "]" })
            }
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A value and where it stood.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// All layers, lowest first per key, and what was wrong with their form.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers {
    pub(super) values: BTreeMap<String, Vec<Found>>,
    /// Tables of the file, also empty ones: an unknown section is refused though it sets nothing.
    pub(super) tables: Vec<(String, Origin)>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Layers {
    /// Puts a value over those of the layers below.
    pub(super) fn push(&mut self, key: &str, raw: Raw, origin: Origin) {
        self.values.entry(key.to_owned()).or_default().push(Found { raw, origin });
    }

    /// Notes that a key or a whole file cannot be used.
    pub(super) fn refuse(&mut self, origin: Origin, key: &str, wrong: &str, allowed: &str) {
        self.problems.push(Problem {
            key: key.to_owned(),
            origin,
            value: None,
            wrong: wrong.to_owned(),
            allowed: allowed.to_owned(),
        });
    }
}
