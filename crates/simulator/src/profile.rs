//! What each exchange calls what it does.

use domain::Exchange;

/// Why an exchange refuses or ends an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No price can be known now: ours, no exchange has a code for it.
    NoValidBook,
    /// The instrument does not trade.
    MarketClosed,
    /// A post-only order would have taken.
    WouldTake,
    /// A market order found no more liquidity.
    NoLiquidity,
    /// The rest of an immediate-or-cancel order.
    ImmediateRest,
    /// A fill-or-kill order that cannot be filled whole.
    NotAllAtOnce,
    /// Price, lot or notional filter.
    Filter,
    /// It would have traded against an order of the same account.
    SelfTrade,
}

/// The exchange's own code.
pub const fn code(exchange: Exchange, cause: Cause) -> &'static str {
    match (exchange, cause) {
        (_, Cause::NoValidBook) => "NO_VALID_BOOK",
        (Exchange::Binance, Cause::MarketClosed | Cause::WouldTake) => "-2010",
        (Exchange::Binance, Cause::Filter) => "-1013",
        (Exchange::Binance, Cause::NoLiquidity) => "INSUFFICIENT_LIQUIDITY",
        (Exchange::Binance, Cause::ImmediateRest) => "UNFILLED_IOC_QUANTITY_EXPIRED",
        (Exchange::Binance, Cause::NotAllAtOnce) => "UNFILLED_FOK_ORDER_EXPIRED",
        (Exchange::Binance, Cause::SelfTrade) => "EXPIRED_IN_MATCH",
        (Exchange::Kucoin, Cause::MarketClosed) => "400600",
        (Exchange::Kucoin, Cause::Filter) => "400100",
        (Exchange::Kucoin, _) => "canceled",
        (Exchange::Luno, Cause::MarketClosed) => "ErrMarketUnavailable",
        (Exchange::Luno, Cause::Filter) => "ErrInvalidArguments",
        (Exchange::Luno, Cause::NoLiquidity) => "ErrNotEnoughLiquidity",
        (Exchange::Luno, _) => "ErrOrderCanceled",
    }
}
