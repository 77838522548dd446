//! Wire ↔ types: pure functions over bytes, used by the connectors, local exchange servers and
//! readers of recorded tapes alike. Unknown fields and events never fail; bad numbers always do.

pub mod binance;
mod binance_info;
pub mod kucoin;
pub mod kucoin_classic;
pub mod luno;
mod luno_fees;

use domain::{
    Amount, Currency, Exchange, Instrument, Level, NumberError, Price, Quantity, Round, Symbol,
    parse_scaled,
};
use serde::de::{self, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// Why a payload was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not of the expected shape.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A number that no price, quantity or time can be.
    #[error("{symbol}: {field} = {value}: {reason}")]
    Number {
        /// Of which instrument.
        symbol: String,
        /// Which field.
        field: &'static str,
        /// As received, shortened.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A symbol that cannot be a canonical one.
    #[error("{0:?} is no symbol that we can name")]
    Symbol(String),
}

impl DecodeError {
    /// Name under which it is counted.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Number { field, .. } => field,
            Self::Symbol(_) => "symbol",
        }
    }

    /// A finer number than the instrument's scale: the exchange has changed its filters.
    pub fn is_too_precise(&self) -> bool {
        matches!(self, Self::Number { reason, .. } if *reason == TOO_PRECISE)
    }
}

const TOO_PRECISE: &str = "too precise";

pub(crate) fn malformed(error: serde_json::Error) -> DecodeError {
    DecodeError::Malformed(error.to_string().chars().take(160).collect())
}

/// Parses JSON; every decoder goes through here.
pub(crate) fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(bytes).map_err(malformed)
}

pub(crate) fn bad(symbol: &str, field: &'static str, value: &str, why: NumberError) -> DecodeError {
    let reason = match why {
        NumberError::NotDecimal(_) => "not a plain decimal",
        NumberError::Negative(_) => "negative",
        NumberError::TooPrecise { .. } => TOO_PRECISE,
        NumberError::TooLarge(_) => "too large",
    };
    refused(symbol, field, value, reason)
}

pub(crate) fn refused(
    symbol: &str,
    field: &'static str,
    value: &str,
    reason: &'static str,
) -> DecodeError {
    let value = value.chars().take(48).collect();
    DecodeError::Number { symbol: symbol.to_owned(), field, value, reason }
}

/// A price above zero and not absurd. The margin over the filter keeps a book alive whose filter
/// was tightened while old orders rest.
pub(crate) fn price(
    of: &Instrument,
    field: &'static str,
    text: &str,
) -> Result<Price, DecodeError> {
    let value = parse_scaled(text, of.price_scale).map_err(|e| bad(&of.native, field, text, e))?;
    let limit = of.max_price.filter(|p| p.0 > 0).map_or(i64::MAX, |p| p.0.saturating_mul(10));
    match value {
        0 => Err(refused(&of.native, field, text, "zero")),
        v if v > limit => Err(refused(&of.native, field, text, "far above the price filter")),
        v => Ok(Price(v)),
    }
}

/// A quantity of zero or more. What is finer than the scale is cut: KuCoin shows sums of eleven
/// places where its lot has eight, and less on display is never to our advantage.
pub(crate) fn quantity(
    of: &Instrument,
    field: &'static str,
    text: &str,
) -> Result<Quantity, DecodeError> {
    parse_scaled(&fitted(text, of.quantity_scale), of.quantity_scale)
        .map(Quantity)
        .map_err(|e| bad(&of.native, field, text, e))
}

/// A quantity above zero; a grain finer than the scale counts as one unit, so that no print is lost.
pub(crate) fn positive(
    of: &Instrument,
    field: &'static str,
    text: &str,
) -> Result<Quantity, DecodeError> {
    match quantity(of, field, text)? {
        Quantity::ZERO if text.bytes().any(|b| (b'1'..=b'9').contains(&b)) => Ok(Quantity(1)),
        Quantity::ZERO => Err(refused(&of.native, field, text, "zero")),
        q => Ok(q),
    }
}

/// The text without the decimal places beyond a scale.
fn fitted(text: &str, scale: u8) -> Cow<'_, str> {
    match text.split_once('.') {
        Some((whole, fraction))
            if fraction.len() > scale as usize && fraction.bytes().all(|b| b.is_ascii_digit()) =>
        {
            let kept = &fraction[..scale as usize];
            if kept.is_empty() { whole.into() } else { format!("{whole}.{kept}").into() }
        }
        _ => text.into(),
    }
}

/// `["price","quantity", …]`; what follows (KuCoin's sequence) is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLevel<'a> {
    /// As on the wire.
    pub price: &'a str,
    /// As on the wire; zero removes.
    pub quantity: &'a str,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireLevel<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = WireLevel<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of price and quantity as text")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let missing = || de::Error::custom("a level needs a price and a quantity");
                let price = seq.next_element()?.ok_or_else(missing)?;
                let quantity = seq.next_element()?.ok_or_else(missing)?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(WireLevel { price, quantity })
            }
        }
        d.deserialize_seq(Pair)
    }
}

/// One side of a book. KuCoin's placeholders at price 0 carry nothing and are skipped.
pub(crate) fn levels(
    of: &Instrument,
    field: &'static str,
    wire: &[WireLevel<'_>],
) -> Result<Vec<Level>, DecodeError> {
    let mut out = Vec::with_capacity(wire.len());
    let is_placeholder = |l: &&WireLevel<'_>| of.exchange == Exchange::Kucoin && l.price == "0";
    for level in wire.iter().filter(|l| !is_placeholder(l)) {
        out.push(Level {
            price: price(of, field, level.price)?,
            quantity: quantity(of, field, level.quantity)?,
        });
    }
    Ok(out)
}

/// A whole number that may come as text: nanoseconds exceed what some senders trust to a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Int(pub i64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Int;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or one as text")
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Int, E> {
                Ok(Int(v))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Int, E> {
                i64::try_from(v).map(Int).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Int, E> {
                v.parse().map(Int).map_err(E::custom)
            }
        }
        d.deserialize_any(Any)
    }
}

impl Int {
    /// As an id; negative ids do not exist.
    pub(crate) fn id(self, symbol: &str, field: &'static str) -> Result<u64, DecodeError> {
        u64::try_from(self.0).map_err(|_| refused(symbol, field, &self.0.to_string(), "negative"))
    }
}

/// Milliseconds as an instant between 2001 and 2286; outside it is a unit mistaken or garbage.
pub(crate) fn millis(
    symbol: &str,
    field: &'static str,
    ms: i64,
) -> Result<domain::Timestamp, DecodeError> {
    match ms {
        1_000_000_000_000..=9_200_000_000_000 => {
            Ok(domain::Timestamp::from_millis(ms).unwrap_or_default())
        }
        _ => Err(refused(symbol, field, &ms.to_string(), "no time in milliseconds")),
    }
}

/// Nanoseconds as an instant in the same range.
pub(crate) fn nanos(
    symbol: &str,
    field: &'static str,
    ns: i64,
) -> Result<domain::Timestamp, DecodeError> {
    millis(symbol, field, ns / 1_000_000).map(|_| domain::Timestamp(ns))
}

/// Decimal places that a step such as `0.00100000` needs.
pub(crate) fn places(step: &str) -> u8 {
    let fraction = step.split_once('.').map_or("", |(_, f)| f);
    fraction.trim_end_matches('0').len().min(18) as u8
}

pub(crate) fn symbol(base: &str, quote: &str) -> Result<Symbol, DecodeError> {
    let code = |text: &str| {
        text.parse::<Currency>().map_err(|_| DecodeError::Symbol(text.chars().take(40).collect()))
    };
    Ok(Symbol { base: code(base)?, quote: code(quote)? })
}

/// A limit of quantity or price. It may exceed what the scale holds (then there is no limit that we
/// could reach) or be finer than it (then it is rounded to the strict side).
pub(crate) fn capped(
    symbol: &str,
    field: &'static str,
    text: &str,
    scale: u8,
    strict: Round,
) -> Result<i64, DecodeError> {
    const NO_LIMIT: i64 = i64::MAX / 4;
    match text.parse::<Amount>() {
        Ok(v) if v.is_negative() => Err(refused(symbol, field, text, "negative")),
        Ok(v) => Ok(v.to_scaled(scale, strict).map_or(NO_LIMIT, |v| v.min(NO_LIMIT))),
        Err(NumberError::TooLarge(_)) => Ok(NO_LIMIT),
        Err(e) => Err(bad(symbol, field, text, e)),
    }
}

/// Instruments of a list, and what was refused in it: one bad entry costs one entry.
#[derive(Clone, Debug, Default)]
pub struct InstrumentList {
    /// Understood.
    pub instruments: Vec<Instrument>,
    /// Refused.
    pub refused: Vec<DecodeError>,
}

impl InstrumentList {
    pub(crate) fn collect<I>(entries: I) -> Self
    where
        I: Iterator<Item = Result<Instrument, DecodeError>>,
    {
        let mut list = Self::default();
        for entry in entries {
            match entry {
                Ok(instrument) => list.instruments.push(instrument),
                Err(why) => list.refused.push(why),
            }
        }
        list
    }
}
