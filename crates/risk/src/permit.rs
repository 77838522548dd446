//! Permits: without one no order can leave for a real exchange.
//!
//! Only this crate can make them, they cannot be cloned, stored or read back, and each goes out
//! with one order. An entry permit is short: whoever made it vouches for the conditions of the
//! live gate as they were then. A reduce permit says how much of our own may be sold, and nothing
//! takes it away: neither a hold nor the emergency stop traps a position.

use crate::approve::ApprovedOrder;
use domain::{AccountId, BotId, InstrumentId, Mode, OrderPurpose, Quantity, Side, Span, Timestamp};

/// Every condition of the live gate held for this bot a moment ago.
#[derive(Debug, PartialEq, Eq)]
pub struct EntryPermit {
    account: AccountId,
    bot: BotId,
    until: Timestamp,
}

/// This bot owns at least this much and may sell it.
#[derive(Debug, PartialEq, Eq)]
pub struct ReducePermit {
    account: AccountId,
    bot: BotId,
    instrument: InstrumentId,
    most: Quantity,
}

/// What a real order leaves with.
#[derive(Debug, PartialEq, Eq)]
pub enum Permit {
    /// To open or to add.
    Entry(EntryPermit),
    /// To sell what is owned.
    Reduce(ReducePermit),
}

/// Why a permit does not cover an order: the two were not made for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermitMisfit {
    /// A simulated order has no business on a wire.
    #[error("the order is a simulated one")]
    Simulated,
    /// Another bot's, or of another account.
    #[error("the permit is another bot's")]
    Owner,
    /// Not renewed in time.
    #[error("the permit has run out")]
    Expired,
    /// An entry permit covers entries that buy, a reduce permit exits that sell.
    #[error("the permit is for the other direction")]
    Direction,
    /// Another instrument's position.
    #[error("the permit is for another instrument")]
    Instrument,
    /// More than the position.
    #[error("the order is larger than the position")]
    Quantity,
}

impl EntryPermit {
    /// Longest life: a lost condition stops entries within it, even if nobody says so.
    pub const LIFE_MAX: Span = Span::from_secs(60);

    /// For one bot, until then; at most [`Self::LIFE_MAX`] from now.
    pub(crate) fn new(account: AccountId, bot: BotId, now: Timestamp, until: Timestamp) -> Self {
        Self { account, bot, until: until.min(now + Self::LIFE_MAX) }
    }

    /// When it runs out.
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    fn covers(&self, order: &ApprovedOrder, now: Timestamp) -> Result<(), PermitMisfit> {
        let intent = order.intent();
        if (intent.account, intent.bot) != (self.account, self.bot) {
            return Err(PermitMisfit::Owner);
        }
        if intent.purpose != OrderPurpose::Entry || intent.side != Side::Buy {
            return Err(PermitMisfit::Direction);
        }
        if now >= self.until {
            return Err(PermitMisfit::Expired);
        }
        Ok(())
    }
}

impl ReducePermit {
    /// To sell at most this much of one position.
    pub(crate) const fn new(
        account: AccountId,
        bot: BotId,
        instrument: InstrumentId,
        most: Quantity,
    ) -> Self {
        Self { account, bot, instrument, most }
    }

    fn covers(&self, order: &ApprovedOrder) -> Result<(), PermitMisfit> {
        let intent = order.intent();
        if (intent.account, intent.bot) != (self.account, self.bot) {
            return Err(PermitMisfit::Owner);
        }
        if intent.instrument != self.instrument {
            return Err(PermitMisfit::Instrument);
        }
        if intent.side != Side::Sell || intent.purpose == OrderPurpose::Entry {
            return Err(PermitMisfit::Direction);
        }
        if intent.quantity > self.most {
            return Err(PermitMisfit::Quantity);
        }
        Ok(())
    }
}

impl Permit {
    /// Is this order what the permit was made for?
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn covers(&self, order: &ApprovedOrder, now: Timestamp) -> Result<(), PermitMisfit> {
        if order.intent().mode != Mode::Live {
            return Err(PermitMisfit::Simulated);
        }
        match self {
            Self::Entry(permit) => permit.covers(order, now),
            Self::Reduce(permit) => permit.covers(order),
        }
    }

    /// Does it let a position grow?
    pub const fn is_entry(&self) -> bool {
        matches!(self, Self::Entry(_))
    }
}

/// For tests of other crates: `cargo xtask arrows` keeps the feature out of the product.
#[cfg(feature = "permits-for-tests")]
impl Permit {
    /// An entry permit that nobody vouches for.
    #[must_use]
    pub fn entry_for_tests(account: AccountId, bot: BotId, now: Timestamp) -> Self {
        Self::Entry(EntryPermit::new(account, bot, now, now + EntryPermit::LIFE_MAX))
    }

    /// A reduce permit that nobody vouches for.
    #[must_use]
    pub const fn reduce_for_tests(
        account: AccountId,
        bot: BotId,
        instrument: InstrumentId,
        most: Quantity,
    ) -> Self {
        Self::Reduce(ReducePermit::new(account, bot, instrument, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{ExitReason, OrderId, OrderKind, TimeInForce};

    const NOW: Timestamp = Timestamp(1_000_000_000_000);
    const OWNER: (AccountId, BotId) = (AccountId(3), BotId(7));

    fn order(change: impl FnOnce(&mut crate::OrderIntent)) -> ApprovedOrder {
        let mut intent = crate::OrderIntent {
            id: OrderId { bot: OWNER.1, seq: 1 },
            account: OWNER.0,
            bot: OWNER.1,
            instrument: InstrumentId(5),
            mode: Mode::Live,
            side: Side::Buy,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Ioc,
            quantity: Quantity(10),
            purpose: OrderPurpose::Entry,
            at: NOW,
        };
        change(&mut intent);
        ApprovedOrder::unchecked(intent)
    }

    fn sale(change: impl FnOnce(&mut crate::OrderIntent)) -> ApprovedOrder {
        order(|i| {
            i.side = Side::Sell;
            i.purpose = OrderPurpose::Exit(ExitReason::Stop);
            change(i);
        })
    }

    #[test]
    fn entry_permit_covers_its_bots_entries_for_a_minute_and_nothing_else() {
        let far = NOW + Span::from_secs(3_600);
        let permit = || Permit::Entry(EntryPermit::new(OWNER.0, OWNER.1, NOW, far));
        let late = NOW + EntryPermit::LIFE_MAX;
        for (order, at, expected) in [
            (order(|_| {}), NOW, Ok(())),
            (order(|_| {}), late, Err(PermitMisfit::Expired)),
            (order(|i| i.mode = Mode::Paper), NOW, Err(PermitMisfit::Simulated)),
            (order(|i| i.bot = BotId(8)), NOW, Err(PermitMisfit::Owner)),
            (order(|i| i.account = AccountId(4)), NOW, Err(PermitMisfit::Owner)),
            (order(|i| i.side = Side::Sell), NOW, Err(PermitMisfit::Direction)),
            (sale(|_| {}), NOW, Err(PermitMisfit::Direction)),
        ] {
            assert_eq!(permit().covers(&order, at), expected, "{order:?}");
        }
    }

    #[test]
    fn reduce_permit_covers_sales_of_the_position_at_any_time() {
        let most = Quantity(10);
        let permit = || Permit::Reduce(ReducePermit::new(OWNER.0, OWNER.1, InstrumentId(5), most));
        let late = NOW + Span::from_secs(86_400);
        for (order, expected) in [
            (sale(|_| {}), Ok(())),
            (sale(|i| i.quantity = Quantity(11)), Err(PermitMisfit::Quantity)),
            (sale(|i| i.instrument = InstrumentId(6)), Err(PermitMisfit::Instrument)),
            (sale(|i| i.bot = BotId(8)), Err(PermitMisfit::Owner)),
            (sale(|i| i.side = Side::Buy), Err(PermitMisfit::Direction)),
            (sale(|i| i.purpose = OrderPurpose::Entry), Err(PermitMisfit::Direction)),
            (sale(|i| i.mode = Mode::Paper), Err(PermitMisfit::Simulated)),
        ] {
            assert_eq!(permit().covers(&order, late), expected, "{order:?}");
        }
    }
}
