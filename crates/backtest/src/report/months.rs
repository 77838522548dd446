//! Returns by month, worked out of the equity at each month's end.

use domain::{Amount, Timestamp};
use std::collections::BTreeMap;

/// `year → twelve returns`, where a month has points.
pub(super) fn table(
    equity: &[(Timestamp, Amount)],
    start: Amount,
) -> BTreeMap<i32, [Option<f64>; 12]> {
    let mut ends: BTreeMap<(i32, usize), Amount> = BTreeMap::new();
    for (at, equity) in equity {
        // The point at midnight is the end of the day before.
        let text = Timestamp(at.0 - 1).to_string();
        let year = text.get(..4).and_then(|t| t.parse().ok());
        let month = text.get(5..7).and_then(|t| t.parse::<usize>().ok());
        if let (Some(year), Some(month @ 1..=12)) = (year, month) {
            ends.insert((year, month - 1), *equity);
        }
    }
    let (mut before, mut table) = (start, BTreeMap::new());
    for ((year, month), end) in ends {
        let row: &mut [Option<f64>; 12] = table.entry(year).or_insert([None; 12]);
        row[month] = end.ratio(before).map(|ratio| ratio - 1.0);
        before = end;
    }
    table
}

/// A year's return from those of its months.
pub(super) fn year(months: &[Option<f64>; 12]) -> f64 {
    months.iter().flatten().map(|m| 1.0 + m).product::<f64>() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_multiply_to_the_year_and_midnight_is_the_day_before() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let equity = [
            (at("2024-01-15T00:00:00Z"), Amount::from_int(90)),
            (at("2024-02-01T00:00:00Z"), Amount::from_int(110)),
            (at("2024-02-20T00:00:00Z"), Amount::from_int(99)),
        ];
        let table = table(&equity, Amount::from_int(100));
        let row = table[&2024];
        assert!((row[0].unwrap() - 0.1).abs() < 1e-12 && (row[1].unwrap() + 0.1).abs() < 1e-12);
        assert!((year(&row) + 0.01).abs() < 1e-12);
        assert_eq!(row[2], None);
    }
}
