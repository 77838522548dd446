//! Where data is missing.

use domain::{Bar, Span, Timestamp};
use serde::Serialize;

/// A time of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// End of what is known before.
    pub from: Timestamp,
    /// Start of what is known after.
    pub until: Timestamp,
    /// Rows that are missing, where that can be counted.
    pub missing: Option<u64>,
}

/// Bars that are missing between others.
pub fn bar_gaps(bars: &[Bar], span: Span) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for pair in bars.windows(2) {
        let (from, until) = (pair[0].open_at + span, pair[1].open_at);
        if until > from {
            let missing = u64::try_from((until - from).0 / span.0).ok();
            gaps.push(Gap { from, until, missing });
        }
    }
    gaps
}
