//! Closed bars from before the start, at the timeframe of the indicators that they warm.

use crate::decoded::Market;
use domain::{Bar, Timeframe, Timestamp};
use market::{BarBuilder, PrintIds};

/// The newest `count` bars that had closed by `until`; none where the tape has no bars.
pub(crate) fn before(
    market: &Market,
    timeframe: Timeframe,
    count: usize,
    until: Timestamp,
) -> Vec<Bar> {
    let (Some(own), Some(span)) = (market.timeframe.span(), timeframe.span()) else {
        return Vec::new();
    };
    let end = market.bars.partition_point(|b| b.open_at + own <= until);
    let needed = count.saturating_mul((span.0 / own.0.max(1)) as usize + 1);
    let source = &market.bars[end.saturating_sub(needed)..end];
    if own == span {
        return source[source.len().saturating_sub(count)..].to_vec();
    }
    let mut bars = Vec::new();
    let mut builder = BarBuilder::new(timeframe, PrintIds::Rising, Timestamp::EPOCH);
    for bar in source {
        builder.on_bar(bar, own, &mut |whole| bars.push(whole));
    }
    bars.split_off(bars.len().saturating_sub(count))
}
