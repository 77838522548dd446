//! One row of somebody else's data, exact, before the scales of its instrument are known.

use domain::{Amount, Side, Timestamp};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// From 1, in its file.
    pub(crate) line: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Bar(BarRow),
    Print(PrintRow),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BarRow {
    pub(crate) open_at: Timestamp,
    /// Open, high, low, close.
    pub(crate) prices: [Amount; 4],
    pub(crate) volume: Amount,
    /// Where the source counts them.
    pub(crate) prints: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PrintRow {
    pub(crate) id: u64,
    pub(crate) price: Amount,
    pub(crate) quantity: Amount,
    pub(crate) taker_side: Side,
    pub(crate) at: Timestamp,
}

/// Higher than any price or quantity of a market that we know, and a bound for the arithmetic.
const FIGURE_MAX: i64 = 1_000_000_000_000_000;
/// Bitcoin's first block: what is earlier has another unit.
const EARLIEST_MS: i64 = 1_230_768_000_000;

impl BarRow {
    /// Refuses what no bar can be.
    pub(crate) fn check(&self, latest: Timestamp) -> Result<(), String> {
        check_time(self.open_at, latest)?;
        let [open, high, low, close] = self.prices;
        let names = ["open", "high", "low", "close"];
        for (name, price) in names.into_iter().zip(self.prices) {
            check_price(name, price)?;
        }
        check_figure("volume", self.volume)?;
        if low > high {
            return Err(format!("low {low} is above high {high}"));
        }
        for (name, price) in [("open", open), ("close", close)] {
            if price < low || price > high {
                return Err(format!("{name} {price} is outside low {low} to high {high}"));
            }
        }
        Ok(())
    }
}

impl PrintRow {
    /// Refuses what no print can be.
    pub(crate) fn check(&self, latest: Timestamp) -> Result<(), String> {
        check_time(self.at, latest)?;
        check_price("price", self.price)?;
        check_figure("quantity", self.quantity)?;
        if self.quantity.is_zero() { Err("quantity is 0".to_owned()) } else { Ok(()) }
    }
}

fn check_time(at: Timestamp, latest: Timestamp) -> Result<(), String> {
    if at.as_millis() < EARLIEST_MS {
        return Err(format!("time {at} is before 2009: is its unit milliseconds?"));
    }
    if at > latest { Err(format!("time {at} is in the future")) } else { Ok(()) }
}

fn check_price(name: &str, price: Amount) -> Result<(), String> {
    if price.is_zero() {
        return Err(format!("{name} is 0"));
    }
    check_figure(name, price)
}

fn check_figure(name: &str, figure: Amount) -> Result<(), String> {
    if figure.is_negative() {
        return Err(format!("{name} {figure} is below zero"));
    }
    if figure > Amount::from_int(FIGURE_MAX) {
        return Err(format!("{name} {figure} is beyond any market's"));
    }
    Ok(())
}

/// Decimal places that a figure needs.
pub(crate) fn places(figure: Amount, at_least: u8) -> u8 {
    let atoms = figure.atoms();
    let needs_more = |places: u8| atoms % 10_i128.pow(u32::from(12 - places)) != 0;
    (at_least..12).find(|p| !needs_more(*p)).unwrap_or(12)
}

/// Milliseconds or microseconds, told apart by their size: Binance's archives changed the unit on
/// 2025-01-01. Seconds are refused, as they would put every bar of a day into 1970.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let Ok(number) = text.parse::<i64>() else {
        return Timestamp::parse(&text.replacen(' ', "T", 1))
            .ok_or_else(|| format!("{} is no time; allowed: ms or µs since 1970", quoted(text)));
    };
    match number {
        1_230_768_000_000..=9_999_999_999_999 => Ok(Timestamp(number * 1_000_000)),
        1_230_768_000_000_000..=9_000_000_000_000_000 => Ok(Timestamp(number * 1_000)),
        _ => Err(format!("time {number} is neither milliseconds nor microseconds since 1970")),
    }
}

/// A decimal number; an exponent as spreadsheets and Python write it is understood.
pub(crate) fn figure(name: &str, text: &str) -> Result<Amount, String> {
    if let Ok(amount) = text.parse::<Amount>() {
        return Ok(amount);
    }
    let shown = quoted(text);
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else {
        return Err(format!("{name} {shown} is no decimal number of at most 12 places"));
    };
    let amount = exponent.parse::<i32>().ok().and_then(|e| shifted(digits, e));
    amount.ok_or_else(|| format!("{name} {shown} is no number that we can keep exactly"))
}

/// The decimal point moved, on the text: no float comes between.
fn shifted(digits: &str, exponent: i32) -> Option<Amount> {
    /// An atom is 10⁻¹², the largest figure 10²⁴.
    const EXPONENT_MAX: i32 = 40;
    if exponent.abs() > EXPONENT_MAX || !digits.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let all = format!("{whole}{fraction}");
    let text = match usize::try_from(point) {
        Ok(point) if point >= all.len() => format!("{sign}{all}{}", "0".repeat(point - all.len())),
        Ok(point) if point > 0 => format!("{sign}{}.{}", all.get(..point)?, all.get(point..)?),
        _ => format!("{sign}0.{}{all}", "0".repeat(usize::try_from(-point).ok()?)),
    };
    text.parse().ok()
}

/// As it stands in a message.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_time_are_told_by_their_size_and_others_refused() {
        let day = Timestamp::parse("2025-01-01T00:00:00Z").unwrap();
        for text in ["1735689600000", "1735689600000000", "2025-01-01 00:00:00+00:00"] {
            assert_eq!(instant(text), Ok(day), "{text}");
        }
        for text in ["1735689600", "1735689600000000000", "0", "-1", "", "yesterday"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exponents_are_read_exactly() {
        for (text, value) in
            [("1.5e-05", "0.000015"), ("1E3", "1000"), ("12.25e1", "122.5"), ("-2e-1", "-0.2")]
        {
            assert_eq!(figure("x", text).unwrap().to_string(), value);
        }
        for bad in ["nan", "inf", "1e99", "e5", "1e", "0.0000000000001", "1,5"] {
            assert!(figure("x", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_are_those_that_a_figure_needs() {
        let of = |text: &str| places(text.parse().unwrap(), 0);
        assert_eq!([of("1"), of("1.50"), of("0.000000000001")], [0, 1, 12]);
        assert_eq!(places("5".parse().unwrap(), 3), 3);
    }
}
