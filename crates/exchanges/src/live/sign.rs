//! Signatures, as pure functions: proven on the vectors of the documentations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write as _;

fn hmac(secret: &str, payload: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(payload.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// As Binance wants it.
pub(super) fn hmac_hex(secret: &str, payload: &str) -> String {
    hmac(secret, payload).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As KuCoin wants it.
pub(super) fn hmac_base64(secret: &str, payload: &str) -> String {
    STANDARD.encode(hmac(secret, payload))
}

/// HTTP Basic, as Luno wants it.
pub(super) fn basic(key: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")))
}

/// Parameters as a query: values percent-encoded but for the unreserved characters, which is what
/// Binance signs since 2026 (a real symbol has Chinese letters).
pub(super) fn query<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in params {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        encode(value, &mut text);
    }
    text
}

fn encode(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// Parameters as Binance's WebSocket API signs them: sorted, and not encoded.
pub(super) fn sorted(params: &[(&str, &str)]) -> String {
    let mut params: Vec<String> = params.iter().map(|(n, v)| format!("{n}={v}")).collect();
    params.sort();
    params.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example key pair that Binance's documentation prints.
    const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    #[test]
    fn binances_documented_vectors_are_met() {
        let rest = query([
            ("symbol", "LTCBTC"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "1"),
            ("price", "0.1"),
            ("recvWindow", "5000"),
            ("timestamp", "1499827319559"),
        ]);
        let expected = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert_eq!(hmac_hex(SECRET, &rest), expected);
        let order = sorted(&[
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.01000000"),
            ("price", "52000.00"),
            ("recvWindow", "100"),
            ("timestamp", "1645423376532"),
            ("apiKey", KEY),
        ]);
        let expected = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24";
        assert_eq!(hmac_hex(SECRET, &order), expected);
        let stream = sorted(&[("timestamp", "1747385641636"), ("apiKey", KEY)]);
        let expected = "681110a6057ad58657af22f5640fab9dd17418834cdfccdc81be8b0f7b2cde3e";
        assert_eq!(hmac_hex(SECRET, &stream), expected);
    }

    #[test]
    fn kucoins_and_lunos_documented_vectors_are_met() {
        let secret = "f03a5284-5c39-4aaa-9b20-dea10bdcf8e3";
        let payload = r#"1547015186532POST/api/v1/deposit-addresses{"currency":"BTC"}"#;
        let expected = "7QP/oM0ykidMdrfNEUmng8eZjg/ZvPafjIqmxiVfYu4=";
        assert_eq!(hmac_base64(secret, payload), expected);
        let passphrase = hmac_base64(secret, "Ab12345678)(*&^%$#@");
        assert_eq!(passphrase, "F2p2bNS1bBehHvC/Z4YkB7l1Wd0Pq2iV/oLHM/DyE+I=");
        let header = basic("cnz2yjswbv3jd", "0hydMZDb9HRR3Qq-iqALwZtXLkbLR4fWxtDZvkB9h4I");
        let expected = "Basic Y256Mnlqc3didjNqZDowaHlkTVpEYjlIUlIzUXEtaXFBTHdadFhMa2JMUjRmV3h0RF\
                        p2a0I5aDRJ";
        assert_eq!(header, expected);
    }

    #[test]
    fn symbol_beyond_ascii_is_encoded_before_it_is_signed() {
        assert_eq!(query([("symbol", "\u{FF11}A"), ("a", "1+2")]), "symbol=%EF%BC%91A&a=1%2B2");
        assert_eq!(sorted(&[("symbol", "\u{FF11}A"), ("a", "1")]), "a=1&symbol=\u{FF11}A");
    }
}
