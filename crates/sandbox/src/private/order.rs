//! Orders of the private side, their executions, and what is told of them.

use crate::model::book::Standing;
use domain::{Amount, Side};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Filled,
    /// By request, or where the exchange ends an order by cancelling it.
    Cancelled,
    /// Ended by the exchange.
    Expired,
    /// Taken at first, and refused afterwards.
    Rejected,
}

/// An order. Prices are ticks and quantities lots of its market.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    pub(crate) market: usize,
    pub(crate) side: Side,
    /// `None`: a market order.
    pub(crate) price: Option<i64>,
    pub(crate) quantity: i64,
    pub(crate) standing: Standing,
    pub(crate) status: Status,
    pub(crate) filled: i64,
    /// Value of what is filled.
    pub(crate) quote: Amount,
    /// Charged so far, in base and in quote.
    pub(crate) fees: (Amount, Amount),
    /// What it binds now, in the asset that it spends.
    pub(crate) held: Amount,
    pub(crate) cancel_asked: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Order {
    pub(crate) const fn left(&self) -> i64 {
        self.quantity - self.filled
    }

    pub(crate) fn is_open(&self) -> bool {
        self.status == Status::Open
    }
}

/// One execution of an order.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    /// The public print's id.
    pub(crate) id: i64,
    pub(crate) order: u64,
    pub(crate) client_id: String,
    pub(crate) market: usize,
    pub(crate) side: Side,
    pub(crate) price: i64,
    pub(crate) quantity: i64,
    pub(crate) value: Amount,
    pub(crate) fee: Amount,
    /// The fee is in the base currency.
    pub(crate) fee_in_base: bool,
    pub(crate) is_maker: bool,
    pub(crate) at: i64,
}

/// Money of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Funds {
    pub(crate) free: Amount,
    pub(crate) held: Amount,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// Taken.
    New,
    /// Executed, by this.
    Fill(Fill),
    /// Final.
    End,
    /// Money came or went, in this asset.
    Moved(String, Amount),
}

/// Something that the user stream of an account tells.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) account: usize,
    pub(crate) news: News,
    /// The order after it; none where no order is the cause.
    pub(crate) order: Option<Order>,
    /// Balances after it, of the assets that it changed, and by how much in all.
    pub(crate) balances: Vec<(String, Funds, Amount)>,
    pub(crate) at: i64,
}
