//! Bars from prints, in exchange time.
//!
//! A bar is delivered once it is over and proved whole: with contiguous print ids nothing is
//! delivered while an id inside it is missing. What was not seen whole is dropped and counted,
//! never guessed.

mod draft;

use domain::{Bar, Price, Print, Span, Timeframe, Timestamp};
use draft::{Draft, Gap};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How long after a boundary prints of the old bar may still come in.
pub const CLOSE_DELAY: Span = Span::from_millis(500);
/// Bars kept waiting for missing ids; over an hour of seconds: backfills are long done by then.
const WAITING_MAX: usize = 4_096;
/// Gaps open at once; a feed with more is broken and will be resynchronised anyway.
const GAPS_MAX: usize = 16;
/// Bars without a print made at one go; a day of seconds: more is not a quiet market but a time
/// that nobody watched.
const EMPTY_MAX: i64 = 86_400;

/// What the exchange's print ids promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrintIds {
    /// Each is one more than the last: a jump is a missing print.
    Contiguous,
    /// They only rise: missing prints cannot be told from ids; the connector says so.
    Rising,
}

/// What happened to prints and bars, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarCounts {
    /// Bars delivered.
    pub delivered: u64,
    /// Bars dropped because prints of them are missing.
    pub incomplete: u64,
    /// Prints of bars that were over already.
    pub late_prints: u64,
    /// Prints seen before.
    pub repeated_prints: u64,
    /// Gaps in the ids.
    pub gaps: u64,
}

/// Builds the bars of one timeframe of one instrument.
///
/// Costs O(1) a print and allocates nothing while no id is missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BarBuilder {
    timeframe: Timeframe,
    ids: PrintIds,
    /// A bar that starts earlier was not seen from its start, or not seen whole.
    whole_from: Timestamp,
    /// Without a hole in time; the last is the open bar, those before it wait for ids.
    drafts: VecDeque<Draft>,
    gaps: Vec<Gap>,
    last: Option<(u64, Timestamp)>,
    last_close: Option<Price>,
    counts: BarCounts,
    /// It is given shorter bars: the clock closes nothing then, their ends do.
    #[serde(default)]
    is_of_bars: bool,
}

impl BarBuilder {
    /// A builder that is given every print from `watched_since` on; the bar that had begun before
    /// is dropped, because its first prints were not seen.
    pub fn new(timeframe: Timeframe, ids: PrintIds, watched_since: Timestamp) -> Self {
        Self {
            timeframe,
            ids,
            whole_from: watched_since,
            drafts: VecDeque::with_capacity(2),
            gaps: vec![],
            last: None,
            last_close: None,
            counts: BarCounts::default(),
            is_of_bars: false,
        }
    }

    /// Takes a print and delivers the bars that are over and whole because of it.
    #[inline]
    pub fn on_print(&mut self, print: &Print, deliver: &mut impl FnMut(Bar)) {
        let Some(span) = self.timeframe.span() else {
            if self.on_single(print) {
                deliver(Bar::of(print));
            }
            return;
        };
        match self.is_new(print, deliver) {
            true => self.take(print, span, deliver),
            false => self.counts.repeated_prints += 1,
        }
    }

    /// Takes a print where each is a bar of its own; says whether it was not seen before.
    #[inline]
    pub fn on_single(&mut self, print: &Print) -> bool {
        let is_new = self.is_new(print, &mut |_| {});
        let counts = &mut self.counts;
        *if is_new { &mut counts.delivered } else { &mut counts.repeated_prints } += 1;
        is_new
    }

    fn take(&mut self, print: &Print, span: Span, deliver: &mut impl FnMut(Bar)) {
        let open_at = print.at.floor(span);
        match self.drafts.back().map(|d| d.bar.open_at) {
            None => self.open(open_at),
            Some(last) if open_at > last => self.roll(open_at, span, deliver),
            Some(_) => {}
        }
        let first = self.drafts.front().map_or(open_at, |d| d.bar.open_at);
        let place = (open_at - first).0 / span.0;
        match usize::try_from(place).ok().and_then(|at| self.drafts.get_mut(at)) {
            Some(draft) => draft.take(print),
            None => self.counts.late_prints += 1,
        }
        self.release(span, deliver);
    }

    /// Takes a closed bar of a shorter (or this) timeframe and delivers the bar that it ends. A bar
    /// whose beginning or parts were not seen is dropped, as one with missing prints is.
    pub fn on_bar(&mut self, bar: &Bar, length: Span, deliver: &mut impl FnMut(Bar)) {
        let Some(span) = self.timeframe.span() else { return };
        self.is_of_bars = true;
        let open_at = bar.open_at.floor(span);
        match self.open_at() {
            None => self.open_from_bar(open_at, bar),
            Some(last) if open_at > last => {
                // Its last parts never came.
                self.drafts.iter_mut().for_each(|d| d.is_lost = true);
                self.release_all(deliver);
                self.open_from_bar(open_at, bar);
            }
            Some(_) => {}
        }
        let Some(draft) = self.drafts.back_mut() else { return };
        draft.take_bar(bar, length);
        if bar.open_at + length >= open_at + span {
            self.release_all(deliver);
        }
    }

    fn open_from_bar(&mut self, open_at: Timestamp, bar: &Bar) {
        let is_late = bar.open_at > open_at;
        self.drafts.push_back(Draft::new(open_at, is_late || open_at < self.whole_from));
    }

    fn release_all(&mut self, deliver: &mut impl FnMut(Bar)) {
        while !self.drafts.is_empty() {
            self.release_first(deliver);
        }
    }

    /// Closes what is over at this exchange time and was given [`CLOSE_DELAY`] to come in. Call
    /// it only while the feed is fresh: silence of a dead feed is no quiet market.
    pub fn on_time(&mut self, exchange_now: Timestamp, deliver: &mut impl FnMut(Bar)) {
        if self.is_of_bars {
            return;
        }
        let Some((span, open)) = self.timeframe.span().zip(self.open_at()) else { return };
        let open_at = (exchange_now - CLOSE_DELAY).floor(span);
        if open_at > open {
            self.roll(open_at, span, deliver);
        }
    }

    /// Exchange time at which [`Self::on_time`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let span = self.timeframe.span().filter(|_| !self.is_of_bars)?;
        Some(self.open_at()? + span + CLOSE_DELAY)
    }

    /// Missing ids will not come any more: drops the bars that they belong to.
    pub fn give_up(&mut self, deliver: &mut impl FnMut(Bar)) {
        let Some(span) = self.timeframe.span() else { return };
        self.abandon(span);
        self.release(span, deliver);
    }

    /// The connector lost prints between these instants for good, whatever the ids say.
    pub fn lost(&mut self, from: Timestamp, until: Timestamp) {
        self.whole_from = self.whole_from.max(until + Span(1));
        let Some(span) = self.timeframe.span() else { return };
        for draft in &mut self.drafts {
            let open_at = draft.bar.open_at;
            draft.is_lost |= open_at + span > from && open_at <= until;
        }
    }

    /// Ranges of ids that are missing, as `(first, last)`: what to fetch.
    pub fn missing(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.gaps.iter().map(|g| (g.next, g.end - 1))
    }

    /// The bar in the making, for a chart; `None` before its first print.
    pub fn open_bar(&self) -> Option<Bar> {
        self.drafts.back()?.finish(self.last_close)
    }

    /// Its timeframe.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// What happened so far.
    pub const fn counts(&self) -> BarCounts {
        self.counts
    }

    fn open_at(&self) -> Option<Timestamp> {
        self.drafts.back().map(|d| d.bar.open_at)
    }

    fn open(&mut self, open_at: Timestamp) {
        self.drafts.push_back(Draft::new(open_at, open_at < self.whole_from));
    }

    /// Judges the id: is it the next one, one that was missing, or seen before?
    #[inline]
    fn is_new(&mut self, print: &Print, deliver: &mut impl FnMut(Bar)) -> bool {
        let Some((last, last_at)) = self.last else {
            self.last = Some((print.id, print.at));
            return true;
        };
        if print.id <= last {
            return self.fills_gap(print.id, deliver);
        }
        // Mostly the next one: nothing is behind `last + 1` then.
        if print.id - last > 1 && self.ids == PrintIds::Contiguous {
            self.counts.gaps += 1;
            let (from, to) = (last_at.min(print.at), last_at.max(print.at));
            self.add_gap(Gap { next: last + 1, end: print.id, from, to }, deliver);
        }
        self.last = Some((print.id, print.at));
        true
    }

    #[inline(never)]
    fn add_gap(&mut self, gap: Gap, deliver: &mut impl FnMut(Bar)) {
        if self.timeframe == Timeframe::Trade {
            return; // every print is whole by itself
        }
        self.gaps.push(gap);
        self.bound_gaps(deliver);
    }

    fn bound_gaps(&mut self, deliver: &mut impl FnMut(Bar)) {
        if self.gaps.len() > GAPS_MAX {
            self.give_up(deliver);
        }
    }

    #[inline(never)]
    fn fills_gap(&mut self, id: u64, deliver: &mut impl FnMut(Bar)) -> bool {
        let Some(at) = self.gaps.iter().position(|g| g.holds(id)) else { return false };
        let [before, after] = self.gaps.swap_remove(at).split(id);
        self.gaps.extend([before, after].into_iter().filter(|g| !g.is_empty()));
        self.bound_gaps(deliver); // an exchange that answers in disorder
        true
    }

    /// Makes the bar that starts here the open one.
    fn roll(&mut self, open_at: Timestamp, span: Span, deliver: &mut impl FnMut(Bar)) {
        let Some(last) = self.open_at() else { return };
        let steps = (open_at - last).0 / span.0;
        if steps > EMPTY_MAX {
            self.counts.incomplete += self.drafts.len() as u64 + steps.unsigned_abs() - 1;
            self.last_close = self.open_bar().map(|b| b.close).or(self.last_close);
            self.drafts.clear();
            return self.open(open_at);
        }
        for step in 1..=steps {
            self.open(last + Span(span.0 * step));
            self.release(span, deliver);
        }
    }

    /// Delivers the bars before the open one, up to the first that waits for ids.
    fn release(&mut self, span: Span, deliver: &mut impl FnMut(Bar)) {
        if self.drafts.len() > WAITING_MAX {
            self.abandon(span);
        }
        while self.drafts.len() > 1 {
            let Some(draft) = self.drafts.front() else { return };
            if self.gaps.iter().any(|g| g.touches(draft.bar.open_at, span)) {
                return;
            }
            self.release_first(deliver);
        }
    }

    fn release_first(&mut self, deliver: &mut impl FnMut(Bar)) {
        let Some(draft) = self.drafts.pop_front() else { return };
        let Some(bar) = draft.finish(self.last_close) else { return };
        self.last_close = Some(bar.close);
        if draft.is_lost {
            self.counts.incomplete += 1;
        } else {
            self.counts.delivered += 1;
            deliver(bar);
        }
    }

    fn abandon(&mut self, span: Span) {
        for gap in self.gaps.drain(..) {
            for draft in &mut self.drafts {
                draft.is_lost |= gap.touches(draft.bar.open_at, span);
            }
        }
    }
}
