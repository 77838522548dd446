//! The day's opening equity and loss, by currency and in one.

use crate::shard::World;
use domain::{Amount, Currency, Round};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Opening equity and loss of the day in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DaySum {
    pub(crate) opening: Amount,
    pub(crate) loss: Amount,
}

impl DaySum {
    /// Is the loss surely below this many percent of the opening? Told without a division; where it
    /// says no, [`percent`] tells.
    pub(crate) fn is_within(&self, percent: Amount) -> bool {
        // Mostly of 64 bits, whose product is one instruction and always fits.
        let product = |a: i128, b: i128| match (i64::try_from(a), i64::try_from(b)) {
            (Ok(a), Ok(b)) => Some(i128::from(a) * i128::from(b)),
            _ => a.checked_mul(b),
        };
        let lost = product(self.loss.or_zero().atoms(), 100 * Amount::ONE.atoms());
        let limit = product(self.opening.atoms(), percent.atoms());
        lost.zip(limit).is_some_and(|(lost, limit)| lost < limit)
    }
}

/// Such sums by currency; an account has few.
pub(crate) type DaySums = SmallVec<[(Currency, DaySum); 2]>;

/// Sorted by currency, so that nothing hangs on who came first.
pub(crate) fn add(sums: &mut DaySums, currency: Currency, opening: Amount, loss: Amount) {
    let at = sums.partition_point(|(c, _)| *c < currency);
    match sums.get_mut(at).filter(|(c, _)| *c == currency) {
        Some((_, sum)) => (sum.opening, sum.loss) = (sum.opening + opening, sum.loss + loss),
        None => sums.insert(at, (currency, DaySum { opening, loss })),
    }
}

/// The sums in one currency: as they are where there is but one, else in `into`.
///
/// # Errors
/// The currency that has no rate, or one too old for limits.
pub(crate) fn total(
    sums: &DaySums,
    into: Currency,
    age_max_s: u32,
    world: &World<'_>,
) -> Result<DaySum, Currency> {
    if let [(_, only)] = sums.as_slice() {
        return Ok(*only);
    }
    let mut total = DaySum::default();
    for (currency, sum) in sums {
        let rate = world.markets.limit_rate(*currency, into, world.now, age_max_s);
        let in_it = |a: Amount| a.product(rate?, Round::Down);
        let (opening, loss) = in_it(sum.opening).zip(in_it(sum.loss)).ok_or(*currency)?;
        (total.opening, total.loss) = (total.opening + opening, total.loss + loss);
    }
    Ok(total)
}

/// Loss over opening, in percent.
pub(crate) fn percent(sum: DaySum) -> Amount {
    crate::shard::loss_percent(sum.opening, sum.opening - sum.loss)
}
