//! Keys, held so that they cannot be printed, and wiped when they are dropped.

use domain::Exchange;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// A key of one account at one exchange. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Credentials {
    key: SecretString,
    secret: SecretString,
    passphrase: Option<SecretString>,
}

/// Why this is no usable key; says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Empty, or with characters that no header may carry.
    #[error("the {0} is empty, or has characters that no key has")]
    Malformed(&'static str),
    /// KuCoin's keys have one.
    #[error("a key of KuCoin needs its passphrase")]
    Passphrase,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(redacted)")
    }
}

impl Credentials {
    /// A key for this exchange.
    ///
    /// # Errors
    /// When a part is missing or malformed.
    pub fn new(
        exchange: Exchange,
        key: SecretString,
        secret: SecretString,
        passphrase: Option<SecretString>,
    ) -> Result<Self, CredentialsError> {
        if exchange == Exchange::Kucoin && passphrase.is_none() {
            return Err(CredentialsError::Passphrase);
        }
        for (name, part) in [("key", &key), ("secret", &secret)] {
            let text = part.expose_secret();
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(CredentialsError::Malformed(name));
            }
        }
        Ok(Self { key, secret, passphrase })
    }

    pub(super) fn key(&self) -> &str {
        self.key.expose_secret()
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    pub(super) fn passphrase(&self) -> &str {
        self.passphrase.as_ref().map_or("", |p| p.expose_secret())
    }

    /// The text without any part of the key: exchanges quote what they were sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for part in [self.key(), self.secret(), self.passphrase()] {
            // Shorter parts would blank out words that only look like them.
            if part.len() >= 4 {
                clean = clean.replace(part, "(redacted)");
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(exchange: Exchange, secret: &str, pass: Option<&str>) -> Result<Credentials, String> {
        let pass = pass.map(SecretString::from);
        Credentials::new(exchange, "AKEY1".into(), secret.into(), pass).map_err(|e| e.to_string())
    }

    #[test]
    fn key_is_never_printed_and_is_scrubbed_from_what_others_say() {
        let key = key(Exchange::Kucoin, "SECRET2", Some("PASS3")).unwrap();
        assert_eq!(format!("{key:?}"), "Credentials(redacted)");
        assert_eq!(key.scrub("AKEY1 SECRET2 PASS3 no"), "(redacted) (redacted) (redacted) no");
    }

    #[test]
    fn half_a_key_is_refused_without_showing_it() {
        for (exchange, secret, pass) in [
            (Exchange::Kucoin, "SECRET2", None),
            (Exchange::Binance, "", None),
            (Exchange::Luno, "SEC\nRET2", None),
        ] {
            let why = key(exchange, secret, pass).unwrap_err();
            assert!(!why.contains("SEC"), "{why}");
        }
    }
}
