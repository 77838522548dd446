//! Codes that change every half minute (RFC 6238: SHA-1, six digits, 30 s: what every authenticator
//! can), their secrets, and recovery codes for a lost telephone.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac};
use qrcodegen::{QrCode, QrCodeEcc};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use std::fmt::Write;

/// Seconds of a step.
const STEP_S: u64 = 30;
/// Steps that a telephone's clock may be off, either way.
const DRIFT_STEPS: u64 = 1;
/// Of the secret: as long as SHA-1's own output (RFC 4226).
const SECRET_BYTES: usize = 20;
/// Random bytes of a recovery code: too many to guess, so a plain digest keeps them.
const RECOVERY_BYTES: usize = 10;
/// Recovery codes of one set.
const RECOVERY_CODES: usize = 8;
/// White squares around a code, as the standard asks.
const QUIET: i32 = 4;

/// What somebody typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Of the authenticator.
    Code(u32),
    /// A recovery code, in the form in which it was hashed.
    Recovery(String),
}

/// People type spaces and dashes as they see them.
pub(crate) fn typed(text: &str) -> Option<Typed> {
    let signs = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(33);
    let text: String = signs.map(|c| c.to_ascii_uppercase()).collect();
    if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Typed::Code);
    }
    let is_recovery = BASE32_NOPAD.decode(text.as_bytes()).is_ok_and(|b| b.len() == RECOVERY_BYTES);
    is_recovery.then_some(Typed::Recovery(text))
}

/// A new secret, as authenticators take it.
pub(crate) fn secret() -> SecretString {
    BASE32_NOPAD.encode(&rand::random::<[u8; SECRET_BYTES]>()).into()
}

/// New recovery codes, as they are shown; [`typed`] gives the form to be hashed.
pub(crate) fn recovery_codes() -> Vec<String> {
    let one = || {
        let text = BASE32_NOPAD.encode(&rand::random::<[u8; RECOVERY_BYTES]>());
        let parts: Vec<String> =
            text.as_bytes().chunks(4).map(|p| String::from_utf8_lossy(p).to_lowercase()).collect();
        parts.join("-")
    };
    (0..RECOVERY_CODES).map(|_| one()).collect()
}

/// The step whose code this is, among those that a clock may stand at now.
pub(crate) fn step_of(secret: &SecretString, code: u32, now_s: u64) -> Option<u64> {
    let key = BASE32_NOPAD.decode(secret.expose_secret().as_bytes()).ok()?;
    let now = now_s / STEP_S;
    let near = now.saturating_sub(DRIFT_STEPS)..=now + DRIFT_STEPS;
    near.into_iter().find(|step| code_at(&key, *step) == Some(code))
}

/// RFC 4226, section 5.3.
fn code_at(key: &[u8], step: u64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let four = [digest[at], digest[at + 1], digest[at + 2], digest[at + 3]];
    Some((u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// What an authenticator reads: whose secret it is, and the secret.
pub(crate) fn uri(name: &str, secret: &SecretString) -> String {
    let mut label = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                label.push(char::from(byte));
            }
            // Writing into a String does not fail.
            _ => drop(write!(label, "%{byte:02X}")),
        }
    }
    let secret = secret.expose_secret();
    format!("otpauth://totp/Amarktai:{label}?secret={secret}&issuer=Amarktai")
}

/// The same as a picture: its width in squares, and the dark ones as the path of an SVG.
pub(crate) fn picture(uri: &str) -> Option<(i32, String)> {
    let code = QrCode::encode_text(uri, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Some((code.size() + 2 * QUIET, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> SecretString {
        BASE32_NOPAD.encode(text.as_bytes()).into()
    }

    /// RFC 6238, appendix B, its last six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = of("12345678901234567890");
        for (at, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(step_of(&secret, code, at), Some(at / 30), "{at}");
            for (off, fits) in [(30, true), (60, false)] {
                assert_eq!(step_of(&secret, code, at + off).is_some(), fits, "{at} + {off}");
                assert_eq!(step_of(&secret, code, at - off.min(at)).is_some(), fits || at < 60);
            }
        }
    }

    #[test]
    fn what_is_typed_is_read_with_spaces_and_dashes() {
        assert_eq!(typed("012 345"), Some(Typed::Code(12_345)));
        let shown = recovery_codes();
        assert_eq!(shown.len(), RECOVERY_CODES);
        for code in &shown {
            let plain = code.replace('-', "").to_uppercase();
            assert_eq!(typed(code), Some(Typed::Recovery(plain.clone())));
            assert_eq!(typed(&format!(" {plain} ")), Some(Typed::Recovery(plain)));
        }
        for nothing in ["", "12345", "1234567", "abcdef", "aaaa-aaaa-aaaa-aaa", &"a".repeat(9_999)]
        {
            assert_eq!(typed(nothing), None, "{nothing:.20}");
        }
    }

    #[test]
    fn the_picture_and_the_text_hold_the_secret() {
        let uri = uri("ann & bob", &of("12345678901234567890"));
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let expected =
            format!("otpauth://totp/Amarktai:ann%20%26%20bob?secret={secret}&issuer=Amarktai");
        assert_eq!(uri, expected);
        let (size, path) = picture(&uri).unwrap();
        assert!(
            (29..100).contains(&size) && path.starts_with("M4 4h1v1h-1z"),
            "{size}: {path:.40}"
        );
        // The longest name that there is, in the widest signs, still fits into one.
        assert!(picture(&super::uri(&"\u{1f680}".repeat(64), &secret.to_owned().into())).is_some());
    }
}
