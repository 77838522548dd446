//! Where a value came from, as people are told it.

use std::fmt;

/// The layer, and the place in it, that gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the configuration file.
    File {
        /// As it was named to us.
        path: String,
        /// Counted from 1; 0 is the file as a whole.
        line: usize,
    },
    /// A line of the `.env` file.
    Dotenv {
        /// As it was named to us.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// With its dashes.
        name: String,
    },
}

impl Origin {
    /// How a key is written in this layer: people search their own file for it.
    pub(super) fn spell(&self, key: &str) -> String {
        match self {
            Self::Default | Self::File { .. } => key.to_owned(),
            Self::Dotenv { .. } | Self::Environment { .. } => variable(key),
            Self::Flag { name } => name.clone(),
        }
    }

    /// The place before the colon of an error.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Environment { .. } => "environment".to_owned(),
            Self::Flag { .. } => "command line".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => f.write_str(path),
            Self::File { path, line } | Self::Dotenv { path, line } => write!(f, "{path}:{line}"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// What every variable of ours but the product's flags starts with.
const PREFIX: &str = "AMARKTAI_";

/// The variable that sets a key: `AMARKTAI_SERVER__LISTEN` for `server.listen`.
/// Flags are themselves.
pub(super) fn variable(key: &str) -> String {
    // Only flags and variables that are no key of ours have capitals.
    if key.bytes().any(|b| b.is_ascii_uppercase()) {
        return key.to_owned();
    }
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// The key that a variable sets; `None` where the variable is not ours.
pub(super) fn key_of(variable: &str) -> Option<String> {
    if super::flags::is_flag(variable) {
        return Some(variable.to_owned());
    }
    let rest = variable.strip_prefix(PREFIX)?;
    // Only the exact spelling counts: a lower-case variable would be a second way to say it.
    let exact = rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    Some(if exact { rest.replace("__", ".").to_lowercase() } else { variable.to_owned() })
}
