//! The key vault: exchange keys sealed with XChaCha20-Poly1305 under a master key that is in no
//! store and in no backup.
//!
//! The seal covers account, exchange and version: a row that is copied to another account, or an
//! old one that is put back, does not open.

mod master;
#[cfg(test)]
mod tests;

use crate::config::Config;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use master::{Master, Source};
use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use server::operator::{KeyOf, KeySecret, KeyTester, KeyVault, Rotation, Seal, VaultError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::{KeyRow, SecondFactorRow};
use zeroize::Zeroizing;

/// See the module.
pub struct Vault {
    source: Source,
    tester: Option<Arc<dyn KeyTester>>,
}

#[derive(Serialize)]
struct Plain<'a> {
    key: &'a str,
    secret: &'a str,
    passphrase: Option<&'a str>,
}

#[derive(Deserialize)]
struct Opened {
    key: SecretString,
    secret: SecretString,
    passphrase: Option<SecretString>,
}

impl Vault {
    /// With the master key that the configuration names; `tester` asks exchanges about keys.
    pub fn new(config: &Config, tester: Option<Arc<dyn KeyTester>>) -> Self {
        Self { source: Source::of(&config.master_key, &config.data_dir), tester }
    }

    /// The master key of this name. A rotation that was cut off between its two steps left
    /// the new key beside the old one: then it is put in place now.
    fn master_of(&self, master_id: &str) -> Result<Master, VaultError> {
        let is_it = |master: &Master| master.id() == master_id;
        if let Some(master) = self.source.load()?.filter(is_it) {
            return Ok(master);
        }
        let Source::File(path) = &self.source else { return Err(VaultError::DoesNotOpen) };
        let next = master::read(&next(path))?.filter(is_it).ok_or(VaultError::DoesNotOpen)?;
        put_in_place(path)?;
        Ok(next)
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Where a new master key waits until the keys are stored under it.
fn next(path: &Path) -> PathBuf {
    beside(path, ".next")
}

/// The old one is kept: backups made before are sealed under it.
fn put_in_place(path: &Path) -> Result<(), VaultError> {
    let failed = |e: std::io::Error| VaultError::Master(format!("{}: {e}", path.display()));
    if path.exists() {
        fs::rename(path, beside(path, ".previous")).map_err(failed)?;
    }
    fs::rename(next(path), path).map_err(failed)
}

fn seal(master: &Master, of: KeyOf, secret: &KeySecret) -> Result<Seal, VaultError> {
    let plain = Plain {
        key: secret.key.expose_secret(),
        secret: secret.secret.expose_secret(),
        passphrase: secret.passphrase.as_ref().map(|p| p.expose_secret()),
    };
    let unusable = |e: serde_json::Error| VaultError::Master(format!("cannot seal: {e}"));
    let text = Zeroizing::new(serde_json::to_vec(&plain).map_err(unusable)?);
    seal_bytes(master, &about(of), &text)
}

/// `about` is covered by the seal and not in it: it opens for nothing else.
fn seal_bytes(master: &Master, about: &str, text: &[u8]) -> Result<Seal, VaultError> {
    let unusable = |e: &dyn std::fmt::Display| VaultError::Master(format!("cannot seal: {e}"));
    let mut nonce = [0; 24];
    OsRng.try_fill_bytes(&mut nonce).map_err(|e| unusable(&e))?;
    let payload = Payload { msg: text, aad: about.as_bytes() };
    let sealed =
        cipher(master).encrypt(XNonce::from_slice(&nonce), payload).map_err(|e| unusable(&e))?;
    Ok(Seal { master_id: master.id().to_owned(), nonce, sealed })
}

fn open_bytes(
    master: &Master,
    about: &str,
    nonce: &[u8; 24],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let payload = Payload { msg: sealed, aad: about.as_bytes() };
    let opened = cipher(master).decrypt(XNonce::from_slice(nonce), payload);
    Ok(Zeroizing::new(opened.map_err(|_| VaultError::DoesNotOpen)?))
}

fn open(master: &Master, row: &KeyRow) -> Result<KeySecret, VaultError> {
    let KeyRow { account_id: account, exchange, version, .. } = *row;
    let about = about(KeyOf { account, exchange, version });
    let text = open_bytes(master, &about, &row.nonce, &row.sealed)?;
    let Opened { key, secret, passphrase } =
        serde_json::from_slice(&text).map_err(|_| VaultError::DoesNotOpen)?;
    Ok(KeySecret { key, secret, passphrase })
}

fn cipher(master: &Master) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(Key::from_slice(master.bytes()))
}

/// What the seal covers beside the secret.
fn about(of: KeyOf) -> String {
    format!("{}|{}|{}", of.account.0, of.exchange, of.version)
}

/// What the seal of a second factor covers: somebody else's does not open.
fn about_factor(user: i64) -> String {
    format!("second factor|{user}")
}

impl KeyVault for Vault {
    fn seal(&self, of: KeyOf, secret: &KeySecret) -> Result<Seal, VaultError> {
        seal(&self.source.load_or_make()?, of, secret)
    }

    fn open(&self, row: &KeyRow) -> Result<KeySecret, VaultError> {
        open(&self.master_of(&row.master_id)?, row)
    }

    fn seal_factor(&self, user: i64, secret: &SecretString) -> Result<Seal, VaultError> {
        let master = self.source.load_or_make()?;
        seal_bytes(&master, &about_factor(user), secret.expose_secret().as_bytes())
    }

    fn open_factor(&self, row: &SecondFactorRow) -> Result<SecretString, VaultError> {
        let master = self.master_of(&row.master_id)?;
        let text = open_bytes(&master, &about_factor(row.user_id), &row.nonce, &row.sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| VaultError::DoesNotOpen)?;
        Ok(SecretString::from(text))
    }

    fn rotate(
        &self,
        rows: Vec<KeyRow>,
        factors: Vec<SecondFactorRow>,
    ) -> Result<Rotation, VaultError> {
        let Source::File(path) = self.source.clone() else {
            let what = "comes from the environment; put it into a file to have it rotated";
            return Err(VaultError::Master(what.to_owned()));
        };
        let master = Master::random()?;
        let rows = rows.into_iter().map(|row| {
            let KeyRow { account_id: account, exchange, version, .. } = row;
            let secret = self.open(&row)?;
            let Seal { master_id, nonce, sealed } =
                seal(&master, KeyOf { account, exchange, version }, &secret)?;
            Ok(KeyRow { master_id, nonce, sealed, ..row })
        });
        let rows = rows.collect::<Result<_, VaultError>>()?;
        let factors = factors.into_iter().map(|row| {
            let secret = self.open_factor(&row)?;
            let about = about_factor(row.user_id);
            let Seal { master_id, nonce, sealed } =
                seal_bytes(&master, &about, secret.expose_secret().as_bytes())?;
            Ok(SecondFactorRow { master_id, nonce, sealed, ..row })
        });
        let factors = factors.collect::<Result<_, VaultError>>()?;
        // One that a cut-off rotation left and nothing is sealed under, as all rows just opened.
        let _ = fs::remove_file(next(&path));
        master::write(&next(&path), &master)?;
        Ok(Rotation { rows, factors, finish: Box::new(move || put_in_place(&path)) })
    }

    fn tester(&self) -> Option<&dyn KeyTester> {
        self.tester.as_deref()
    }
}
