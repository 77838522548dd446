//! The layers as they are found: a file, `.env`, the environment, the command line.
//!
//! Tests build [`Sources`] by hand; only [`Sources::of_process`] looks at the process.

use super::origin::{Origin, key_of};
use super::raw::{Layers, Raw};
use super::{dotenv, flags, toml_file};
use std::path::{Path, PathBuf};

/// Read when no `--config` is given and it exists.
pub const DEFAULT_FILE: &str = "amarktai.toml";
/// Read when it exists.
pub const DOTENV_FILE: &str = ".env";
/// A configuration is a page or two: a larger file is another kind of file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Variables with our prefix that are no configuration: the tests' recorded data.
const FOREIGN: [&str; 1] = ["AMARKTAI_SHARED"];

/// A text and the name of its file.
#[derive(Clone, Debug)]
pub struct FileText {
    /// As shown to people.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// What the command line says about configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Flag, key and value of everything else.
    pub values: Vec<(&'static str, &'static str, String)>,
}

/// All layers, unread.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file.
    pub file: Option<FileText>,
    /// `.env`.
    pub dotenv: Option<FileText>,
    /// Names and values.
    pub environment: Vec<(String, String)>,
    /// Flag, key and value.
    pub flags: Vec<(&'static str, &'static str, String)>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
}

impl Sources {
    /// The layers of this process and its working directory.
    pub fn of_process(overrides: &Overrides) -> Self {
        let mut sources = Self { flags: overrides.values.clone(), ..Self::default() };
        let default = Path::new(DEFAULT_FILE);
        let wanted = overrides.config.as_deref().or_else(|| default.exists().then_some(default));
        sources.file = wanted.and_then(|path| sources.read(path));
        let dotenv = Path::new(DOTENV_FILE);
        sources.dotenv = dotenv.exists().then(|| sources.read(dotenv)).flatten();
        sources.environment = std::env::vars_os()
            .map(|(name, value)| (lossy(name), lossy(value)))
            .filter(|(name, _)| !FOREIGN.contains(&name.as_str()))
            .collect();
        sources
    }

    fn read(&mut self, path: &Path) -> Option<FileText> {
        let shown = path.display().to_string();
        match bounded(path) {
            Ok(text) => Some(FileText { path: shown, text }),
            Err(reason) => {
                self.unreadable.push((shown, reason));
                None
            }
        }
    }

    /// Reads the form of every layer, lowest first.
    pub(super) fn layers(&self) -> Layers {
        let mut layers = Layers::default();
        for (path, reason) in &self.unreadable {
            let origin = Origin::File { path: path.clone(), line: 0 };
            layers.refuse(origin, "", &format!("cannot be read: {reason}"), "a readable text file");
        }
        if let Some(FileText { path, text }) = &self.file {
            toml_file::read(path, text, &mut layers);
        }
        if let Some(FileText { path, text }) = &self.dotenv {
            dotenv::read(path, text, &mut layers);
        }
        for (name, value) in &self.environment {
            environment(name, value, &mut layers);
        }
        for (flag, key, value) in &self.flags {
            let origin = Origin::Flag { name: (*flag).to_owned() };
            layers.push(key, Raw::Text(value.clone()), origin);
        }
        layers
    }
}

/// A value that is no text gets a sign that no setting takes, and is refused with its name.
fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}

fn bounded(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("{length} bytes are over the limit of {FILE_BYTES_MAX}"));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}

fn environment(name: &str, value: &str, layers: &mut Layers) {
    match key_of(name) {
        Some(key) => {
            let origin = Origin::Environment { variable: name.to_owned() };
            layers.push(&key, Raw::Text(value.to_owned()), origin);
        }
        // The environment belongs to everybody, so a name that is only like ours cannot be
        // refused; it is said, because a misspelt safety flag would otherwise be silent.
        None => {
            if let Some(flag) = flags::nearest(name) {
                let text = format!("environment: {name} is not read; is {flag} meant?");
                layers.warnings.push(text);
            }
        }
    }
}
