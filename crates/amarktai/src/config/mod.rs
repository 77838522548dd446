//! Configuration: TOML file < `.env` < environment < flags of the command line.
//!
//! Every value is checked where it was written, every problem is told at once with its place, and
//! every value remembers its origin. A start with a doubtful safety setting is no start: there is
//! no fallback, no coercion and no key that is silently ignored.

mod dotenv;
mod flags;
mod kind;
mod operator;
mod origin;
mod policy;
mod problem;
mod raw;
mod reader;
mod sections;
mod show;
mod sources;
mod suggest;
#[cfg(test)]
mod tests;
mod toml_file;

pub use flags::{Flags, NAMES as FLAG_NAMES};
pub use kind::{ClockTime, Secret, Shown};
pub use operator::{BackupsConfig, MasterKey, NotifyConfig};
pub use origin::Origin;
pub use problem::{ConfigErrors, Problem};
pub use reader::Setting;
pub use sections::{
    Account, ExchangeConfig, Exchanges, Feed, ReadKey, RecordingConfig, Server, Simulator, Storage,
};
pub use show::{settings_json, settings_text};
pub use sources::{DEFAULT_FILE, DOTENV_FILE, FileText, Overrides, Sources};

use domain::Policy;
use reader::Reader;
use std::fmt;
use std::path::PathBuf;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl LogFormat {
    const ALL: [Self; 2] = [Self::Text, Self::Json];
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Text { "text" } else { "json" })
    }
}

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything that must survive is kept.
    pub data_dir: PathBuf,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The token that thin clients of a running server show.
    pub token: Option<Secret>,
    /// `[server]`
    pub server: Server,
    /// `[storage]`
    pub storage: Storage,
    /// `[exchanges]`
    pub exchanges: Exchanges,
    /// `[policy]`, version 1.
    pub policy: Policy,
    /// `[simulator]`
    pub simulator: Simulator,
    /// `[recording]`
    pub recording: RecordingConfig,
    /// `[account]`
    pub account: Account,
    /// The key vault's.
    pub master_key: MasterKey,
    /// `[backups]`
    pub backups: BackupsConfig,
    /// `[notify]`
    pub notify: NotifyConfig,
    /// The product's flags.
    pub flags: Flags,
    /// Every value in force with its origin, for people.
    pub settings: Vec<Setting>,
    /// What does not stop the start and should be seen.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks all layers.
    ///
    /// # Errors
    /// Every problem there is, each with its place, value and what is allowed.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(sources.layers());
        let mut config = Self::read(&mut reader);
        let (settings, problems, warnings) = reader.finish();
        if !problems.is_empty() {
            return Err(ConfigErrors(problems));
        }
        (config.settings, config.warnings) = (settings, warnings);
        Ok(config)
    }

    /// The store's file.
    pub fn database_path(&self) -> PathBuf {
        self.data_dir.join(&self.storage.file)
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            data_dir: reader.value(
                "data_dir",
                "Where everything that must survive is kept.",
                &kind::directory(),
                PathBuf::from("amarktai-data"),
            ),
            log_format: reader.value(
                "log_format",
                "How log lines look.",
                &kind::choice(&LogFormat::ALL),
                LogFormat::Text,
            ),
            token: reader.optional(
                "token",
                "The token that the command line shows to a running server.",
                &kind::secret(),
            ),
            server: Server::read(reader),
            storage: Storage::read(reader),
            exchanges: Exchanges::read(reader),
            simulator: Simulator::read(reader),
            recording: RecordingConfig::read(reader),
            account: Account::read(reader),
            master_key: MasterKey::read(reader),
            backups: BackupsConfig::read(reader),
            notify: NotifyConfig::read(reader),
            policy: policy::read(reader),
            flags: Flags::read(reader),
            settings: Vec::new(),
            warnings: Vec::new(),
        }
    }
}
