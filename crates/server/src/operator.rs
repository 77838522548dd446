//! What the binary brings for whoever operates it: the key vault, backups, notifications.
//!
//! Here are only the seams. Sealing, files and channels are the binary's; routes ask through these.

use domain::{AccountId, Exchange, Timestamp};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde::Serialize;
use std::path::PathBuf;
use storage::{KeyPermissions, KeyRow, SecondFactorRow};

/// A key as its owner gives it; shown nowhere, wiped from memory after use.
#[derive(Clone, Debug)]
pub struct KeySecret {
    /// Names the key.
    pub key: SecretString,
    /// Proves it.
    pub secret: SecretString,
    /// KuCoin asks for a third.
    pub passphrase: Option<SecretString>,
}

/// Which key; part of its seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyOf {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub exchange: Exchange,
    /// Rises with each replacement.
    pub version: u64,
}

/// A sealed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Which master key sealed it.
    pub master_id: String,
    /// Used once.
    pub nonce: [u8; 24],
    /// Encrypted and authenticated.
    pub sealed: Vec<u8>,
}

/// Why the vault does not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The master key cannot be used; the text says why and never what it is.
    #[error("the master key: {0}")]
    Master(String),
    /// Sealed under another master key, or changed since.
    #[error("the key does not open: it was sealed under another master key, or changed since")]
    DoesNotOpen,
}

/// Why an exchange was not heard about a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTestError {
    /// Nobody here can ask this exchange.
    #[error("keys of {0} cannot be tested here; the key is kept, untested and of no use for live")]
    Unavailable(Exchange),
    /// The exchange knows no such key, or not from here.
    #[error("the exchange refuses the key: {0}")]
    Rejected(String),
    /// No answer.
    #[error("the exchange does not answer: {0}")]
    Unreachable(String),
}

/// Asks an exchange what a key may do.
pub trait KeyTester: Send + Sync {
    /// `None` in an answer: the exchange has no way to say it.
    fn permissions<'a>(
        &'a self,
        exchange: Exchange,
        key: &'a KeySecret,
    ) -> BoxFuture<'a, Result<KeyPermissions, KeyTestError>>;
}

/// Keys under a new master key, to be stored; then [`Rotation::finish`].
pub struct Rotation {
    /// Sealed anew.
    pub rows: Vec<KeyRow>,
    /// People's second factors, too.
    pub factors: Vec<SecondFactorRow>,
    /// Puts the new master key in place of the old one, once the rows are stored.
    pub finish: Box<dyn FnOnce() -> Result<(), VaultError> + Send>,
}

/// Seals and opens.
pub trait KeyVault: Send + Sync {
    /// Seals a secret for this place and no other.
    ///
    /// # Errors
    /// The master key cannot be used.
    fn seal(&self, of: KeyOf, secret: &KeySecret) -> Result<Seal, VaultError>;

    /// Opens what was sealed.
    ///
    /// # Errors
    /// The master key cannot be used, or it is not the right one.
    fn open(&self, row: &KeyRow) -> Result<KeySecret, VaultError>;

    /// Seals the secret of somebody's second factor.
    ///
    /// # Errors
    /// The master key cannot be used.
    fn seal_factor(&self, user: i64, secret: &SecretString) -> Result<Seal, VaultError>;

    /// Opens the secret of a second factor.
    ///
    /// # Errors
    /// The master key cannot be used, or it is not the right one.
    fn open_factor(&self, row: &SecondFactorRow) -> Result<SecretString, VaultError>;

    /// Seals everything under a new master key.
    ///
    /// # Errors
    /// The master key is not ours to replace, or a secret does not open.
    fn rotate(
        &self,
        rows: Vec<KeyRow>,
        factors: Vec<SecondFactorRow>,
    ) -> Result<Rotation, VaultError>;

    /// Asks the exchange.
    fn tester(&self) -> Option<&dyn KeyTester>;
}

/// A copy of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupFile {
    /// Its file.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was made.
    pub made_at: Timestamp,
}

/// How backups stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupsView {
    /// Where they are.
    pub directory: PathBuf,
    /// Between two of them; 0: only by hand.
    pub every_hours: u32,
    /// How many are kept.
    pub keep: u32,
    /// Newest first.
    pub items: Vec<BackupFile>,
}

/// Makes copies of the store.
pub trait Backups: Send + Sync {
    /// What there is.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn view(&self) -> Result<BackupsView, String>;

    /// Makes one, and proves it.
    fn make(&self) -> BoxFuture<'_, Result<BackupFile, String>>;
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelTried {
    /// Which channel.
    pub channel: String,
    /// It arrived.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
}

/// Tells people.
pub trait Notifier: Send + Sync {
    /// The channels that are configured.
    fn channels(&self) -> Vec<String>;

    /// Sends a word over every channel now.
    fn try_all(&self) -> BoxFuture<'_, Vec<ChannelTried>>;
}

/// What came of letting entries again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EntryStopView {
    /// They were stopped.
    pub was_stopped: bool,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Entries that too many restarts stopped.
pub trait EntryStop: Send + Sync {
    /// Lets entries again, once it is stored.
    ///
    /// # Errors
    /// The store or the core is gone.
    fn allow(&self, by: String) -> BoxFuture<'_, Result<EntryStopView, String>>;
}

/// When the disk will be full.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DiskForecast {
    /// Free now; `None`: the system does not say.
    pub free_bytes: Option<u64>,
    /// The store with its log.
    pub store_bytes: u64,
    /// So much is written a day.
    pub bytes_per_day: u64,
    /// How that is known: `measured` over hours of this process, `history` of the store,
    /// `assumed` for 40 bots.
    pub basis: &'static str,
    /// At this pace; `None`: not known.
    pub days_left: Option<f64>,
}
