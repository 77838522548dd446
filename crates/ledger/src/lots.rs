//! What was bought and is still held, in the order in which it was bought.

use domain::{Amount, DataGrade, Round, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// One entry fill, as far as it is not sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The strategy's level (grid, safety order) that bought it.
    pub level: u16,
    /// Base held, net of fees charged in base.
    pub quantity: Amount,
    /// Its value at the fill price, in quote.
    pub notional: Amount,
    /// Entry fee in quote; base fees valued at the fill price.
    pub fee: Amount,
    /// The part of it that was charged in base, in base.
    pub fee_base: Amount,
    /// The part of it that was charged in quote.
    pub fee_quote: Amount,
    /// Cost against the mid at decision, where the mid was known.
    pub slippage: Option<Amount>,
    /// When it was bought.
    pub at: Timestamp,
    /// From which data.
    pub grade: DataGrade,
}

impl Lot {
    /// Cuts `quantity` off this lot; every figure is split so that nothing is lost.
    fn split(&mut self, quantity: Amount) -> Self {
        let share = |whole: Amount, held: Amount| portion(whole, quantity, held);
        let held = self.quantity;
        let cut = Self {
            quantity,
            notional: share(self.notional, held),
            fee: share(self.fee, held),
            fee_base: share(self.fee_base, held),
            fee_quote: share(self.fee_quote, held),
            slippage: self.slippage.map(|s| share(s, held)),
            ..*self
        };
        self.quantity -= cut.quantity;
        self.notional -= cut.notional;
        self.fee -= cut.fee;
        self.fee_base -= cut.fee_base;
        self.fee_quote -= cut.fee_quote;
        self.slippage = self.slippage.zip(cut.slippage).map(|(all, part)| all - part);
        cut
    }
}

/// `whole × part / of`, rounded down: one division, so that small figures keep their digits.
pub(crate) fn portion(whole: Amount, part: Amount, of: Amount) -> Amount {
    if of.is_zero() || part.is_zero() {
        return Amount::ZERO;
    }
    if part == of {
        return whole;
    }
    match whole.atoms().checked_mul(part.atoms()) {
        Some(product) => Amount::from_atoms(product.div_euclid(of.atoms())),
        // Beyond 128 bits the share itself has digits enough.
        None => part
            .quotient(of, Round::Down)
            .and_then(|share| whole.product(share, Round::Down))
            .unwrap_or_default(),
    }
}

/// Which lots a sale takes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Matching {
    /// Oldest first.
    Fifo,
    /// Those of this level, oldest first, then any others.
    Level(u16),
}

/// What a sale took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// Base.
    pub quantity: Amount,
    /// At entry prices, in quote.
    pub notional: Amount,
    /// Entry fees in quote.
    pub fee: Amount,
    /// See [`Lot::fee_base`].
    pub fee_base: Amount,
    /// See [`Lot::fee_quote`].
    pub fee_quote: Amount,
    /// Sum, `None` once one is unknown.
    pub slippage: Option<Amount>,
    /// First entry.
    pub first_at: Option<Timestamp>,
    /// Worst.
    pub grade: Option<DataGrade>,
}

impl Matched {
    fn add(&mut self, lot: Lot) {
        let known = if self.quantity.is_zero() { Some(Amount::ZERO) } else { self.slippage };
        self.slippage = known.zip(lot.slippage).map(|(a, b)| a + b);
        self.quantity += lot.quantity;
        self.notional += lot.notional;
        self.fee += lot.fee;
        self.fee_base += lot.fee_base;
        self.fee_quote += lot.fee_quote;
        self.first_at = Some(self.first_at.map_or(lot.at, |at| at.min(lot.at)));
        self.grade = self.grade.max(Some(lot.grade));
    }

    /// What it cost, with fees.
    pub fn cost(&self) -> Amount {
        self.notional + self.fee
    }
}

/// The lots of a bot: mostly one, kept with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lots(SmallVec<[Lot; 1]>);

impl Lots {
    /// Adds a fill.
    pub fn push(&mut self, lot: Lot) {
        self.0.push(lot);
    }

    /// The market was not seen for a time while these were held.
    pub fn saw_gap(&mut self) {
        self.0.iter_mut().for_each(|lot| lot.grade = DataGrade::Gap);
    }

    /// Nothing held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All lots, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.0.iter()
    }

    /// Base held.
    pub fn quantity(&self) -> Amount {
        self.0.iter().map(|l| l.quantity).sum()
    }

    /// Value at entry prices.
    pub fn notional(&self) -> Amount {
        self.0.iter().map(|l| l.notional).sum()
    }

    /// Takes up to `quantity` out.
    pub fn take(&mut self, quantity: Amount, matching: Matching) -> Matched {
        let mut matched = Matched::default();
        let mut wanted = quantity;
        if let Matching::Level(level) = matching {
            self.take_where(&mut wanted, &mut matched, |lot| lot.level == level);
        }
        self.take_where(&mut wanted, &mut matched, |_| true);
        matched
    }

    /// Takes everything out.
    pub fn take_all(&mut self) -> Matched {
        let mut matched = Matched::default();
        self.0.drain(..).for_each(|lot| matched.add(lot));
        matched
    }

    fn take_where(
        &mut self,
        wanted: &mut Amount,
        to: &mut Matched,
        is_ours: impl Fn(&Lot) -> bool,
    ) {
        let mut i = 0;
        while wanted.is_positive() && i < self.0.len() {
            if !is_ours(&self.0[i]) {
                i += 1;
            } else if self.0[i].quantity <= *wanted {
                let lot = self.0.remove(i);
                *wanted -= lot.quantity;
                to.add(lot);
            } else {
                to.add(self.0[i].split(*wanted));
                *wanted = Amount::ZERO;
            }
        }
    }
}
