//! Why a verb did not do what it was asked for.

use std::process::ExitCode;

/// Named by the exit code that it leads to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Asked in a way that cannot be meant: exit 2.
    #[error("{0}")]
    Usage(String),
    /// Understood, and it could not be done: exit 1.
    #[error("{0}")]
    CouldNot(String),
    /// Nobody reads any more, as with `| head`: done.
    #[error("the reader of our output is gone")]
    NobodyReads,
}

impl Failure {
    /// It could not be done.
    pub(crate) fn could_not(reason: impl Into<String>) -> Self {
        Self::CouldNot(reason.into())
    }

    /// As the process ends with it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::CouldNot(_) => ExitCode::from(1),
            Self::NobodyReads => ExitCode::SUCCESS,
        }
    }
}
