//! Who asks: keys, signatures and clocks, verified as each exchange does. Written from the
//! protocols alone, so that a mistake of the client's signatures is not shared.

use super::config::KeySpec;
use super::desk::Desk;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Exchange;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A key that has proven itself.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) account: usize,
    pub(crate) key: KeySpec,
}

/// Why it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Missing,
    Unknown,
    Passphrase,
    Signature,
    Clock,
}

fn mac(secret: &str, payload: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(payload.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn find(desk: &Desk, exchange: Exchange, key: &str) -> Result<Grant, Access> {
    let account = desk.account(exchange, key).ok_or(Access::Unknown)?;
    let found = desk.accounts[account].spec.keys.iter().find(|k| k.key == key);
    found.map(|key| Grant { account, key: key.clone() }).ok_or(Access::Unknown)
}

/// Binance: the payload without its signature, as it was sent.
pub(crate) fn binance(
    desk: &Desk,
    key: &str,
    payload: &str,
    signature: &str,
) -> Result<Grant, Access> {
    let grant = find(desk, Exchange::Binance, key)?;
    let expected = hex(&mac(&grant.key.secret, payload));
    if expected.eq_ignore_ascii_case(signature) { Ok(grant) } else { Err(Access::Signature) }
}

/// KuCoin's headers.
pub(crate) struct Signed<'a> {
    pub(crate) key: &'a str,
    pub(crate) passphrase: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signature: &'a str,
}

/// KuCoin: `payload` is method, path with query, and body. Clocks may differ by five seconds.
pub(crate) fn kucoin(
    desk: &Desk,
    signed: &Signed<'_>,
    payload: &str,
    now_ms: i64,
) -> Result<Grant, Access> {
    if signed.key.is_empty() {
        return Err(Access::Missing);
    }
    let grant = find(desk, Exchange::Kucoin, signed.key)?;
    let at: i64 = signed.timestamp.parse().map_err(|_| Access::Clock)?;
    if (at - now_ms).abs() > 5_000 {
        return Err(Access::Clock);
    }
    if STANDARD.encode(mac(&grant.key.secret, &grant.key.passphrase)) != signed.passphrase {
        return Err(Access::Passphrase);
    }
    let expected = STANDARD.encode(mac(&grant.key.secret, &format!("{at}{payload}")));
    if expected == signed.signature { Ok(grant) } else { Err(Access::Signature) }
}

/// Luno: the secret itself.
pub(crate) fn luno(desk: &Desk, key: &str, secret: &str) -> Result<Grant, Access> {
    let grant = find(desk, Exchange::Luno, key)?;
    if grant.key.secret == secret { Ok(grant) } else { Err(Access::Signature) }
}

/// The two parts of an HTTP Basic header.
pub(crate) fn basic(header: Option<&str>) -> Option<(String, String)> {
    let bytes = STANDARD.decode(header?.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(key, secret)| (key.to_owned(), secret.to_owned()))
}
