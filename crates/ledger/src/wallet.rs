//! An account's balance of one currency on one exchange in one mode.

use domain::Amount;
use serde::{Deserialize, Serialize};

/// See the module. `available` and `reserved` are what the account owns; the other two are the
/// opposite side of the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallet {
    /// Given to no bot.
    pub available: Amount,
    /// Given to bots: cash, positions at cost, proceeds that settle.
    pub reserved: Amount,
    /// Came from outside (credit: below zero).
    pub external: Amount,
    /// Came from the market as base currency (credit: below zero).
    pub market: Amount,
    /// Realised profit that was ever taken out of bots here, to be given to others.
    #[serde(default)]
    pub taken: Amount,
    /// The part of it that no bot was given yet; it is in `available`.
    #[serde(default)]
    pub kept: Amount,
}

impl Wallet {
    /// What the account owns here.
    pub fn total(&self) -> Amount {
        self.available + self.reserved
    }

    /// Realised profit here, of all bots: what is owned beyond what came from outside.
    pub fn earned(&self) -> Amount {
        self.total() + self.external
    }

    /// Realised profit that was not taken yet; nothing while losses outweigh it.
    pub fn untaken(&self) -> Amount {
        (self.earned() - self.taken).or_zero()
    }

    /// What a person moved out of `available` is no profit that waits any more.
    pub(crate) fn limit_kept(&mut self) {
        self.kept = self.kept.min(self.available);
    }
}
