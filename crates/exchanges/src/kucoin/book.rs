//! KuCoin's sequence rule, the same for UTA's `O..=C` and the classic `sequenceStart..=sequenceEnd`.

/// What a change of the ids `first..=last` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Contiguous: apply it.
    Apply,
    /// Older than the book.
    Ignored,
    /// Something is missing, or there is no book yet: get a snapshot.
    Gap,
}

/// Last id contained in the book.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeSync {
    last: Option<u64>,
}

impl RangeSync {
    /// A snapshot replaces everything.
    pub const fn snapshot(&mut self, last: u64) {
        self.last = Some(last);
    }

    /// A change arrived: valid if `first` ≤ last + 1 and its `last` is newer.
    pub const fn delta(&mut self, first: u64, last: u64) -> Step {
        match self.last {
            Some(have) if last <= have => Step::Ignored,
            Some(have) if first <= have + 1 => {
                self.last = Some(last);
                Step::Apply
            }
            _ => {
                self.last = None;
                Step::Gap
            }
        }
    }

    /// Is there a book?
    pub const fn is_synced(&self) -> bool {
        self.last.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other_overlap_or_break() {
        let mut sync = RangeSync::default();
        assert_eq!(sync.delta(1, 2), Step::Gap);
        sync.snapshot(100);
        assert_eq!(sync.delta(95, 100), Step::Ignored);
        assert_eq!(sync.delta(101, 105), Step::Apply);
        assert_eq!(sync.delta(104, 107), Step::Apply);
        assert_eq!(sync.delta(109, 110), Step::Gap);
        assert!(!sync.is_synced());
        assert_eq!(sync.delta(111, 112), Step::Gap);
    }

    #[test]
    fn documentations_calibration_frame_continues_its_snapshot() {
        // The walk-through: a snapshot at 14103843 and a frame of 14103844 to 14103847.
        let mut sync = RangeSync::default();
        sync.snapshot(14_103_843);
        assert_eq!(sync.delta(14_103_844, 14_103_847), Step::Apply);
        let mut newer = RangeSync::default();
        newer.snapshot(14_103_845);
        assert_eq!(newer.delta(14_103_844, 14_103_847), Step::Apply);
        let mut older = RangeSync::default();
        older.snapshot(14_103_842);
        assert_eq!(older.delta(14_103_844, 14_103_847), Step::Gap);
    }
}
