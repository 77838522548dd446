//! Divisions of 128 bits that are mostly of 64: an order is checked, filled and closed with some
//! thirty of them, and the general one is a function call with two slow instructions in it.
//!
//! Each gives the quotient rounded towards negative infinity, and whether something was left.

/// A product that mostly fits into one multiplication.
///
/// # Panics
/// Where the product has more than 127 bits, as any checked arithmetic of ours.
#[inline]
pub(crate) fn product(a: i128, b: i64) -> i128 {
    match i64::try_from(a) {
        Ok(a) => i128::from(a) * i128::from(b),
        Err(_) => a * i128::from(b),
    }
}

/// By a divisor above zero.
#[inline]
pub(crate) fn floor(numerator: i128, divisor: i128) -> (i128, bool) {
    if let (Ok(n), Ok(d)) = (i64::try_from(numerator), i64::try_from(divisor)) {
        let (quotient, rest) = (n.div_euclid(d), n.rem_euclid(d));
        return (i128::from(quotient), rest != 0);
    }
    let quotient = numerator.div_euclid(divisor);
    // Not a second division: it fits, being no larger than the numerator.
    (quotient, quotient.wrapping_mul(divisor) != numerator)
}

/// By ten to the power of `P`, at most 12: without a division, as long as the quotient by two to
/// that power has at most 100 bits.
#[inline]
pub(crate) fn by_pow10<const P: u32>(numerator: i128) -> (i128, bool) {
    const LOW: u32 = 36;
    let five = const { 5u64.pow(P) };
    let size = numerator.unsigned_abs();
    let halved = size >> P;
    if halved >> (64 + LOW) != 0 {
        return floor(numerator, const { 10i128.pow(P) });
    }
    // By hand, in two digits: 5 to the power of 12 has 28 bits, so 36 more fit beside its rest.
    let high = (halved >> LOW) as u64;
    let low = (high % five) << LOW | (halved as u64 & ((1 << LOW) - 1));
    let quotient = (u128::from(high / five) << LOW | u128::from(low / five)) as i128;
    let is_inexact = !low.is_multiple_of(five) || halved << P != size;
    let floor = if numerator < 0 { -quotient - i128::from(is_inexact) } else { quotient };
    (floor, is_inexact)
}

/// By ten to a power that only the instrument knows, at most 12.
#[inline]
pub(crate) fn by_power(numerator: i128, power: u8) -> (i128, bool) {
    match power {
        0 => (numerator, false),
        1 => by_pow10::<1>(numerator),
        2 => by_pow10::<2>(numerator),
        3 => by_pow10::<3>(numerator),
        4 => by_pow10::<4>(numerator),
        5 => by_pow10::<5>(numerator),
        6 => by_pow10::<6>(numerator),
        7 => by_pow10::<7>(numerator),
        8 => by_pow10::<8>(numerator),
        9 => by_pow10::<9>(numerator),
        10 => by_pow10::<10>(numerator),
        11 => by_pow10::<11>(numerator),
        12 => by_pow10::<12>(numerator),
        more => floor(numerator, 10i128.pow(u32::from(more))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(numerator: i128, divisor: i128) -> (i128, bool) {
        (numerator.div_euclid(divisor), numerator.rem_euclid(divisor) != 0)
    }

    /// Numbers of every length: a plain draw has 126 bits nearly always.
    fn number() -> impl Strategy<Value = i128> {
        (any::<i128>(), 1u32..127, 0u8..3).prop_map(|(n, bits, shape)| match shape {
            0 => n >> bits,
            // Multiples of powers of ten, and their neighbours.
            1 => (n >> bits.max(60)) * 10i128.pow(bits % 13),
            _ => (n >> bits.max(60)) * 10i128.pow(bits % 13) - 1,
        })
    }

    proptest! {
        #[test]
        fn powers_of_ten_divide_as_the_plain_division_does(n in number(), power in 0u8..16) {
            prop_assert_eq!(by_power(n, power), naive(n, 10i128.pow(u32::from(power))));
        }

        #[test]
        fn any_divisor_divides_as_the_plain_division_does(n in number(), d in number()) {
            let d = d.saturating_abs().max(1);
            prop_assert_eq!(floor(n, d), naive(n, d));
        }

        #[test]
        fn products_are_exact(a in number(), b in any::<i64>()) {
            let a = a >> 64;
            prop_assert_eq!(product(a, b), a * i128::from(b));
        }
    }
}
