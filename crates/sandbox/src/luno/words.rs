//! How Luno writes numbers and order ids.

use crate::model::catalogue::Spec;
use crate::text::{at_least, padded};

/// Decimals of the REST books.
const BOOK_DECIMALS: u8 = 18;
/// Decimals of tickers and trades.
const TICKER_DECIMALS: u8 = 8;

pub(super) const fn millis(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000)
}

/// `BX` and thirteen digits of a 32-letter alphabet.
pub(super) fn order_id(id: u64) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ2345678901";
    let digit = |n: u32| LETTERS[(id >> (n * 5)) as usize % 32] as char;
    let digits: String = (0..13).rev().map(digit).collect();
    format!("BX{digits}")
}

/// A price of the stream.
pub(super) fn price(spec: &Spec, ticks: i64) -> String {
    padded(i128::from(ticks), spec.price_places, spec.price_places.max(2))
}

/// A volume of the stream.
pub(super) fn volume(spec: &Spec, lots: i64) -> String {
    at_least(i128::from(lots), spec.quantity_places, 2)
}

/// Price times volume.
pub(super) fn counter(spec: &Spec, ticks: i64, lots: i64) -> String {
    let value = i128::from(ticks) * i128::from(lots);
    at_least(value, spec.price_places + spec.quantity_places, 2)
}

/// Price and volume of a REST book.
pub(super) fn padded_row(spec: &Spec, ticks: i64, lots: i64) -> (String, String) {
    (
        padded(i128::from(ticks), spec.price_places, BOOK_DECIMALS),
        padded(i128::from(lots), spec.quantity_places, BOOK_DECIMALS),
    )
}

/// A price of tickers and trades.
pub(super) fn ticker_price(spec: &Spec, ticks: i64) -> String {
    padded(i128::from(ticks), spec.price_places, TICKER_DECIMALS)
}

/// A volume of tickers and trades.
pub(super) fn ticker_volume(spec: &Spec, lots: i64) -> String {
    padded(i128::from(lots), spec.quantity_places, TICKER_DECIMALS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_ids_have_lunos_shape_and_differ() {
        let (one, two) = (super::order_id(1_000_000), super::order_id(1_000_001));
        assert_eq!(one.len(), 15);
        assert!(one.starts_with("BX") && one != two);
    }
}
