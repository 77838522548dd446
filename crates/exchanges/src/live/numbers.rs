//! From the wire's texts to amounts, currencies and times.

use crate::codec::{DecodeError, Int, bad, fitted, millis, nanos, refused};
use domain::{Amount, Currency, Rate, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Decimal places of an [`Amount`].
const PLACES: u8 = 12;

/// An amount of any sign. What is finer than twelve places is cut: KuCoin prints fees and sums of
/// more, and 10⁻¹² of anything traded there is no money.
pub(super) fn amount(of: &str, field: &'static str, text: &str) -> Result<Amount, DecodeError> {
    fitted(text, PLACES).parse().map_err(|why| bad(of, field, text, why))
}

/// An amount of zero or more.
pub(super) fn unsigned(of: &str, field: &'static str, text: &str) -> Result<Amount, DecodeError> {
    match amount(of, field, text)? {
        value if value.is_negative() => Err(refused(of, field, text, "negative")),
        value => Ok(value),
    }
}

/// An amount above zero.
pub(super) fn positive(of: &str, field: &'static str, text: &str) -> Result<Amount, DecodeError> {
    match amount(of, field, text)? {
        value if value.is_positive() => Ok(value),
        _ => Err(refused(of, field, text, "not above zero")),
    }
}

/// A share such as `0.001`.
pub(super) fn rate(of: &str, field: &'static str, text: &str) -> Result<Rate, DecodeError> {
    Rate::parse(&fitted(text, 9)).map_err(|why| bad(of, field, text, why))
}

/// A currency by the exchange's code; Luno alone says XBT.
pub(super) fn currency(code: &str) -> Result<Currency, DecodeError> {
    let code = if code == "XBT" { "BTC" } else { code };
    code.parse().map_err(|_| DecodeError::Symbol(code.chars().take(40).collect()))
}

/// A time in milliseconds; zero where it is not set.
pub(super) fn time(of: &str, ms: Int) -> Result<Option<Timestamp>, DecodeError> {
    if ms.0 == 0 { Ok(None) } else { millis(of, "time", ms.0).map(Some) }
}

/// A time in nanoseconds or in milliseconds: KuCoin's stream mixes them, and no instant of this
/// century reads as both.
pub(super) fn any_time(of: &str, value: Int) -> Result<Timestamp, DecodeError> {
    const NANOS_FROM: i64 = 1_000_000_000_000_000;
    if value.0 >= NANOS_FROM { nanos(of, "time", value.0) } else { millis(of, "time", value.0) }
}

/// A name that comes as text or as a number beyond what others trust to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(d)?;
        Ok(Self(raw.get().trim_matches('"').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_their_text_and_nonsense_is_refused() {
        assert_eq!(amount("s", "f", "-0.5").unwrap().to_string(), "-0.5");
        assert_eq!(amount("s", "f", "1.0000000000019").unwrap().to_string(), "1.000000000001");
        for text in ["", "1e5", "NaN", "0x1", "1.2.3", "--1", "1."] {
            assert!(amount("s", "f", text).is_err(), "{text}");
        }
        assert!(unsigned("s", "f", "-1").is_err());
        assert!(positive("s", "f", "0").is_err());
        assert_eq!(currency("XBT").unwrap().as_str(), "BTC");
        assert!(currency("").is_err());
        let ns = any_time("s", Int(1_730_206_271_616_000_000)).unwrap();
        assert_eq!(any_time("s", Int(1_730_206_271_616)).unwrap(), ns);
    }
}
