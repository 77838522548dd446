//! Currencies, canonical symbols, exchanges and modes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Why a text is no currency or symbol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Empty, too long or with characters that no exchange uses.
    #[error("{0:?} is not a currency code (1 to 15 bytes, no spaces or separators)")]
    Currency(String),
    /// Not `BASE/QUOTE`.
    #[error("{0:?} is not a symbol; write BASE/QUOTE, as BTC/USDT")]
    Symbol(String),
}

const CODE_BYTES: usize = 15;
/// In binary form: the code, zeros, its length.
const PACKED_BYTES: usize = CODE_BYTES + 1;

/// A currency code. Up to 15 bytes of UTF-8: real listings are not always ASCII.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    bytes: [u8; CODE_BYTES],
    len: u8,
}

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len as usize]).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn packed(&self) -> [u8; PACKED_BYTES] {
        let mut packed = [self.len; PACKED_BYTES];
        packed[..CODE_BYTES].copy_from_slice(&self.bytes);
        packed
    }

    /// Judged like a code that comes as text.
    pub(crate) fn unpack(packed: [u8; PACKED_BYTES]) -> Result<Self, SymbolError> {
        let code = packed.get(..packed[CODE_BYTES] as usize).unwrap_or_default();
        String::from_utf8_lossy(code).parse()
    }
}

impl FromStr for Currency {
    type Err = SymbolError;
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || "/-_:,\"'\\<>&".contains(c);
        if text.is_empty() || text.len() > CODE_BYTES || text.contains(bad) {
            return Err(SymbolError::Currency(text.chars().take(40).collect()));
        }
        let mut bytes = [0; CODE_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, len: text.len() as u8 })
    }
}

/// `BASE/QUOTE` in canonical codes (Luno's XBT is BTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    /// What is bought and sold.
    pub base: Currency,
    /// What it is paid with.
    pub quote: Currency,
}

impl FromStr for Symbol {
    type Err = SymbolError;
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let (base, quote) = text
            .split_once('/')
            .ok_or_else(|| SymbolError::Symbol(text.chars().take(40).collect()))?;
        Ok(Self { base: base.parse()?, quote: quote.parse()? })
    }
}

/// Room for a symbol's text: every stored row has one, so it is made without an allocation.
#[derive(Default)]
struct Text {
    bytes: [u8; 2 * CODE_BYTES + 1],
    len: usize,
}

impl Text {
    fn push(&mut self, text: &str) {
        let end = self.len + text.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(text.as_bytes());
            self.len = end;
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

macro_rules! as_text {
    ($t:ty, $show:expr, $text:expr, $packed:expr, $unpack:expr) => {
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn(&$t, &mut fmt::Formatter<'_>) -> fmt::Result = $show;
                show(self, f)
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $t {
            #[inline]
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if !s.is_human_readable() {
                    let packed: fn(&$t) -> _ = $packed;
                    return s.serialize_bytes(&packed(self));
                }
                let text: fn(&$t, &mut Text) = $text;
                let mut buffer = Text::default();
                text(self, &mut buffer);
                s.serialize_str(buffer.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if !d.is_human_readable() {
                    let bytes = crate::binary::read(d)?;
                    let unpacked: Result<Self, SymbolError> = ($unpack)(bytes);
                    return unpacked.map_err(de::Error::custom);
                }
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}
as_text!(
    Currency,
    |c, f| f.pad(c.as_str()),
    |c, text| text.push(c.as_str()),
    |c| c.packed(),
    Currency::unpack
);
as_text!(
    Symbol,
    |s, f| f.pad(&format!("{}/{}", s.base, s.quote)),
    |s, text| {
        text.push(s.base.as_str());
        text.push("/");
        text.push(s.quote.as_str());
    },
    |s| {
        let mut both = [0u8; 2 * PACKED_BYTES];
        both[..PACKED_BYTES].copy_from_slice(&s.base.packed());
        both[PACKED_BYTES..].copy_from_slice(&s.quote.packed());
        both
    },
    |both: [u8; 2 * PACKED_BYTES]| {
        let half = |from| std::array::from_fn(|i| both[from + i]);
        Ok(Symbol {
            base: Currency::unpack(half(0))?,
            quote: Currency::unpack(half(PACKED_BYTES))?,
        })
    }
);

/// A supported exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exchange {
    /// Binance spot.
    Binance,
    /// KuCoin spot.
    Kucoin,
    /// Luno.
    Luno,
}

impl Exchange {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Binance, Self::Kucoin, Self::Luno];

    /// Its name in configuration, HTTP and storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Kucoin => "kucoin",
            Self::Luno => "luno",
        }
    }

    /// The exchange of this name, if it is a supported one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Simulated or real money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Orders go to the simulated exchange.
    Paper,
    /// Orders go to the exchange.
    Live,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_form_is_read_back_and_judged_like_text() {
        let symbol: Symbol = "币安人生/USDT".parse().unwrap();
        let bytes = postcard::to_stdvec(&symbol).unwrap();
        assert_eq!(postcard::from_bytes::<Symbol>(&bytes), Ok(symbol));
        let mut bytes = postcard::to_stdvec(&symbol.quote).unwrap();
        assert_eq!(postcard::from_bytes::<Currency>(&bytes), Ok(symbol.quote));
        bytes[1] = b'/';
        assert!(postcard::from_bytes::<Currency>(&bytes).is_err());
        assert!(postcard::from_bytes::<Currency>(&bytes[..9]).is_err());
    }

    #[test]
    fn symbols_are_base_slash_quote_in_any_script() {
        let symbol: Symbol = "币安人生/USDT".parse().unwrap();
        assert_eq!(symbol.to_string(), "币安人生/USDT");
        for bad in ["BTCUSDT", "/USDT", "BTC/", "BTC/US DT", "A/B/C", "BTC-USDT"] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
    }
}
