//! Secrets that we hand out: random, shown once, kept only as their SHA-256.
//!
//! A plain digest is enough: 256 random bits cannot be guessed, so there is nothing for a slow
//! hash to protect, and every request pays for it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Marks API tokens, so that scanners of leaked secrets know them.
const TOKEN_PREFIX: &str = "amk_";

/// 256 random bits as text.
pub(crate) fn random() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// A new API token.
pub fn token() -> String {
    format!("{TOKEN_PREFIX}{}", random())
}

/// What is stored of a secret.
pub fn digest(secret: &str) -> [u8; 32] {
    storage::secret_hash(secret)
}
