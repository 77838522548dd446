//! What a limit is: its unit, its range, and which way it lets more through.

use crate::Amount;
use std::fmt;

/// Which way a limit lets more through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looser {
    /// A larger value.
    Higher,
    /// A smaller value.
    Lower,
    /// A larger value, and zero, which switches the limit off.
    HigherOrZero,
    /// A smaller value, of a limit that zero switches off.
    LowerOrZero,
}

/// What a limit is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Percent of what its description names.
    Percent,
    /// A plain ratio or an amount of the reporting currency.
    Number,
    /// Hundredths of a percent.
    BasisPoints,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Things.
    Count,
}

/// One limit of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name in the configuration, in HTTP and here.
    pub key: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// Least; for percents and numbers zero itself is refused unless this is zero and
    /// [`Limit::may_be_zero`].
    pub min: u32,
    /// Most.
    pub max: u32,
    /// Which way is looser.
    pub looser: Looser,
    /// What it does.
    pub about: &'static str,
}

/// A limit's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitValue {
    /// Of percents and numbers.
    Decimal(Amount),
    /// Of everything that is counted.
    Whole(u32),
}

impl fmt::Display for LimitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal(value) => value.fmt(f),
            Self::Whole(value) => value.fmt(f),
        }
    }
}

impl Limit {
    /// Is it a decimal, not a count?
    pub const fn is_decimal(&self) -> bool {
        matches!(self.unit, Unit::Percent | Unit::Number)
    }

    /// Does zero switch it off?
    pub const fn may_be_zero(&self) -> bool {
        matches!(self.looser, Looser::HigherOrZero | Looser::LowerOrZero)
    }

    /// Is this value one that it may have?
    pub fn allows(&self, value: LimitValue) -> bool {
        match value {
            LimitValue::Decimal(value) => {
                let is_above = value > Amount::from_int(i64::from(self.min));
                let is_least = value.is_zero() && self.may_be_zero();
                (is_above || is_least) && value <= Amount::from_int(i64::from(self.max))
            }
            LimitValue::Whole(0) if self.may_be_zero() => true,
            LimitValue::Whole(value) => (self.min..=self.max).contains(&value),
        }
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        let (min, max) = (self.min, self.max);
        let off = if self.may_be_zero() { ", or 0: off" } else { "" };
        let unit = match self.unit {
            Unit::Percent => {
                return format!(
                    "a number of percent above {min}, at most {max}, without a sign{off}"
                );
            }
            Unit::Number => return format!("a number above {min}, at most {max}{off}"),
            Unit::BasisPoints => " of basis points",
            Unit::Seconds => " of seconds",
            Unit::Milliseconds => " of milliseconds",
            Unit::Count => "",
        };
        format!("a whole number{unit} from {min} to {max}{off}")
    }

    /// Does `own` let more through than `fleet`?
    pub fn is_looser(&self, own: LimitValue, fleet: LimitValue) -> bool {
        let zero = |value| match value {
            LimitValue::Decimal(value) => value.is_zero(),
            LimitValue::Whole(value) => value == 0,
        };
        if self.may_be_zero() && (zero(own) || zero(fleet)) {
            // Off is the loosest of all.
            return zero(own) && !zero(fleet);
        }
        let is_higher = match (own, fleet) {
            (LimitValue::Decimal(own), LimitValue::Decimal(fleet)) => own.cmp(&fleet),
            (LimitValue::Whole(own), LimitValue::Whole(fleet)) => own.cmp(&fleet),
            // Never: a limit has one kind of value.
            _ => std::cmp::Ordering::Greater,
        };
        match self.looser {
            Looser::Higher | Looser::HigherOrZero => is_higher.is_gt(),
            Looser::Lower | Looser::LowerOrZero => is_higher.is_lt(),
        }
    }
}
