//! Whole numbers as the decimal text of the wire; no float is on the way.

/// A number scaled by `places`, with exactly that many decimals.
pub(crate) fn exact(value: i128, places: u8) -> String {
    padded(value, places, places)
}

/// A number scaled by `places`, with `shown` (at least `places`) decimals: Binance prints 8,
/// Luno's books 18.
pub(crate) fn padded(value: i128, places: u8, shown: u8) -> String {
    let unit = 10_u128.pow(u32::from(places));
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    if shown == 0 {
        return format!("{sign}{whole}");
    }
    let (places, shown) = (usize::from(places), usize::from(shown.max(places)));
    let digits = if places == 0 { String::new() } else { format!("{part:0places$}") };
    format!("{sign}{whole}.{digits:0<shown$}")
}

/// A number scaled by `places` without trailing zeros, as KuCoin prints it.
pub(crate) fn trimmed(value: i128, places: u8) -> String {
    let text = exact(value, places);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Like [`trimmed`], but with at least `least` decimals, as Luno's stream prints it.
pub(crate) fn at_least(value: i128, places: u8, least: u8) -> String {
    let short = trimmed(value, places);
    let have = short.split_once('.').map_or(0, |(_, d)| d.len());
    if have >= usize::from(least) {
        short
    } else {
        padded(value, places, places.max(least))
            .chars()
            .take(short.split('.').next().map_or(0, str::len) + 1 + usize::from(least))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{at_least, exact, padded, trimmed};

    #[test]
    fn numbers_read_as_each_exchange_prints_them() {
        assert_eq!(exact(6_065_001, 2), "60650.01");
        assert_eq!(exact(42, 0), "42");
        assert_eq!(padded(6_065_001, 2, 8), "60650.01000000");
        assert_eq!(padded(1_400_000, 0, 18), "1400000.000000000000000000");
        assert_eq!(padded(-5, 2, 2), "-0.05");
        assert_eq!(trimmed(10_000, 4), "1");
        assert_eq!(trimmed(100, 0), "100");
        assert_eq!(trimmed(1_250, 3), "1.25");
        assert_eq!(at_least(300_000, 6, 2), "0.30");
        assert_eq!(at_least(3_925_038, 6, 2), "3.925038");
        assert_eq!(at_least(2_765, 0, 2), "2765.00");
    }
}
