//! What an exchange tells about one instrument, after its wire format is gone.

use crate::{FeedGrade, FeedState, Price, Quantity, Side, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// At this price…
    pub price: Price,
    /// …this much in all; zero removes the level.
    pub quantity: Quantity,
}

/// A public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// The exchange's trade id, rising per instrument.
    pub id: u64,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub quantity: Quantity,
    /// Side of the aggressive order.
    pub taker_side: Side,
    /// Exchange time.
    pub at: Timestamp,
    /// Fetched after the fact rather than received live.
    pub backfilled: bool,
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The exchange's book update id at this touch.
    pub update_id: u64,
    /// Best bid; quantity zero means no bid at all.
    pub bid: Level,
    /// Best ask; quantity zero means no ask at all.
    pub ask: Level,
}

/// A book, or its change since the last one, already contiguous: connectors judge sequences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookUpdate {
    /// Replace the book rather than change it.
    pub is_snapshot: bool,
    /// The exchange's id of the last change contained.
    pub update_id: u64,
    /// Exchange time, where the exchange gives one.
    pub at: Option<Timestamp>,
    /// For a polled book: local time at which it was asked for.
    pub requested_at: Option<Timestamp>,
    /// Absolute quantities, best first in a snapshot.
    pub bids: Vec<Level>,
    /// Absolute quantities, best first in a snapshot.
    pub asks: Vec<Level>,
}

/// An order of somebody else that left the book untraded. Only order-by-order feeds tell it, before
/// the depth that shows the rest of its level.
///
/// Not its id but when it joined: whoever waits at that price joined before it or behind it, and
/// that is all the queue needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Of the book.
    pub side: Side,
    /// Where it rested.
    pub price: Price,
    /// What was left of it.
    pub quantity: Quantity,
    /// The exchange's book update id with which it joined; of a snapshot's orders the snapshot's.
    pub joined_id: u64,
}

/// Everything that a feed delivers about an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketEvent {
    /// A public trade.
    Print(Print),
    /// Best bid and ask.
    Touch(Touch),
    /// Depth.
    Book(BookUpdate),
    /// The connector's judgement of this subscription; sent when it changes.
    Feed {
        /// May its prices be used?
        state: FeedState,
        /// How good the data is while fresh.
        grade: FeedGrade,
    },
    /// Prints are missing here that the exchange does not give any more.
    Gap {
        /// Local time of the last event before it.
        from: Timestamp,
    },
    /// A bar closed, and nothing else is known of its time. Never from a live feed: data that was
    /// kept as bars alone.
    Bar(ClosedBar),
    /// An order left untraded. The last variant: what was recorded before it is read as it was.
    Withdrawn(Withdrawn),
}

/// A closed bar as the only witness of its time, with what has to be assumed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedBar {
    /// Its length.
    pub timeframe: Timeframe,
    /// Its prices and volume.
    pub bar: Bar,
    /// Half the spread that is assumed: bars show none, and trading without one would be free.
    pub half_spread: Price,
}

impl ClosedBar {
    /// When it closed: the next bar opens then.
    pub fn closed_at(&self) -> Timestamp {
        self.bar.open_at + self.timeframe.span().unwrap_or_default()
    }
}

/// A bar in integers at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Start, in exchange time.
    pub open_at: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base quantity traded.
    pub volume: Quantity,
    /// Prints in it; zero: the previous close carried on.
    pub prints: u32,
}

impl Bar {
    /// A print as a bar of its own.
    #[inline]
    pub const fn of(print: &Print) -> Self {
        let (open_at, price, volume) = (print.at, print.price, print.quantity);
        Self { open_at, open: price, high: price, low: price, close: price, volume, prints: 1 }
    }
}

/// Length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Timeframe {
    /// Each print is a bar of its own.
    Trade,
    /// 1 second.
    S1,
    /// 5 seconds.
    S5,
    /// 15 seconds.
    S15,
    /// 1 minute.
    M1,
    /// 5 minutes.
    M5,
    /// 15 minutes.
    M15,
    /// 1 hour.
    H1,
    /// 4 hours.
    H4,
    /// 1 day.
    D1,
}

/// No such timeframe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a timeframe; allowed: trade 1s 5s 15s 1m 5m 15m 1h 4h 1d")]
pub struct UnknownTimeframe(String);

impl Timeframe {
    /// All of them, shortest first.
    pub const ALL: [Self; 10] = [
        Self::Trade,
        Self::S1,
        Self::S5,
        Self::S15,
        Self::M1,
        Self::M5,
        Self::M15,
        Self::H1,
        Self::H4,
        Self::D1,
    ];

    /// As written by people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::S1 => "1s",
            Self::S5 => "5s",
            Self::S15 => "15s",
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1d",
        }
    }

    /// Its length; `None` for bars of one print.
    pub const fn span(self) -> Option<Span> {
        let seconds = match self {
            Self::Trade => return None,
            Self::S1 => 1,
            Self::S5 => 5,
            Self::S15 => 15,
            Self::M1 => 60,
            Self::M5 => 300,
            Self::M15 => 900,
            Self::H1 => 3_600,
            Self::H4 => 14_400,
            Self::D1 => 86_400,
        };
        Some(Span::from_secs(seconds))
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Timeframe {
    type Err = UnknownTimeframe;
    fn from_str(text: &str) -> Result<Self, UnknownTimeframe> {
        Self::ALL
            .into_iter()
            .find(|t| t.name() == text)
            .ok_or_else(|| UnknownTimeframe(text.chars().take(20).collect()))
    }
}

impl TryFrom<String> for Timeframe {
    type Error = UnknownTimeframe;
    fn try_from(text: String) -> Result<Self, UnknownTimeframe> {
        text.parse()
    }
}

impl From<Timeframe> for String {
    fn from(timeframe: Timeframe) -> Self {
        timeframe.name().to_owned()
    }
}
