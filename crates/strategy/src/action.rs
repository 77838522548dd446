//! What a strategy sees and what it may wish for.

use domain::{Bar, ExitReason, Instrument, OrderPurpose, Price, Quantity, Rate, Side, Timestamp};
use smallvec::SmallVec;

/// What the bot holds. Flat means nothing sellable: dust is not in here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Base held.
    pub quantity: Quantity,
    /// Volume-weighted price paid for it; `None` when flat.
    pub average_entry: Option<Price>,
    /// Entries that it is made of.
    pub entries: u32,
    /// When the first of them was filled; `None` when flat.
    pub opened_at: Option<Timestamp>,
}

impl Position {
    /// Nothing sellable.
    pub const fn is_flat(&self) -> bool {
        self.quantity.0 <= 0
    }
}

/// All that a decision may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What is traded.
    pub instrument: &'a Instrument,
    /// Input time.
    pub now: Timestamp,
    /// The last closed bar.
    pub bar: &'a Bar,
    /// Figures at that bar in the order of [`crate::indicators`]; not a number while cold.
    pub values: &'a [f64],
    /// Best bid; `None` where there is none or it is not fresh.
    pub bid: Option<Price>,
    /// Best ask; `None` where there is none or it is not fresh.
    pub ask: Option<Price>,
    /// What the bot holds, the fill just told included.
    pub position: Position,
    /// Entries are let through now. With `false` the state is kept current (warm-up, holds) and
    /// no entry is wished for.
    pub can_enter: bool,
}

/// A wish. Wishes are repeated from bar to bar as long as they hold: the engine compares them with
/// what is on its way or resting and acts on the difference alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Buy once.
    Enter {
        /// Which of the strategy's entries.
        level: u16,
        /// Limit; `None`: at the market.
        price: Option<Price>,
        /// Never take.
        post_only: bool,
        /// Of one entry's size.
        share: Rate,
    },
    /// Sell what is held.
    Exit {
        /// The lot of this level; `None`: everything.
        level: Option<u16>,
        /// Why.
        reason: ExitReason,
        /// Limit; `None`: at the market.
        price: Option<Price>,
        /// Never take.
        post_only: bool,
    },
    /// One post-only order shall rest at this level and side, at this price. A buy is of `share`
    /// of one entry's size; a sell is of what is held of the level, a rest of an entry included.
    Rest {
        /// Which level.
        level: u16,
        /// Buy or sell.
        side: Side,
        /// Where.
        price: Price,
        /// Of one entry's size.
        share: Rate,
    },
    /// No order shall rest at this level and side.
    Withdraw {
        /// Which level.
        level: u16,
        /// Buy or sell.
        side: Side,
    },
    /// No order shall rest at all.
    WithdrawAll,
}

impl Action {
    /// Buy everything of one entry at the market.
    pub(crate) const ENTER: Self =
        Self::Enter { level: 0, price: None, post_only: false, share: Rate::ONE };
    /// Sell everything at the market.
    pub(crate) const EXIT: Self =
        Self::Exit { level: None, reason: ExitReason::Signal, price: None, post_only: false };

    /// Adds to what is bought: what a hold does not let through.
    pub const fn is_entry(&self) -> bool {
        matches!(self, Self::Enter { .. } | Self::Rest { side: Side::Buy, .. })
    }
}

/// Wishes in the order in which they are to be acted on.
pub type Actions = SmallVec<[Action; 2]>;

/// A fill of one of the bot's orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFill {
    /// The level of the action that it came from; of protective exits 0.
    pub level: u16,
    /// Bought or sold.
    pub side: Side,
    /// At.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// Nothing of the order is left.
    pub order_complete: bool,
    /// What the order was for.
    pub purpose: OrderPurpose,
}
