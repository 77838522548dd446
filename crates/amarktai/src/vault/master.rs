//! The master key: 32 bytes from a file that only its owner can read, or from the environment.

use crate::config::MasterKey;
use rand::TryRngCore;
use rand::rngs::OsRng;
use server::operator::VaultError;
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Its name in the data directory, where no other file is named.
const FILE: &str = "master.key";
/// Longest file that is read: the key and a line end.
const FILE_BYTES_MAX: u64 = 256;

/// The key, wiped when dropped.
#[derive(Clone)]
pub(super) struct Master {
    bytes: Zeroizing<[u8; 32]>,
    id: String,
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Master({})", self.id)
    }
}

impl Master {
    pub(super) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        // Which key it is, without a word about what it is.
        let mut hasher = Sha256::new();
        hasher.update(b"amarktai master key id");
        hasher.update(bytes.as_slice());
        let id = hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes, id }
    }

    pub(super) fn random() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng
            .try_fill_bytes(bytes.as_mut_slice())
            .map_err(|e| VaultError::Master(format!("the system gives no randomness: {e}")))?;
        Ok(Self::new(bytes))
    }

    /// Of 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().as_bytes();
        if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (at, pair) in text.chunks_exact(2).enumerate() {
            bytes[at] = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in self.bytes.iter() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        text.push('\n');
        text
    }
}

/// Where it comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Environment(crate::config::Secret),
    File(PathBuf),
}

impl Source {
    pub(super) fn of(config: &MasterKey, data_dir: &Path) -> Self {
        match (&config.text, &config.file) {
            (Some(text), _) => Self::Environment(text.clone()),
            (None, Some(file)) => Self::File(file.clone()),
            (None, None) => Self::File(data_dir.join(FILE)),
        }
    }

    /// `None`: there is no such file.
    pub(super) fn load(&self) -> Result<Option<Master>, VaultError> {
        match self {
            Self::Environment(text) => {
                let wrong = "AMARKTAI_MASTER_KEY has to be 64 hexadecimal digits";
                Master::parse(text.expose())
                    .map(Some)
                    .ok_or_else(|| VaultError::Master(wrong.to_owned()))
            }
            Self::File(path) => read(path),
        }
    }

    /// Made at the first use, in a file; never in an environment that we cannot write.
    pub(super) fn load_or_make(&self) -> Result<Master, VaultError> {
        match (self.load()?, self) {
            (Some(master), _) => Ok(master),
            (None, Self::File(path)) => {
                let master = Master::random()?;
                write(path, &master)?;
                tracing::info!(path = %path.display(), "master key made; keep a copy apart");
                Ok(master)
            }
            (None, Self::Environment(_)) => Err(VaultError::Master("is not set".to_owned())),
        }
    }
}

fn trouble(path: &Path, what: impl std::fmt::Display) -> VaultError {
    VaultError::Master(format!("{}: {what}", path.display()))
}

/// Refuses a file that others may read: a key that was readable is no secret.
pub(super) fn read(path: &Path) -> Result<Option<Master>, VaultError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(trouble(path, e)),
    };
    let mode = file.metadata().map_err(|e| trouble(path, e))?.mode();
    if mode & 0o077 != 0 {
        let shown = mode & 0o777;
        let what = format!("mode {shown:04o} lets others read it; chmod 0600 and rotate the key");
        return Err(trouble(path, what));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|e| trouble(path, e))?;
    let wrong = || trouble(path, "does not hold 64 hexadecimal digits");
    Master::parse(&text).map(Some).ok_or_else(wrong)
}

/// Writes a new file; never over one that is there.
pub(super) fn write(path: &Path, master: &Master) -> Result<(), VaultError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(|e| trouble(path, e))?;
    file.write_all(master.text().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| trouble(path, e))
}
