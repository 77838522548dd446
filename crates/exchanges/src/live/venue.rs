//! What differs between the exchanges: requests, answers and refusals, as pure functions.

use super::http::Ask;
use super::types::{
    Balance, FeeRates, KeyPermissions, LiveFill, OrderKey, OrderState, Placed, Reaction,
};
use super::{ClientIds, binance, kucoin, luno};
use crate::codec::DecodeError;
use domain::{Exchange, Instrument, InstrumentId, Price, Quantity, Side, TimeInForce, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// An order in the words that every exchange has.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) client_id: String,
    pub(super) instrument: Arc<Instrument>,
    pub(super) side: Side,
    /// `None`: whatever is there; sales alone are sent so.
    pub(super) price: Option<Price>,
    pub(super) post_only: bool,
    pub(super) time_in_force: TimeInForce,
    pub(super) quantity: Quantity,
    /// The exchange must refuse it so many milliseconds after it was signed.
    pub(super) validity_ms: i64,
}

impl Outgoing {
    pub(super) fn price_text(&self) -> Option<String> {
        self.price.map(|price| self.instrument.price_amount(price).to_string())
    }

    pub(super) fn quantity_text(&self) -> String {
        self.instrument.quantity_amount(self.quantity).to_string()
    }
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The request did nothing, and asks for this.
    Refused(Reaction),
    /// There is no such order.
    NotFound,
    /// The order is final already.
    Gone,
    /// An order of this name exists: perhaps the very one that we believe unsent.
    Duplicate,
    /// Too many calls.
    Limited,
    /// It may have happened or not.
    Unclear,
}

/// Instruments that the client was told of.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    by_id: HashMap<InstrumentId, Arc<Instrument>>,
    by_native: HashMap<String, InstrumentId>,
}

impl Listed {
    pub(super) fn insert(&mut self, id: InstrumentId, instrument: Arc<Instrument>) {
        self.by_native.insert(instrument.native.clone(), id);
        self.by_id.insert(id, instrument);
    }

    pub(super) fn get(&self, id: InstrumentId) -> Option<Arc<Instrument>> {
        self.by_id.get(&id).cloned()
    }

    pub(super) fn id(&self, native: &str) -> Option<InstrumentId> {
        self.by_native.get(native).copied()
    }

    pub(super) fn native(&self, native: &str) -> Option<&Instrument> {
        self.by_id.get(self.by_native.get(native)?).map(Arc::as_ref)
    }
}

/// What decoders look things up in.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) listed: &'a Listed,
    pub(super) ids: &'a ClientIds,
}

/// Names after which pages of fills go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The first: since this time.
    Since(Timestamp),
    /// After the last one: the exchange's cursor, and the time where the listing began.
    After(String, Timestamp),
}

/// Fills of one page, and where the next begins.
pub(super) type Fills = (Vec<LiveFill>, Option<Page>);

macro_rules! per_exchange {
    ($(#[$doc:meta] $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[$doc]
        pub(super) fn $name(exchange: Exchange, $($arg: $type),*) -> $result {
            match exchange {
                Exchange::Binance => binance::$name($($arg),*),
                Exchange::Kucoin => kucoin::$name($($arg),*),
                Exchange::Luno => luno::$name($($arg),*),
            }
        }
    )*};
}
per_exchange! {
    /// The exchange's code and words of an error, if the body is one.
    error(body: &[u8]) -> Option<(String, String)>;
    /// What they mean.
    meaning(code: &str, text: &str) -> Meaning;
    /// Asks for an order to be placed.
    place(order: &Outgoing, now_ms: i64) -> Ask;
    /// The answer to it.
    placed(body: &[u8], order: &Outgoing, context: Context<'_>) -> Result<Placed, DecodeError>;
    /// Asks for a cancel; `None`: the exchange's name of the order is needed first.
    cancel(key: &OrderKey, native: &str) -> Option<Ask>;
    /// The answer to it.
    cancelled(body: &[u8], context: Context<'_>) -> Result<Option<OrderState>, DecodeError>;
    /// Asks how an order stands.
    query(key: &OrderKey, native: &str) -> Ask;
    /// The answer to it; `None`: there is none.
    order(body: &[u8], context: Context<'_>) -> Result<Option<OrderState>, DecodeError>;
    /// Asks for open orders, of one instrument where one is named.
    open_orders(native: Option<&str>) -> Ask;
    /// The answer to it.
    orders(body: &[u8], context: Context<'_>) -> Result<Vec<OrderState>, DecodeError>;
    /// Asks for executions.
    fills(native: &str, page: &Page) -> Ask;
    /// The answer to it.
    filled(body: &[u8], native: &str, page: &Page, context: Context<'_>)
        -> Result<Fills, DecodeError>;
    /// Asks for balances.
    balances() -> Ask;
    /// The answer to it.
    balance_list(body: &[u8]) -> Result<Vec<Balance>, DecodeError>;
    /// Asks what the account pays.
    fee_rates(native: &str) -> Ask;
    /// The answer to it.
    rates(body: &[u8], native: &str) -> Result<FeeRates, DecodeError>;
    /// Asks what the key may do; `None`: there is no way.
    permissions() -> Option<Ask>;
    /// The answer to it.
    permitted(body: &[u8]) -> Result<KeyPermissions, DecodeError>;
    /// Asks for the exchange's time; where there is no such call, anything small with a `Date`.
    time() -> Ask;
    /// The answer in milliseconds, where the body has it.
    time_ms(body: &[u8]) -> Result<Option<i64>, DecodeError>;
}
