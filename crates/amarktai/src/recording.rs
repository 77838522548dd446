//! What a running core was told, kept for `replay`: between the core's loop and its tape.

use crate::config::Config;
use crate::run::engine_config;
use backtest::inputs::{Committed, InputTape, Start};
use domain::Policy;
use engine::{EngineConfig, Input};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use storage::Loaded;

/// The store's name of how far the inputs are committed.
const CURSOR: &str = "inputs";
/// Where inputs lie, in the data directory.
const DIR: &str = "inputs";

/// The engine's configuration, as a session keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    seed: u64,
    latency_ms_p50: f64,
    latency_ms_p99: f64,
    policy: Policy,
}

/// The folder of a data directory's inputs.
pub(crate) fn folder(config: &Config) -> PathBuf {
    config.data_dir.join(DIR)
}

/// How far the inputs are committed.
pub(crate) fn committed(loaded: &Loaded) -> Option<Committed> {
    let cursor = loaded.cursors.iter().find(|(name, _)| name == CURSOR);
    cursor.and_then(|(_, value)| Committed::parse(value))
}

/// The engine's configuration of a session.
pub(crate) fn engine_of(start: &Start) -> Result<EngineConfig, serde_json::Error> {
    let kept: Kept = serde_json::from_str(&start.config)?;
    let Kept { seed, latency_ms_p50, latency_ms_p99, policy } = kept;
    Ok(EngineConfig { seed, latency_ms_p50, latency_ms_p99, policy })
}

/// See the module. A recording that fails ends, and says so; trading goes on without it.
pub struct Recording {
    tape: Option<InputTape>,
}

impl Recording {
    /// Begins a session's recording, where it is wanted.
    pub(crate) fn begin(config: &Config, loaded: &Loaded) -> Option<Self> {
        if !config.recording.has_inputs {
            return None;
        }
        let EngineConfig { seed, latency_ms_p50, latency_ms_p99, policy } = engine_config(config);
        let kept = Kept { seed, latency_ms_p50, latency_ms_p99, policy };
        // Numbers and text of ours.
        let kept = serde_json::to_string(&kept).unwrap_or_default();
        let start = Start { config: kept, states: loaded.states.clone() };
        let quota = u64::from(config.recording.quota_mb) * 1_000_000;
        match InputTape::begin(&folder(config), &start, committed(loaded), quota) {
            Ok(tape) => Some(Self { tape: Some(tape) }),
            Err(error) => {
                tracing::warn!(%error, "inputs are not recorded: no replay of this session");
                None
            }
        }
    }

    /// Takes an input that was applied.
    pub(crate) fn take(&mut self, input: Input) {
        if let Some(tape) = &mut self.tape {
            tape.take(input);
        }
    }

    /// Writes what was taken; gives the cursor that belongs to the commit.
    pub(crate) fn write(&mut self) -> Option<(String, String)> {
        let tape = self.tape.as_mut()?;
        match tape.write() {
            Ok(committed) => {
                if tape.is_full() {
                    tracing::warn!("inputs: the quota is used up; a replay ends here");
                    self.end();
                }
                Some((CURSOR.to_owned(), committed.text()))
            }
            Err(error) => {
                tracing::warn!(%error, "inputs are no longer recorded: a replay ends here");
                self.tape = None;
                None
            }
        }
    }

    /// Writes what was taken where much of it waits, as in a market that nobody trades.
    pub(crate) fn relieve(&mut self) {
        if self.tape.as_ref().is_some_and(InputTape::is_heavy) {
            // The next commit carries a newer cursor.
            let _ = self.write();
        }
    }

    /// Ends the session in order.
    pub(crate) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(Err(error)) = self.tape.take().map(InputTape::close) {
            tracing::warn!(%error, "the recording of inputs did not end well");
        }
    }
}
