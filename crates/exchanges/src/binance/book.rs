//! Binance's local book rules, as corrected in November 2025. Pure: judges update ids only.

use domain::{BookUpdate, Span, Timestamp};

/// Changes kept while a snapshot is under way: 100 s of a busy book. Beyond it we start anew.
const BUFFER_MAX: usize = 1_000;

/// Changes come every 100 ms where the touch moves: a book that is this far behind hears none.
const BEHIND_MAX: Span = Span::from_secs(3);

/// A depth change with the first id that it contains; the last is the update's own.
#[derive(Clone, Debug)]
pub struct Diff {
    /// `U`.
    pub first: u64,
    /// `u` and the levels.
    pub update: BookUpdate,
}

/// What a depth change means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Kept until the snapshot is here.
    Buffered,
    /// Older than the book.
    Ignored,
    /// Contiguous: hand it on.
    Apply(BookUpdate),
    /// Something is missing: fetch a snapshot. The change is kept.
    Gap,
}

/// What a snapshot means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// Older than the first kept change: fetch again.
    TooOld,
    /// The book, then the kept changes that follow it.
    Ready(Vec<BookUpdate>),
    /// The kept changes have a hole themselves: they are dropped, fetch again.
    Broken,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct DepthSync {
    last: Option<u64>,
    buffer: Vec<Diff>,
    /// Since when the touch is ahead of the book without a change of the book.
    behind_since: Option<Timestamp>,
}

impl DepthSync {
    /// A depth change arrived.
    pub fn diff(&mut self, diff: Diff) -> Step {
        self.behind_since = None;
        let Some(last) = self.last else {
            return self.keep(diff);
        };
        if diff.update.update_id < last {
            return Step::Ignored;
        }
        if diff.first > last + 1 {
            self.restart();
            self.keep(diff);
            return Step::Gap;
        }
        self.last = Some(diff.update.update_id);
        Step::Apply(diff.update)
    }

    fn keep(&mut self, diff: Diff) -> Step {
        if self.buffer.len() >= BUFFER_MAX {
            self.buffer.clear();
        }
        self.buffer.push(diff);
        Step::Buffered
    }

    /// A REST snapshot arrived.
    pub fn snapshot(&mut self, snapshot: BookUpdate) -> Snapshot {
        let id = snapshot.update_id;
        if self.buffer.first().is_some_and(|first| id < first.first) {
            return Snapshot::TooOld;
        }
        self.last = Some(id);
        let mut out = vec![snapshot];
        for diff in std::mem::take(&mut self.buffer) {
            if diff.update.update_id <= id {
                continue;
            }
            match self.diff(diff) {
                Step::Apply(update) => out.push(update),
                Step::Gap => {
                    self.restart();
                    return Snapshot::Broken;
                }
                Step::Ignored | Step::Buffered => {}
            }
        }
        Snapshot::Ready(out)
    }

    /// A touch of this id arrived. `true`: the book has stood still for too long while it moved.
    pub fn touched(&mut self, id: u64, at: Timestamp) -> bool {
        if self.last.is_none_or(|last| id <= last) {
            self.behind_since = None;
            return false;
        }
        at - *self.behind_since.get_or_insert(at) > BEHIND_MAX
    }

    /// Forgets the book and what was kept.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Is there a book?
    pub const fn is_synced(&self) -> bool {
        self.last.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn update(id: u64, is_snapshot: bool) -> BookUpdate {
        BookUpdate {
            is_snapshot,
            update_id: id,
            at: None,
            requested_at: None,
            bids: vec![],
            asks: vec![],
        }
    }

    fn diff(first: u64, last: u64) -> Diff {
        Diff { first, update: update(last, false) }
    }

    fn ids(result: &Snapshot) -> Vec<u64> {
        match result {
            Snapshot::Ready(updates) => updates.iter().map(|u| u.update_id).collect(),
            _ => vec![],
        }
    }

    #[test]
    fn book_without_changes_while_the_touch_moves_is_too_far_behind() {
        let at = |second| Timestamp::EPOCH + Span::from_secs(second);
        let mut sync = DepthSync::default();
        assert!(!sync.touched(9, at(0)), "there is no book yet");
        sync.snapshot(update(10, true));
        assert!(
            !sync.touched(10, at(1)) && !sync.touched(11, at(100)) && !sync.touched(12, at(103))
        );
        sync.diff(diff(11, 12));
        assert!(!sync.touched(13, at(104)) && !sync.touched(14, at(107)));
        assert!(sync.touched(15, at(108)), "four seconds and no change");
        sync.restart();
        assert!(!sync.touched(16, at(109)));
    }

    #[test]
    fn kept_changes_up_to_the_snapshot_are_dropped_and_the_rest_follows() {
        let mut sync = DepthSync::default();
        for (first, last) in [(10, 12), (13, 15), (16, 20)] {
            assert_eq!(sync.diff(diff(first, last)), Step::Buffered);
        }
        assert_eq!(sync.snapshot(update(9, true)), Snapshot::TooOld);
        let ready = sync.snapshot(update(14, true));
        assert_eq!(ids(&ready), [14, 15, 20]);
        assert_eq!(sync.diff(diff(21, 22)), Step::Apply(update(22, false)));
    }

    #[test]
    fn change_that_begins_right_after_the_snapshot_is_contiguous() {
        let mut sync = DepthSync::default();
        assert_eq!(ids(&sync.snapshot(update(14, true))), [14]);
        assert_eq!(sync.diff(diff(15, 18)), Step::Apply(update(18, false)));
        assert_eq!(sync.diff(diff(10, 17)), Step::Ignored);
        assert_eq!(sync.diff(diff(18, 18)), Step::Apply(update(18, false)));
    }

    #[test]
    fn hole_discards_the_book_and_keeps_the_change_behind_it() {
        let mut sync = DepthSync::default();
        sync.snapshot(update(14, true));
        assert_eq!(sync.diff(diff(16, 18)), Step::Gap);
        assert!(!sync.is_synced());
        assert_eq!(sync.diff(diff(19, 19)), Step::Buffered);
        assert_eq!(ids(&sync.snapshot(update(17, true))), [17, 18, 19]);
    }

    #[test]
    fn hole_among_the_kept_changes_asks_for_another_snapshot() {
        let mut sync = DepthSync::default();
        sync.diff(diff(10, 12));
        sync.diff(diff(15, 16));
        assert_eq!(sync.snapshot(update(11, true)), Snapshot::Broken);
        assert!(!sync.is_synced());
    }

    proptest! {
        #[test]
        fn applied_ids_cover_the_stream_without_a_hole(
            cuts in proptest::collection::vec((1u64..6, proptest::bool::weighted(0.9)), 1..80),
            snapshot_at in 0usize..80,
        ) {
            let (mut sync, mut next, mut applied) = (DepthSync::default(), 100u64, None::<u64>);
            for (i, (length, arrives)) in cuts.into_iter().enumerate() {
                let (first, last) = (next, next + length - 1);
                next += length;
                if arrives {
                    match sync.diff(diff(first, last)) {
                        Step::Apply(u) => {
                            prop_assert!(applied.is_some_and(|a| first <= a + 1));
                            applied = Some(u.update_id);
                        }
                        Step::Gap => applied = None,
                        _ => {}
                    }
                }
                if i < snapshot_at || sync.is_synced() {
                    continue;
                }
                if let Snapshot::Ready(updates) = sync.snapshot(update(last, true)) {
                    applied = updates.last().map(|u| u.update_id);
                }
            }
        }
    }
}
