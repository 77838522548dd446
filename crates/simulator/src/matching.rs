//! The taker's side: walking a book from best to worst.

use domain::{Level, Price, Quantity, Side};
use smallvec::SmallVec;

/// What was taken at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// At this price…
    pub price: Price,
    /// …this much.
    pub quantity: Quantity,
}

/// Takes up to `wanted` from levels that come best first, not beyond `limit`. `taken` says how much
/// of a level is gone already.
pub fn walk(
    levels: impl Iterator<Item = Level>,
    side: Side,
    limit: Option<Price>,
    wanted: Quantity,
    taken: impl Fn(Price) -> Quantity,
) -> SmallVec<[Execution; 4]> {
    let mut rest = wanted;
    let mut executions = SmallVec::new();
    for level in levels {
        let is_beyond = limit.is_some_and(|limit| match side {
            Side::Buy => level.price > limit,
            Side::Sell => level.price < limit,
        });
        if is_beyond || !rest.is_positive() {
            break;
        }
        let available = Quantity((level.quantity - taken(level.price)).0.max(0));
        let quantity = available.min(rest);
        if quantity.is_positive() {
            executions.push(Execution { price: level.price, quantity });
            rest -= quantity;
        }
    }
    executions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(levels: &[(i64, i64)]) -> Vec<Level> {
        let level = |&(p, q)| Level { price: Price(p), quantity: Quantity(q) };
        levels.iter().map(level).collect()
    }

    fn sum(executions: &[Execution]) -> (i64, i128) {
        let value =
            executions.iter().map(|e| i128::from(e.price.0) * i128::from(e.quantity.0)).sum();
        (executions.iter().map(|e| e.quantity.0).sum(), value)
    }

    /// The thin book of fidelity.md: prices in thousandths, quantities in thousandths.
    const THIN: [(i64, i64); 10] = [
        (25_566, 14_270),
        (25_567, 48_484),
        (25_568, 92_349),
        (25_572, 31_480),
        (25_573, 23_000),
        (25_574, 20_000),
        (25_575, 89_606),
        (25_576, 262_016),
        (25_577, 178_557),
        (25_578, 78_614),
    ];

    #[test]
    fn a_hundred_in_the_thin_book_pays_the_weighted_price() {
        let walked =
            walk(book(&THIN).into_iter(), Side::Buy, None, Quantity(100_000), |_| Quantity(0));
        let (quantity, value) = sum(&walked);
        assert_eq!(quantity, 100_000);
        // 25.56722976 × 100
        assert_eq!(value, 2_556_722_976);
    }

    #[test]
    fn a_thousand_in_a_thin_book_fills_only_what_is_there() {
        let walked =
            walk(book(&THIN).into_iter(), Side::Buy, None, Quantity(1_000_000), |_| Quantity(0));
        let (quantity, value) = sum(&walked);
        assert_eq!(quantity, 838_376);
        // 25.57444152 per unit
        assert_eq!(value * 100_000 / i128::from(quantity), 2_557_444_152);
    }

    #[test]
    fn a_limit_is_never_passed() {
        let walked = walk(
            book(&THIN).into_iter(),
            Side::Buy,
            Some(Price(25_567)),
            Quantity(1_000_000),
            |_| Quantity(0),
        );
        assert_eq!(sum(&walked).0, 14_270 + 48_484);
    }
}
