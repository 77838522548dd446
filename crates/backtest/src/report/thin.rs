//! Fewer points of a long series that still show its peaks and its bottoms.

use domain::{Amount, Timestamp};

/// At most `max` points: of each stretch its lowest and its highest in order, and the very ends.
pub(super) fn points(all: &[(Timestamp, Amount)], max: usize) -> Vec<(Timestamp, Amount)> {
    if all.len() <= max {
        return all.to_vec();
    }
    let stretch = all.len().div_ceil((max / 2).max(2) - 1);
    let mut kept = Vec::with_capacity(max + 2);
    kept.extend(all.first());
    for chunk in all[1..all.len() - 1].chunks(stretch) {
        let by = |index: &usize| chunk[*index].1;
        let low = (0..chunk.len()).min_by_key(by).unwrap_or_default();
        let high = (0..chunk.len()).max_by_key(by).unwrap_or_default();
        kept.push(chunk[low.min(high)]);
        if low != high {
            kept.push(chunk[low.max(high)]);
        }
    }
    kept.extend(all.last());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_point_and_the_ends_survive() {
        let all: Vec<_> = (0..10_000)
            .map(|i| (Timestamp(i), Amount::from_int(if i == 4_321 { -5 } else { i % 7 })))
            .collect();
        let kept = points(&all, 200);
        assert!(kept.len() <= 200, "{}", kept.len());
        assert!(kept.contains(&all[4_321]));
        assert_eq!((kept.first(), kept.last()), (all.first(), all.last()));
        assert!(kept.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
