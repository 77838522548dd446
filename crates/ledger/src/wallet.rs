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
}

impl Wallet {
    /// What the account owns here.
    pub fn total(&self) -> Amount {
        self.available + self.reserved
    }
}
