//! The vault over files of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::Sources;
use domain::{AccountId, Exchange, Timestamp};
use std::os::unix::fs::PermissionsExt;
use storage::KeyPermissions;

fn vault(dir: &Path) -> Vault {
    let flags = vec![("--data-dir", "data_dir", dir.display().to_string())];
    let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
    Vault::new(&config, None)
}

fn secret(text: &str) -> KeySecret {
    KeySecret {
        key: "key-id-1234".to_owned().into(),
        secret: text.to_owned().into(),
        passphrase: Some("words".to_owned().into()),
    }
}

fn row(vault: &Vault, version: u64, text: &str) -> KeyRow {
    let of = KeyOf { account: AccountId(1), exchange: Exchange::Kucoin, version };
    let Seal { master_id, nonce, sealed } = vault.seal(of, &secret(text)).unwrap();
    KeyRow {
        account_id: AccountId(1),
        exchange: Exchange::Kucoin,
        version,
        key_tail: "1234".into(),
        master_id,
        nonce,
        sealed,
        permissions: KeyPermissions::default(),
        tested_at: None,
        attestation: None,
        created_at: Timestamp(0),
        created_by: "anna".into(),
    }
}

fn opened(vault: &Vault, row: &KeyRow) -> Result<String, VaultError> {
    vault.open(row).map(|secret| secret.secret.expose_secret().to_owned())
}

#[test]
fn what_was_sealed_opens_in_its_place_alone() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let row = row(&vault, 3, "canary-secret");
    assert_eq!(opened(&vault, &row).unwrap(), "canary-secret");
    let text = String::from_utf8_lossy(&row.sealed).into_owned();
    assert!(!text.contains("canary") && !format!("{row:?}").contains("canary"));
    let moved = [
        KeyRow { account_id: AccountId(2), ..row.clone() },
        KeyRow { exchange: Exchange::Luno, ..row.clone() },
        KeyRow { version: 2, ..row.clone() },
        KeyRow { nonce: [0; 24], ..row.clone() },
    ];
    for other in moved {
        assert_eq!(opened(&vault, &other), Err(VaultError::DoesNotOpen), "{other:?}");
    }
    for at in 0..row.sealed.len() {
        let mut changed = row.clone();
        changed.sealed[at] ^= 1;
        assert_eq!(opened(&vault, &changed), Err(VaultError::DoesNotOpen), "byte {at}");
    }
    assert!(!format!("{:?}", vault.open(&row).unwrap()).contains("canary"));
}

#[test]
fn the_master_key_is_made_once_and_private_and_one_that_others_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let path = dir.path().join("master.key");
    assert!(!path.exists());
    let row = row(&vault, 1, "x");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(opened(&vault, &row).unwrap(), "x");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let VaultError::Master(why) = opened(&vault, &row).unwrap_err() else { panic!("it opened") };
    assert!(why.contains("0640") && why.contains("0600"), "{why}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "short\n").unwrap();
    assert!(matches!(opened(&vault, &row), Err(VaultError::Master(_))));
    // Another one is not made while keys wait for this one.
    fs::remove_file(&path).unwrap();
    assert_eq!(opened(&vault, &row), Err(VaultError::DoesNotOpen));
    assert!(!path.exists());
}

#[test]
fn a_rotation_that_is_cut_off_anywhere_leaves_keys_that_open() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let old = vec![row(&vault, 1, "one"), row(&vault, 2, "two")];
    // Before the rows are stored: the old ones open.
    let rotation = vault.rotate(old.clone(), Vec::new()).unwrap();
    assert_eq!(opened(&vault, &old[1]).unwrap(), "two");
    drop(rotation);
    // After they are stored, before the file is in place: the new ones open, and put it there.
    let rotation = vault.rotate(old.clone(), Vec::new()).unwrap();
    assert_eq!(opened(&vault, &rotation.rows[0]).unwrap(), "one");
    assert!(!dir.path().join("master.key.next").exists());
    // Whole.
    let rotation = vault.rotate(rotation.rows, Vec::new()).unwrap();
    (rotation.finish)().unwrap();
    assert_eq!(opened(&vault, &rotation.rows[1]).unwrap(), "two");
    assert_eq!(opened(&vault, &old[0]), Err(VaultError::DoesNotOpen));
}

#[test]
fn a_master_key_of_the_environment_is_used_and_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let text = "0f".repeat(32);
    let environment = vec![("AMARKTAI_MASTER_KEY".to_owned(), text.clone())];
    let flags = vec![("--data-dir", "data_dir", dir.path().display().to_string())];
    let config = Config::load(&Sources { environment, flags, ..Sources::default() }).unwrap();
    let shown = crate::config::settings_text(&config.settings);
    assert!(!shown.contains(&text) && shown.contains("master_key = ***"), "{shown}");
    let vault = Vault::new(&config, None);
    let row = row(&vault, 1, "x");
    assert_eq!(opened(&vault, &row).unwrap(), "x");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(matches!(vault.rotate(vec![row], Vec::new()), Err(VaultError::Master(_))));
}

#[test]
fn a_second_factor_opens_for_its_owner_alone_and_goes_along_with_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let text = SecretString::from("CANARYSECRET");
    let Seal { master_id, nonce, sealed } = vault.seal_factor(7, &text).unwrap();
    let row = SecondFactorRow {
        user_id: 7,
        master_id,
        nonce,
        sealed,
        last_step: 0,
        created_at: Timestamp(0),
        confirmed_at: None,
    };
    let opened = |row: &SecondFactorRow| {
        vault.open_factor(row).map(|secret| secret.expose_secret().to_owned())
    };
    assert_eq!(opened(&row).unwrap(), "CANARYSECRET");
    assert!(!String::from_utf8_lossy(&row.sealed).contains("CANARY"));
    let other = SecondFactorRow { user_id: 8, ..row.clone() };
    assert_eq!(opened(&other), Err(VaultError::DoesNotOpen), "somebody else's");
    let rotation = vault.rotate(Vec::new(), vec![row.clone()]).unwrap();
    (rotation.finish)().unwrap();
    assert_eq!(opened(&rotation.factors[0]).unwrap(), "CANARYSECRET");
    assert_eq!(opened(&row), Err(VaultError::DoesNotOpen), "the old master key is replaced");
}
