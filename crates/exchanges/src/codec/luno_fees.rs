//! Luno's fees: by class of the pair and by what was traded in thirty days. A dated table, since no
//! public endpoint tells it.

use domain::{FeeSchedule, Rate};

/// When the exchange's help article was last edited.
const DATE: &str = "2026-09-17";

/// Maker and taker in basis points: crypto for fiat, a stablecoin for fiat, crypto for crypto. From
/// this much rand traded in thirty days on.
type Row = (u64, [(i64, i64); 3]);

/// South Africa's. Below zero: a rebate.
const TABLE: [Row; 13] = [
    (0, [(40, 60), (-1, 20), (8, 10)]),
    (20_000, [(30, 50), (-1, 20), (7, 10)]),
    (200_000, [(20, 40), (-1, 20), (6, 10)]),
    (1_000_000, [(10, 30), (-1, 20), (5, 9)]),
    (2_000_000, [(8, 20), (-1, 20), (4, 8)]),
    (5_000_000, [(6, 15), (-1, 10), (3, 7)]),
    (10_000_000, [(0, 10), (-1, 10), (2, 6)]),
    (20_000_000, [(0, 9), (-1, 9), (1, 6)]),
    (40_000_000, [(-1, 8), (-1, 8), (1, 6)]),
    (80_000_000, [(-1, 7), (-1, 7), (1, 5)]),
    (120_000_000, [(-2, 6), (-2, 6), (1, 5)]),
    (160_000_000, [(-2, 5), (-2, 5), (1, 4)]),
    (300_000_000, [(-2, 5), (-2, 5), (1, 3)]),
];

const FIAT: [&str; 14] = [
    "ZAR", "MYR", "NGN", "IDR", "KES", "UGX", "AUD", "GBP", "EUR", "USD", "SGD", "CAD", "ZMW",
    "GHS",
];

/// What a pair costs somebody who traded this much rand in thirty days. ZARU is a token, so its
/// pairs are crypto for crypto.
pub(super) fn of(base: &str, counter: &str, traded_zar: u64, places: u8) -> FeeSchedule {
    let (class, name) = match (FIAT.contains(&counter), matches!(base, "USDT" | "USDC")) {
        (true, false) => (0, "crypto/fiat"),
        (true, true) => (1, "stablecoin/fiat"),
        (false, _) => (2, "crypto/crypto"),
    };
    let tier = TABLE.partition_point(|(from, _)| *from <= traded_zar).saturating_sub(1);
    let (from, rates) = TABLE[tier];
    let (maker, taker) = rates[class];
    let tier = match from {
        0 => "entry tier".to_owned(),
        _ => format!("tier from R {from}"),
    };
    FeeSchedule {
        maker: Rate::from_bp(maker),
        taker: Rate::from_bp(taker),
        // No document names the currency of a buy's fee; the one sample (a sell) has a fee_base,
        // which fits neither rule, so the value is charged in counter currency.
        in_received: false,
        places,
        source: format!("Luno {name}, {tier} (South Africa), {DATE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_class_and_volume_decide_the_fee() {
        for (base, counter, traded, maker, taker, tier) in [
            ("XBT", "ZAR", 0, 40, 60, "crypto/fiat, entry tier"),
            ("XBT", "ZAR", 19_999, 40, 60, "crypto/fiat, entry tier"),
            ("XBT", "ZAR", 20_000, 30, 50, "crypto/fiat, tier from R 20000"),
            ("USDC", "ZAR", 4_999_999, -1, 20, "stablecoin/fiat, tier from R 2000000"),
            ("XBT", "ZARU", 5_000_000, 3, 7, "crypto/crypto, tier from R 5000000"),
            ("ETH", "XBT", u64::MAX, 1, 3, "crypto/crypto, tier from R 300000000"),
        ] {
            let fees = of(base, counter, traded, 8);
            assert_eq!((fees.maker, fees.taker), (Rate::from_bp(maker), Rate::from_bp(taker)));
            assert!(fees.source.contains(tier), "{}", fees.source);
        }
    }

    #[test]
    fn who_trades_more_never_pays_more() {
        for class in 0..3 {
            for pair in TABLE.windows(2) {
                let (less, more) = (pair[0].1[class], pair[1].1[class]);
                assert!(pair[0].0 < pair[1].0 && more.0 <= less.0 && more.1 <= less.1);
            }
        }
    }
}
