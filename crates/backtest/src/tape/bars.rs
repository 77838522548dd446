//! A run of bars as columns.

use super::column::Column;
use domain::{Bar, Price, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

/// Bars of one chunk.
pub(crate) const BARS_PER_CHUNK: usize = 8_192;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BarChunk {
    /// Start, open, high, low, close, volume, prints.
    columns: [Column; 7],
}

impl BarChunk {
    pub(crate) fn pack(bars: &[Bar]) -> Self {
        let column = |get: fn(&Bar) -> i64| Column::pack(&bars.iter().map(get).collect::<Vec<_>>());
        Self {
            columns: [
                column(|b| b.open_at.0),
                column(|b| b.open.0),
                column(|b| b.high.0),
                column(|b| b.low.0),
                column(|b| b.close.0),
                column(|b| b.volume.0),
                column(|b| i64::from(b.prints)),
            ],
        }
    }

    /// Appends the bars; `false` where the columns do not fit together.
    pub(crate) fn unpack(&self, out: &mut Vec<Bar>) -> bool {
        let mut values: [Vec<i64>; 7] = Default::default();
        let fits = values.iter_mut().zip(&self.columns).all(|(v, c)| c.unpack(v));
        let count = values[0].len();
        if !fits || values.iter().any(|v| v.len() != count) {
            return false;
        }
        out.extend((0..count).map(|row| {
            let value = |column: usize| values[column][row];
            Bar {
                open_at: Timestamp(value(0)),
                open: Price(value(1)),
                high: Price(value(2)),
                low: Price(value(3)),
                close: Price(value(4)),
                volume: Quantity(value(5)),
                prints: u32::try_from(value(6)).unwrap_or(u32::MAX),
            }
        }));
        true
    }
}
