//! Results of a sweep in a file, so that it goes on where it ended.
//!
//! The first line says what was swept; a file of another sweep is refused, not mixed in. Each other
//! line is a variant. A torn last line, as a kill leaves it, is left out and run again.

use super::Variant;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Results cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is of something else.
    #[error("{}: holds another sweep's results; name another file", .0.display())]
    Other(PathBuf),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Keeper {
    known: BTreeMap<Vec<usize>, Variant>,
    file: Option<(PathBuf, File)>,
}

impl Keeper {
    /// Opens the file of this sweep, or makes it.
    ///
    /// # Errors
    /// See [`KeeperError`].
    pub fn open(path: &Path, what: &Value) -> Result<Self, KeeperError> {
        let failed = |source| KeeperError::Io { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(failed(e)),
        };
        let (known, whole) = parse(&text, what).ok_or(KeeperError::Other(path.to_owned()))?;
        let options = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let mut file = options.map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        if whole == 0 {
            writeln!(file, "{what}").map_err(failed)?;
        }
        Ok(Self { known, file: Some((path.to_owned(), file)) })
    }

    /// Is the variant known already?
    pub fn has(&self, place: &[usize]) -> bool {
        self.known.contains_key(place)
    }

    /// A variant that is known.
    pub fn get(&self, place: &[usize]) -> Option<Variant> {
        self.known.get(place).cloned()
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Keeps variants.
    ///
    /// # Errors
    /// See [`KeeperError`].
    pub fn keep(&mut self, variants: &[Variant]) -> Result<(), KeeperError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let failed = |source| KeeperError::Io { path: path.clone(), source };
        let mut lines = String::new();
        for variant in variants {
            let line = serde_json::to_string(variant).map_err(|e| failed(e.into()))?;
            lines += &line;
            lines.push('\n');
        }
        file.write_all(lines.as_bytes()).map_err(failed)
    }
}

/// What is known, and how many bytes of the text are whole lines; `None` for another sweep.
fn parse(text: &str, what: &Value) -> Option<(BTreeMap<Vec<usize>, Variant>, usize)> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].lines();
    let Some(first) = lines.next() else { return Some((BTreeMap::new(), 0)) };
    if serde_json::from_str::<Value>(first).ok().as_ref() != Some(what) {
        return None;
    }
    let variants = lines.map(serde_json::from_str::<Variant>);
    let known = variants.collect::<Result<Vec<_>, _>>().ok()?;
    Some((known.into_iter().map(|v| (v.place.clone(), v)).collect(), whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn variant(place: usize) -> Variant {
        Variant { place: vec![place], windows: vec![] }
    }

    #[test]
    fn a_torn_last_line_is_run_again_and_another_sweep_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.jsonl");
        let what = json!({ "a": 1 });
        Keeper::open(&path, &what).unwrap().keep(&[variant(1), variant(2)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 4]).unwrap();
        let mut again = Keeper::open(&path, &what).unwrap();
        assert!(again.has(&[1]) && !again.has(&[2]));
        again.keep(&[variant(3)]).unwrap();
        assert_eq!(Keeper::open(&path, &what).unwrap().len(), 2);
        assert!(matches!(Keeper::open(&path, &json!({ "a": 2 })), Err(KeeperError::Other(_))));
    }
}
