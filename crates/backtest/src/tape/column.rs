//! A column of whole numbers in as few bytes each as its span needs.
//!
//! Either the numbers or their steps are kept, whichever is narrower, less their least value and
//! in their common unit: ids that rise by one take no byte at all, times in milliseconds three.

use super::bytes::Bytes;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    count: u32,
    /// What is kept are steps from the number before; the first number is this one.
    steps_from: Option<i64>,
    least: i64,
    unit: i64,
    width: u8,
    packed: Bytes,
}

/// How a form of the numbers would be kept.
struct Fit {
    least: i64,
    unit: i64,
    width: u8,
}

impl Column {
    pub(crate) fn pack(values: &[i64]) -> Self {
        let plain = Fit::of(values.iter().copied());
        let by_step = Fit::of(steps(values));
        let count = u32::try_from(values.len()).expect("a chunk has a few thousand rows");
        let first = values.first().copied().filter(|_| by_step.width < plain.width);
        let fit = if first.is_some() { by_step } else { plain };
        let mut packed = Vec::with_capacity(values.len() * usize::from(fit.width));
        match first {
            Some(_) => steps(values).for_each(|v| fit.put(v, &mut packed)),
            None => values.iter().for_each(|v| fit.put(*v, &mut packed)),
        }
        let Fit { least, unit, width } = fit;
        Self { count, steps_from: first, least, unit, width, packed: Bytes(packed) }
    }

    /// Appends the numbers; `false` where this is no column that [`Self::pack`] made.
    pub(crate) fn unpack(&self, out: &mut Vec<i64>) -> bool {
        let width = usize::from(self.width);
        // The first of a row of steps is known without one.
        let kept = (self.count as usize).saturating_sub(usize::from(self.steps_from.is_some()));
        if width > 8 || self.packed.0.len() != kept * width || self.count as usize > ROWS_MAX {
            return false;
        }
        let start = out.len();
        out.extend(self.steps_from);
        self.unpack_plain(kept, width, out);
        if let Some(mut last) = self.steps_from {
            for value in out[start..].iter_mut().skip(1) {
                last = last.wrapping_add(*value);
                *value = last;
            }
        }
        true
    }

    fn unpack_plain(&self, count: usize, width: usize, out: &mut Vec<i64>) {
        let whole = |part: u64| self.least.wrapping_add((part as i64).wrapping_mul(self.unit));
        let bytes = &self.packed.0;
        match width {
            0 => out.resize(out.len() + count, self.least),
            1 => out.extend(bytes.iter().map(|b| whole(u64::from(*b)))),
            2 => out.extend(
                bytes.as_chunks::<2>().0.iter().map(|b| whole(u64::from(u16::from_le_bytes(*b)))),
            ),
            4 => out.extend(
                bytes.as_chunks::<4>().0.iter().map(|b| whole(u64::from(u32::from_le_bytes(*b)))),
            ),
            8 => out.extend(bytes.as_chunks::<8>().0.iter().map(|b| whole(u64::from_le_bytes(*b)))),
            odd => out.extend(bytes.chunks_exact(odd).map(|chunk| {
                let mut padded = [0; 8];
                padded[..odd].copy_from_slice(chunk);
                whole(u64::from_le_bytes(padded))
            })),
        }
    }

    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.packed.0.capacity()
    }

    pub(crate) const fn count(&self) -> usize {
        self.count as usize
    }
}

/// Most numbers of one column: what a chunk holds, with room.
pub(crate) const ROWS_MAX: usize = 1 << 20;

/// Wrapping, so that any numbers come back.
fn steps(values: &[i64]) -> impl Iterator<Item = i64> + '_ {
    values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]))
}

impl Fit {
    fn of(values: impl Iterator<Item = i64>) -> Self {
        let (mut least, mut most, mut unit, mut one) = (i64::MAX, i64::MIN, 0_u64, None);
        for value in values {
            (least, most) = (least.min(value), most.max(value));
            let one = *one.get_or_insert(value);
            if unit != 1 {
                unit = common(unit, value.abs_diff(one));
            }
        }
        if least > most {
            return Self { least: 0, unit: 1, width: 0 };
        }
        // The common part of the distances from the first is that of those from the least, too.
        // One beyond the signed numbers is of no use: then the span is nearly all of them.
        let unit = i64::try_from(unit.max(1)).unwrap_or(1);
        let span = most.abs_diff(least) / unit.unsigned_abs();
        let width = (64 - span.leading_zeros()).div_ceil(8) as u8;
        Self { least, unit, width }
    }

    fn put(&self, value: i64, packed: &mut Vec<u8>) {
        let part = value.abs_diff(self.least) / self.unit.unsigned_abs();
        packed.extend_from_slice(&part.to_le_bytes()[..usize::from(self.width)]);
    }
}

fn common(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(column: &Column) -> Vec<i64> {
        let mut out = Vec::new();
        assert!(column.unpack(&mut out));
        out
    }

    #[test]
    fn rising_ids_take_no_bytes_and_times_few() {
        let ids: Vec<i64> = (7_000_000_000..7_000_008_192).collect();
        let packed = Column::pack(&ids);
        assert_eq!((packed.width, packed.packed.0.len()), (0, 0));
        assert_eq!(back(&packed), ids);
        let times: Vec<i64> =
            (0..8_192).map(|i| 1_723_161_253_000_000_000 + i * 3_000_000).collect();
        assert_eq!(Column::pack(&times).width, 0);
    }

    #[test]
    fn the_ends_of_the_numbers_come_back() {
        for values in [vec![], vec![i64::MIN, i64::MAX], vec![i64::MAX, i64::MIN, 0], vec![0, 1]] {
            assert_eq!(back(&Column::pack(&values)), values);
        }
    }

    #[test]
    fn a_column_of_a_wrong_length_is_refused() {
        let mut column = Column::pack(&[1, 2, 300]);
        column.count = 9_000;
        assert!(!column.unpack(&mut Vec::new()));
    }

    proptest! {
        #[test]
        fn any_numbers_come_back(
            values in proptest::collection::vec(any::<i64>(), 0..200),
            unit in 1_i64..1_000_000,
            base in any::<i64>(),
        ) {
            prop_assert_eq!(back(&Column::pack(&values)), values.clone());
            let near: Vec<i64> =
                values.iter().map(|v| base.wrapping_add((v % 5_000).wrapping_mul(unit))).collect();
            prop_assert_eq!(back(&Column::pack(&near)), near);
        }
    }
}
