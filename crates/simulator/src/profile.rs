//! What each exchange calls what it does.

use domain::{Exchange, Misfit};

/// Why an exchange refuses or ends an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No price can be known now: ours, no exchange has a code for it.
    NoValidBook,
    /// The instrument does not trade.
    MarketClosed,
    /// The instrument takes only orders that rest.
    PostOnlyMode,
    /// A post-only order would have taken.
    WouldTake,
    /// A market order found no more liquidity.
    NoLiquidity,
    /// The rest of an immediate-or-cancel order.
    ImmediateRest,
    /// A fill-or-kill order that cannot be filled whole.
    NotAllAtOnce,
    /// It does not fit this filter.
    Filter(Misfit),
    /// The account has too many open orders here.
    TooManyOrders,
    /// It would have traded against an order of the same account.
    SelfTrade,
}

/// The exchange's own code.
pub const fn code(exchange: Exchange, cause: Cause) -> &'static str {
    match (exchange, cause) {
        (_, Cause::NoValidBook) => "NO_VALID_BOOK",
        (Exchange::Binance, cause) => binance(cause),
        (Exchange::Kucoin, cause) => kucoin(cause),
        (Exchange::Luno, cause) => luno(cause),
    }
}

/// One number for all filters: its text names the filter.
const fn binance(cause: Cause) -> &'static str {
    match cause {
        Cause::NoLiquidity => "INSUFFICIENT_LIQUIDITY",
        Cause::ImmediateRest => "UNFILLED_IOC_QUANTITY_EXPIRED",
        Cause::NotAllAtOnce => "UNFILLED_FOK_ORDER_EXPIRED",
        Cause::SelfTrade => "EXPIRED_IN_MATCH",
        Cause::Filter(_) | Cause::TooManyOrders => "-1013",
        _ => "-2010",
    }
}

const fn kucoin(cause: Cause) -> &'static str {
    match cause {
        Cause::MarketClosed | Cause::PostOnlyMode => "400600",
        Cause::Filter(Misfit::PercentPrice) => "400370",
        Cause::Filter(Misfit::NotionalTooLow) => "600100",
        Cause::Filter(Misfit::QuantityTooLow | Misfit::QuantityTooHigh | Misfit::MarketLot) => {
            "300000"
        }
        // Generic: what it means stands in its text.
        Cause::Filter(_) | Cause::TooManyOrders => "400100",
        _ => "canceled",
    }
}

const fn luno(cause: Cause) -> &'static str {
    match cause {
        Cause::MarketClosed => "ErrMarketUnavailable",
        Cause::PostOnlyMode => "ErrPostOnlyMode",
        Cause::NoLiquidity => "ErrNotEnoughLiquidity",
        Cause::Filter(misfit) => match misfit {
            Misfit::PriceTooLow => "ErrPriceTooLow",
            Misfit::PriceTooHigh | Misfit::PercentPrice => "ErrPriceTooHigh",
            Misfit::PriceStep => "ErrPriceDenominationNotAllowed",
            Misfit::QuantityTooLow => "ErrVolumeTooLow",
            Misfit::QuantityTooHigh | Misfit::MarketLot => "ErrVolumeTooHigh",
            Misfit::QuantityStep => "ErrVolumeDenominationNotAllowed",
            Misfit::NotionalTooLow => "ErrInvalidCounterVolume",
            Misfit::NotionalTooHigh => "ErrValueTooHigh",
        },
        Cause::TooManyOrders => "ErrLimitOutOfRange",
        _ => "ErrOrderCanceled",
    }
}
