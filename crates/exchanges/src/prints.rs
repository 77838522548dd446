//! Prints of one instrument in order, once each, with what is missing fetched or named. Pure.

use domain::{Print, Timestamp};

/// Live prints held back while missing ones are fetched; beyond it the repair is given up.
const HELD_MAX: usize = 10_000;

/// What to do with a live print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Live {
    /// Hand it on.
    Deliver,
    /// Seen before.
    Duplicate,
    /// Kept until the repair is done.
    Held,
    /// Kept; ids are missing before it: fetch them.
    HeldNeedsRepair,
    /// Too many held: end the repair as failed.
    Overflow,
}

/// What a repair hands on, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Print(Print),
    Gap(Timestamp),
}

/// Prints fetched to fill a hole, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) prints: Vec<Print>,
    /// Nothing is missing between the last known print and the first of these.
    pub(crate) is_complete: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PrintTape {
    /// Ids rise by exactly one (Binance), so a hole shows at once.
    is_contiguous: bool,
    last_id: Option<u64>,
    last_at: Timestamp,
    last_local: Timestamp,
    is_repairing: bool,
    /// What was printed meanwhile is still to be asked for.
    is_owed: bool,
    held: Vec<(Print, Timestamp)>,
}

impl PrintTape {
    pub(crate) fn new(is_contiguous: bool, resume: Option<crate::Resume>) -> Self {
        let at = resume.map_or(Timestamp::EPOCH, |r| r.last_print_at);
        Self {
            is_contiguous,
            last_id: resume.map(|r| r.last_print_id),
            last_at: at,
            last_local: at,
            is_repairing: false,
            is_owed: false,
            held: Vec::new(),
        }
    }

    /// Id and exchange time of the last print handed on.
    pub(crate) fn last(&self) -> Option<(u64, Timestamp)> {
        self.last_id.map(|id| (id, self.last_at))
    }

    /// The connection ended and the fetch with it; what was held is fetched again after the next.
    pub(crate) fn abandon_repair(&mut self) {
        self.is_repairing = false;
        self.held.clear();
    }

    /// Everything up to this print is known elsewhere.
    pub(crate) fn start_after(&mut self, print: &Print) {
        self.took(print, print.at);
    }

    /// Nothing was printed so far: whatever comes is news.
    pub(crate) fn start_at(&mut self, at: Timestamp) {
        self.last_id = Some(0);
        // A minute of margin for the difference of the clocks.
        self.last_at = at - domain::Span::from_secs(60);
        self.last_local = at;
    }

    fn took(&mut self, print: &Print, local: Timestamp) {
        self.last_id = Some(print.id);
        self.last_at = print.at;
        self.last_local = local;
    }

    pub(crate) fn live(&mut self, print: Print, local: Timestamp) -> Live {
        if self.last_id.is_some_and(|last| print.id <= last) {
            return Live::Duplicate;
        }
        if self.is_repairing {
            if self.held.last().is_some_and(|(h, _)| print.id <= h.id) {
                return Live::Duplicate;
            }
            self.held.push((print, local));
            return if self.held.len() > HELD_MAX { Live::Overflow } else { Live::Held };
        }
        if self.is_contiguous && self.last_id.is_some_and(|last| print.id > last + 1) {
            self.held.push((print, local));
            return Live::HeldNeedsRepair;
        }
        self.took(&print, local);
        Live::Deliver
    }

    /// Nobody listened for a while: prints are missing until a repair has ended, and where ids have
    /// holes nothing else would show it.
    pub(crate) fn owe(&mut self) {
        self.is_owed = self.last_id.is_some();
    }

    /// Is something still missing that a repair is to bring?
    pub(crate) const fn is_owed(&self) -> bool {
        self.is_owed
    }

    /// Is it being fetched?
    pub(crate) const fn is_repairing(&self) -> bool {
        self.is_repairing
    }

    /// A repair begins, if there is anything to continue from; live prints are held from now on.
    pub(crate) fn begin_repair(&mut self) -> bool {
        let begins = self.last_id.is_some() && !self.is_repairing;
        self.is_repairing |= begins;
        begins
    }

    /// The repair is done, for better or worse: what to hand on, with the local time of each.
    pub(crate) fn repaired(
        &mut self,
        fetched: Fetched,
        local: Timestamp,
    ) -> Vec<(Item, Timestamp)> {
        (self.is_repairing, self.is_owed) = (false, false);
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::new();
        if !fetched.is_complete {
            out.push((Item::Gap(self.last_local), local));
        }
        let first_held = held.first().map(|(p, _)| p.id);
        for print in fetched.prints {
            // What arrived live is handed on as live.
            let is_held = first_held.is_some_and(|first| print.id >= first);
            if is_held || self.last_id.is_some_and(|last| print.id <= last) {
                continue;
            }
            self.took(&print, local);
            out.push((Item::Print(Print { backfilled: true, ..print }), local));
        }
        let is_hole = |last: Option<u64>, id| last.is_some_and(|last| id > last + 1);
        let mut told = !fetched.is_complete;
        for (print, at) in held {
            if self.is_contiguous && is_hole(self.last_id, print.id) && !told {
                out.push((Item::Gap(self.last_local), at));
            }
            told = false;
            self.took(&print, at);
            out.push((Item::Print(print), at));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resume;
    use domain::{Price, Quantity, Side};
    use proptest::prelude::*;

    fn print(id: u64) -> Print {
        Print {
            id,
            price: Price(1),
            quantity: Quantity(1),
            taker_side: Side::Buy,
            at: Timestamp(id as i64),
            backfilled: false,
        }
    }

    fn ids(items: &[(Item, Timestamp)]) -> Vec<i64> {
        let id = |i: &(Item, Timestamp)| match i.0 {
            Item::Print(p) if p.backfilled => -(p.id as i64),
            Item::Print(p) => p.id as i64,
            Item::Gap(_) => 0,
        };
        items.iter().map(id).collect()
    }

    fn fetched(ids: &[u64], is_complete: bool) -> Fetched {
        Fetched { prints: ids.iter().map(|id| print(*id)).collect(), is_complete }
    }

    #[test]
    fn hole_in_consecutive_ids_is_filled_before_the_print_behind_it() {
        let mut tape = PrintTape::new(true, None);
        assert_eq!(tape.live(print(5), Timestamp(1)), Live::Deliver);
        assert_eq!(tape.live(print(5), Timestamp(1)), Live::Duplicate);
        assert_eq!(tape.live(print(8), Timestamp(2)), Live::HeldNeedsRepair);
        assert!(tape.begin_repair());
        assert!(!tape.begin_repair());
        assert_eq!(tape.live(print(9), Timestamp(3)), Live::Held);
        let out = tape.repaired(fetched(&[4, 5, 6, 7, 8], true), Timestamp(4));
        assert_eq!(ids(&out), [-6, -7, 8, 9]);
        assert_eq!(tape.live(print(10), Timestamp(5)), Live::Deliver);
    }

    #[test]
    fn what_cannot_be_had_is_one_gap_from_the_last_event_before_it() {
        let mut tape = PrintTape::new(true, None);
        tape.live(print(5), Timestamp(77));
        tape.live(print(8), Timestamp(2));
        tape.begin_repair();
        let out = tape.repaired(fetched(&[], false), Timestamp(4));
        assert_eq!(out[0].0, Item::Gap(Timestamp(77)));
        assert_eq!(ids(&out), [0, 8]);
    }

    #[test]
    fn resume_holds_live_prints_until_the_missed_ones_are_told() {
        let resume = Resume { last_print_id: 100, last_print_at: Timestamp(100) };
        let mut tape = PrintTape::new(false, Some(resume));
        assert!(tape.begin_repair());
        assert_eq!(tape.live(print(300), Timestamp(9)), Live::Held);
        let out = tape.repaired(fetched(&[100, 150, 300], true), Timestamp(10));
        assert_eq!(ids(&out), [-150, 300]);
    }

    proptest! {
        #[test]
        fn ids_always_rise_and_a_hole_is_never_silent(
            arrivals in proptest::collection::vec(0u64..40, 1..60),
            complete: bool,
        ) {
            let mut tape = PrintTape::new(true, None);
            let mut out = Vec::new();
            for id in arrivals {
                match tape.live(print(id), Timestamp(0)) {
                    Live::Deliver => out.push((Item::Print(print(id)), Timestamp(0))),
                    Live::HeldNeedsRepair => {
                        tape.begin_repair();
                        let (last, _) = tape.last().unwrap();
                        let got: Vec<u64> = if complete { (last + 1..id).collect() } else { vec![] };
                        out.extend(tape.repaired(fetched(&got, complete), Timestamp(0)));
                    }
                    _ => {}
                }
            }
            let mut last: Option<i64> = None;
            let mut told = false;
            for id in ids(&out) {
                if id == 0 { told = true; continue; }
                let id = id.abs();
                if let Some(before) = last {
                    prop_assert!(id > before);
                    prop_assert!(id == before + 1 || told);
                }
                told = false;
                last = Some(id);
            }
        }
    }
}
