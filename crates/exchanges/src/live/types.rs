//! What the private side says. Results are named by the reaction that they ask for.

use domain::{
    Amount, Currency, InstrumentId, Liquidity, OrderId, OrderStatus, Rate, Side, Span, Timestamp,
};
use risk::{PermitMisfit, WireStop};
use std::time::Duration;

/// What became of an order that was to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The exchange has it.
    Placed(Placed),
    /// The exchange refused it: it does not exist, and never will.
    Rejected(Reject),
    /// Over a limit, ours or the exchange's: it was not taken. Nothing is queued; decide anew.
    RateLimited {
        /// Nothing is taken before.
        retry_after: Duration,
    },
    /// Neither a clear yes nor a clear no. Never send it again: [`super::LiveClient::resolve`].
    Unknown {
        /// What happened, without secrets.
        why: String,
    },
    /// It never left this process.
    Withheld(Withheld),
}

/// The exchange has the order. Fills may have come before this answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Under which it is known to us.
    pub client_id: String,
    /// Under which it is known to the exchange.
    pub exchange_id: String,
    /// How it stands, where the answer says so (Binance).
    pub state: Option<OrderState>,
    /// What it has executed, where the answer says so; the stream tells it too, with equal ids.
    pub fills: Vec<LiveFill>,
}

/// A clear no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What it asks for.
    pub reaction: Reaction,
    /// The exchange's code.
    pub code: String,
    /// The exchange's words.
    pub text: String,
}

/// What a refusal asks for, besides deciding anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing: the market was in the way.
    Drop,
    /// The instrument's filters or status have changed: fetch them.
    RefreshInstrument,
    /// The exchange sees less money than we do: reconcile.
    Reconcile,
    /// Our clock was off; it was measured again. Not sent again.
    Clock,
    /// The key is not accepted, or may not trade: stop using it.
    Key,
}

/// Why an order never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The permit was not made for it.
    #[error(transparent)]
    Permit(#[from] PermitMisfit),
    /// The last step before the wire said no.
    #[error(transparent)]
    Wire(#[from] WireStop),
    /// The client was not told of the instrument.
    #[error("the instrument is not known to the client of this exchange")]
    Instrument,
    /// A market buy without a worst price could cost anything.
    #[error("a market buy needs a worst price")]
    WorstPrice,
    /// A price or quantity that is none.
    #[error("price and quantity must be above zero")]
    Number,
}

/// Which order is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    /// On which instrument.
    pub instrument: InstrumentId,
    /// Our own name of it.
    pub client_id: String,
    /// The exchange's name of it, if it is known: Luno cancels by nothing else.
    pub exchange_id: Option<String>,
}

/// What became of a cancel. Cancels may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// Taken; fills may still come.
    Done {
        /// As the answer has it, where it does (Binance).
        state: Option<OrderState>,
    },
    /// There is nothing to cancel: it is final already, or never was. Query it.
    Gone,
    /// Over a limit of the exchange.
    RateLimited {
        /// Nothing is taken before.
        retry_after: Duration,
    },
    /// No clear answer: query, or cancel again.
    Unknown {
        /// What happened.
        why: String,
    },
}

/// What an unknown order turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The exchange has it: adopt this.
    Found(OrderState),
    /// It was asked for after the settle time, and is not there: it will not come any more.
    NeverSent,
    /// The exchange could not be asked: keep what is held, and resolve again.
    StillUnknown {
        /// Why the last question had no answer.
        why: String,
    },
}

/// An order as the exchange has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// Of this instrument, if the client was told of it.
    pub instrument: Option<InstrumentId>,
    /// The exchange's name of the instrument.
    pub native: String,
    /// Our id, if the order is one of this installation's; otherwise it is foreign.
    pub id: Option<OrderId>,
    /// As given by whoever sent it; may be empty on foreign orders.
    pub client_id: String,
    /// The exchange's name of it.
    pub exchange_id: String,
    /// Side; Luno's stream does not say.
    pub side: Option<Side>,
    /// Limit in quote, if it has one that is told.
    pub limit_price: Option<Amount>,
    /// Ordered, in base; `None` where it was ordered in quote or is not told.
    pub quantity: Option<Amount>,
    /// Executed, in base; `None` where it is not told.
    pub filled: Option<Amount>,
    /// Executed, in quote.
    pub filled_quote: Option<Amount>,
    /// Where it stands. `Filled`, `Cancelled` and `Expired` say nothing of fills that are still
    /// to come; `filled` does.
    pub status: OrderStatus,
    /// The exchange's reason of an end, where it has one.
    pub reason: Option<String>,
    /// When it was made, by the exchange's clock.
    pub created_at: Option<Timestamp>,
    /// When it got here, by the exchange's clock.
    pub updated_at: Option<Timestamp>,
}

/// A fee, or below zero a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// One execution of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFill {
    /// Of this instrument, if the client was told of it.
    pub instrument: Option<InstrumentId>,
    /// The exchange's name of the instrument.
    pub native: String,
    /// Unique within instrument and exchange, however it was learnt: post each once. Luno has no
    /// trade ids on its stream; there it is the order and its total after the fill.
    pub trade_id: String,
    /// Our id, if the order is one of this installation's.
    pub id: Option<OrderId>,
    /// As given by whoever sent it; empty where the answer does not say (lists of fills).
    pub client_id: String,
    /// The exchange's name of the order.
    pub exchange_id: String,
    /// Side; Luno's stream does not say.
    pub side: Option<Side>,
    /// In quote per base.
    pub price: Amount,
    /// In base.
    pub quantity: Amount,
    /// In quote, exact.
    pub quote: Amount,
    /// As charged; none where nothing was.
    pub fees: Vec<Charge>,
    /// Maker or taker; Luno's stream does not say.
    pub liquidity: Option<Liquidity>,
    /// By the exchange's clock.
    pub at: Timestamp,
}

/// Money of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Which.
    pub currency: Currency,
    /// Not bound by orders.
    pub free: Amount,
    /// Bound by orders.
    pub held: Amount,
}

impl Balance {
    /// Adds money of a currency to a list that names each currency once.
    pub(super) fn add_to(list: &mut Vec<Self>, currency: Currency, free: Amount, held: Amount) {
        match list.iter_mut().find(|b| b.currency == currency) {
            Some(sum) => {
                sum.free += free;
                sum.held += held;
            }
            None => list.push(Self { currency, free, held }),
        }
    }
}

/// Why a balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceCause {
    /// By an order or a fill.
    Trade,
    /// By a deposit, a withdrawal or a transfer.
    External,
    /// The exchange does not say.
    Unsaid,
}

/// A balance has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceUpdate {
    /// Which.
    pub currency: Currency,
    /// What it is now, where the exchange says so.
    pub now: Option<Balance>,
    /// By how much the whole changed, where the exchange says so.
    pub change: Option<Amount>,
    /// Why.
    pub cause: BalanceCause,
    /// By the exchange's clock.
    pub at: Timestamp,
}

/// What the account pays; the worse of both sides where they differ, without discounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRates {
    /// Of resting fills.
    pub maker: Rate,
    /// Of aggressive fills.
    pub taker: Rate,
    /// A discount is on that is paid in another currency (BNB): fees may come in it.
    pub discounted_in: Option<Currency>,
}

/// What a key may do, as far as the exchange tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPermissions {
    /// As asked.
    Known {
        /// Place and cancel spot orders.
        can_trade: bool,
        /// Move money out, or to another account.
        can_withdraw: bool,
        /// Only from listed addresses.
        is_ip_restricted: bool,
        /// As the exchange names them.
        names: Vec<String>,
    },
    /// This exchange has no way to ask (Luno): a person has to attest it.
    CannotAsk {
        /// What a person should look for.
        advice: &'static str,
    },
}

/// The exchange's clock against ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The exchange's time minus ours, best guess.
    pub ahead: Span,
    /// The guess may be off by this much.
    pub error: Span,
    /// Of the question.
    pub round_trip: Span,
}

/// What the stream tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveEvent {
    /// The stream stands, and nothing of before is replayed (Luno: five minutes are), or something
    /// came that cannot be understood: list open orders, missed fills and balances now.
    Resync {
        /// Why.
        why: String,
    },
    /// The stream is down; it is being reconnected. Entries should wait.
    Down {
        /// Why.
        why: String,
    },
    /// An order changed.
    Order(OrderState),
    /// An order executed. Each trade id comes once while the client lives.
    Fill(LiveFill),
    /// A balance changed.
    Balance(BalanceUpdate),
}
