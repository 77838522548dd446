//! What is wrong with a configuration: everything at once, each with its place.

use super::origin::Origin;
use std::fmt;

/// One thing that stops the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// Which key, as written there; empty where a whole file is meant.
    pub key: String,
    /// The refused value, `***` for a secret; `None` where the key is what is refused.
    pub value: Option<String>,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin.place())?;
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        if let Some(value) = &self.value {
            write!(f, "= {value} ")?;
        }
        write!(f, "{}; allowed: {}", self.wrong, self.allowed)
    }
}

/// All problems of a configuration. The process ends with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {noun} in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|p| write!(f, "\n  {p}"))
    }
}

impl std::error::Error for ConfigErrors {}
