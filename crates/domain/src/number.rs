//! Exact numbers: parsed from the exchange's text, never through a float.

use crate::digits::Backwards;
use crate::{binary, divide};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

/// Decimal places of an [`Amount`].
const AMOUNT_SCALE: u8 = 12;
const POW10: [i128; 25] = {
    let mut table = [1i128; 25];
    let mut i = 1;
    while i < 25 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// Which way a result is rounded that has more places than its type: always named by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Towards negative infinity.
    Down,
    /// Towards positive infinity.
    Up,
}

impl Round {
    /// Of a quotient that was rounded down, and whether something was left.
    #[inline]
    pub(crate) fn of(self, (floor, is_inexact): (i128, bool)) -> i128 {
        if self == Self::Up && is_inexact { floor + 1 } else { floor }
    }
}

/// Why a text is not a number that we accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Empty, not finite, not decimal digits, or with an exponent.
    #[error("{0:?} is not a plain decimal number")]
    NotDecimal(String),
    /// Below zero where that cannot be.
    #[error("{0:?} is negative")]
    Negative(String),
    /// More decimal places than the instrument has.
    #[error("{text:?} has more than {places} decimal places")]
    TooPrecise {
        /// As received.
        text: String,
        /// Permitted.
        places: u8,
    },
    /// Larger than any real figure.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Keeps error texts short when a hostile peer sends a long one.
fn quoted(text: &str) -> String {
    text.chars().take(48).collect()
}

fn parse_signed(text: &str, places: u8, max: i128) -> Result<i128, NumberError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let not_decimal = || NumberError::NotDecimal(quoted(text));
    if whole.is_empty() || (digits.len() > whole.len() && fraction.is_empty()) {
        return Err(not_decimal());
    }
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(not_decimal());
    }
    // Luno pads to 18 places: zeros carry nothing and are cut before the length is judged.
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places as usize {
        return Err(NumberError::TooPrecise { text: quoted(text), places });
    }
    let mut value: i128 = 0;
    let padding = std::iter::repeat_n(b'0', places as usize - fraction.len());
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        value = value * 10 + i128::from(digit - b'0');
        if value > max {
            return Err(NumberError::TooLarge(quoted(text)));
        }
    }
    Ok(if negative { -value } else { value })
}

/// Parses a non-negative decimal text into an integer with `places` decimal places.
///
/// # Errors
/// Names what is wrong: see [`NumberError`].
pub fn parse_scaled(text: &str, places: u8) -> Result<i64, NumberError> {
    let value = parse_signed(text, places, i128::from(i64::MAX / 4))?;
    if value < 0 {
        return Err(NumberError::Negative(quoted(text)));
    }
    Ok(value as i64)
}

/// The nearest float. Mostly it fits 64 bits, where the conversion is one instruction.
#[inline]
fn nearest(atoms: i128) -> f64 {
    i64::try_from(atoms).map_or_else(|_| nearest_of_wide(atoms), |atoms| atoms as f64)
}

/// Apart: side by side the two are seen to be equal and made one, the slow one.
#[cold]
#[inline(never)]
fn nearest_of_wide(atoms: i128) -> f64 {
    atoms as f64
}

/// An amount of money, or a price or quantity on its way to people: exact, twelve decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One whole unit.
    pub const ONE: Self = Self(POW10[AMOUNT_SCALE as usize]);
    /// Larger than any figure that is accepted from outside (10²⁴).
    const LIMIT: i128 = POW10[24] * POW10[12];

    /// A whole number of units.
    pub const fn from_int(units: i64) -> Self {
        Self(units as i128 * POW10[AMOUNT_SCALE as usize])
    }

    /// From its integer form, 10⁻¹² of a unit.
    pub const fn from_atoms(atoms: i128) -> Self {
        Self(atoms)
    }

    /// Its integer form, 10⁻¹² of a unit.
    pub const fn atoms(self) -> i128 {
        self.0
    }

    /// From an integer with `places` decimals, rounded where it has more than twelve.
    #[inline]
    pub fn from_scaled(value: i128, places: u8, round: Round) -> Self {
        if places <= AMOUNT_SCALE {
            Self(divide::product(value, POW10[(AMOUNT_SCALE - places) as usize] as i64))
        } else {
            Self(round.of(divide::by_power(value, places - AMOUNT_SCALE)))
        }
    }

    /// As an integer with `places` decimals; `None` where it does not fit.
    #[inline]
    pub fn to_scaled(self, places: u8, round: Round) -> Option<i64> {
        let value = if places <= AMOUNT_SCALE {
            round.of(divide::by_power(self.0, AMOUNT_SCALE - places))
        } else {
            self.0.checked_mul(POW10[(places - AMOUNT_SCALE) as usize])?
        };
        i64::try_from(value).ok()
    }

    /// This share of the amount.
    #[inline]
    pub fn times(self, rate: Rate, round: Round) -> Self {
        Self(round.of(divide::by_pow10::<9>(divide::product(self.0, rate.0))))
    }

    /// The part `numerator / denominator` of the amount; zero where the denominator is.
    #[inline]
    pub fn part(self, numerator: i64, denominator: i64, round: Round) -> Self {
        if denominator == 0 {
            return Self::ZERO;
        }
        let product = divide::product(self.0, numerator);
        let product = if denominator < 0 { -product } else { product };
        Self(round.of(divide::floor(product, i128::from(denominator).abs())))
    }

    /// The product of two amounts, as value × exchange rate; `None` where it does not fit.
    pub fn product(self, rate: Self, round: Round) -> Option<Self> {
        if let (Ok(_), Ok(rate)) = (i64::try_from(self.0), i64::try_from(rate.0)) {
            return Some(Self(round.of(divide::by_pow10::<12>(divide::product(self.0, rate)))));
        }
        // Split to keep the intermediate inside 128 bits for every amount below 10²⁰.
        let one = Self::ONE.0;
        let whole = self.0.div_euclid(one).checked_mul(rate.0)?;
        let rest = self.0.rem_euclid(one).checked_mul(rate.0)?;
        whole.checked_add(round.of(divide::by_pow10::<12>(rest))).map(Self)
    }

    /// The quotient; `None` where the divisor is zero or the result does not fit.
    pub fn quotient(self, divisor: Self, round: Round) -> Option<Self> {
        if divisor.0 == 0 {
            return None;
        }
        let (n, d) = if divisor.0 < 0 { (-self.0, -divisor.0) } else { (self.0, divisor.0) };
        let n = match i64::try_from(n) {
            Ok(n) => i128::from(n) * Self::ONE.0,
            Err(_) => n.checked_mul(Self::ONE.0)?,
        };
        Some(Self(round.of(divide::floor(n, d))))
    }

    /// The ratio of two amounts as a figure for statistics and limits in percent.
    pub fn ratio(self, other: Self) -> Option<f64> {
        (other.0 != 0).then(|| nearest(self.0) / nearest(other.0))
    }

    /// As a floating-point figure, for statistics only.
    pub fn to_f64(self) -> f64 {
        nearest(self.0) / 1e12
    }

    /// The nearest amount to a finite figure of statistics; `None` where there is none.
    pub fn from_f64(value: f64) -> Option<Self> {
        (value.is_finite() && value.abs() < 1e20).then_some(Self((value * 1e12) as i128))
    }

    /// Without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// At least zero.
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl FromStr for Amount {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        parse_signed(text, AMOUNT_SCALE, Self::LIMIT).map(Self)
    }
}

impl fmt::Display for Amount {
    /// Canonical: no exponent, no trailing zeros, `-0` never.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rows and events are mostly figures: no allocation, and 64 bits where they do.
        let (one, all) = (Self::ONE.0.unsigned_abs(), self.0.unsigned_abs());
        let (mut whole, mut rest) = match (u64::try_from(all), u64::try_from(one)) {
            (Ok(all), Ok(one)) => (u128::from(all / one), all % one),
            // Below ONE, which has 40 bits.
            _ => (all / one, (all % one) as u64),
        };
        let mut places = AMOUNT_SCALE;
        while places > 0 && rest.is_multiple_of(10) {
            (rest, places) = (rest / 10, places - 1);
        }
        let mut digits = Backwards::default();
        for _ in 0..places {
            digits.put(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        if places > 0 {
            digits.put(b'.');
        }
        while whole > u128::from(u64::MAX) {
            digits.put(b'0' + (whole % 10) as u8);
            whole /= 10;
        }
        digits.whole(whole as u64);
        if self.0 < 0 {
            digits.put(b'-');
        }
        f.pad(digits.text())
    }
}

impl Serialize for Amount {
    /// Text; in binary form eight bytes where they are enough, else sixteen.
    #[inline]
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return s.collect_str(self);
        }
        match i64::try_from(self.0) {
            Ok(small) => s.serialize_bytes(&small.to_le_bytes()),
            Err(_) => s.serialize_bytes(&self.0.to_le_bytes()),
        }
    }
}

/// So many significant digits survive a binary floating point number for certain.
const FLOAT_DIGITS: usize = 15;

fn significant_digits(text: &str) -> usize {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let from_first = digits.skip_while(|b| *b == b'0').collect::<Vec<_>>();
    from_first.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1)
}

impl<'de> Deserialize<'de> for Amount {
    /// From a decimal text; numbers are accepted too, by their shortest decimal text, as far as no
    /// digit can have been lost on their way through binary floating point.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as text, as \"12.5\"")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Amount, E> {
                v.parse().map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Amount, E> {
                Ok(Amount::from_int(v))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Amount, E> {
                i64::try_from(v).map(Amount::from_int).map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Amount, E> {
                let text = format!("{v}");
                if significant_digits(&text) > FLOAT_DIGITS {
                    return Err(E::custom(format!(
                        "{text} may have lost digits; write it as text"
                    )));
                }
                text.parse().map_err(E::custom)
            }
        }
        if d.is_human_readable() { d.deserialize_any(Text) } else { binary::read_i128(d).map(Self) }
    }
}

macro_rules! arithmetic {
    ($($t:ty),*) => {$(
        impl Add for $t {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $t {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl AddAssign for $t {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl SubAssign for $t {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
        impl Neg for $t {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl Sum for $t {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self(0), |a, b| a + b)
            }
        }
    )*};
}
arithmetic!(Amount, Price, Quantity);

/// A price as an integer at its instrument's price scale.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Price(pub i64);

/// A quantity of the base currency as an integer at its instrument's quantity scale.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Quantity(pub i64);

impl Price {
    /// No price.
    pub const ZERO: Self = Self(0);

    /// This share of the price; `None` where it does not fit.
    #[inline]
    pub fn times(self, rate: Rate, round: Round) -> Option<Self> {
        let part = Amount(i128::from(self.0)).times(rate, round);
        i64::try_from(part.0).ok().map(Self)
    }
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

/// A share, as a fee of 0.1 % or a limit of 5 %: an integer in 10⁻⁹.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i64);

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1_000_000_000);

    /// From hundredths of a percent.
    pub const fn from_bp(bp: i64) -> Self {
        Self(bp * 100_000)
    }

    /// From whole percent.
    pub const fn from_percent(percent: i64) -> Self {
        Self(percent * 10_000_000)
    }

    /// From a number of percent, as typed by a person; at most nine decimals count.
    pub fn from_percent_amount(percent: Amount) -> Option<Self> {
        percent.to_scaled(7, Round::Down).map(Self)
    }

    /// As a floating-point figure.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As percent, exact.
    pub fn to_percent(self) -> Amount {
        Amount::from_scaled(i128::from(self.0), 7, Round::Down)
    }

    /// From a decimal text such as `0.001`.
    ///
    /// # Errors
    /// Where the text is no decimal number with at most nine places.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        parse_signed(text, 9, i128::from(i64::MAX / 4)).map(|v| Self(v as i64))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Amount::from_scaled(i128::from(self.0), 9, Round::Down).fmt(f)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let amount = Amount::deserialize(d)?;
            amount
                .to_scaled(9, Round::Down)
                .map(Self)
                .ok_or_else(|| de::Error::custom("rate out of range"))
        } else {
            i64::deserialize(d).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    #[test]
    fn padded_zeros_do_not_count_as_places() {
        assert_eq!(parse_scaled("2765.000000000000000000", 0), Ok(2765));
        assert_eq!(parse_scaled("0.00001000", 5), Ok(1));
    }

    #[test]
    fn what_is_no_plain_number_is_refused_and_named() {
        for bad in ["", ".", "1.", ".5", "NaN", "inf", "1e5", "+1", " 1", "1,5", "--1", "0x1"] {
            assert!(
                matches!(parse_scaled(bad, 8), Err(NumberError::NotDecimal(_))),
                "{bad:?} was accepted"
            );
        }
        assert_eq!(parse_scaled("-1", 2), Err(NumberError::Negative("-1".into())));
        assert!(matches!(parse_scaled("1.001", 2), Err(NumberError::TooPrecise { .. })));
        let huge = "9".repeat(400);
        assert!(matches!(parse_scaled(&huge, 2), Err(NumberError::TooLarge(_))));
        assert!(matches!(huge.parse::<Amount>(), Err(NumberError::TooLarge(_))));
    }

    #[test]
    fn rounding_goes_the_named_way_for_either_sign() {
        let third = |n, round| Amount(n).part(1, 3, round).atoms();
        assert_eq!((third(10, Round::Down), third(10, Round::Up)), (3, 4));
        assert_eq!((third(-10, Round::Down), third(-10, Round::Up)), (-4, -3));
    }

    #[test]
    fn json_takes_text_and_numbers_and_gives_text() {
        assert_eq!(serde_json::from_str::<Amount>("\"1.50\"").unwrap().to_string(), "1.5");
        assert_eq!(serde_json::from_str::<Amount>("0.1").unwrap().to_string(), "0.1");
        assert_eq!(serde_json::to_string(&Amount::from_int(-3)).unwrap(), "\"-3\"");
        assert!(serde_json::from_str::<Amount>("1e300").is_err());
        let exact = serde_json::from_str::<Amount>("123456789012.125").unwrap();
        assert_eq!(exact.to_string(), "123456789012.125");
        for rounded in ["123456789012.123456", "12345678901234567.5"] {
            assert!(serde_json::from_str::<Amount>(rounded).is_err(), "{rounded}");
            assert!(serde_json::from_str::<Amount>(&format!("\"{rounded}\"")).is_ok(), "{rounded}");
        }
        assert!(serde_json::from_str::<Amount>("null").is_err());
    }

    proptest! {
        #[test]
        fn text_is_that_of_whole_and_fraction_written_apart(value: i128, small: i64) {
            for value in [value, i128::from(small), i128::from(small) * 1_000_000, 0] {
                let one = Amount::ONE.0.unsigned_abs();
                let (whole, rest) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
                let text = format!("{}{whole}.{rest:012}", if value < 0 { "-" } else { "" });
                let text = text.trim_end_matches('0').trim_end_matches('.');
                prop_assert_eq!(Amount(value).to_string(), text);
            }
        }

        #[test]
        fn amounts_agree_with_an_independent_decimal(a in -10i64.pow(15)..10i64.pow(15), b in 1i64..10i64.pow(12)) {
            let (x, y) = (Amount::from_scaled(a.into(), 6, Round::Down), Amount::from_scaled(b.into(), 6, Round::Down));
            let (dx, dy) = (Decimal::new(a, 6), Decimal::new(b, 6));
            prop_assert_eq!((x + y).to_string(), (dx + dy).normalize().to_string());
            let product: Decimal = x.product(y, Round::Down).unwrap().to_string().parse().unwrap();
            prop_assert_eq!(product, dx * dy);
            prop_assert_eq!(x.to_string().parse::<Amount>().unwrap(), x);
        }
    }
}
