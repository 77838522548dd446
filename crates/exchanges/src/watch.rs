//! Judgement of one subscription: fresh, stale or resyncing. Pure; the time is handed in.

use domain::{FeedState, Timestamp};
use std::time::{Duration, Instant};

/// Is the book usable?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BookHealth {
    /// Being fetched: why.
    Resyncing(String),
    /// Wrong, and a resync does not help at once: why.
    Broken(String),
    /// Complete and contiguous.
    Valid,
}

/// An event may seem to come from the future by this much: clocks are measured once a minute.
const FUTURE_MAX_NS: i64 = 2_000_000_000;

/// Does an event's time lie in the future, by all that is known of the exchange's clock?
pub(crate) fn is_future(at: Timestamp, received: Timestamp, bounds: Option<(i64, i64)>) -> bool {
    let ahead = (at - received).0;
    bounds.is_some_and(|(_, upper)| ahead.saturating_sub(upper) > FUTURE_MAX_NS)
}

/// How far event times run behind receipt. The clocks' difference cancels against the smallest
/// delay seen on this connection; a feed that is late from its first event on is found by the
/// clock bounds, where they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drip {
    floor: Option<i64>,
    recent: Option<i64>,
    window_started: Option<Instant>,
    events: u32,
    is_future: bool,
    excess: i64,
    grew_at: Option<Instant>,
}

/// The least delay within this span counts: one late event is a hiccup, none on time is a drip.
const DRIP_WINDOW: Duration = Duration::from_secs(1);

/// Events that a window needs: a quiet feed's single late one proves nothing.
const DRIP_EVENTS: u32 = 3;

impl Drip {
    /// An event of exchange time `event_at` was received; `offset` bounds how far the exchange's
    /// clock is ahead of ours.
    pub(crate) fn observe(
        &mut self,
        event_at: Timestamp,
        received_at: Timestamp,
        offset: Option<(i64, i64)>,
        now: Instant,
    ) {
        let delay = (received_at - event_at).0;
        // From the future: an event as absurd as this must not set the mark for all others.
        self.is_future = is_future(event_at, received_at, offset);
        if self.is_future {
            return;
        }
        self.events += 1;
        self.floor = Some(self.floor.map_or(delay, |f| f.min(delay)));
        self.recent = Some(self.recent.map_or(delay, |r| r.min(delay)));
        let started = *self.window_started.get_or_insert(now);
        if now - started >= DRIP_WINDOW && self.events >= DRIP_EVENTS {
            self.events = 0;
            let least = self.recent.take().unwrap_or(delay);
            let behind_best = least - self.floor.unwrap_or(least);
            let behind_clock = offset.map_or(0, |(lower, _)| least.saturating_add(lower));
            let excess = behind_best.max(behind_clock);
            // Since when it has been late by as much as it is now, or nearly.
            if excess > self.excess / 2 && self.grew_at.is_none() {
                self.grew_at = Some(now);
            } else if excess <= self.excess / 2 {
                self.grew_at = None;
            }
            self.excess = excess;
            self.window_started = Some(now);
        }
    }

    /// Since when it drips, if it does.
    pub(crate) fn since(&self, limit: Duration) -> Option<Instant> {
        self.grew_at.filter(|_| self.exceeds(limit))
    }

    /// Late, or from the future: late events, or a clock that was set.
    pub(crate) fn is_odd(&self, limit: Duration) -> bool {
        self.is_future || self.exceeds(limit)
    }

    pub(crate) fn exceeds(&self, limit: Duration) -> bool {
        self.excess > i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// Asks a silent connection for a sign of life: a half-open one would look quiet for a minute, and
/// a quiet market dead. Binding only where the other side has answered before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    is_due: bool,
    was_asked: bool,
    sent_at: Option<Instant>,
    answers: bool,
}

impl Probe {
    /// Anything arrived.
    pub(crate) const fn alive(&mut self) {
        self.sent_at = None;
        self.is_due &= !self.was_asked;
    }

    /// An answer arrived.
    pub(crate) const fn answered(&mut self) {
        self.answers = true;
        self.alive();
    }

    /// Time to ask, once; the first time whether it is quiet or not.
    pub(crate) const fn ask(&mut self, is_quiet: bool) {
        self.is_due |= self.sent_at.is_none() && (is_quiet || !self.was_asked);
    }

    pub(crate) const fn is_due(&self) -> bool {
        self.is_due
    }

    /// It was asked; a second question does not give more time to answer the first.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.is_due = false;
        self.was_asked = true;
        self.sent_at.get_or_insert(now);
    }

    /// Asked longer ago than this, without any sign of life since.
    pub(crate) fn unanswered(&self, now: Instant, limit: Duration) -> bool {
        let is_late = |at: Instant| now.saturating_duration_since(at) > limit;
        self.answers && self.sent_at.is_some_and(is_late)
    }
}

/// When a connection was last heard of. What it says unasked, heartbeats included, proves that the
/// exchange's own side of it works; an answer to our ping may come from whatever stands in between,
/// and proves no more than that the line is not cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Life {
    spoke_at: Option<Instant>,
    heard_at: Option<Instant>,
}

impl Life {
    /// A connection that stands since now.
    pub(crate) const fn begun(now: Instant) -> Self {
        Self { spoke_at: Some(now), heard_at: Some(now) }
    }

    /// It said something unasked.
    pub(crate) const fn spoke(&mut self, now: Instant) {
        *self = Self::begun(now);
    }

    /// It answered a ping.
    pub(crate) const fn answered(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// Proof that the exchange still speaks.
    pub(crate) const fn spoke_at(&self) -> Option<Instant> {
        self.spoke_at
    }

    /// Nothing at all came for a moment: time to ask.
    pub(crate) fn is_quiet(&self, now: Instant, after: Duration) -> bool {
        self.heard_at.is_some_and(|at| now.saturating_duration_since(at) >= after)
    }

    /// It said nothing unasked for longer than this.
    pub(crate) fn is_silent(&self, now: Instant, limit: Duration) -> bool {
        self.spoke_at.is_some_and(|at| now.saturating_duration_since(at) > limit)
    }
}

/// What a judgement rests on.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) book: BookHealth,
    pub(crate) alive_at: Option<Instant>,
    pub(crate) drip: Drip,
    /// The newest touch could not be read: the one before it may be far from the market.
    pub(crate) is_touch_refused: bool,
    /// Why the first question since the last answer had none: what silence comes from.
    pub(crate) problem: Option<String>,
    reported: Option<FeedState>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            book: BookHealth::Resyncing("waiting for the first book".into()),
            alive_at: None,
            drip: Drip::default(),
            is_touch_refused: false,
            problem: None,
            reported: None,
        }
    }

    pub(crate) fn judge(
        &self,
        link: Result<(), &str>,
        silence: Duration,
        drip_limit: Duration,
        now: Instant,
    ) -> FeedState {
        if let Err(why) = link {
            return FeedState::Stale(why.to_owned());
        }
        match &self.book {
            BookHealth::Resyncing(why) => return FeedState::Resyncing(why.clone()),
            BookHealth::Broken(why) => return FeedState::Stale(why.clone()),
            BookHealth::Valid => {}
        }
        if self.is_touch_refused {
            return FeedState::Stale("a quote was refused".into());
        }
        if self.alive_at.is_none_or(|at| now.saturating_duration_since(at) > silence) {
            let why = self.problem.as_ref().map_or(String::new(), |why| format!(": {why}"));
            return FeedState::Stale(format!("silent for over {} ms{why}", silence.as_millis()));
        }
        if self.drip.is_future {
            return FeedState::Stale("event times in the future".into());
        }
        if self.drip.exceeds(drip_limit) {
            return FeedState::Stale("dripping: events arrive later and later".into());
        }
        FeedState::Fresh
    }

    /// The state, if it is another one than last told.
    pub(crate) fn changed(&mut self, state: FeedState) -> Option<FeedState> {
        if self.reported.as_ref() == Some(&state) {
            return None;
        }
        self.reported = Some(state.clone());
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(60);
    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn fresh_needs_life_and_a_valid_book() {
        let (mut watch, now) = (Watch::new(), Instant::now());
        let state = |w: &Watch, at| w.judge(Ok(()), SILENCE, LIMIT, at);
        assert_eq!(state(&watch, now).name(), "resyncing");
        watch.book = BookHealth::Valid;
        assert_eq!(state(&watch, now).name(), "stale");
        watch.alive_at = Some(now);
        assert_eq!(state(&watch, now), FeedState::Fresh);
        assert_eq!(state(&watch, now + SILENCE + LIMIT).name(), "stale");
        let cut = watch.judge(Err("disconnected"), SILENCE, LIMIT, now);
        assert_eq!(cut, FeedState::Stale("disconnected".into()));
        assert!(watch.changed(FeedState::Fresh).is_some());
        assert!(watch.changed(FeedState::Fresh).is_none());
    }

    #[test]
    fn dead_link_is_found_by_a_ping_and_one_that_never_answers_pings_is_not_judged_by_it() {
        let (start, limit) = (Instant::now(), Duration::from_secs(2));
        let late = start + Duration::from_secs(3);
        let mut probe = Probe::default();
        probe.ask(false);
        assert!(probe.is_due(), "each connection is asked once, to learn whether it answers");
        probe.sent(start);
        assert!(!probe.unanswered(late, limit), "it may be one that never does");
        probe.alive();
        probe.ask(false);
        assert!(!probe.is_due(), "once");
        probe.answered();
        probe.ask(true);
        probe.sent(start);
        probe.sent(late);
        assert!(probe.unanswered(late, limit), "asking again gives no more time");
        probe.alive();
        assert!(!probe.unanswered(late, limit));
    }

    #[test]
    fn silence_is_told_with_its_cause_where_one_is_known() {
        let mut watch = Watch { book: BookHealth::Valid, ..Watch::new() };
        let told =
            |watch: &Watch| watch.judge(Ok(()), Duration::from_secs(3), SILENCE, Instant::now());
        assert_eq!(told(&watch), FeedState::Stale("silent for over 3000 ms".into()));
        watch.problem = Some("HTTP 502".into());
        assert_eq!(told(&watch), FeedState::Stale("silent for over 3000 ms: HTTP 502".into()));
    }

    #[test]
    fn answers_to_pings_alone_are_silence_and_heartbeats_of_its_own_are_not() {
        let (start, moment) = (Instant::now(), Duration::from_secs(1));
        let after = |secs: u64| start + Duration::from_secs(secs);
        let mut life = Life::begun(start);
        for second in 1..=60 {
            assert!(life.is_quiet(after(second), moment));
            life.answered(after(second));
            assert!(!life.is_quiet(after(second), moment), "asked once a second, not each tick");
        }
        assert!(!life.is_silent(after(60), SILENCE));
        assert!(life.is_silent(after(61), SILENCE), "it answered, and said nothing");
        let mut life = Life::begun(start);
        for second in (20..=600).step_by(20) {
            life.spoke(after(second));
        }
        assert!(!life.is_silent(after(660), SILENCE), "a quiet market is not a dead one");
    }

    #[test]
    fn event_from_the_future_is_stale_and_sets_no_mark_for_the_others() {
        let (mut watch, now) = (Watch::new(), Instant::now());
        (watch.book, watch.alive_at) = (BookHealth::Valid, Some(now));
        let (at, hour, clock) = (Timestamp(7_200_000_000_000), 3_600_000_000_000, Some((0, 0)));
        watch.drip.observe(Timestamp(at.0 + hour), at, clock, now);
        assert_eq!(watch.judge(Ok(()), SILENCE, LIMIT, now).name(), "stale");
        for i in 0..200 {
            let later = now + Duration::from_millis(i * 100);
            watch.drip.observe(at, at, clock, later);
        }
        assert_eq!(watch.judge(Ok(()), SILENCE, LIMIT, now), FeedState::Fresh);
    }

    #[test]
    fn refused_touch_is_no_price() {
        let (mut watch, now) = (Watch::new(), Instant::now());
        (watch.book, watch.alive_at) = (BookHealth::Valid, Some(now));
        watch.is_touch_refused = true;
        assert_eq!(watch.judge(Ok(()), SILENCE, LIMIT, now).name(), "stale");
    }

    #[test]
    fn events_later_and_later_drip_and_a_constant_clock_difference_does_not() {
        let start = Instant::now();
        let feed = |growth_ms: i64, offset: Option<(i64, i64)>, first_ms: i64| {
            let mut drip = Drip::default();
            for i in 0..200i64 {
                let received = Timestamp(i * 100_000_000);
                let delay = (first_ms + growth_ms * i) * 1_000_000;
                let at = start + Duration::from_millis(i as u64 * 100);
                drip.observe(Timestamp(received.0 - delay), received, offset, at);
            }
            drip.exceeds(LIMIT)
        };
        assert!(!feed(0, None, -1_270), "a recorder's clock behind the exchange's");
        assert!(!feed(10, None, 40), "two seconds in all");
        assert!(feed(50, None, 40), "ten seconds in all");
        assert!(feed(0, Some((0, 0)), 9_000), "late from the first event on, by the clock");
        assert!(
            !feed(0, Some((-9_000_000_000, -8_990_000_000)), 9_000),
            "our clock is nine seconds ahead"
        );
    }
}
