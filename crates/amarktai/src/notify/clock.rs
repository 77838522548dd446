//! Quiet hours and the moment of the digest, in the account's time zone.

use crate::config::{ClockTime, NotifyConfig};
use domain::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

/// The clock of whoever is told.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    quiet: Option<(ClockTime, ClockTime)>,
    digest_at: ClockTime,
}

impl Clock {
    pub(super) fn new(config: &NotifyConfig, timezone: &str) -> Self {
        // Checked where it was read; a zone that is gone since is UTC.
        let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
        let quiet = config.quiet_from.zip(config.quiet_to);
        Self { zone, quiet, digest_at: config.digest_at }
    }

    fn local(&self, at: Timestamp) -> civil::DateTime {
        let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or_default();
        at.to_zoned(self.zone.clone()).datetime()
    }

    /// The local time as an instant; in a gap of the clock the moment after it.
    fn instant(&self, local: civil::DateTime) -> Timestamp {
        let at = self.zone.to_ambiguous_timestamp(local).compatible();
        let nanos = at.map_or(0, |at| at.as_nanosecond());
        Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// When something that can wait may be told: now, or at the end of the quiet hours.
    pub(super) fn due(&self, at: Timestamp) -> Timestamp {
        let Some((from, to)) = self.quiet else { return at };
        let local = self.local(at);
        let time = ClockTime { hour: local.hour(), minute: local.minute() };
        let is_over_midnight = from > to;
        let is_quiet = match is_over_midnight {
            true => time >= from || time < to,
            false => time >= from && time < to,
        };
        if !is_quiet {
            return at;
        }
        let ends_tomorrow = is_over_midnight && time >= from;
        let date = if ends_tomorrow { tomorrow(local.date()) } else { local.date() };
        self.instant(date.at(to.hour, to.minute, 0, 0)).max(at)
    }

    /// The day whose digest is due at this moment, and its bounds: it ends at the digest's time
    /// that was last passed, and began a day before.
    pub(super) fn digest(&self, at: Timestamp) -> (String, Timestamp, Timestamp) {
        let ClockTime { hour, minute } = self.digest_at;
        let today = self.local(at).date();
        let passes_today = self.instant(today.at(hour, minute, 0, 0));
        let last = if passes_today <= at { today } else { yesterday(today) };
        let end = self.instant(last.at(hour, minute, 0, 0));
        let begin = self.instant(yesterday(last).at(hour, minute, 0, 0));
        (last.to_string(), begin, end)
    }
}

fn tomorrow(date: civil::Date) -> civil::Date {
    date.tomorrow().unwrap_or(date)
}

fn yesterday(date: civil::Date) -> civil::Date {
    date.yesterday().unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(quiet: Option<(i8, i8)>) -> Clock {
        let hour = |hour| ClockTime { hour, minute: 0 };
        Clock {
            zone: TimeZone::get("Africa/Johannesburg").unwrap(),
            quiet: quiet.map(|(from, to)| (hour(from), hour(to))),
            digest_at: hour(7),
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn quiet_hours_end_in_the_morning_of_the_account() {
        // Johannesburg is two hours ahead of UTC.
        let table = [
            (Some((22, 6)), "2026-11-23T19:59:00Z", "2026-11-23T19:59:00Z"),
            (Some((22, 6)), "2026-11-23T20:00:00Z", "2026-11-24T04:00:00Z"),
            (Some((22, 6)), "2026-11-24T01:00:00Z", "2026-11-24T04:00:00Z"),
            (Some((22, 6)), "2026-11-24T04:00:00Z", "2026-11-24T04:00:00Z"),
            (Some((12, 14)), "2026-11-24T11:30:00Z", "2026-11-24T12:00:00Z"),
            (None, "2026-11-24T01:00:00Z", "2026-11-24T01:00:00Z"),
        ];
        for (quiet, now, due) in table {
            assert_eq!(clock(quiet).due(at(now)), at(due), "{quiet:?} {now}");
        }
    }

    #[test]
    fn a_digest_covers_the_day_up_to_its_time() {
        let (day, begin, end) = clock(None).digest(at("2026-11-23T05:00:00Z"));
        assert_eq!(day, "2026-11-23");
        assert_eq!((begin, end), (at("2026-11-22T05:00:00Z"), at("2026-11-23T05:00:00Z")));
        let (day, _, end) = clock(None).digest(at("2026-11-23T04:59:59Z"));
        assert_eq!((day.as_str(), end), ("2026-11-22", at("2026-11-22T05:00:00Z")));
    }
}
