//! Double entry for an account: wallets, a bot's books, lots and trades.
//!
//! Every balance, profit and fee that is shown derives from the postings made here; each
//! [`domain::Transfer`] sums to zero per currency. Realised profit moves only in [`Ledger::close`],
//! together with the trade row, so the sum of trades is the realised profit exactly. `risk`,
//! `engine`, `storage` and `server` may depend on it. [`statistics`] works out what all of them show.
//! Deliberately absent: prices of the market, currency
//! rates, storage.

mod as_list;
mod books;
mod capital;
mod lots;
mod profit;
pub mod statistics;
mod wallet;

pub use books::{BotBooks, CloseRequest, Execution, ExitProgress, Ledger, Short};
pub use lots::{Lot, Lots, Matched, Matching};
pub use wallet::Wallet;
