//! Logs: text for people or one JSON object a line, always to stderr; stdout is for results.

use crate::config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging for the process. `RUST_LOG` chooses what is said, `info` without it.
///
/// # Errors
/// Where `RUST_LOG` is set and cannot be understood, or logging was started before.
pub fn init(format: LogFormat) -> Result<(), LoggingError> {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let directives = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = builder.parse(directives).map_err(|e| LoggingError(format!("RUST_LOG: {e}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        // Flattened, so that an operator's search finds fields at the top of the object.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => {
            lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
        }
    };
    started.map_err(|e| LoggingError(e.to_string()))
}

/// Logging could not start: the process ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("logging cannot start: {0}")]
pub struct LoggingError(String);
