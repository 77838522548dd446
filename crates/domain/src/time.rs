//! Time as the core sees it: nanoseconds since the Unix epoch, handed in, never read.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::ops::{Add, Sub};

/// An instant in UTC, nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A length of time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span(pub i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `n` milliseconds.
    pub const fn from_millis(n: i64) -> Self {
        Self(n * 1_000_000)
    }

    /// `n` seconds.
    pub const fn from_secs(n: i64) -> Self {
        Self(n * 1_000_000_000)
    }

    /// Whole seconds.
    pub const fn as_secs(self) -> i64 {
        self.0 / 1_000_000_000
    }

    /// Milliseconds as a figure for people and statistics.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Timestamp {
    /// Later than every instant that occurs.
    pub const MAX: Self = Self(i64::MAX);
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// One UTC day.
    pub const DAY: Span = Span::from_secs(86_400);

    /// From milliseconds since the epoch; `None` where it does not fit.
    pub fn from_millis(ms: i64) -> Option<Self> {
        ms.checked_mul(1_000_000).map(Self)
    }

    /// Whole milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Start of the span of this length (counted from the epoch) that holds this instant.
    pub const fn floor(self, span: Span) -> Self {
        Self(self.0.div_euclid(span.0) * span.0)
    }

    /// Start of this instant's UTC day.
    pub const fn day(self) -> Self {
        self.floor(Self::DAY)
    }

    /// This instant plus a span, at most [`Timestamp::MAX`].
    pub const fn saturating_add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Parses RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(at.as_nanosecond()).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six digits, so that text sorts as time does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.div_euclid(1_000);
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

impl Serialize for Timestamp {
    #[inline]
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            s.serialize_bytes(&self.0.to_le_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// Exact to the nanosecond in binary form; RFC 3339 text elsewhere.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
            Self::parse(&text).ok_or_else(|| de::Error::custom(format!("not RFC 3339: {text:?}")))
        } else {
            crate::binary::read(d).map(|bytes| Self(i64::from_le_bytes(bytes)))
        }
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        self.saturating_add(span)
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, other: Self) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_six_digits_and_sorts_as_time_does() {
        let early = Timestamp(1_723_161_253_937_085_768);
        assert_eq!(early.to_string(), "2024-08-08T23:54:13.937085Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        let later = early + Span::from_millis(1);
        assert!(early.to_string() < later.to_string());
    }

    #[test]
    fn a_day_starts_at_midnight_utc_before_the_epoch_too() {
        assert_eq!(Timestamp(-1).day(), Timestamp(-Timestamp::DAY.0));
        let at = Timestamp::parse("2024-08-08T23:54:13Z").unwrap();
        assert_eq!(at.day().to_string(), "2024-08-08T00:00:00.000000Z");
    }
}
